//! Rows that stand in more than one part: a model learns them in one and is asked for them in another.
//!
//! Two rows are the same where all compared columns are; then where their texts are once width, case, spaces and punctuation
//! are ignored; and on request where their texts are nearly the same.

use super::super::normal::normalised;
use super::assign::classes;
use super::near;
use super::spec::{Leaks, Spec};
use crate::diag::list;
use crate::frame::{failed, same_rows};
use crate::numbers;
use crate::path;
use crate::stage::{RunCx, StageError};
use polars::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Counts, of each part, the rows that another part has too; warns of them, or fails. Gives the counts as metrics.
pub(super) fn look(
    spec: &Spec,
    df: &DataFrame,
    names: &[String],
    parts: &[Vec<u32>],
    cx: &RunCx<'_>,
) -> Result<BTreeMap<String, f64>, StageError> {
    let mut metrics = BTreeMap::new();
    if spec.leaks == Some(Leaks::Ignore) || parts.len() < 2 {
        return Ok(metrics);
    }
    let compared = Compared::of(spec, df)?;
    if compared.is_empty() {
        return Ok(metrics);
    }
    let counts = compared.counts(spec, parts, cx)?;
    for (how, counts) in &counts {
        for (name, count) in names.iter().zip(counts) {
            metrics.insert(format!("leaks.{name}.{how}"), *count as f64);
        }
    }
    let lines = lines(names, parts, &counts);
    if lines.is_empty() {
        return Ok(metrics);
    }
    let message = format!("rows stand in more than one part: {}", lines.join("; "));
    let remedy = "leave repeated rows out before the split (`dedupe` in a `table` stage), keep them together with `group`, \
                  or allow them with `leaks = \"ignore\"`";
    if spec.leaks == Some(Leaks::Error) {
        return Err(StageError::data(message).note(compared.told()).hint(remedy).at(path!["leaks"]));
    }
    cx.services
        .warn(format!("{message}. {}. What is measured there looks better than it is: {remedy}", compared.told()));
    Ok(metrics)
}

/// `of the 7,025 rows of `test` 78 % are in another part too (5,461 word for word, …)`. Nothing of the largest part: what it shares
/// with others is told of those.
fn lines(names: &[String], parts: &[Vec<u32>], counts: &[Counts]) -> Vec<String> {
    let largest = (0..parts.len()).max_by_key(|part| (parts[*part].len(), std::cmp::Reverse(*part)));
    let leaking = (0..parts.len()).filter(|part| counts.iter().any(|(_, counts)| counts[*part] > 0));
    let line = |part: usize| {
        let rows = parts[part].len();
        let most = counts.iter().map(|(_, counts)| counts[part]).max().unwrap_or(0);
        let share = if most * 200 < rows {
            "less than 1".to_owned()
        } else {
            (most as f64 / rows as f64 * 100.0).round().to_string()
        };
        let each: Vec<String> = counts
            .iter()
            .map(|(how, counts)| {
                let count = numbers::count(counts[part] as u64);
                match *how {
                    "exact" => format!("{count} word for word"),
                    "normalised" => format!("{count} with width, case, spaces and punctuation ignored"),
                    _ => format!("{count} with near-duplicates"),
                }
            })
            .collect();
        format!(
            "of the {} of `{}` {share} % are in another part too ({})",
            numbers::counted(rows, "row"),
            names[part],
            each.join(", ")
        )
    };
    leaking.filter(|part| Some(*part) != largest).map(line).collect()
}

/// A way to compare rows, and how many rows of each part it finds in another.
type Counts = (&'static str, Vec<usize>);

/// The columns in which rows are compared.
struct Compared<'a> {
    df: &'a DataFrame,
    names: Vec<String>,
    /// Of text columns, each row's text as a number, and the texts by number.
    texts: BTreeMap<String, (Vec<u32>, Vec<String>)>,
    /// The numbers once texts are normalised.
    normalised: BTreeMap<String, (Vec<u32>, Vec<String>)>,
}

impl<'a> Compared<'a> {
    fn of(spec: &Spec, df: &'a DataFrame) -> Result<Self, StageError> {
        let mut names = Vec::new();
        for column in df.columns() {
            let name = column.name().as_str();
            let decides = [&spec.by, &spec.group].into_iter().flatten().any(|other| other == name);
            let takes = match &spec.compare {
                Some(compare) => compare.0.iter().any(|pattern| crate::types::matches_pattern(pattern, name)),
                None => !decides && !column.dtype().is_nested() && !is_number_of_rows(column)?,
            };
            if takes {
                names.push(name.to_owned());
            }
        }
        let (mut texts, mut normalised) = (BTreeMap::new(), BTreeMap::new());
        for name in &names {
            if df.column(name).is_ok_and(|column| column.dtype() == &DataType::String) {
                let (codes, values) = classes(df, name)?;
                normalised.insert(name.clone(), recoded(&codes, &values));
                texts.insert(name.clone(), (codes, values));
            }
        }
        Ok(Self { df, names, texts, normalised })
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() || self.df.height() == 0
    }

    fn told(&self) -> String {
        format!("Rows were compared in {}", list(self.names.iter().map(String::as_str), 6))
    }

    /// Of each way to compare its name, and of each part the rows that another part has too.
    fn counts(&self, spec: &Spec, parts: &[Vec<u32>], cx: &RunCx<'_>) -> Result<Vec<Counts>, StageError> {
        let mut part_of = vec![None; self.df.height()];
        for (part, rows) in parts.iter().enumerate() {
            rows.iter().for_each(|row| part_of[*row as usize] = Some(part));
        }
        let mut counts = vec![("exact", shared(&self.rows(false)?, &part_of, parts.len()))];
        if !self.texts.is_empty() {
            counts.push(("normalised", shared(&self.rows(true)?, &part_of, parts.len())));
        }
        if let Some(least) = spec.near_duplicates {
            cx.check_cancelled()?;
            counts.push(("near", self.near(least, &part_of, parts.len())));
        }
        Ok(counts)
    }

    /// Each row as a number, equal for rows that are the same.
    fn rows(&self, normalised: bool) -> Result<Vec<u32>, StageError> {
        let broken = |error: PolarsError| failed("compare rows", &error);
        let codes = if normalised { &self.normalised } else { &self.texts };
        let column = |name: &String| match codes.get(name) {
            Some((codes, _)) => Ok(Column::new(name.as_str().into(), codes.as_slice())),
            None => self.df.column(name).cloned(),
        };
        let columns = self.names.iter().map(column).collect::<PolarsResult<Vec<_>>>().map_err(broken)?;
        same_rows(columns, self.df.height())
    }

    /// Of each part how many rows have a text that is nearly one of another part. Numbers and other types are not compared.
    fn near(&self, least: f64, part_of: &[Option<usize>], parts: usize) -> Vec<usize> {
        // Each different text once, with the rows of each part that have it.
        let mut texts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (row, part) in part_of.iter().enumerate() {
            let Some(part) = part else { continue };
            let words: Vec<&str> =
                self.normalised.values().map(|(codes, texts)| texts[codes[row] as usize].as_str()).collect();
            texts.entry(words.join(" ")).or_insert_with(|| vec![0; parts])[*part] += 1;
        }
        let (words, rows): (Vec<&str>, Vec<&Vec<usize>>) =
            texts.iter().map(|(text, rows)| (text.as_str(), rows)).unzip();
        // The parts that have a text, or one that is nearly the same.
        let own = |rows: &&Vec<usize>| (0..parts).filter(|part| rows[*part] > 0).collect::<BTreeSet<usize>>();
        let before: Vec<BTreeSet<usize>> = rows.iter().map(own).collect();
        let mut seen = before.clone();
        for (one, other) in near::alike(&words, least) {
            seen[one].extend(&before[other]);
            seen[other].extend(&before[one]);
        }
        let elsewhere = |seen: &BTreeSet<usize>, part: usize| seen.iter().any(|other| *other != part);
        let count = |part: usize| {
            rows.iter().zip(&seen).filter(|(_, seen)| elsewhere(seen, part)).map(|(rows, _)| rows[part]).sum()
        };
        (0..parts).map(count).collect()
    }
}

/// Of each part how many rows have a class that another part has too.
fn shared(class_of: &[u32], part_of: &[Option<usize>], parts: usize) -> Vec<usize> {
    let placed = class_of.iter().zip(part_of).filter_map(|(class, part)| Some((*class, (*part)?)));
    let mut placed: Vec<(u32, usize)> = placed.collect();
    placed.sort_unstable();
    let mut counts = vec![0; parts];
    for class in placed.chunk_by(|a, b| a.0 == b.0) {
        if class.first().map(|first| first.1) != class.last().map(|last| last.1) {
            class.iter().for_each(|(_, part)| counts[*part] += 1);
        }
    }
    counts
}

/// Whether a column only numbers the rows: whole numbers or times, each of them once.
fn is_number_of_rows(column: &Column) -> Result<bool, StageError> {
    let counts = column.dtype().is_integer() || column.dtype().is_temporal();
    if !counts || column.len() < 2 {
        return Ok(false);
    }
    let different = column.n_unique().map_err(|error| failed("compare rows", &error))?;
    Ok(different == column.len())
}

/// The numbers of texts once they are normalised, and the normalised texts.
fn recoded(codes: &[u32], texts: &[String]) -> (Vec<u32>, Vec<String>) {
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    let mut names = Vec::new();
    let new: Vec<u32> = texts
        .iter()
        .map(|text| {
            let next = names.len() as u32;
            *known.entry(normalised(text)).or_insert_with_key(|text| {
                names.push(text.clone());
                next
            })
        })
        .collect();
    (codes.iter().map(|code| new[*code as usize]).collect(), names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_no_part_are_not_counted() {
        let parts = [Some(0), Some(1), None, Some(1), Some(1), Some(0)];
        assert_eq!(shared(&[7, 7, 8, 8, 9, 9], &parts, 2), [2, 2]);
        assert_eq!(shared(&[1, 2, 3, 3, 3, 4], &parts, 2), [0, 0]);
    }
}
