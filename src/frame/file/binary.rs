//! Files that carry their own types: parquet, and what arrow shares with it. Declared types are casts that must not lose a value.

use super::types::no_such_column;
use super::{BadFile, FileWatch, Format, Layout, TypeRules, calendar, foreign, odd, unpacked, width};
use crate::frame::schema::from_polars_schema;
use crate::frame::{CastFault, cast_exactly, collect, from_polars, trying};
use crate::types::{Column as ColumnType, DType, TableSchema};
use polars::prelude::*;
use std::fs::File;
use std::path::Path;

/// About so many bytes of a file are read at once, so that it can be told how far it is.
const PART: u64 = 32 << 20;

pub(super) fn read_parquet(path: &Path, layout: &Layout, watch: FileWatch<'_>) -> Result<DataFrame, BadFile> {
    let least = row_groups_of(path)?.into_iter().fold(0, u64::saturating_add);
    unpacked::bounded(path, least, watch.memory(), crate::env::free_memory())
        .map_err(|bad| less_at_once(bad, layout, watch))?;
    let df = row_groups(path, PART, watch).map_err(|error| not_readable("parquet", path, &error))?;
    finish(df, layout, watch)
}

/// What to do about a parquet file that takes too much memory.
fn less_at_once(bad: BadFile, layout: &Layout, watch: FileWatch<'_>) -> BadFile {
    let whole = layout.flatten || !layout.types.is_empty();
    let bad = match (watch.memory(), whole) {
        (None, false) => bad.hint("say `needs.memory`, and it is read in pieces"),
        (None, true) => bad,
        (Some(_), _) => bad.hint("say that the stage may use more: `needs.memory`"),
    };
    let without = "without `types` and `flatten` it is read in pieces where the stage says `needs.memory`, and a stage of \
                   kind `table` can cast the columns";
    bad.maybe_hint(whole.then(|| without.to_owned()))
}

/// The bytes that each row group of a parquet file takes at least.
pub(super) fn row_groups_of(path: &Path) -> Result<Vec<u64>, BadFile> {
    let schema = parquet_schema(path)?;
    declared(&schema, &Layout::new(Format::Parquet))?;
    unpanicked(|| unpacked::row_groups(path, &schema)).map_err(|error| not_readable("parquet", path, &error))
}

/// The rows of a parquet file, read some row groups at a time.
fn row_groups(path: &Path, part: u64, watch: FileWatch<'_>) -> PolarsResult<DataFrame> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let groups: Vec<usize> = unpanicked(|| {
        let mut reader = ParquetReader::new(file);
        Ok(reader.get_metadata()?.row_groups.iter().map(|group| group.num_rows()).collect())
    })?;
    let count = groups.len().max(1);
    let at_once = usize::try_from(part.saturating_mul(count as u64) / size.max(1)).unwrap_or(count).clamp(1, count);
    let lf = crate::frame::read::scan_parquet(path)?;
    let told = watch.parts(count, "row groups");
    if at_once == count {
        return collect(lf).inspect(|_| told.some(count));
    }
    let (mut whole, mut from): (Option<DataFrame>, i64) = (None, 0);
    for groups in groups.chunks(at_once) {
        let rows: usize = groups.iter().sum();
        let height = IdxSize::try_from(rows).map_err(|_| polars_err!(ComputeError: "a row group has too many rows"))?;
        let df = collect(lf.clone().slice(from, height))?;
        match &mut whole {
            None => whole = Some(df),
            Some(whole) => whole.vstack_mut_owned(df).map(|_| ())?,
        }
        from += rows as i64;
        told.some(groups.len());
    }
    whole.ok_or_else(|| polars_err!(ComputeError: "it has no row groups"))
}

/// A parquet file as a plan, for what need not be looked at value by value; `None` where types are declared, or nested
/// fields are to be taken apart.
pub(super) fn scan_plain(path: &Path, layout: &Layout) -> Result<Option<LazyFrame>, BadFile> {
    if layout.flatten || !layout.types.is_empty() {
        return Ok(None);
    }
    let scan = || {
        let mut lf = crate::frame::read::scan_parquet(path)?;
        let schema = lf.collect_schema()?;
        let casts = schema.iter().filter(|(_, dtype)| plain(dtype) != **dtype);
        let casts: Vec<Expr> = casts.map(|(name, dtype)| col(name.clone()).cast(plain(dtype))).collect();
        Ok(if casts.is_empty() { lf } else { lf.with_columns(casts) })
    };
    unpanicked(scan).map(Some).map_err(|error| not_readable("parquet", path, &error))
}

pub(super) fn probe_parquet(path: &Path, layout: &Layout) -> Result<TableSchema, BadFile> {
    let schema = parquet_schema(path)?;
    declared(&schema, layout)
}

fn parquet_schema(path: &Path) -> Result<SchemaRef, BadFile> {
    let schema = unpanicked(|| crate::frame::read::scan_parquet(path)?.collect_schema());
    schema.map_err(|error| {
        let types = unpanicked(|| ParquetReader::new(File::open(path)?).schema());
        let unread = types.ok().and_then(|schema| foreign::unread(&schema));
        unread.unwrap_or_else(|| not_readable("parquet", path, &error))
    })
}

pub(super) fn finish(df: DataFrame, layout: &Layout, watch: FileWatch<'_>) -> Result<DataFrame, BadFile> {
    if df.width() == 0 {
        return Err(BadFile::new("the file has no columns"));
    }
    let height = df.height();
    let told = watch.parts(df.width(), "columns");
    let known = |column| known(column).inspect(|_| told.some(1));
    let columns = df.into_columns().into_iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let df = DataFrame::new(height, columns).map_err(|error| BadFile::polars("make a table of the file", &error))?;
    let df = flattened(df, layout)?;
    let names: Vec<String> = df.columns().iter().map(|column| column.name().to_string()).collect();
    if let Some(unfitting) = layout.types.unfitting(names.iter().map(String::as_str)).first() {
        return Err(no_such_column(unfitting, names.iter().map(String::as_str)));
    }
    odd::cut_times(df.columns(), &layout.types, "row", &|row| row + 1, watch);
    let columns = cast_declared(df.into_columns(), &layout.types)?;
    calendar::within_calendar(&columns, 0)?;
    DataFrame::new(height, columns).map_err(|error| BadFile::polars("make a table of the file", &error))
}

fn known(column: Column) -> Result<Column, BadFile> {
    let name = column.name().clone();
    in_plain(column).map_err(|error| BadFile::polars(&format!("read the column `{name}`"), &error))
}

/// The column in a type that tables have.
pub(super) fn in_plain(column: Column) -> PolarsResult<Column> {
    let plain = plain(column.dtype());
    if plain == *column.dtype() { Ok(column) } else { column.cast(&plain) }
}

/// The type of tables that holds the same values: bytes are one type, and categories are their text.
fn plain(dtype: &DataType) -> DataType {
    match dtype {
        DataType::BinaryOffset => DataType::Binary,
        DataType::Categorical(..) | DataType::Enum(..) => DataType::String,
        DataType::List(inner) => DataType::List(Box::new(plain(inner))),
        DataType::Array(inner, width) => DataType::Array(Box::new(plain(inner)), *width),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| Field::new(field.name.clone(), plain(&field.dtype))).collect())
        }
        other => other.clone(),
    }
}

/// Nested fields as columns of their own, where the layout asks for that: `user.name`.
pub(super) fn flattened(mut df: DataFrame, layout: &Layout) -> Result<DataFrame, BadFile> {
    let nested = |df: &DataFrame| df.columns().iter().any(|column| matches!(column.dtype(), DataType::Struct(_)));
    while layout.flatten && nested(&df) {
        let height = df.height();
        let columns: PolarsResult<Vec<Vec<Column>>> = df.into_columns().into_iter().map(taken_apart).collect();
        df = columns.and_then(|columns| DataFrame::new(height, columns.into_iter().flatten().collect())).map_err(
            |error| {
                BadFile::polars("take nested fields apart", &error)
                    .hint("without `flatten` they stay where they are; take them out in a stage of kind `table`")
            },
        )?;
    }
    Ok(df)
}

/// A column, or where it is nested, its fields: a missing object has missing fields.
fn taken_apart(column: Column) -> PolarsResult<Vec<Column>> {
    let Ok(whole) = column.struct_() else { return Ok(vec![column]) };
    let there = (column.null_count() > 0).then(|| column.is_not_null());
    let fields = whole.fields_as_series().into_iter().map(|field| {
        let name = PlSmallStr::from(format!("{}.{}", column.name(), field.name()));
        let field = match &there {
            None => field,
            Some(there) => {
                field.zip_with(there, &Series::full_null(field.name().clone(), field.len(), field.dtype()))?
            }
        };
        Ok(field.with_name(name).into_column())
    });
    fields.collect()
}

pub(super) fn declared(schema: &Schema, layout: &Layout) -> Result<TableSchema, BadFile> {
    width::bounded(schema.len(), "the file has")?;
    foreign::too_long(schema)?;
    let schema = if layout.flatten {
        let empty = DataFrame::empty_with_schema(schema);
        from_polars_schema(flattened(empty, layout)?.schema())
    } else {
        let plain = schema.iter().map(|(name, dtype)| Field::new(name.clone(), plain(dtype)));
        from_polars_schema(&plain.collect::<Schema>())
    };
    if let Some(unfitting) = layout.types.unfitting(schema.names()).first() {
        return Err(no_such_column(unfitting, schema.names()));
    }
    let columns = schema.columns.into_iter().map(|column| {
        let dtype = layout.types.get(&column.name).cloned().unwrap_or(column.dtype);
        ColumnType::new(column.name, dtype)
    });
    Ok(TableSchema::new(columns.collect()))
}

/// Casts the columns that have a declared type.
///
/// # Errors
/// The first value that does not fit.
pub fn cast_declared(columns: Vec<Column>, types: &TypeRules) -> Result<Vec<Column>, BadFile> {
    columns
        .into_iter()
        .map(|column| match types.get(column.name()) {
            Some(dtype) if *dtype != from_polars(column.dtype()) => cast(&column, dtype),
            _ => Ok(column),
        })
        .collect()
}

/// A column of which no value can be one of a declared type.
pub(super) fn no_form(column: &Column, dtype: &DType) -> BadFile {
    let (name, found) = (column.name(), from_polars(column.dtype()));
    BadFile::new(format!("column `{name}` is {found}, and cannot be read as {dtype}"))
        .hint("leave it out of `types`, and cast it in a stage of kind `table`")
}

fn cast(column: &Column, dtype: &DType) -> Result<Column, BadFile> {
    let name = column.name();
    cast_exactly(column, dtype).map_err(|fault| match fault {
        CastFault::NoForm => no_form(column, dtype),
        CastFault::Lost { row, found, .. } => {
            let (place, found) = (format!("row {}, column `{name}`", row + 1), crate::diag::brief(&found));
            BadFile::new(format!("{place}: found `{found}`, expected a value of type {dtype}"))
                .hint(format!("declare another type for `{name}`"))
        }
    })
}

/// A panic inside polars, which a broken file may cause, becomes an error, and is not reported as a bug.
pub(super) fn unpanicked<T>(read: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
    trying(|| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
        caught.unwrap_or_else(|_| Err(PolarsError::ComputeError("it is damaged".into())))
    })
}

pub(super) fn not_readable(format: &str, path: &Path, error: &PolarsError) -> BadFile {
    match std::fs::metadata(path) {
        Err(error) => BadFile::io(path, &error),
        Ok(meta) if meta.len() == 0 => {
            BadFile::new(format!("the file is empty, expected {format}")).hint("give a file with rows")
        }
        Ok(_) => {
            if let Some(packed) = super::load::packed_with(path) {
                return BadFile::new(format!("the file is packed with {packed}, which kilter undoes for text alone"))
                    .hint(format!("unpack it: {format} packs its columns itself"));
            }
            let words = super::super::polars_words(error);
            let bad = BadFile::new(format!("the file cannot be read as {format}: {words}"));
            if words.contains("delta dictionary") {
                return bad.hint("write it with dictionaries that are whole, or as parquet");
            }
            if words.contains("not supported") {
                return bad.hint("the file holds a type that kilter does not read: write that column as another");
            }
            if words.contains("more than one occurrence") {
                return bad.hint("give the columns different names where the file is written");
            }
            match super::head(path, 8).ok().as_deref().and_then(super::text::looks_like) {
                Some(what) if !what.contains(&format!("begins as {format} does")) => bad.hint(what),
                Some(_) => {
                    bad.hint("it begins as it should: it is cut off or damaged; fetch it again, and compare its sha256")
                }
                None => bad.hint("say what the file is with `format`"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Told, Watch};
    use super::*;
    use crate::stage::Progress;
    use std::sync::Mutex;

    #[test]
    fn a_large_file_is_read_a_few_row_groups_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.parquet");
        let mut df = df!["n" => (0..5000_i64).collect::<Vec<_>>()].expect("a frame");
        let mut file = File::create(&path).expect("made");
        ParquetWriter::new(&mut file).with_row_group_size(Some(1000)).finish(&mut df).expect("written");
        let size = std::fs::metadata(&path).expect("there").len();
        let seen: Mutex<Vec<Progress>> = Mutex::new(Vec::new());
        let tell = |told| match told {
            Told::Far(progress) => seen.lock().expect("no panic").push(progress),
            Told::Odd(words) => panic!("nothing is odd: {words}"),
        };
        let watch = Watch::new(size, &tell);
        let read = row_groups(&path, size / 2, watch.file("a.parquet", size)).expect("read");
        assert!(read.equals(&df));
        let seen = seen.lock().expect("no panic");
        let groups: Vec<&str> = seen.iter().filter_map(|progress| progress.detail.split(" · ").nth(1)).collect();
        assert_eq!(groups, ["2", "4", "5"].map(|done| format!("{done} of 5 row groups of `a.parquet`")));
        assert_eq!(seen.last().map(|progress| progress.done), Some(size));
    }
}
