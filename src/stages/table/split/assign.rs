//! Which row goes to which part.

use super::super::fixed::shuffle;
use super::hashed::by_hash;
use super::{Part, Spec};
use crate::diag::{brief, list};
use crate::frame::{failed, sorts_by_time};
use crate::numbers;
use crate::path;
use crate::stage::{RunCx, StageError};
use polars::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The rows of each part, in the order of the parts' names; rows in the table's order.
pub(super) fn assign(spec: &Spec, df: &DataFrame, cx: &RunCx<'_>) -> Result<Vec<Vec<u32>>, StageError> {
    let (Some(folds), Some(fold)) = (spec.folds, spec.fold) else { return deal(spec, df, cx) };
    let equal = |fold: u32| (format!("{fold:010}"), Part::Fraction(1.0 / f64::from(folds)));
    let dealt = deal(&Spec { parts: (1..=folds).map(equal).collect(), folds: None, ..spec.clone() }, df, cx)?;
    let (mut test, mut train) = (Vec::new(), Vec::new());
    for (number, rows) in (1..).zip(dealt) {
        if number == fold { test = rows } else { train.extend(rows) }
    }
    train.sort_unstable();
    Ok(vec![test, train])
}

fn deal(spec: &Spec, df: &DataFrame, cx: &RunCx<'_>) -> Result<Vec<Vec<u32>>, StageError> {
    let rows = u32::try_from(df.height()).map_err(|_| {
        StageError::data(format!("a table of {} is too large to split", numbers::counted(df.height(), "row")))
    })?;
    let mut parts = match (&spec.by, &spec.time, &spec.group, &spec.hash) {
        (Some(by), ..) => by_values(spec, df, by)?,
        (_, Some(time), ..) => by_time(spec, df, time)?,
        (_, _, Some(group), _) => by_groups(spec, df, group, cx)?,
        (.., Some(key)) => by_hash(spec, df, key, cx)?,
        _ => at_random(spec, df, rows, cx)?,
    };
    parts.iter_mut().for_each(|rows| rows.sort_unstable());
    Ok(parts)
}

/// How many rows each part is to have, not rounded.
fn targets(spec: &Spec, rows: usize) -> Result<Vec<f64>, StageError> {
    let counted = spec.counted();
    if counted > rows as u64 {
        return Err(StageError::data(format!(
            "the parts want {counted} rows, the table has {}",
            numbers::counted(rows, "row")
        ))
        .at(path!["parts"]));
    }
    Ok(spec
        .parts
        .values()
        .map(|part| match part {
            Part::Fraction(fraction) => fraction * rows as f64,
            Part::Count(count) => *count as f64,
            Part::Values(_) => rows as f64 - counted as f64,
        })
        .collect())
}

/// A column as one number a row, equal for equal values, in the order of their first appearance; and how many there
/// are. Missing values are a value of their own.
pub(super) fn classes(df: &DataFrame, name: &str) -> Result<(Vec<u32>, Vec<String>), StageError> {
    let column = df.column(name).map_err(|error| failed("read the column", &error))?;
    // A duration has no text of its own.
    let column = if column.dtype().is_duration() { column.to_physical_repr() } else { column.clone() };
    let text = column.cast(&DataType::String).map_err(|error| failed(&format!("compare `{name}`"), &error))?;
    let text = text.str().map_err(|error| failed(&format!("compare `{name}`"), &error))?;
    let mut known: BTreeMap<Option<&str>, u32> = BTreeMap::new();
    let mut names = Vec::new();
    let mut out = Vec::with_capacity(text.len());
    for value in text.iter() {
        let next = names.len() as u32;
        let class = *known.entry(value).or_insert_with(|| {
            names.push(value.map_or_else(|| "(missing)".to_owned(), str::to_owned));
            next
        });
        out.push(class);
    }
    Ok((out, names))
}

/// Refuses missing values in a column that decides where a row goes.
pub(super) fn no_nulls(df: &DataFrame, field: &str, name: &str) -> Result<(), StageError> {
    let column = df.column(name).map_err(|error| failed("read the column", &error))?;
    let nulls = column.null_count();
    if nulls == 0 {
        return Ok(());
    }
    let first = column.is_null().iter().position(|null| null == Some(true)).unwrap_or(0);
    Err(StageError::data(format!(
        "column `{name}` is missing in {}, the first of them row {}",
        numbers::counted(nulls, "row"),
        first + 1
    ))
    .note(format!("`{field}` decides by it where a row belongs"))
    .hint(format!(
        "filter those rows out, or fill them, in a `table` stage before: `{{ filter = \"{name} IS NOT NULL\" }}`"
    ))
    .at(path![field]))
}

/// Shuffled rows of each class, dealt out so that every class and the whole come as near to the shares as whole rows can.
fn at_random(spec: &Spec, df: &DataFrame, rows: u32, cx: &RunCx<'_>) -> Result<Vec<Vec<u32>>, StageError> {
    let (class_of, names) = match &spec.stratify {
        Some(name) => classes(df, name)?,
        None => (vec![0; rows as usize], vec![String::new()]),
    };
    let mut strata: Vec<Vec<u32>> = vec![Vec::new(); names.len().max(1)];
    for (row, class) in class_of.iter().enumerate() {
        strata[*class as usize].push(row as u32);
    }
    if let Some(name) = &spec.stratify {
        warn_of_small(spec, name, &names, &strata, cx)?;
    }
    let targets = targets(spec, rows as usize)?;
    let mut rng = cx.seed.rng("split");
    let mut parts = vec![Vec::new(); targets.len()];
    let mut owed = vec![0.0; targets.len()];
    for stratum in &mut strata {
        shuffle(stratum, &mut rng);
        let share = stratum.len() as f64 / f64::from(rows.max(1));
        let wanted: Vec<f64> = targets.iter().zip(&owed).map(|(target, owed)| target * share + owed).collect();
        let sizes = whole(&wanted, stratum.len());
        let mut from = 0;
        for (part, size) in sizes.iter().enumerate() {
            owed[part] = wanted[part] - *size as f64;
            parts[part].extend_from_slice(&stratum[from..from + size]);
            from += size;
        }
    }
    Ok(parts)
}

/// Whole numbers nearest to these sizes, with their sum rounded, and never more than `most` in all: the largest
/// fractions are rounded up, the first part first where they are equal.
fn whole(wanted: &[f64], most: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = wanted.iter().map(|size| (size + 1e-9).floor().max(0.0) as usize).collect();
    let sum: f64 = wanted.iter().sum();
    let total = (sum.round().max(0.0) as usize).min(most);
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    let rest = |part: usize, sizes: &[usize]| wanted[part] - sizes[part] as f64;
    order.sort_by(|a, b| rest(*b, &sizes).total_cmp(&rest(*a, &sizes)).then(a.cmp(b)));
    let mut given: usize = sizes.iter().sum();
    for part in order.iter().cycle().take(wanted.len() * 2) {
        if given >= total {
            break;
        }
        sizes[*part] += 1;
        given += 1;
    }
    // Shares owed to earlier classes can ask for more than there is.
    while given > total {
        let Some(part) = order.iter().rev().find(|part| sizes[**part] > 0) else { break };
        sizes[*part] -= 1;
        given -= 1;
        order.rotate_right(1);
    }
    sizes
}

fn warn_of_small(
    spec: &Spec,
    column: &str,
    names: &[String],
    strata: &[Vec<u32>],
    cx: &RunCx<'_>,
) -> Result<(), StageError> {
    let rows: usize = strata.iter().map(Vec::len).sum();
    if names.len() > 20 && names.len() * 2 > rows {
        return Err(StageError::data(format!(
            "column `{column}` has {} different values in {}, too many to stratify by",
            names.len(),
            numbers::counted(rows, "row")
        ))
        .hint("stratify by a column of classes")
        .at(path!["stratify"]));
    }
    let parts = spec.parts.len();
    let small: Vec<String> = names
        .iter()
        .zip(strata)
        .filter(|(_, rows)| rows.len() < parts)
        .map(|(name, rows)| format!("{name} ({})", numbers::counted(rows.len(), "row")))
        .collect();
    if !small.is_empty() {
        let shown = list(small.iter().map(String::as_str), 4);
        cx.services
            .warn(format!("too few rows of {shown} for {}: not every part has one", numbers::counted(parts, "part")));
    }
    Ok(())
}

/// Whole groups, dealt to the part that lacks most of what the group holds; large groups first, equals in random order.
fn by_groups(spec: &Spec, df: &DataFrame, group: &str, cx: &RunCx<'_>) -> Result<Vec<Vec<u32>>, StageError> {
    no_nulls(df, "group", group)?;
    let (group_of, names) = classes(df, group)?;
    let (class_of, kinds) = match &spec.stratify {
        Some(name) => classes(df, name)?,
        None => (vec![0; group_of.len()], vec![String::new()]),
    };
    let parts = spec.parts.len();
    if names.len() < parts {
        return Err(StageError::data(format!(
            "column `{group}` has {}, which cannot be divided into {}",
            numbers::counted(names.len(), "group"),
            numbers::counted(parts, "part")
        ))
        .hint("group by a column with more values, or split without `group`")
        .at(path!["group"]));
    }
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); names.len()];
    for (row, group) in group_of.iter().enumerate() {
        members[*group as usize].push(row as u32);
    }
    let mut order: Vec<usize> = (0..names.len()).collect();
    shuffle(&mut order, &mut cx.seed.rng("split"));
    order.sort_by_key(|group| std::cmp::Reverse(members[*group].len()));
    let targets = targets(spec, df.height())?;
    let total = df.height() as f64;
    let mut class_rows = vec![0.0; kinds.len()];
    class_of.iter().for_each(|class| class_rows[*class as usize] += 1.0);
    // What each part still lacks of each class.
    let mut lacks: Vec<Vec<f64>> =
        targets.iter().map(|target| class_rows.iter().map(|rows| rows * target / total).collect()).collect();
    let mut dealt: Vec<Vec<usize>> = vec![Vec::new(); parts];
    for group in order {
        let mut counts = vec![0.0; kinds.len()];
        members[group].iter().for_each(|row| counts[class_of[*row as usize] as usize] += 1.0);
        let need = |part: usize| -> f64 {
            let pairs = counts.iter().zip(&lacks[part]).zip(&class_rows);
            pairs.map(|((count, lack), rows)| count * lack / rows).sum()
        };
        let Some(part) = (0..parts).max_by(|a, b| need(*a).total_cmp(&need(*b)).then(b.cmp(a))) else { break };
        // Parts that count rows may together leave rows over: a group that no part lacks belongs to none.
        let counted = spec.parts.values().all(|part| matches!(part, Part::Count(_)));
        if counted && need(part) <= 0.0 {
            continue;
        }
        for (lack, count) in lacks[part].iter_mut().zip(&counts) {
            *lack -= count;
        }
        dealt[part].push(group);
    }
    fill_empty(&mut dealt, &members);
    warn_of_skew(spec, group, &targets, &dealt, &members, cx);
    Ok(dealt.iter().map(|groups| groups.iter().flat_map(|group| members[*group].iter().copied()).collect()).collect())
}

/// A part that came away with nothing takes the smallest group of the part with most groups.
fn fill_empty(dealt: &mut [Vec<usize>], members: &[Vec<u32>]) {
    while let Some(empty) = dealt.iter().position(Vec::is_empty) {
        let richest = (0..dealt.len()).max_by_key(|part| (dealt[*part].len(), std::cmp::Reverse(*part)));
        let Some(richest) = richest.filter(|part| dealt[*part].len() > 1) else { return };
        let smallest = (0..dealt[richest].len()).min_by_key(|at| members[dealt[richest][*at]].len());
        let Some(smallest) = smallest else { return };
        let group = dealt[richest].remove(smallest);
        dealt[empty].push(group);
    }
}

fn warn_of_skew(spec: &Spec, group: &str, targets: &[f64], dealt: &[Vec<usize>], members: &[Vec<u32>], cx: &RunCx<'_>) {
    for ((name, target), groups) in spec.parts.keys().zip(targets).zip(dealt) {
        let rows: usize = groups.iter().map(|group| members[*group].len()).sum();
        let off = (rows as f64 - target).abs();
        if off > 1.0 && off > target * 0.25 {
            cx.services.warn(format!(
                "{} has {} instead of {}: the groups of `{group}` cannot be divided",
                told(name),
                numbers::counted(rows, "row"),
                numbers::counted(target.round() as usize, "row")
            ));
        }
    }
}

/// A part as a message names it. Parts have names that begin with a letter, folds their numbers.
pub(super) fn told(name: &str) -> String {
    match name.parse::<u32>() {
        Ok(fold) => format!("fold {fold}"),
        Err(_) => format!("part `{name}`"),
    }
}

/// Rows in the order of time, cut where the shares end; a cut never parts rows of one time.
fn by_time(spec: &Spec, df: &DataFrame, time: &str) -> Result<Vec<Vec<u32>>, StageError> {
    no_nulls(df, "time", time)?;
    let column = df.column(time).map_err(|error| failed("read the column", &error))?;
    sorts_by_time(column).map_err(|error| error.at(path!["time"]))?;
    let sorted = column.arg_sort(SortOptions::default().with_maintain_order(true));
    let order: Vec<u32> = sorted.iter().flatten().collect();
    let (instant, _) = classes(df, time)?;
    let names: Vec<&String> = spec.parts.keys().collect();
    let mut places: Vec<usize> = (0..names.len()).collect();
    places.sort_by_key(|part| (spec.place_in_order(names[*part]), *part));
    let targets = targets(spec, df.height())?;
    let mut parts = vec![Vec::new(); names.len()];
    let (mut from, mut until) = (0, 0.0);
    for part in places {
        until += targets[part];
        let mut to = (until.round() as usize).clamp(from, order.len());
        while to > from && to < order.len() && instant[order[to] as usize] == instant[order[to - 1] as usize] {
            to += 1;
        }
        parts[part] = order[from..to].to_vec();
        from = to;
    }
    Ok(parts)
}

/// Rows by the value of a column.
fn by_values(spec: &Spec, df: &DataFrame, by: &str) -> Result<Vec<Vec<u32>>, StageError> {
    no_nulls(df, "by", by)?;
    let (value_of, values) = classes(df, by)?;
    let marks: Vec<Vec<String>> = spec.parts.values().map(Part::values).collect();
    let part_of = |value: &str| marks.iter().position(|marks| marks.iter().any(|mark| mark == value));
    let rest = spec.parts.values().position(Part::is_rest);
    let homes: Vec<Option<usize>> = values.iter().map(|value| part_of(value).or(rest)).collect();
    let homeless: Vec<Cow<'_, str>> =
        values.iter().zip(&homes).filter(|(_, home)| home.is_none()).map(|(value, _)| brief(value)).collect();
    if !homeless.is_empty() {
        return Err(StageError::data(format!(
            "column `{by}` has values that belong to no part: {}",
            list(homeless.iter().map(AsRef::as_ref), 6)
        ))
        .hint("name them in `parts`, give one part `\"rest\"`, or filter those rows out before")
        .at(path!["parts"]));
    }
    let mut parts = vec![Vec::new(); spec.parts.len()];
    for (row, value) in value_of.iter().enumerate() {
        if let Some(part) = homes[*value as usize] {
            parts[part].push(row as u32);
        }
    }
    Ok(parts)
}
