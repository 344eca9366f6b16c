//! Column types, under the names that manifests use.

use super::Column;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The type of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// `bool`
    Bool,
    /// `i8`
    I8,
    /// `i16`
    I16,
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `i128`
    I128,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `str`
    Str,
    /// `date`: a day
    Date,
    /// `time`: a time of day, nanoseconds
    Time,
    /// `datetime`: microseconds since 1970, without a time zone
    Datetime,
    /// `duration`: microseconds
    Duration,
    /// `decimal(precision, scale)`
    Decimal(usize, usize),
    /// `list(T)`
    List(Box<DType>),
    /// `array(T, n)`: a list of always as many
    Array(Box<DType>, usize),
    /// `struct(name: T, …)`: named fields
    Struct(Vec<Column>),
    /// A type that manifests have no name for; the text says what it is.
    Other(String),
    /// Not known before the data is seen.
    Unknown,
}

/// The names without parameters, in the order that messages list them.
const SIMPLE: &[(&str, DType)] = &[
    ("bool", DType::Bool),
    ("i8", DType::I8),
    ("i16", DType::I16),
    ("i32", DType::I32),
    ("i64", DType::I64),
    ("i128", DType::I128),
    ("u8", DType::U8),
    ("u16", DType::U16),
    ("u32", DType::U32),
    ("u64", DType::U64),
    ("f32", DType::F32),
    ("f64", DType::F64),
    ("str", DType::Str),
    ("date", DType::Date),
    ("time", DType::Time),
    ("datetime", DType::Datetime),
    ("duration", DType::Duration),
    ("unknown", DType::Unknown),
];

impl DType {
    /// Every type name that a manifest may use without parameters.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SIMPLE.iter().map(|(name, _)| *name).filter(|name| *name != "unknown")
    }

    /// An integer of any width.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        matches!(
            self,
            Self::I8 | Self::I16 | Self::I32 | Self::I64 | Self::I128 | Self::U8 | Self::U16 | Self::U32 | Self::U64
        )
    }

    /// `f32` or `f64`.
    #[must_use]
    pub fn is_float(&self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// An integer, a float or a decimal.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        self.is_integer() || self.is_float() || matches!(self, Self::Decimal(..))
    }

    /// A date, a time, a datetime or a duration.
    #[must_use]
    pub fn is_temporal(&self) -> bool {
        matches!(self, Self::Date | Self::Time) || self.is_datetime() || self.is_duration()
    }

    /// A datetime in any unit and time zone: `datetime`, and those of other programs that manifests have no name for, such as
    /// `datetime[ns, UTC]`.
    #[must_use]
    pub fn is_datetime(&self) -> bool {
        *self == Self::Datetime || self.is_other("datetime[")
    }

    /// A duration in any unit.
    #[must_use]
    pub fn is_duration(&self) -> bool {
        *self == Self::Duration || self.is_other("duration[")
    }

    fn is_other(&self, start: &str) -> bool {
        matches!(self, Self::Other(text) if text.starts_with(start))
    }

    /// A list, an array or a struct: more than one value.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        matches!(self, Self::List(_) | Self::Array(..) | Self::Struct(_))
    }

    /// Bytes, which manifests have no type for.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        self.is_other("binary")
    }

    /// Not known before the data is seen.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal(precision, scale) => write!(f, "decimal({precision}, {scale})"),
            Self::List(inner) => write!(f, "list({inner})"),
            Self::Array(inner, width) => write!(f, "array({inner}, {width})"),
            Self::Struct(fields) => {
                f.write_str("struct(")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {}", FieldName(&field.name), field.dtype)?;
                }
                f.write_str(")")
            }
            Self::Other(text) => f.write_str(text),
            simple => {
                let name = SIMPLE.iter().find(|(_, dtype)| dtype == simple).map_or("unknown", |(name, _)| name);
                f.write_str(name)
            }
        }
    }
}

/// A field's name: in quotes where it could be taken for something else.
struct FieldName<'a>(&'a str);

impl fmt::Display for FieldName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() || self.0.contains(['"', ':', ',', '(', ')']) || self.0.trim() != self.0 {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        } else {
            f.write_str(self.0)
        }
    }
}

/// The parts of a text between commas that stand in no brackets and no quotes.
fn parts(text: &str) -> Vec<&str> {
    let (mut found, mut from, mut depth, mut quoted) = (Vec::new(), 0, 0_usize, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[from..]);
    found
}

/// `name: type`, the name perhaps in quotes.
fn field(text: &str, levels: usize) -> Option<Column> {
    let text = text.trim();
    let (name, dtype) = match text.strip_prefix('"') {
        None => text.split_once(':').map(|(name, dtype)| (name.trim().to_owned(), dtype))?,
        Some(quoted) => {
            // The closing quote is the first that is not doubled.
            let mut rest = quoted;
            let mut name = String::new();
            loop {
                let (part, behind) = rest.split_once('"')?;
                name.push_str(part);
                match behind.strip_prefix('"') {
                    Some(more) => {
                        name.push('"');
                        rest = more;
                    }
                    None => break (name, behind.trim_start().strip_prefix(':')?),
                }
            }
        }
    };
    Some(Column::new(name, read(dtype, levels).ok()?))
}

/// A text that names no column type.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a column type")]
pub struct ParseDTypeError(pub String);

impl FromStr for DType {
    type Err = ParseDTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text, DEEPEST)
    }
}

/// Types lie in each other at most so deep: a text from outside must not use up the stack.
const DEEPEST: usize = 64;

/// A type of at most so many levels.
fn read(text: &str, levels: usize) -> Result<DType, ParseDTypeError> {
    let text = text.trim();
    if let Some((_, dtype)) = SIMPLE.iter().find(|(name, _)| *name == text) {
        return Ok(dtype.clone());
    }
    let error = || ParseDTypeError(text.to_owned());
    let levels = levels.checked_sub(1).ok_or_else(error)?;
    let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(inner) = inside("list") {
        return Ok(DType::List(Box::new(read(inner, levels)?)));
    }
    if let Some(inner) = inside("array") {
        let (inner, width) = inner.rsplit_once(',').ok_or_else(error)?;
        return Ok(DType::Array(Box::new(read(inner, levels)?), width.trim().parse().map_err(|_| error())?));
    }
    if let Some(inner) = inside("struct") {
        let fields = parts(inner).into_iter().map(|part| field(part, levels).ok_or_else(error));
        return Ok(DType::Struct(fields.collect::<Result<_, _>>()?));
    }
    let inner = inside("decimal").ok_or_else(error)?;
    let (precision, scale) = inner.split_once(',').ok_or_else(error)?;
    let number = |part: &str| part.trim().parse::<usize>().map_err(|_| error());
    Ok(DType::Decimal(number(precision)?, number(scale)?))
}

impl Serialize for DType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(dtype) => Ok(dtype),
            // Records may hold types that have no name; manifests are checked for those by the kinds that take types.
            Err(_) => Ok(Self::Other(text)),
        }
    }
}

impl schemars::JsonSchema for DType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = Self::names().collect();
        schemars::json_schema!({
            "description": "A column type.",
            "anyOf": [
                { "enum": names },
                { "type": "string", "pattern": r"^(decimal\(\d+, ?\d+\)|(list|array|struct)\(.+\))$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for text in [
            "u8",
            "datetime",
            "decimal(15, 2)",
            "list(list(f32))",
            "array(list(u8), 3)",
            "struct(a: i64, b c: list(struct(x: decimal(3, 1), y: str)), d: array(f32, 2))",
            "struct(\"a, \"\"b\"\": c\": i64, \": \": str)",
        ] {
            assert_eq!(text.parse::<DType>().expect("a type").to_string(), text);
        }
        assert!("int".parse::<DType>().is_err());
        assert!("decimal(1)".parse::<DType>().is_err());
        for wrong in ["struct(a)", "struct(a: int)", "array(u8)", "array(u8, x)", "struct()", "list()"] {
            assert!(wrong.parse::<DType>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn timestamps_of_other_programs_are_times() {
        let other = |text: &str| DType::Other(text.to_owned());
        for text in ["datetime[ns]", "datetime[us, UTC]", "datetime[ms, Europe/Paris]"] {
            assert!(other(text).is_datetime() && other(text).is_temporal() && !other(text).is_duration(), "{text}");
        }
        assert!(other("duration[ns]").is_duration() && DType::Datetime.is_datetime() && DType::Time.is_temporal());
        assert!(!DType::Date.is_datetime() && !other("binary").is_temporal() && !DType::Unknown.is_temporal());
    }

    #[test]
    fn types_in_types_do_not_use_up_the_stack() {
        for (open, close) in [("list(", ")"), ("array(", ", 2)"), ("struct(a: ", ")")] {
            let deep = |levels: usize| format!("{}u8{}", open.repeat(levels), close.repeat(levels));
            assert_eq!(deep(64).parse::<DType>().expect("a type").to_string(), deep(64));
            assert!(deep(65).parse::<DType>().is_err() && deep(20_000).parse::<DType>().is_err());
        }
    }
}
