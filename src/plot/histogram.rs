//! A histogram: how many numbers lie in equal steps. A piece of a page.

use super::svg::{Anchor, Svg};
use crate::numbers::count;

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// How many numbers lie in it.
    pub count: u64,
    /// What to say of it: `10–20: 35 rows`.
    pub tip: String,
}

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 96.0;
/// Where the highest bar ends.
const TOP: f64 = 8.0;
/// Room for a count of up to six digits, so that most histograms of a page begin at one place.
const LEFT: f64 = 58.0;
const DIGIT: f64 = 8.0;

/// Draws steps between two ends, which are labelled as is the largest count.
#[must_use]
pub fn histogram(description: &str, bins: &[Bin], low: &str, high: &str) -> String {
    let mut svg = Svg::piece(WIDTH, HEIGHT + 24.0, description);
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    let label = count(most);
    let left = LEFT.max(label.len() as f64 * DIGIT);
    let step = (WIDTH - left) / bins.len().max(1) as f64;
    svg.line((left, TOP), (WIDTH, TOP), "grid");
    svg.text(left - 6.0, TOP + 4.5, Anchor::End, "soft", &label);
    svg.text(left - 6.0, HEIGHT + 4.5, Anchor::End, "soft", "0");
    for (index, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.count > 0) {
        // What is there is seen, however little.
        let height = (bin.count as f64 / most as f64 * (HEIGHT - TOP)).max(1.5);
        let gap = (step * 0.08).min(1.5);
        svg.rect((left + index as f64 * step + gap, HEIGHT - height), (step - 2.0 * gap, height), "f0", 0.85, &bin.tip);
    }
    svg.line((left, HEIGHT), (WIDTH, HEIGHT), "axis");
    svg.text(left, HEIGHT + 18.0, Anchor::Start, "soft", low);
    svg.text(WIDTH, HEIGHT + 18.0, Anchor::End, "soft", high);
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_steps_are_empty_and_the_least_is_seen() {
        let bin = |count| Bin { count, tip: format!("{count} rows") };
        let svg = histogram("Ages.", &[bin(100_000), bin(0), bin(1)], "0", "9 & more");
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("height=\"1.5\"") && svg.contains("9 &amp; more"));
        assert!(svg.contains(">100,000</text>") && svg.contains(">0</text>"), "the counts have an axis");
        assert!(!histogram("Nothing.", &[], "", "").contains("<rect"));
    }
}
