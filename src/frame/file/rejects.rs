//! Lines that could not be read and were left out, as a table.

use super::BadFile;
use polars::prelude::*;

/// A line that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The file, where there are several.
    pub file: String,
    /// 1-based; before `finish` the place in the text.
    pub line: u64,
    /// The column whose value could not be read, where it was one.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// The line as it stands there.
    pub text: String,
}

impl Reject {
    /// What begins at `at` in the text.
    pub(super) fn new(at: usize, column: Option<&str>, reason: impl Into<String>, text: &str) -> Self {
        let column = column.map(str::to_owned);
        Self { file: String::new(), line: at as u64, column, reason: reason.into(), text: text.to_owned() }
    }
}

/// The lines that a file's reading leaves out, as they are found.
#[derive(Default)]
pub(super) struct Rejects(Vec<Reject>);

impl Rejects {
    pub(super) fn push(&mut self, reject: Reject) {
        self.0.push(reject);
    }

    /// In the order of the text, places turned into lines; so many are before the text.
    pub(super) fn finish(mut self, text: &str, lines_before: usize) -> Vec<Reject> {
        self.0.sort_by_key(|reject| reject.line);
        let (mut at, mut line) = (0, lines_before as u64 + 1);
        for reject in &mut self.0 {
            let place = usize::try_from(reject.line).unwrap_or(usize::MAX).min(text.len());
            line += memchr::memchr_iter(b'\n', &text.as_bytes()[at..place]).count() as u64;
            at = place;
            reject.line = line;
        }
        self.0
    }
}

/// The columns `file`, `line`, `column`, `reason`, `text`.
///
/// # Errors
/// None that can happen.
pub fn rejects_table(rejects: &[Reject]) -> Result<DataFrame, BadFile> {
    let text = |name: &str, of: fn(&Reject) -> &str| {
        StringChunked::from_iter_values(name.into(), rejects.iter().map(of)).into_column()
    };
    let columns = vec![
        text("file", |reject| &reject.file),
        UInt64Chunked::from_iter_values("line".into(), rejects.iter().map(|reject| reject.line)).into_column(),
        StringChunked::from_iter_options("column".into(), rejects.iter().map(|reject| reject.column.as_deref()))
            .into_column(),
        text("reason", |reject| &reject.reason),
        text("text", |reject| &reject.text),
    ];
    DataFrame::new(rejects.len(), columns).map_err(|error| BadFile::polars("make a table of the rejects", &error))
}
