//! Runs stages again in a scratch store, past the cache, and compares: with the lock, or two runs with different numbers of
//! threads with each other. The stages are run by the engine's own code ([`crate::exec::Again`]).
//!
//! | file | what it knows |
//! |---|---|
//! | `verdict.rs` | what is said of a stage: [`Verdict`], [`Verification`] |
//! | `select.rs` | which stages, and which others must run for them |
//! | `locked.rs` | one run against the lock |
//! | `twice.rs`, `half.rs` | two runs in processes of their own, with different numbers of threads and cores |
//! | `given.rs` | what a stage is given to run again: results, blobs, ancestors |
//! | `judge.rs` | from two results of a stage to a verdict |
//! | `compare/` | two artefacts side by side: tables, tensors, numbers, bytes |
//! | `scratch.rs` | the scratch store's folder, and what killed runs left of it |

mod compare;
mod given;
mod half;
mod judge;
mod locked;
mod scratch;
mod select;
mod twice;
mod verdict;

pub use compare::{FileDifference, NumberDifference, Shown, TensorDifference, TensorRow};
pub use half::{Half, HalfRequest, Line, run_half};
pub use locked::against_lock;
pub use scratch::Scratch;
pub use select::{Which, stages};
pub use twice::twice;
pub use verdict::{Off, OutputDifference, Parting, StageVerdict, Verdict, Verification, Within};

use crate::event::Event;

/// What happens while stages are run again.
#[derive(Clone, Debug)]
pub enum Told {
    /// A stage begins: its name, which one it is, of how many.
    Stage(String, usize, usize),
    /// Something that the engine tells.
    Event(Box<Event>),
}

/// Who is told.
pub type Tell<'a> = &'a (dyn Fn(Told) + Sync);
