//! Conditions that may fail on a value are asked of rows: what fails then is the user's column and value, as everywhere else.

use super::super::functions;
use super::has_column;
use polars::prelude::*;
use polars_plan::dsl::{StringFunction, TemporalFunction};
use std::sync::Arc;

/// The same condition, whose parts that may fail no reader of a file asks by itself. The schema, of what the condition is of, is only asked for
/// where there may be such a part.
pub fn asked_of_rows<'a>(condition: Expr, schema: &dyn Fn() -> Option<&'a SchemaRef>) -> Expr {
    match condition {
        Expr::BinaryExpr { left, op: op @ (Operator::And | Operator::LogicalAnd), right } => {
            let [left, right] = [left, right].map(|side| Arc::new(asked_of_rows(Arc::unwrap_or_clone(side), schema)));
            Expr::BinaryExpr { left, op, right }
        }
        part if is_of_rows(&part) && !compares_columns(&part) && may_fail(&part, schema) => {
            let column = part.into_iter().find_map(|node| match node {
                Expr::Column(name) => Some(name.clone()),
                _ => None,
            });
            match column {
                Some(column) => functions::asked(part, column),
                None => part,
            }
        }
        part => part,
    }
}

/// Whether it compares what is of columns on both sides: no reader asks that of one column, and joins are made of it.
fn compares_columns(condition: &Expr) -> bool {
    let Expr::BinaryExpr { left, op, right } = condition else { return false };
    op.is_comparison() && has_column(left) && has_column(right)
}

/// Whether it is of each row by itself: nothing else reaches a file.
fn is_of_rows(condition: &Expr) -> bool {
    condition.into_iter().all(|node| match node {
        Expr::Column(_) | Expr::Literal(_) | Expr::BinaryExpr { .. } | Expr::Cast { .. } => true,
        Expr::Ternary { .. } | Expr::Alias(..) | Expr::Function { .. } => true,
        Expr::AnonymousFunction { options, .. } => options.is_elementwise(),
        _ => false,
    })
}

fn may_fail<'a>(condition: &Expr, schema: &dyn Fn() -> Option<&'a SchemaRef>) -> bool {
    condition.into_iter().any(|node| match node {
        Expr::Cast { expr, dtype: DataTypeExpr::Literal(to), options } if options.is_strict() && has_column(expr) => {
            let from = schema().and_then(|schema| expr.to_field(schema).ok());
            !from.is_some_and(|from| has_room(&from.dtype, to))
        }
        // Ours refuse what has no room, and texts that are no moments.
        Expr::AnonymousFunction { .. } => has_column(node),
        Expr::Function { function: FunctionExpr::StringExpr(StringFunction::Strptime(..)), .. } => has_column(node),
        Expr::Function { function: FunctionExpr::TemporalExpr(TemporalFunction::OffsetBy), .. } => has_column(node),
        _ => false,
    })
}

/// Whether a type has a place for each value of another.
fn has_room(from: &DataType, to: &DataType) -> bool {
    let bits = |dtype: &DataType| super::numbers::bits(dtype);
    match (bits(from), bits(to)) {
        (Some((of, _)), Some((room, true))) => return of <= room,
        (Some((of, false)), Some((room, false))) => return of <= room,
        _ => {}
    }
    from == to
        || matches!(to, DataType::String)
        || (to.is_float() && (from.is_integer() || from.is_float()))
        || (from.is_temporal() && to.is_temporal())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a condition that are asked of rows.
    fn asked(condition: Expr) -> Vec<String> {
        let fields = [("s", DataType::String), ("k", DataType::Int32), ("n", DataType::Int64), ("d", DataType::Date)];
        let schema: SchemaRef = Arc::new(Schema::from_iter(fields.map(|(name, dtype)| Field::new(name.into(), dtype))));
        let condition = asked_of_rows(condition, &|| Some(&schema));
        let is_asked = |node: &&Expr| matches!(node, Expr::AnonymousFunction { input, .. } if input.len() == 2);
        condition.into_iter().filter(is_asked).map(|node| node.to_string()).collect()
    }

    #[test]
    fn what_may_fail_is_asked_of_rows() {
        let read = || col("s").strict_cast(DataType::Int64).gt(lit(5));
        assert_eq!(asked(read()).len(), 1);
        assert_eq!(asked(read().and(col("k").gt(lit(1))).and(col("s").neq(lit("x")))).len(), 1);
        assert_eq!(asked(read().or(col("k").gt(lit(1)))).len(), 1);
        assert_eq!(asked(col("n").strict_cast(DataType::Int32).gt(lit(5))).len(), 1);
    }

    #[test]
    fn what_cannot_fail_still_reaches_the_files() {
        for condition in [
            col("s").eq(lit("x")),
            col("s").cast(DataType::Int64).gt(lit(5)),
            col("k").strict_cast(DataType::Int64).gt(lit(5)),
            col("n").strict_cast(DataType::Float64).gt(lit(0.5)),
            col("d").gt(lit("2024-01-01").strict_cast(DataType::Date)),
            col("d").strict_cast(DataType::Datetime(TimeUnit::Microseconds, None)).gt(lit(0)),
            col("s").strict_cast(DataType::Int64).sum().gt(lit(5)),
            col("s").strict_cast(DataType::Int64).eq(col("n")),
        ] {
            assert!(asked(condition.clone()).is_empty(), "{condition}");
        }
    }
}
