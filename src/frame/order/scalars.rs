//! Values of subqueries: `n > (SELECT avg(n) FROM t)`. Each is a plan of one row. Where an expression uses one, its plan is put beside the
//! table as a column that has the value in every row.

use polars::prelude::*;
use polars_plan::dsl::{BooleanFunction, HConcatOptions};
use polars_plan::prelude::ProjectionOptions;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the text begins with that says of a plan's `CASE WHEN … IS NULL` that it is a subquery's value; its number follows.
const MARK: &str = "__kilter_scalar ";

/// What the columns of values are called; a number follows.
const COLUMN: &str = "__kilter_scalar_";

/// What parts of a `SELECT` are called that were computed before the values came to them.
const PART: &str = "__kilter_part_";

/// A subquery that stands for a value.
pub struct Scalar {
    plan: DslPlan,
    /// The value's type.
    pub dtype: DataType,
}

impl Scalar {
    /// The subquery of this number among those of a query, whose plan has a fixed order already.
    ///
    /// # Errors
    /// Where it gives more than one column, or its schema cannot be resolved.
    pub fn new(number: usize, mut lf: LazyFrame) -> PolarsResult<Self> {
        let schema = lf.collect_schema()?;
        let Some((name, dtype)) = schema.get_at_index(0).filter(|_| schema.len() == 1) else {
            polars_bail!(InvalidOperation: "a subquery in the place of a value gives one column, found {}", schema.len());
        };
        // More than one row fails, none is null.
        let item = Expr::Agg(AggExpr::Item { input: Arc::new(col(name.clone())), allow_empty: true });
        let dtype = dtype.clone();
        Ok(Self { plan: lf.select([item.alias(column(number))]).logical_plan, dtype })
    }

    /// The text that stands for the value where SQL is read.
    #[must_use]
    pub fn mark(number: usize) -> String {
        format!("{MARK}{number}")
    }
}

fn column(number: usize) -> PlSmallStr {
    PlSmallStr::from_string(format!("{COLUMN}{number}"))
}

/// Whether this is the column of a value.
pub(super) fn is_value(name: &str) -> bool {
    name.starts_with(COLUMN)
}

/// A table's columns and those of the values.
pub(super) fn with_scalars(schema: SchemaRef, scalars: &[Scalar]) -> SchemaRef {
    if scalars.is_empty() {
        return schema;
    }
    let mut all = Schema::clone(&schema);
    for (number, scalar) in scalars.iter().enumerate() {
        all.insert(column(number), scalar.dtype.clone());
    }
    Arc::new(all)
}

/// The values that a query uses, and which of them the expressions use that are looked at.
pub(super) struct Scalars<'a> {
    all: &'a [Scalar],
    used: RefCell<BTreeSet<usize>>,
    /// Whether an expression gives a value for each group, and not for each row.
    grouped: Cell<bool>,
}

impl<'a> Scalars<'a> {
    pub(super) fn new(all: &'a [Scalar]) -> Self {
        Self { all, used: RefCell::default(), grouped: Cell::new(false) }
    }

    pub(super) fn all(&self) -> &'a [Scalar] {
        self.all
    }

    /// The value that a `CASE WHEN predicate` stands for.
    pub(super) fn value(&self, predicate: &Expr) -> Option<Expr> {
        let Expr::Function { input, function: FunctionExpr::Boolean(BooleanFunction::IsNull) } = predicate else {
            return None;
        };
        let [Expr::Literal(text)] = input.as_slice() else { return None };
        let number: usize = text.extract_str()?.strip_prefix(MARK)?.parse().ok()?;
        self.used.borrow_mut().insert(number);
        let value = col(column(number));
        let value = if self.grouped.get() { value.first() } else { value };
        // It is called what a constant is called.
        Some(value.alias("literal"))
    }

    /// Lets `work` look at another plan.
    pub(super) fn apart<T>(&self, work: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
        let (used, grouped) = (self.used.take(), self.grouped.replace(false));
        let done = work();
        self.used.replace(used);
        self.grouped.set(grouped);
        done
    }

    /// Lets `work` look at expressions that give a value for each group.
    pub(super) fn of_groups<T>(&self, work: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
        let before = self.grouped.replace(true);
        let done = work();
        self.grouped.set(before);
        done
    }

    /// Lets `work` look at what an aggregate takes in.
    pub(super) fn by_rows<T>(&self, work: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
        let before = self.grouped.replace(false);
        let done = work();
        self.grouped.set(before);
        done
    }

    /// Fails where a value is used in `place`.
    pub(super) fn refuse(&self, place: &str) -> PolarsResult<()> {
        match self.used.take().is_empty() {
            true => Ok(()),
            false => polars_bail!(InvalidOperation: "a subquery cannot stand in {place}: write it into WHERE"),
        }
    }

    /// The input with the values that were used beside it.
    pub(super) fn beside(&self, input: DslPlan) -> PolarsResult<DslPlan> {
        self.put(input, self.used.take())
    }

    fn put(&self, input: DslPlan, used: BTreeSet<usize>) -> PolarsResult<DslPlan> {
        if used.is_empty() {
            return Ok(input);
        }
        let has_columns = !LazyFrame::from(input.clone()).collect_schema()?.is_empty();
        let values = used.into_iter().filter_map(|number| self.all.get(number)).map(|scalar| scalar.plan.clone());
        let inputs = has_columns.then_some(input).into_iter().chain(values).collect();
        Ok(DslPlan::HConcat {
            inputs,
            options: HConcatOptions { broadcast_unit_length: true, ..HConcatOptions::default() },
        })
    }

    /// What `node` makes of the input and the values, without the values.
    pub(super) fn around(&self, input: DslPlan, node: impl FnOnce(Arc<DslPlan>) -> DslPlan) -> PolarsResult<DslPlan> {
        let used = self.used.take();
        let names: Vec<PlSmallStr> = used.iter().copied().map(column).collect();
        let made = node(Arc::new(self.put(input, used)?));
        if names.is_empty() {
            return Ok(made);
        }
        Ok(LazyFrame::from(made).drop(polars::prelude::cols(names)).logical_plan)
    }

    /// A filter; what needs no value is asked before the others, so that it can reach the files.
    pub(super) fn filter(&self, input: DslPlan, predicate: Expr) -> PolarsResult<DslPlan> {
        let all = |parts: Vec<Expr>| parts.into_iter().reduce(|a, b| a.and(b));
        let keep = |input: Arc<DslPlan>, predicate| DslPlan::Filter { input, predicate };
        if self.used.borrow().is_empty() {
            return Ok(keep(Arc::new(input), predicate));
        }
        let (with, without): (Vec<Expr>, Vec<Expr>) = conjuncts(predicate).into_iter().partition(uses);
        let input = match all(without) {
            Some(without) => keep(Arc::new(input), without),
            None => input,
        };
        match all(with) {
            Some(with) => self.around(input, |input| keep(input, with)),
            None => Ok(input),
        }
    }

    /// A `SELECT`. An aggregate gives one row also where the table has none, in which no value can stand: so what needs no value is
    /// computed first.
    pub(super) fn select(&self, input: DslPlan, exprs: Vec<Expr>, options: ProjectionOptions) -> PolarsResult<DslPlan> {
        let select = |expr: Vec<Expr>, input: DslPlan| DslPlan::Select { expr, input: Arc::new(input), options };
        if self.used.take().is_empty() {
            return Ok(select(exprs, input));
        }
        if exprs.iter().any(super::has_selector) {
            polars_bail!(InvalidOperation: "a subquery cannot stand beside `COLUMNS(...)`: name the columns one by one");
        }
        let mut parts = Vec::new();
        let mut outer = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let name = polars_plan::utils::expr_output_name(&expr)?;
            outer.push(taken_apart(&expr, &mut parts).alias(name));
        }
        let inner = match parts.is_empty() {
            true => DslPlan::default(),
            false => {
                let inside = used_in(&parts);
                select(parts, self.put(input, inside)?)
            }
        };
        let outside = used_in(&outer);
        Ok(select(outer, self.put(inner, outside)?))
    }
}

/// The numbers of the values that these expressions use.
fn used_in(exprs: &[Expr]) -> BTreeSet<usize> {
    let number = |node: &Expr| match node {
        Expr::Column(name) => name.strip_prefix(COLUMN)?.parse().ok(),
        _ => None,
    };
    exprs.iter().flat_map(|expr| expr.into_iter().filter_map(number).collect::<Vec<_>>()).collect()
}

fn uses(expr: &Expr) -> bool {
    !used_in(std::slice::from_ref(expr)).is_empty()
}

/// The parts of a condition that all have to be true.
fn conjuncts(condition: Expr) -> Vec<Expr> {
    match condition {
        Expr::BinaryExpr { left, op: Operator::And | Operator::LogicalAnd, right } => {
            [conjuncts(Arc::unwrap_or_clone(left)), conjuncts(Arc::unwrap_or_clone(right))].concat()
        }
        one => vec![one],
    }
}

/// Whether a function certainly gives a value for each row from that row alone.
fn is_by_rows(function: &FunctionExpr) -> bool {
    use BooleanFunction as B;
    match function {
        FunctionExpr::Abs | FunctionExpr::Coalesce | FunctionExpr::FillNull | FunctionExpr::Round { .. } => true,
        FunctionExpr::Boolean(function) => {
            matches!(function, B::IsNull | B::IsNotNull | B::Not | B::IsBetween { .. })
        }
        _ => false,
    }
}

/// An expression over its parts that use no value, or that only an aggregate can take in.
fn taken_apart(expr: &Expr, parts: &mut Vec<Expr>) -> Expr {
    let one = |expr: &Arc<Expr>, parts: &mut Vec<Expr>| Arc::new(taken_apart(expr, parts));
    match expr {
        Expr::Column(name) if name.starts_with(COLUMN) => expr.clone(),
        Expr::Literal(_) => expr.clone(),
        Expr::Alias(inner, name) if uses(inner) => Expr::Alias(one(inner, parts), name.clone()),
        Expr::Cast { expr: inner, dtype, options } if uses(inner) => {
            Expr::Cast { expr: one(inner, parts), dtype: dtype.clone(), options: *options }
        }
        Expr::BinaryExpr { left, op, right } if uses(expr) => {
            Expr::BinaryExpr { left: one(left, parts), op: *op, right: one(right, parts) }
        }
        Expr::Ternary { predicate, truthy, falsy } if uses(expr) => {
            Expr::Ternary { predicate: one(predicate, parts), truthy: one(truthy, parts), falsy: one(falsy, parts) }
        }
        Expr::Function { input, function } if uses(expr) && is_by_rows(function) => Expr::Function {
            input: input.iter().map(|input| taken_apart(input, parts)).collect(),
            function: function.clone(),
        },
        Expr::AnonymousFunction { input, function, options, fmt_str } if uses(expr) && options.is_elementwise() => {
            Expr::AnonymousFunction {
                input: input.iter().map(|input| taken_apart(input, parts)).collect(),
                function: function.clone(),
                options: *options,
                fmt_str: fmt_str.clone(),
            }
        }
        _ => {
            let name = PlSmallStr::from_string(format!("{PART}{}", parts.len()));
            parts.push(expr.clone().alias(name.clone()));
            col(name)
        }
    }
}
