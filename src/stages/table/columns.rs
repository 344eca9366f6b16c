//! Column names in a manifest: one or a list of them, exact or with wildcards, and what they stand for in a table.

use crate::diag::{codes, did_you_mean, list};
use crate::numbers;
use crate::stage::{CheckCx, Path};
use crate::types::{DType, Lookup, TableSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor, value::SeqAccessDeserializer};
use std::borrow::Cow;
use std::fmt;

/// One text, or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct OneOrMany(pub Vec<String>);

impl OneOrMany {
    /// The texts, each with its path below `at`.
    pub(super) fn with_paths(&self, at: &Path) -> Vec<(&str, Path)> {
        let place = |index: usize| [at.clone(), vec![index.into()]].concat();
        self.0.iter().enumerate().map(|(index, text)| (text.as_str(), place(index))).collect()
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column name or a list of them")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<OneOrMany, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(OneOrMany)
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A column name or a list of them.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        })
    }
}

/// Reports a column without a name that none of the tables `before` had: files have such, but nobody means to make one.
pub(super) fn all_named<'a>(
    before: impl IntoIterator<Item = &'a TableSchema>,
    after: &TableSchema,
    at: Path,
    cx: &mut CheckCx<'_>,
) {
    let is_nameless = |schema: &TableSchema| schema.names().any(str::is_empty);
    if is_nameless(after) && !before.into_iter().any(is_nameless) {
        cx.error(at, codes::OUT_OF_RANGE, "a column would have an empty name")
            .label("makes a column without a name")
            .hint("give it a name");
    }
}

/// The type of a column; `None` after reporting that there is none of this name.
pub(super) fn column(schema: &TableSchema, name: &str, at: Path, cx: &mut CheckCx<'_>) -> Option<DType> {
    match schema.lookup(name) {
        Lookup::Found(column) => Some(column.dtype.clone()),
        Lookup::Unknown => Some(DType::Unknown),
        Lookup::Missing => {
            let names: Vec<&str> = schema.names().collect();
            let of_expression = || {
                let told =
                    "names of columns stand here: a `derive` step of a `table` stage makes a column of an expression";
                name.contains('(').then(|| told.to_owned())
            };
            let meant = of_expression().or_else(|| did_you_mean(name, names.iter().copied()));
            cx.error(at, codes::UNKNOWN_COLUMN, format!("column `{name}` does not exist"))
                .label(format!("the table has {}; none of this name", numbers::counted(names.len(), "column")))
                .hint(meant.unwrap_or_else(|| format!("the columns here are {}", list(names, 8))));
            None
        }
    }
}

/// Reports a list of columns that names none, where one is needed.
pub(super) fn not_empty(names: &OneOrMany, at: Path, what: &str, cx: &mut CheckCx<'_>) {
    if names.0.is_empty() {
        cx.error(at, codes::OUT_OF_RANGE, format!("{what} needs at least one column")).label("names no column");
    }
}

/// Whether a text is a pattern.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// The known columns that a name or pattern stands for, in table order; reports a name or pattern that stands for none.
pub(super) fn select(schema: &TableSchema, pattern: &str, at: Path, cx: &mut CheckCx<'_>) -> Vec<String> {
    if !is_pattern(pattern) {
        return column(schema, pattern, at, cx).map(|_| pattern.to_owned()).into_iter().collect();
    }
    let found: Vec<String> = schema.select(pattern).into_iter().map(|column| column.name.clone()).collect();
    if found.is_empty() && schema.complete {
        cx.error(at, codes::EMPTY_SELECTION, format!("no column fits `{pattern}`"))
            .label("selects nothing")
            .hint(format!("the columns here are {}", list(schema.names(), 8)));
    }
    found
}

/// Reports a column of a type that does not fit.
pub(super) fn wrong_type<'a>(
    cx: &'a mut CheckCx<'_>,
    at: Path,
    name: &str,
    dtype: &DType,
    wanted: &str,
) -> &'a mut crate::stage::Finding {
    cx.error(at, codes::COLUMN_TYPE, format!("column `{name}` is {dtype}, but {wanted} is needed here"))
        .label(format!("{dtype}"))
}
