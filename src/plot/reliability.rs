//! A reliability diagram: in each bin of probabilities, the share that came true.

use super::axes::{Axes, Scale};
use super::svg::{Anchor, Svg};
use crate::numbers::count;

/// One bin that has rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// The mean probability of its rows.
    pub probability: f64,
    /// The share of them that came true.
    pub frequency: f64,
    /// How many there are.
    pub rows: u64,
}

/// Draws bins beside the diagonal of perfect calibration, and how many rows each has below.
#[must_use]
pub fn reliability(title: &str, probability_of: &str, bins: &[ReliabilityBin], error: f64) -> String {
    let description = format!(
        "Reliability diagram with {} bins that have rows; the expected calibration error is {error:.4}.",
        bins.len()
    );
    let mut svg = Svg::new(520.0, 560.0, title, &description);
    let unit = || Scale::exact(0.0, 1.0, 0.2);
    let axes = Axes::new((80.0, 48.0), (410.0, 330.0), unit(), unit());
    axes.draw(&mut svg, probability_of, "share that came true");
    svg.line(axes.at(0.0, 0.0), axes.at(1.0, 1.0), "guide");
    let points: Vec<(f64, f64)> = bins.iter().map(|bin| axes.at(bin.probability, bin.frequency)).collect();
    if points.len() > 1 {
        svg.path(&points, "line s0");
    }
    for (bin, point) in bins.iter().zip(&points) {
        let tip = format!("{:.3} predicted, {:.3} came true, {} rows", bin.probability, bin.frequency, count(bin.rows));
        svg.dot(*point, 4.5, "f0", 1.0, &tip);
    }
    svg.text(94.0, 70.0, Anchor::Start, "soft", &format!("expected calibration error {error:.4}"));
    histogram(&mut svg, bins);
    svg.finish()
}

fn histogram(svg: &mut Svg, bins: &[ReliabilityBin]) {
    let most = bins.iter().map(|bin| bin.rows).max().unwrap_or(0).max(1) as f64;
    let (left, bottom, width, height) = (80.0, 530.0, 410.0, 70.0);
    svg.line((left, bottom), (left + width, bottom), "axis");
    for bin in bins {
        let tall = (bin.rows as f64 / most * height).max(1.0);
        let x = left + bin.probability * width;
        svg.rect((x - 6.0, bottom - tall), (12.0, tall), "f0", 0.7, &format!("{} rows", count(bin.rows)));
    }
    svg.text(left, bottom + 18.0, Anchor::Start, "soft", "rows per bin");
    svg.text(left - 8.0, bottom - height + 5.0, Anchor::End, "soft", &count(most as u64));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_become_dots_with_words() {
        let bins = [(0.3, 0.25, 40), (0.9, 0.95, 1200)];
        let bins = bins.map(|(probability, frequency, rows)| ReliabilityBin { probability, frequency, rows });
        let svg = reliability("Calibration", "probability", &bins, 0.0484);
        assert!(svg.contains("0.900 predicted, 0.950 came true, 1,200 rows"));
        let _ = reliability("Empty", "probability", &[], 0.0);
    }
}
