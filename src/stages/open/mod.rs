//! Kinds that run any program.

pub mod exec;
