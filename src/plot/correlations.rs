//! A matrix of correlations. A piece of a page.

use super::svg::{Anchor, Svg, clip};

const LEFT: f64 = 150.0;

/// Draws a cell a pair: blue where both rise together, orange where one falls, the stronger the deeper. `values` has a row
/// for each name; `None` where there is no correlation.
#[must_use]
pub fn correlations(description: &str, names: &[String], values: &[Vec<Option<f64>>]) -> String {
    let count = names.len().max(1) as f64;
    let cell = (560.0 / count).clamp(14.0, 44.0);
    let size = cell * names.len() as f64;
    let mut svg = Svg::piece(LEFT + size + 10.0, size + 110.0, description);
    for (row, (name, values)) in names.iter().zip(values).enumerate() {
        let y = row as f64 * cell;
        svg.text(LEFT - 8.0, y + cell / 2.0 + 4.5, Anchor::End, "", &clip(name, 19));
        svg.slanted(LEFT + y + cell / 2.0 + 4.0, size + 16.0, "soft", &clip(name, 16));
        for (column, (other, value)) in names.iter().zip(values).enumerate() {
            let at = (LEFT + column as f64 * cell, y);
            let room = (cell - 1.0, cell - 1.0);
            match value {
                None => svg.rect(at, room, "empty", 1.0, &format!("{name} and {other}: none")),
                Some(value) => {
                    let class = if *value < 0.0 { "wrong" } else { "cell" };
                    svg.rect(at, room, class, value.abs().clamp(0.04, 1.0), &format!("{name} and {other}: {value:.3}"));
                    if cell >= 30.0 {
                        let class = if value.abs() > 0.55 { "on" } else { "" };
                        let middle = (at.0 + cell / 2.0, y + cell / 2.0 + 4.5);
                        svg.text(middle.0, middle.1, Anchor::Middle, class, &format!("{value:.2}"));
                    }
                }
            }
        }
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_have_colours_and_gaps_are_empty() {
        let names = ["a".to_owned(), "b".to_owned()];
        let svg = correlations("Two.", &names, &[vec![Some(1.0), Some(-0.8)], vec![Some(-0.8), None]]);
        assert_eq!((svg.matches("\"wrong\"").count(), svg.matches("\"cell\"").count()), (2, 1));
        assert!(svg.contains("-0.80") && svg.contains("b and b: none"));
    }
}
