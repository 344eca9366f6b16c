//! Timestamps as other programs write them, in nanoseconds and with a time zone, are times to every kind: the type of those in a
//! parquet file of pandas.

use super::expect::Expect;
use super::profile::Profile;
use super::split::Split;
use super::stepwise::Table;
use super::testing::{findings, run, table_input};
use crate::frame::file::{Format, Layout, read_file};
use crate::stage::testing::{Bench, fields};
use crate::stages::encode::{Encode, EncodeSpec, Encoder, Tensor};
use polars::prelude::*;

/// In nanoseconds.
const HOUR: i64 = 3_600_000_000_000;

fn pandas() -> DataType {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/nested.parquet");
    let df = read_file(path.as_ref(), &Layout::new(Format::Parquet)).expect("readable");
    df.column("when").expect("there").dtype().clone()
}

fn hours() -> impl Iterator<Item = i64> {
    (0..60).map(|row| (row * 37 % 60) * 5)
}

/// Rows in no order, five hours apart; `gap` is the same with every third missing.
fn frame(dtype: &DataType) -> DataFrame {
    let when: Vec<i64> = hours().map(|hour| hour * HOUR).collect();
    let gap: Vec<Option<i64>> = hours().map(|hour| (hour % 3 != 0).then_some(hour * HOUR)).collect();
    let df = df!["row" => (0..60_i64).collect::<Vec<_>>(), "when" => when, "gap" => gap].expect("a frame");
    df.lazy().with_columns(["when", "gap"].map(|name| col(name).cast(dtype.clone()))).collect().expect("times")
}

fn bench() -> Bench {
    let mut bench = Bench::default();
    table_input(&mut bench, "t", frame(&pandas()));
    table_input(&mut bench, "u", frame(&pandas()));
    bench
}

fn stored(df: &DataFrame, name: &str) -> Vec<Option<i64>> {
    let whole = df.column(name).expect("there").to_physical_repr();
    whole.i64().expect("whole numbers").iter().collect()
}

fn codes(fields: &str) -> Vec<String> {
    findings::<Table>(&bench(), &format!("from = \"t\"\n{fields}")).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn rows_are_split_by_them() {
    let fields = "from = \"t\"\nparts = { train = 0.5, test = 0.5 }\ntime = \"when\"";
    let parts = run::<Split>(&bench(), fields).expect("split");
    let [test, train] = [&parts[0].1, &parts[1].1].map(|df| stored(df, "when"));
    assert_eq!((train.iter().max(), test.iter().min()), (Some(&Some(145 * HOUR)), Some(&Some(150 * HOUR))));
}

#[test]
fn they_are_encoded_as_times_of_their_zone() {
    let fields_of = |parts: &str| format!("fit = \"t\"\nfeatures.w = {{ time = \"when\", parts = [{parts}] }}");
    let encoded = |parts: &str, df: &DataFrame| -> Tensor {
        let spec: EncodeSpec = serde_json::from_value(fields(&fields_of(parts))).expect("a spec");
        let encoder = Encoder::fit(&spec, df).expect("fitted");
        encoder.apply(df, "t", false).expect("encoded").features["w"].clone()
    };
    let all = "\"month\", \"weekday\", \"hour\", \"time_of_day\", \"elapsed\"";
    let zoned = frame(&pandas());
    let micros = DataType::Datetime(TimeUnit::Microseconds, None);
    let plain = zoned.clone().lazy().with_column(col("when").cast(micros.clone())).collect().expect("times");
    assert_eq!(encoded(all, &zoned), encoded(all, &plain));
    bench().run::<Encode>(&fields_of(all)).expect("it runs");
    assert_eq!(bench().check::<Encode>(&fields_of(all)).1.len(), 0);
    // In January Paris is an hour ahead.
    let paris = DataType::Datetime(TimeUnit::Nanoseconds, TimeZone::opt_try_new(Some("Europe/Paris")).expect("a zone"));
    let paris = zoned.lazy().with_column(col("when").cast(paris)).collect().expect("times");
    let ahead = (col("when").cast(DataType::Int64) + lit(HOUR / 1_000)).cast(micros);
    let ahead = plain.lazy().with_column(ahead).collect().expect("times");
    let of_day = "\"hour\", \"time_of_day\", \"weekday\"";
    assert_eq!(encoded(of_day, &paris), encoded(of_day, &ahead));
}

#[test]
fn expectations_judge_them() {
    let metric = |check: &str| {
        let text = format!("from = \"t\"\nchecks.a = {check}");
        let (_, found) = bench().check::<Expect>(&text);
        assert!(found.is_empty(), "{found:?}");
        let metrics = bench().run::<Expect>(&text).expect("it runs").metrics;
        metrics.into_iter().find(|(name, _)| name.starts_with("a.")).expect("a metric").1
    };
    assert_eq!(metric("{ range = { when = { min = \"1970-01-02\", max = \"1970-01-10T04:00:00Z\" } } }"), 20.0);
    assert_eq!(metric("{ one_of = { when = [\"1970-01-01T05:00:00\", \"1970-01-01 01:00:00+01:00\"] } }"), 58.0);
    let age = metric("{ fresh = { column = \"when\", as_of = \"1970-01-14\", within_days = 1 } }");
    assert!((age - 17.0 / 24.0).abs() < 1e-9, "{age}");
}

#[test]
fn steps_fill_join_and_cast_them_without_a_loss() {
    let made = |steps: &str| {
        run::<Table>(&bench(), &format!("from = \"t\"\nsteps = [{steps}]")).map(|mut made| made.remove(0).1)
    };
    for (fill, wanted) in [("min", 5 * HOUR), ("max", 295 * HOUR), ("1970-01-01T00:00:00.25", HOUR / 14_400)] {
        let df = made(&format!("{{ fill = {{ gap = \"{fill}\" }} }}")).expect("filled");
        assert_eq!(*df.column("gap").expect("there").dtype(), pandas());
        assert_eq!(stored(&df, "gap")[0], Some(wanted), "{fill}");
    }
    assert_eq!(codes("steps = [{ fill = { gap = \"soon\" } }]"), ["E0136"]);
    let join =
        |more: &str| format!("{{ join = {{ with = \"u\", on = \"when\", how = \"asof\", tolerance = \"{more}\" }} }}");
    assert_eq!(made(&join("2h")).expect("joined").height(), 60);
    assert_eq!(codes(&format!("steps = [{}]", join("3"))), ["E0136"]);
    made("{ cast = { when = \"datetime\" } }").expect("whole hours are microseconds");
    let error = made("{ cast = { when = \"date\" } }").expect_err("hours would be lost");
    assert!(error.message.contains("column `when`: 57 of 60 values have no form as date"), "{}", error.message);
}

#[test]
fn they_are_drawn() {
    let bench = bench();
    let ports = run::<Profile>(&bench, "from = \"t\"").expect("it runs");
    let table = &ports[0].1;
    let cell = |name: &str| table.column(name).expect("there").get(1).expect("a row").str_value().into_owned();
    assert!(cell("min").starts_with("1970-01-01 00:00:00") && cell("max").starts_with("1970-01-13 07:00:00"));
    assert_eq!(cell("distinct"), "60");
    let metrics = String::from_utf8(bench.output("metrics")[0].1.clone()).expect("text");
    assert!(metrics.contains("\"repeated_rows\": 0.0"), "{metrics}");
}
