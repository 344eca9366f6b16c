//! From a manifest to a checked pipeline.
//!
//! [`check`] decodes every stage by itself through the registry, looks references up, orders the stages, and lets each
//! kind say in that order what it gives. A stage with a mistake gives unknown outputs, of which nothing more is said:
//! one mistake is one error. [`recheck`] asks a kind again right before it runs.
//!
//! | file | what |
//! |---|---|
//! | `decode.rs`, `schema.rs`, `words.rs`, `instead.rs` | fields to specs, serde's errors to diagnostics, which keys may stand where |
//! | `names.rs` | references to stages and outputs, through modules |
//! | `axes.rs` | axes along references: which stages a stage with axes stands for |
//! | `order.rs` | topological order, cycles |
//! | `walk.rs`, `waves.rs`, `late.rs` | the walk in that order, what is checked side by side, and the late check |
//! | `place.rs`, `files.rs` | findings to spans; files that are not there |
//! | `checked.rs` | [`Checked`], and [`Results`]: what is known of stored results |

mod axes;
mod checked;
mod decode;
mod files;
mod instead;
mod late;
mod names;
mod order;
mod place;
mod schema;
#[cfg(test)]
mod tests;
mod walk;
mod waves;
mod words;

pub use checked::{Checked, CheckedStage, Known, Mistake, NoResults, ResolvedRef, Results, StageView};
pub use late::recheck;
pub use walk::check;
