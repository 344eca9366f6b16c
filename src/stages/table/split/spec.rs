//! The fields of `split`.

use super::super::columns::{OneOrMany, column, select, wrong_type};
use super::super::distance::Distance;
use super::part::Part;
use super::{gap, hashed};
use crate::diag::{codes, list};
use crate::path;
use crate::stage::{CheckCx, Path, Ref};
use crate::types::{Column, DType, TableSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A table and its parts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The table.
    pub from: Ref,
    /// The parts, which become the outputs: fractions that sum to 1 (`{ train = 0.8, val = 0.1, test = 0.1 }`), or
    /// numbers of rows, of which one may be `"rest"` (`{ test = 1000, train = "rest" }`; without it the rows beyond are
    /// in no part); with `by`, the value or values of that column (`{ train = "training", test = ["t10k", "extra"] }`).
    /// Not with `folds`.
    #[serde(default)]
    pub parts: BTreeMap<String, Part>,
    /// Divides the rows into so many equal folds, of which `fold` is the output `test` and the others are `train`.
    pub folds: Option<u32>,
    /// Which of the folds is `test`, from 1: with an axis (`matrix.fold = [1, 2, 3, 4, 5]` and `fold = "${fold}"`) all of them are made.
    pub fold: Option<u32>,
    /// A column whose values are spread over the parts alike: a class.
    pub stratify: Option<String>,
    /// A column whose values are never divided: all rows of a patient, a session, a day go to one part.
    pub group: Option<String>,
    /// A column of times: nothing is shuffled, the first part has the earliest rows. Rows of one time stay together.
    pub time: Option<String>,
    /// A column whose values say which part a row belongs to.
    pub by: Option<String>,
    /// A column of keys (texts, whole numbers, truth values or dates): a key's part is computed from the key alone, so it is
    /// the same whatever else is in the table, and all rows of a key are in one part. Parts are fractions of the keys, or `folds`.
    pub hash: Option<String>,
    /// With `hash`: a text that deals the keys anew. Tables with the same keys, parts and `salt` are divided alike; a part that
    /// is divided again by the same column needs another.
    pub salt: Option<String>,
    /// With `time`: the parts from the earliest to the latest. Not needed for `train`, `val` (or `valid`,
    /// `validation`) and `test`, which come in that order.
    #[serde(default)]
    pub order: Vec<String>,
    /// With `time`, for targets that look ahead: rows of a part whose time is no further than this before the first time of the
    /// next part are left out, and are in no part; a row exactly so far before it is left out too. A length of time such as
    /// `"6h"` or `"90d"` (whole `us`, `ms`, `s`, `min`, `h`, `d` or `w`), or a number where the column holds numbers. Borders
    /// lie where they would without it, so the last part loses nothing and the others become smaller.
    pub gap: Option<Distance>,
    /// What to do about rows that stand in more than one part: `"warn"` with their number, `"error"`, or `"ignore"`, which does not
    /// look for them. Counted are rows that are the same, and rows that are the same once width, case, spaces and
    /// punctuation of texts are ignored. `"warn"` where nothing else is said.
    pub leaks: Option<Leaks>,
    /// The columns, names or patterns, in which rows are compared to find leaks. Without it: all but those of `by`, `group`
    /// and `hash`, lists, and columns that only number or name the rows.
    pub compare: Option<OneOrMany>,
    /// Counts near-duplicates too: rows whose texts share at least this part of their pieces of five characters (the Jaccard
    /// similarity; 0.8 is usual), found by MinHash. Some column that is compared has to hold texts; rows without any text are
    /// like none. Where very many texts may be alike (boilerplate), not all of them are compared, and how many is said.
    pub near_duplicates: Option<f64>,
}

/// What to do about what a model should not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Leaks {
    /// Say what was found.
    Warn,
    /// Fail.
    Error,
    /// Do not look for them.
    Ignore,
}

/// The outputs of a split into folds.
const FOLDED: [&str; 2] = ["test", "train"];

/// The order of the usual names.
const USUAL: [&str; 5] = ["train", "val", "valid", "validation", "test"];

impl Spec {
    /// Where a part comes with `time`, and in summaries.
    pub(super) fn place_in_order(&self, part: &str) -> usize {
        let order = self.order.iter().position(|name| name == part);
        order.or_else(|| USUAL.iter().position(|name| *name == part)).unwrap_or(USUAL.len())
    }

    /// How many rows the parts want that say it.
    pub(super) fn counted(&self) -> u64 {
        self.parts.values().map(|part| if let Part::Count(count) = part { *count } else { 0 }).sum()
    }

    /// The names of the parts, which are the outputs, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        match self.folds {
            Some(_) => FOLDED.map(str::to_owned).to_vec(),
            None => self.parts.keys().cloned().collect(),
        }
    }

    /// Reports what is wrong, and gives the parts' schema: the table's own.
    pub(super) fn check(&self, cx: &mut CheckCx<'_>) -> Option<TableSchema> {
        if self.folds.is_some() || self.fold.is_some() {
            self.check_folds(cx);
        } else {
            self.check_parts(cx);
        }
        self.check_ways(cx);
        self.check_near(cx);
        self.check_order(cx);
        gap::check(self, cx);
        let schema = cx.table(&self.from, path!["from"])?;
        let rows = schema.rows;
        self.check_columns(&schema, cx);
        if let Some(rows) = rows.filter(|_| self.by.is_none()) {
            self.check_counts(rows, cx);
        }
        for (pattern, at) in self.compare.iter().flat_map(|compare| compare.with_paths(&path!["compare"])) {
            select(&schema, pattern, at, cx);
        }
        self.check_texts(&schema, cx);
        Some(TableSchema { rows: None, ..schema })
    }

    /// Reports columns that there are not, and those whose values cannot decide where a row belongs.
    fn check_columns(&self, schema: &TableSchema, cx: &mut CheckCx<'_>) {
        for (field, name) in self.columns() {
            let Some(dtype) = column(schema, name, path![field], cx) else { continue };
            let wrong = match field {
                "stratify" if dtype.is_float() => Some("a column of classes"),
                "hash" if !hashed::is_key(&dtype) => Some(hashed::KEY),
                "time" if !(dtype.is_temporal() || dtype.is_numeric() || dtype == DType::Str || dtype.is_unknown()) => {
                    Some("a column of times or numbers")
                }
                _ if dtype.is_nested() || dtype.is_binary() => Some("a column of single values"),
                _ => None,
            };
            if let Some(wanted) = wrong {
                wrong_type(cx, path![field], name, &dtype, wanted).maybe_hint(match field {
                    "stratify" => Some("put it into classes first, with a `derive` step".to_owned()),
                    "hash" => Some(hashed::remedy(name)),
                    _ => None,
                });
            } else if field == "time" {
                gap::check_form(self, name, &dtype, cx);
            }
        }
    }

    /// Whether rows are compared in a column, as far as its name and the user say.
    pub(super) fn compares(&self, name: &str, nested: bool) -> bool {
        match &self.compare {
            Some(compare) => compare.0.iter().any(|pattern| crate::types::matches_pattern(pattern, name)),
            None => !nested && !self.decides().any(|other| other == name),
        }
    }

    /// The columns of which no value is in two parts.
    fn decides(&self) -> impl Iterator<Item = &str> {
        [&self.by, &self.group, &self.hash].into_iter().filter_map(|column| column.as_deref())
    }

    /// The column whose values are never divided, if rows are compared as the columns are.
    pub(super) fn key(&self) -> Option<&str> {
        if self.compare.is_some() { None } else { self.group.as_deref().or(self.hash.as_deref()) }
    }

    /// Near-duplicates are looked for in texts, so some column that is compared has to hold texts.
    fn check_texts(&self, schema: &TableSchema, cx: &mut CheckCx<'_>) {
        if self.near_duplicates.is_none() || !schema.complete {
            return;
        }
        let compared: Vec<_> =
            schema.columns.iter().filter(|column| self.compares(&column.name, column.dtype.is_nested())).collect();
        let holds_texts = |column: &Column| matches!(column.dtype, DType::Str | DType::Unknown);
        let key = self.key().and_then(|key| schema.columns.iter().find(|column| column.name == key));
        if compared.iter().copied().chain(key).any(holds_texts) {
            return;
        }
        let message = match compared.as_slice() {
            [] => "near-duplicates are looked for in texts, and no column is compared".to_owned(),
            [one] => format!("near-duplicates are looked for in texts, and `{}` holds none", one.name),
            many => {
                let names = many.iter().map(|column| column.name.as_str());
                format!("near-duplicates are looked for in texts, and none of {} holds any", list(names, 8))
            }
        };
        let cx =
            cx.error(path!["near_duplicates"], codes::EMPTY_SELECTION, message).at_key().label("no column of texts");
        match &self.compare {
            Some(_) => {
                cx.related(path!["compare"], "these columns are compared").hint("name a column of texts in `compare`")
            }
            None => cx.hint("leave `near_duplicates` out: rows that are the same are counted without it"),
        };
    }

    fn columns(&self) -> Vec<(&'static str, &str)> {
        let fields = [
            ("stratify", &self.stratify),
            ("group", &self.group),
            ("time", &self.time),
            ("by", &self.by),
            ("hash", &self.hash),
        ];
        fields.into_iter().filter_map(|(field, name)| Some((field, name.as_deref()?))).collect()
    }

    fn check_folds(&self, cx: &mut CheckCx<'_>) {
        let (Some(folds), Some(fold)) = (self.folds, self.fold) else {
            let (there, lacks) = if self.folds.is_some() { ("folds", "fold") } else { ("fold", "folds") };
            cx.error(path![there], codes::MISSING_FIELD, format!("`{there}` needs `{lacks}` beside it"))
                .at_key()
                .label("one without the other")
                .hint("`folds = 5` and `fold = 1` make the first of five folds the part `test`");
            return;
        };
        if folds < 2 {
            cx.error(path!["folds"], codes::OUT_OF_RANGE, "there are at least 2 folds").label("too few");
        } else if !(1..=folds).contains(&fold) {
            cx.error(path!["fold"], codes::OUT_OF_RANGE, format!("the folds are numbered from 1 to {folds}"))
                .label("no such fold");
        }
        let others = [("parts", !self.parts.is_empty()), ("time", self.time.is_some()), ("by", self.by.is_some())];
        for (other, _) in others.into_iter().filter(|(_, there)| *there) {
            cx.error(path![other], codes::CONFLICT, format!("`{other}` does not go with `folds`"))
                .at_key()
                .label("the folds are the parts, and dealt at random or by `hash`")
                .related(path!["folds"], "given here");
        }
    }

    fn check_near(&self, cx: &mut CheckCx<'_>) {
        let Some(least) = self.near_duplicates else { return };
        if !(0.1..=1.0).contains(&least) {
            cx.error(path!["near_duplicates"], codes::OUT_OF_RANGE, "a similarity lies between 0.1 and 1")
                .label("not such a number");
        }
        if self.leaks == Some(Leaks::Ignore) {
            cx.error(path!["near_duplicates"], codes::CONFLICT, "nothing is looked for with `leaks = \"ignore\"`")
                .at_key()
                .label("would not be counted")
                .related(path!["leaks"], "given here");
        }
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
        match (&self.by, hashed::counted_part(self)) {
            (Some(_), _) => self.check_values(cx),
            (None, Some(name)) => hashed::refuse_count(name, cx),
            (None, None) => self.check_sizes(cx),
        }
    }

    fn check_values(&self, cx: &mut CheckCx<'_>) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (name, part) in &self.parts {
            if let Part::Fraction(fraction) = part {
                cx.error(path!["parts", name], codes::FRACTIONS, "with `by`, a part is named by values of that column")
                    .label("a size")
                    .related(path!["by"], "this column says where rows belong")
                    .hint(format!("if it is a value, write it as a text: {name} = \"{fraction:?}\""));
                continue;
            }
            for value in part.values() {
                if let Some(other) = seen.insert(value.clone(), name) {
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
        let wanted = self.counted();
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
            } else if self.hash.is_some() && other != "hash" {
                conflict(other, "hash", hashed::why_not_with(other));
            } else if self.time.is_some() && (other == "stratify" || other == "group") {
                conflict(other, "time", "time decides already");
            }
        }
        if !self.order.is_empty() && self.time.is_none() {
            cx.error(path!["order"], codes::CONFLICT, "`order` goes with `time` alone")
                .at_key()
                .label("nothing is ordered");
        }
        if self.salt.is_some() && self.hash.is_none() {
            cx.error(path!["salt"], codes::CONFLICT, "`salt` goes with `hash` alone")
                .at_key()
                .label("nothing is hashed")
                .hint("rows that are dealt at random are dealt anew by another `seed` of the pipeline");
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
