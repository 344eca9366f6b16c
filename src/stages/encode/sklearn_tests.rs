//! Every encoding of tables against scikit-learn's figures for the same rows: `tests/data/sklearn/encode.py` makes them.

use super::{EncodeSpec, Encoded, Encoder, TensorData};
use crate::stage::testing::fields;
use polars::prelude::*;

/// A feature, and what scikit-learn makes of the rows that are shown.
#[derive(serde::Deserialize)]
struct Case {
    name: String,
    feature: String,
    target: Option<String>,
    training: bool,
    /// The rows are the target's, not the feature's.
    #[serde(default)]
    of_target: bool,
    rows: Vec<Vec<f64>>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../tests/data/sklearn/encode.json")).expect("the figures")
}

/// The penguins, with an order of their own and a moment each.
fn penguins() -> DataFrame {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/penguins.csv");
    let nulls = NullValues::AllColumnsSingle("NA".into());
    let options = CsvReadOptions::default().with_infer_schema_length(None);
    let options = options.map_parse_options(|parse| parse.with_null_values(Some(nulls.clone())));
    let mut frame =
        options.try_into_reader_with_file_path(Some(path.into())).expect("a reader").finish().expect("a table");
    let rows = frame.height() as i64;
    // 2007-11-11 05:00, and then 219 hours 59 minutes from row to row.
    let start = 1_194_757_200_000_000_i64;
    let when: Vec<i64> = (0..rows).map(|row| start + row * 197 * 67 * 60_000_000).collect();
    let when =
        Series::new("when".into(), when).cast(&DataType::Datetime(TimeUnit::Microseconds, None)).expect("moments");
    let place: Vec<i64> = (0..rows).map(|row| row * 37 % rows).collect();
    frame.with_column(Column::new("place".into(), place)).expect("a column");
    frame.with_column(when.into_column()).expect("a column");
    with_more(frame, start)
}

/// Whether a penguin is heavy, and its bill long; a moment that some lack; its day and time of day alone; lists of numbers, some empty, some missing.
fn with_more(frame: DataFrame, start: i64) -> DataFrame {
    let rows = frame.height() as i64;
    let moment = |row: i64| (row % 5 != 2).then(|| start + row * (197 * 67 * 60_000_000 + 977_250_000));
    let steps = |row: i64| {
        let steps: Vec<f64> = (0..row % 5).map(|step| row as f64 * 0.5 - 3.0 * step as f64).collect();
        (row % 11 != 3).then(|| Series::new("".into(), steps))
    };
    let moments = Series::new("moment".into(), (0..rows).map(moment).collect::<Vec<_>>());
    let lists = Series::new("steps".into(), (0..rows).map(steps).collect::<Vec<_>>());
    let more = frame.lazy().with_columns([
        col("body_mass_g").gt(lit(4000)).alias("heavy"),
        col("bill_length_mm").gt(lit(44)).alias("long"),
        col("when").cast(DataType::Date).alias("day"),
        col("when").cast(DataType::Time).alias("clock"),
        lit(moments).cast(DataType::Datetime(TimeUnit::Microseconds, None)).alias("moment"),
        lit(lists).alias("steps"),
    ]);
    more.collect().expect("columns")
}

fn kept(frame: &DataFrame, keep: impl Fn(usize) -> bool) -> DataFrame {
    let mask: BooleanChunked = (0..frame.height()).map(|row| Some(keep(row))).collect();
    frame.filter(&mask).expect("rows")
}

fn rows(encoded: &Encoded, of_target: bool) -> Vec<Vec<f64>> {
    let target = encoded.targets.values().next().filter(|_| of_target);
    let tensor = target.unwrap_or(&encoded.features["x"]);
    let width: usize = tensor.shape[1..].iter().product();
    let values: Vec<f64> = match &tensor.data {
        TensorData::F32(values) => values.iter().map(|value| f64::from(*value)).collect(),
        TensorData::I64(values) => values.iter().map(|value| *value as f64).collect(),
        other => panic!("{other:?}"),
    };
    values.chunks(width.max(1)).map(<[f64]>::to_vec).collect()
}

#[test]
fn every_encoding_gives_the_figures_of_scikit_learn() {
    let all = penguins();
    let mut wrong = Vec::new();
    for case in cases() {
        let target = case.target.iter().map(|target| format!("\ntarget.{target}")).collect::<String>();
        let spec: EncodeSpec =
            serde_json::from_value(fields(&format!("fit = 't'\nfeatures.x = {}{target}", case.feature)))
                .expect("a spec");
        let mut training = kept(&all, |row| row % 3 != 0);
        let mut shown = all.clone();
        if case.target.is_some() {
            let weighed = |frame: &DataFrame| frame.column("body_mass_g").expect("a column").is_not_null();
            (training, shown) =
                (training.filter(&weighed(&training)).expect("rows"), shown.filter(&weighed(&shown)).expect("rows"));
        }
        let encoder = Encoder::fit(&spec, &training).unwrap_or_else(|error| panic!("{}: {}", case.name, error.message));
        let encoded = match case.training {
            true => encoder.apply_training(&training, "t"),
            false => encoder.apply(&shown, "t", case.of_target),
        };
        let encoded = encoded.unwrap_or_else(|error| panic!("{}: {}", case.name, error.message));
        let found = rows(&encoded, case.of_target);
        assert_eq!(found.len().div_ceil(6), case.rows.len(), "{}", case.name);
        let differences = found.iter().step_by(6).zip(&case.rows).enumerate().filter(|(_, (found, expected))| {
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 2e-6 * b.abs().max(1.0);
            found.len() != expected.len() || !found.iter().zip(*expected).all(near)
        });
        let first =
            differences.map(|(row, (found, expected))| format!("{} row {row}: {found:?}, not {expected:?}", case.name));
        wrong.extend(first.take(1));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_encoder_read_from_its_file_encodes_the_same() {
    let all = penguins();
    let weighed = all.filter(&all.column("body_mass_g").expect("a column").is_not_null()).expect("rows");
    for case in cases() {
        let target = case.target.iter().map(|target| format!("\ntarget.{target}")).collect::<String>();
        let spec: EncodeSpec =
            serde_json::from_value(fields(&format!("fit = 't'\nfeatures.x = {}{target}", case.feature)))
                .expect("a spec");
        let encoder = Encoder::fit(&spec, &weighed).expect("fitted");
        let text = serde_json::to_string(&encoder).expect("text");
        let read: Encoder = serde_json::from_str(&text).expect("read");
        assert_eq!(read, encoder, "{}", case.name);
        assert_eq!(
            read.apply(&weighed, "t", true).expect("encoded"),
            encoder.apply(&weighed, "t", true).expect("encoded")
        );
        assert_eq!(
            read.dataset_type(None, true).features[0].shape.sizes().map(|sizes| sizes.len()),
            Some(encoder.apply(&weighed, "t", true).expect("encoded").features["x"].shape.len() - 1),
            "{}",
            case.name
        );
    }
}
