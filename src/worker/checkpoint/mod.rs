//! Checkpoints: all that changes while a job runs, so that it can go on later as if nothing had happened.
//!
//! A [`State`] is made of parts, one for each component of a training: named tensors and named JSON values. A component says
//! what its part holds by [`Stateful`], and stands in the list `Course::components` (`jobs/train/course.rs`), which is all there
//! is to add one:
//!
//! ```text
//! impl Stateful for Ema {
//!     fn save(&self, into: &mut Part) -> Result<(), Failure> {
//!         into.value("updates", &self.updates)?;                  // anything that serde writes; numbers that must
//!         into.number("decay", self.decay)?;                      // be the same bits: `number`
//!         into.tensor("average/w", &self.average)                 // copied
//!     }
//!     fn restore(&mut self, from: &Part) -> Result<(), Failure> {
//!         self.updates = from.get("updates")?;
//!         self.decay = from.get_number("decay")?;
//!         from.copy_into("average/w", &self.average)              // the shape must be the same
//!     }
//! }
//! ```
//!
//! What is saved is what the next step depends on and cannot be derived from the job, the seed and the position; and it must be
//! the same bytes whether or not the training was interrupted, because the state at the end is an output of the stage.
//!
//! | file | what it knows |
//! |---|---|
//! | [`state`](self) | parts and what they hold |
//! | [`folder`](self) | a state as a folder of files: safetensors and one JSON, with a digest of each |
//! | [`keeper`](self) | when to write one, the thread that writes, and that two stay |
//! | [`find`](self) | which one to go on from |

mod find;
mod folder;
mod keeper;
mod state;

pub use find::{Origin, go_on};
pub use folder::write_folder;
pub use keeper::{Keeper, Kept};
pub use state::{Part, Position, State, Stateful};
