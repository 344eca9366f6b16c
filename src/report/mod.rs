//! Turns events and artefacts into something to read or look at. Decides nothing.
//!
//! | file | what it makes |
//! |---|---|
//! | `console/` | a run on a terminal (`live.rs`) or in a log (`plain.rs`), both in the words of `words.rs` |
//! | `json.rs` | the events, one a line |
//! | `junit.rs` | JUnit reports |
//! | `table.rs` | tables for a terminal |
//! | `tensorboard/` | TensorBoard's event files |
//! | `graph.rs` | the stages as tree, Mermaid, DOT or SVG |
//! | `paint.rs` | colours |

mod console;
mod graph;
mod json;
pub mod junit;
mod paint;
mod table;
mod tensorboard;

pub use console::{Frame, Live, Plain, Reporter, failure, summary};
pub use graph::{Drawing, Graph, Node, State};
pub use json::JsonLines;
pub use paint::Paint;
pub use table::{Align, Table};
pub use tensorboard::TensorBoard;
