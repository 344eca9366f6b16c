//! The commands that hold results to what was locked: `lock`, `verify`.

use super::{OneManifest, Params};
use clap::Args;
use std::path::PathBuf;

/// `kilter lock`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter lock [OPTIONS] [MANIFEST]")]
pub struct Lock {
    /// The manifest.
    #[command(flatten)]
    pub manifest: OneManifest,

    /// Mend a lock that a merge left conflicts in: what the sides disagree on is taken from the store, or dropped
    #[arg(long)]
    pub resolve: bool,

    /// Merge three locks into OURS, record by record, as a merge driver of git; what both sides changed is left between
    /// conflict markers, for `--resolve`
    #[arg(long, num_args = 3, value_names = ["BASE", "OURS", "THEIRS"], conflicts_with_all = ["resolve", "manifest"])]
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub merge: Vec<PathBuf>,
}

/// `kilter verify`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter verify [OPTIONS] [MANIFEST]")]
pub struct Verify {
    /// The manifest.
    #[command(flatten)]
    pub manifest: OneManifest,

    /// Params.
    #[command(flatten)]
    pub params: Params,

    /// A stage, or a module for all of its stages; may be repeated [default: all stages]
    #[arg(long, value_name = "STAGE")]
    pub stage: Vec<String>,

    /// Verify a share of them, such as `20%`
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub sample: Option<f64>,

    /// Which sample: the same number draws the same stages everywhere
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Run each stage two times, with one thread and with several, and compare these; needs no lock
    #[arg(long)]
    pub twice: bool,

    /// Do not use the network; a stage that needs it fails
    #[arg(long)]
    pub offline: bool,

    /// Print what came of it as JSON
    #[arg(long)]
    pub json: bool,

    /// Write a JUnit report, a test case for each stage, to this file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub junit: Option<PathBuf>,

    /// One of the two runs of `--twice`, as this file asks for it
    #[arg(long, hide = true, value_name = "FILE")]
    pub half: Option<PathBuf>,
}

/// `20%`, `0.2`
fn share(text: &str) -> Result<f64, String> {
    let wrong = || "a share is a percentage such as `20%`".to_owned();
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), 100.0),
        None => (text, 1.0),
    };
    let share = number.parse::<f64>().map_err(|_| wrong())? / unit;
    if share > 0.0 && share <= 1.0 { Ok(share) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_or_a_fraction() {
        assert_eq!(["20%", "0.2", "100 %", "1"].map(share), [Ok(0.2), Ok(0.2), Ok(1.0), Ok(1.0)]);
        assert!(["0", "120%", "-5%", "x", "NaN"].into_iter().all(|text| share(text).is_err()));
    }
}
