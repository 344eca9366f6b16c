//! Leaves out rows that repeat another.

use super::super::columns::{OneOrMany, not_empty, select};
use super::super::normal::normalised;
use super::{Rule, Tables};
use crate::frame::FloatSums;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::TableSchema;
use polars::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which rows count as the same, and which of them stays.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Dedupe {
    /// The columns to compare, names or patterns; all columns without it.
    pub by: Option<OneOrMany>,
    /// Which row stays.
    #[serde(default)]
    pub keep: Keep,
    /// Whether texts count as the same where only width (Unicode NFKC), case, spaces and punctuation differ. What stays keeps its
    /// text as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub normalise: bool,
}

/// Which of several equal rows stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
    /// None of them: only rows that are alone stay.
    None,
}

impl Rule for Dedupe {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        if let Some(by) = &self.by {
            let place: Path = [at.clone(), vec!["by".into()]].concat();
            not_empty(by, place.clone(), "`by` of a dedupe", cx);
            for (pattern, at) in by.with_paths(&place) {
                select(&input, pattern, at, cx);
            }
        }
        input
    }

    fn apply(&self, lf: LazyFrame, schema: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let subset = self.by.as_ref().map(|by| {
            let names = by.0.iter().flat_map(|pattern| super::matching(schema, pattern));
            names.map(col).collect::<Vec<_>>()
        });
        let keep = match self.keep {
            Keep::First => UniqueKeepStrategy::First,
            Keep::Last => UniqueKeepStrategy::Last,
            Keep::None => UniqueKeepStrategy::None,
        };
        if !self.normalise {
            return Ok(lf.unique_stable_generic(subset, keep));
        }
        let by = subset.unwrap_or_else(|| schema.iter_names().map(|name| col(name.clone())).collect());
        let is_text = |name: &str| schema.get(name).is_some_and(DataType::is_string);
        let (mut compared, mut added) = (Vec::new(), Vec::new());
        for (index, expr) in by.into_iter().enumerate() {
            match &expr {
                Expr::Column(name) if is_text(name) => {
                    let key = free_name(schema, index);
                    added.push(expr.map(in_normal_form, |_, field| Ok(field.clone())).alias(key.clone()));
                    compared.push(col(key));
                }
                _ => compared.push(expr),
            }
        }
        let own = schema.iter_names().map(|name| col(name.clone())).collect::<Vec<_>>();
        Ok(lf.with_columns(added).unique_stable_generic(Some(compared), keep).select(own))
    }
}

/// A name that no column has.
fn free_name(schema: &SchemaRef, index: usize) -> PlSmallStr {
    let mut name = format!("normal form {index}");
    while schema.contains(&name) {
        name.push('\'');
    }
    name.into()
}

fn in_normal_form(column: Column) -> PolarsResult<Column> {
    let texts = column.str()?.apply_values(|text| std::borrow::Cow::Owned(normalised(text)));
    Ok(texts.into_column())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Ref;

    #[test]
    fn texts_that_differ_only_in_form_are_one() {
        let df = df!("text" => ["好！", " 好", "ＯＫ", "ok.", "不好"], "normal form 0" => [1, 1, 1, 1, 1]).unwrap();
        let dedupe = Dedupe { by: Some(OneOrMany(vec!["text".to_owned()])), keep: Keep::First, normalise: true };
        let schema = df.schema().clone();
        let none = |_: &Ref| -> Result<LazyFrame, StageError> { unreachable!("no other table") };
        let lf = dedupe.apply(df.lazy(), &schema, FloatSums::default(), &none).unwrap();
        let kept = lf.collect().unwrap();
        let texts: Vec<_> = kept.column("text").unwrap().str().unwrap().iter().flatten().collect();
        assert_eq!((texts, kept.width()), (vec!["好！", "ＯＫ", "不好"], 2));
    }
}
