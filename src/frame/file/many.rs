//! Several files of one layout, one table under the other.

use super::rejects::Reject;
use super::{BadFile, Format, Layout, PROBE_WHOLE, Tell, TypeRules, Watch, probe, read_with_rejects};
use crate::frame::{from_polars, schema_of};
use crate::types::{DType, TableSchema};
use polars::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// So many files with types of their own are opened before a run.
const MOST_OPENED: usize = 256;

/// A file that could not be read.
#[derive(Debug)]
pub struct BadOne {
    /// Its name.
    pub file: String,
    /// What is wrong with it.
    pub bad: BadFile,
}

/// Reads files in this order, each (name, place): their rows, with the file's name as a column where one is named, and
/// the lines that were left out. All have the same columns; the order is that of the first. None may unpack to more than
/// `memory`; `tell` sees how far it is.
///
/// # Errors
/// The first file that cannot be read, or does not fit those before it.
pub fn read_many(
    files: &[(String, PathBuf)],
    layout: &Layout,
    name_column: Option<&str>,
    memory: Option<u64>,
    tell: Tell<'_>,
) -> Result<(DataFrame, Vec<Reject>), BadOne> {
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let watch = Watch::new(files.iter().map(|(_, path)| size(path)).sum(), tell).within(memory).declared(&layout.types);
    let read = |(name, path): &(String, PathBuf), layout: &Layout| {
        let told = |bad| BadOne { file: name.clone(), bad };
        let (df, mut rejects) = read_with_rejects(path, layout, watch.file(name, size(path))).map_err(told)?;
        rejects.iter_mut().for_each(|reject| reject.file.clone_from(name));
        Ok((df, rejects))
    };
    let mut parts: Vec<(DataFrame, Vec<Reject>)> =
        files.iter().map(|file| read(file, layout)).collect::<Result<_, _>>()?;
    let types = common_types(files, &parts, layout)?;
    for (file, part) in files.iter().zip(&mut parts) {
        let differs = |(name, dtype): (&String, &DType)| {
            part.0.column(name).is_ok_and(|column| from_polars(column.dtype()) != *dtype)
        };
        if types.iter().any(differs) {
            // What was told from one file alone is told anew, from its text, by what all of them hold.
            let given = TypeRules::new(types.clone());
            watch.again(&file.0);
            *part = read(file, &Layout { types: given, ..layout.clone() })?;
        }
    }
    watch.ended(tell);
    let mut rejects = Vec::new();
    let mut whole: Option<DataFrame> = None;
    for ((name, _), (df, told)) in files.iter().zip(parts) {
        let bad = |error: &PolarsError| BadOne { file: name.clone(), bad: BadFile::polars("join the files", error) };
        rejects.extend(told);
        let df = named(df, name, name_column).map_err(|bad| BadOne { file: name.clone(), bad })?;
        match &mut whole {
            None => whole = Some(df),
            Some(whole) => {
                let df = df.select(whole.get_column_names_owned()).map_err(|error| bad(&error))?;
                whole.vstack_mut_owned(df).map_err(|error| bad(&error))?;
            }
        }
    }
    let nothing = || BadOne { file: String::new(), bad: BadFile::new("there is no file to read") };
    Ok((whole.ok_or_else(nothing)?, rejects))
}

/// What can be said before a run of the columns of several files: all of it where they are small together, or tell their types
/// themselves; of others the names, and the types that are declared.
///
/// # Errors
/// See [`read_many`].
pub fn probe_many(files: &[(String, PathBuf)], layout: &Layout) -> Result<TableSchema, BadOne> {
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
    if layout.format.is_text() && files.iter().map(|(_, path)| size(path)).sum::<u64>() <= PROBE_WHOLE {
        return read_many(files, layout, None, None, &|_| {}).map(|(df, _)| schema_of(&df));
    }
    let opened = if layout.format.is_text() || files.len() > MOST_OPENED { 1 } else { files.len() };
    let mut found: Vec<(&str, TableSchema)> = Vec::with_capacity(opened);
    for (name, path) in &files[..opened] {
        found.push((name, probe(path, layout).map_err(|bad| BadOne { file: name.clone(), bad })?));
    }
    let Some(((first_name, first), rest)) = found.split_first() else { return Ok(TableSchema::unknown()) };
    for (name, schema) in rest {
        same_columns(&names(first), &names(schema), first_name)
            .map_err(|bad| BadOne { file: (*name).to_owned(), bad })?;
    }
    let mut whole = first.clone();
    for column in &mut whole.columns {
        let same = |(_, schema): &(&str, TableSchema)| schema.columns.iter().any(|other| other == column);
        // The files that were not opened may widen what these say.
        if layout.types.get(&column.name).is_none() && (opened < files.len() || !rest.iter().all(same)) {
            column.dtype = DType::Unknown;
        }
    }
    Ok(whole)
}

fn names(schema: &TableSchema) -> Vec<&str> {
    schema.names().collect()
}

fn names_of(df: &DataFrame) -> Vec<&str> {
    df.columns().iter().map(|column| column.name().as_str()).collect()
}

/// The same files as a plan, which reads no more of them than is used; `None` where they must be read to be put together.
///
/// # Errors
/// The first file that cannot be opened, or does not fit those before it.
pub fn scan_many(
    files: &[(String, PathBuf)],
    layout: &Layout,
    name_column: Option<&str>,
) -> Result<Option<LazyFrame>, BadOne> {
    if layout.format != Format::Parquet {
        return Ok(None);
    }
    let mut parts: Vec<LazyFrame> = Vec::new();
    let mut first: Option<SchemaRef> = None;
    for (name, path) in files {
        let told = |bad| BadOne { file: name.clone(), bad };
        let Some(mut lf) = super::binary::scan_plain(path, layout).map_err(told)? else { return Ok(None) };
        let schema = lf.collect_schema().map_err(|error| told(BadFile::polars("open the file", &error)))?;
        let taken = name_column.is_some_and(|column| schema.contains(column));
        if taken || schema.is_empty() || *first.get_or_insert_with(|| schema.clone()) != schema {
            return Ok(None);
        }
        parts.push(match name_column {
            Some(column) => lf.with_column(lit(name.as_str()).alias(column)),
            None => lf,
        });
    }
    if parts.len() == 1 {
        return Ok(parts.pop());
    }
    let args = UnionArgs { maintain_order: true, ..UnionArgs::default() };
    let whole = concat(parts, args).map_err(|error| BadOne {
        file: files.first().map(|(name, _)| name.clone()).unwrap_or_default(),
        bad: BadFile::polars("join the files", &error),
    })?;
    Ok(Some(whole))
}

pub(super) fn named(mut df: DataFrame, file: &str, column: Option<&str>) -> Result<DataFrame, BadFile> {
    let Some(column) = column else { return Ok(df) };
    if df.column(column).is_ok() {
        return Err(BadFile::new(format!("the file has a column `{column}` already"))
            .hint("name the column of file names otherwise: `file_column`"));
    }
    let names = StringChunked::full(column.into(), file, df.height());
    df.with_column(names.into_column()).map_err(|error| BadFile::polars("add the file's name", &error))?;
    Ok(df)
}

/// The types of the columns whose type differs among the files. Columns are the same in all.
fn common_types(
    files: &[(String, PathBuf)],
    parts: &[(DataFrame, Vec<Reject>)],
    layout: &Layout,
) -> Result<BTreeMap<String, DType>, BadOne> {
    let Some(((first, _), rest)) = parts.split_first() else { return Ok(BTreeMap::new()) };
    let mut types = BTreeMap::new();
    for ((df, _), (name, _)) in rest.iter().zip(&files[1..]) {
        let told = |bad: BadFile| BadOne { file: name.clone(), bad };
        same_columns(&names_of(first), &names_of(df), &files[0].0).map_err(told)?;
    }
    for column in first.columns() {
        let of = |df: &DataFrame| {
            let column = df.column(column.name()).ok()?;
            // What holds nothing but nulls says nothing of its type.
            let silent = column.null_count() == column.len() && layout.types.get(column.name()).is_none();
            (!silent).then(|| from_polars(column.dtype()))
        };
        let mut common: Option<DType> = None;
        for ((df, _), (name, _)) in parts.iter().zip(files) {
            let Some(found) = of(df) else { continue };
            common = Some(match common {
                None => found,
                Some(before) => {
                    wider(before, found, column.name(), layout).map_err(|bad| BadOne { file: name.clone(), bad })?
                }
            });
        }
        let Some(common) = common else { continue };
        if parts.iter().any(|(df, _)| df.column(column.name()).is_ok_and(|c| from_polars(c.dtype()) != common)) {
            types.insert(column.name().to_string(), common);
        }
    }
    if !types.is_empty() {
        for column in first.columns() {
            if let Some(declared) = layout.types.get(column.name()) {
                types.entry(column.name().to_string()).or_insert_with(|| declared.clone());
            }
        }
    }
    Ok(types)
}

/// The type that holds both.
fn wider(before: DType, found: DType, column: &str, layout: &Layout) -> Result<DType, BadFile> {
    match (before, found) {
        (before, found) if before == found => Ok(found),
        (DType::I64, DType::F64) | (DType::F64, DType::I64) => Ok(DType::F64),
        _ if layout.format.is_delimited() => Ok(DType::Str),
        (before, found) => {
            let holds_both = holds_both(&before, &found);
            Err(BadFile::new(format!("column `{column}` is {found}, and {before} in the files before it"))
                .hint(format!("say which it is: `types = {{ \"{column}\" = \"{holds_both}\" }}`")))
        }
    }
}

/// Of two types of numbers the one to declare, so that the values of both are of it; of others the first.
fn holds_both(before: &DType, found: &DType) -> DType {
    let either = [before, found];
    if !either.iter().all(|dtype| dtype.is_integer() || dtype.is_float()) {
        return before.clone();
    }
    if either.iter().any(|dtype| dtype.is_float()) {
        return DType::F64;
    }
    let large = either.iter().any(|dtype| matches!(dtype, DType::U64 | DType::I128));
    if large { DType::I128 } else { DType::I64 }
}

fn same_columns(first: &[&str], names: &[&str], first_name: &str) -> Result<(), BadFile> {
    let hint = "read files of other columns in a stage of their own, and put the tables together by a query";
    let [all, of_first] = [names, first].map(|names| names.iter().copied().collect::<BTreeSet<_>>());
    if let Some(name) = first.iter().find(|name| !all.contains(*name)) {
        let meant = other_spelling(name, names).or_else(|| {
            let data = "where its first row is data: write the names into it, or `header = false` and `names` for files without them";
            all.is_disjoint(&of_first).then(|| data.to_owned())
        });
        let bad = BadFile::new(format!("there is no column `{name}`, which `{first_name}` has"));
        return Err(bad.maybe_hint(meant).hint(hint));
    }
    if let Some(name) = names.iter().find(|name| !of_first.contains(*name)) {
        return Err(BadFile::new(format!("there is a column `{name}`, which `{first_name}` does not have")).hint(hint));
    }
    Ok(())
}

/// The name as another file has it: with spaces around it, or in another case.
fn other_spelling(name: &str, names: &[&str]) -> Option<String> {
    if let Some(spaced) = names.iter().find(|other| other.trim() == name.trim()) {
        return Some(format!("here it is `{spaced}`: `trim = true` takes no spaces around names and values"));
    }
    let other = names.iter().find(|other| other.to_lowercase() == name.to_lowercase())?;
    Some(format!("here it is `{other}`: write it alike in all files"))
}

/// Whether files of a format can be put under each other.
#[must_use]
pub fn can_be_many(format: Format) -> bool {
    format != Format::Idx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_of_a_name_is_told() {
        let first_hint =
            |names: &[&str]| same_columns(&["a", "b"], names, "1.csv").expect_err("they differ").hints.remove(0);
        assert!(first_hint(&["a", " b"]).starts_with("here it is ` b`: `trim = true`"));
        assert_eq!(first_hint(&["A", "B"]), "here it is `A`: write it alike in all files");
        assert!(first_hint(&["3", "4"]).starts_with("where its first row is data"));
        assert!(first_hint(&["a", "c"]).starts_with("read files of other columns"));
    }

    #[test]
    fn the_type_to_declare_holds_the_values_of_both() {
        let hint = |before, found| {
            let bad = wider(before, found, "x", &Layout::new(Format::Parquet)).expect_err("they differ");
            bad.hints.join("; ")
        };
        let said = |dtype: &str| format!("say which it is: `types = {{ \"x\" = \"{dtype}\" }}`");
        assert_eq!(hint(DType::I32, DType::I64), said("i64"));
        assert_eq!(hint(DType::I64, DType::U64), said("i128"));
        assert_eq!(hint(DType::I32, DType::F64), said("f64"));
        assert_eq!(hint(DType::Date, DType::Str), said("date"));
    }
}
