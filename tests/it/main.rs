//! The integration tests, in one binary so that they are linked once.

mod check;
mod cli;
mod docs;
mod faults;
mod pipelines;
mod sandbox;
#[cfg(feature = "torch")]
mod worker;
