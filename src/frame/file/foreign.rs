//! Types of other programs that tables here do not have: the column is named, and what to do about it.

use super::BadFile;
use crate::frame::trying;
use polars::prelude::*;

/// Digits that a decimal has at most.
const MOST_DIGITS: usize = 38;

/// An error for the first column of a type that polars has no form for, which it panics on.
pub(super) fn unread(schema: &ArrowSchema) -> Option<BadFile> {
    let unknown = |field: &&ArrowField| trying(|| Ok(DataType::from_arrow_field(field))).is_err();
    schema.iter_values().find(unknown).map(|field| {
        BadFile::new(format!(
            "column `{}` has the type `{}`, which kilter does not read",
            field.name,
            name_of(&format!("{:?}", field.dtype))
        ))
        .hint("write that column as another type: a 16-bit float as one of 32 bits, an identifier as text")
    })
}

/// What a type is called: of an extension its own name, of others the word that arrow has for it.
fn name_of(described: &str) -> &str {
    match described.split_once("name: \"").and_then(|(_, rest)| rest.split_once('"')) {
        Some((name, _)) if described.starts_with("Extension") => name,
        _ => described,
    }
}

/// An error where a decimal has more digits than decimals have here.
pub(super) fn too_long(schema: &Schema) -> Result<(), BadFile> {
    match schema.iter().find_map(|(name, dtype)| Some((name, digits_beyond(dtype)?))) {
        None => Ok(()),
        Some((name, digits)) => Err(BadFile::new(format!(
            "column `{name}` is a decimal of {digits} digits, and a decimal has at most {MOST_DIGITS}"
        ))
        .hint("write that column with fewer digits, or as text")),
    }
}

fn digits_beyond(dtype: &DataType) -> Option<usize> {
    match dtype {
        DataType::Decimal(digits, _) => (*digits > MOST_DIGITS).then_some(*digits),
        DataType::List(inner) | DataType::Array(inner, _) => digits_beyond(inner),
        DataType::Struct(fields) => fields.iter().find_map(|field| digits_beyond(&field.dtype)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Layout, probe, read_file};
    use super::name_of;
    use std::path::Path;

    #[test]
    fn what_other_programs_write_is_told_by_column_and_type() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/foreign");
        let half = "column `half` has the type `Float16`, which kilter does not read";
        let twice = "the file cannot be read as arrow: column with name 'a' has more than one occurrence";
        for (file, format, message, hint) in [
            ("half.parquet", Format::Parquet, half, "write that column as another type"),
            ("half.arrow", Format::Arrow, half, "write that column as another type"),
            (
                "long_decimal.parquet",
                Format::Parquet,
                "column `amount` is a decimal of 50 digits, and a decimal has at most 38",
                "write that column with fewer digits",
            ),
            (
                "twice.parquet",
                Format::Parquet,
                "the file cannot be read as parquet: column with name 'a' has more than one occurrence",
                "give the columns different names where the file is written",
            ),
            ("twice.arrow", Format::Arrow, twice, "give the columns different names where the file is written"),
            ("twice_stream.arrow", Format::Arrow, twice, "give the columns different names where the file is written"),
            (
                "one.feather",
                Format::Arrow,
                "the file is of Feather's version 1, which kilter does not read",
                "write it in version 2, as pandas and pyarrow do",
            ),
        ] {
            let layout = Layout::new(format);
            for bad in [probe(&folder.join(file), &layout).err(), read_file(&folder.join(file), &layout).err()] {
                let bad = bad.expect(file);
                assert_eq!(bad.message, message, "{file}");
                assert!(bad.hints[0].starts_with(hint), "{file}: {:?}", bad.hints);
            }
        }
    }

    #[test]
    fn dictionaries_in_parts_are_told() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/foreign/grown.arrow");
        let bad = read_file(&path, &Layout::new(Format::Arrow)).expect_err("a part");
        assert_eq!(bad.message, "the file cannot be read as arrow: delta dictionary batches not supported");
        assert_eq!(bad.hints, ["write it with dictionaries that are whole, or as parquet"]);
    }

    #[test]
    fn an_extension_is_called_by_its_name() {
        assert_eq!(name_of("Float16"), "Float16");
        assert_eq!(
            name_of("Extension(ExtensionType { name: \"arrow.uuid\", inner: FixedSizeBinary(16) })"),
            "arrow.uuid"
        );
    }
}
