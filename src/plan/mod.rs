//! From a checked pipeline to a plan: what would run, and why. Reads the store, writes nothing.
//!
//! | file | what it knows |
//! |---|---|
//! | [`key`](self) | what decides a stage's result: the table of everything that enters a key |
//! | [`origin`](self) | where a result comes from, for kinds whose result tells it |
//! | [`taken`](self) | what stands for an input in it: of a table the columns that are read, of one that is not kept what is behind them |
//! | [`resolved`](self) | a stage's tree with what stands for its inputs and files, as a digest and for people |
//! | [`inputs_read`](self) | the same for people, also of stages whose inputs are still to be made |
//! | [`results`](self) | the real types of cached results, for the checker |
//! | [`dag`](self) | the graph; alone knows petgraph |
//! | [`select`](self) | targets, what they come from, `--force` |
//! | [`plan`](self) | cached, run, or unknown until something ran |
//! | [`standing`](self) | what a look at the whole pipeline found, to be kept for the next command |
//! | [`onward`](self) | what a stage that would run can go on from |
//! | [`unread`](self) | why a stage does not run although an input changed |
//! | [`reason`](self), [`table_change`](self), [`explain`](self) | why a stage would run: the difference to its earlier result |
//! | [`words`](self) | values out of keys as people read them |

mod dag;
mod explain;
mod inputs_read;
mod key;
mod onward;
mod origin;
#[expect(clippy::module_inception, reason = "the file holds what the folder is named for")]
mod plan;
mod reason;
mod resolved;
mod results;
mod select;
mod standing;
mod table_change;
mod taken;
mod unread;
mod words;

pub use dag::Dag;
pub use explain::{Earlier, Remembered, key_differences, nearest};
pub use inputs_read::{ColumnsRead, InputRead, inputs_read};
pub use key::{KEY_FORMAT, Key, KeyParts, NOT_IN_KEY, NoKey, key, used_files};
pub use onward::{Beginning, earlier};
pub use origin::origin_of;
pub use plan::{Decision, Plan, PlannedStage, has_open_types, outline, plan, sources_to_fetch_first};
pub use reason::{FileChange, Origin, Reason};
pub use results::StoreResults;
pub use select::{Selected, Selection, UnknownTarget, instead, named, select};
pub use standing::standing;
pub use table_change::TableChange;
pub use taken::Taken;
pub use unread::{ColumnChanges, Unread, unread};
pub use words::{in_words, named_files};
