//! kilter runs machine-learning pipelines that are written down in TOML.
//!
//! The phases, in order, each consuming what the one before gave:
//!
//! | module | from | to |
//! |---|---|---|
//! | [`manifest`] | text | stages as tables, with the span of every value |
//! | [`check`] | those | typed stages in topological order, and diagnostics |
//! | [`plan`] | those, and the store | what is cached, what runs and why |
//! | [`exec`] | the plan | results in the store, and [`event`]s |
//! | [`lock`] | results | `NAME.lock`, to commit and to compare with |
//! | [`verify`] | the lock, or nothing | the same stages run again, and where they differ |
//! | [`report`] | events and artefacts | something to read or look at |
//!
//! Under them lie [`span`], [`yaml`], [`digest`], [`types`], [`diag`], [`mod@env`], [`event`] and [`job`], which know nothing of
//! each other beyond that order; [`stage`] is the contract that every kind in [`stages`] keeps; [`frame`], [`nn`] and
//! [`metrics`] hold what kinds are made of; [`numbers`] puts numbers in words; [`xml`] text into XML; [`mod@onnx`] turns networks into ONNX; [`plot`] draws them as SVG; [`store`] keeps results;
//! [`history`] keeps what runs did, [`mod@diff`] compares them, [`git`] asks the program of that name; [`import`] reads other tools' pipelines; [`registry`] lists all there is.
//! The second binary, `kilter-torch` (`src/worker/`), is the only code that sees libtorch, and not part of this library.

pub mod check;
pub mod cli;
pub mod dev;
pub mod diag;
pub mod diff;
pub mod digest;
pub mod env;
pub mod event;
pub mod exec;
pub mod frame;
pub mod git;
pub mod history;
pub mod import;
pub mod job;
pub mod lock;
pub mod manifest;
pub mod metrics;
pub mod nn;
pub mod numbers;
pub mod onnx;
pub mod plan;
pub mod plot;
pub mod registry;
pub mod report;
pub mod span;
pub mod stage;
pub mod stages;
pub mod store;
pub mod types;
pub mod verify;
pub mod xml;
pub mod yaml;
