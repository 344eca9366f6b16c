//! How many rows of the other table a row may match. A key that the other table has twice repeats the rows of this one, and sums over
//! them are wrong without a word: `matches = "one"` fails instead.

use super::super::Tables;
use super::{How, Join, range};
use crate::diag::{brief, codes, list};
use crate::frame::cast::shown;
use crate::frame::engine::CHECK;
use crate::frame::{FloatSums, run_plan};
use crate::numbers;
use crate::stage::{CheckCx, Path, RunCx, StageError};
use polars::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many rows of the other table a row of this table may match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Matches {
    /// Any number: a row that matches several comes once with each.
    #[default]
    Many,
    /// One at most: a row that matches several fails the stage.
    One,
}

impl Matches {
    /// Where nothing else is said the field is left out, so that keys of stages are those from before there was one.
    pub(super) fn is_many(&self) -> bool {
        *self == Self::Many
    }
}

/// How often the other table has the key of a row, where that is more than once.
const COUNT: &str = "__kilter_matches";
const ROW: &str = "__kilter_row";

/// What every message about it says.
const RULE: &str = "`matches = \"one\"`";

/// The left table, which fails where a row of it matches several of the right one. The first key passes through the check, so that no
/// plan that uses the join can leave it out; and each row is looked at by itself, so that rows still go through in pieces. Which of the
/// rows it meets first is chance, so it names none. No filter that is planned after the join reaches below the check: it sees every row
/// that the join would see without one.
pub(super) fn one(left: LazyFrame, left_on: &[String], right: LazyFrame, right_on: &[String]) -> LazyFrame {
    let Some(first) = left_on.first() else { return left };
    let check = move |columns: &mut [Column]| {
        if columns[1].null_count() < columns[1].len() {
            polars_bail!(ComputeError: "a row matches several rows of the other table, against {RULE}");
        }
        Ok(std::mem::take(&mut columns[0]))
    };
    let checked = col(first.as_str()).map_many(check, &[col(COUNT)], |_, fields| Ok(fields[0].clone()));
    let left = beside(left, left_on, right, right_on, JoinType::Left).with_columns([checked]).drop(cols([COUNT]));
    let pushed = AllowedOptimizations::PROJECTION_PUSHDOWN | AllowedOptimizations::STREAMING;
    left.map(Ok, pushed, None, Some(CHECK))
}

/// Each row of the left table with how often the right one has its key, where that is more than once.
fn beside(left: LazyFrame, left_on: &[String], right: LazyFrame, right_on: &[String], how: JoinType) -> LazyFrame {
    let key = |index: usize| format!("__kilter_key_{index}");
    let keys: Vec<Expr> = right_on.iter().enumerate().map(|(at, name)| col(name.as_str()).alias(key(at))).collect();
    let own: Vec<Expr> = (0..keys.len()).map(|index| col(key(index))).collect();
    // Missing values match nothing.
    let known = own.iter().cloned().map(Expr::is_not_null).reduce(Expr::and).unwrap_or_else(|| lit(true));
    let several =
        right.select(keys).filter(known).group_by(own.clone()).agg([len().alias(COUNT)]).filter(col(COUNT).gt(lit(1)));
    let left_on: Vec<Expr> = left_on.iter().map(|name| col(name.as_str())).collect();
    let joined = left.join_builder().with(several).how(how).left_on(left_on).right_on(own);
    joined.maintain_order(MaintainOrderJoin::Left).coalesce(JoinCoalesce::CoalesceColumns).finish()
}

/// Reports `matches = "one"` where a join repeats no row, or each.
pub(super) fn check(join: &Join, at: &Path, cx: &mut CheckCx<'_>) {
    let (how, why) = match join.how {
        _ if join.matches.is_many() => return,
        How::Inner | How::Left | How::Right | How::Full => return,
        How::Cross => ("cross", "a cross join matches each row with all"),
        How::Semi => ("semi", "a semi join repeats no row"),
        How::Anti => ("anti", "an anti join repeats no row"),
        How::Asof => ("asof", "an as-of join takes one row as it is"),
    };
    let place: Path = [at.clone(), vec!["matches".into()]].concat();
    cx.error(place, codes::CONFLICT, format!("{RULE} does not go with how = \"{how}\""))
        .label(why)
        .hint("leave out `matches`; it is for `inner`, `left`, `right` and `full`");
}

/// After the step failed: the first row of this table that matches several of the other one, and how many.
pub(super) fn blame(
    join: &Join,
    cx: &RunCx<'_>,
    left: LazyFrame,
    sums: FloatSums,
    tables: Tables<'_>,
) -> Option<String> {
    if join.matches.is_many() {
        return None;
    }
    let right = tables(&join.with).ok()?;
    if let Some(condition) = &join.condition {
        let (pairs, key) = range::pairs(join, condition, left, right, sums).ok()?;
        let key = [key.to_owned()];
        let found = first(cx, beside(pairs.clone(), &key, pairs, &key, JoinType::Inner), &key[0])?;
        let row = found.column(&key[0]).ok()?.cast(&DataType::UInt64).ok()?.u64().ok()?.get(0)?;
        let count = numbers::count(count(&found)?);
        return Some(format!(
            "row {} matches {count} rows of `{}`, against {RULE}",
            numbers::count(row + 1),
            join.with
        ));
    }
    let (l, r) = join.keys()?;
    let keys = left.with_row_index(ROW, None).select(l.exprs().into_iter().chain([col(ROW)]).collect::<Vec<_>>());
    let found = first(cx, beside(keys, l.1, right, r.1, JoinType::Inner), ROW)?;
    let value = |name: &String| Some(format!("`{name}` = {}", brief(&shown(found.column(name).ok()?, 0))));
    let values: Vec<String> = l.1.iter().map(value).collect::<Option<_>>()?;
    let theirs = match l.1 == r.1 {
        true => String::new(),
        false => format!(" in {}", list(r.1.iter().map(String::as_str), 8)),
    };
    let row = found.column(ROW).ok()?.cast(&DataType::UInt64).ok()?.u64().ok()?.get(0)?;
    let (row, count) = (numbers::count(row + 1), numbers::count(count(&found)?));
    Some(format!(
        "row {row} has {}, which {count} rows of `{}` have{theirs}, against {RULE}",
        values.join(" and "),
        join.with
    ))
}

/// The first row by this column.
fn first(cx: &RunCx<'_>, rows: LazyFrame, by: &str) -> Option<DataFrame> {
    let order = SortMultipleOptions::default().with_maintain_order(true);
    let mut first = None;
    let ran = run_plan(cx, rows.sort([by], order).limit(1), &mut |df| {
        if first.is_none() && df.height() > 0 {
            first = Some(df);
        }
        Ok(())
    });
    ran.ok()?;
    first
}

fn count(found: &DataFrame) -> Option<u64> {
    found.column(COUNT).ok()?.cast(&DataType::UInt64).ok()?.u64().ok()?.get(0)
}

/// Adds what to do, where rows matched several.
pub(super) fn explain(error: StageError) -> StageError {
    if !error.message.contains(RULE) {
        return error;
    }
    error.hint(
        "leave one row for each key in the other table, by a `dedupe` or `group` before; or compare more columns, if there are more that \
         tell its rows apart",
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::super::stepwise::Table;
    use super::super::super::super::testing::{findings, run, table_input};
    use crate::frame::engine::IN_MEMORY;
    use crate::stage::testing::Bench;
    use polars::prelude::*;

    fn bench() -> Bench {
        let mut bench = Bench::default();
        let sales = df![
            "k" => [Some("c"), Some("b"), None, Some("a"), Some("b")],
            "day" => [1_i64, 2, 3, 4, 5],
            "n" => [1_i64, 2, 3, 4, 5],
        ];
        let shops = df![
            "k" => [Some("a"), Some("b"), Some("b"), Some("z"), Some("z"), None, None, Some("a"), Some("b")],
            "id" => [Some("a"), Some("b"), Some("b"), Some("z"), Some("z"), None, None, Some("a"), Some("b")],
            "day" => [4_i64, 2, 5, 0, 0, 0, 0, 9, 9],
        ];
        table_input(&mut bench, "sales", sales.expect("a frame"));
        table_input(&mut bench, "shops", shops.expect("a frame"));
        bench
    }

    fn fields(before: &str, join: &str) -> String {
        format!("from = \"sales\"\nsteps = [{before}{{ join = {{ with = \"shops\", {join} }} }}]")
    }

    /// What a join says in memory; in pieces it must say the same.
    fn says(before: &str, join: &str) -> (String, Option<String>) {
        let mut bench = bench();
        let mut said = [None, Some(1 << 30)].map(|memory| {
            bench.memory = memory;
            IN_MEMORY.set(memory.is_none());
            let error = bench.run::<Table>(&fields(before, join)).expect_err(join);
            IN_MEMORY.set(false);
            (error.message, error.hints.first().cloned())
        });
        assert_eq!(said[0], said[1], "{join}");
        std::mem::take(&mut said[0])
    }

    #[test]
    fn a_row_that_matches_several_fails_the_stage() {
        for how in ["inner", "left", "right", "full"] {
            let (message, hint) = says("", &format!("on = \"k\", how = \"{how}\", matches = \"one\""));
            let wanted = "row 2 has `k` = b, which 3 rows of `shops` have, against `matches = \"one\"`";
            assert_eq!(message, format!("cannot do step 1, `join`: {wanted}"), "{how}");
            assert!(hint.is_some_and(|hint| hint.contains("`dedupe`")), "{how}");
        }
        let (message, _) =
            says("{ filter = \"n > 2\" }, ", "left_on = \"k\", right_on = \"id\", how = \"left\", matches = \"one\"");
        let wanted = "row 2 has `k` = a, which 2 rows of `shops` have in `id`, against `matches = \"one\"`";
        assert_eq!(message, format!("cannot do step 2, `join`: {wanted}"));
    }

    /// `z` is there twice and no row has it; missing keys match nothing; `b` is told apart by the day.
    #[test]
    fn keys_that_no_row_has_may_repeat() {
        for (how, rows) in [("inner", 3), ("left", 5), ("right", 9), ("full", 11)] {
            for (memory, in_memory) in [(None, true), (Some(1 << 30), false)] {
                let mut bench = bench();
                bench.memory = memory;
                IN_MEMORY.set(in_memory);
                let join = format!("on = [\"k\", \"day\"], how = \"{how}\"");
                let many = run::<Table>(&bench, &fields("", &join)).expect("it runs").remove(0).1;
                let one = run::<Table>(&bench, &fields("", &format!("{join}, matches = \"one\"")));
                IN_MEMORY.set(false);
                let one = one.expect("each row matches one at most").remove(0).1;
                assert_eq!((one.height(), one.equals_missing(&many)), (rows, true), "{how}");
            }
        }
        let alone = fields("{ filter = \"k = 'c' OR k IS NULL\" }, ", "on = \"k\", how = \"left\", matches = \"one\"");
        assert_eq!(run::<Table>(&bench(), &alone).expect("it runs").remove(0).1.height(), 2);
    }

    #[test]
    fn pairs_by_a_condition_are_counted_too() {
        let within = "on = \"k\", where = \"day <= day_right\", matches = \"one\"";
        for how in ["inner", "left"] {
            let message = says("", &format!("{within}, how = \"{how}\"")).0;
            let wanted = "row 2 matches 3 rows of `shops`, against `matches = \"one\"`";
            assert_eq!(message, format!("cannot do step 1, `join`: {wanted}"), "{how}");
        }
        let fields = fields("", "on = \"k\", where = \"day = day_right\", how = \"left\", matches = \"one\"");
        let df = run::<Table>(&bench(), &fields).expect("it runs").remove(0).1;
        assert_eq!(df.height(), 5);
    }

    /// Nothing of the other table is used behind the join.
    #[test]
    fn a_join_whose_columns_are_dropped_is_checked() {
        let steps = "{ join = { with = \"shops\", on = \"k\", how = \"left\", matches = \"one\" } }, \
                     { group = { by = \"day\", agg = { rows = \"count(*)\" } } }";
        let error = bench().run::<Table>(&format!("from = \"sales\"\nsteps = [{steps}]")).expect_err("it fails");
        assert!(error.message.contains("row 2 has `k` = b"), "{}", error.message);
    }

    /// `b` matches several, and no row of it is left behind the filter.
    #[test]
    fn a_filter_after_the_join_hides_no_row_from_the_check() {
        for (on, filter) in [
            ("on = \"k\"", "n > 2 AND k = 'a'"),
            ("on = \"k\"", "k IS NULL"),
            ("on = \"k\"", "id = 'a'"),
            ("on = \"k\", where = \"day <= day_right\"", "k = 'a'"),
        ] {
            for (memory, in_memory) in [(None, true), (Some(1 << 30), false)] {
                let mut bench = bench();
                bench.memory = memory;
                IN_MEMORY.set(in_memory);
                let steps = format!(
                    "{{ join = {{ with = \"shops\", {on}, how = \"left\", matches = \"one\" }} }}, {{ filter = \"{filter}\" }}"
                );
                let ran = bench.run::<Table>(&format!("from = \"sales\"\nsteps = [{steps}]"));
                IN_MEMORY.set(false);
                let message = ran.expect_err(filter).message;
                assert!(
                    message.contains("row 2 ") && message.contains("matches = \"one\""),
                    "{on} {filter}: {message}"
                );
            }
        }
    }

    #[test]
    fn joins_that_repeat_no_row_refuse_it() {
        for (how, on) in [("cross", ""), ("semi", "on = \"k\", "), ("anti", "on = \"k\", "), ("asof", "on = \"day\", ")]
        {
            let found = findings::<Table>(&bench(), &fields("", &format!("{on}how = \"{how}\", matches = \"one\"")));
            let wanted = format!("`matches = \"one\"` does not go with how = \"{how}\"");
            assert_eq!(found, [("E0135".to_owned(), wanted)]);
            let found = findings::<Table>(&bench(), &fields("", &format!("{on}how = \"{how}\", matches = \"many\"")));
            assert!(found.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn the_usual_number_is_not_in_the_key() {
        let join = |more: &str| -> super::Join {
            let text = format!("{{ \"with\": \"shops\", \"on\": \"k\"{more} }}");
            serde_json::from_str(&text).expect("a join")
        };
        let text = |more: &str| serde_json::to_string(&join(more)).expect("json");
        assert_eq!(text(", \"matches\": \"many\""), text(""));
        assert!(!text("").contains("matches") && text(", \"matches\": \"one\"").contains("one"));
    }
}
