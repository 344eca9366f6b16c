//! What type a column of delimited text has, where none is declared: told from all of its fields, never from a sample,
//! so that the type cannot depend on where a sample ends.

use super::csv::{Field, Fields};
use super::{Layout, figures};
use crate::types::DType;

/// `bool`, `i64`, `f64` or `str`: the narrowest that every field has. A column of missing values only is `str`.
/// Dates are text until `types` says otherwise.
pub(super) fn dtype(fields: &Fields<'_>, column: usize) -> DType {
    let mut found = None;
    for row in 0..fields.rows() {
        let Some(field) = fields.get(row, column) else { continue };
        found = Some(match (found, kind(field, fields.layout)) {
            (None, kind) => kind,
            (Some(a), b) if a == b => a,
            (Some(DType::I64), DType::F64) | (Some(DType::F64), DType::I64) => DType::F64,
            _ => DType::Str,
        });
        if found == Some(DType::Str) {
            break;
        }
    }
    found.unwrap_or(DType::Str)
}

fn kind(field: Field<'_>, layout: &Layout) -> DType {
    if field.quoted {
        return DType::Str;
    }
    let figures = figures::plain(field.text, layout);
    let number = figures.as_deref().unwrap_or("");
    let text = number.as_bytes();
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        // A whole number that an i64 cannot hold would lose digits as a float: it stays text.
        return if number.parse::<i64>().is_ok() { DType::I64 } else { DType::Str };
    }
    if number.parse::<f64>().is_ok() {
        return DType::F64;
    }
    if super::cells::boolean(field.text, layout).is_some() { DType::Bool } else { DType::Str }
}
