//! Something in the place of missing values.

mod within;

use super::super::columns::{OneOrMany, is_pattern, select, wrong_type};
use super::super::scalar::{MOMENTS, Scalar};
use super::{Rule, Tables};
use crate::diag::{codes, did_you_mean, list};
use crate::frame::{FloatSums, failed, fixed_expr, from_polars, one_zero, to_polars};
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{Column, DataType, Expr, FillNullStrategy, LazyFrame, PolarsResult, SchemaRef, col, lit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use within::{Within, Written};

/// What to fill with, by column name or pattern. An exact name wins over a pattern, a longer pattern over a shorter.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Fills(BTreeMap<String, Fill>);

/// What stands in for a missing value.
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    /// Taken from the column.
    Learned(Learned),
    /// Taken from the rows of the same group.
    Within(Within),
    /// Always the same.
    Int(i64),
    /// Always the same.
    Float(f64),
    /// Always the same.
    Bool(bool),
    /// Always the same.
    Text(String),
}

/// How the value is taken from the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// The mean of what is there.
    Mean,
    /// The median of what is there.
    Median,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The last value before it; missing values at the beginning stay.
    Forward,
    /// The next value after it; missing values at the end stay.
    Backward,
}

const WORDS: [(&str, Learned); 6] = [
    ("mean", Learned::Mean),
    ("median", Learned::Median),
    ("min", Learned::Min),
    ("max", Learned::Max),
    ("forward", Learned::Forward),
    ("backward", Learned::Backward),
];

impl Serialize for Fill {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Learned(learned) => serializer.serialize_str(learned.word()),
            Self::Within(within) => within.serialize(serializer),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Text(text) => BTreeMap::from([("value", text)]).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Fill {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Fill;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or mean, median, min, max, forward or backward")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Fill, E> {
                Ok(Fill::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Fill, E> {
                Ok(Fill::Int(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Fill, E> {
                i64::try_from(value).map(Fill::Int).map_err(|_| E::custom("the number is too large"))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Fill, E> {
                Ok(Fill::Float(value))
            }

            fn visit_str<E>(self, text: &str) -> Result<Fill, E> {
                let learned = WORDS.iter().find(|(word, _)| *word == text);
                Ok(learned.map_or_else(|| Fill::Text(text.to_owned()), |(_, learned)| Fill::Learned(*learned)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fill, A::Error> {
                let written = Written::deserialize(MapAccessDeserializer::new(map))?;
                let fill = match written.value.clone().filter(|_| written.is_value()) {
                    Some(text) => Some(Fill::Text(text)),
                    None => written.within().map(Fill::Within),
                };
                fill.ok_or_else(|| {
                    A::Error::custom("expected `{ value = \"…\" }`, or `{ take = \"forward\", by = \"…\" }`")
                })
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl JsonSchema for Fill {
    fn schema_name() -> Cow<'static, str> {
        "Fill".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A value, or one of the words mean, median, min, max, forward and backward. A text that is \
                            one of these words is written `{ value = \"mean\" }`. `{ take = \"forward\", by = \"shop\", \
                            order = \"day\" }` takes it from the rows of the same group, in this order (of `forward` and \
                            `backward`); the rows stay in their places, and where a group has no value it stays missing.",
            "anyOf": [
                { "enum": WORDS.map(|(word, _)| word) },
                { "type": ["number", "string", "boolean"] },
                {
                    "type": "object",
                    "properties": { "value": { "type": "string" } },
                    "required": ["value"],
                    "additionalProperties": false,
                },
                {
                    "type": "object",
                    "properties": {
                        "take": { "enum": WORDS.map(|(word, _)| word) },
                        "by": generator.subschema_for::<OneOrMany>(),
                        "order": generator.subschema_for::<OneOrMany>(),
                    },
                    "required": ["take"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl Fill {
    /// The column's type afterwards; `Err` says what type of column it needs.
    fn output(&self, dtype: &DType) -> Result<DType, &'static str> {
        if dtype.is_unknown() {
            return Ok(DType::Unknown);
        }
        let same = || Ok(dtype.clone());
        match self {
            Self::Within(within) => Self::Learned(within.take).output(dtype),
            Self::Learned(Learned::Mean | Learned::Median) if dtype.is_integer() => Ok(DType::F64),
            Self::Learned(Learned::Mean | Learned::Median) if dtype.is_float() => same(),
            Self::Learned(Learned::Mean | Learned::Median) if dtype.is_numeric() => {
                Err("a column of floats or whole numbers")
            }
            Self::Learned(Learned::Mean | Learned::Median) => Err("a column of numbers"),
            Self::Learned(Learned::Min | Learned::Max) if dtype.is_numeric() || dtype.is_temporal() => same(),
            Self::Learned(Learned::Min | Learned::Max) => Err("a column of numbers or times"),
            Self::Learned(Learned::Forward | Learned::Backward) => same(),
            Self::Int(_) if dtype.is_numeric() => same(),
            Self::Int(_) => Err("a column of numbers"),
            Self::Float(_) if dtype.is_float() || matches!(dtype, DType::Decimal(..)) => same(),
            Self::Float(_) => Err("a column of floats"),
            Self::Bool(_) if *dtype == DType::Bool => same(),
            Self::Bool(_) => Err("a column of truth values"),
            Self::Text(_) if *dtype == DType::Str || dtype.is_temporal() => same(),
            Self::Text(_) => Err("a column of text"),
        }
    }

    fn literal(&self) -> Option<Expr> {
        match self {
            Self::Learned(_) | Self::Within(_) => None,
            Self::Int(value) => Some(lit(*value)),
            Self::Float(value) => Some(lit(*value)),
            Self::Bool(value) => Some(lit(*value)),
            Self::Text(text) => Some(lit(text.as_str())),
        }
    }

    /// The text, where it stands for a moment: it is written as in csv files, of which polars reads some alone, and none of types such as
    /// `datetime[ns, UTC]`.
    fn moment_of(&self, dtype: &DType) -> Option<Scalar> {
        let is_moment = matches!(dtype, DType::Date | DType::Time | DType::Other(_)) || dtype.is_datetime();
        match self {
            Self::Text(text) if is_moment => Some(Scalar::Text(text.clone())),
            _ => None,
        }
    }

    /// Whether the value is one that the type can hold.
    fn fits(&self, dtype: &DType) -> bool {
        let Some(target) = to_polars(dtype) else { return true };
        if let Some(text) = self.moment_of(dtype) {
            return text.column(dtype).is_some();
        }
        // A decimal would be cut off without a word.
        if let (Self::Float(value), DType::Decimal(_, after)) = (self, dtype)
            && value.to_string().split_once('.').is_some_and(|(_, digits)| digits.len() > *after)
        {
            return false;
        }
        let value = match self {
            Self::Learned(_) | Self::Within(_) => return true,
            Self::Int(value) => Column::new("".into(), [*value]),
            Self::Float(value) => Column::new("".into(), [*value]),
            Self::Bool(value) => Column::new("".into(), [*value]),
            Self::Text(text) => Column::new("".into(), [text.as_str()]),
        };
        value.cast(&target).is_ok_and(|cast| cast.null_count() == 0)
    }

    fn expr(&self, name: &str, dtype: &DataType, schema: &SchemaRef, sums: FloatSums) -> Result<Expr, StageError> {
        let column = || col(name);
        let of_rows = |learned: Learned, within: Option<&Within>| {
            learned
                .expr(name, dtype, schema, sums, within)
                .map_err(|error| failed(&format!("take the {} of `{name}`", learned.word()), &error))
        };
        Ok(match self {
            Self::Learned(learned) => of_rows(*learned, None)?,
            Self::Within(within) => of_rows(within.take, Some(within))?,
            Self::Text(text) if self.moment_of(&from_polars(dtype)).is_some() => {
                let dtype = from_polars(dtype);
                let moment = self.moment_of(&dtype).and_then(|moment| moment.literal(&dtype));
                let none = || StageError::data(format!("column `{name}` is {dtype}, which cannot hold `{text}`"));
                column().fill_null(moment.ok_or_else(none)?)
            }
            constant => match constant.literal() {
                Some(value) => column().fill_null(value.strict_cast(dtype.clone())),
                None => column(),
            },
        })
    }
}

impl Learned {
    /// The column, filled with what is taken from all rows or from each group's.
    fn expr(
        self,
        name: &str,
        dtype: &DataType,
        schema: &SchemaRef,
        sums: FloatSums,
        within: Option<&Within>,
    ) -> PolarsResult<Expr> {
        let column = || col(name);
        let number = if dtype.is_integer() { DataType::Float64 } else { dtype.clone() };
        let over = |values: Expr| match within {
            Some(within) => within.over(values, schema, sums),
            None => Ok(values),
        };
        Ok(match self {
            Self::Mean => {
                let mean = fixed_expr(&over(column().mean())?, schema, sums)?;
                column().cast(number.clone()).fill_null(mean.cast(number))
            }
            Self::Median => {
                let median = one_zero(over(column().median())?.cast(number.clone()), &number);
                column().cast(number).fill_null(median)
            }
            Self::Min => column().fill_null(one_zero(over(column().min())?, dtype)),
            Self::Max => column().fill_null(one_zero(over(column().max())?, dtype)),
            Self::Forward => over(column().fill_null_with_strategy(FillNullStrategy::Forward(None)))?,
            Self::Backward => over(column().fill_null_with_strategy(FillNullStrategy::Backward(None)))?,
        })
    }
}

impl Fills {
    /// Patterns first, shorter before longer, exact names last: later entries win.
    fn in_order(&self) -> Vec<(&str, &Fill)> {
        let mut rules: Vec<(&str, &Fill)> = self.0.iter().map(|(rule, fill)| (rule.as_str(), fill)).collect();
        rules.sort_by_key(|(rule, _)| (!is_pattern(rule), rule.len(), *rule));
        rules
    }
}

impl Rule for Fills {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let mut output = input.clone();
        for (rule, fill) in self.in_order() {
            let at: Path = [at.clone(), vec![rule.into()]].concat();
            if let Fill::Within(within) = fill {
                within.check(&input, &at, cx);
            }
            for name in select(&input, rule, at.clone(), cx) {
                let Some(index) = input.columns.iter().position(|column| column.name == name) else { continue };
                let dtype = &input.columns[index].dtype;
                match fill.output(dtype) {
                    Ok(_) if !fill.fits(dtype) => {
                        cx.error(
                            at.clone(),
                            codes::OUT_OF_RANGE,
                            format!("column `{name}` is {dtype}, which cannot hold this value"),
                        )
                        .label(format!("not a value of {dtype}"))
                        .maybe_hint(dtype.is_temporal().then(|| MOMENTS.to_owned()));
                    }
                    Ok(dtype) => output.columns[index].dtype = dtype,
                    Err(wanted) => {
                        let words = WORDS.map(|(word, _)| word);
                        let finding = wrong_type(cx, at.clone(), &name, dtype, wanted);
                        if let Fill::Text(text) = fill {
                            finding
                                .maybe_hint(did_you_mean(text, words))
                                .hint(format!("write a number, or one of {}", list(words, 6)));
                        }
                    }
                }
            }
        }
        output
    }

    fn apply(
        &self,
        lf: LazyFrame,
        schema: &SchemaRef,
        sums: FloatSums,
        _: Tables<'_>,
    ) -> Result<LazyFrame, StageError> {
        let mut fills: BTreeMap<String, &Fill> = BTreeMap::new();
        for (rule, fill) in self.in_order() {
            fills.extend(super::matching(schema, rule).into_iter().map(|name| (name, fill)));
        }
        let mut exprs = Vec::with_capacity(fills.len());
        for (name, fill) in fills {
            let Some(dtype) = schema.get(name.as_str()) else { continue };
            exprs.push(fill.expr(&name, dtype, schema, sums)?);
        }
        Ok(if exprs.is_empty() { lf } else { lf.with_columns(exprs) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::stepwise::Table;
    use super::super::super::testing::{findings, penguins, run, table_input};
    use crate::stage::testing::Bench;

    #[test]
    fn moments_are_written_as_in_csv_files() {
        let mut bench = Bench::default();
        table_input(&mut bench, "t", penguins());
        let at = r#"{ derive = { at = "CAST('2024-01-01 00:00:00' AS TIMESTAMP) + INTERVAL '1 day' * body_mass_g" } }"#;
        let text = r#"{ filter = "body_mass_g IS NULL" }, { derive = { at = "CAST(at AS VARCHAR)" } }"#;
        let fields = |moment: &str, more: &str| {
            format!("from = \"t\"\nsteps = [{at}, {{ fill = {{ at = \"{moment}\" }} }}, {more}]")
        };
        for moment in ["2024-02-03 10:00", "2024-02-03 10:00:00", "2024-02-03T10:00:00"] {
            let df = run::<Table>(&bench, &fields(moment, text)).expect("it runs").remove(0).1;
            let texts: Vec<_> = df.column("at").expect("there").str().expect("texts").iter().flatten().collect();
            assert_eq!(texts, ["2024-02-03 10:00:00"; 2], "{moment}");
        }
        let found = findings::<Table>(&bench, &fields("soon", ""));
        assert_eq!(found, [("E0136".to_owned(), "column `at` is datetime, which cannot hold this value".to_owned())]);
    }
}
