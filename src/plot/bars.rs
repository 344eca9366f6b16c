//! Bars: how often values occur. A piece of a page.

use super::svg::{Anchor, Svg, clip};
use crate::numbers::count;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// It as text.
    pub name: String,
    /// How often it occurs.
    pub count: u64,
}

const ROW: f64 = 20.0;
const LEFT: f64 = 130.0;
const WIDTH: f64 = 340.0;
const LONGEST: f64 = 120.0;

/// Draws values with their counts and their shares of `total`, as they come.
#[must_use]
pub fn bars(description: &str, values: &[Bar], total: u64) -> String {
    let mut svg = Svg::piece(WIDTH, values.len() as f64 * ROW + 4.0, description);
    let most = values.iter().map(|bar| bar.count).max().unwrap_or(0).max(1) as f64;
    for (index, bar) in values.iter().enumerate() {
        let y = index as f64 * ROW;
        let share = 100.0 * bar.count as f64 / total.max(1) as f64;
        let words = format!("{} ({share:.1} %)", count(bar.count));
        let length = (bar.count as f64 / most * LONGEST).max(1.5);
        svg.text(LEFT - 8.0, y + 14.5, Anchor::End, "", &clip(&bar.name, 17));
        svg.rect((LEFT, y + 3.0), (length, ROW - 6.0), "f0", 0.85, &format!("{}: {words}", bar.name));
        svg.text(LEFT + length + 6.0, y + 14.5, Anchor::Start, "soft", &words);
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_total_and_long_names_are_cut() {
        let bar = |name: &str, count| Bar { name: name.to_owned(), count };
        let svg = bars("Islands.", &[bar("Biscoe", 168), bar("an island with a name", 0)], 344);
        assert!(
            svg.contains("168 (48.8 %)") && svg.contains("0 (0.0 %)") && svg.contains("an island with a…"),
            "{svg}"
        );
        assert!(!bars("None.", &[], 0).contains("<rect"));
    }
}
