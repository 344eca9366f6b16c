//! Hugging Face's `tokenizer.json`: kept as it is, but for special tokens that are added.

use super::super::form::AddedToken;
use super::super::spec::TokenizerSpec;
use crate::stages::text::SpecialNames;
use serde_json::Value;
use std::collections::BTreeMap;

/// Its text with the special tokens that the manifest names, and what they are for.
pub(super) fn load(text: &str, spec: &TokenizerSpec) -> Result<(String, SpecialNames), String> {
    let mut form: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let mut ids = vocabulary(&form)?;
    let names = spec.special.names().or(SpecialNames::found(|token| ids.contains_key(token)));
    let mut next = ids.values().max().map_or(Some(0), |largest| largest.checked_add(1));
    let added = form.get_mut("added_tokens").and_then(Value::as_array_mut).ok_or("it has no list `added_tokens`")?;
    for token in names.tokens() {
        if ids.contains_key(&token) {
            continue;
        }
        let id = next.ok_or("its ids leave no room for another token")?;
        let entry = AddedToken::special(token.clone(), id);
        added.push(serde_json::to_value(entry).map_err(|error| error.to_string())?);
        ids.insert(token, id);
        next = id.checked_add(1);
    }
    let text = serde_json::to_string(&form).map_err(|error| error.to_string())?;
    Ok((text, names))
}

/// Every token with its id.
fn vocabulary(form: &Value) -> Result<BTreeMap<String, u32>, String> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let vocab = form.get("model").and_then(|model| model.get("vocab")).ok_or("it has no `model.vocab`")?;
    let mut ids = BTreeMap::new();
    match vocab {
        Value::Object(tokens) => {
            for (token, value) in tokens {
                ids.insert(token.clone(), id(value).ok_or_else(|| format!("the id of `{token}` is no whole number"))?);
            }
        }
        Value::Array(pieces) => {
            for (piece, place) in pieces.iter().zip(0..) {
                let token = piece.get(0).and_then(Value::as_str).ok_or_else(|| format!("piece {place} is no text"))?;
                ids.insert(token.to_owned(), place);
            }
        }
        _ => return Err("`model.vocab` is neither a table nor a list".to_owned()),
    }
    for token in form.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(content), Some(id)) = (token.get("content").and_then(Value::as_str), token.get("id").and_then(&id))
        {
            ids.insert(content.to_owned(), id);
        }
    }
    Ok(ids)
}
