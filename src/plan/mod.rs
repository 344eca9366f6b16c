//! From a checked pipeline to a plan: what would run, and why. Reads the store, writes nothing.
//!
//! | file | what it knows |
//! |---|---|
//! | [`key`](self) | what decides a stage's result: the table of everything that enters a key |
//! | [`results`](self) | the real types of cached results, for the checker |
//! | [`dag`](self) | the graph; alone knows petgraph |
//! | [`select`](self) | targets, what they come from, `--force` |
//! | [`plan`](self) | cached, run, or unknown until something ran |
//! | [`standing`](self) | what a look at the whole pipeline found, to be kept for the next command |
//! | [`reason`](self), [`explain`](self) | why a stage would run: the difference to its earlier result |

mod dag;
mod explain;
mod key;
#[expect(clippy::module_inception, reason = "the file holds what the folder is named for")]
mod plan;
mod reason;
mod results;
mod select;
mod standing;

pub use dag::Dag;
pub use explain::{Earlier, key_differences};
pub use key::{KEY_FORMAT, Key, KeyParts, NoKey, UsedFiles, key, used_files};
pub use plan::{Decision, Plan, PlannedStage, has_open_types, outline, plan, sources_to_fetch_first};
pub use reason::{FileChange, Origin, Reason};
pub use results::StoreResults;
pub use select::{Selected, Selection, UnknownTarget, select};
pub use standing::standing;
