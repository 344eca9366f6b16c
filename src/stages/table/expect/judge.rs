//! What checks come to: which rows fail, or which number is too large.

use super::super::columns::is_pattern;
use super::super::spread::Spread;
use super::super::steps::unconverted;
use super::drift;
use super::spec::{Check, Drift, Fresh, Rule, Severity};
use crate::diag::brief;
use crate::frame::compare::exact;
use crate::frame::file::time::datetime;
use crate::frame::sql::plan_expr;
use crate::frame::{FloatSums, collect, failed, from_polars};
use crate::numbers;
use crate::path;
use crate::stage::{GateResult, StageError};
use polars::prelude::*;
use std::sync::Arc;

/// What a check came to.
pub(super) struct Verdict {
    /// The check.
    pub(super) name: String,
    severity: Severity,
    /// The rows that fail, by column.
    pub(super) parts: Vec<Part>,
    /// Numbers with limits; their names begin with the check's.
    limits: Vec<GateResult>,
    /// What to say where it does not hold.
    words: String,
}

/// The rows of one column, or of all, that fail.
pub(super) struct Part {
    /// The column or columns; `None` for an expression.
    pub(super) column: Option<String>,
    /// A value for each row.
    pub(super) fails: BooleanChunked,
}

impl Verdict {
    /// Whether the table is as expected.
    pub(super) fn holds(&self) -> bool {
        self.limits.iter().all(|limit| limit.holds)
    }

    /// Whether a failure is only said.
    pub(super) fn warns(&self) -> bool {
        self.severity == Severity::Warn
    }

    pub(super) fn metrics(&self) -> impl Iterator<Item = (String, f64)> {
        self.limits.iter().map(|limit| (limit.metric.clone(), limit.value))
    }

    pub(super) fn gates(&self) -> impl Iterator<Item = GateResult> {
        self.limits.iter().filter(|_| !self.warns()).cloned()
    }

    /// A sentence where the check does not hold.
    pub(super) fn complaint(&self) -> Option<String> {
        (!self.holds()).then(|| format!("check `{}`: {}", self.name, self.words))
    }
}

/// Judges a table by one check.
pub(super) fn judge(
    name: &str,
    check: &Check,
    df: &DataFrame,
    reference: Option<&DataFrame>,
) -> Result<Verdict, StageError> {
    let Some(rule) = check.rules().first().copied() else { return Err(StageError::bug("a check that says nothing")) };
    let verdict =
        |parts, limits, words| Verdict { name: name.to_owned(), severity: check.severity, parts, limits, words };
    let at_most = |metric: &str, value: f64, max: f64| limit(format!("{name}.{metric}"), value, None, Some(max));
    Ok(match rule {
        Rule::Rows(rows) => {
            let (min, max) = (rows.min.map(|min| min as f64), rows.max.map(|max| max as f64));
            let limit = limit(format!("{name}.rows"), df.height() as f64, min, max);
            verdict(Vec::new(), vec![limit], format!("the table has {}", numbers::counted(df.height(), "row")))
        }
        Rule::Fresh(fresh) => {
            let days = age(fresh, df).map_err(|error| error.at(path!["checks", name, "fresh"]))?;
            let ahead = most_ahead(&fresh.as_of);
            // To the second.
            let said = (days * 1e5).round() / 1e5;
            let words = match days < -ahead {
                true => format!(
                    "the newest `{}` is {} days after {}, so nothing is known of the age of the others: a date is wrong, or `as_of` is old",
                    fresh.column, -said, fresh.as_of
                ),
                false => format!("the newest `{}` is {said} days older than {}", fresh.column, fresh.as_of),
            };
            let limit = limit(format!("{name}.age_days"), days, Some(-ahead), Some(fresh.within_days));
            verdict(Vec::new(), vec![limit], words)
        }
        Rule::Drift(rule) => {
            let reference = reference.ok_or_else(|| StageError::bug("drift without a reference"))?;
            let limits = drifts(name, rule, df, reference)?;
            let words = far(&limits, name);
            verdict(Vec::new(), limits, words)
        }
        _ => {
            let only = check.only.as_deref().map(|text| mask(df, text, "only", name)).transpose()?;
            let parts = failing(name, rule, df, only.as_ref())?;
            let judged = only.as_ref().map_or(df.height(), |only| only.sum().unwrap_or(0) as usize);
            let any = any(&parts, df.height());
            let count = any.iter().filter(|fails| **fails).count();
            let words = complaint(df, &parts, &any, judged);
            verdict(parts, vec![at_most("failed", count as f64, (check.allow * judged as f64).floor())], words)
        }
    })
}

fn limit(metric: String, value: f64, min: Option<f64>, max: Option<f64>) -> GateResult {
    let holds = min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max);
    GateResult { metric, value, min, max, holds }
}

/// The columns of a frame that a name or pattern stands for.
fn matching<'a>(df: &'a DataFrame, rule: &'a str) -> impl Iterator<Item = &'a Column> {
    df.columns().iter().filter(move |column| match is_pattern(rule) {
        true => crate::types::matches_pattern(rule, column.name()),
        false => column.name() == rule,
    })
}

/// The rows that fail, column by column, among those that `only` selects.
fn failing(name: &str, rule: Rule<'_>, df: &DataFrame, only: Option<&BooleanChunked>) -> Result<Vec<Part>, StageError> {
    let place = || path!["checks", name, rule.name()];
    let doing = |error: &PolarsError| failed("judge the rows", error).at(place());
    let mut parts: Vec<Part> = Vec::new();
    if let Rule::Unique(columns) = rule {
        parts.push(
            repeated(df, columns.0.iter().flat_map(|rule| matching(df, rule)), only).map_err(|error| doing(&error))?,
        );
        return Ok(parts);
    }
    if let Rule::Holds(text) = rule {
        parts.push(Part { column: None, fails: !&mask(df, text, "holds", name)? });
    } else {
        let tests =
            tests(rule, df).ok_or_else(|| StageError::bug("a value that its column does not hold").at(place()))?;
        let masks = tests.iter().enumerate().map(|(index, (_, test))| test.clone().alias(index.to_string()));
        let found = collect(df.clone().lazy().select(masks.collect::<Vec<_>>())).map_err(|error| doing(&error))?;
        for ((column, _), mask) in tests.into_iter().zip(found.columns()) {
            parts.push(Part { column: Some(column), fails: mask.bool().map_err(|error| doing(&error))?.clone() });
        }
    }
    for part in &mut parts {
        if let Some(only) = only {
            part.fails = &part.fails & only;
        }
    }
    Ok(parts)
}

/// For each column of a rule an expression that is true where a value fails.
fn tests(rule: Rule<'_>, df: &DataFrame) -> Option<Vec<(String, Expr)>> {
    let each = |rule: &str| -> Vec<Column> { matching(df, rule).cloned().collect() };
    let mut tests = Vec::new();
    let mut add = |column: &Column, test: Expr| tests.push((column.name().to_string(), test));
    let value = |column: &Column| col(column.name().clone());
    match rule {
        Rule::NotNull(columns) => {
            columns.0.iter().flat_map(|rule| each(rule)).for_each(|column| add(&column, value(&column).is_null()));
        }
        Rule::Range(ranges) => {
            for (rule, range) in ranges {
                for column in each(rule) {
                    let dtype = from_polars(column.dtype());
                    let mut outside = if dtype.is_float() { value(&column).is_nan() } else { lit(false) };
                    if let Some(min) = &range.min {
                        outside = outside.or(value(&column).lt(min.literal(&dtype)?));
                    }
                    if let Some(max) = &range.max {
                        outside = outside.or(value(&column).gt(max.literal(&dtype)?));
                    }
                    add(&column, outside);
                }
            }
        }
        Rule::OneOf(sets) => {
            for (rule, values) in sets {
                for column in each(rule) {
                    let dtype = from_polars(column.dtype());
                    let known = values.iter().map(|value| value.column(&dtype)).collect::<Option<Vec<Column>>>()?;
                    let mut known = known.into_iter();
                    let mut set = known.next()?;
                    for value in known {
                        set.append(&value).ok()?;
                    }
                    let set = set.as_materialized_series().clone();
                    add(&column, value(&column).is_in(lit(set).implode(true), false).not());
                }
            }
        }
        Rule::Pattern(patterns) => {
            for (rule, pattern) in patterns {
                for column in each(rule) {
                    add(&column, value(&column).str().contains(lit(whole(pattern)), true).not());
                }
            }
        }
        _ => return None,
    }
    Some(tests)
}

/// The pattern of texts that match as a whole.
pub(super) fn whole(pattern: &str) -> String {
    format!(r"\A(?:{pattern})\z")
}

/// The rows that share the values of these columns with another; a row in which one is missing shares nothing.
fn repeated<'a>(
    df: &DataFrame,
    columns: impl Iterator<Item = &'a Column>,
    only: Option<&BooleanChunked>,
) -> PolarsResult<Part> {
    let columns: Vec<Column> = columns.cloned().collect();
    let names: Vec<String> = columns.iter().map(|column| column.name().to_string()).collect();
    let mut judged = BooleanChunked::full("judged".into(), true, df.height());
    for column in &columns {
        judged = &judged & &column.is_not_null();
    }
    if let Some(only) = only {
        judged = &judged & only;
    }
    let rows: Vec<IdxSize> =
        judged.iter().enumerate().filter(|(_, yes)| *yes == Some(true)).map(|(row, _)| row as IdxSize).collect();
    let keys = DataFrame::new(df.height(), columns)?.take(&IdxCa::from_slice("row".into(), &rows))?;
    let mut fails = vec![false; df.height()];
    for (row, repeats) in rows.iter().zip(keys.is_duplicated()?.iter()) {
        fails[*row as usize] = repeats == Some(true);
    }
    Ok(Part { column: Some(names.join(", ")), fails: BooleanChunked::from_slice("fails".into(), &fails) })
}

/// Where an SQL expression is true; unknown stays unknown.
fn mask(df: &DataFrame, text: &str, field: &str, name: &str) -> Result<BooleanChunked, StageError> {
    let doing = |error: &PolarsError| unconverted(failed("judge the rows", error)).at(path!["checks", name, field]);
    let expr = plan_expr(text, &Arc::clone(df.schema()), FloatSums::Exact).map_err(|error| doing(&error))?;
    let found = collect(df.clone().lazy().select([expr.alias("mask")])).map_err(|error| doing(&error))?;
    let Some(column) = found.columns().first() else { return Err(StageError::bug("an expression without a value")) };
    // An expression of aggregates alone gives one value for all rows.
    let column = if column.len() == df.height() { column.clone() } else { column.new_from_index(0, df.height()) };
    Ok(column.bool().map_err(|error| doing(&error))?.clone())
}

fn any(parts: &[Part], rows: usize) -> Vec<bool> {
    let mut any = vec![false; rows];
    for part in parts {
        any.iter_mut().zip(part.fails.iter()).for_each(|(any, fails)| *any |= fails == Some(true));
    }
    any
}

/// `3 of 344 rows fail, the first is row 17: body_mass_g = 9999`
fn complaint(df: &DataFrame, parts: &[Part], any: &[bool], judged: usize) -> String {
    let count = any.iter().filter(|fails| **fails).count();
    let verb = if count == 1 { "fails" } else { "fail" };
    let head = format!("{} of {} {verb}", numbers::count(count as u64), numbers::counted(judged, "row"));
    let first = parts.iter().find_map(|part| Some((part, part.fails.iter().position(|fails| fails == Some(true))?)));
    let Some((part, row)) = first else { return head };
    let value = |name: &str| {
        let value = df.column(name).ok()?.get(row).ok()?;
        // With all digits: 5.0000001 is not in the range that ends with 5.0.
        Some(format!("{name} = {}", brief(&exact(&value))))
    };
    let values: Vec<String> = part.column.iter().flat_map(|names| names.split(", ")).filter_map(value).collect();
    let first = numbers::count(row as u64 + 1);
    match values.is_empty() {
        true => format!("{head}, the first is row {first}"),
        false => format!("{head}, the first is row {first}: {}", values.join(", ")),
    }
}

/// How many days after a given time values may lie; after a day without a time it may be its evening, so one more.
fn most_ahead(as_of: &str) -> f64 {
    if as_of.len() > "2026-05-04".len() { 1.0 } else { 2.0 }
}

/// Days between the newest value of a column and a given time.
fn age(fresh: &Fresh, df: &DataFrame) -> Result<f64, StageError> {
    let micros = DataType::Datetime(TimeUnit::Microseconds, None);
    let doing = |error: &PolarsError| failed("tell the age of the newest row", error);
    let column = df.column(&fresh.column).map_err(|error| doing(&error))?;
    let times = column.cast(&micros).and_then(|times| times.cast(&DataType::Int64)).map_err(|error| doing(&error))?;
    let newest = times.i64().map_err(|error| doing(&error))?.max();
    let newest =
        newest.ok_or_else(|| StageError::data(format!("`{}` has no value, so it has no newest one", fresh.column)))?;
    let now = datetime(&fresh.as_of).ok_or_else(|| {
        StageError::data(format!("`{}` is no date or time", fresh.as_of))
            .hint("write it as 2026-05-04 or 2026-05-04T10:12:00")
    })?;
    Ok((now - newest) as f64 / 86_400e6)
}

fn drifts(name: &str, rule: &Drift, df: &DataFrame, reference: &DataFrame) -> Result<Vec<GateResult>, StageError> {
    let mut limits = Vec::new();
    for column in rule.columns.0.iter().flat_map(|rule| matching(df, rule)) {
        let other = reference.column(column.name()).map_err(|error| failed("find the reference's column", &error))?;
        let dtype = from_polars(column.dtype());
        let ordered = dtype.is_numeric() || dtype.is_temporal();
        let spreads = ordered.then(|| Ok::<_, StageError>((Spread::of(other)?, Spread::of(column)?))).transpose()?;
        if let Some(max) = rule.psi {
            let counts = match &spreads {
                Some((expected, found)) => {
                    let mut counts = drift::counts_of_numbers(expected, found, rule.bins);
                    let rest = |column: &Column, spread: &Spread| (column.len() - spread.values().len()) as u64;
                    counts.push((rest(other, expected), rest(column, found)));
                    counts.retain(|(expected, found)| expected + found > 0);
                    counts
                }
                None => drift::counts_of_values(other, column)?,
            };
            limits.push(limit(
                format!("{name}.psi.{}", column.name()),
                drift::psi(counts.into_iter()),
                None,
                Some(max),
            ));
        }
        if let (Some(max), Some((expected, found))) = (rule.ks, &spreads) {
            let distance = drift::kolmogorov_smirnov(expected, found).ok_or_else(|| {
                StageError::data(format!("`{}` has no values to compare", column.name()))
                    .at(path!["checks", name, "drift"])
            })?;
            limits.push(limit(format!("{name}.ks.{}", column.name()), distance, None, Some(max)));
        }
    }
    Ok(limits)
}

/// `psi of body_mass_g is 0.412, at most 0.200 is expected`
fn far(limits: &[GateResult], name: &str) -> String {
    let words = |limit: &GateResult| {
        let measure =
            limit.metric.strip_prefix(name).unwrap_or(&limit.metric).trim_start_matches('.').replacen('.', " of ", 1);
        let most = numbers::number(limit.max.unwrap_or(f64::INFINITY));
        format!("{measure} is {}, at most {most} is expected", numbers::number(limit.value))
    };
    limits.iter().filter(|limit| !limit.holds).map(words).collect::<Vec<_>>().join("; ")
}
