//! Measurements: `cargo xtask bench [NAME …]`. What they gave is written down in docs/benchmarks.md.

use crate::command::Failure;

/// Runs the named measurements, or all.
pub fn bench(_names: &[String]) -> Result<(), Failure> {
    Err(Failure::new("no measurements yet"))
}
