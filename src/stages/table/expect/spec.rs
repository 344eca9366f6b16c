//! The fields of `expect`.

use super::super::columns::OneOrMany;
use super::super::scalar::Scalar;
use crate::stage::Ref;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A table and what must be true of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The table.
    pub from: Ref,
    /// What is expected, each under a name that messages, metrics and the table of failures use. Every check says one
    /// thing: `not_null`, `unique`, `range`, `one_of`, `pattern`, `holds`, `rows`, `fresh` or `drift`.
    pub checks: BTreeMap<String, Check>,
    /// The table that `drift` compares with, such as what a model was trained on.
    pub reference: Option<Ref>,
    /// So many failing rows of a check go into `failures`, of each column; all are counted.
    #[serde(default = "usual_keep")]
    pub keep: u64,
}

fn usual_keep() -> u64 {
    1000
}

/// One expectation. A missing value fails `not_null` alone: every other check judges what is there, as SQL's `CHECK` does.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Columns, by name or pattern, in which no value is missing. NaN is there: `range` finds it.
    pub not_null: Option<OneOrMany>,
    /// Columns whose values, taken together, no two rows share: a key. All rows that share theirs fail.
    pub unique: Option<OneOrMany>,
    /// The smallest and largest value, by column name or pattern: `{ "bill_*" = { min = 10, max = 80 } }`. Dates and
    /// times are texts: `{ day = { min = "2013-01-01" } }`. NaN is in no range.
    pub range: Option<BTreeMap<String, Range>>,
    /// The values that may occur, by column name or pattern: `{ sex = ["female", "male"] }`.
    pub one_of: Option<BTreeMap<String, Vec<Scalar>>>,
    /// A regular expression that the whole of a text must match, by column name or pattern:
    /// `{ tailnum = "N[0-9A-Z]{3,5}" }`.
    pub pattern: Option<BTreeMap<String, String>>,
    /// A relation between columns, or anything else that SQL can say of a row: `"dep_time <= arr_time"`. It may compare
    /// with aggregates and windows: `"price < 10 * median(price)"`.
    pub holds: Option<String>,
    /// How many rows there are.
    pub rows: Option<Rows>,
    /// How old the newest value of a column of dates or times may be.
    pub fresh: Option<Fresh>,
    /// How far columns may be spread otherwise than in the table `reference`.
    pub drift: Option<Drift>,
    /// Which rows are judged: an SQL expression. All, without it.
    pub only: Option<String>,
    /// What a failure does.
    #[serde(default)]
    pub severity: Severity,
    /// The share of the judged rows that may fail: 0.01 is one in a hundred. None may, without it.
    #[serde(default)]
    pub allow: f64,
}

/// What a failure does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The run fails, and what depends on the stage does not run.
    #[default]
    Error,
    /// It is said, and the run goes on.
    Warn,
}

/// The ends of a range; both belong to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// The smallest value that is allowed.
    pub min: Option<Scalar>,
    /// The largest value that is allowed.
    pub max: Option<Scalar>,
}

/// A number of rows.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Rows {
    /// The least.
    pub min: Option<u64>,
    /// The most.
    pub max: Option<u64>,
}

/// How old data may be. The age is taken at a time that is written down, not by the clock: a result that changes while
/// nothing it is made of changes could not be repeated.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Fresh {
    /// The column of dates or times.
    pub column: String,
    /// The date or time to take the age at: `"${today}"` with `--set today=$(date +%F)`. A newest value more than a day after it, or
    /// after that day, fails too: a date of the future would hide that all others are old.
    pub as_of: String,
    /// The greatest age, in days; 0.5 is twelve hours.
    pub within_days: f64,
}

/// How far columns may be from their reference.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// The columns, by name or pattern.
    pub columns: OneOrMany,
    /// The largest population stability index: below 0.1 little has changed, above 0.25 much has. Numbers are counted
    /// between the reference's quantiles, everything else by value; missing values are counted too.
    pub psi: Option<f64>,
    /// The largest Kolmogorov–Smirnov distance, 0 to 1, for numbers, dates and times: the greatest difference between the
    /// shares of rows up to a value.
    pub ks: Option<f64>,
    /// Between how many quantiles `psi` counts numbers.
    #[serde(default = "usual_bins")]
    pub bins: u64,
}

fn usual_bins() -> u64 {
    10
}

/// What a check says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule<'a> {
    NotNull(&'a OneOrMany),
    Unique(&'a OneOrMany),
    Range(&'a BTreeMap<String, Range>),
    OneOf(&'a BTreeMap<String, Vec<Scalar>>),
    Pattern(&'a BTreeMap<String, String>),
    Holds(&'a str),
    Rows(Rows),
    Fresh(&'a Fresh),
    Drift(&'a Drift),
}

impl Rule<'_> {
    /// Its field.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotNull(_) => "not_null",
            Self::Unique(_) => "unique",
            Self::Range(_) => "range",
            Self::OneOf(_) => "one_of",
            Self::Pattern(_) => "pattern",
            Self::Holds(_) => "holds",
            Self::Rows(_) => "rows",
            Self::Fresh(_) => "fresh",
            Self::Drift(_) => "drift",
        }
    }

    /// Whether it judges row by row.
    pub(super) fn is_of_rows(self) -> bool {
        !matches!(self, Self::Rows(_) | Self::Fresh(_) | Self::Drift(_))
    }
}

impl Check {
    /// Everything that it says; sound checks say one thing.
    pub(super) fn rules(&self) -> Vec<Rule<'_>> {
        let rules = [
            self.not_null.as_ref().map(Rule::NotNull),
            self.unique.as_ref().map(Rule::Unique),
            self.range.as_ref().map(Rule::Range),
            self.one_of.as_ref().map(Rule::OneOf),
            self.pattern.as_ref().map(Rule::Pattern),
            self.holds.as_deref().map(Rule::Holds),
            self.rows.map(Rule::Rows),
            self.fresh.as_ref().map(Rule::Fresh),
            self.drift.as_ref().map(Rule::Drift),
        ];
        rules.into_iter().flatten().collect()
    }
}

impl Spec {
    /// The columns that `drift` compares, as they are written.
    pub(super) fn drifting(&self) -> impl Iterator<Item = &str> {
        let drifts = self.checks.values().filter_map(|check| check.drift.as_ref());
        drifts.flat_map(|drift| drift.columns.0.iter().map(String::as_str))
    }
}
