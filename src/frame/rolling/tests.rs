//! Against the definition, row by row.

use super::super::sql::{check_query, plan_query};
use super::super::{FloatSums, schema_of};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn query(df: &DataFrame, text: &str) -> DataFrame {
    let tables = BTreeMap::from([("t".to_owned(), df.clone().lazy())]);
    let types = BTreeMap::from([("t".to_owned(), schema_of(df))]);
    let expected = check_query(text, &types, FloatSums::Exact).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
    let found = plan_query(text, &tables, FloatSums::Exact).and_then(LazyFrame::collect);
    let found = found.unwrap_or_else(|error| panic!("{text}: {error}"));
    let types = |columns: &[crate::types::Column]| -> Vec<String> {
        columns.iter().map(|column| format!("{} {}", column.name, column.dtype)).collect()
    };
    assert_eq!(types(&schema_of(&found).columns), types(&expected.columns), "{text}");
    found
}

fn floats(df: &DataFrame, name: &str) -> Vec<Option<f64>> {
    df.column(name).unwrap().cast(&DataType::Float64).unwrap().f64().unwrap().iter().collect()
}

fn days() -> DataFrame {
    df![
        "shop" => ["a", "b", "a", "a", "b", "a"],
        "hour" => [1_i64, 1, 2, 5, 9, 5],
        "sold" => [Some(1.0), Some(10.0), None, Some(4.0), Some(20.0), Some(8.0)],
        "n" => [1_i32, 2, 3, 4, 5, 6],
        "word" => ["z", "y", "x", "w", "v", "u"],
    ]
    .unwrap()
}

#[test]
fn frames_by_rows_are_what_sql_says() {
    let df = query(
        &days(),
        "SELECT sum(sold) OVER (PARTITION BY shop ORDER BY hour ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s,
           count(*) OVER (PARTITION BY shop ORDER BY hour ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS c,
           count(sold) OVER (PARTITION BY shop ORDER BY hour ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS k,
           sum(n) OVER (PARTITION BY shop ORDER BY hour ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS i,
           max(word) OVER (ORDER BY hour DESC ROWS 2 PRECEDING) AS w,
           first_value(word) OVER (PARTITION BY shop ORDER BY hour ROWS BETWEEN 2 FOLLOWING AND UNBOUNDED FOLLOWING) AS f,
           stddev(sold) OVER (PARTITION BY shop ORDER BY hour ROWS BETWEEN 9 PRECEDING AND 9 FOLLOWING) AS d
         FROM t",
    );
    assert_eq!(floats(&df, "s"), [Some(1.0), Some(10.0), Some(1.0), Some(4.0), Some(30.0), Some(12.0)]);
    assert_eq!(floats(&df, "c"), [2.0, 2.0, 3.0, 3.0, 2.0, 2.0].map(Some));
    assert_eq!(floats(&df, "k"), [1.0, 2.0, 2.0, 2.0, 2.0, 2.0].map(Some));
    assert_eq!(floats(&df, "i"), [None, None, Some(1.0), Some(4.0), Some(2.0), Some(8.0)]);
    assert_eq!(df.column("i").unwrap().dtype(), &DataType::Int64);
    let words: Vec<_> = df.column("w").unwrap().str().unwrap().iter().collect();
    assert_eq!(words, ["z", "z", "x", "w", "v", "w"].map(Some));
    let words: Vec<_> = df.column("f").unwrap().str().unwrap().iter().collect();
    assert_eq!(words, [Some("w"), None, Some("u"), None, None, None]);
    // Of 1, 4 and 8.
    assert_eq!(floats(&df, "d")[0], Some((37.0_f64 / 3.0).sqrt()));
}

#[test]
fn a_mean_in_an_order_is_a_running_one() {
    let df = query(
        &days(),
        "SELECT avg(n) OVER (PARTITION BY shop ORDER BY hour) AS m, avg(n) OVER (PARTITION BY shop) AS whole FROM t",
    );
    assert_eq!(floats(&df, "m"), [1.0, 2.0, 2.0, 3.5, 3.5, 3.5].map(Some));
    assert_eq!(floats(&df, "whole"), [3.5; 6].map(Some));
}

#[test]
fn frames_by_range_go_by_values_and_take_equals_together() {
    let df = query(
        &days(),
        "SELECT avg(sold) OVER (PARTITION BY shop ORDER BY hour RANGE BETWEEN 4 PRECEDING AND 1 PRECEDING) AS before,
           sum(n) OVER (PARTITION BY shop ORDER BY hour RANGE BETWEEN CURRENT ROW AND CURRENT ROW) AS peers,
           count(*) OVER (ORDER BY hour DESC RANGE BETWEEN 3 PRECEDING AND CURRENT ROW) AS later
         FROM t",
    );
    assert_eq!(floats(&df, "before"), [None, None, Some(1.0), Some(1.0), None, Some(1.0)]);
    assert_eq!(floats(&df, "peers"), [1.0, 2.0, 3.0, 10.0, 5.0, 10.0].map(Some));
    assert_eq!(floats(&df, "later"), [3.0, 3.0, 3.0, 2.0, 1.0, 2.0].map(Some));
}

#[test]
fn intervals_measure_times() {
    let df = days().lazy().with_column(
        (col("hour") * lit(3_600_000_000_i64)).cast(DataType::Datetime(TimeUnit::Microseconds, None)).alias("at"),
    );
    let df = query(
        &df.collect().unwrap(),
        "SELECT sum(n) OVER (ORDER BY at RANGE BETWEEN INTERVAL '4 hours' PRECEDING AND INTERVAL '60' MINUTE PRECEDING) AS s,
           n - avg(n) OVER (ORDER BY TRY_CAST(at AS DATE) RANGE BETWEEN INTERVAL '1 day' PRECEDING AND CURRENT ROW) AS d
         FROM t WHERE n > 1",
    );
    // The filter comes first: the first row is not there.
    assert_eq!(floats(&df, "s"), [None, Some(2.0), Some(5.0), Some(10.0), Some(5.0)]);
    assert_eq!(floats(&df, "d"), [-2.0, -1.0, 0.0, 1.0, 2.0].map(Some));
}

#[test]
fn a_frame_is_over_all_rows_whatever_is_kept_after_it() {
    let text = "WITH w AS (SELECT n, sum(n) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t)
        SELECT s FROM w WHERE n > 4 LIMIT 1";
    assert_eq!(floats(&query(&days(), text), "s"), [Some(9.0)]);
}

#[test]
fn what_cannot_be_framed_is_told_at_its_place() {
    let types = BTreeMap::from([("t".to_owned(), schema_of(&days()))]);
    let wrong = |text: &str| {
        let found = check_query(text, &types, FloatSums::Exact).expect_err(text).remove(0);
        (found.message, found.range.map(|range| text[range].to_owned()).unwrap_or_default())
    };
    let over = |function: &str, frame: &str| wrong(&format!("SELECT {function} OVER ({frame}) AS a FROM t"));
    let rows = "ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW";
    let (message, place) = over("ntile(4)", rows);
    assert!(message.contains("`ntile` has no frame") && place == "ntile", "{message}: {place}");
    assert!(over("sum(word)", rows).0.contains("need numbers, found str"), "{:?}", over("sum(word)", rows));
    assert!(over("sum(DISTINCT n)", rows).0.contains("DISTINCT"));
    let range = |by: &str| format!("ORDER BY {by} RANGE BETWEEN 1 PRECEDING AND CURRENT ROW");
    assert!(over("sum(n)", &range("n, hour")).0.contains("goes by one column"));
    assert!(over("sum(n)", &range("word")).0.contains("found str"), "{:?}", over("sum(n)", &range("word")));
    let interval = "ORDER BY n RANGE BETWEEN INTERVAL '1 day' PRECEDING AND CURRENT ROW";
    assert!(over("sum(n)", interval).0.contains("needs a whole number"));
    let month = "ORDER BY n RANGE BETWEEN INTERVAL '1 month' PRECEDING AND CURRENT ROW";
    assert!(over("sum(n)", month).0.contains("no length of a frame"));
    let grouped = "SELECT shop, sum(sum(n)) OVER (ORDER BY shop ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t GROUP BY shop";
    check_query(grouped, &types, FloatSums::Exact).expect("a frame over groups");
}

/// A row: group, order value, value.
type Item = (u8, Option<i64>, Option<f64>);

fn items() -> impl Strategy<Value = Vec<Item>> {
    let value = prop_oneof![Just(None), (-1e6_f64..1e6).prop_map(Some), Just(Some(1e300)), Just(Some(f64::NAN))];
    prop::collection::vec((0_u8..3, prop::option::weighted(0.9, -20_i64..20), value), 0..60)
}

/// By the definition: for each row the values that count, in order; rows without an order value come first or `last`.
fn frames(items: &[Item], frame: Frame, last: bool) -> Vec<Vec<Option<f64>>> {
    let of_order = |at: usize| (last && items[at].1.is_none(), items[at].1);
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|at| (items[*at].0, of_order(*at)));
    let inside = |row: usize| -> Vec<Option<f64>> {
        let group: Vec<usize> = order.iter().copied().filter(|at| items[*at].0 == items[row].0).collect();
        let place = group.iter().position(|at| *at == row).unwrap() as i64;
        let counts = |(at, other): (usize, &usize)| match frame {
            Frame::Rows { from, to } => {
                let by = at as i64 - place;
                from.is_none_or(|from| by >= from) && to.is_none_or(|to| by <= to)
            }
            Frame::Range { from, to } => match (items[*other].1, items[row].1) {
                (Some(other), Some(own)) => {
                    let far = |offset: Option<Offset>| match offset {
                        Some(Offset::Int(by)) => Some(by),
                        Some(_) => Some(0),
                        None => None,
                    };
                    far(from).is_none_or(|from| other - own >= from) && far(to).is_none_or(|to| other - own <= to)
                }
                (None, None) => true,
                (None, Some(_)) => if last { to } else { from }.is_none(),
                (Some(_), None) => if last { from } else { to }.is_none(),
            },
            Frame::Peers => of_order(*other) <= of_order(row),
        };
        group.iter().enumerate().filter(|(at, other)| counts((*at, *other))).map(|(_, at)| items[*at].2).collect()
    };
    (0..items.len()).map(inside).collect()
}

fn ends() -> impl Strategy<Value = (Option<i64>, Option<i64>)> {
    (prop::option::weighted(0.8, -9_i64..9), prop::option::weighted(0.8, -9_i64..9))
        .prop_filter("begins before it ends", |(from, to)| !matches!((from, to), (Some(from), Some(to)) if from > to))
}

proptest! {
    #[test]
    fn every_frame_is_as_defined(items in items(), (from, to) in ends(), way in 0..3, last in any::<bool>()) {
        let offset = |by: Option<i64>| by.map(Offset::Int);
        let frame = match way {
            0 => Frame::Rows { from, to },
            1 => Frame::Range { from: offset(from), to: offset(to) },
            _ => Frame::Peers,
        };
        let df = df![
            "v" => items.iter().map(|item| item.2).collect::<Vec<_>>(),
            "o" => items.iter().map(|item| item.1).collect::<Vec<_>>(),
            "g" => items.iter().map(|item| i32::from(item.0)).collect::<Vec<_>>(),
        ].unwrap();
        let of = |aggregate: Aggregate| -> Vec<Option<f64>> {
            let (descending, nulls_last) = (vec![false], vec![last]);
            let rolling = Rolling { aggregate, frame, of_column: true, descending, nulls_last, keys: 1 };
            let expr = function(rolling).call(vec![col("v"), col("o"), col("g")]);
            floats(&df.clone().lazy().select([expr.alias("x")]).collect().unwrap(), "x")
        };
        let bits = |values: Vec<Option<f64>>| -> Vec<Option<u64>> {
            values.into_iter().map(|value| value.map(|x| if x.is_nan() { 1 } else { x.to_bits() })).collect()
        };
        let told = |of: &dyn Fn(&[f64]) -> Option<f64>| -> Vec<Option<f64>> {
            frames(&items, frame, last).iter().map(|inside| of(&inside.iter().copied().flatten().collect::<Vec<_>>())).collect()
        };
        let sum = |values: &[f64]| super::super::exact::exact_sum(values.iter().copied());
        let some = |values: &[f64]| !values.is_empty();
        prop_assert_eq!(bits(of(Aggregate::Sum)), bits(told(&|values| some(values).then(|| sum(values)))));
        prop_assert_eq!(
            bits(of(Aggregate::Mean)),
            bits(told(&|values| some(values).then(|| sum(values) / values.len() as f64)))
        );
        prop_assert_eq!(of(Aggregate::Count), told(&|values| Some(values.len() as f64)));
        // NaN is the largest.
        let least = |a: f64, b: f64| if b.is_nan() || a <= b { a } else { b };
        let greatest = |a: f64, b: f64| if a.is_nan() || a >= b { a } else { b };
        prop_assert_eq!(bits(of(Aggregate::Min)), bits(told(&|values| values.iter().copied().reduce(least))));
        prop_assert_eq!(bits(of(Aggregate::Max)), bits(told(&|values| values.iter().copied().reduce(greatest))));
        let firsts: Vec<Option<f64>> = frames(&items, frame, last).iter().map(|inside| inside.first().copied().flatten()).collect();
        prop_assert_eq!(bits(of(Aggregate::First)), bits(firsts));
    }
}
