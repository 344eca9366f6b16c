//! Runs a plan: stages in parallel under slots for CPU, GPU and memory, results into the store, everything that happens as [`Event`]s.
//! Prints nothing and decides nothing about looks.
//!
//! | file | what it knows |
//! |---|---|
//! | [`run`](self) | options, summary, and the way from a checked manifest to a finished run |
//! | [`nothing`](self) | a run that has nothing to do |
//! | [`scheduler`](self) | the one loop that owns every stage's state |
//! | [`state`](self) | where a stage is, and what may happen to it |
//! | [`threads`](self) | the threads that stages run in |
//! | [`look`](self) | whether a stage's result is there already |
//! | [`ready`](self), [`urgency`](self), [`slots`](self) | which stage starts next: the longest way behind it, what it needs and what is free |
//! | [`board`](self) | the results by now |
//! | [`run_stage`](self) | one attempt at a stage, from its inputs to its stored result |
//! | [`fits`](self) | whether what was produced is what was predicted |
//! | [`services`](self) | what a running stage may ask of the engine |
//! | [`worker`](self), [`process`](self) | worker processes: started on first need, warm until the run ends |
//! | [`failure`](self) | a failed stage, in the words of an event |
//! | [`locked`](self) | what `--locked` compares |
//! | [`again`](self) | one stage run again past the cache, for `verify` |
//!
//! [`Event`]: crate::event::Event

mod again;
mod board;
mod failure;
mod fits;
mod inputs;
mod locked;
mod look;
mod nothing;
mod process;
mod ready;
mod run;
mod run_stage;
mod scheduler;
mod services;
mod slots;
mod sources;
mod state;
mod threads;
mod urgency;
mod worker;

#[cfg(test)]
mod tests;

pub use again::{Again, Given, NotRun};
pub use board::Done;
pub use failure::demand;
pub use locked::other_makers;
pub use nothing::run_nothing;
pub use run::{Outcome, RunError, RunOptions, RunSummary, run, run_checking_again};
