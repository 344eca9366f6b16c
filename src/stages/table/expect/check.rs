//! What is wrong with the fields of `expect`, before anything runs.

use super::super::columns::{column, select, wrong_type};
use super::super::report::condition;
use super::super::scalar::{MOMENTS, Scalar};
use super::MARKS;
use super::judge::whole;
use super::spec::{Check, Drift, Fresh, Range, Rule, Spec};
use crate::diag::codes;
use crate::frame::FloatSums;
use crate::frame::file::time::datetime;
use crate::path;
use crate::stage::{CheckCx, Path};
use crate::types::{DType, Lookup, TableSchema};

/// The table's schema, after everything wrong was reported; `None` where the input is no table.
pub(super) fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Option<TableSchema> {
    if spec.checks.is_empty() {
        cx.error(path!["checks"], codes::OUT_OF_RANGE, "nothing is expected of the table")
            .label("no check")
            .hint("checks.ids = { unique = \"id\" }");
    }
    let reference = match &spec.reference {
        Some(reference) => cx.table(reference, path!["reference"]),
        None => None,
    };
    let schema = cx.table(&spec.from, path!["from"])?;
    for (name, _) in MARKS.iter().filter(|(name, _)| matches!(schema.lookup(name), Lookup::Found(_))) {
        cx.error(path!["from"], codes::DUPLICATE_COLUMN, format!("the table has a column `{name}` already"))
            .label("`failures` marks its rows by a column of this name")
            .hint("rename the column before");
    }
    check_reference(spec, cx);
    for (name, check) in &spec.checks {
        check_one(name, check, &schema, reference.as_ref(), cx);
    }
    Some(schema)
}

fn check_reference(spec: &Spec, cx: &mut CheckCx<'_>) {
    let drifts = spec.checks.iter().find(|(_, check)| check.drift.is_some());
    match (&spec.reference, drifts) {
        (None, Some((name, _))) => {
            cx.error(path!["checks", name, "drift"], codes::MISSING_FIELD, "`drift` needs a table to compare with")
                .label("compared with what?")
                .hint("name it: `reference = \"split.train\"`");
        }
        (Some(_), None) => {
            cx.error(path!["reference"], codes::CONFLICT, "no check compares with `reference`")
                .label("not used")
                .hint("add a check with `drift`, or leave it out");
        }
        (Some(reference), Some(_)) if *reference == spec.from => {
            cx.error(path!["reference"], codes::OUT_OF_RANGE, "the table would be compared with itself")
                .label("the same as `from`");
        }
        _ => {}
    }
}

fn check_one(name: &str, check: &Check, schema: &TableSchema, reference: Option<&TableSchema>, cx: &mut CheckCx<'_>) {
    let rules = check.rules();
    let [rule] = rules.as_slice() else {
        let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
        let (code, message) = match names.is_empty() {
            true => (codes::MISSING_FIELD, format!("check `{name}` says nothing")),
            false => (codes::CONFLICT, format!("check `{name}` says {} things", names.len())),
        };
        cx.error(path!["checks", name], code, message)
            .label(if names.is_empty() { "expects nothing".to_owned() } else { format!("{} at once", names.join(" and ")) })
            .hint("a check has one of `not_null`, `unique`, `range`, `one_of`, `pattern`, `holds`, `rows`, `fresh` and `drift`");
        return;
    };
    check_common(name, check, *rule, schema, cx);
    let at = path!["checks", name, rule.name()];
    match *rule {
        Rule::NotNull(columns) | Rule::Unique(columns) => {
            if columns.0.is_empty() {
                cx.error(at.clone(), codes::EMPTY_SELECTION, "no column is named").label("an empty list");
            }
            for (rule, place) in columns.with_paths(&at) {
                select(schema, rule, place, cx);
            }
        }
        Rule::Range(ranges) => {
            ranges.iter().for_each(|(rule, range)| check_range(rule, range, schema, below(&at, rule), cx))
        }
        Rule::OneOf(sets) => {
            sets.iter().for_each(|(rule, values)| check_set(rule, values, schema, &below(&at, rule), cx))
        }
        Rule::Pattern(patterns) => {
            patterns.iter().for_each(|(rule, pattern)| check_pattern(rule, pattern, schema, &below(&at, rule), cx));
        }
        Rule::Holds(text) => condition(text, schema, FloatSums::Exact, "a check", &at, cx),
        Rule::Rows(rows) => {
            if rows.min.is_none() && rows.max.is_none() {
                cx.error(at, codes::MISSING_FIELD, "neither `min` nor `max` is given")
                    .label("any number of rows will do");
            } else if rows.min.zip(rows.max).is_some_and(|(min, max)| min > max) {
                cx.error(at, codes::OUT_OF_RANGE, "no number of rows is in this range").label("`min` is above `max`");
            }
        }
        Rule::Fresh(fresh) => check_fresh(fresh, schema, &at, cx),
        Rule::Drift(drift) => check_drift(drift, schema, reference, &at, cx),
    }
}

fn below(at: &Path, key: &str) -> Path {
    [at.clone(), path![key]].concat()
}

/// `only` and `allow`, which are for checks of rows.
fn check_common(name: &str, check: &Check, rule: Rule<'_>, schema: &TableSchema, cx: &mut CheckCx<'_>) {
    let given = [("only", check.only.is_some()), ("allow", check.allow != 0.0)];
    for (field, _) in given.iter().filter(|(_, given)| *given && !rule.is_of_rows()) {
        cx.error(
            path!["checks", name, *field],
            codes::CONFLICT,
            format!("`{field}` does not go with `{}`", rule.name()),
        )
        .at_key()
        .label("for checks that judge row by row");
    }
    if !(0.0..1.0).contains(&check.allow) {
        cx.error(
            path!["checks", name, "allow"],
            codes::OUT_OF_RANGE,
            format!("`allow` is a share below 1, found {}", check.allow),
        )
        .label("0.01 is one row in a hundred");
    }
    if let Some(text) = check.only.as_deref().filter(|_| rule.is_of_rows()) {
        condition(text, schema, FloatSums::Exact, "`only`", &path!["checks", name, "only"], cx);
    }
}

/// The types of the columns that a rule is for, with their names.
fn types(rule: &str, schema: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) -> Vec<(String, DType)> {
    let names = select(schema, rule, at.clone(), cx);
    let dtype =
        |name: &String| schema.columns.iter().find(|column| column.name == *name).map(|column| column.dtype.clone());
    names
        .into_iter()
        .filter_map(|name| dtype(&name).map(|dtype| (name, dtype)))
        .filter(|(_, dtype)| !dtype.is_unknown())
        .collect()
}

fn check_range(rule: &str, range: &Range, schema: &TableSchema, at: Path, cx: &mut CheckCx<'_>) {
    if range.min.is_none() && range.max.is_none() {
        cx.error(at, codes::MISSING_FIELD, "neither `min` nor `max` is given").label("every value is in this range");
        return;
    }
    for (name, dtype) in types(rule, schema, &at, cx) {
        if !(dtype.is_numeric() || dtype.is_temporal() || dtype == DType::Str) {
            wrong_type(cx, at.clone(), &name, &dtype, "a column of numbers, times or texts");
            return;
        }
        for (end, value) in [("min", &range.min), ("max", &range.max)] {
            let Some(value) = value.as_ref().filter(|value| value.literal(&dtype).is_none()) else { continue };
            no_value_of(value, &name, &dtype, below(&at, end), cx);
            return;
        }
    }
    let both = match (&range.min, &range.max) {
        (Some(Scalar::Int(min)), Some(Scalar::Int(max))) => min > max,
        (Some(Scalar::Float(min)), Some(Scalar::Float(max))) => min > max,
        (Some(Scalar::Text(min)), Some(Scalar::Text(max))) => min > max,
        _ => false,
    };
    if both {
        cx.error(at, codes::OUT_OF_RANGE, "no value is in this range").label("`min` is above `max`");
    }
}

fn no_value_of(value: &Scalar, name: &str, dtype: &DType, at: Path, cx: &mut CheckCx<'_>) {
    let hint = dtype.is_temporal().then(|| MOMENTS.to_owned());
    cx.error(at, codes::COLUMN_TYPE, format!("`{value}` is no value of column `{name}`, which is {dtype}"))
        .label(format!("no {dtype}"))
        .maybe_hint(hint);
}

fn check_set(rule: &str, values: &[Scalar], schema: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
    if values.is_empty() {
        cx.error(at.clone(), codes::OUT_OF_RANGE, "no value may occur").label("an empty list");
    }
    for (name, dtype) in types(rule, schema, at, cx) {
        for (index, value) in values.iter().enumerate().filter(|(_, value)| value.column(&dtype).is_none()) {
            no_value_of(value, &name, &dtype, [at.clone(), path![index]].concat(), cx);
        }
    }
}

fn check_pattern(rule: &str, pattern: &str, schema: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
    if let Err(error) = regex::Regex::new(&whole(pattern)) {
        let text = error.to_string();
        let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        cx.error(at.clone(), codes::OUT_OF_RANGE, "this is no regular expression").label(why);
    }
    for (name, dtype) in types(rule, schema, at, cx) {
        if dtype != DType::Str {
            wrong_type(cx, at.clone(), &name, &dtype, "str").hint("for numbers there is `range`");
        }
    }
}

fn check_fresh(fresh: &Fresh, schema: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
    let dtype = column(schema, &fresh.column, below(at, "column"), cx);
    let is_day = |dtype: &DType| *dtype == DType::Date || dtype.is_datetime() || dtype.is_unknown();
    if let Some(dtype) = dtype.filter(|dtype| !is_day(dtype)) {
        wrong_type(cx, below(at, "column"), &fresh.column, &dtype, "a column of dates or times")
            .hint("cast it in a step before: `{ cast = { … = \"date\" } }`");
    }
    if datetime(&fresh.as_of).is_none() {
        cx.error(below(at, "as_of"), codes::OUT_OF_RANGE, format!("`{}` is no date or time", fresh.as_of))
            .label("no such time")
            .hint("write it as 2026-05-04 or 2026-05-04T10:12:00");
    }
    if !(fresh.within_days.is_finite() && fresh.within_days >= 0.0) {
        cx.error(below(at, "within_days"), codes::OUT_OF_RANGE, "`within_days` is a number of days, at least 0");
    }
}

fn check_drift(drift: &Drift, schema: &TableSchema, reference: Option<&TableSchema>, at: &Path, cx: &mut CheckCx<'_>) {
    if drift.psi.is_none() && drift.ks.is_none() {
        cx.error(at.clone(), codes::MISSING_FIELD, "neither `psi` nor `ks` is given")
            .label("any spread will do")
            .hint("psi = 0.2 is a usual limit");
    }
    for (field, value) in [("psi", drift.psi), ("ks", drift.ks)] {
        if value.is_some_and(|value| !(value.is_finite() && value >= 0.0)) {
            cx.error(below(at, field), codes::OUT_OF_RANGE, format!("`{field}` is a number, at least 0"));
        }
    }
    if !(2..=1000).contains(&drift.bins) {
        cx.error(below(at, "bins"), codes::OUT_OF_RANGE, format!("`bins` is 2 to 1,000, found {}", drift.bins));
    }
    for (rule, place) in drift.columns.with_paths(&below(at, "columns")) {
        for (name, dtype) in types(rule, schema, &place, cx) {
            let Some(other) = reference.and_then(|other| column(other, &name, place.clone(), cx)) else { continue };
            if other != dtype && !other.is_unknown() {
                wrong_type(cx, place.clone(), &name, &dtype, &format!("the reference's type, {other},"));
            }
            let ordered = dtype.is_numeric() || dtype.is_temporal();
            if !ordered && drift.psi.is_none() {
                wrong_type(cx, place.clone(), &name, &dtype, "a column of numbers or times")
                    .hint("`ks` is for what has an order; give `psi` for others");
            }
        }
    }
}
