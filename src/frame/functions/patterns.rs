//! Functions of regular expressions.

use polars::prelude::*;
use serde::{Deserialize, Serialize};

/// What the text begins with that says of a plan's `COALESCE` that it is one.
const MARK: &str = "__kilter_regexp ";

/// What is done to a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Regexp {
    /// Something stands instead of what matches.
    Replace {
        /// What matches.
        pattern: String,
        /// What stands instead.
        with: String,
        /// All that matches, and not only the first.
        all: bool,
    },
    /// What matches alone.
    Extract {
        /// What matches.
        pattern: String,
        /// The group of it; 0 is the whole.
        group: usize,
        /// Nothing that matches is an empty text, and not a missing one.
        or_empty: bool,
    },
}

impl Regexp {
    /// Itself as a text.
    #[must_use]
    pub fn mark(&self) -> String {
        format!("{MARK}{}", serde_json::to_string(self).unwrap_or_default())
    }

    pub(super) fn of_mark(text: &str) -> Option<Self> {
        serde_json::from_str(text.strip_prefix(MARK)?).ok()
    }

    /// Says what is wrong with the pattern.
    ///
    /// # Errors
    /// Where it cannot be read, or has no such group.
    pub fn check(&self) -> Result<(), String> {
        let (Self::Replace { pattern, .. } | Self::Extract { pattern, .. }) = self;
        let read = regex::Regex::new(pattern).map_err(|error| {
            let last = error.to_string().lines().last().unwrap_or_default().to_owned();
            format!("the pattern '{pattern}' cannot be read: {}", last.trim_start_matches("error: "))
        })?;
        match self {
            Self::Extract { group, .. } if *group >= read.captures_len() => {
                Err(format!("the pattern '{pattern}' has no group {group}"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn call(self, text: Expr) -> Expr {
        match self {
            Self::Replace { pattern, with, all: true } => text.str().replace_all(lit(pattern), lit(with), false),
            Self::Replace { pattern, with, all: false } => text.str().replace(lit(pattern), lit(with), false),
            Self::Extract { pattern, group, or_empty } => {
                let found = text.clone().str().extract(lit(pattern), group);
                match or_empty {
                    true => when(text.clone().is_null()).then(text).otherwise(found.fill_null(lit(""))),
                    false => found,
                }
            }
        }
    }
}
