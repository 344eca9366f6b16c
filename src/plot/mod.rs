//! Plots: pure functions from numbers to SVG text. The same numbers give the same bytes.
//!
//! Every plot has a title and a description for screen readers, text that is text, and colours that stay apart for
//! colour-blind readers and on light and dark pages: it brings both palettes and follows `prefers-color-scheme`.

mod axes;
mod confusion;
mod curves;
#[cfg(test)]
mod gallery;
mod reliability;
mod roc;
mod scatter;
mod svg;

pub use confusion::confusion;
pub use curves::{Curve, curves};
pub use reliability::{ReliabilityBin, reliability};
pub use roc::{RocLine, roc};
pub use scatter::{Scatter, scatter};
