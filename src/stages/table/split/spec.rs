//! The fields of `split`.

use super::super::columns::{column, wrong_type};
use crate::diag::{codes, list};
use crate::path;
use crate::stage::{CheckCx, Path, Ref};
use crate::types::{DType, TableSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A table and its parts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The table.
    pub from: Ref,
    /// The parts, which become the outputs: fractions that sum to 1 (`{ train = 0.8, val = 0.1, test = 0.1 }`), or
    /// numbers of rows, of which one may be `"rest"` (`{ test = 1000, train = "rest" }`); with `by`, the value or
    /// values of that column (`{ train = "training", test = ["t10k", "extra"] }`).
    pub parts: BTreeMap<String, Part>,
    /// A column whose values are spread over the parts alike: a class.
    pub stratify: Option<String>,
    /// A column whose values are never divided: all rows of a patient, a session, a day go to one part.
    pub group: Option<String>,
    /// A column of times: nothing is shuffled, the first part has the earliest rows. Rows of one time stay together.
    pub time: Option<String>,
    /// A column whose values say which part a row belongs to.
    pub by: Option<String>,
    /// With `time`: the parts from the earliest to the latest. Not needed for `train`, `val` (or `valid`,
    /// `validation`) and `test`, which come in that order.
    #[serde(default)]
    pub order: Vec<String>,
}

/// How large a part is, or what marks its rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A fraction of all rows.
    Fraction(f64),
    /// A number of rows.
    Count(u64),
    /// Values of the column `by`; `rest` alone also stands for the rows that the other parts leave.
    Values(Vec<String>),
}

impl Part {
    /// `"rest"`
    pub(super) fn is_rest(&self) -> bool {
        matches!(self, Self::Values(values) if values.as_slice() == ["rest"])
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fraction(fraction) => serializer.serialize_f64(*fraction),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Values(values) => values.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Part;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fraction, a number of rows, \"rest\", or with `by` a value or a list of values")
            }

            fn visit_f64<E>(self, fraction: f64) -> Result<Part, E> {
                Ok(Part::Fraction(fraction))
            }

            fn visit_u64<E>(self, count: u64) -> Result<Part, E> {
                Ok(Part::Count(count))
            }

            fn visit_i64<E: Error>(self, count: i64) -> Result<Part, E> {
                u64::try_from(count).map(Part::Count).map_err(|_| E::custom("a number of rows is not negative"))
            }

            fn visit_str<E>(self, value: &str) -> Result<Part, E> {
                Ok(Part::Values(vec![value.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Part, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(Part::Values)
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl JsonSchema for Part {
    fn schema_name() -> Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A fraction of the rows, a number of rows, `rest`, or with `by` a value or a list of values.",
            "anyOf": [
                { "type": "number", "minimum": 0 },
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } },
            ],
        })
    }
}

/// The order of the usual names.
const USUAL: [&str; 5] = ["train", "val", "valid", "validation", "test"];

impl Spec {
    /// Where a part comes with `time`, and in summaries.
    pub(super) fn place_in_order(&self, part: &str) -> usize {
        let order = self.order.iter().position(|name| name == part);
        order.or_else(|| USUAL.iter().position(|name| *name == part)).unwrap_or(USUAL.len())
    }

    /// Reports what is wrong, and gives the parts' schema: the table's own.
    pub(super) fn check(&self, cx: &mut CheckCx<'_>) -> Option<TableSchema> {
        self.check_parts(cx);
        self.check_ways(cx);
        self.check_order(cx);
        let schema = cx.table(&self.from, path!["from"])?;
        let rows = schema.rows;
        for (field, name) in self.columns() {
            let Some(dtype) = column(&schema, name, path![field], cx) else { continue };
            let wrong = match field {
                "stratify" if dtype.is_float() => Some("a column of classes"),
                "time" if !(dtype.is_temporal() || dtype.is_numeric() || dtype == DType::Str || dtype.is_unknown()) => {
                    Some("a column of times or numbers")
                }
                _ => None,
            };
            if let Some(wanted) = wrong {
                wrong_type(cx, path![field], name, &dtype, wanted).maybe_hint(
                    (field == "stratify").then(|| "put it into classes first, with a `derive` step".to_owned()),
                );
            }
        }
        if let Some(rows) = rows {
            self.check_counts(rows, cx);
        }
        Some(TableSchema { rows: None, ..schema })
    }

    fn columns(&self) -> Vec<(&'static str, &str)> {
        let fields = [("stratify", &self.stratify), ("group", &self.group), ("time", &self.time), ("by", &self.by)];
        fields.into_iter().filter_map(|(field, name)| Some((field, name.as_deref()?))).collect()
    }

    fn check_parts(&self, cx: &mut CheckCx<'_>) {
        if self.parts.is_empty() {
            cx.error(path!["parts"], codes::FRACTIONS, "a split needs at least one part").label("names no part");
            return;
        }
        for name in self.parts.keys() {
            let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            if !good {
                cx.error(path!["parts", name], codes::BAD_NAME, format!("`{name}` cannot be the name of a part"))
                    .at_key()
                    .label("letters, digits, `_` and `-`, and a letter first");
            }
        }
        match &self.by {
            Some(_) => self.check_values(cx),
            None => self.check_sizes(cx),
        }
    }

    fn check_values(&self, cx: &mut CheckCx<'_>) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, part) in &self.parts {
            let Part::Values(values) = part else {
                cx.error(path!["parts", name], codes::FRACTIONS, "with `by`, a part is named by values of that column")
                    .label("a size")
                    .related(path!["by"], "this column says where rows belong");
                continue;
            };
            for value in values {
                if let Some(other) = seen.insert(value, name) {
                    cx.error(
                        path!["parts", name],
                        codes::FRACTIONS,
                        format!("the value `{value}` belongs to two parts"),
                    )
                    .label(format!("also in `{other}`"));
                }
            }
        }
    }

    fn check_sizes(&self, cx: &mut CheckCx<'_>) {
        let (mut sum, mut fractions, mut counts, mut rests) = (0.0, 0, 0, 0);
        for (name, part) in &self.parts {
            let at = path!["parts", name];
            match part {
                Part::Fraction(fraction) if !(0.0..=1.0).contains(fraction) || *fraction == 0.0 => {
                    cx.error(at, codes::OUT_OF_RANGE, "a fraction lies between 0 and 1").label("not such a number");
                    return;
                }
                Part::Count(0) => {
                    cx.error(at, codes::OUT_OF_RANGE, "a part has at least one row").label("no rows");
                    return;
                }
                Part::Fraction(fraction) => {
                    sum += fraction;
                    fractions += 1;
                }
                Part::Count(_) => counts += 1,
                rest if rest.is_rest() => rests += 1,
                Part::Values(_) => {
                    cx.error(at, codes::FRACTIONS, "a part is a fraction, a number of rows, or \"rest\"")
                        .label("a value")
                        .hint("to divide by a column's values, name the column with `by`");
                    return;
                }
            }
        }
        if fractions > 0 && counts + rests > 0 {
            cx.error(path!["parts"], codes::FRACTIONS, "fractions and numbers of rows do not mix")
                .label("both stand here")
                .hint("a fraction has a decimal point: 0.8; a number of rows has none: 800");
        } else if fractions > 0 && (sum - 1.0_f64).abs() > 1e-9 {
            let sum = format!("{:.6}", sum).trim_end_matches('0').trim_end_matches('.').to_owned();
            cx.error(path!["parts"], codes::FRACTIONS, format!("the parts sum to {sum}, not to 1"))
                .label(format!("sum to {sum}"));
        } else if rests > 1 {
            cx.error(path!["parts"], codes::FRACTIONS, "only one part can be the rest").label("two parts are the rest");
        }
    }

    fn check_counts(&self, rows: u64, cx: &mut CheckCx<'_>) {
        let wanted: u64 = self.parts.values().map(|part| if let Part::Count(count) = part { *count } else { 0 }).sum();
        if wanted > rows {
            cx.error(path!["parts"], codes::FRACTIONS, format!("the parts want {wanted} rows, the table has {rows}"))
                .label(format!("{wanted} rows in all"));
        }
    }

    fn check_ways(&self, cx: &mut CheckCx<'_>) {
        let mut conflict = |field: &str, other: &str, why: &str| {
            cx.error(path![field], codes::CONFLICT, format!("`{field}` does not go with `{other}`"))
                .at_key()
                .label(why)
                .related(path![other], "given here");
        };
        for other in self.columns().into_iter().map(|(field, _)| field) {
            if self.by.is_some() && other != "by" {
                conflict(other, "by", "the column of `by` decides already");
            } else if self.time.is_some() && (other == "stratify" || other == "group") {
                conflict(other, "time", "time decides already");
            }
        }
        if !self.order.is_empty() && self.time.is_none() {
            cx.error(path!["order"], codes::CONFLICT, "`order` goes with `time` alone")
                .at_key()
                .label("nothing is ordered");
        }
    }

    fn check_order(&self, cx: &mut CheckCx<'_>) {
        if self.time.is_none() {
            return;
        }
        let at: Path = path![if self.order.is_empty() { "time" } else { "order" }];
        let known = |name: &str| match self.order.is_empty() {
            true => USUAL.contains(&name),
            false => self.order.iter().any(|entry| entry == name),
        };
        let unknown: Vec<&str> = self.parts.keys().map(String::as_str).filter(|name| !known(name)).collect();
        let surplus: Vec<&str> =
            self.order.iter().map(String::as_str).filter(|name| !self.parts.contains_key(*name)).collect();
        if !unknown.is_empty() {
            let message = format!("which comes first is not known of {}", list(unknown, 4));
            cx.error(at, codes::MISSING_FIELD, message)
                .label("the parts have no order")
                .hint("name the parts from the earliest to the latest: `order = [\"train\", …]`");
        } else if !surplus.is_empty() {
            let message = format!("`order` names {}, which `parts` does not have", list(surplus, 4));
            cx.error(at, codes::OUT_OF_RANGE, message).label("not among the parts");
        }
    }
}
