//! Rows that stand in more than one part: a model learns them in one and is asked for them in another.
//!
//! Two rows are the same where all compared columns are; then where their texts are once width, case, spaces and punctuation
//! are ignored; and on request where their texts are nearly the same.

use super::super::normal::normalised;
use super::assign::classes;
use super::near::{self, MOST_COMPARED};
use super::spec::{Leaks, Spec};
use crate::diag::list;
use crate::frame::{failed, same_rows};
use crate::numbers;
use crate::path;
use crate::stage::{RunCx, StageError};
use polars::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What came of looking for rows in several parts.
#[derive(Default)]
pub(super) struct Looked {
    /// The counts.
    pub(super) metrics: BTreeMap<String, f64>,
    /// In which columns rows were compared, for the summary.
    pub(super) compared: Option<String>,
}

/// Counts, of each part, the rows that another part has too; warns of them, or fails.
pub(super) fn look(
    spec: &Spec,
    df: &DataFrame,
    names: &[String],
    parts: &[Vec<u32>],
    cx: &RunCx<'_>,
) -> Result<Looked, StageError> {
    if spec.leaks == Some(Leaks::Ignore) || parts.len() < 2 {
        return Ok(Looked::default());
    }
    let compared = Compared::of(spec, df)?;
    if compared.is_empty() {
        return Ok(Looked::default());
    }
    let mut looked = Looked { compared: Some(compared.in_short()), ..Looked::default() };
    if spec.near_duplicates.is_some() && compared.texts.is_empty() {
        cx.services
            .warn(format!("near-duplicates are looked for in texts, and no other is compared. {}", compared.told()));
    }
    let (counts, unsure) = compared.counts(spec, parts, cx)?;
    let unsure = (unsure > 0).then(|| boilerplate(unsure));
    for (how, counts) in &counts {
        for (name, count) in names.iter().zip(counts) {
            looked.metrics.insert(format!("leaks.{name}.{how}"), *count as f64);
        }
    }
    let lines = lines(names, parts, &counts);
    if lines.is_empty() {
        unsure.into_iter().for_each(|unsure| cx.services.warn(unsure));
        return Ok(looked);
    }
    let told = [Some(compared.told()), unsure].into_iter().flatten().collect::<Vec<_>>().join(". ");
    let message = format!("rows stand in more than one part: {}", lines.join("; "));
    let remedy = "leave repeated rows out before the split (`dedupe` in a `table` stage), keep them together with `group`, \
                  or allow them with `leaks = \"ignore\"`";
    if spec.leaks == Some(Leaks::Error) {
        return Err(StageError::data(message).note(told).hint(remedy).at(path!["leaks"]));
    }
    cx.services.warn(format!("{message}. {told}. What is measured there looks better than it is: {remedy}"));
    Ok(looked)
}

/// What is said where texts have too many that may be like them.
fn boilerplate(texts: usize) -> String {
    format!(
        "{} may be like more than {MOST_COMPARED} others and {} compared with {MOST_COMPARED} of them only, so there may be \
         more near-duplicates than were counted",
        numbers::counted(texts, "text"),
        if texts == 1 { "was" } else { "were" }
    )
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
        let (mut names, mut names_of_rows) = (Vec::new(), Vec::new());
        for column in df.columns().iter().filter(|column| spec.compares(column.name(), column.dtype().is_nested())) {
            let of_rows = spec.compare.is_none() && is_number_of_rows(column)?;
            let found = if of_rows { &mut names_of_rows } else { &mut names };
            found.push(column.name().to_string());
        }
        if !names_of_rows.is_empty() && !tell_apart(df, &names) {
            // What counts rows says nothing beside texts; beside a class it is what a row has.
            let is =
                |name: &String, what: fn(&DataType) -> bool| df.column(name).is_ok_and(|column| what(column.dtype()));
            let beside_class = !names.is_empty() && !names.iter().any(|name| is(name, DataType::is_string));
            let is_told = |name: &String| is(name, |dtype| dtype.is_string() || dtype.is_float());
            names.extend(names_of_rows.into_iter().filter(|name| beside_class || is_told(name)));
        }
        // Of a class alone nearly all rows would be in several parts; a text that decides its part may be in another in other words.
        let key = spec.key().filter(|key| df.column(key).is_ok_and(|column| column.dtype().is_string()));
        if key.is_some() && !tell_apart(df, &names) {
            names.extend(key.map(str::to_owned));
        }
        // Where rows differ in lists or structs, which are not compared, equal classes beside them say nothing.
        let lists = spec.compare.is_none() && df.columns().iter().any(|column| column.dtype().is_nested());
        if lists && !tell_apart(df, &names) {
            names.clear();
        }
        let (mut texts, mut normalised) = (BTreeMap::new(), BTreeMap::new());
        for name in &names {
            if let Some(column) = df.column(name).ok().filter(|column| column.dtype() == &DataType::String) {
                let (codes, values) = classes(df, name)?;
                let missing = column.is_null().iter().position(|missing| missing == Some(true));
                normalised.insert(name.clone(), recoded(&codes, &values, missing.map(|row| codes[row])));
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

    /// In which, in a few words.
    fn in_short(&self) -> String {
        let all: Vec<&str> = self.df.columns().iter().map(|column| column.name().as_str()).collect();
        let left: Vec<&str> = all.iter().copied().filter(|name| !self.names.iter().any(|kept| kept == name)).collect();
        match (self.names.len(), left.len()) {
            (_, 0) => "compared in all columns".to_owned(),
            (1..=3, _) => format!("compared in {}", list(self.names.iter().map(String::as_str), 3)),
            (_, 1..=3) => format!("compared in all but {}", list(left, 3)),
            (names, _) => {
                format!("compared in {} of {} columns", numbers::count(names as u64), numbers::count(all.len() as u64))
            }
        }
    }

    /// Of each way to compare its name, and of each part the rows that another part has too; then how many texts were not
    /// compared with all that may be like them.
    fn counts(&self, spec: &Spec, parts: &[Vec<u32>], cx: &RunCx<'_>) -> Result<(Vec<Counts>, usize), StageError> {
        let mut part_of = vec![None; self.df.height()];
        for (part, rows) in parts.iter().enumerate() {
            rows.iter().for_each(|row| part_of[*row as usize] = Some(part));
        }
        let count = |leaks: &[bool]| {
            let mut counts = vec![0; parts.len()];
            part_of
                .iter()
                .zip(leaks)
                .for_each(|(part, leaks)| part.iter().for_each(|part| counts[*part] += usize::from(*leaks)));
            counts
        };
        let mut leaks = shared(&self.rows(false)?, &part_of);
        let mut counts = vec![("exact", count(&leaks))];
        if !self.texts.is_empty() {
            leaks = shared(&self.rows(true)?, &part_of);
            counts.push(("normalised", count(&leaks)));
        }
        let mut unsure = 0;
        if let Some(least) = spec.near_duplicates {
            cx.check_cancelled()?;
            let (near, cut) = self.near(least, &part_of);
            // Rows that are the same stay counted, also those without any text.
            leaks.iter_mut().zip(near).for_each(|(leaks, near)| *leaks |= near);
            counts.push(("near", count(&leaks)));
            unsure = cut;
        }
        Ok((counts, unsure))
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

    /// Of each row whether its text is nearly one of another part; then how many texts were not compared with all that may be
    /// like them. Numbers and other types are not compared, and what has no text is like nothing.
    fn near(&self, least: f64, part_of: &[Option<usize>]) -> (Vec<bool>, usize) {
        // Each different text once, with the parts that have it.
        let mut texts: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let text_of = |row: usize| {
            let words = self.normalised.values().map(|(codes, texts)| texts[codes[row] as usize].as_str());
            words.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
        };
        let of_rows: Vec<String> = (0..part_of.len()).map(text_of).collect();
        for (text, part) in of_rows.iter().zip(part_of).filter(|(text, _)| !text.is_empty()) {
            texts.entry(text.clone()).or_default().extend(*part);
        }
        texts.retain(|_, parts| !parts.is_empty());
        let (words, before): (Vec<&str>, Vec<&BTreeSet<usize>>) =
            texts.iter().map(|(text, parts)| (text.as_str(), parts)).unzip();
        // The parts that have a text, or one that is nearly the same.
        let mut seen: Vec<BTreeSet<usize>> = before.iter().map(|parts| (*parts).clone()).collect();
        let alike = near::alike(&words, least);
        for (one, other) in alike.pairs {
            seen[one].extend(before[other]);
            seen[other].extend(before[one]);
        }
        let seen: BTreeMap<&str, BTreeSet<usize>> = words.into_iter().zip(seen).collect();
        let elsewhere = |(text, part): (&String, &Option<usize>)| match (seen.get(text.as_str()), part) {
            (Some(seen), Some(part)) => seen.iter().any(|other| other != part),
            _ => false,
        };
        (of_rows.iter().zip(part_of).map(elsewhere).collect(), alike.cut)
    }
}

/// Of each row whether its class is in another part too.
fn shared(class_of: &[u32], part_of: &[Option<usize>]) -> Vec<bool> {
    let placed =
        class_of.iter().zip(part_of).enumerate().filter_map(|(row, (class, part))| Some((*class, (*part)?, row)));
    let mut placed: Vec<(u32, usize, usize)> = placed.collect();
    placed.sort_unstable();
    let mut leaks = vec![false; class_of.len()];
    for class in placed.chunk_by(|a, b| a.0 == b.0) {
        if class.first().map(|first| first.1) != class.last().map(|last| last.1) {
            class.iter().for_each(|(.., row)| leaks[*row] = true);
        }
    }
    leaks
}

/// Whether columns have more combinations of values than so many rows each could be expected to have by chance: of a class alone
/// nearly all rows have the same as another.
fn tell_apart(df: &DataFrame, names: &[String]) -> bool {
    const ROWS: f64 = 4.0;
    let mut combinations = 1.0;
    for column in names.iter().filter_map(|name| df.column(name).ok()) {
        combinations *= column.n_unique().unwrap_or(1).max(1) as f64;
        if combinations * ROWS > df.height() as f64 {
            return true;
        }
    }
    false
}

/// The longest text that may be no more than a name, whatever is in it; and the longest digest, in hexadecimal digits.
const LONGEST_NAME: usize = 40;
const LONGEST_DIGEST: usize = 128;

/// Whether a text may be no more than a name: a number in it, or an address.
fn is_name(text: &str) -> bool {
    let digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let digest = || text.len() <= LONGEST_DIGEST && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let named = digit && (text.len() <= LONGEST_NAME || digest()) || text.contains("://");
    named && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a column only numbers or names the rows: whole numbers, also as floats, times or names, each of them once.
fn is_number_of_rows(column: &Column) -> Result<bool, StageError> {
    let counts = match (column.str(), column.f64()) {
        (Ok(texts), _) => texts.iter().flatten().all(is_name),
        (_, Ok(floats)) => floats.iter().flatten().all(|value| value.fract() == 0.0),
        _ => column.dtype().is_integer() || column.dtype().is_temporal(),
    };
    if !counts || column.len() < 2 {
        return Ok(false);
    }
    let different = column.n_unique().map_err(|error| failed("compare rows", &error))?;
    Ok(different == column.len())
}

/// The numbers of texts once they are normalised, and the normalised texts. What leaves nothing is the same only as itself.
fn recoded(codes: &[u32], texts: &[String], missing: Option<u32>) -> (Vec<u32>, Vec<String>) {
    let mut known: BTreeMap<(String, Option<usize>), u32> = BTreeMap::new();
    let mut names = Vec::new();
    let mut new = Vec::with_capacity(texts.len());
    for (code, text) in texts.iter().enumerate() {
        let is_missing = missing.is_some_and(|missing| missing as usize == code);
        let text = if is_missing { String::new() } else { normalised(text) };
        let alone = text.is_empty().then_some(code);
        let next = names.len() as u32;
        new.push(*known.entry((text, alone)).or_insert_with_key(|(text, _)| {
            names.push(text.clone());
            next
        }));
    }
    (codes.iter().map(|code| new[*code as usize]).collect(), names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_no_part_are_not_counted() {
        let parts = [Some(0), Some(1), None, Some(1), Some(1), Some(0)];
        assert_eq!(shared(&[7, 7, 8, 8, 9, 9], &parts), [true, true, false, false, true, true]);
        assert_eq!(shared(&[1, 2, 3, 3, 3, 4], &parts), [false; 6]);
    }

    #[test]
    fn texts_that_leave_nothing_are_the_same_only_as_themselves() {
        let texts = ["", "(missing)", "  ", "Missing!", "missing"].map(str::to_owned);
        let (codes, names) = recoded(&[0, 1, 2, 3, 4, 0], &texts, Some(1));
        assert_eq!(codes, [0, 1, 2, 3, 3, 0]);
        assert_eq!(names, ["", "", "", "missing"]);
    }
}
