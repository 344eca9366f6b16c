//! Tables for a terminal: columns as wide as they need to be, as many of them as fit.

use super::Paint;
use console::{measure_text_width, truncate_str};
use std::borrow::Cow;

/// The side that a column's cells lean to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// No cell is wider than this, unless it stands in the last column.
const WIDEST: usize = 40;
const GAP: usize = 2;

/// A table that is built row by row.
#[derive(Clone, Debug)]
pub struct Table {
    heads: Vec<Vec<String>>,
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads; words lean left until [`Table::align`] says otherwise.
    #[must_use]
    pub fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let head: Vec<String> = head.into_iter().map(Into::into).collect();
        let aligns = vec![Align::Left; head.len()];
        Self { heads: vec![head], aligns, rows: Vec::new() }
    }

    /// A second line under the heads, such as types.
    #[must_use]
    pub fn subhead(mut self, cells: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.heads.push(cells.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the sides of the first columns.
    #[must_use]
    pub fn align(mut self, aligns: &[Align]) -> Self {
        for (slot, align) in self.aligns.iter_mut().zip(aligns) {
            *slot = *align;
        }
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(cell.into())).collect());
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, at most `width` wide; columns that do not fit are left out in the middle, as `…`. Indented by `indent`.
    #[must_use]
    pub fn render(&self, width: usize, indent: usize, paint: Paint) -> String {
        let widths = self.widths();
        let shown = fitting(&widths, width.saturating_sub(indent));
        let mut out = String::new();
        for (index, head) in self.heads.iter().enumerate() {
            let style = |text: String| if index == 0 { paint.bold(text) } else { paint.dim(text) };
            self.line(&mut out, head, &shown, &widths, indent, &style);
        }
        for row in &self.rows {
            self.line(&mut out, row, &shown, &widths, indent, &|text| text);
        }
        out
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.aligns.len();
        let cell = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| width_of(cell));
        (0..columns)
            .map(|column| {
                let widest = self.heads.iter().chain(&self.rows).map(|row| cell(row, column)).max().unwrap_or(0);
                if column + 1 == columns { widest } else { widest.min(WIDEST) }
            })
            .collect()
    }

    fn line(
        &self,
        out: &mut String,
        cells: &[String],
        shown: &[Shown],
        widths: &[usize],
        indent: usize,
        style: &dyn Fn(String) -> String,
    ) {
        let mut line = " ".repeat(indent);
        for (at, column) in shown.iter().enumerate() {
            if at > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            match column {
                Shown::Gap => line.push('…'),
                Shown::Column(column, width) => {
                    let cell = cells.get(*column).map_or("", String::as_str);
                    let (cell, taken) = cut(cell, *width);
                    let pad = width.min(&widths[*column]).saturating_sub(taken);
                    let styled = if cell.is_empty() { String::new() } else { style(cell.into_owned()) };
                    if self.aligns[*column] == Align::Right {
                        line.extend(std::iter::repeat_n(' ', pad));
                    }
                    line.push_str(&styled);
                    if self.aligns[*column] == Align::Left {
                        line.extend(std::iter::repeat_n(' ', pad));
                    }
                }
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// What stands in a place of a line: a column and its width, or the mark of left-out columns.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shown {
    Column(usize, usize),
    Gap,
}

/// The columns that fit: all; or all with the last one cut; or the first ones and the last.
fn fitting(widths: &[usize], room: usize) -> Vec<Shown> {
    let Some((last, before)) = widths.split_last() else { return Vec::new() };
    let fixed: usize = before.iter().map(|width| width + GAP).sum();
    let all = |last_width: usize| {
        let mut shown: Vec<Shown> = before.iter().enumerate().map(|(at, width)| Shown::Column(at, *width)).collect();
        shown.push(Shown::Column(before.len(), last_width));
        shown
    };
    if fixed + last <= room {
        return all(*last);
    }
    if *last > 16 && fixed + 16 <= room {
        return all(room - fixed);
    }
    let last_width = (*last).min(WIDEST);
    let mut used = last_width + GAP + 1;
    let mut shown = Vec::new();
    for (at, width) in before.iter().enumerate() {
        if used + width + GAP > room && at > 0 {
            break;
        }
        used += width + GAP;
        shown.push(Shown::Column(at, *width));
    }
    if shown.len() < before.len() {
        shown.push(Shown::Gap);
    }
    shown.push(Shown::Column(before.len(), last_width));
    shown
}

/// Whether every byte takes one place on a terminal: most cells, and looking costs less than measuring.
fn is_plain(cell: &str) -> bool {
    cell.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// The places that a cell takes on a terminal.
fn width_of(cell: &str) -> usize {
    if is_plain(cell) { cell.len() } else { measure_text_width(cell) }
}

/// A cell in at most `width` places, and how many it takes.
fn cut(cell: &str, width: usize) -> (Cow<'_, str>, usize) {
    let taken = width_of(cell);
    if taken <= width {
        return (Cow::Borrowed(cell), taken);
    }
    let cell = truncate_str(cell, width, "…");
    let taken = width_of(&cell);
    (cell, taken)
}

/// Line breaks and tabs would break the table.
fn one_line(cell: String) -> String {
    if is_plain(&cell) { cell } else { cell.replace('\n', "⏎").replace(['\t', '\r'], " ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_lean_right() {
        let mut table = Table::new(["stage", "rows"]).align(&[Align::Left, Align::Right]);
        table.row(["raw", "5,000"]);
        table.row(["train\nset", "12"]);
        let expected = "  stage       rows\n  raw        5,000\n  train⏎set     12\n";
        assert_eq!(table.render(80, 2, Paint::new(false)), expected);
    }

    #[test]
    fn what_does_not_fit_is_left_out_in_the_middle() {
        let mut table = Table::new((0..30).map(|at| format!("pixel_{at}")).chain(["label".to_owned()]));
        table.row((0..31).map(|at| at.to_string()));
        let text = table.render(40, 0, Paint::new(false));
        assert_eq!(text, "pixel_0  pixel_1  pixel_2  …  label\n0        1        2        …  30\n");
        assert!(text.lines().all(|line| measure_text_width(line) <= 40));
    }

    #[test]
    fn a_long_last_column_is_cut() {
        let mut table = Table::new(["stage", "summary"]);
        table.row(["raw", &"x".repeat(90)]);
        let text = table.render(40, 0, Paint::new(false));
        assert!(text.lines().all(|line| measure_text_width(line) <= 40), "{text}");
        assert!(text.contains('…'));
    }
}
