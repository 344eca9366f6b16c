//! The integration tests, in one binary so that they are linked once.

mod check;
#[cfg(feature = "torch")]
mod worker;
