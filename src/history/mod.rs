//! The history of runs: what ran when, with which params, at which git revision, and what came out.
//!
//! It lies in one SQLite database in `.kilter/`, which can be deleted at any time. Several processes may write at once.
//! A run is never lost or failed because of its history: what cannot be written is told as a warning, and a damaged
//! database is set aside and begun anew.
//!
//! | file | what it knows |
//! |---|---|
//! | [`db`](self) | opening the database, its tables, waiting for other writers, setting a damaged one aside |
//! | [`record`](self) | a run as it happens, from events to rows |
//! | [`read`](self) | runs and their results |
//! | [`prune`](self) | which runs may be forgotten, and forgetting them |
//!
//! A run's results are kept as a *snapshot*: the list of its stages with their results. A run that changed nothing
//! points to the snapshot of the one before, so it costs one row however many stages there are. Results are kept whole
//! (but for their bytes), so that they can be compared when the store has forgotten them.

mod db;
mod prune;
mod read;
mod record;
#[cfg(test)]
mod tests;

pub use db::{History, HistoryError};
pub use prune::Parted;
pub use read::{Attempt, Member, Run, RunState};
pub use record::{Recorder, Revision, RunFacts};
