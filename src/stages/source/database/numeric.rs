//! Numbers of PostgreSQL's `numeric` without a declared scale: as decimals with as many digits behind the point as any of
//! them has; and its bytes, which it writes in hexadecimal.

use crate::stage::StageError;
use polars::prelude::*;

/// Decimals of texts that are decimals.
pub(super) fn decimals(column: &Column) -> Result<Column, StageError> {
    let texts = column.str().map_err(|error| crate::frame::failed("read the numbers", &error))?;
    let scale = texts.iter().flatten().filter_map(|text| text.split_once('.')).map(|(_, rest)| rest.len()).max();
    let scale = scale.unwrap_or(0);
    let name = column.name();
    let mut bad = None;
    let whole: Int128Chunked = texts
        .iter()
        .enumerate()
        .map(|(row, text)| {
            let text = text?;
            let value = crate::frame::file::decimal(text, 38, scale);
            if value.is_none() && bad.is_none() {
                bad = Some((row + 1, text.to_owned()));
            }
            value
        })
        .collect();
    if let Some((row, text)) = bad {
        let message = format!("row {row}, column `{name}`: `{text}` does not fit a decimal of 38 digits");
        let own = text.split_once('.').map_or(0, |(_, rest)| rest.len());
        let alone = own <= 38 && crate::frame::file::decimal(&text, 38, own).is_some();
        let error = StageError::data(message).hint(format!(
            "cast it in the query, as in `{name}::numeric(20, 4)`, or say `types = {{ \"{name}\" = \"f64\" }}`"
        ));
        return Err(match alone {
            true => error.note(format!("another row has {} behind the point", crate::numbers::counted(scale, "digit"))),
            false => error,
        });
    }
    let decimals = whole.with_name(name.clone()).into_series().into_decimal(38, scale);
    decimals.map(IntoColumn::into_column).map_err(|error| crate::frame::failed("make decimals", &error))
}

/// Bytes of `\x0aff`.
pub(super) fn bytes(column: &Column) -> Result<Column, StageError> {
    let texts = column.str().map_err(|error| crate::frame::failed("read the bytes", &error))?;
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let decode = |text: &str| -> Option<Vec<u8>> {
        let pairs = text.strip_prefix("\\x")?.as_bytes().chunks(2);
        pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
    };
    let decoded: Vec<Option<Vec<u8>>> = texts.iter().map(|text| decode(text?)).collect();
    Ok(BinaryChunked::from_iter_options(column.name().clone(), decoded.into_iter()).into_column())
}
