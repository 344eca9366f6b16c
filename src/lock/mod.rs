//! `NAME.lock` beside a manifest: for each stage what it gave, where, and how far that can be repeated. Committed with the
//! manifest; `run --locked` and `verify` compare with it.
//!
//! One record a stage, sorted by name, without times, so that two branches that touch different stages merge line by line.
//! A record changes only when the result does: another machine that makes the same bytes leaves it alone.
//!
//! | file | what it knows |
//! |---|---|
//! | `record.rs` | [`Lock`], [`Record`]: made from results, brought up to date |
//! | `claim.rs` | [`Claim`]: how far a result can be repeated |
//! | `facts.rs` | [`FactChange`]: what differs between the environments of two results |
//! | `text.rs` | the TOML; alone knows `toml` here |
//! | `conflict.rs` | what a merge leaves in the text, and how it is mended |
//! | `merge.rs` | [`merge`]: three locks record by record, for git |
//! | `file.rs` | the file: where it lies, reading, writing |

mod claim;
mod conflict;
mod facts;
mod file;
mod merge;
mod record;
mod text;

pub use claim::Claim;
pub use conflict::{Mended, mend, sides};
pub use facts::{FactChange, fact_changes};
pub use file::{LockError, how_to_lock, lock_path, read, read_text, write};
pub use merge::{Merged, merge};
pub use record::{Lock, LockedOutput, Record};
