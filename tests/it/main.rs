//! The integration tests, in one binary so that they are linked once.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

mod axes;
mod bad_input;
mod bad_kinds;
mod bad_sources;
mod bad_steps;
mod check;
mod ci;
mod cli;
mod columns;
mod database;
mod docs;
mod encodings;
mod faults;
mod history;
mod import;
mod keys;
mod lock;
mod mapped;
mod maps;
mod modules;
mod pipelines;
mod redaction;
mod sandbox;
mod sql_answers;
mod tables;
#[cfg(feature = "torch")]
mod targets;
mod unkept;
mod verify;
mod why;
#[cfg(feature = "torch")]
mod worker;
