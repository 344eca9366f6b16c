//! Joins with the nearest row: the latest price before a trade, the weather of the hour before a departure.

use super::super::super::columns::{column, wrong_type};
use super::{How, Join};
use crate::diag::codes;
use crate::stage::{CheckCx, Path};
use crate::types::{DType, TableSchema};
use polars::prelude::{
    AnyValue, AsOfOptions, AsofStrategy, DataType, Expr, JoinCoalesce, JoinType, LazyFrame, Scalar,
    SortMultipleOptions, col, cols,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which row of the other table is nearest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The last one that is not after this row.
    #[default]
    Backward,
    /// The first one that is not before this row.
    Forward,
    /// The nearer one of both; the one after where they are equally near.
    Nearest,
}

/// The plan. Both sides must be sorted for it; this table's order is restored afterwards.
pub(super) fn plan(join: &Join, left: LazyFrame, right: LazyFrame) -> LazyFrame {
    const ROW: &str = "__kilter_row";
    let Some((l, r)) = join.keys() else { return left };
    let (Some(on), Some(right_on)) = (l.1.first(), r.1.first()) else { return left };
    let by: Option<Vec<_>> = join.by.as_ref().map(|by| by.0.iter().map(|name| name.as_str().into()).collect());
    let number = join.tolerance.as_deref().and_then(|text| text.trim().parse::<f64>().ok());
    let options = AsOfOptions {
        strategy: match join.direction {
            Direction::Backward => AsofStrategy::Backward,
            Direction::Forward => AsofStrategy::Forward,
            Direction::Nearest => AsofStrategy::Nearest,
        },
        tolerance: number.map(|number| Scalar::new(DataType::Float64, AnyValue::Float64(number))),
        tolerance_str: join.tolerance.as_deref().filter(|_| number.is_none()).map(|text| text.trim().into()),
        left_by: by.clone(),
        right_by: by,
        allow_eq: true,
        check_sortedness: false,
    };
    let order = || SortMultipleOptions::default().with_maintain_order(true);
    let known = |name: &str| -> Expr { col(name).is_not_null() };
    let left = left.with_row_index(ROW, None).sort([on.as_str()], order());
    let right = right.filter(known(right_on)).sort([right_on.as_str()], order());
    let joined = left
        .join_builder()
        .with(right)
        .how(JoinType::AsOf(Box::new(options)))
        .left_on([col(on.as_str())])
        .right_on([col(right_on.as_str())])
        .coalesce(JoinCoalesce::CoalesceColumns)
        .suffix(join.suffix.as_str())
        .finish();
    joined.sort([ROW], order()).drop(cols([ROW]))
}

/// Reports what an as-of join cannot do, and its fields where another join has them.
pub(super) fn check(join: &Join, left: &TableSchema, right: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
    let place = |field: &str| -> Path { [at.clone(), vec![field.into()]].concat() };
    let Some((l, r)) = join.keys() else { return };
    if join.how != How::Asof {
        let given = [("by", join.by.is_some()), ("tolerance", join.tolerance.is_some())];
        for (field, _) in given.into_iter().filter(|(_, given)| *given) {
            cx.error(place(field), codes::CONFLICT, format!("`{field}` is for joins with how = \"asof\""))
                .label("has no meaning here");
        }
        return;
    }
    if l.1.len() != 1 {
        cx.error(place(l.0), codes::OUT_OF_RANGE, "an as-of join compares one column")
            .label("name one column")
            .hint("columns that must be equal go into `by`");
    }
    for (name, place) in join.by.iter().flat_map(|by| by.with_paths(&place("by"))) {
        let types = (column(left, name, place.clone(), cx), column(right, name, place.clone(), cx));
        if let (Some(a), Some(b)) = types
            && !super::comparable(&a, &b)
        {
            cx.error(place, codes::COLUMN_TYPE, format!("`{name}` is {a} here, and {b} in the other table"))
                .label("these are never equal")
                .hint("cast one of them in a step before");
        }
    }
    let (Some(on), Some(right_on)) = (l.1.first(), r.1.first()) else { return };
    let types = [(left, on, l.0), (right, right_on, r.0)].map(|(table, name, field)| {
        let dtype = table.columns.iter().find(|column| column.name == *name)?.dtype.clone();
        if !is_ordered(&dtype) {
            wrong_type(cx, place(field), name, &dtype, "a number, a date or a time");
            return None;
        }
        Some(dtype)
    });
    let [Some(a), Some(b)] = types else { return };
    // Of types that are never equal the comparison of keys tells.
    if a != b && !a.is_unknown() && !b.is_unknown() && super::comparable(&a, &b) {
        cx.error(place(r.0), codes::COLUMN_TYPE, format!("`{on}` is {a}, but `{right_on}` of the other table is {b}"))
            .label("an as-of join needs equal types")
            .hint("cast one of them in a step before");
    }
    check_tolerance(join, &a, place("tolerance"), cx);
}

fn is_ordered(dtype: &DType) -> bool {
    let other = matches!(dtype, DType::Other(_));
    dtype.is_unknown() || dtype.is_integer() || dtype.is_float() || dtype.is_temporal() || other
}

fn check_tolerance(join: &Join, dtype: &DType, place: Path, cx: &mut CheckCx<'_>) {
    let Some(text) = join.tolerance.as_deref() else { return };
    let number = text.trim().parse::<f64>().is_ok_and(|number| number >= 0.0);
    let time = polars::prelude::Duration::try_parse(text.trim()).is_ok_and(|time| !time.negative());
    let wanted = match dtype {
        moment if moment.is_temporal() && !time => "a time such as `2h` or `1d12h`",
        other if (other.is_integer() || other.is_float()) && !number => "a number that is not negative",
        _ => return,
    };
    cx.error(place, codes::OUT_OF_RANGE, format!("`{text}` is not {wanted}")).label(format!("expected {wanted}"));
}
