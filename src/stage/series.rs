//! Work that can be taken up where it was left: by the same stage after it was interrupted, or by one that goes further.

use super::Input;
use crate::digest::Segment;
use std::path::PathBuf;

/// How a stage's work is a part of longer work of the same kind: the first ten of twenty epochs. All stages that are equal but
/// for how far they go are a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The fields in which members may differ; the first says how far a member goes.
    pub free: &'static [&'static str],
    /// How far this member goes.
    pub length: u64,
    /// In what: `epoch`.
    pub unit: &'static str,
    /// The output that a longer member goes on from; a result without it is none to go on from.
    pub port: &'static str,
    /// The field that says whether a member has that output, where one does.
    pub keeps: Option<&'static str>,
    /// Why this member cannot go on from a shorter one, where it cannot.
    pub apart: Option<Apart>,
}

/// Why a longer work has another beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// The path of the field because of which.
    pub field: Vec<Segment>,
    /// What it does: `ends with the last epoch`.
    pub why: &'static str,
}

/// What a stage may go on from, and where it leaves what it can go on from itself after an interruption.
#[derive(Clone, Debug, Default)]
pub struct Onward {
    /// Where it leaves checkpoints and finds its own, each a folder that is called after how far it is; nobody else writes
    /// there. The folder may not be there yet, and goes when there is a result. `None`: nowhere.
    pub checkpoints: Option<PathBuf>,
    /// Where other members of its series left theirs. Only to be read; what is there may go at any time.
    pub readable: Vec<PathBuf>,
    /// The output [`Series::port`] of the longest result of its series that does not go further than it.
    pub earlier: Option<Input>,
}
