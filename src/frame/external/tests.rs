//! Against polars' own sort and its own search for repeated rows, with so little memory that next to nothing waits there.

use super::distinct::Distinct;
use super::merge::stacked;
use super::order::Order;
use super::sorter::Sorter;
use super::spool::Spool;
use crate::frame::table_digest;
use crate::stage::testing::Bench;
use crate::stage::{ErrorKind, RunCx, StageError};
use polars::prelude::*;
use proptest::prelude::*;
use std::cell::RefCell;

/// A float, a text, a number, and how many items its list has.
type Row = (Option<f64>, Option<String>, Option<i8>, usize);

fn row() -> impl Strategy<Value = Row> {
    let float = prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(f64::NAN),
        Just(-f64::NAN),
        Just(f64::INFINITY),
        -2.0..2.0_f64,
        (-2..2_i8).prop_map(f64::from),
    ];
    let text = prop_oneof!["[ab]{0,2}", Just("a text that is longer than a view".to_owned()), Just("ä".to_owned())];
    (prop::option::weighted(0.8, float), prop::option::weighted(0.8, text), prop::option::of(-2..3_i8), 0..4_usize)
}

/// What rows are sorted by, and other columns that go along.
fn frame(rows: &[Row]) -> DataFrame {
    let texts = rows.iter().map(|row| row.1.as_deref()).collect::<Vec<_>>();
    let numbers = rows.iter().map(|row| row.2.map(i64::from)).collect::<Vec<_>>();
    let list = |row: &Row| (row.3 != 2).then(|| Series::new("".into(), vec![row.1.as_deref(); row.3]));
    let df = df![
        "row" => (0..rows.len() as u64).collect::<Vec<_>>(),
        "f" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "s" => texts,
        "n" => &numbers,
        "narrow" => rows.iter().map(|row| row.0.map(|value| value as f32)).collect::<Vec<_>>(),
        "is" => rows.iter().map(|row| row.2.map(|value| value > 0)).collect::<Vec<_>>(),
        "d" => &numbers,
        "t" => &numbers,
        "day" => &numbers,
        "l" => rows.iter().map(list).collect::<Vec<_>>(),
    ];
    let moment = DataType::Datetime(TimeUnit::Microseconds, None);
    let typed = df.expect("a frame").lazy().with_columns([
        col("d").cast(DataType::Decimal(12, 3)),
        col("t").cast(moment),
        col("day").cast(DataType::Int32).cast(DataType::Date),
        col("l").cast(DataType::List(Box::new(DataType::String))),
        as_struct(vec![col("f"), col("s"), col("n")]).alias("st"),
    ]);
    typed.collect().expect("typed")
}

/// All rows, in pieces of these sizes.
fn pieces(df: &DataFrame, sizes: &[usize], mut push: impl FnMut(DataFrame)) {
    let (mut from, mut sizes) = (0, sizes.iter().cycle());
    while from < df.height() {
        let size = *sizes.next().expect("a size");
        push(df.slice(from as i64, size));
        from += size;
    }
}

fn same(found: Vec<DataFrame>, expected: &DataFrame, what: &str) {
    let found = if found.is_empty() { expected.clear() } else { stacked(found).expect("stacked") };
    assert_eq!(found.schema(), expected.schema(), "{what}");
    let rows = |df: &DataFrame| df.column("row").expect("rows").u64().expect("numbers").to_vec();
    assert_eq!(rows(&found), rows(expected), "{what}");
    assert!(found.equals_missing(expected), "{what}: {found} {expected}");
    let digest = |df: &DataFrame| table_digest(df).expect("a digest");
    assert_eq!(digest(&found), digest(expected), "{what}");
}

fn is_empty(bench: &Bench) -> bool {
    std::fs::read_dir(bench.place("scratch")).expect("a folder").next().is_none()
}

/// What a sorter makes of the pieces.
fn sorted(cx: &RunCx<'_>, df: &DataFrame, order: &Order, sizes: &[usize], memory: (usize, usize)) -> Vec<DataFrame> {
    let (budget, at_once) = memory;
    let mut sorter = Sorter::new(cx, order.clone(), budget);
    sorter.at_once = at_once;
    pieces(df, sizes, |piece| sorter.push(piece).expect("taken"));
    let mut found = Vec::new();
    let finished = sorter.finish(&mut |df| {
        found.push(df);
        Ok(())
    });
    finished.expect("sorted");
    found
}

const KEYS: &[&[&str]] = &[
    &["f"],
    &["s"],
    &["n", "s"],
    &["f", "n"],
    &["d", "f", "s"],
    &["t"],
    &["day", "is"],
    &["is"],
    &["narrow", "s"],
    &["s", "t", "f", "n"],
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn rows_come_as_polars_sorts_them(
        rows in prop::collection::vec(row(), 0..300),
        sizes in prop::collection::vec(1..40_usize, 1..5),
        place in 0..KEYS.len(),
        descending in prop::collection::vec(any::<bool>(), 4),
        nulls_last in any::<bool>(),
        budget in prop_oneof![Just(1), Just(3_000), Just(20_000), Just(1 << 30)],
        at_once in 2..5_usize,
    ) {
        let (df, by) = (frame(&rows), KEYS[place]);
        let options = SortMultipleOptions::default()
            .with_order_descending_multi(descending[..by.len()].to_vec())
            .with_nulls_last(nulls_last)
            .with_maintain_order(true);
        let expected = df.sort(by.iter().copied(), options.clone()).expect("sorted");
        let order = Order::new(by.iter().map(|name| (*name).into()).collect(), options);
        let bench = Bench::default();
        let found = bench.with_cx(|cx| sorted(cx, &df, &order, &sizes, (budget, at_once)));
        same(found, &expected, &format!("{by:?} {descending:?} {nulls_last} {budget} {at_once}"));
        prop_assert!(is_empty(&bench));
    }

    #[test]
    fn rows_that_repeat_are_left_out_as_by_polars(
        rows in prop::collection::vec(row(), 1..300),
        sizes in prop::collection::vec(1..40_usize, 1..5),
        place in 0..KEYS.len() + 2,
        none in any::<bool>(),
        budget in prop_oneof![Just(2), Just(6_000), Just(1 << 30)],
    ) {
        let df = frame(&rows);
        let by: &[&str] = match place.checked_sub(KEYS.len()) {
            None => KEYS[place],
            Some(0) => &["l"],
            Some(_) => &["st", "is"],
        };
        let by: Vec<PlSmallStr> = by.iter().map(|name| (*name).into()).collect();
        let keep = if none { UniqueKeepStrategy::None } else { UniqueKeepStrategy::Last };
        let expected = df.unique_impl(true, Some(by.clone()), keep, None).expect("compared");
        let bench = Bench::default();
        let found = bench.with_cx(|cx| {
            let mut distinct = Distinct::new(cx, by.clone(), keep, budget);
            pieces(&df, &sizes, |piece| distinct.push(piece).expect("taken"));
            let mut found = Vec::new();
            let finished = distinct.finish(&mut |df| {
                found.push(df);
                Ok(())
            });
            finished.map(|()| found).expect("compared")
        });
        same(found, &expected, &format!("{by:?} {keep:?} {budget}"));
        prop_assert!(is_empty(&bench));
    }

    #[test]
    fn rows_that_wait_come_back(
        rows in prop::collection::vec(row(), 0..300),
        sizes in prop::collection::vec(1..40_usize, 1..5),
        budget in prop_oneof![Just(1), Just(10_000), Just(1 << 30)],
    ) {
        let (df, bench) = (frame(&rows), Bench::default());
        let found = bench.with_cx(|cx| {
            let mut spool = Spool::new(cx, budget);
            pieces(&df, &sizes, |piece| spool.push(piece).expect("taken"));
            let spooled = spool.finish(df.schema()).expect("written");
            spooled.plan().and_then(LazyFrame::collect).expect("read")
        });
        same(vec![found], &df, &format!("{budget}"));
        prop_assert!(is_empty(&bench));
    }
}

/// One key for all rows: each run is given whole before the next.
#[test]
fn rows_that_are_all_equal_keep_their_order() {
    let rows: Vec<Row> = (0..2_000).map(|_| (Some(1.0), None, Some(1), 1)).collect();
    let (df, bench) = (frame(&rows), Bench::default());
    for by in [vec!["f"], vec!["s"], vec!["s", "f"]] {
        let order = Order::ascending(by.iter().map(|name| (*name).into()).collect());
        let found = bench.with_cx(|cx| sorted(cx, &df, &order, &[7, 30], (4_000, 3)));
        same(found, &df, &format!("{by:?}"));
    }
}

/// Of a lone column the places of 0.0 and -0.0 are all that tells equal rows apart.
#[test]
fn zeros_of_a_lone_column_keep_their_order() {
    let values: Vec<f64> = (0..1_000).map(|row| if row % 3 == 0 { -0.0 } else { 0.0 }).collect();
    let (df, bench) = (df!["f" => &values].expect("a frame"), Bench::default());
    let order = Order::ascending(vec!["f".into()]);
    for budget in [500, 1 << 30] {
        let found = bench.with_cx(|cx| sorted(cx, &df, &order, &[40], (budget, 4)));
        let found = stacked(found).expect("stacked");
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let found = found.column("f").expect("floats").f64().expect("floats").to_vec();
        assert_eq!(bits(&found.into_iter().flatten().collect::<Vec<_>>()), bits(&values), "{budget}");
    }
}

#[test]
fn what_is_interrupted_leaves_nothing() {
    let rows: Vec<Row> = (0..500).map(|row| (Some(f64::from(row % 7)), None, None, 0)).collect();
    let (df, bench) = (frame(&rows), Bench::default());
    let given = RefCell::new(0);
    let ended = bench.with_cx(|cx| {
        let mut sorter = Sorter::new(cx, Order::ascending(vec!["f".into()]), 1_000);
        pieces(&df, &[20], |piece| sorter.push(piece).expect("taken"));
        sorter.finish(&mut |_| {
            *given.borrow_mut() += 1;
            bench.cancel.set();
            Ok(())
        })
    });
    let cancelled = matches!(&ended, Err(StageError { kind: ErrorKind::Cancelled, .. }));
    assert!(cancelled && *given.borrow() == 1 && is_empty(&bench), "{ended:?}");
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let (df, bench) = (frame(&[(Some(1.0), None, None, 0)]), Bench::default());
    std::fs::remove_dir_all(bench.place("scratch")).expect("was there");
    bench.with_cx(|cx| {
        let mut sorter = Sorter::new(cx, Order::ascending(vec!["f".into()]), 1);
        let error = sorter.push(df.clone()).expect_err("there is no folder");
        assert!(error.message.starts_with("cannot write into `"), "{}", error.message);
        let error = Spool::new(cx, 1).push(df.clone()).expect_err("there is no folder");
        assert!(error.message.starts_with("cannot write into `"), "{}", error.message);
    });
}
