//! Curves over epochs or steps: losses, metrics, learning rates.

use super::axes::{Axes, Scale};
use super::svg::{Anchor, SERIES, Svg, clip};
use crate::numbers::number;

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name: `loss`, `val_loss`.
    pub name: String,
    /// Its points by rising x. Those that are not finite leave a gap.
    pub points: Vec<(f64, f64)>,
}

/// Draws up to six curves over one pair of axes, each named with its last value; `mark` is an x to point out, such as
/// the best epoch.
#[must_use]
pub fn curves(title: &str, x_name: &str, y_name: &str, lines: &[Curve], mark: Option<(f64, &str)>) -> String {
    let lines = &lines[..lines.len().min(SERIES)];
    let last = |curve: &Curve| curve.points.iter().rev().map(|point| point.1).find(|value| value.is_finite());
    let words: Vec<String> =
        lines.iter().filter_map(|line| Some(format!("{} ends at {}", line.name, number(last(line)?)))).collect();
    let mut svg = Svg::new(720.0, 400.0, title, &format!("{title}: {}.", words.join(", ")));
    let all = || lines.iter().flat_map(|line| line.points.iter().copied());
    let x = whole(&all().map(|point| point.0).filter(|x| x.is_finite()).collect::<Vec<_>>());
    let axes = Axes::new((84.0, 48.0), (460.0, 280.0), x, Scale::around(all().map(|point| point.1)));
    axes.draw(&mut svg, x_name, y_name);
    if let Some((at, name)) = mark.filter(|(at, _)| at.is_finite()) {
        let (x, _) = axes.at(at, 0.0);
        svg.line((x, 48.0), (x, 328.0), "guide");
        svg.text(x + 6.0, 62.0, Anchor::Start, "soft", name);
    }
    for (index, line) in lines.iter().enumerate() {
        draw(&mut svg, &axes, line, index);
        let y = 64.0 + 22.0 * index as f64;
        svg.line((560.0, y - 4.0), (582.0, y - 4.0), &format!("line s{index}"));
        let value = last(line).map(number).unwrap_or_default();
        svg.text(590.0, y, Anchor::Start, "", &format!("{} {value}", clip(&line.name, 14)));
    }
    svg.finish()
}

/// An axis that ends where the numbers do, with whole ticks where there are few of them.
fn whole(values: &[f64]) -> Scale {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if high > low {
        let step = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|step| (high - low) / step <= 10.0);
        Scale::exact(low, high, step.unwrap_or_else(|| 10_f64.powf((high - low).log10().floor())))
    } else {
        Scale::around(values.iter().copied())
    }
}

fn draw(svg: &mut Svg, axes: &Axes, line: &Curve, index: usize) {
    let finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
    for piece in line.points.split(|point| !finite(point)).filter(|piece| !piece.is_empty()) {
        let points: Vec<(f64, f64)> = piece.iter().map(|(x, y)| axes.at(*x, *y)).collect();
        if points.len() > 1 {
            svg.path(&points, &format!("line s{index}"));
        }
        if line.points.len() <= 30 {
            for (point, at) in piece.iter().zip(&points) {
                svg.dot(
                    *at,
                    3.0,
                    &format!("f{index}"),
                    1.0,
                    &format!("{} {}: {}", line.name, point.0, number(point.1)),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_single_points_and_nothing_are_drawn() {
        let nan = f64::NAN;
        let line = Curve { name: "loss".to_owned(), points: vec![(1.0, 0.9), (2.0, nan), (3.0, 0.5), (4.0, 0.4)] };
        let svg = curves("Loss", "epoch", "loss", &[line], Some((3.0, "best")));
        assert!(svg.contains("loss ends at 0.4"), "{svg}");
        assert!(!svg.contains("NaN"));
        let _ = curves("Nothing", "epoch", "loss", &[], None);
        let _ = curves("One", "epoch", "loss", &[Curve { name: "a".to_owned(), points: vec![(1.0, 1.0)] }], None);
    }
}
