//! Rows for the missing places of a regular sequence: a month without sales is a month all the same.

use super::super::columns::{OneOrMany, column, wrong_type};
use super::super::distance::Distance;
use super::super::scalar::Scalar;
use super::{Rule, Tables};
use crate::diag::codes;
use crate::frame::{FloatSums, from_polars, to_polars};
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row for each missing place of a sequence, from each group's first value to its last; its other columns are missing. Rows
/// come sorted by `by` and `order`; those that are equal in both all stay, in their order.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Complete {
    /// The columns whose values make a group, which has a sequence of its own; all rows are one group without it.
    #[serde(default)]
    pub by: OneOrMany,
    /// The column of the sequence: whole numbers, dates or datetimes (without a time zone). No value is missing.
    pub order: String,
    /// How far its places lie apart, counted from the group's first value: a whole number, or for dates and times whole `us`,
    /// `ms`, `s`, `min`, `h`, `d`, `w`, `mo` (months) or `y` (years), as in `"1mo"`. A month without the day of the first
    /// value has its last day; where all values of a group are last days of their months, all its places are. A value between
    /// two places is an error.
    pub every: Scalar,
}

/// What the column of a sequence holds.
const SEQUENCE: &str = "a column of whole numbers, dates or datetimes";

const DAY: i64 = 86_400_000_000;

/// More rows than this are a mistake in `every`, and would fill the memory.
const MOST_ADDED: i128 = 100_000_000;

/// What lies between two places.
#[derive(Clone, Copy)]
enum Stride {
    /// So many units of the column.
    Units(i128),
    /// So many months.
    Months(i64),
}

impl Complete {
    /// The stride in a column of this type; `Err` says what is needed there.
    fn stride(&self, dtype: &DataType) -> Result<Stride, &'static str> {
        let wanted = match dtype {
            DataType::Date => "whole days, weeks, months or years such as `1d` or `1mo`",
            DataType::Datetime(..) => "a length of time such as `1h`, `1d` or `1mo` that the column can count",
            _ => "a positive whole number",
        };
        let per_second = match dtype {
            DataType::Date => 1.0 / 86_400.0,
            DataType::Datetime(unit, _) => per_second(*unit),
            _ => {
                return match self.every {
                    Scalar::Int(step) if step > 0 => Ok(Stride::Units(step.into())),
                    _ => Err(wanted),
                };
            }
        };
        let Scalar::Text(text) = &self.every else { return Err(wanted) };
        let text = text.trim();
        let in_months = [("mo", 1), ("y", 12)].iter().find_map(|(unit, months)| {
            let number: i64 = text.strip_suffix(unit)?.trim().parse().ok()?;
            number.checked_mul(*months)
        });
        if let Some(months) = in_months {
            return if (1..=120_000).contains(&months) { Ok(Stride::Months(months)) } else { Err(wanted) };
        }
        let every = Distance::from(text);
        let units = every.length().filter(|_| every.has_unit()).map(|seconds| seconds * per_second).ok_or(wanted)?;
        let is_whole = units >= 0.5 && (units - units.round()).abs() < 1e-9 * units;
        if is_whole { Ok(Stride::Units(units.round() as i128)) } else { Err(wanted) }
    }

    /// A condition that holds of every row, of the columns that the step looks at.
    fn every_row(&self) -> Expr {
        let by: Vec<Expr> = self.by.0.iter().map(|name| col(name.as_str())).collect();
        let holds = |columns: &mut [Column]| {
            Ok(BooleanChunked::full(columns[0].name().clone(), true, columns[0].len()).into_column())
        };
        col(self.order.as_str())
            .map_many(holds, &by, |_, fields| Ok(Field::new(fields[0].name().clone(), DataType::Boolean)))
    }

    fn complete(&self, df: &DataFrame) -> PolarsResult<DataFrame> {
        let names: Vec<&str> = self.by.0.iter().map(String::as_str).chain([self.order.as_str()]).collect();
        let df = df.sort(names, SortMultipleOptions::default().with_maintain_order(true))?;
        let order = df.column(&self.order)?;
        if order.null_count() > 0 {
            polars_bail!(ComputeError: "column `{}` is missing in some rows, which have no place in a sequence", self.order);
        }
        let dtype = order.dtype();
        let stride =
            self.stride(dtype).map_err(|wanted| polars_err!(ComputeError: "`{}` is not {wanted}", self.every))?;
        let values = whole(order)?;
        let begins = self.begins(&df)?;
        let mut made = Made::default();
        let mut from = 0;
        let ends = (1..values.len()).filter(|row| begins[*row]).chain((!values.is_empty()).then_some(values.len()));
        for to in ends {
            if let Some((row, place)) = made.group(&values, from..to, stride, dtype)? {
                return Err(self.off(&df, row, from, place));
            }
            from = to;
        }
        made.table(&df, self)
    }

    /// Whether a group begins with a row.
    fn begins(&self, df: &DataFrame) -> PolarsResult<Vec<bool>> {
        let mut begins = vec![false; df.height()];
        for name in &self.by.0 {
            let column = df.column(name)?;
            let differs = column.not_equal_missing(&column.shift(1))?;
            begins.iter_mut().zip(differs.iter()).for_each(|(begins, differs)| *begins |= differs == Some(true));
        }
        Ok(begins)
    }

    fn off(&self, df: &DataFrame, row: usize, first: usize, place: usize) -> PolarsError {
        let said = |name: &str, row: usize| {
            df.column(name).and_then(|column| column.get(row).map(|value| value.to_string())).unwrap_or_default()
        };
        let group: Vec<String> = self.by.0.iter().map(|name| format!("`{name}` {}", said(name, row))).collect();
        let group = if group.is_empty() { String::new() } else { format!(" of {}", group.join(", ")) };
        let places = crate::numbers::counted(place, "place");
        polars_err!(ComputeError:
            "{} in `{}`{group} does not lie on the sequence from {} by {}: it comes after {places} and before the next",
            said(&self.order, row), self.order, said(&self.order, first), self.every
        )
    }
}

/// The rows of the completed table: of which row each is, and of which its group's columns are.
#[derive(Default)]
struct Made {
    added: usize,
    rows: Vec<Option<IdxSize>>,
    groups: Vec<IdxSize>,
    values: Vec<i128>,
}

impl Made {
    fn push(&mut self, row: Option<usize>, first: usize, value: i128) {
        self.rows.push(row.map(|row| row as IdxSize));
        self.groups.push(first as IdxSize);
        self.values.push(value);
    }

    /// Adds the rows of a group; gives its first row that lies on no place, and how many places come before it.
    fn group(
        &mut self,
        values: &[i128],
        rows: std::ops::Range<usize>,
        stride: Stride,
        dtype: &DataType,
    ) -> PolarsResult<Option<(usize, usize)>> {
        let first = rows.start;
        let places = Places::of(&values[rows.clone()], stride, dtype)?;
        let (mut count, mut last) = (0, None);
        for row in rows {
            let value = values[row];
            if last != Some(value) {
                let mut place = places.at(count)?;
                let missing = if let Stride::Units(units) = stride { (value - place) / units } else { 1 };
                if self.added as i128 + missing > MOST_ADDED {
                    polars_bail!(ComputeError: "more than 100,000,000 rows would be added: is `every` too short?");
                }
                // A value between two places fails the step, so what was added before it is never seen.
                while place < value {
                    self.added += 1;
                    self.push(None, first, place);
                    count += 1;
                    place = places.at(count)?;
                }
                if place != value {
                    return Ok(Some((row, count)));
                }
                count += 1;
                last = Some(value);
            }
            self.push(Some(row), first, value);
        }
        Ok(None)
    }

    fn table(self, df: &DataFrame, complete: &Complete) -> PolarsResult<DataFrame> {
        let rows: IdxCa = self.rows.into_iter().collect();
        let groups = IdxCa::from_vec("".into(), self.groups);
        let height = groups.len();
        let values = Int128Chunked::from_vec(complete.order.as_str().into(), self.values).into_series();
        let mut columns = Vec::with_capacity(df.width());
        for column in df.columns() {
            let name = column.name().as_str();
            columns.push(if name == complete.order {
                let stored = column.to_physical_repr().dtype().clone();
                values.cast(&stored)?.cast(column.dtype())?.into_column()
            } else if complete.by.0.iter().any(|by| by == name) {
                column.take(&groups)?
            } else {
                column.take(&rows)?
            });
        }
        DataFrame::new(height, columns)
    }
}

/// The places of a group's sequence.
struct Places<'a> {
    first: i128,
    stride: Stride,
    dtype: &'a DataType,
    /// Last days of months are the days before first ones, which every month has.
    ends: bool,
}

impl<'a> Places<'a> {
    fn of(values: &[i128], stride: Stride, dtype: &'a DataType) -> PolarsResult<Self> {
        let mut ends = matches!(stride, Stride::Months(_));
        for value in values {
            ends = ends && is_last_day(micros(*value, dtype))?;
        }
        Ok(Self { first: values.first().copied().unwrap_or_default(), stride, dtype, ends })
    }

    fn at(&self, number: usize) -> PolarsResult<i128> {
        match self.stride {
            Stride::Units(units) => Ok(self.first.saturating_add(units.saturating_mul(number as i128))),
            Stride::Months(months) => {
                let day = if self.ends { DAY } else { 0 };
                let first = micros(self.first, self.dtype);
                let by = Duration::try_parse("1mo")? * months.saturating_mul(number as i64);
                let moved = by.add_us(first.saturating_add(day), None)? - day;
                // What is finer than a microsecond stays as it is.
                let rest = self.first - stored(first, self.dtype);
                Ok(stored(moved, self.dtype) + rest)
            }
        }
    }
}

/// Whether a moment, in microseconds, lies in the last day of its month.
fn is_last_day(moment: i64) -> PolarsResult<bool> {
    let next = moment.saturating_add(DAY);
    Ok(next - Duration::try_parse("1mo")?.truncate_us(next, None)? < DAY)
}

fn per_second(unit: TimeUnit) -> f64 {
    match unit {
        TimeUnit::Nanoseconds => 1e9,
        TimeUnit::Microseconds => 1e6,
        TimeUnit::Milliseconds => 1e3,
    }
}

/// A stored date or datetime in microseconds.
fn micros(value: i128, dtype: &DataType) -> i64 {
    let micros = match dtype {
        DataType::Date => value * i128::from(DAY),
        DataType::Datetime(TimeUnit::Nanoseconds, _) => value.div_euclid(1_000),
        DataType::Datetime(TimeUnit::Milliseconds, _) => value * 1_000,
        _ => value,
    };
    micros as i64
}

/// Microseconds as a date or datetime is stored.
fn stored(micros: i64, dtype: &DataType) -> i128 {
    let micros = i128::from(micros);
    match dtype {
        DataType::Date => micros.div_euclid(DAY.into()),
        DataType::Datetime(TimeUnit::Nanoseconds, _) => micros * 1_000,
        DataType::Datetime(TimeUnit::Milliseconds, _) => micros.div_euclid(1_000),
        _ => micros,
    }
}

fn whole(column: &Column) -> PolarsResult<Vec<i128>> {
    let values = column.to_physical_repr().cast(&DataType::Int128)?;
    Ok(values.i128()?.iter().map(Option::unwrap_or_default).collect())
}

impl Rule for Complete {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let place = |field: &str| -> Path { [at.clone(), vec![field.into()]].concat() };
        for (name, at) in self.by.with_paths(&place("by")) {
            if name == self.order {
                cx.error(at, codes::CONFLICT, format!("`{name}` makes the groups and their sequence"))
                    .label("the column of `order`")
                    .related(place("order"), "named here too");
            } else if let Some(dtype) = column(&input, name, at.clone(), cx).filter(|dtype| dtype.is_nested()) {
                wrong_type(cx, at, name, &dtype, "a column of single values");
            }
        }
        let Some(dtype) = column(&input, &self.order, place("order"), cx) else { return input };
        if dtype.is_unknown() {
            return input;
        }
        let Some(known) = to_polars(&dtype).filter(is_sequence) else {
            let remedy = match dtype {
                DType::Str => Some("cast it in a step before: `{ cast = { … = \"date\" } }`"),
                ref moment if moment.is_datetime() => {
                    Some("`{ cast = { … = \"datetime\" } }` makes it the moment in UTC")
                }
                _ => None,
            };
            let remedy = remedy.map(|remedy| remedy.replace('…', &crate::diag::toml_key(&self.order)));
            wrong_type(cx, place("order"), &self.order, &dtype, SEQUENCE).maybe_hint(remedy);
            return input;
        };
        if let Err(wanted) = self.stride(&known) {
            cx.error(place("every"), codes::OUT_OF_RANGE, format!("`{}` is not {wanted}", self.every))
                .label(format!("expected {wanted}"))
                .related(place("order"), format!("a column of {}", from_polars(&known)));
        }
        input
    }

    fn apply(&self, lf: LazyFrame, _: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let step = self.clone();
        // Columns that nobody uses need not be there, but those that it looks at must: the filter behind it names them.
        let pushed = AllowedOptimizations::PROJECTION_PUSHDOWN;
        Ok(lf.map(move |df| step.complete(&df), pushed, None, Some("complete")).filter(self.every_row()))
    }
}

fn is_sequence(dtype: &DataType) -> bool {
    dtype.is_integer() || matches!(dtype, DataType::Date | DataType::Datetime(_, None))
}

#[cfg(test)]
mod tests {
    use super::super::super::stepwise::Table;
    use super::super::super::testing::{findings, run, table_input};
    use crate::stage::StageError;
    use crate::stage::testing::Bench;
    use polars::prelude::*;

    /// Sales of two shops, whose months, days and hours are texts here.
    fn bench(at: &[&str], dtype: &DataType) -> Bench {
        let shops: Vec<&str> = (0..at.len()).map(|row| if row < 3 { "B" } else { "A" }).collect();
        let sales: Vec<i64> = (0..at.len() as i64).collect();
        let df = df!["sales" => sales, "shop" => shops, "at" => at].expect("a frame");
        let df = df.lazy().with_column(col("at").strict_cast(dtype.clone())).collect().expect("a column");
        let mut bench = Bench::default();
        table_input(&mut bench, "t", df);
        bench
    }

    fn complete(bench: &Bench, fields: &str) -> Result<Vec<String>, StageError> {
        let mut made = run::<Table>(bench, &format!("from = \"t\"\nsteps = [{{ complete = {{ {fields} }} }}]"))?;
        let df = made.remove(0).1.lazy().with_column(col("at").cast(DataType::String)).collect().expect("texts");
        assert_eq!(df.get_column_names(), ["sales", "shop", "at"]);
        let row = |row: usize| {
            let values = df.get_row(row).expect("a row").0;
            let said = |value: &AnyValue<'_>| if value.is_null() { "-".to_owned() } else { value.to_string() };
            values.iter().map(said).collect::<Vec<_>>().join(" ").replace('"', "")
        };
        Ok((0..df.height()).map(row).collect())
    }

    const BY_SHOP: &str = "by = \"shop\", order = \"at\"";

    #[test]
    fn months_between_the_first_and_the_last_of_each_group_are_added() {
        let bench = bench(&["2024-04-01", "2024-01-01", "2024-01-01", "2023-12-01", "2024-01-01"], &DataType::Date);
        let made = complete(&bench, &format!("{BY_SHOP}, every = \"1mo\"")).expect("completed");
        let wanted = [
            "3 A 2023-12-01",
            "4 A 2024-01-01",
            "1 B 2024-01-01",
            "2 B 2024-01-01",
            "- B 2024-02-01",
            "- B 2024-03-01",
            "0 B 2024-04-01",
        ];
        assert_eq!(made, wanted);
        let made = complete(&bench, "order = \"at\", every = \"1mo\"").expect("one group");
        assert_eq!(made[4..6], ["- - 2024-02-01", "- - 2024-03-01"]);
    }

    #[test]
    fn a_month_has_the_day_of_the_first_or_its_last() {
        let at = |at: &[&str], every: &str| {
            let made = complete(&bench(at, &DataType::Date), &format!("{BY_SHOP}, every = \"{every}\""));
            made.map(|rows| rows.iter().map(|row| row[4..].to_owned()).collect::<Vec<_>>())
        };
        let days = at(&["2024-01-30", "2024-03-30"], "1mo").expect("the 30th");
        assert_eq!(days, ["2024-01-30", "2024-02-29", "2024-03-30"]);
        let days = at(&["2023-02-28", "2023-05-31"], "1mo").expect("last days");
        assert_eq!(days, ["2023-02-28", "2023-03-31", "2023-04-30", "2023-05-31"]);
        assert_eq!(at(&["2020-02-29", "2022-02-28"], "1y").expect("years")[1], "2021-02-28");
        assert_eq!(at(&["2024-01-01", "2024-01-15"], "1w").expect("weeks")[1], "2024-01-08");
    }

    #[test]
    fn hours_and_numbers_have_sequences_too() {
        let micros = DataType::Datetime(TimeUnit::Microseconds, None);
        let hours = bench(&["2024-01-01T22:30:00", "2024-01-02T01:30:00"], &micros);
        let made = complete(&hours, &format!("{BY_SHOP}, every = \"90min\"")).expect("completed");
        assert_eq!(made.len(), 3);
        assert!(made[1].starts_with("- B 2024-01-02 00:00:00"), "{made:?}");
        for dtype in [DataType::Int64, DataType::Int8, DataType::UInt32] {
            let made = complete(&bench(&["7", "1"], &dtype), "order = \"at\", every = 2").expect("completed");
            assert_eq!(made, ["1 B 1", "- - 3", "- - 5", "0 B 7"], "{dtype}");
        }
    }

    #[test]
    fn a_value_between_two_places_is_an_error() {
        let bench = bench(&["2024-01-01", "2024-03-02"], &DataType::Date);
        let error = complete(&bench, &format!("{BY_SHOP}, every = \"1mo\"")).expect_err("the 2nd is no 1st");
        let wanted = "2024-03-02 in `at` of `shop` \"B\" does not lie on the sequence from 2024-01-01 by 1mo";
        assert!(error.message.contains(wanted), "{}", error.message);
    }

    #[test]
    fn what_is_no_sequence_is_told_before_anything_runs() {
        let codes = |dtype: &DataType, fields: &str| -> Vec<String> {
            let mut typed = Bench::default();
            let df = df!["shop" => ["A", "B"], "at" => [1_i64, 2]].expect("a frame");
            let df = df.lazy().with_column(col("at").cast(dtype.clone())).collect().expect("a column");
            table_input(&mut typed, "t", df);
            let found = findings::<Table>(&typed, &format!("from = \"t\"\nsteps = [{{ complete = {{ {fields} }} }}]"));
            found.into_iter().map(|(code, _)| code).collect()
        };
        let every = |every: &str| format!("{BY_SHOP}, every = {every}");
        for (dtype, wrong) in [
            (DataType::Date, vec!["1", "\"6h\"", "\"month\"", "\"0d\"", "\"-1mo\"", "\"0.5mo\""]),
            (DataType::Datetime(TimeUnit::Milliseconds, None), vec!["1", "\"1us\"", "true"]),
            (DataType::Int64, vec!["0", "-1", "0.5", "\"1d\""]),
        ] {
            for text in wrong {
                assert_eq!(codes(&dtype, &every(text)), ["E0136"], "{dtype} {text}");
            }
        }
        for dtype in [DataType::Float64, DataType::String, DataType::Duration(TimeUnit::Microseconds)] {
            assert_eq!(codes(&dtype, &every("1")), ["E0214"], "{dtype}");
        }
        assert_eq!(codes(&DataType::Int64, "by = \"at\", order = \"at\", every = 1"), ["E0135"]);
        assert_eq!(codes(&DataType::Int64, "by = \"shp\", order = \"a\", every = 1"), ["E0213", "E0213"]);
    }
}
