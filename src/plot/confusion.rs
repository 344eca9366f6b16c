//! A confusion matrix as a heat map: a row per right class, a column per predicted one.

use super::svg::{Anchor, Svg, clip};
use crate::numbers::count;

/// Above this many classes counts and names do not fit: the map alone is drawn, with tooltips.
const MOST_LABELLED: usize = 30;

/// Draws `counts[right][predicted]`. Right predictions are blue, wrong ones orange, and darker the larger their share of
/// the row is.
#[must_use]
pub fn confusion(title: &str, classes: &[String], counts: &[Vec<u64>]) -> String {
    let labelled = classes.len() <= MOST_LABELLED;
    let longest = classes.iter().map(|class| class.chars().count()).max().unwrap_or(1).min(16);
    let widest = counts.iter().flatten().map(|n| count(*n).len()).max().unwrap_or(1);
    let cell =
        if labelled { (widest as f64 * 8.0 + 14.0).clamp(36.0, 90.0) } else { (540.0 / classes.len() as f64).max(3.0) };
    let names = if labelled { longest as f64 * 7.4 + 12.0 } else { 0.0 };
    let side = cell * classes.len() as f64;
    let height_of_cell = if labelled { 34.0 } else { cell };
    let tall = height_of_cell * classes.len() as f64;
    let (left, top) = (48.0 + names, 48.0);
    let under = if labelled { 24.0 + names * 0.65 } else { 14.0 };
    let width = (left + side + 24.0).max(title.chars().count() as f64 * 8.6 + 32.0);
    let mut svg = Svg::new(width, top + tall + under + 38.0, title, &description(classes, counts));
    for (right, row) in counts.iter().enumerate() {
        let total: u64 = row.iter().sum();
        for (predicted, n) in row.iter().enumerate() {
            let at = (left + predicted as f64 * cell, top + right as f64 * height_of_cell);
            let share = if total == 0 { 0.0 } else { *n as f64 / total as f64 };
            draw_cell(
                &mut svg,
                at,
                (cell, height_of_cell),
                (*n, share),
                right == predicted,
                labelled,
                &tip(classes, right, predicted, *n, share),
            );
        }
        if labelled {
            let y = top + right as f64 * height_of_cell + height_of_cell / 2.0 + 4.5;
            svg.text(left - 8.0, y, Anchor::End, "", &clip(&classes[right], 16));
        }
    }
    if labelled {
        for (predicted, class) in classes.iter().enumerate() {
            let x = left + (predicted as f64 + 0.5) * cell;
            if longest <= 3 {
                svg.text(x, top + tall + 18.0, Anchor::Middle, "", &clip(class, 16));
            } else {
                svg.slanted(x + 5.0, top + tall + 16.0, "", &clip(class, 16));
            }
        }
    }
    svg.text(left + side / 2.0, top + tall + under + 22.0, Anchor::Middle, "soft", "predicted");
    svg.upright(24.0, top + tall / 2.0, "soft", "actual");
    svg.finish()
}

fn draw_cell(
    svg: &mut Svg,
    at: (f64, f64),
    size: (f64, f64),
    (n, share): (u64, f64),
    right: bool,
    labelled: bool,
    tip: &str,
) {
    let gap = if labelled { 2.0 } else { 0.0 };
    let inner = (size.0 - gap, size.1 - gap);
    svg.rect(at, inner, "empty", 1.0, if n == 0 { tip } else { "" });
    if n > 0 {
        // Small shares stay visible; the root spreads them.
        let strength = 0.12 + 0.88 * share.sqrt();
        svg.rect(at, inner, if right { "cell" } else { "wrong" }, strength, tip);
    }
    if labelled {
        let class = match (n, share) {
            (0, _) => "soft",
            (_, share) if share > 0.4 => "on",
            _ => "",
        };
        svg.text(at.0 + inner.0 / 2.0, at.1 + inner.1 / 2.0 + 4.5, Anchor::Middle, class, &count(n));
    }
}

fn tip(classes: &[String], right: usize, predicted: usize, n: u64, share: f64) -> String {
    format!("{}: {} predicted as {} ({:.1} %)", classes[right], count(n), classes[predicted], share * 100.0)
}

fn description(classes: &[String], counts: &[Vec<u64>]) -> String {
    let total: u64 = counts.iter().flatten().sum();
    let right: u64 = counts.iter().enumerate().filter_map(|(class, row)| row.get(class)).sum();
    let worst = counts
        .iter()
        .enumerate()
        .flat_map(|(right, row)| row.iter().enumerate().map(move |(predicted, n)| (*n, right, predicted)))
        .filter(|(n, right, predicted)| right != predicted && *n > 0)
        .max_by_key(|(n, right, predicted)| (*n, std::cmp::Reverse((*right, *predicted))));
    let mut text =
        format!("Confusion matrix of {} classes: {} of {} rows are right.", classes.len(), count(right), count(total));
    if let Some((n, right, predicted)) = worst {
        text.push_str(&format!(
            " The most frequent mistake is {} predicted as {}, {} times.",
            classes[right],
            classes[predicted],
            count(n)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_shows_and_is_the_same_each_time() {
        let classes = ["cat".to_owned(), "d<og".to_owned()];
        let draw = || confusion("Confusion", &classes, &[vec![1200, 3], vec![0, 7]]);
        assert!(draw().contains(
            "1,207 of 1,210 rows are right. The most frequent mistake is cat predicted as d&lt;og, 3 times."
        ));
        assert_eq!(draw(), draw());
        let many: Vec<String> = (0..100).map(|class| class.to_string()).collect();
        let counts = vec![vec![1; 100]; 100];
        assert!(confusion("Many", &many, &counts).len() < 4_000_000);
        let _ = confusion("None", &[], &[]);
    }
}
