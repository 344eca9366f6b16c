//! A scatter of points, for residuals and predictions.

use super::axes::{Axes, Scale};
use super::svg::Svg;
use crate::numbers::{count, number};

/// Points that are drawn; of more, every so many-th is.
const MOST_POINTS: usize = 2000;

/// What a scatter shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter<'a> {
    /// Its title.
    pub title: &'a str,
    /// The name of the horizontal axis.
    pub x: &'a str,
    /// The name of the vertical axis.
    pub y: &'a str,
    /// The points.
    pub points: &'a [(f64, f64)],
    /// A guide: `y = slope * x`.
    pub guide: f64,
}

/// Draws points and a guide. Of more than 2,000 points an even selection is drawn, always the same, and the outermost
/// ones, which the axes reach out to.
#[must_use]
pub fn scatter(plot: &Scatter<'_>) -> String {
    let finite: Vec<(f64, f64)> = plot.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let step = finite.len().div_ceil(MOST_POINTS).max(1);
    let shown = drawn(&finite, step);
    let words = format!(
        "{} against {} for {} points{}.",
        plot.y,
        plot.x,
        count(finite.len() as u64),
        if step > 1 { format!(", every {step}th drawn") } else { String::new() }
    );
    let mut svg = Svg::new(560.0, 480.0, plot.title, &words);
    let x = Scale::around(finite.iter().map(|point| point.0));
    let axes = Axes::new((90.0, 48.0), (440.0, 365.0), x, Scale::around(finite.iter().map(|point| point.1)));
    axes.draw(&mut svg, plot.x, plot.y);
    let opacity = (12.0 / (finite.len() as f64).max(1.0).sqrt()).clamp(0.25, 0.8);
    if let Some([from, to]) = axes.clipped(plot.guide) {
        svg.line(from, to, "guide");
    }
    for (x, y) in shown {
        let tip = if finite.len() <= 200 { format!("{}, {}", number(x), number(y)) } else { String::new() };
        svg.dot(axes.at(x, y), 3.0, "f0", opacity, &tip);
    }
    svg.finish()
}

/// Every `step`th point, and before them the outermost that are not among these.
fn drawn(points: &[(f64, f64)], step: usize) -> Vec<(f64, f64)> {
    let ends = |by: fn(&(f64, f64)) -> f64| {
        let order = |a: &usize, b: &usize| by(&points[*a]).total_cmp(&by(&points[*b]));
        [(0..points.len()).min_by(order), (0..points.len()).max_by(order)]
    };
    let mut outer: Vec<usize> =
        [ends(|point| point.0), ends(|point| point.1)].into_iter().flatten().flatten().collect();
    outer.sort_unstable();
    outer.dedup();
    let outer = outer.into_iter().filter(|index| index % step != 0).map(|index| points[index]);
    outer.chain(points.iter().copied().step_by(step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_are_thinned_evenly() {
        let points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), f64::from(i % 7))).collect();
        let svg = scatter(&Scatter { title: "Residuals", x: "predicted", y: "residual", points: &points, guide: 0.0 });
        // And the last, which is the outermost to the right.
        assert_eq!(svg.matches("<circle").count(), 2000 + 1);
        assert!(svg.contains("every 5th drawn"));
        let _ = scatter(&Scatter { title: "None", x: "a", y: "b", points: &[(f64::NAN, 1.0)], guide: 1.0 });
    }
}
