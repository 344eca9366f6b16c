//! The integration tests, in one binary so that they are linked once.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

mod axes;
mod bad_input;
mod bad_kinds;
mod bad_sources;
mod bad_steps;
mod check;
#[cfg(feature = "torch")]
mod checkpoints;
mod ci;
mod cli;
mod columns;
mod database;
mod docs;
mod encodings;
mod faults;
mod gc;
mod history;
mod import;
#[cfg(feature = "torch")]
mod interrupted;
mod keys;
#[cfg(feature = "torch")]
mod labels;
mod lock;
mod mapped;
mod maps;
mod memory;
mod modules;
mod newer;
mod one_mistake;
#[cfg(feature = "torch")]
mod onnx;
mod outlook;
mod pipelines;
#[cfg(feature = "torch")]
mod python;
#[cfg(feature = "torch")]
mod ready_made;
mod redaction;
mod sandbox;
mod sql_answers;
mod tables;
#[cfg(feature = "torch")]
mod targets;
#[cfg(feature = "torch")]
mod tensorboard;
mod text;
#[cfg(feature = "torch")]
mod training;
mod unkept;
mod unkept_columns;
mod verify;
mod why;
#[cfg(feature = "torch")]
mod worker;
