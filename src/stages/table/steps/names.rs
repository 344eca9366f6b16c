//! The names of all columns in one style.

use super::{Rule, Tables};
use crate::diag::codes;
use crate::frame::FloatSums;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::TableSchema;
use polars::prelude::{LazyFrame, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A style of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Names {
    /// Words in lower case with `_` between them: `Bill Length (mm)` and `billLengthMm` become `bill_length_mm`.
    SnakeCase,
}

impl Names {
    fn name(self, name: &str) -> String {
        match self {
            Self::SnakeCase => snake_case(name),
        }
    }
}

/// Letters and digits of every script stay; what stands between them becomes one `_`.
fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len());
    for (index, c) in chars.iter().copied().enumerate() {
        if !c.is_alphanumeric() {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            continue;
        }
        let after = index.checked_sub(1).map(|before| chars[before]);
        let next_is_small = chars.get(index + 1).is_some_and(|next| next.is_lowercase());
        let begins = after.is_some_and(|after| {
            after.is_lowercase() || after.is_ascii_digit() || (after.is_uppercase() && next_is_small)
        });
        if c.is_uppercase() && begins && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    let kept = out.trim_end_matches('_');
    if kept.is_empty() { name.to_owned() } else { kept.to_owned() }
}

impl Rule for Names {
    fn check(&self, mut input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        for column in &mut input.columns {
            let new = self.name(&column.name);
            if let Some(other) = taken.insert(new.clone(), column.name.clone()) {
                let message = format!("columns `{other}` and `{}` would both be named `{new}`", column.name);
                cx.error(at.clone(), codes::DUPLICATE_COLUMN, message)
                    .label("these names become one")
                    .hint("rename one of them in a step before");
            }
            column.name = new;
        }
        input
    }

    fn apply(&self, lf: LazyFrame, schema: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let old: Vec<&str> = schema.iter_names().map(|name| name.as_str()).collect();
        let new: Vec<String> = old.iter().map(|name| self.name(name)).collect();
        Ok(lf.rename(old, new, true))
    }
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn names_become_words_with_lines_between_them() {
        for (old, new) in [
            ("Bill Length (mm)", "bill_length_mm"),
            ("billLengthMm", "bill_length_mm"),
            ("HTTPStatus", "http_status"),
            ("  Größe--alt ", "größe_alt"),
            ("col1Name", "col1_name"),
            ("A1", "a1"),
            ("already_fine", "already_fine"),
            ("年份 数量", "年份_数量"),
            ("%", "%"),
        ] {
            assert_eq!(snake_case(old), new);
        }
    }
}
