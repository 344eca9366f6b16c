//! Joins with the nearest row: every direction, tolerances of every kind, keys of every type, with the answers worked out by hand.

use super::stepwise::Table;
use super::testing::{findings, run, table_input};
use crate::stage::testing::Bench;
use polars::prelude::*;

/// Moments of a day, as `10:30`; `-` is a missing one.
fn moments(name: &str, texts: &[&str]) -> Column {
    let micros = |text: &&str| {
        let (hour, minute) = text.split_once(':')?;
        let number = |text: &str| text.parse::<i64>().expect("a number");
        Some((19_000 * 86_400 + number(hour) * 3600 + number(minute) * 60) * 1_000_000)
    };
    let series = Series::new(name.into(), texts.iter().map(micros).collect::<Vec<_>>());
    series.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).expect("moments").into_column()
}

/// Values as a type, by way of text.
fn typed(name: &str, texts: &[&str], dtype: DataType) -> Column {
    let texts: Vec<Option<&str>> = texts.iter().map(|text| (*text != "-").then_some(*text)).collect();
    Series::new(name.into(), texts).strict_cast(&dtype).expect("values").into_column()
}

/// Two tables with a key `at` each; the right rows are counted in `price`.
fn bench(left: Column, right: Column) -> Bench {
    let mut bench = Bench::default();
    let rows = left.len() as i64;
    let id = Column::new("id".into(), (0..rows).collect::<Vec<_>>());
    table_input(&mut bench, "t", DataFrame::new(left.len(), vec![id, left]).expect("a frame"));
    let price = Column::new("price".into(), (1..=right.len() as i64).collect::<Vec<_>>());
    table_input(&mut bench, "p", DataFrame::new(right.len(), vec![right, price]).expect("a frame"));
    bench
}

fn joined(bench: &Bench, fields: &str) -> DataFrame {
    let text = format!("from = \"t\"\nsteps = [{{ join = {{ with = \"p\", how = \"asof\", {fields} }} }}]");
    let df = run::<Table>(bench, &text).unwrap_or_else(|error| panic!("{fields}: {error:?}")).remove(0).1;
    let ids: Vec<i64> = df.column("id").expect("there").i64().expect("i64").iter().flatten().collect();
    assert!(ids.iter().copied().eq(0..ids.len() as i64), "the rows keep their order: {ids:?}");
    df
}

/// The number of the row that each row finds; 0 where it finds none.
fn found(bench: &Bench, fields: &str) -> Vec<i64> {
    let df = joined(bench, fields);
    df.column("price").expect("there").i64().expect("i64").iter().map(Option::unwrap_or_default).collect()
}

#[test]
fn every_direction_finds_its_row() {
    let bench = bench(
        moments("at", &["11:00", "10:00", "-", "10:30", "09:00", "13:00"]),
        moments("at", &["12:00", "09:50", "10:20", "10:40"]),
    );
    assert_eq!(found(&bench, "on = \"at\""), [4, 2, 0, 3, 0, 1]);
    assert_eq!(found(&bench, "on = \"at\", direction = \"forward\""), [1, 3, 0, 4, 2, 0]);
    // 10:30 is as near to 10:20 as to 10:40: the one after.
    assert_eq!(found(&bench, "on = \"at\", direction = \"nearest\""), [4, 2, 0, 4, 2, 1]);
}

#[test]
fn a_tolerance_is_a_time_where_the_key_is_one_and_belongs_to_it() {
    let bench = bench(
        moments("at", &["10:00", "10:30", "11:00", "13:30"]),
        moments("at", &["09:50", "10:20", "10:40", "12:00"]),
    );
    assert_eq!(found(&bench, "on = \"at\", tolerance = \"15m\""), [1, 2, 0, 0]);
    assert_eq!(found(&bench, "on = \"at\", tolerance = \"10m\""), [1, 2, 0, 0]);
    assert_eq!(found(&bench, "on = \"at\", tolerance = \"9m\""), [0, 0, 0, 0]);
    assert_eq!(found(&bench, "on = \"at\", tolerance = \"1h30m\""), [1, 2, 3, 4]);
    assert_eq!(found(&bench, "on = \"at\", tolerance = \"20m\", direction = \"forward\""), [2, 3, 0, 0]);
    assert_eq!(found(&bench, "on = \"at\", tolerance = \"20m\", direction = \"nearest\""), [1, 3, 3, 0]);
    assert_eq!(found(&bench, "on = \"at\", tolerance = \"19m\", direction = \"nearest\""), [1, 3, 0, 0]);
}

#[test]
fn dates_are_days_apart() {
    let left = typed("at", &["2024-03-01", "2024-02-10", "-", "2024-02-29"], DataType::Date);
    let right = typed("at", &["2024-02-29", "-", "2024-02-07"], DataType::Date);
    let bench = bench(left, right);
    assert_eq!(found(&bench, "on = \"at\""), [1, 3, 0, 1]);
    assert_eq!(found(&bench, "on = \"at\", tolerance = \"1d\""), [1, 0, 0, 1]);
    assert_eq!(found(&bench, "on = \"at\", tolerance = \"3d\""), [1, 3, 0, 1]);
    assert_eq!(found(&bench, "on = \"at\", tolerance = \"1w\", direction = \"nearest\""), [1, 3, 0, 1]);
    assert_eq!(found(&bench, "on = \"at\", direction = \"forward\""), [0, 1, 0, 1]);
}

#[test]
fn times_of_day_and_numbers_are_keys_too() {
    let clock = |texts: &[&str]| moments("at", texts).cast(&DataType::Time).expect("times");
    let bench = |left: Column, right: Column| self::bench(left, right);
    let times = bench(clock(&["10:00", "23:00"]), clock(&["09:30", "21:00"]));
    assert_eq!(found(&times, "on = \"at\""), [1, 2]);
    assert_eq!(found(&times, "on = \"at\", tolerance = \"1h\""), [1, 0]);
    let floats = bench(
        typed("at", &["1.5", "2.75", "-", "9"], DataType::Float64),
        typed("at", &["1", "2.5", "8.75"], DataType::Float64),
    );
    assert_eq!(found(&floats, "on = \"at\", tolerance = \"0.25\""), [0, 2, 0, 3]);
    assert_eq!(found(&floats, "on = \"at\", direction = \"nearest\", tolerance = \"0.5\""), [1, 2, 0, 3]);
    let whole = bench(typed("at", &["10", "20"], DataType::Int64), typed("at", &["8", "8", "15"], DataType::Int64));
    assert_eq!(found(&whole, "on = \"at\""), [2, 3]);
    assert_eq!(found(&whole, "on = \"at\", tolerance = \"2\""), [2, 0]);
    assert_eq!(found(&whole, "on = \"at\", direction = \"forward\""), [3, 0]);
}

#[test]
fn keys_of_two_names_are_compared_and_rows_that_must_be_equal_are() {
    let mut bench = Bench::default();
    let left = df!["id" => [0_i64, 1, 2, 3], "who" => [Some("a"), Some("b"), None, Some("a")], "price" => [0_i64; 4]];
    let mut left = left.expect("a frame");
    left.with_column(moments("sold", &["10:00", "10:00", "10:00", "12:00"])).expect("a column");
    let right = df!["who" => [Some("b"), Some("a"), Some("a"), None], "price" => [1_i64, 2, 3, 4]];
    let mut right = right.expect("a frame");
    right.with_column(moments("seen", &["09:00", "09:30", "10:30", "09:59"])).expect("a column");
    table_input(&mut bench, "t", left);
    table_input(&mut bench, "p", right);
    let names = |df: &DataFrame| df.get_column_names().iter().map(ToString::to_string).collect::<Vec<_>>();
    let prices = |df: &DataFrame| -> Vec<i64> {
        let column = df.column("price_right").expect("there").i64().expect("i64");
        column.iter().map(Option::unwrap_or_default).collect()
    };
    let keys = "left_on = \"sold\", right_on = \"seen\"";
    let all = joined(&bench, keys);
    assert_eq!(prices(&all), [4, 4, 4, 3]);
    assert!(names(&all).contains(&"sold".to_owned()), "{:?}", names(&all));
    let each = joined(&bench, &format!("{keys}, by = \"who\""));
    // Missing values match nothing.
    assert_eq!(prices(&each), [2, 1, 0, 3]);
    let near = joined(&bench, &format!("{keys}, by = \"who\", direction = \"nearest\", tolerance = \"30m\""));
    assert_eq!(prices(&near), [3, 0, 0, 0]);
    let suffix = joined(&bench, &format!("{keys}, by = \"who\", suffix = \"_seen\""));
    assert!(names(&suffix).contains(&"price_seen".to_owned()), "{:?}", names(&suffix));
}

#[test]
fn tolerances_that_are_none_are_told() {
    let codes = |left: Column, right: Column, fields: &str| {
        let text =
            format!("from = \"t\"\nsteps = [{{ join = {{ with = \"p\", on = \"at\", how = \"asof\", {fields} }} }}]");
        findings::<Table>(&bench(left, right), &text).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    let times = || moments("at", &["10:00"]);
    let days = || typed("at", &["2024-03-01"], DataType::Date);
    let numbers = || typed("at", &["1"], DataType::Int64);
    assert_eq!(codes(times(), times(), "tolerance = \"5\""), ["E0136"]);
    assert_eq!(codes(times(), times(), "tolerance = \"-5m\""), ["E0136"]);
    assert_eq!(codes(days(), days(), "tolerance = \"2 days\""), ["E0136"]);
    assert_eq!(codes(numbers(), numbers(), "tolerance = \"2h\""), ["E0136"]);
    assert_eq!(codes(numbers(), numbers(), "tolerance = \"-1\""), ["E0136"]);
    assert_eq!(codes(times(), days(), "tolerance = \"2h\""), ["E0214"]);
    assert!(codes(times(), times(), "tolerance = \"1h30m\"").is_empty());
}
