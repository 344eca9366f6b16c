//! What is odd about a table.

use super::Picture;
use super::measure::Measured;
use crate::diag::list;
use crate::numbers;
use crate::types::DType;

/// More than this share missing is much.
const MUCH_MISSING: f64 = 0.2;
/// That no more values differ may be by chance.
const FEW: usize = 20;
/// Columns that go together this closely say the same.
const SAME: f64 = 0.95;
/// Texts of so many words on average are sentences rather than names.
const WORDS: f64 = 6.0;
/// Of free text at least this share of the values differ.
const DIFFERENT: f64 = 0.8;
/// A class with a smaller share is rare.
const RARE: f64 = 0.05;

/// Sentences about what to look at, each after the column that it is about.
pub(super) fn observations(picture: &Picture, target: Option<&str>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Some(repeated) = picture.repeated.filter(|repeated| *repeated > 0) {
        let words = format!("{} repeat an earlier one in every column", numbers::counted(repeated, "row"));
        found.push(("rows".to_owned(), words));
    }
    for column in &picture.columns {
        found.extend(of_column(column).into_iter().map(|words| (column.name.clone(), words)));
    }
    if let Some(column) = picture.columns.iter().find(|column| Some(column.name.as_str()) == target) {
        found.extend(balance(column).map(|words| (column.name.clone(), words)));
    }
    for (name, other, value) in picture.correlations.pairs().filter(|(_, _, value)| value.abs() > SAME) {
        found.push((name.to_owned(), format!("goes together with `{other}`: correlation {value:.3}")));
    }
    found
}

fn of_column(column: &Measured) -> Vec<String> {
    let mut found = Vec::new();
    let share = column.missing as f64 / column.rows.max(1) as f64;
    if column.rows > 0 && column.missing == column.rows {
        return vec!["holds nothing".to_owned()];
    }
    if share > MUCH_MISSING {
        found.push(format!("{:.0} % of its values are missing", share * 100.0));
    }
    match column.distinct {
        Some(1) if column.rows > 1 => found.push("has one value only".to_owned()),
        Some(distinct) if is_free_text(column, distinct) => {
            let words = column.text_words.unwrap_or(0.0);
            found.push(format!("is free text, about {words:.0} words each: `encode` takes it as `text` or `tokens`"));
        }
        Some(distinct) if column.is_unique() && distinct > FEW && is_identity(column) => {
            found.push("has another value in every row: a name or number of the row, and no feature".to_owned());
        }
        _ => {}
    }
    if column.nan > 0 {
        found.push(format!(
            "{} NaN",
            if column.nan == 1 {
                "1 value is".to_owned()
            } else {
                format!("{} values are", numbers::count(column.nan as u64))
            }
        ));
    }
    if let Some(spread) = &column.numbers
        && (spread.min.is_infinite() || spread.max.is_infinite())
    {
        found.push("holds infinite numbers".to_owned());
    }
    if let Some(spread) = &column.numbers
        && column.dtype.is_numeric()
        && spread.zeros * 2 > column.present()
        && column.distinct.is_some_and(|distinct| distinct > 2)
    {
        found.push(format!("{:.0} % of its values are 0", 100.0 * spread.zeros as f64 / column.present() as f64));
    }
    if let (DType::Str, Some((value, count))) =
        (&column.dtype, column.top.iter().find(|(value, _)| value.trim().is_empty()))
    {
        let what = if value.is_empty() { "empty" } else { "white space" };
        found.push(format!("{} {what}: missing in another way?", numbers::counted(*count as usize, "text")));
    }
    found
}

fn is_free_text(column: &Measured, distinct: usize) -> bool {
    let differ = distinct as f64 >= DIFFERENT * column.present() as f64;
    distinct > FEW && differ && column.text_words.is_some_and(|words| words >= WORDS)
}

fn is_identity(column: &Measured) -> bool {
    column.dtype.is_integer() || column.dtype == DType::Str
}

/// The rare classes, where there are some.
fn balance(column: &Measured) -> Option<String> {
    let classes = &column.classes;
    if classes.len() < 2 || column.distinct != Some(classes.len()) {
        return None;
    }
    let share = |count: u64| count as f64 / column.present().max(1) as f64;
    // Of many classes each has a small share: rare is what has not half of an equal one.
    let bound = RARE.min(0.5 / classes.len() as f64);
    let rare: Vec<&(String, u64)> = classes.iter().rev().filter(|(_, count)| share(*count) < bound).collect();
    let (name, count) = rare.first()?;
    let rows = format!("{} ({:.1} %)", numbers::counted(*count as usize, "row"), share(*count) * 100.0);
    Some(match rare.len() {
        1 => format!("class `{name}` is rare: {rows}"),
        several => {
            let (several, names) =
                (numbers::count(several as u64), list(rare.iter().map(|(name, _)| name.as_str()), 4));
            format!("{several} classes are rare: {names}; the rarest has {rows}")
        }
    })
}
