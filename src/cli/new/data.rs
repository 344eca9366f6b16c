//! The data file: its format, its columns, and what stands for missing values in it.

use super::dialect;
use crate::cli::{CommandError, Exit};
use crate::frame::file::{BadFile, Format, Layout, head, of_others, read_file};
use crate::frame::{ColumnProfile, profile};
use crate::stage::StageError;
use crate::types::DType;
use std::path::Path;

/// What a `new` manifest is written from.
pub(super) struct Data {
    pub(super) format: Format,
    /// How its text is written, as fields of `read`; empty where that is the usual way.
    pub(super) dialect: String,
    /// Whether the file's name says the format, so that the manifest need not.
    pub(super) named: bool,
    /// Texts that stand for missing values.
    pub(super) null_values: Vec<String>,
    pub(super) columns: Vec<ColumnProfile>,
    pub(super) rows: usize,
}

/// Texts that are missing values wherever they occur.
const ALWAYS: &[&str] = &["NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "<NA>", "#N/A"];
/// Texts that are missing values where everything else in their column is a number.
const BESIDE_NUMBERS: &[&str] = &["?", "-", "--", ".", "None", "none", "missing", "unknown"];

/// So much of a file says how its text is written.
const HEAD: u64 = 1 << 20;

/// Reads a data file and looks at its columns.
pub(super) fn read(path: &Path) -> Result<Data, CommandError> {
    let name = path.to_string_lossy();
    let known = Format::of_name(&name);
    let mut layout = Layout::new(known.unwrap_or(Format::Csv));
    if layout.format == Format::Idx {
        return Err(CommandError::usage(format!("`{name}` holds images, and `new` writes manifests for tables"))
            .hint("begin with pipelines/fashion.toml, which reads images of this format"));
    }
    if let Some(remedy) = of_others(&name).filter(|_| known.is_none() && path.is_file()) {
        return Err(CommandError::usage(format!("`{name}` does not say by its name what it is")).hint(remedy));
    }
    dialect::tell(&mut layout, &head(path, HEAD).unwrap_or_default());
    let mut columns = look(path, &layout)?;
    if dialect::may_have_comma(&layout) {
        let comma = Layout { decimal: b',', ..layout.clone() };
        if let Ok(with_comma) = look(path, &comma)
            && dialect::numbers(&with_comma) > dialect::numbers(&columns)
        {
            (layout, columns) = (comma, with_comma);
        }
    }
    layout.null_values = null_values(&columns);
    if !layout.null_values.is_empty() && layout.format.is_delimited() {
        columns = look(path, &layout)?;
    } else {
        layout.null_values.clear();
    }
    let rows = columns.first().map_or(0, |column| column.rows);
    if rows == 0 {
        return Err(CommandError::usage(format!("`{name}` has no rows")));
    }
    let dialect = dialect::fields(&layout);
    Ok(Data { format: layout.format, dialect, named: known.is_some(), null_values: layout.null_values, columns, rows })
}

fn look(path: &Path, layout: &Layout) -> Result<Vec<ColumnProfile>, CommandError> {
    let frame = read_file(path, layout).map_err(|bad| unfit(path, bad))?;
    Ok(profile(&frame)?)
}

/// A file that cannot be read is the surroundings' fault; one that holds something else, the command line's.
fn unfit(path: &Path, bad: BadFile) -> CommandError {
    let unreadable = bad.unreadable;
    let mut error = CommandError::from(StageError::from(bad));
    if !unreadable {
        error.exit = Exit::Usage;
        error.message = format!("`{}`: {}", path.display(), error.message);
    }
    error
}

/// The texts that stand for missing values in these columns.
fn null_values(columns: &[ColumnProfile]) -> Vec<String> {
    let mut found = Vec::new();
    for column in columns.iter().filter(|column| column.dtype == DType::Str) {
        let Some(values) = &column.values else { continue };
        let is = |list: &[&str], text: &str| list.contains(&text);
        let rest_is_numbers = values
            .keys()
            .filter(|text| !is(ALWAYS, text) && !is(BESIDE_NUMBERS, text))
            .fold((0, true), |(count, all), text| (count + 1, all && text.parse::<f64>().is_ok()));
        let beside_numbers = rest_is_numbers.0 > 0 && rest_is_numbers.1;
        let missing = |text: &&String| is(ALWAYS, text) || (beside_numbers && is(BESIDE_NUMBERS, text));
        found.extend(values.keys().filter(missing).cloned());
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_dash_is_missing_only_beside_numbers() {
        let column = |values: &[&str]| ColumnProfile {
            name: "x".into(),
            dtype: DType::Str,
            rows: values.len(),
            missing: 0,
            values: Some(values.iter().map(|text| ((*text).to_owned(), 1)).collect::<BTreeMap<_, _>>()),
            letters: 1.0,
            spaced: 0,
            chinese: 0,
            growing: false,
        };
        assert_eq!(null_values(&[column(&["1.5", "-", "2"])]), ["-"]);
        assert!(null_values(&[column(&["a", "-", "b"])]).is_empty());
        assert_eq!(null_values(&[column(&["male", "NA"]), column(&["NA", "3"])]), ["NA"]);
    }

    #[test]
    fn penguins_have_numbers_behind_their_na() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/penguins.csv");
        let data = read(&path).expect("data");
        assert_eq!((data.rows, data.null_values.as_slice()), (344, ["NA".to_owned()].as_slice()));
        let types: Vec<String> = data.columns.iter().map(|column| column.dtype.to_string()).collect();
        assert_eq!(types, ["str", "str", "f64", "f64", "i64", "i64", "str", "i64"]);
        assert_eq!(data.columns[6].missing, 11);
    }
}
