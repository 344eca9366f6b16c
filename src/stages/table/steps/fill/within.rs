//! Values taken from the group of each row, in an order that the rows need not stand in.

use super::super::super::columns::{OneOrMany, column};
use super::{Learned, WORDS};
use crate::diag::{codes, did_you_mean, list};
use crate::frame::{FloatSums, OrderKey, fixed_expr};
use crate::stage::{CheckCx, Path};
use crate::types::TableSchema;
use polars::prelude::{Expr, PolarsResult, SchemaRef, SortOptions, WindowMapping, coalesce, col, lit};
use serde::de::{Deserializer, Error};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// How a value is taken, and from which rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Within {
    /// How it is taken.
    pub(super) take: Learned,
    /// The columns whose values make a group; all rows are one without them.
    by: OneOrMany,
    /// The columns that say which row of the group comes before which; rows that are equal in them keep their order.
    order: OneOrMany,
}

/// The two long forms as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) value: Option<String>,
    take: Option<Learned>,
    #[serde(default)]
    by: OneOrMany,
    #[serde(default)]
    order: OneOrMany,
}

impl Written {
    /// What is taken from rows; `None` where the fields are not those of it.
    pub(super) fn within(self) -> Option<Within> {
        let Self { value: None, take: Some(take), by, order } = self else { return None };
        Some(Within { take, by, order })
    }

    /// Whether it is `value` alone.
    pub(super) fn is_value(&self) -> bool {
        self.value.is_some() && self.take.is_none() && self.by.0.is_empty() && self.order.0.is_empty()
    }
}

impl Learned {
    pub(super) fn word(self) -> &'static str {
        WORDS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }

    fn carries(self) -> bool {
        matches!(self, Self::Forward | Self::Backward)
    }
}

impl<'de> Deserialize<'de> for Learned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words = || WORDS.map(|(word, _)| word);
        let found = WORDS.iter().find(|(word, _)| *word == text).map(|(_, learned)| *learned);
        found.ok_or_else(|| {
            let meant = did_you_mean(&text, words()).map_or_else(String::new, |meant| format!("; {meant}"));
            D::Error::custom(format!("`take` is one of {}, not `{text}`{meant}", list(words(), 6)))
        })
    }
}

impl Serialize for Within {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = [("by", &self.by), ("order", &self.order)];
        let mut map = serializer.serialize_map(None)?;
        for (field, names) in names.into_iter().filter(|(_, names)| !names.0.is_empty()) {
            map.serialize_entry(field, names)?;
        }
        map.serialize_entry("take", self.take.word())?;
        map.end()
    }
}

impl Within {
    /// Reports columns that are not there, and an order that has no meaning.
    pub(super) fn check(&self, input: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
        let place = |field: &str| -> Path { [at.clone(), vec![field.into()]].concat() };
        for (field, names) in [("by", &self.by), ("order", &self.order)] {
            for (name, place) in names.with_paths(&place(field)) {
                column(input, name, place, cx);
            }
        }
        if !self.order.0.is_empty() && !self.take.carries() {
            let word = self.take.word();
            cx.error(place("order"), codes::CONFLICT, format!("`order` has no meaning for `{word}`"))
                .label(format!("the {word} is the same in any order"))
                .hint("leave out `order`; it is for `forward` and `backward`");
        }
    }

    /// The expression over the rows of each group, in the order.
    pub(super) fn over(&self, values: Expr, schema: &SchemaRef, sums: FloatSums) -> PolarsResult<Expr> {
        let columns = |names: &OneOrMany| -> Vec<Expr> { names.0.iter().map(|name| col(name.as_str())).collect() };
        let by = (!self.by.0.is_empty()).then(|| columns(&self.by));
        let order = match self.order.0.len() {
            0 => None,
            count => {
                // As in a window: missing values are the largest.
                let key = OrderKey { descending: vec![false; count], nulls_last: vec![true; count] };
                let marked: Vec<Expr> = columns(&self.order).into_iter().chain([lit(key.mark())]).collect();
                let places = fixed_expr(&coalesce(&marked), schema, sums)?;
                Some((vec![places], SortOptions::default().with_maintain_order(true)))
            }
        };
        match (by, order) {
            (None, None) => Ok(values),
            (by, order) => values.over_with_options(by, order, WindowMapping::GroupsToRows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::stepwise::Table;
    use super::super::super::super::testing::{findings, run, table_input};
    use super::super::{Fill, Fills};
    use crate::frame::engine::IN_MEMORY;
    use crate::stage::testing::Bench;
    use polars::prelude::*;

    fn bench() -> Bench {
        let mut bench = Bench::default();
        let df = df![
            "shop" => [Some("a"), Some("b"), Some("a"), Some("b"), Some("a"), None, None],
            "day" => [3_i64, 1, 1, 2, 2, 1, 2],
            "price" => [None, None, Some(1_i64), Some(20), Some(2), Some(7), None],
        ];
        table_input(&mut bench, "t", df.expect("a frame"));
        bench
    }

    fn fields(fill: &str) -> String {
        format!("from = \"t\"\nsteps = [{{ fill = {{ price = {{ {fill} }} }} }}]")
    }

    /// The prices and the days after a fill, in memory and in pieces.
    fn prices(fill: &str) -> Vec<Option<f64>> {
        let mut bench = bench();
        let mut found = [None, Some(1 << 30)].map(|memory| {
            bench.memory = memory;
            IN_MEMORY.set(memory.is_none());
            let tables = run::<Table>(&bench, &fields(fill));
            IN_MEMORY.set(false);
            let df = tables.expect("it runs").remove(0).1;
            let days: Vec<_> = df.column("day").expect("there").i64().expect("i64").iter().flatten().collect();
            assert_eq!(days, [3, 1, 1, 2, 2, 1, 2], "the rows stay in their places");
            let prices = df.column("price").expect("there").cast(&DataType::Float64).expect("numbers");
            prices.f64().expect("f64").iter().collect::<Vec<_>>()
        });
        assert_eq!(found[0], found[1], "{fill}");
        std::mem::take(&mut found[0])
    }

    #[test]
    fn values_are_taken_from_the_rows_of_the_group_in_the_order() {
        let (none, some) = (None, Some);
        for (fill, wanted) in [
            (
                "take = \"forward\", by = \"shop\", order = \"day\"",
                [some(2.0), none, some(1.0), some(20.0), some(2.0), some(7.0), some(7.0)],
            ),
            (
                "take = \"backward\", by = [\"shop\"], order = [\"day\"]",
                [none, some(20.0), some(1.0), some(20.0), some(2.0), some(7.0), none],
            ),
            ("take = \"forward\", by = \"shop\"", [none, none, some(1.0), some(20.0), some(2.0), some(7.0), some(7.0)]),
            (
                "take = \"forward\", order = \"day\"",
                [some(2.0), none, some(1.0), some(20.0), some(2.0), some(7.0), some(2.0)],
            ),
            (
                "take = \"forward\", order = [\"day\", \"shop\"]",
                [some(20.0), some(1.0), some(1.0), some(20.0), some(2.0), some(7.0), some(20.0)],
            ),
            (
                "take = \"mean\", by = \"shop\"",
                [some(1.5), some(20.0), some(1.0), some(20.0), some(2.0), some(7.0), some(7.0)],
            ),
            (
                "take = \"median\", by = [\"shop\", \"day\"]",
                [none, none, some(1.0), some(20.0), some(2.0), some(7.0), none],
            ),
            (
                "take = \"min\", by = \"shop\"",
                [some(1.0), some(20.0), some(1.0), some(20.0), some(2.0), some(7.0), some(7.0)],
            ),
            (
                "take = \"max\", by = \"shop\"",
                [some(2.0), some(20.0), some(1.0), some(20.0), some(2.0), some(7.0), some(7.0)],
            ),
            ("take = \"max\"", [some(20.0), some(20.0), some(1.0), some(20.0), some(2.0), some(7.0), some(20.0)]),
        ] {
            assert_eq!(prices(fill), wanted, "{fill}");
        }
    }

    #[test]
    fn columns_that_are_not_there_and_an_order_without_meaning_are_refused() {
        for (fill, code, says) in [
            ("take = \"forward\", by = \"shp\"", "E0213", "column `shp` does not exist"),
            ("take = \"forward\", by = \"shop\", order = [\"day\", \"dy\"]", "E0213", "column `dy` does not exist"),
            ("take = \"mean\", by = \"shop\", order = \"day\"", "E0135", "`order` has no meaning for `mean`"),
        ] {
            let found = findings::<Table>(&bench(), &fields(fill));
            assert_eq!(found, [(code.to_owned(), says.to_owned())], "{fill}");
        }
        for (fill, says) in [
            (r#"{ "take": "forwards" }"#, "`take` is one of `mean`"),
            (r#"{ "take": "min", "per": "shop" }"#, "unknown field `per`"),
            (r#"{ "by": "shop" }"#, "expected `{ value"),
            (r#"{ "value": "mean", "by": "shop" }"#, "expected `{ value"),
        ] {
            let error = serde_json::from_str::<Fill>(fill).expect_err(fill).to_string();
            assert!(error.contains(says), "{fill}: {error}");
        }
    }

    /// The text of a fill is a part of its stage's key.
    #[test]
    fn each_form_is_written_as_it_is_read() {
        for text in [
            r#"{"price":"mean"}"#,
            r#"{"price":{"value":"mean"}}"#,
            r#"{"price":{"by":["shop"],"order":["day"],"take":"forward"}}"#,
            r#"{"price":{"take":"max"}}"#,
        ] {
            let fills: Fills = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&fills).expect("json"), text);
        }
    }
}
