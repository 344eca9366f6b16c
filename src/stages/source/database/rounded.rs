//! Whole numbers among the fractions of a column: as floats some of them lose digits.

use crate::frame::file::{is_rounded, rounded_words};

/// Those of one column that would.
#[derive(Clone, Copy, Default)]
pub(super) struct Rounded {
    count: usize,
    /// The first: its row and number.
    first: (usize, i64),
}

impl Rounded {
    /// One more whole number.
    pub(super) fn see(&mut self, row: usize, number: i64) {
        if is_rounded(i128::from(number)) {
            if self.count == 0 {
                self.first = (row, number);
            }
            self.count += 1;
        }
    }

    /// What is said of them, where there are some and the column became one of floats.
    pub(super) fn words(&self, column: &str) -> Option<String> {
        let (row, number) = self.first;
        let told = || rounded_words(self.count, &number.to_string(), &format!("row {row}"), column, false);
        (self.count > 0).then(told)
    }
}
