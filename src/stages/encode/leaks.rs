//! Columns among the features that determine the target: a model that sees one is shown the answer.
//!
//! A column determines the target if all training rows of each of its values have the same target, and that cannot be chance or
//! trivial: the values repeat, or, where they hardly do, their order alone tells the targets apart. `docs/design-notes.md` says
//! why the rules are these.

use super::labels::column;
use super::{EncodeSpec, Encoder, FittedTarget};
use crate::diag::list;
use crate::frame::same_rows;
use crate::numbers::{count, counted};
use crate::path;
use crate::stage::{RunCx, StageError};
use crate::stages::table::split::Leaks;
use crate::types::Task;
use polars::prelude::*;
use std::collections::BTreeMap;

/// A value that stands in so many rows repeats.
const REPEATS: usize = 5;
/// Values of the target as a number, in the order of a column, that are no chance.
const ORDERED: usize = 20;
/// Columns are compared in so many rows first: hardly any determines a target there that does not elsewhere.
const FIRST: usize = 1000;
/// Columns that a message tells of.
const TOLD: usize = 3;

/// Looks for columns of the features that determine a target in the training table; warns of them, or fails.
pub(super) fn look(spec: &EncodeSpec, encoder: &Encoder, frame: &DataFrame, cx: &RunCx<'_>) -> Result<(), StageError> {
    if spec.leaks == Some(Leaks::Ignore) {
        return Ok(());
    }
    let mut features: BTreeMap<&str, &str> = BTreeMap::new();
    for (column, feature, _) in encoder.columns() {
        if spec.features.get(feature).is_some_and(|feature| feature.shows_its_row()) {
            features.entry(column).or_insert(feature);
        }
    }
    for target in encoder.targets.iter().filter(|target| !target.task.is_tokens()) {
        let values = Values::of(frame, target)?;
        let mut found = Vec::new();
        for (name, feature) in &features {
            cx.check_cancelled()?;
            if let Some(how) = values.determined_by(column(frame, name)?)? {
                found.push((*name, *feature, how.told(target)));
            }
        }
        report(spec, target, frame.height(), &found, cx)?;
    }
    Ok(())
}

/// Tells of the columns found: name, feature, and how they determine the target.
fn report(
    spec: &EncodeSpec,
    target: &FittedTarget,
    rows: usize,
    found: &[(&str, &str, String)],
    cx: &RunCx<'_>,
) -> Result<(), StageError> {
    let Some((first, feature, _)) = found.first() else { return Ok(()) };
    let which = match found {
        [_] => format!("column `{first}` determines"),
        _ => format!("columns {} determine", list(found.iter().map(|(name, ..)| *name), 6)),
    };
    let each = found.iter().take(TOLD).map(|(name, feature, how)| format!("`{name}` (feature `{feature}`): {how}"));
    let each = each.collect::<Vec<_>>().join("; ");
    let message = format!("{which} the target `{}` in all {} of `{}`", target.column, counted(rows, "row"), spec.fit);
    let remedy = "leave out of the features what is not known before the target is; what is known may stay with \
                  `leaks = \"ignore\"`";
    if spec.leaks == Some(Leaks::Error) {
        return Err(StageError::data(message).note(each).hint(remedy).at(path!["features", *feature]));
    }
    cx.services.warn(format!("{message}. {each}. A model that is shown it need not learn anything else: {remedy}"));
    Ok(())
}

/// How a column determines the target.
#[derive(Debug, PartialEq)]
enum How {
    /// By so many different values.
    Values(usize),
    /// One value, or that there is none, in all rows of a class and in no other row.
    One { missing: bool },
    /// The rows of each class follow each other in the order of the column.
    Stretches,
    /// The number rises, or falls, with the column.
    Order { rises: bool },
}

impl How {
    fn told(&self, target: &FittedTarget) -> String {
        let target = &target.column;
        match self {
            Self::Values(values) => {
                format!("each of its {} values always has the same `{target}`", count(*values as u64))
            }
            Self::One { missing: true } => format!("it is missing where `{target}` has one value, and in no other row"),
            Self::One { missing: false } => {
                format!("one of its values stands where `{target}` has one value, and in no other row")
            }
            Self::Stretches => format!("sorted by it, each value of `{target}` is one unbroken stretch of rows"),
            Self::Order { rises } => {
                format!("`{target}` never {} where it rises", if *rises { "falls" } else { "rises" })
            }
        }
    }
}

/// The target of the training rows.
struct Values {
    /// As classes: the same number for the same value.
    classes: Vec<u32>,
    /// As numbers, where it is a number.
    numbers: Option<Vec<f64>>,
}

impl Values {
    fn of(frame: &DataFrame, target: &FittedTarget) -> Result<Self, StageError> {
        if let Task::MultiLabel { labels } = &target.task {
            let columns = labels.iter().map(|label| column(frame, label).cloned()).collect::<Result<_, _>>()?;
            return Ok(Self { classes: same_rows(columns, frame.height())?, numbers: None });
        }
        let column = column(frame, &target.column)?;
        let numbers = matches!(target.task, Task::Number { .. }).then(|| floats(column)).flatten();
        let numbers = numbers.and_then(|numbers| numbers.into_iter().collect());
        Ok(Self { classes: same_rows(vec![column.clone()], frame.height())?, numbers })
    }

    fn determined_by(&self, column: &Column) -> Result<Option<How>, StageError> {
        if column.dtype().is_nested() {
            return Ok(None);
        }
        if column.len() > FIRST {
            let head = column.head(Some(FIRST));
            if self.groups(&same_rows(vec![head], FIRST)?).is_none() {
                return Ok(None);
            }
        }
        let codes = same_rows(vec![column.clone()], column.len())?;
        let Some(groups) = self.groups(&codes) else { return Ok(None) };
        if repeat(&groups, column.len()) {
            return Ok(Some(How::Values(groups.len())));
        }
        if let Some(one) = one_against_all(&groups) {
            let missing = column.is_null().iter().position(|missing| missing == Some(true));
            return Ok(Some(How::One { missing: missing.is_some_and(|row| codes[row] as usize == one) }));
        }
        Ok(floats(column).and_then(|values| self.ordered_by(&values)))
    }

    /// Of each value of a column, in how many rows it stands and the class of all of them; `None` where they have several.
    fn groups(&self, codes: &[u32]) -> Option<Vec<(usize, u32)>> {
        let mut groups: Vec<(usize, u32)> = vec![(0, 0); codes.iter().max().map_or(0, |most| *most as usize + 1)];
        for (code, class) in codes.iter().zip(&self.classes) {
            let group = &mut groups[*code as usize];
            if group.0 > 0 && group.1 != *class {
                return None;
            }
            *group = (group.0 + 1, *class);
        }
        Some(groups)
    }

    /// Whether the order of a column tells the targets apart. Rows without a value have no place in it.
    fn ordered_by(&self, values: &[Option<f64>]) -> Option<How> {
        let mut placed: Vec<(f64, usize)> =
            values.iter().enumerate().filter_map(|(row, value)| Some(((*value)?, row))).collect();
        if placed.len() * 2 < values.len() || placed.iter().any(|(value, _)| value.is_nan()) {
            return None;
        }
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        if let Some(numbers) = &self.numbers {
            let numbers: Vec<f64> = placed.iter().map(|(_, row)| numbers[*row]).collect();
            return rises(&numbers);
        }
        let classes: Vec<u32> = placed.iter().map(|(_, row)| self.classes[*row]).collect();
        let mut stretches: Vec<(u32, usize)> =
            classes.chunk_by(|a, b| a == b).map(|stretch| (stretch[0], stretch.len())).collect();
        let long = stretches.iter().filter(|(_, rows)| *rows >= REPEATS).count();
        let number = stretches.len();
        stretches.sort_unstable();
        stretches.dedup_by_key(|(class, _)| *class);
        (long >= 2 && stretches.len() == number).then_some(How::Stretches)
    }
}

/// Whether the values repeat enough: those that do hold half of the rows, and stand for different targets.
fn repeat(groups: &[(usize, u32)], rows: usize) -> bool {
    let often: Vec<&(usize, u32)> = groups.iter().filter(|(rows, _)| *rows >= REPEATS).collect();
    let held: usize = often.iter().map(|(rows, _)| rows).sum();
    held * 2 >= rows && often.iter().any(|(_, class)| *class != often[0].1)
}

/// The value that all rows of one class have and no other row, where all others are of another class: a date of what happened to
/// these alone is different in nearly each of them.
fn one_against_all(groups: &[(usize, u32)]) -> Option<usize> {
    let (one, (rows, class)) = groups.iter().enumerate().max_by_key(|(_, (rows, _))| *rows)?;
    let mut others = groups.iter().enumerate().filter(|(group, _)| *group != one).map(|(_, group)| group);
    let (_, other) = others.clone().next()?;
    let left: usize = others.clone().map(|(rows, _)| rows).sum();
    let told = class != other && others.all(|(_, class)| class == other);
    (told && *rows >= REPEATS && left >= REPEATS).then_some(one)
}

/// Whether numbers only rise or only fall, and are different enough for that to say something.
fn rises(numbers: &[f64]) -> Option<How> {
    let steps = numbers.windows(2).filter(|pair| pair[0] != pair[1]).count();
    if steps + 1 < ORDERED {
        return None;
    }
    let up = numbers.windows(2).all(|pair| pair[0] <= pair[1]);
    let down = numbers.windows(2).all(|pair| pair[0] >= pair[1]);
    (up || down).then_some(How::Order { rises: up })
}

/// A column of numbers or times as floats; `None` for any other.
fn floats(column: &Column) -> Option<Vec<Option<f64>>> {
    let dtype = column.dtype();
    if !(dtype.is_primitive_numeric() || dtype.is_decimal() || dtype.is_temporal()) {
        return None;
    }
    let floats = column.to_physical_repr().cast(&DataType::Float64).ok()?;
    Some(floats.f64().ok()?.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::Encode;
    use super::*;
    use crate::frame::schema_of;
    use crate::stage::testing::Bench;
    use crate::types::ArtifactType;

    const ROWS: i64 = 240;

    /// Flights: whether one is late follows from its delay, and from nothing else that is known before.
    fn flights() -> DataFrame {
        let delay: Vec<i64> = (0..ROWS).map(|row| row * 37 % 40 - 12).collect();
        let of = |work: &dyn Fn(i64) -> f64| delay.iter().map(|delay| work(*delay)).collect::<Vec<_>>();
        let rows = || (0..ROWS).collect::<Vec<_>>();
        df![
            "late" => delay.iter().map(|delay| *delay > 15).collect::<Vec<_>>(),
            "delay" => &delay,
            "delay_hours" => of(&|delay| delay as f64 / 60.0),
            "arrived" => delay.iter().zip(0..).map(|(delay, row)| *delay as f64 + f64::from(row) * 1e-4).collect::<Vec<_>>(),
            "status" => delay.iter().map(|delay| match delay { ..0 => "early", 0..16 => "fair", _ => "late" }).collect::<Vec<_>>(),
            "number" => rows(),
            "tail" => rows().iter().map(|row| format!("N{row}")).collect::<Vec<_>>(),
            "twice" => delay.iter().zip(0..).map(|(late, row)| format!("{} {}", *late > 15, row / 2)).collect::<Vec<_>>(),
            "carrier" => rows().iter().map(|row| ["UA", "AA", "DL"][*row as usize % 3]).collect::<Vec<_>>(),
            "constant" => vec![1.5; ROWS as usize],
            "nothing" => vec![None::<f64>; ROWS as usize],
            "complained" => delay.iter().zip(0..).map(|(delay, row)| (*delay > 15).then_some(row * 7919 % 241)).collect::<Vec<Option<i64>>>(),
            "letter" => delay.iter().zip(0..).map(|(delay, row)| if *delay > 15 { format!("No {row}") } else { "none".to_owned() }).collect::<Vec<_>>(),
            "some" => delay.iter().zip(0..).map(|(delay, row)| (*delay > 20).then_some(row * 7919 % 241)).collect::<Vec<Option<i64>>>(),
        ]
        .expect("a frame")
    }

    fn bench() -> Bench {
        let mut frame = flights();
        let ty = ArtifactType::Table(schema_of(&frame));
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut frame).expect("parquet");
        let mut bench = Bench::default();
        bench.input("t", ty, &[("table.parquet", &bytes)]);
        bench
    }

    fn how(name: &str, target: &FittedTarget) -> Option<How> {
        let frame = flights();
        Values::of(&frame, target).unwrap().determined_by(frame.column(name).unwrap()).unwrap()
    }

    #[test]
    fn what_determines_the_target_is_told_from_what_does_so_trivially() {
        let late = FittedTarget {
            column: "late".to_owned(),
            task: Task::Binary { positive: "true".to_owned() },
            negative: None,
        };
        assert_eq!(how("delay", &late), Some(How::Values(40)));
        assert_eq!(how("delay_hours", &late), Some(How::Values(40)));
        assert_eq!(how("status", &late), Some(How::Values(3)));
        assert_eq!(how("arrived", &late), Some(How::Stretches), "hardly a value repeats");
        assert_eq!(how("complained", &late), Some(How::One { missing: true }));
        assert_eq!(how("letter", &late), Some(How::One { missing: false }));
        for name in ["number", "tail", "twice", "carrier", "constant", "nothing", "some"] {
            assert_eq!(how(name, &late), None, "{name}");
        }
    }

    #[test]
    fn a_number_is_determined_by_itself_in_another_unit() {
        let task = Task::Number { mean: Some(0.0), std: Some(1.0) };
        let target = |name: &str| FittedTarget { column: name.to_owned(), task: task.clone(), negative: None };
        assert_eq!(how("delay_hours", &target("delay")), Some(How::Values(40)));
        assert_eq!(how("delay", &target("arrived")), None, "it leaves some of it open");
        let frame = df!["a" => (0..60).map(f64::from).collect::<Vec<_>>(), "b" => (0..60).map(|x| -f64::from(x)).collect::<Vec<_>>()];
        let frame = frame.unwrap();
        let values = Values::of(&frame, &target("a")).unwrap();
        assert_eq!(values.determined_by(frame.column("b").unwrap()).unwrap(), Some(How::Order { rises: false }));
    }

    #[test]
    fn it_is_a_warning_an_error_or_nothing_as_the_user_says() {
        let features = "fit = 't'\nfeatures.known = { category = ['carrier', 'status'] }\nfeatures.delay = 'numeric'\n";
        let run = |more: &str| {
            let bench = bench();
            let ran = bench.run::<Encode>(&format!("{features}target.late = 'binary'\n{more}"));
            let warnings = bench.warnings.lock().unwrap().clone();
            (ran, warnings)
        };
        let (ran, warnings) = run("");
        ran.unwrap();
        assert_eq!(
            warnings,
            [
                "columns `delay` and `status` determine the target `late` in all 240 rows of `t`. `delay` (feature `delay`): each of its 40 \
              values always has the same `late`; `status` (feature `known`): each of its 3 values always has the same `late`. A model that is \
              shown it need not learn anything else: leave out of the features what is not known before the target is; what is known may \
              stay with `leaks = \"ignore\"`"
            ]
        );
        assert_eq!(run("leaks = 'ignore'").1, [""; 0]);
        let failure = run("leaks = 'error'").0.unwrap_err();
        assert_eq!(failure.message, "columns `delay` and `status` determine the target `late` in all 240 rows of `t`");
        assert_eq!(failure.at, Some(path!["features", "delay"]));
    }

    #[test]
    fn a_feature_of_earlier_rows_shows_no_answer() {
        let bench = bench();
        let lagged =
            "fit = 't'\nfeatures.delay = { numeric = 'delay', impute = 'mean', lags = [1], order = 'number' }\n";
        bench.run::<Encode>(&format!("{lagged}target.late = 'binary'")).unwrap();
        assert_eq!(bench.warnings.lock().unwrap().clone(), [""; 0]);
    }
}
