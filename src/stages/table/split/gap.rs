//! Rows before the border of a time split that are left out. A target that looks ahead knows, in the last rows of a part, what
//! happens in the time of the next one: in López de Prado's words those rows are purged.
//!
//! The borders stay where they are without a gap, and only rows before them go. A row whose distance to a border is the gap
//! itself goes too: what happens in the three days after the 1st happens on the 4th as well.

use super::super::columns::wrong_type;
use super::super::distance::Distance;
use super::spec::Spec;
use crate::diag::{codes, toml_key};
use crate::frame::{failed, from_polars};
use crate::numbers;
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::types::DType;
use polars::prelude::{Column, DataFrame, DataType, PolarsError, TimeUnit};

/// What a gap can be measured in.
const MEASURED: &str = "a column of dates, times or numbers";

const DAY: f64 = 86_400.0;

/// Whether values of this type lie some distance apart. Texts sort, and no more.
fn is_measured(dtype: &DType) -> bool {
    dtype.is_temporal() || dtype.is_numeric() || dtype.is_unknown()
}

/// What a gap has to be in a column of this type, where it is not that.
fn wanted(gap: &Distance, dtype: &DType) -> Option<&'static str> {
    let seconds = gap.length().filter(|_| gap.has_unit());
    match dtype {
        DType::Date if seconds.is_none_or(|seconds| seconds % DAY != 0.0) => Some("a number of days such as `90d`"),
        moment if moment.is_temporal() && seconds.is_none() => Some("a length of time such as `6h` or `90d`"),
        number if number.is_numeric() && gap.has_unit() => Some("a number, as the column holds"),
        _ => None,
    }
}

/// Reports a gap that no column could make right.
pub(super) fn check(spec: &Spec, cx: &mut CheckCx<'_>) {
    let Some(gap) = &spec.gap else { return };
    if spec.time.is_none() {
        cx.error(path!["gap"], codes::CONFLICT, "`gap` goes with `time` alone")
            .at_key()
            .label("no part comes before another");
    }
    match gap.length() {
        None => cx
            .error(path!["gap"], codes::OUT_OF_RANGE, format!("`{gap}` is no gap"))
            .label("neither a number nor a length of time")
            .hint("write whole `s`, `min`, `h`, `d` or `w`, as in `\"6h\"` or `\"90d\"`; three months are 92 days at most"),
        Some(_) if gap.parts().1 => cx
            .error(path!["gap"], codes::OUT_OF_RANGE, "a gap is not negative")
            .label("negative")
            .hint("it lies before the later part, and is written without a sign: `\"90d\"`"),
        Some(_) => return,
    };
}

/// Reports a gap of another form than the column of times, which is of this type.
pub(super) fn check_form(spec: &Spec, name: &str, dtype: &DType, cx: &mut CheckCx<'_>) {
    let Some(gap) = spec.gap.as_ref().filter(|gap| gap.length().is_some() && !gap.parts().1) else { return };
    if *dtype == DType::Str {
        wrong_type(cx, path!["time"], name, dtype, MEASURED)
            .related(path!["gap"], "measured in it")
            .hint(format!("cast it in a `table` stage before: `{{ cast = {{ {} = \"date\" }} }}`", toml_key(name)));
    } else if let Some(wanted) = wanted(gap, dtype) {
        cx.error(path!["gap"], codes::OUT_OF_RANGE, format!("`{gap}` is not {wanted}"))
            .label(format!("expected {wanted}"))
            .related(path!["time"], format!("a column of {dtype}"));
    }
}

/// Takes the rows out of each part that lie within the gap before the first time of the next part, and says how many of each;
/// none where there is no gap. No part is empty before.
pub(super) fn leave_out(
    spec: &Spec,
    df: &DataFrame,
    names: &[String],
    parts: &mut [Vec<u32>],
) -> Result<Option<Vec<usize>>, StageError> {
    let (Some(gap), Some(time)) = (&spec.gap, &spec.time) else { return Ok(None) };
    let column = df.column(time).map_err(|error| failed("read the column", &error))?;
    let times = Times::of(column, gap)?;
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|at| (spec.place_in_order(&names[*at]), *at));
    let mut left_out = vec![0; names.len()];
    for pair in order.windows(2) {
        let (part, next) = (pair[0], pair[1]);
        let Some(first) = parts[next].iter().copied().min_by(|a, b| times.compare(*a, *b)) else { continue };
        let before = parts[part].len();
        parts[part].retain(|row| !times.within(*row, first));
        left_out[part] = before - parts[part].len();
        if parts[part].is_empty() {
            return Err(all_within(gap, time, (names[part].as_str(), before), &names[next], &said(column, first)));
        }
    }
    Ok(Some(left_out))
}

fn all_within(gap: &Distance, time: &str, (part, rows): (&str, usize), next: &str, first: &str) -> StageError {
    StageError::data(format!("part `{part}` would have no rows"))
        .note(format!(
            "all its {} lie within {gap} before the first `{time}` of `{next}`, {first}, and are left out by `gap`",
            numbers::counted(rows, "row")
        ))
        .hint(format!("give `{part}` a larger share or the split a smaller `gap`, or split a larger table"))
        .at(path!["gap"])
}

/// A value as a message shows it.
fn said(column: &Column, row: u32) -> String {
    column.get(row as usize).map_or_else(|_| "(unknown)".to_owned(), |value| value.to_string())
}

/// Values whose distances can be told, by row.
enum Times {
    /// Whole numbers of a unit, and how many of them the gap has.
    Whole(Vec<i128>, i128),
    /// Floats, and the gap.
    Real(Vec<f64>, f64),
}

impl Times {
    fn of(column: &Column, gap: &Distance) -> Result<Self, StageError> {
        let dtype = from_polars(column.dtype());
        let wanted = if is_measured(&dtype) { wanted(gap, &dtype) } else { Some("measured in texts") };
        let (None, Some(length)) = (wanted, gap.length().filter(|length| *length >= 0.0)) else {
            let wanted = wanted.unwrap_or("a length of time or a number");
            return Err(StageError::data(format!("`{gap}` is not {wanted}")).at(path!["gap"]));
        };
        let fail = |error: PolarsError| failed("read the times", &error);
        let per = match column.dtype() {
            DataType::Float32 | DataType::Float64 => {
                let values = column.cast(&DataType::Float64).map_err(fail)?;
                return Ok(Self::Real(
                    values.f64().map_err(fail)?.iter().map(|v| v.unwrap_or(f64::NAN)).collect(),
                    length,
                ));
            }
            DataType::Date => 1.0 / DAY,
            DataType::Datetime(unit, _) | DataType::Duration(unit) => match unit {
                TimeUnit::Nanoseconds => 1e9,
                TimeUnit::Microseconds => 1e6,
                TimeUnit::Milliseconds => 1e3,
            },
            DataType::Time => 1e9,
            DataType::Decimal(_, scale) => 10_f64.powi(*scale as i32),
            _ => 1.0,
        };
        let values = column.to_physical_repr().cast(&DataType::Int128).map_err(fail)?;
        let values = values.i128().map_err(fail)?.iter().map(Option::unwrap_or_default).collect();
        Ok(Self::Whole(values, whole(length * per)))
    }

    fn compare(&self, a: u32, b: u32) -> std::cmp::Ordering {
        match self {
            Self::Whole(values, _) => values[a as usize].cmp(&values[b as usize]),
            Self::Real(values, _) => values[a as usize].total_cmp(&values[b as usize]),
        }
    }

    /// Whether a row lies within the gap before the first row of the next part.
    fn within(&self, row: u32, first: u32) -> bool {
        match self {
            Self::Whole(values, gap) => values[first as usize].saturating_sub(values[row as usize]) <= *gap,
            Self::Real(values, gap) => values[row as usize] + gap >= values[first as usize],
        }
    }
}

/// The whole units of a length, of which 0.29 of hundredths (28.999999999999996) are 29.
fn whole(length: f64) -> i128 {
    let nearest = length.round();
    let is_whole = (length - nearest).abs() <= 1e-9 * length.max(1.0);
    (if is_whole { nearest } else { length.floor() }) as i128
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{findings, run, table_input};
    use super::super::Split;
    use super::*;
    use crate::stage::testing::Bench;
    use polars::prelude::*;
    use std::collections::BTreeMap;

    const TWO: &str = "from = \"t\"\nparts = { train = 0.5, test = 0.5 }\ntime = \"at\"";
    const MICROS: DataType = DataType::Datetime(TimeUnit::Microseconds, None);

    /// A hundred rows in no order, whose time is `step` times their number from 0 to 99, two rows to each number.
    fn bench(dtype: &DataType, step: i64) -> Bench {
        let numbers: Vec<i64> = (0..200).map(|row| row * 37 % 100).collect();
        let at: Vec<i64> = numbers.iter().map(|number| number * step).collect();
        let df = df!["number" => numbers, "at" => at, "text" => vec!["2024-01-01"; 200]].expect("a frame");
        let df = df.lazy().with_column(col("at").cast(dtype.clone())).collect().expect("times");
        let mut bench = Bench::default();
        table_input(&mut bench, "t", df);
        bench
    }

    /// The first and the last number of each part, and how many rows it has.
    fn parts(bench: &Bench, fields: &str) -> BTreeMap<String, (i64, i64, usize)> {
        let of = |(name, df): (String, DataFrame)| {
            let numbers = df.column("number").expect("there").i64().expect("whole numbers").clone();
            (name, (numbers.min().expect("a row"), numbers.max().expect("a row"), df.height()))
        };
        run::<Split>(bench, fields).expect("split").into_iter().map(of).collect()
    }

    fn train(dtype: &DataType, step: i64, gap: &str) -> (i64, i64, usize) {
        let parts = parts(&bench(dtype, step), &format!("{TWO}\ngap = {gap}"));
        assert_eq!(parts["test"], (50, 99, 100), "the later part stays as it is");
        parts["train"]
    }

    #[test]
    fn rows_within_the_gap_before_the_next_part_are_in_none() {
        // The first time of `test` is 50: ten before it is 40, which goes too.
        for (dtype, step, gap) in [
            (DataType::Int32, 1, "10"),
            (DataType::UInt8, 1, "10"),
            (DataType::Int64, -3, "0"),
            (DataType::Float64, 1, "10"),
            (DataType::Float32, 1, "10.5"),
            (DataType::Decimal(20, 2), 1, "10.00"),
            (DataType::Date, 1, "\"10d\""),
            (MICROS, 3_600_000_000, "\"10h\""),
            (DataType::Datetime(TimeUnit::Milliseconds, None), 86_400_000, "\"10d\""),
            (DataType::Datetime(TimeUnit::Nanoseconds, None), 604_800_000_000_000, "\"10w\""),
            (DataType::Duration(TimeUnit::Microseconds), 1_000, "\"10ms\""),
            (DataType::Time, 60_000_000_000, "\"10min\""),
        ] {
            if step < 0 {
                let parts = parts(&bench(&dtype, step), &format!("{TWO}\ngap = {gap}"));
                assert_eq!((parts["train"], parts["test"]), ((50, 99, 100), (0, 49, 100)), "no gap, no row less");
                continue;
            }
            assert_eq!(train(&dtype, step, gap), (0, 39, 80), "{dtype} {gap}");
        }
        assert_eq!(train(&MICROS, 3_600_000_000, "\"599min\""), (0, 40, 82));
        assert_eq!(train(&DataType::Int64, 2, "7.5"), (0, 46, 94));
        assert_eq!(train(&DataType::Date, 1, "\"0d\""), (0, 49, 100));
    }

    #[test]
    fn each_part_but_the_last_loses_rows_and_the_stage_says_how_many() {
        let bench = bench(&DataType::Date, 1);
        let fields = "from = \"t\"\nparts = { train = 0.5, val = 0.25, test = 0.25 }\ntime = \"at\"\ngap = \"5d\"";
        let found = parts(&bench, fields);
        assert_eq!((found["train"], found["val"], found["test"]), ((0, 44, 90), (50, 69, 40), (75, 99, 50)));
        let produced = bench.run::<Split>(fields).expect("split");
        let start = "train 90 · val 40 · test 50, in the order of at, 20 rows left out by the gap of 5d";
        assert!(produced.summary.starts_with(start), "{}", produced.summary);
        let left_out = ["train", "val", "test"].map(|part| produced.metrics[&format!("left_out.{part}")]);
        assert_eq!(left_out, [10.0, 10.0, 0.0]);
        let without = bench.run::<Split>(TWO).expect("split");
        assert!(!without.summary.contains("left out") && !without.metrics.contains_key("left_out.train"));
    }

    #[test]
    fn a_part_that_the_gap_leaves_nothing_of_is_an_error() {
        let bench = bench(&DataType::Date, 1);
        let error = bench.run::<Split>(&format!("{TWO}\ngap = \"50d\"")).expect_err("all of train goes");
        assert_eq!(error.message, "part `train` would have no rows");
        let note =
            "all its 100 rows lie within 50d before the first `at` of `test`, 1970-02-20, and are left out by `gap`";
        assert_eq!(error.notes, [note]);
        bench.run::<Split>(&format!("{TWO}\ngap = \"49d\"")).expect("the first day stays");
    }

    #[test]
    fn a_gap_that_cannot_be_measured_is_told_before_anything_runs() {
        let codes = |dtype: &DataType, fields: &str| -> Vec<String> {
            findings::<Split>(&bench(dtype, 1), fields).into_iter().map(|(code, _)| code).collect()
        };
        let with = |gap: &str| format!("{TWO}\ngap = {gap}");
        for (dtype, wrong) in [
            (DataType::Date, vec!["90", "\"90\"", "\"36h\"", "\"3mo\"", "\"-3d\"", "\"\""]),
            (MICROS, vec!["90", "1.5", "\"1.5h\"", "\"soon\""]),
            (DataType::Int64, vec!["\"90d\"", "-1"]),
            (DataType::Float64, vec!["\"6h\""]),
        ] {
            for gap in wrong {
                assert_eq!(codes(&dtype, &with(gap)), ["E0136"], "{dtype} {gap}");
            }
        }
        for (dtype, right) in [(DataType::Date, "\"48h\""), (MICROS, "\"90 d\""), (DataType::Int64, "\"90\"")] {
            assert!(codes(&dtype, &with(right)).is_empty(), "{dtype} {right}");
        }
        assert_eq!(codes(&DataType::Date, &with("\"90d\"").replace("\"at\"", "\"text\"")), ["E0214"]);
        let alone = "from = \"t\"\nparts = { train = 0.5, test = 0.5 }\ngap = \"90d\"";
        assert_eq!(codes(&DataType::Date, alone), ["E0135"]);
    }

    #[test]
    fn a_length_is_as_many_units_as_are_written() {
        for (length, wanted) in [(0.29 * 100.0, 29), (1.5, 1), (0.0, 0), (7_776_000.0 * (1.0 / DAY), 90)] {
            assert_eq!(whole(length), wanted, "{length}");
        }
    }
}
