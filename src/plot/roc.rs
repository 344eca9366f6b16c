//! ROC curves.

use super::axes::{Axes, Scale};
use super::svg::{Anchor, SERIES, Svg, clip};

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct RocLine {
    /// What it is for: a class.
    pub name: String,
    /// False positive and true positive rates, from `(0, 0)` to `(1, 1)`.
    pub points: Vec<(f64, f64)>,
    /// The area under it.
    pub area: f64,
}

/// Points that are drawn of one curve; more cannot be seen.
const MOST_POINTS: usize = 400;

/// Draws curves and the diagonal of chance. The first `SERIES` curves are drawn and named.
#[must_use]
pub fn roc(title: &str, lines: &[RocLine]) -> String {
    let areas: Vec<String> = lines.iter().map(|line| format!("{} {:.3}", line.name, line.area)).collect();
    let mut svg = Svg::new(520.0, 500.0, title, &format!("ROC curves; areas: {}.", areas.join(", ")));
    let axes = Axes::new((80.0, 48.0), (410.0, 385.0), Scale::exact(0.0, 1.0, 0.2), Scale::exact(0.0, 1.0, 0.2));
    axes.draw(&mut svg, "false positive rate", "true positive rate");
    svg.line(axes.at(0.0, 0.0), axes.at(1.0, 1.0), "guide");
    let shown = &lines[..lines.len().min(SERIES)];
    for (index, line) in shown.iter().enumerate() {
        let points: Vec<(f64, f64)> = thin(&line.points).map(|(x, y)| axes.at(x, y)).collect();
        svg.path(&points, &format!("line s{index}"));
    }
    let top = 420.0 - 20.0 * shown.len() as f64;
    for (index, line) in shown.iter().enumerate() {
        let y = top + 20.0 * index as f64;
        svg.line((290.0, y - 4.0), (312.0, y - 4.0), &format!("line s{index}"));
        svg.text(320.0, y, Anchor::Start, "", &format!("{}  AUC {:.3}", clip(&line.name, 12), line.area));
    }
    svg.finish()
}

/// At most [`MOST_POINTS`] points, first and last among them.
fn thin(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points.iter().enumerate().filter(move |(index, _)| index % step == 0 || *index == last).map(|(_, point)| *point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_curves_are_thinned_and_keep_their_ends() {
        let points: Vec<(f64, f64)> = (0..=10_000).map(|i| (f64::from(i) / 1e4, f64::from(i) / 1e4)).collect();
        let thinned: Vec<_> = thin(&points).collect();
        assert!(thinned.len() <= MOST_POINTS + 1);
        assert_eq!((thinned[0], thinned[thinned.len() - 1]), ((0.0, 0.0), (1.0, 1.0)));
        let svg = roc("ROC", &[RocLine { name: "late".to_owned(), points, area: 0.5 }]);
        assert!(svg.contains("late  AUC 0.500"));
    }
}
