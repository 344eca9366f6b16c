//! Plans with a fixed row order and exact float aggregates.
//!
//! What polars leaves open, this settles: groups come sorted by their keys (missing values first), joins keep the order of
//! the left table and then of the right, rows that become equal keep the first, sorts are stable, unions follow their
//! inputs. A sort that the user asked for stays the last word: rows that are equal in it keep the order from before.

use super::rolling::{self, Rolling};
use super::sums::{FloatSums, exact_aggregate, exact_correlation};
use polars::prelude::*;
use std::cell::{Cell, OnceCell};
use std::sync::Arc;

/// The same plan with a fixed row order, and with exact float aggregates where that is asked for.
///
/// # Errors
/// Where the plan holds something whose order or sums cannot be fixed, or its schema cannot be resolved.
pub fn fixed(lf: LazyFrame, sums: FloatSums) -> PolarsResult<LazyFrame> {
    let fixer = Fixer { sums, indices: Cell::new(0) };
    Ok(LazyFrame::from(fixer.plan(&lf.logical_plan)?))
}

/// An expression over a table of this schema, in the same form.
///
/// # Errors
/// See [`fixed`].
pub fn fixed_expr(expr: &Expr, schema: &SchemaRef, sums: FloatSums) -> PolarsResult<Expr> {
    let fixer = Fixer { sums, indices: Cell::new(0) };
    let input = DslPlan::DataFrameScan { df: Arc::new(DataFrame::empty_with_schema(schema)), schema: schema.clone() };
    fixer.expr(expr, &Scope::new(&input))
}

struct Fixer {
    sums: FloatSums,
    /// How many pairs of row indices were named so far.
    indices: Cell<usize>,
}

/// The plan that expressions are evaluated over; its schema is resolved only if an aggregate asks for it.
struct Scope<'a> {
    input: &'a DslPlan,
    schema: OnceCell<SchemaRef>,
}

impl<'a> Scope<'a> {
    fn new(input: &'a DslPlan) -> Self {
        Self { input, schema: OnceCell::new() }
    }

    fn schema(&self) -> PolarsResult<&SchemaRef> {
        if let Some(schema) = self.schema.get() {
            return Ok(schema);
        }
        let schema = LazyFrame::from(self.input.clone()).collect_schema()?;
        Ok(self.schema.get_or_init(|| schema))
    }
}

impl Fixer {
    fn plan(&self, plan: &DslPlan) -> PolarsResult<DslPlan> {
        Ok(match plan {
            DslPlan::IR { dsl, .. } => self.plan(dsl)?,
            DslPlan::Scan { .. } | DslPlan::DataFrameScan { .. } => plan.clone(),
            DslPlan::Filter { input, predicate } => {
                let input = self.plan(input)?;
                let predicate = self.expr(predicate, &Scope::new(&input))?;
                DslPlan::Filter { input: Arc::new(input), predicate }
            }
            DslPlan::Select { expr, input, options } => {
                let input = self.plan(input)?;
                let expr = super::count::of_rows(self.exprs(expr, &Scope::new(&input))?, &input);
                DslPlan::Select { expr, input: Arc::new(input), options: *options }
            }
            DslPlan::HStack { input, exprs, options } => {
                let input = self.plan(input)?;
                let exprs = self.exprs(exprs, &Scope::new(&input))?;
                DslPlan::HStack { input: Arc::new(input), exprs, options: *options }
            }
            DslPlan::GroupBy { .. } => self.group_by(plan)?,
            DslPlan::Join { .. } => self.join(plan)?,
            DslPlan::Distinct { input, options } => {
                let mut options = options.clone();
                options.maintain_order = true;
                if matches!(options.keep_strategy, UniqueKeepStrategy::Any) {
                    options.keep_strategy = UniqueKeepStrategy::First;
                }
                DslPlan::Distinct { input: self.arc(input)?, options }
            }
            DslPlan::Sort { input, by_column, slice, sort_options } => {
                let input = self.plan(input)?;
                let by_column = self.exprs(by_column, &Scope::new(&input))?;
                let sort_options = sort_options.clone().with_maintain_order(true);
                DslPlan::Sort { input: Arc::new(input), by_column, slice: *slice, sort_options }
            }
            DslPlan::Slice { input, offset, len } => {
                DslPlan::Slice { input: self.arc(input)?, offset: *offset, len: *len }
            }
            DslPlan::Union { inputs, args } => {
                let args = UnionArgs { maintain_order: true, ..*args };
                DslPlan::Union { inputs: self.plans(inputs)?, args }
            }
            other => self.rest(other)?,
        })
    }

    /// Plans that keep the order of their inputs by themselves.
    fn rest(&self, plan: &DslPlan) -> PolarsResult<DslPlan> {
        Ok(match plan {
            DslPlan::Cache { input, id } => DslPlan::Cache { input: self.arc(input)?, id: *id },
            DslPlan::MapFunction { input, function } => {
                DslPlan::MapFunction { input: self.arc(input)?, function: function.clone() }
            }
            DslPlan::HConcat { inputs, options } => DslPlan::HConcat { inputs: self.plans(inputs)?, options: *options },
            DslPlan::ExtContext { input, contexts } => {
                DslPlan::ExtContext { input: self.arc(input)?, contexts: self.plans(contexts)? }
            }
            DslPlan::Gather { input, idxs, null_on_oob } => {
                DslPlan::Gather { input: self.arc(input)?, idxs: self.arc(idxs)?, null_on_oob: *null_on_oob }
            }
            DslPlan::MatchToSchema { input, match_schema, per_column, extra_columns } => DslPlan::MatchToSchema {
                input: self.arc(input)?,
                match_schema: match_schema.clone(),
                per_column: per_column.clone(),
                extra_columns: *extra_columns,
            },
            _ => polars_bail!(InvalidOperation: "this query does something whose row order kilter cannot fix"),
        })
    }

    fn arc(&self, plan: &DslPlan) -> PolarsResult<Arc<DslPlan>> {
        self.plan(plan).map(Arc::new)
    }

    fn plans(&self, plans: &[DslPlan]) -> PolarsResult<Vec<DslPlan>> {
        plans.iter().map(|plan| self.plan(plan)).collect()
    }

    fn group_by(&self, plan: &DslPlan) -> PolarsResult<DslPlan> {
        let DslPlan::GroupBy { input, keys, predicates, aggs, options, apply, .. } = plan else {
            return self.plan(plan);
        };
        let input = self.plan(input)?;
        let scope = Scope::new(&input);
        let keys = self.exprs(keys, &scope)?;
        let predicates = self.exprs(predicates, &scope)?;
        let aggs = self.exprs(aggs, &scope)?;
        let schema = scope.schema()?;
        let fields: Vec<Field> = keys.iter().map(|key| key.to_field(schema)).collect::<PolarsResult<_>>()?;
        // Nested keys keep the order of their first appearance.
        let sortable = |key: &&Field| !key.dtype().is_nested();
        let by_column: Vec<Expr> = fields.iter().filter(sortable).map(|key| col(key.name.clone())).collect();
        // Sorting by all keys settles the order of groups whatever it was, but not which of 0.0 and -0.0 stands for both.
        let settled = by_column.len() == fields.len() && fields.iter().all(|key| !key.dtype().is_float());
        let grouped = DslPlan::GroupBy {
            input: Arc::new(input.clone()),
            keys,
            predicates,
            aggs,
            maintain_order: !settled,
            options: options.clone(),
            apply: apply.clone(),
        };
        if by_column.is_empty() {
            return Ok(grouped);
        }
        let sort_options = SortMultipleOptions::default().with_maintain_order(true);
        Ok(DslPlan::Sort { input: Arc::new(grouped), by_column, slice: None, sort_options })
    }

    fn join(&self, plan: &DslPlan) -> PolarsResult<DslPlan> {
        let DslPlan::Join { input_left, input_right, left_on, right_on, predicates, options } = plan else {
            return self.plan(plan);
        };
        let (left, right) = (self.plan(input_left)?, self.plan(input_right)?);
        let mut options = JoinOptions::clone(options);
        options.args.maintain_order = match options.args.how {
            JoinType::Right => MaintainOrderJoin::RightLeft,
            JoinType::Semi | JoinType::Anti => MaintainOrderJoin::Left,
            _ => MaintainOrderJoin::LeftRight,
        };
        let join = |left: DslPlan, right: DslPlan| DslPlan::Join {
            input_left: Arc::new(left),
            input_right: Arc::new(right),
            left_on: left_on.clone(),
            right_on: right_on.clone(),
            predicates: predicates.clone(),
            options: Arc::new(options.clone()),
        };
        if predicates.is_empty() {
            joinable(left_on, &left, right_on, &right)?;
            return Ok(join(left, right));
        }
        // Joins on inequalities have no order of their own: rows are numbered before, and sorted by the numbers after.
        let pair = self.indices.replace(self.indices.get() + 1);
        let [a, b] = [format!("__kilter_left_{pair}"), format!("__kilter_right_{pair}")];
        let numbered = |plan: DslPlan, name: &str| LazyFrame::from(plan).with_row_index(name, None).logical_plan;
        let joined = join(numbered(left, &a), numbered(right, &b));
        let by = SortMultipleOptions::default().with_maintain_order(true);
        let sorted = LazyFrame::from(joined).sort([a.as_str(), b.as_str()], by);
        Ok(sorted.drop(polars::prelude::cols([a.as_str(), b.as_str()])).logical_plan)
    }

    fn exprs(&self, exprs: &[Expr], scope: &Scope<'_>) -> PolarsResult<Vec<Expr>> {
        exprs.iter().map(|expr| self.expr(expr, scope)).collect()
    }

    fn expr(&self, expr: &Expr, scope: &Scope<'_>) -> PolarsResult<Expr> {
        let one = |expr: &Arc<Expr>| self.expr(expr, scope).map(Arc::new);
        let many = |exprs: &[Expr]| self.exprs(exprs, scope);
        Ok(match expr {
            Expr::Agg(aggregate) => self.aggregate(aggregate, scope)?,
            Expr::Function { input, function } => self.function(many(input)?, function, scope)?,
            Expr::Over { function, partition_by, order_by, mapping } => Expr::Over {
                function: one(function)?,
                partition_by: many(partition_by)?,
                order_by: match order_by {
                    Some((by, options)) => Some((one(by)?, options.with_maintain_order(true))),
                    None => None,
                },
                mapping: *mapping,
            },
            Expr::Sort { expr, options } => Expr::Sort { expr: one(expr)?, options: options.with_maintain_order(true) },
            Expr::SortBy { expr, by, sort_options } => Expr::SortBy {
                expr: one(expr)?,
                by: many(by)?,
                sort_options: sort_options.clone().with_maintain_order(true),
            },
            Expr::SubPlan(plan, names) => Expr::SubPlan(SpecialEq::new(self.arc(plan)?), names.clone()),
            Expr::Alias(inner, name) => Expr::Alias(one(inner)?, name.clone()),
            Expr::BinaryExpr { left, op, right } => {
                let (left, right) = of_decimals(one(left)?, *op, one(right)?, scope);
                Expr::BinaryExpr { left, op: *op, right }
            }
            Expr::Cast { expr, dtype, options } => {
                let inner = one(expr)?;
                if options.is_strict() {
                    keeps_values(&inner, dtype, scope)?;
                }
                Expr::Cast { expr: inner, dtype: dtype.clone(), options: *options }
            }
            Expr::Ternary { predicate, truthy, falsy } => {
                Expr::Ternary { predicate: one(predicate)?, truthy: one(truthy)?, falsy: one(falsy)? }
            }
            Expr::Filter { input, by } => Expr::Filter { input: one(input)?, by: one(by)? },
            Expr::Gather { expr, idx, returns_scalar, null_on_oob } => Expr::Gather {
                expr: one(expr)?,
                idx: one(idx)?,
                returns_scalar: *returns_scalar,
                null_on_oob: *null_on_oob,
            },
            Expr::Slice { input, offset, length } => {
                Expr::Slice { input: one(input)?, offset: one(offset)?, length: one(length)? }
            }
            Expr::Explode { input, options } => Expr::Explode { input: one(input)?, options: *options },
            Expr::KeepName(inner) => Expr::KeepName(one(inner)?),
            Expr::RenameAlias { function, expr } => Expr::RenameAlias { function: function.clone(), expr: one(expr)? },
            Expr::AnonymousFunction { input, function, options, fmt_str } => Expr::AnonymousFunction {
                input: many(input)?,
                function: function.clone(),
                options: *options,
                fmt_str: fmt_str.clone(),
            },
            // What is evaluated inside a list runs over it in order, whatever the threads do.
            Expr::Eval { expr, evaluation, variant } => {
                Expr::Eval { expr: one(expr)?, evaluation: evaluation.clone(), variant: *variant }
            }
            other => other.clone(),
        })
    }

    fn aggregate(&self, aggregate: &AggExpr, scope: &Scope<'_>) -> PolarsResult<Expr> {
        let one = |expr: &Arc<Expr>| self.expr(expr, scope).map(Arc::new);
        let aggregate = match aggregate {
            AggExpr::Sum(input) => AggExpr::Sum(one(input)?),
            AggExpr::Mean(input) => AggExpr::Mean(one(input)?),
            AggExpr::Var(input, ddof) => AggExpr::Var(one(input)?, *ddof),
            AggExpr::Std(input, ddof) => AggExpr::Std(one(input)?, *ddof),
            AggExpr::Median(input) => AggExpr::Median(one(input)?),
            AggExpr::First(input) => AggExpr::First(one(input)?),
            AggExpr::Last(input) => AggExpr::Last(one(input)?),
            AggExpr::FirstNonNull(input) => AggExpr::FirstNonNull(one(input)?),
            AggExpr::LastNonNull(input) => AggExpr::LastNonNull(one(input)?),
            AggExpr::NUnique(input) => AggExpr::NUnique(one(input)?),
            AggExpr::Min { input, propagate_nans } => {
                AggExpr::Min { input: one(input)?, propagate_nans: *propagate_nans }
            }
            AggExpr::Max { input, propagate_nans } => {
                AggExpr::Max { input: one(input)?, propagate_nans: *propagate_nans }
            }
            AggExpr::Count { input, include_nulls } => {
                AggExpr::Count { input: one(input)?, include_nulls: *include_nulls }
            }
            AggExpr::Implode { input, maintain_order } => {
                AggExpr::Implode { input: one(input)?, maintain_order: *maintain_order }
            }
            AggExpr::Item { input, allow_empty } => AggExpr::Item { input: one(input)?, allow_empty: *allow_empty },
            AggExpr::AggGroups(input) => AggExpr::AggGroups(one(input)?),
        };
        let moment = matches!(aggregate, AggExpr::Sum(_) | AggExpr::Mean(_) | AggExpr::Var(..) | AggExpr::Std(..));
        if self.sums == FloatSums::Fast || !moment {
            return Ok(Expr::Agg(aggregate));
        }
        let (AggExpr::Sum(input) | AggExpr::Mean(input) | AggExpr::Var(input, _) | AggExpr::Std(input, _)) = &aggregate
        else {
            return Ok(Expr::Agg(aggregate));
        };
        if has_selector(input) {
            polars_bail!(InvalidOperation: "an aggregate of `COLUMNS(...)` cannot be summed exactly: name the columns one by one");
        }
        if !has_column(input) {
            return Ok(Expr::Agg(aggregate));
        }
        let dtype = input.to_field(scope.schema()?)?.dtype;
        Ok(exact_aggregate(&aggregate, &dtype).unwrap_or(Expr::Agg(aggregate)))
    }

    fn function(&self, input: Vec<Expr>, function: &FunctionExpr, scope: &Scope<'_>) -> PolarsResult<Expr> {
        if let (FunctionExpr::Coalesce, Some(window)) = (function, marked(&input)) {
            return Ok(rolling::function(window).call(input));
        }
        match function {
            FunctionExpr::Unique(_) => Ok(Expr::Function { input, function: FunctionExpr::Unique(true) }),
            FunctionExpr::Correlation { method } if self.sums == FloatSums::Exact && input.len() == 2 => {
                let schema = scope.schema()?;
                let f32s = input
                    .iter()
                    .map(|input| input.to_field(schema).map(|field| field.dtype == DataType::Float32))
                    .collect::<PolarsResult<Vec<_>>>()?;
                let exact = exact_correlation(*method, input[0].clone(), input[1].clone(), f32s.iter().all(|is| *is));
                match exact {
                    Some(exact) => Ok(exact),
                    None => polars_bail!(InvalidOperation: "this correlation cannot be summed exactly"),
                }
            }
            FunctionExpr::Skew(_) | FunctionExpr::Kurtosis(..) | FunctionExpr::Product
                if self.sums == FloatSums::Exact =>
            {
                polars_bail!(InvalidOperation: "{function} cannot be summed exactly: set `float_sums = \"fast\"` and accept that its last bits may differ from run to run")
            }
            _ => Ok(Expr::Function { input, function: function.clone() }),
        }
    }
}

/// Arithmetic of decimals as SQL has it. Of a decimal and a whole number polars tells another type than it computes: so both
/// become decimals. And it rounds a product to the digits of its factors: so one of them gets as many as the product has.
fn of_decimals(left: Arc<Expr>, op: Operator, right: Arc<Expr>, scope: &Scope<'_>) -> (Arc<Expr>, Arc<Expr>) {
    use Operator as O;
    let arithmetic = matches!(op, O::Plus | O::Minus | O::Multiply | O::RustDivide | O::TrueDivide);
    if !arithmetic || !(has_column(&left) || has_column(&right)) {
        return (left, right);
    }
    // What is wrong with an operand is told where it is used.
    let dtype = |expr: &Expr| Some(expr.to_field(scope.schema().ok()?).ok()?.dtype);
    let (Some(x), Some(y)) = (dtype(&left), dtype(&right)) else { return (left, right) };
    let whole = |dtype: &DataType| dtype.is_integer() || matches!(dtype, DataType::Unknown(UnknownKind::Int(_)));
    let with_scale =
        |expr: Arc<Expr>, scale| Arc::new(expr.as_ref().clone().cast(DataType::Decimal(MOST_DIGITS, scale)));
    match (x, y) {
        (DataType::Decimal(..), y) if whole(&y) => (left, with_scale(right, 0)),
        (x, DataType::Decimal(..)) if whole(&x) => (with_scale(left, 0), right),
        (DataType::Decimal(_, a), DataType::Decimal(_, b)) if op == O::Multiply && a > 0 && b > 0 => {
            (with_scale(left, (a + b).min(MOST_DIGITS)), right)
        }
        _ => (left, right),
    }
}

/// The most digits that a decimal has.
const MOST_DIGITS: usize = 38;

/// Refuses keys whose common type polars is not built to join by: it would panic.
fn joinable(left_on: &[Expr], left: &DslPlan, right_on: &[Expr], right: &DslPlan) -> PolarsResult<()> {
    if left_on.is_empty() {
        return Ok(());
    }
    let (left, right) = (Scope::new(left), Scope::new(right));
    for (a, b) in left_on.iter().zip(right_on) {
        let (a, b) = (a.to_field(left.schema()?)?, b.to_field(right.schema()?)?);
        let mixed = |a: &DataType, b: &DataType| *a == DataType::UInt64 && b.is_signed_integer();
        // Several keys become one of bytes.
        if left_on.len() == 1
            && let Some(decimal) = [&a, &b].into_iter().find(|key| key.dtype.is_decimal())
        {
            let dtype = super::from_polars(&decimal.dtype);
            polars_bail!(InvalidOperation: "`{}` is {dtype}, and tables are not joined by a decimal alone: cast it on both sides, or join by another column too", decimal.name);
        }
        let wide = a.dtype == DataType::Int128 || b.dtype == DataType::Int128;
        if wide || mixed(&a.dtype, &b.dtype) || mixed(&b.dtype, &a.dtype) {
            let (x, y) = (super::from_polars(&a.dtype), super::from_polars(&b.dtype));
            polars_bail!(InvalidOperation: "`{}` is {x}, but `{}` of the other table is {y}: cast one of them before joining", a.name, b.name);
        }
    }
    Ok(())
}

/// The window that a `COALESCE` stands for, which its last text says.
fn marked(input: &[Expr]) -> Option<Rolling> {
    match input.last()? {
        Expr::Literal(text) => Rolling::of_mark(text.extract_str()?),
        _ => None,
    }
}

/// Refuses a cast that loses a part of values and does not say what becomes of it.
fn keeps_values(inner: &Expr, to: &DataTypeExpr, scope: &Scope<'_>) -> PolarsResult<()> {
    let DataTypeExpr::Literal(to) = to else { return Ok(()) };
    let rounded = match inner {
        Expr::Function { function, .. } => {
            matches!(function.to_string().as_str(), "round" | "floor" | "ceil" | "truncate" | "round_sig_figs" | "sign")
        }
        _ => false,
    };
    let may_lose = to.is_integer() || matches!(to, DataType::Float32 | DataType::Date | DataType::Decimal(..));
    if !may_lose || has_selector(inner) || !has_column(inner) {
        return Ok(());
    }
    let from = inner.to_field(scope.schema()?)?.dtype;
    let Some((loses, says_how)) = loses(&from, to).filter(|_| !rounded || matches!(to, DataType::Float32)) else {
        return Ok(());
    };
    let (from, to) = (super::from_polars(&from), super::from_polars(to));
    polars_bail!(InvalidOperation: "`CAST` of {from} to {to} {loses} without saying so: {says_how}");
}

/// What a cast leaves out, and how to say that it is meant. That a date has no time of day, and an `f32` fewer digits than an
/// `f64`, is what one casts to them for.
fn loses(from: &DataType, to: &DataType) -> Option<(&'static str, &'static str)> {
    use DataType as D;
    let cut = Some(("cuts fractions off", "ROUND, FLOOR, CEIL or TRUNC before it, or TRY_CAST"));
    match (from, to) {
        (D::Float32 | D::Float64 | D::Decimal(..), to) if to.is_integer() => cut,
        (D::Decimal(_, before), D::Decimal(_, after)) if after < before => cut,
        (D::Int32 | D::Int64 | D::Int128 | D::UInt32 | D::UInt64 | D::Decimal(..), D::Float32) => {
            Some(("rounds to 24 bits", "CAST to DOUBLE, or TRY_CAST"))
        }
        _ => None,
    }
}

fn has_selector(expr: &Expr) -> bool {
    expr.into_iter().any(|node| matches!(node, Expr::Selector(_)))
}

fn has_column(expr: &Expr) -> bool {
    expr.into_iter().any(|node| matches!(node, Expr::Column(_)))
}
