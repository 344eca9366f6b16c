//! Plots: pure functions from numbers to SVG text. The same numbers give the same bytes.
//!
//! Every plot has a title and a description for screen readers, text that is text, and colours that stay apart for
//! colour-blind readers and on light and dark pages: it brings both palettes and follows `prefers-color-scheme`.
//! Histograms, bars and correlations are pieces of a page, which holds [`style`] once for all of them.

mod axes;
mod bars;
mod confusion;
mod correlations;
mod curves;
#[cfg(test)]
mod gallery;
mod histogram;
mod reliability;
mod roc;
mod scatter;
mod svg;

pub use bars::{Bar, bars};
pub use confusion::confusion;
pub use correlations::correlations;
pub use curves::{Curve, curves};
pub use histogram::{Bin, histogram};
pub use reliability::{ReliabilityBin, reliability};
pub use roc::{RocLine, roc};
pub use scatter::{Scatter, scatter};
pub use svg::style;
