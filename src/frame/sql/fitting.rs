//! Plans whose types certainly go together. polars tells some mistakes of types only when a plan runs, so a plan is run over empty tables; but what
//! most queries are made of (columns, numbers, comparisons, aggregates, joins) can be told from its types, in a fraction of the
//! time. Whatever is not known here is tried.

use super::super::order::Resolved;
use super::trial;
use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, ArenaLpIter, FunctionIR, IR, IRAggExpr, ToFieldContext};
use polars_plan::prelude::{Arena, Node};

/// Functions that take any plain values.
const OF_ANYTHING: [&str; 9] = [
    "is_null",
    "is_not_null",
    "null_count",
    "coalesce",
    "fill_null",
    "shift",
    "rank",
    "cum_count",
    "fill_null_with_strategy",
];
/// Functions that take numbers.
const OF_NUMBERS: [&str; 9] = ["abs", "negate", "round", "floor", "ceil", "int_range", "cum_sum", "cum_min", "cum_max"];
/// Functions that take texts.
const OF_TEXTS: [&str; 12] = [
    "str.concat_horizontal",
    "str.contains",
    "str.ends_with",
    "str.len_bytes",
    "str.len_chars",
    "str.reverse",
    "str.starts_with",
    "str.strip_chars",
    "str.strip_chars_end",
    "str.strip_chars_start",
    "str.to_lowercase",
    "str.to_uppercase",
];
/// Functions that take days, with or without a time of day.
const OF_DAYS: [&str; 7] = ["dt.day", "dt.iso_year", "dt.month", "dt.ordinal_day", "dt.quarter", "dt.week", "dt.year"];
/// Functions of our own, whose types are looked at where they are made.
const OWN: [&str; 23] = [
    "absolute",
    "asked",
    "choice",
    "divided",
    "exact_",
    "float_of_place",
    "float_to_place",
    "greatest",
    "initcap",
    "least",
    "length_",
    "listed",
    "minus",
    "movable",
    "multiply",
    "narrowed",
    "negative",
    "one_zero",
    "plus",
    "position",
    "power",
    "quotient",
    "remainder",
];

/// What a plan over empty tables gives.
pub(super) fn tried(plan: impl FnOnce() -> PolarsResult<(LazyFrame, Resolved)>) -> PolarsResult<SchemaRef> {
    super::super::trying(|| {
        let (mut lf, (mut plans, mut exprs)) = plan()?;
        let schema = lf.schema_with_arenas(&mut plans, &mut exprs)?;
        if let DslPlan::IR { node: Some(root), .. } = lf.logical_plan {
            if types_fit(root, &plans, &exprs) {
                return Ok(schema);
            }
            let fitting = Fitting { plans: &plans, exprs: &exprs };
            trial::tried(root, &plans, &exprs, &|input, expr| fitting.over(input, expr).is_some())?;
        }
        dry_run(lf)?;
        Ok(schema)
    })
}

/// Runs a plan over empty tables: most types that do not go together show then. Errors that only emptiness causes (a
/// scalar subquery that gives no row) do not count.
fn dry_run(lf: LazyFrame) -> PolarsResult<()> {
    match super::super::collect(lf) {
        Err(error) if is_about_types(&error) => Err(error),
        _ => Ok(()),
    }
}

fn is_about_types(error: &PolarsError) -> bool {
    match error {
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => is_about_types(error),
        PolarsError::ColumnNotFound(_)
        | PolarsError::Duplicate(_)
        | PolarsError::InvalidOperation(_)
        | PolarsError::SchemaFieldNotFound(_)
        | PolarsError::SchemaMismatch(_)
        | PolarsError::SQLInterface(_)
        | PolarsError::SQLSyntax(_) => true,
        PolarsError::ComputeError(text) => {
            ["cannot compare", "polars stopped", "regex error"].iter().any(|said| text.starts_with(said))
        }
        _ => false,
    }
}

/// Whether all expressions of a plan, whose types polars has made the same where it can, certainly fit.
fn types_fit(root: Node, plans: &Arena<IR>, exprs: &Arena<AExpr>) -> bool {
    plans.iter(root).all(|(_, node)| Fitting { plans, exprs }.node(node).is_some())
}

struct Fitting<'a> {
    plans: &'a Arena<IR>,
    exprs: &'a Arena<AExpr>,
}

impl Fitting<'_> {
    fn node(&self, node: &IR) -> Option<()> {
        match node {
            IR::DataFrameScan { .. } | IR::SimpleProjection { .. } | IR::Slice { .. } | IR::Cache { .. } => Some(()),
            IR::HConcat { .. } | IR::MapFunction { function: FunctionIR::RowIndex { .. }, .. } => Some(()),
            IR::Distinct { input, .. } => {
                self.plans.get(*input).schema(self.plans).iter_values().all(is_plain).then_some(())
            }
            IR::Union { inputs, .. } => self.are_alike(inputs).then_some(()),
            IR::Filter { input, predicate } => (self.over(*input, predicate)? == DataType::Boolean).then_some(()),
            IR::Select { input, expr, .. } => self.all(*input, expr),
            IR::HStack { input, exprs, .. } => self.all(*input, exprs),
            IR::Sort { input, by_column, .. } => self.keys(*input, by_column).map(|_| ()),
            IR::GroupBy { input, keys, aggs, apply: None, .. } => {
                self.keys(*input, keys)?;
                self.all(*input, aggs)
            }
            IR::Join { input_left, input_right, left_on, right_on, options, .. } if options.options.is_none() => {
                (self.keys(*input_left, left_on)? == self.keys(*input_right, right_on)?).then_some(())
            }
            _ => None,
        }
    }

    /// Whether plans give columns of the same types.
    fn are_alike(&self, plans: &[Node]) -> bool {
        let types = |plan: &Node| -> Vec<DataType> {
            self.plans.get(*plan).schema(self.plans).iter_values().cloned().collect()
        };
        plans.windows(2).all(|pair| types(&pair[0]) == types(&pair[1]))
    }

    /// The type of an expression over a plan, if it certainly has one.
    fn over(&self, input: Node, expr: &ExprIR) -> Option<DataType> {
        self.dtype(expr.node(), &self.plans.get(input).schema(self.plans))
    }

    fn all(&self, input: Node, exprs: &[ExprIR]) -> Option<()> {
        exprs.iter().try_for_each(|expr| self.over(input, expr).map(|_| ()))
    }

    fn keys(&self, input: Node, exprs: &[ExprIR]) -> Option<Vec<DataType>> {
        exprs.iter().map(|expr| self.over(input, expr).filter(is_plain)).collect()
    }

    fn dtype(&self, node: Node, schema: &Schema) -> Option<DataType> {
        let one = |node: &Node| self.dtype(*node, schema);
        let many = |nodes: &[ExprIR]| nodes.iter().map(|expr| one(&expr.node())).collect::<Option<Vec<_>>>();
        let fits = match self.exprs.get(node) {
            AExpr::Column(name) => return schema.get(name).cloned(),
            AExpr::Len => true,
            AExpr::Literal(value) => value.is_scalar(),
            AExpr::BinaryExpr { left, op, right } => operands_fit(*op, &one(left)?, &one(right)?),
            AExpr::Cast { expr, dtype, .. } => cast_fits(&one(expr)?, dtype),
            AExpr::Ternary { predicate, truthy, falsy } => {
                let (truthy, falsy) = (one(truthy)?, one(falsy)?);
                one(predicate)? == DataType::Boolean && (truthy == falsy || truthy.is_null() || falsy.is_null())
            }
            AExpr::Agg(aggregate) => self.aggregate_fits(aggregate, schema)?,
            AExpr::Function { input, function, .. } => match function.to_string().as_str() {
                "is_in" => self.is_in_fits(input, schema)?,
                "str.contains" if !self.is_readable(input) => false,
                name => function_fits(name, &many(input)?),
            },
            AExpr::AnonymousFunction { input, fmt_str, .. } => {
                many(input)?;
                OWN.iter().any(|name| fmt_str.starts_with(name))
            }
            AExpr::Over { function, partition_by, order_by, .. } => {
                let order = order_by.iter().map(|(by, _)| by);
                let by = partition_by.iter().chain(order).map(one).collect::<Option<Vec<_>>>()?;
                one(function)?;
                by.iter().all(is_plain)
            }
            _ => false,
        };
        let known = || self.exprs.get(node).to_dtype(&ToFieldContext::new(self.exprs, schema)).ok();
        known().filter(|_| fits)
    }

    /// A value among those that are written out.
    fn is_in_fits(&self, input: &[ExprIR], schema: &Schema) -> Option<bool> {
        let [value, list] = input else { return None };
        let value = self.dtype(value.node(), schema)?;
        let list = self.exprs.get(list.node());
        let dtype = list.to_dtype(&ToFieldContext::new(self.exprs, schema)).ok()?;
        let fits = matches!(&dtype, DataType::List(inner) if **inner == value);
        Some(matches!(list, AExpr::Literal(_)) && fits && is_plain(&value))
    }

    /// Whether the pattern that a text is looked through for is written out, and can be read.
    fn is_readable(&self, input: &[ExprIR]) -> bool {
        let pattern = input.get(1).map(|pattern| self.exprs.get(pattern.node()));
        match pattern {
            Some(AExpr::Literal(pattern)) => {
                pattern.extract_str().is_some_and(|pattern| regex::Regex::new(pattern).is_ok())
            }
            _ => false,
        }
    }

    fn aggregate_fits(&self, aggregate: &IRAggExpr, schema: &Schema) -> Option<bool> {
        use IRAggExpr as A;
        let of = |node: &Node| self.dtype(*node, schema);
        Some(match aggregate {
            A::Min { input, .. } | A::Max { input, .. } | A::NUnique(input) => is_plain(&of(input)?),
            A::Sum(input) | A::Mean(input) | A::Median(input) | A::Std(input, _) | A::Var(input, _) => {
                is_number(&of(input)?)
            }
            A::First(input)
            | A::Last(input)
            | A::FirstNonNull(input)
            | A::LastNonNull(input)
            | A::Count { input, .. }
            | A::Implode { input, .. }
            | A::Item { input, .. } => is_plain(&of(input)?),
            A::AggGroups(_) => false,
        })
    }
}

fn is_number(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric() || dtype.is_bool()
}

/// One value, and not of a sort that polars treats in its own way.
fn is_plain(dtype: &DataType) -> bool {
    is_number(dtype) || dtype.is_decimal() || dtype.is_temporal() || matches!(dtype, DataType::String | DataType::Null)
}

fn operands_fit(op: Operator, left: &DataType, right: &DataType) -> bool {
    use Operator as O;
    if left != right {
        return false;
    }
    match op {
        O::And | O::Or | O::Xor | O::LogicalAnd | O::LogicalOr => left.is_bool(),
        op if op.is_comparison() => is_plain(left),
        O::Plus | O::Minus | O::Multiply | O::RustDivide | O::TrueDivide => {
            left.is_primitive_numeric() || left.is_decimal()
        }
        _ => left.is_primitive_numeric(),
    }
}

fn cast_fits(from: &DataType, to: &DataType) -> bool {
    let number = |dtype: &DataType| is_number(dtype) || dtype.is_decimal();
    from == to || from.is_null() || (number(from) && (number(to) || *to == DataType::String))
}

fn function_fits(name: &str, inputs: &[DataType]) -> bool {
    let same = || inputs.windows(2).all(|pair| pair[0] == pair[1]);
    match name {
        "coalesce" | "fill_null" => same() && inputs.iter().all(is_plain),
        "not" => inputs.iter().all(DataType::is_bool),
        name if OF_ANYTHING.contains(&name) => inputs.iter().all(is_plain),
        name if OF_NUMBERS.contains(&name) => inputs.iter().all(DataType::is_primitive_numeric),
        name if OF_TEXTS.contains(&name) => inputs.iter().all(DataType::is_string),
        name if OF_DAYS.contains(&name) => {
            inputs.iter().all(|dtype| matches!(dtype, DataType::Date | DataType::Datetime(..)))
        }
        _ => false,
    }
}
