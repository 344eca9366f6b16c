//! Adds the columns of another table.

mod asof;
mod matches;
mod range;

use super::super::columns::{OneOrMany, column};
use super::{Rule, Tables};
use crate::diag::codes;
use crate::frame::alike::common;
use crate::frame::schema::from_polars_schema;
use crate::frame::{FloatSums, failed, polars_schema};
use crate::numbers;
use crate::stage::{CheckCx, Path, Ref, RunCx, StageError};
use crate::types::{DType, TableSchema};
use asof::Direction;
use matches::Matches;
use polars::prelude::{
    DataFrame, Expr, IntoLazy, JoinCoalesce, JoinType, LazyFrame, MaintainOrderJoin, PolarsError, SchemaRef, col,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Another table and how its rows find theirs. Missing values match nothing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Join {
    /// The other table.
    pub with: Ref,
    /// The columns that must be equal, named alike in both tables.
    pub on: Option<OneOrMany>,
    /// The columns of this table that must be equal to `right_on`.
    pub left_on: Option<OneOrMany>,
    /// The columns of the other table that must be equal to `left_on`.
    pub right_on: Option<OneOrMany>,
    /// For `inner`, `left`, `semi` and `anti`: an SQL condition on a row of each table, besides equal columns or instead of them:
    /// `where = "at >= valid_from AND at < valid_to"`. A column of the other table that this table has too is named with the suffix.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// Which rows stay.
    #[serde(default)]
    pub how: How,
    /// For `inner`, `left`, `right` and `full`: how many rows of the other table a row of this one may match. With `one` the stage
    /// fails where the other table has the key of a row several times, which would repeat the row; keys that no row of this
    /// table has may repeat.
    #[serde(default, skip_serializing_if = "Matches::is_many")]
    pub matches: Matches,
    /// For `asof`: columns that must be equal besides, named alike in both tables.
    pub by: Option<OneOrMany>,
    /// For `asof`: which row of the other table is taken.
    #[serde(default)]
    pub direction: Direction,
    /// For `asof`: how far away that row may be, in the units of `on`: a number, or a time such as `2h` or `1d12h`.
    pub tolerance: Option<String>,
    /// What is added to the name of a column of the other table that this table has too.
    #[serde(default = "usual_suffix")]
    pub suffix: String,
}

fn usual_suffix() -> String {
    "_right".to_owned()
}

/// Which rows a join keeps. The order is that of this table, then of the other (with `right` the other way round).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Pairs of rows that match.
    #[default]
    Inner,
    /// All rows of this table, with missing values where nothing matches.
    Left,
    /// All rows of the other table, in its order, with missing values where nothing matches. Key columns have the names of
    /// the other table.
    Right,
    /// All rows of both tables.
    Full,
    /// Rows of this table that match; no new columns.
    Semi,
    /// Rows of this table that match nothing; no new columns.
    Anti,
    /// Every row with every row; no `on`.
    Cross,
    /// All rows of this table, each with the one row of the other that is nearest in `on`: see `direction`. With `by`
    /// only among the rows that are equal there.
    Asof,
}

impl Join {
    /// The columns to compare, with the fields that name them; `None` where the fields contradict each other.
    fn keys(&self) -> Option<(Keys<'_>, Keys<'_>)> {
        match (&self.on, &self.left_on, &self.right_on, self.how) {
            (None, None, None, how) if how == How::Cross || self.condition.is_some() => {
                Some((Keys("on", &[]), Keys("on", &[])))
            }
            (_, _, _, How::Cross) => None,
            (Some(on), None, None, _) => Some((Keys("on", &on.0), Keys("on", &on.0))),
            (None, Some(left), Some(right), _) => Some((Keys("left_on", &left.0), Keys("right_on", &right.0))),
            _ => None,
        }
    }

    fn plan(&self, left: LazyFrame, right: LazyFrame, sums: FloatSums) -> Result<LazyFrame, StageError> {
        match &self.condition {
            Some(condition) => range::plan(self, condition, left, right, sums),
            None if self.how == How::Full => {
                let (left, right) = self.of_one_type(left, right)?;
                Ok(self.by_keys(left, right))
            }
            None => Ok(self.by_keys(left, right)),
        }
    }

    /// Both tables with their keys in the types that they have in common: keys of a full join come from both, and polars foretells
    /// the left one's type for them.
    fn of_one_type(&self, mut left: LazyFrame, mut right: LazyFrame) -> Result<(LazyFrame, LazyFrame), StageError> {
        let told = |error: PolarsError| failed("join the tables", &error);
        let (of_left, of_right) = (left.collect_schema().map_err(told)?, right.collect_schema().map_err(told)?);
        let keys = self.keys().map_or((&[][..], &[][..]), |(l, r)| (l.1, r.1));
        for (l, r) in keys.0.iter().zip(keys.1) {
            if let (Some(a), Some(b)) = (of_left.get(l), of_right.get(r))
                && let Some(dtype) = common(a, b)
            {
                left = left.with_column(col(l.as_str()).strict_cast(dtype.clone()));
                right = right.with_column(col(r.as_str()).strict_cast(dtype));
            }
        }
        Ok((left, right))
    }

    fn by_keys(&self, left: LazyFrame, right: LazyFrame) -> LazyFrame {
        let (left_on, right_on) = self.keys().map_or((Vec::new(), Vec::new()), |(l, r)| (l.exprs(), r.exprs()));
        let left = match self.keys() {
            Some((l, r)) if self.matches == Matches::One => matches::one(left, l.1, right.clone(), r.1),
            _ => left,
        };
        let how = match self.how {
            How::Inner => JoinType::Inner,
            How::Left => JoinType::Left,
            How::Right => JoinType::Right,
            How::Full => JoinType::Full,
            How::Semi => JoinType::Semi,
            How::Anti => JoinType::Anti,
            How::Cross => JoinType::Cross,
            How::Asof => return asof::plan(self, left, right),
        };
        let order = match self.how {
            How::Semi | How::Anti => MaintainOrderJoin::Left,
            How::Right => MaintainOrderJoin::RightLeft,
            _ => MaintainOrderJoin::LeftRight,
        };
        let join = left.join_builder().with(right).how(how).maintain_order(order).suffix(self.suffix.as_str());
        match self.how {
            How::Cross => join.finish(),
            How::Semi | How::Anti => join.left_on(left_on).right_on(right_on).finish(),
            _ => join.left_on(left_on).right_on(right_on).coalesce(JoinCoalesce::CoalesceColumns).finish(),
        }
    }

    /// After the step failed: what went wrong with which row; `None` where only polars knows.
    pub(super) fn blame(
        &self,
        cx: &RunCx<'_>,
        before: LazyFrame,
        sums: FloatSums,
        tables: Tables<'_>,
    ) -> Option<String> {
        matches::blame(self, cx, before, sums, tables)
    }

    /// Adds what to do about a failure of this step.
    pub(super) fn explain(error: StageError) -> StageError {
        matches::explain(error)
    }

    fn report_keys(&self, at: &Path, cx: &mut CheckCx<'_>) {
        let (message, hint) = match self.how {
            How::Cross => ("a cross join compares no columns", "leave out `on`, `left_on` and `right_on`"),
            _ => (
                "a join needs `on`, or `left_on` with `right_on`, or `where`",
                "`on` where both tables call the columns alike",
            ),
        };
        cx.error(at.clone(), codes::CONFLICT, message)
            .label("how rows find theirs is not said, or said twice")
            .hint(hint);
    }

    fn check_keys(&self, left: &TableSchema, right: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
        let Some((l, r)) = self.keys() else { return self.report_keys(at, cx) };
        asof::check(self, left, right, at, cx);
        let place = |field: &str| -> Path { [at.clone(), vec![field.into()]].concat() };
        if l.1.len() != r.1.len() || (l.1.is_empty() && self.how != How::Cross && self.condition.is_none()) {
            let message = format!(
                "`{}` names {}, `{}` {}",
                l.0,
                numbers::counted(l.1.len(), "column"),
                r.0,
                numbers::counted(r.1.len(), "column")
            );
            cx.error(place(r.0), codes::OUT_OF_RANGE, message).label("both must name as many, and at least one");
            return;
        }
        for (index, (a, b)) in l.1.iter().zip(r.1).enumerate() {
            let at = |field: &str| [place(field), vec![index.into()]].concat();
            let left_type = column(left, a, at(l.0), cx);
            let right_type = column(right, b, at(r.0), cx);
            if right_type.is_none()
                && let Some(finding) = cx.last()
            {
                finding.from_stage(&self.with, "the other table comes from here");
            }
            if let (Some(a_type), Some(b_type)) = (left_type, right_type)
                && !comparable(&a_type, &b_type)
            {
                cx.error(
                    at(r.0),
                    codes::COLUMN_TYPE,
                    format!("`{a}` is {a_type}, but `{b}` of the other table is {b_type}"),
                )
                .label("these are never equal")
                .hint("cast one of them in a step before");
            }
        }
    }
}

/// The columns of one side, and the field that names them.
struct Keys<'a>(&'static str, &'a [String]);

impl Keys<'_> {
    fn exprs(&self) -> Vec<Expr> {
        self.1.iter().map(|name| col(name.as_str())).collect()
    }
}

/// Whether values of the types can be equal. `i64` with `u64`, and `i128` at all, are beyond what polars joins by here.
fn comparable(a: &DType, b: &DType) -> bool {
    let wide = |dtype: &DType| *dtype == DType::I128;
    let signed = |dtype: &DType| matches!(dtype, DType::I8 | DType::I16 | DType::I32 | DType::I64);
    let mixed = (*a == DType::U64 && signed(b)) || (*b == DType::U64 && signed(a));
    if wide(a) || wide(b) || mixed {
        return false;
    }
    a == b || a.is_unknown() || b.is_unknown() || (a.is_integer() && b.is_integer()) || (a.is_float() && b.is_float())
}

impl Rule for Join {
    fn check(&self, input: TableSchema, sums: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let with: Path = [at.clone(), vec!["with".into()]].concat();
        let Some(right) = cx.table(&self.with, with) else { return TableSchema::unknown() };
        let before = cx.count();
        self.check_keys(&input, &right, at, cx);
        matches::check(self, at, cx);
        if let Some(condition) = &self.condition {
            range::check(self, condition, &input, &right, sums, at, cx);
        }
        if cx.count() > before {
            return TableSchema { complete: false, ..input };
        }
        if matches!(self.how, How::Semi | How::Anti) {
            return input;
        }
        let empty =
            |schema: &TableSchema| polars_schema(schema).map(|schema| DataFrame::empty_with_schema(&schema).lazy());
        let (Some(a), Some(b)) = (empty(&input), empty(&right)) else {
            return TableSchema { complete: false, ..input };
        };
        let schema = self
            .plan(a, b, sums)
            .and_then(|mut lf| lf.collect_schema().map_err(|error| StageError::data(crate::frame::told(&error))));
        match schema {
            Ok(schema) => from_polars_schema(&schema),
            Err(error) => {
                let message = format!("the tables cannot be joined: {}", error.message);
                let suffix: Path = [at.clone(), vec!["suffix".into()]].concat();
                cx.error(suffix, codes::DUPLICATE_COLUMN, message)
                    .label("a name is taken")
                    .hint("choose another `suffix`, or rename columns before");
                TableSchema { complete: false, ..input }
            }
        }
    }

    fn apply(
        &self,
        lf: LazyFrame,
        _: &SchemaRef,
        sums: FloatSums,
        tables: Tables<'_>,
    ) -> Result<LazyFrame, StageError> {
        self.plan(lf, tables(&self.with)?, sums)
    }
}
