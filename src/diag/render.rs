//! How diagnostics look. The only file that knows miette.

use super::Diagnostics;
use crate::span::SourceMap;

/// A way to write diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human {
        /// Whether to colour it.
        color: bool,
        /// The width in columns that hints are wrapped to.
        width: usize,
    },
    /// A JSON array of objects.
    Json,
    /// GitHub workflow commands, one line each.
    Github,
}

/// Writes diagnostics in a format.
#[must_use]
pub fn render(diagnostics: &Diagnostics, sources: &SourceMap, format: Format) -> String {
    let _ = format;
    diagnostics
        .iter()
        .map(|d| format!("{}: {}\n", d.code, d.primary.as_ref().map_or(String::new(), |l| sources.place(l.span))))
        .collect()
}
