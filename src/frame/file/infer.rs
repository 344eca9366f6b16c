//! What type a column of delimited text has, where none is declared: told from all of its fields, never from a sample,
//! so that the type cannot depend on where a sample ends.

use super::csv::{Field, Fields};
use super::{Layout, figures};
use crate::types::DType;

/// `bool`, `i64`, `f64` or `str`: the narrowest that every field has; `None` for a column of missing values only, which
/// becomes `str`. Dates are text until `types` says otherwise.
pub(super) fn dtype(fields: &Fields<'_>, column: usize) -> Option<DType> {
    let mut found = None;
    for row in 0..fields.rows() {
        let Some(field) = fields.get(row, column) else { continue };
        found = both(found, Some(kind(field, fields.layout)));
        if found == Some(DType::Str) {
            break;
        }
    }
    found
}

/// The narrowest type of the fields of two parts.
pub(super) fn both(one: Option<DType>, other: Option<DType>) -> Option<DType> {
    match (one, other) {
        (None, found) | (found, None) => found,
        (Some(one), Some(other)) if one == other => Some(one),
        (Some(DType::I64), Some(DType::F64)) | (Some(DType::F64), Some(DType::I64)) => Some(DType::F64),
        _ => Some(DType::Str),
    }
}

fn kind(field: Field<'_>, layout: &Layout) -> DType {
    if field.quoted {
        return DType::Str;
    }
    let figures = figures::plain(field.text, layout);
    let number = figures.as_deref().unwrap_or("");
    let digits = number.strip_prefix(['-', '+']).unwrap_or(number);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // A whole number that an i64 cannot hold would lose digits as a float, and zeros at its beginning any number: it stays text.
        let whole = !figures::has_leading_zeros(digits) && number.parse::<i64>().is_ok();
        return if whole { DType::I64 } else { DType::Str };
    }
    if figures::float(number).is_some() {
        return DType::F64;
    }
    if super::cells::boolean(field.text, layout).is_some() { DType::Bool } else { DType::Str }
}
