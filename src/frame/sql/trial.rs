//! What is wrong with the types of a plan that only rows would show: polars takes any number for a condition or a date until it has one, and looks at some
//! casts and patterns only then. What is certain is told from the plan; each expression that is not known to fit is run over a row of ordinary
//! values, and what stands alone is run as it is.

use super::super::misfits::{calculated, needed, not_compared};
use super::super::{from_polars, ordinary, polars_words, unpanicked};
use polars::chunked_array::cast::CastOptions;
use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, ArenaExprIter, ArenaLpIter, IR, ToFieldContext, node_to_expr};
use polars_plan::prelude::{Arena, Node};
use std::cell::OnceCell;

/// Whether an expression over a plan is known to fit.
pub(super) type Fits<'a> = &'a dyn Fn(Node, &ExprIR) -> bool;

/// What polars says where a type is wrong, whatever the values are.
const OF_TYPES: [&str; 13] = [
    "activate '",
    "cannot cast ",
    "cannot compare ",
    "cannot unpack series of type",
    "casting from ",
    "could not evaluate comparison",
    "expected List data type",
    "expected String type",
    "invalid series dtype",
    "is not allowed",
    "not allowed on",
    "operation not supported for dtype",
    "regex error",
];

/// Tries the expressions of a plan that are not known to fit.
///
/// # Errors
/// What is wrong with the first one that fails.
pub(super) fn tried(root: Node, plans: &Arena<IR>, exprs: &Arena<AExpr>, fits: Fits<'_>) -> PolarsResult<()> {
    for (_, node) in plans.iter(root) {
        for (input, of_node) in over(node) {
            let schema = plans.get(input).schema(plans);
            let trial = Trial { exprs, schema: &schema, row: OnceCell::new() };
            for expr in of_node {
                if matches!(node, IR::Filter { .. }) {
                    trial.condition(expr.node()).map_or(Ok(()), refused)?;
                }
                if !fits(input, expr) {
                    trial.expr(expr.node())?;
                }
            }
        }
    }
    Ok(())
}

fn refused(message: String) -> PolarsResult<()> {
    Err(polars_err!(InvalidOperation: "{message}"))
}

/// The expressions of a node, and the plans that they are over.
fn over(node: &IR) -> Vec<(Node, &[ExprIR])> {
    match node {
        IR::Filter { input, predicate } => vec![(*input, std::slice::from_ref(predicate))],
        IR::Select { input, expr, .. } => vec![(*input, expr.as_slice())],
        IR::HStack { input, exprs, .. } => vec![(*input, exprs.as_slice())],
        IR::Sort { input, by_column, .. } => vec![(*input, by_column.as_slice())],
        IR::GroupBy { input, keys, aggs, apply: None, .. } => {
            vec![(*input, keys.as_slice()), (*input, aggs.as_slice())]
        }
        IR::Join { input_left, input_right, left_on, right_on, .. } => {
            vec![(*input_left, left_on.as_slice()), (*input_right, right_on.as_slice())]
        }
        _ => Vec::new(),
    }
}

struct Trial<'a> {
    exprs: &'a Arena<AExpr>,
    schema: &'a Schema,
    row: OnceCell<DataFrame>,
}

impl Trial<'_> {
    fn expr(&self, root: Node) -> PolarsResult<()> {
        for (node, expr) in self.exprs.iter(root) {
            self.misfit(expr).map_or(Ok(()), refused)?;
            if self.stands_alone(node, expr)
                && let Err(error) = self.run(node, DataFrame::empty())
                && (is_of_types(&error) || has_no_form(&error))
            {
                return Err(error);
            }
        }
        match self.run(root, self.row.get_or_init(|| ordinary_row(self.schema)).clone()) {
            Err(error) if is_of_types(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn run(&self, node: Node, df: DataFrame) -> PolarsResult<()> {
        unpanicked(|| df.lazy().select([node_to_expr(node, self.exprs).alias("value")]).collect()).map(|_| ())
    }

    fn dtype(&self, node: Node) -> Option<DataType> {
        self.exprs.get(node).to_dtype(&ToFieldContext::new(self.exprs, self.schema)).ok()
    }

    /// What is wrong with a condition.
    fn condition(&self, node: Node) -> Option<String> {
        let dtype = self.dtype(node)?;
        let may_be = dtype.is_bool() || dtype.is_null() || matches!(dtype, DataType::Unknown(UnknownKind::Any));
        (!may_be).then(|| needed("Boolean", &name(&dtype)))
    }

    /// What is certainly wrong with the types of an expression, not of those inside of it.
    fn misfit(&self, expr: &AExpr) -> Option<String> {
        use Operator as O;
        match expr {
            AExpr::Ternary { predicate, .. } => self.condition(*predicate),
            AExpr::Filter { by, .. } => self.condition(*by),
            AExpr::BinaryExpr { left, op, right } if op.is_comparison() => {
                if let Some(nested) =
                    self.nested_and_plain(*left, *right).or_else(|| self.nested_and_plain(*right, *left))
                {
                    return Some(not_compared(&name(&nested.0), &name(&nested.1)));
                }
                let written =
                    || self.moment_and_number(*left, *right).or_else(|| self.moment_and_number(*right, *left));
                let (from, to) = self.as_number(*left).or_else(|| self.as_number(*right)).or_else(written)?;
                let (from, to) = (name(&from), name(&to));
                Some(format!(
                    "cannot compare {from} with {to}: a date is written `DATE '2024-01-31'`, a duration `INTERVAL '1 day'`"
                ))
            }
            AExpr::BinaryExpr { left, op: O::And | O::Or | O::LogicalAnd | O::LogicalOr, right } => {
                let (from, to) = self.cast_unasked(*left).or_else(|| self.cast_unasked(*right))?;
                let mixed = from.is_bool() && to.is_primitive_numeric();
                mixed.then(|| needed("Boolean", &name(&to)))
            }
            AExpr::BinaryExpr { left, op: O::Plus | O::Minus | O::Multiply | O::RustDivide | O::TrueDivide, right } => {
                let (left, right) = (self.dtype(*left)?, self.dtype(*right)?);
                (left.is_nested() || right.is_nested()).then(|| calculated(&name(&left), &name(&right)))
            }
            AExpr::Function { input, function, .. } => {
                let nodes: Vec<Node> = input.iter().map(ExprIR::node).collect();
                match function.to_string().as_str() {
                    function @ ("sqrt" | "cbrt" | "exp" | "log" | "log1p") => self.of_numbers(function, &nodes),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn of_numbers(&self, function: &str, nodes: &[Node]) -> Option<String> {
        let number = |dtype: &DataType| dtype.is_primitive_numeric() || dtype.is_decimal() || dtype.is_bool();
        let fits = |dtype: &DataType| number(dtype) || dtype.is_null() || matches!(dtype, DataType::Unknown(_));
        let found = nodes.iter().filter_map(|node| self.dtype(*node)).find(|dtype| !fits(dtype))?;
        Some(format!("`{function}` needs a number, found {}: CAST makes one", name(&found)))
    }

    /// The types of a cast of a date or time to a number that polars makes where nobody asked for it.
    fn as_number(&self, node: Node) -> Option<(DataType, DataType)> {
        self.cast_unasked(node).filter(|(from, to)| from.is_temporal() && to.is_primitive_numeric())
    }

    /// The types of a date or time and of a number that is written out, which polars compares without a cast.
    fn moment_and_number(&self, moment: Node, number: Node) -> Option<(DataType, DataType)> {
        let types = (self.dtype(moment)?, self.dtype(number)?);
        let is_number = types.1.is_primitive_numeric()
            || matches!(types.1, DataType::Unknown(UnknownKind::Int(_) | UnknownKind::Float));
        (types.0.is_temporal() && is_number).then_some(types)
    }

    /// The types of a list, an array or a struct and of a value that is none, which polars makes alike where it can.
    fn nested_and_plain(&self, nested: Node, plain: Node) -> Option<(DataType, DataType)> {
        let own = self.cast_unasked(nested).map_or_else(|| self.dtype(nested), |(from, _)| Some(from))?;
        let other = self.dtype(plain)?;
        let is_known = !matches!(other, DataType::Null | DataType::Unknown(UnknownKind::Any));
        (own.is_nested() && is_known && !other.is_nested()).then_some((own, other))
    }

    fn cast_unasked(&self, node: Node) -> Option<(DataType, DataType)> {
        match self.exprs.get(node) {
            AExpr::Cast { expr, dtype, options: CastOptions::NonStrict } => Some((self.dtype(*expr)?, dtype.clone())),
            _ => None,
        }
    }

    /// Whether it is made of what is written out alone: that fails whatever the rows are.
    fn stands_alone(&self, node: Node, expr: &AExpr) -> bool {
        let made = |expr: &AExpr| {
            matches!(expr, AExpr::Literal(_) | AExpr::Cast { .. } | AExpr::BinaryExpr { .. } | AExpr::Function { .. })
        };
        !matches!(expr, AExpr::Literal(_)) && self.exprs.iter(node).all(|(_, expr)| made(expr))
    }
}

fn name(dtype: &DataType) -> String {
    match dtype {
        DataType::Unknown(UnknownKind::Int(_)) => "a whole number".to_owned(),
        DataType::Unknown(UnknownKind::Float) => "a number".to_owned(),
        other => from_polars(other).to_string(),
    }
}

fn is_of_types(error: &PolarsError) -> bool {
    let words = polars_words(error);
    OF_TYPES.iter().any(|said| words.contains(said))
}

/// Whether a value that is written out cannot be what it stands for.
fn has_no_form(error: &PolarsError) -> bool {
    let words = polars_words(error);
    words.starts_with("conversion from ") || words.starts_with("could not find an appropriate format")
}

fn ordinary_row(schema: &Schema) -> DataFrame {
    let columns = schema.iter().map(|(name, dtype)| ordinary(dtype).with_name(name.clone()));
    DataFrame::new(1, columns.collect()).unwrap_or_else(|_| DataFrame::empty_with_schema(schema))
}

#[cfg(test)]
mod tests {
    use super::super::{FloatSums, check_expr, check_query};
    use crate::types::{Column, DType, TableSchema};
    use std::collections::BTreeMap;

    fn schema() -> TableSchema {
        let list = DType::List(Box::new(DType::I64));
        let columns = [
            ("s", DType::Str),
            ("i", DType::I64),
            ("b", DType::Bool),
            ("d", DType::Date),
            ("l", list),
            ("o", DType::Struct(vec![Column::new("p", DType::I64)])),
        ];
        TableSchema::new(columns.map(|(name, dtype)| Column::new(name, dtype)).into())
    }

    #[test]
    fn what_rows_would_show_is_told_before() {
        for (text, says) in [
            ("CASE WHEN i THEN 1 ELSE 2 END", "a condition (bool) is needed here, found i64"),
            ("CASE WHEN s THEN b ELSE b END", "a condition (bool) is needed here, found str"),
            ("b AND i", "a condition (bool) is needed here, found i64"),
            ("NOT s", "str cannot be cast to bool"),
            ("d > 5", "cannot compare date with a whole number"),
            ("5.5 < d", "cannot compare date with a number"),
            ("i = d", "cannot compare date with i64"),
            ("o = 1", "are not compared"),
            ("l + 1", "arithmetic is not known of list(i64) and"),
            ("sqrt(s)", "`sqrt` needs a number, found str"),
            ("CAST(l AS VARCHAR)", "list(i64) cannot be cast to str"),
            ("CAST(d AS BOOLEAN)", "date cannot be cast to bool"),
            ("CAST(i AS DECIMAL(99, 2))", "a decimal has 1 to 38 digits"),
            ("s || l", "list(i64) cannot be cast to str"),
            ("s ~ '('", "the pattern cannot be read"),
            ("d + INTERVAL '1 foo'", "`1 foo` is no interval"),
        ] {
            let found = check_expr(text, &schema(), FloatSums::Exact).err().unwrap_or_default();
            assert!(found.iter().any(|problem| problem.message.contains(says)), "{text}: {found:?}");
        }
        let text = "i > 0 OR CASE WHEN i THEN b ELSE b END";
        let found = check_expr(text, &schema(), FloatSums::Exact).expect_err("wrong");
        assert_eq!(found[0].range.clone().map(|range| &text[range]), Some("CASE WHEN i THEN b ELSE b END"));
        let tables = BTreeMap::from([("t".to_owned(), schema())]);
        for query in ["SELECT i FROM t WHERE 1", "SELECT i FROM t WHERE i > 0 AND d = '2024-13-01'"] {
            assert!(check_query(query, &tables, FloatSums::Exact).is_err(), "{query}");
        }
    }

    #[test]
    fn what_rows_would_not_mind_is_right() {
        for text in [
            "d > DATE '2024-01-01'",
            "CASE WHEN b THEN 1 ELSE 2 END",
            "1 + 2.5",
            "i & 3",
            "sqrt(i)",
            "s LIKE 'a%' OR s ~ '^a'",
            "TRY_CAST(s AS INT)",
            "CAST(s AS DATE)",
            "CAST(d AS VARCHAR) || s",
            "d + INTERVAL '1 day'",
            "i IN (1, 2)",
            "array_contains(l, 2)",
            "strptime(s, '%Y-%m-%d')",
        ] {
            let found = check_expr(text, &schema(), FloatSums::Exact);
            assert!(found.is_ok(), "{text}: {found:?}");
        }
    }
}
