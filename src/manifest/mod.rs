//! Manifests: text with spans, decoded step by step.
//!
//! | file | from | to |
//! |---|---|---|
//! | `document.rs` | TOML text | [`Node`]s: values with spans |
//! | `envelope.rs`, `common.rs`, `tolerance.rs` | the root node | `[pipeline]`, `[params]`, `[inputs]`, `[outputs]`, stages; what every stage may carry |
//! | `overrides.rs`, `params.rs` | `--set`, `${name}` | nodes with params filled in, and where they came from |
//! | `module.rs`, `stdlib.rs` | `use` and `with` | the stages of modules, under prefixed names |
//! | `matrix.rs`, `reference.rs` | `matrix` | a stage for every combination of values; references that say which |
//! | `changed.rs` | a text and what it was | the params in it that differ |
//! | `entry.rs`, `text.rs` | key paths, bytes of strings | [`Span`](crate::span::Span)s |
//! | `load.rs` | a file | [`Loaded`]: a [`Manifest`] and diagnostics |
//!
//! The fields of kinds are not looked at here; `check/` decodes them.

mod changed;
mod common;
mod document;
mod entry;
mod envelope;
mod load;
mod matrix;
mod module;
mod node;
mod overrides;
mod params;
mod reference;
pub mod stdlib;
mod text;
mod tolerance;

pub use common::{COMMON_FIELDS, Common, Needs, parse_bytes};
pub use document::pipeline_name;
pub use entry::{Loaded, Manifest, Param, Scope, StageEntry, Target, with_uses};
pub use envelope::{ARTIFACTS, EDITIONS, InputDecl, OutputDecl, Pipeline};
pub use load::{LoadOptions, load, load_text};
pub use node::{Data, Located, Node, Origin, ParamUse, Piece};
pub use params::{ParamDecl, ParamType};
pub use reference::{Point, Reference};
pub use tolerance::{Tolerance, Tolerances};
