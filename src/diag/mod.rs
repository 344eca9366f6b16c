//! Diagnostics as data: what is wrong, where, and what to do. How they look is for `render.rs` alone.
//!
//! Checking never stops at the first mistake: it returns a value *and* [`Diagnostics`].

pub mod codes;
mod diagnostic;
mod excerpt;
mod machine;
mod render;
mod sarif;
mod suggest;

pub use codes::Code;
pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use excerpt::excerpts;
pub use render::{Format, render};
pub use suggest::{brief, did_you_mean, list, toml_key};
