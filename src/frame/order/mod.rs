//! Plans with a fixed row order and exact float aggregates.
//!
//! What polars leaves open, this settles: groups come sorted by their keys (missing values first), joins keep the order of the left table and then
//! of the right, rows that become equal keep the first, sorts are stable, unions follow their inputs. Rows equal in a sort keep their order.

mod aggregates;
mod casts;
mod conditions;
mod constants;
mod keys;
mod lengths;
mod lists;
mod lone;
mod meanings;
mod mixed;
mod numbers;
mod outer;
mod places;
mod scalars;
mod scope;

pub use conditions::asked_of_rows;
pub use lone::by_rows;
pub use scalars::Scalar;
pub use scope::Resolved;

use super::alike::alike;
use super::functions::{self, keys_with_one_zero};
use super::sums::{FloatSums, exact_correlation};
use polars::prelude::*;
use scalars::Scalars;
use scope::Scope;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// The same plan with a fixed row order, and with exact float aggregates where that is asked for.
///
/// # Errors
/// Where the plan holds something whose order or sums cannot be fixed, or its schema cannot be resolved.
pub fn fixed(lf: LazyFrame, sums: FloatSums) -> PolarsResult<LazyFrame> {
    fixed_with(lf, sums, &[]).map(|(lf, _)| lf)
}

/// The same of a plan in which values of these subqueries are used; with what was resolved of it.
///
/// # Errors
/// See [`fixed`].
pub fn fixed_with(lf: LazyFrame, sums: FloatSums, scalars: &[Scalar]) -> PolarsResult<(LazyFrame, Resolved)> {
    let fixer = Fixer::new(sums, scalars);
    let plan = fixer.plan(&lf.logical_plan)?;
    Ok((LazyFrame::from(plan), fixer.resolved.into_inner()))
}

/// An expression over a table of this schema, in the same form.
///
/// # Errors
/// See [`fixed`].
pub fn fixed_expr(expr: &Expr, schema: &SchemaRef, sums: FloatSums) -> PolarsResult<Expr> {
    let fixer = Fixer::new(sums, &[]);
    let input = DslPlan::DataFrameScan { df: Arc::new(DataFrame::empty_with_schema(schema)), schema: schema.clone() };
    fixer.expr(expr, &fixer.scope(input))
}

struct Fixer<'a> {
    sums: FloatSums,
    /// How many pairs of row indices were named so far.
    indices: Cell<usize>,
    scalars: Scalars<'a>,
    /// Whether the order of the values counts that an expression gives.
    in_order: Cell<bool>,
    resolved: RefCell<Resolved>,
}

impl<'a> Fixer<'a> {
    fn new(sums: FloatSums, scalars: &'a [Scalar]) -> Self {
        let (indices, in_order) = (Cell::new(0), Cell::new(true));
        Self { sums, indices, scalars: Scalars::new(scalars), in_order, resolved: RefCell::default() }
    }

    fn scope(&self, input: DslPlan) -> Scope<'_> {
        Scope::new(input, self.scalars.all(), &self.resolved)
    }

    /// What `with` makes of the input and of expressions over it.
    fn over(
        &self,
        input: &DslPlan,
        exprs: &[Expr],
        with: impl FnOnce(DslPlan, Vec<Expr>) -> PolarsResult<DslPlan>,
    ) -> PolarsResult<DslPlan> {
        let scope = self.scope(self.plan(input)?);
        let exprs = self.exprs(exprs, &scope)?;
        with(scope.into_input(), exprs)
    }

    fn plan(&self, plan: &DslPlan) -> PolarsResult<DslPlan> {
        Ok(match plan {
            DslPlan::IR { dsl, .. } => self.plan(dsl)?,
            DslPlan::Scan { .. } | DslPlan::DataFrameScan { .. } => plan.clone(),
            DslPlan::Filter { input, predicate } => {
                let scope = self.scope(self.plan(input)?);
                let predicate = asked_of_rows(self.expr(predicate, &scope)?, &|| scope.schema().ok());
                self.scalars.filter(scope.into_input(), predicate)?
            }
            DslPlan::Select { expr, input, options } => {
                self.over(input, expr, |input, exprs| self.scalars.select(input, exprs, *options))?
            }
            DslPlan::HStack { input, exprs, options } => self.over(input, exprs, |input, exprs| {
                self.scalars.around(input, |input| DslPlan::HStack { input, exprs, options: *options })
            })?,
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
                let scope = self.scope(self.plan(input)?);
                let mut by_column = self.exprs(by_column, &scope)?;
                // What is wrong with what is sorted is told where it is used.
                if matches!(by_column.as_slice(), [Expr::Column(_)])
                    && let Ok(schema) = scope.schema()
                {
                    by_column = by_rows(by_column, schema);
                }
                let sort_options = sort_options.clone().with_maintain_order(true);
                let sort = |input| DslPlan::Sort { input, by_column, slice: *slice, sort_options };
                self.scalars.around(scope.into_input(), sort)?
            }
            DslPlan::Slice { input, offset, len } => {
                DslPlan::Slice { input: self.arc(input)?, offset: *offset, len: *len }
            }
            DslPlan::Union { inputs, args } => {
                let args = UnionArgs { maintain_order: true, ..*args };
                DslPlan::Union { inputs: self.together(inputs, args.diagonal)?, args }
            }
            other => self.rest(other)?,
        })
    }

    /// Plans that keep the order of their inputs by themselves.
    fn rest(&self, plan: &DslPlan) -> PolarsResult<DslPlan> {
        Ok(match plan {
            DslPlan::Cache { input, id } => DslPlan::Cache { input: self.arc(input)?, id: *id },
            DslPlan::MapFunction { input, function } => {
                let input = Arc::new(lists::together(function, self.scope(self.plan(input)?))?);
                DslPlan::MapFunction { input, function: function.clone() }
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

    /// Plans whose columns become those of one, by their names or by their places.
    fn together(&self, plans: &[DslPlan], by_name: bool) -> PolarsResult<Vec<DslPlan>> {
        let scopes: Vec<Scope<'_>> =
            plans.iter().map(|plan| Ok(self.scope(self.plan(plan)?))).collect::<PolarsResult<_>>()?;
        let schemas: Vec<SchemaRef> =
            scopes.iter().map(|scope| scope.schema().cloned()).collect::<PolarsResult<_>>()?;
        mixed::columns(&schemas, by_name)?;
        Ok(scopes.into_iter().map(Scope::into_input).collect())
    }

    fn group_by(&self, plan: &DslPlan) -> PolarsResult<DslPlan> {
        let DslPlan::GroupBy { input, keys, predicates, aggs, options, apply, .. } = plan else {
            return self.plan(plan);
        };
        let scope = self.scope(self.plan(input)?);
        let keys = self.exprs(keys, &scope)?;
        let (predicates, aggs) =
            self.scalars.of_groups(|| Ok((self.exprs(predicates, &scope)?, self.exprs(aggs, &scope)?)))?;
        let schema = scope.schema()?;
        let keys = keys_with_one_zero(keys, schema)?;
        let fields: Vec<Field> = keys.iter().map(|key| key.to_field(schema)).collect::<PolarsResult<_>>()?;
        // Nested keys keep the order of their first appearance.
        let sortable = |key: &&Field| !key.dtype().is_nested();
        let by_column: Vec<Expr> = fields.iter().filter(sortable).map(|key| col(key.name.clone())).collect();
        // Sorting by all keys settles the order of groups whatever it was.
        let settled = by_column.len() == fields.len();
        let grouped = DslPlan::GroupBy {
            input: Arc::new(self.scalars.beside(scope.into_input())?),
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
        let (left, right) = (self.scope(left), self.scope(right));
        let as_one = options.args.should_coalesce() || matches!(options.args.how, JoinType::AsOf(_));
        let on = (self.exprs(left_on, &left)?, self.exprs(right_on, &right)?);
        let (left_on, right_on) = keys::alike(on, &left, &right, as_one)?;
        let (left, mut right) = (left.into_input(), right.into_input());
        if matches!(options.args.how, JoinType::Cross) {
            let mut left = LazyFrame::from(left.clone());
            right = outer::beside(&mut left, LazyFrame::from(right), options.args.suffix())?.logical_plan;
        }
        let predicates = self.predicates(predicates, &left, &right, options.args.suffix.clone())?;
        self.scalars.refuse("the condition of a join")?;
        let mut options = JoinOptions::clone(options);
        options.args.maintain_order = match options.args.how {
            JoinType::Right => MaintainOrderJoin::RightLeft,
            JoinType::Semi | JoinType::Anti => MaintainOrderJoin::Left,
            _ => MaintainOrderJoin::LeftRight,
        };
        if !predicates.is_empty() {
            let pair = self.indices.replace(self.indices.get() + 1);
            return outer::on_conditions(pair, left, right, predicates, options);
        }
        let (input_left, input_right) = (Arc::new(left), Arc::new(right));
        Ok(DslPlan::Join { input_left, input_right, left_on, right_on, predicates, options: Arc::new(options) })
    }

    /// The conditions of a join that are no equality of keys; they name the columns of both tables.
    fn predicates(
        &self,
        predicates: &[Expr],
        left: &DslPlan,
        right: &DslPlan,
        suffix: Option<PlSmallStr>,
    ) -> PolarsResult<Vec<Expr>> {
        if predicates.is_empty() {
            return Ok(Vec::new());
        }
        let [left, right] = [left, right].map(|side| LazyFrame::from(side.clone()));
        let scope = self.scope(left.cross_join(right, suffix).logical_plan);
        let one = |predicate: &Expr| -> PolarsResult<Expr> {
            let predicate = self.expr(predicate, &scope).and_then(|predicate| alike(predicate, scope.schema()?))?;
            Ok(asked_of_rows(predicate, &|| scope.schema().ok()))
        };
        predicates.iter().map(one).collect()
    }

    fn exprs(&self, exprs: &[Expr], scope: &Scope<'_>) -> PolarsResult<Vec<Expr>> {
        exprs.iter().map(|expr| self.expr(expr, scope)).collect()
    }

    fn expr(&self, expr: &Expr, scope: &Scope<'_>) -> PolarsResult<Expr> {
        let one = |expr: &Arc<Expr>| self.expr(expr, scope).map(Arc::new);
        let many = |exprs: &[Expr]| self.exprs(exprs, scope);
        Ok(match expr {
            Expr::Agg(aggregate) => self.aggregate(aggregate, scope)?,
            // Before its inputs are looked at, by which it is known.
            Expr::Function { input, function } if places::are_meant(function, input) => places::of(scope)?,
            Expr::Function { input, function } => match functions::meant(function, input) {
                Some(meant) => self.expr(&meant, scope)?,
                None => self.function(many(input)?, function, scope)?,
            },
            Expr::Over { function, partition_by, order_by, mapping } => Expr::Over {
                function: one(function)?,
                partition_by: many(partition_by)?,
                order_by: match order_by {
                    // Missing values are the largest, as in an order of rows; any other place of theirs is a column of places.
                    Some((by, options)) => {
                        let options = options.with_maintain_order(true).with_nulls_last(!options.descending);
                        Some((one(by)?, options))
                    }
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
            Expr::SubPlan(plan, names) => {
                let plan = self.scalars.apart(|| self.arc(plan))?;
                Expr::SubPlan(SpecialEq::new(plan), names.clone())
            }
            Expr::Alias(inner, name) => Expr::Alias(one(inner)?, name.clone()),
            Expr::BinaryExpr { left, op, right } => {
                if let Some(of) = lengths::epoch_of(expr)
                    && let Some(seconds) = lengths::epoch(self.expr(of, scope)?, scope)
                {
                    return Ok(seconds);
                }
                let (left, right) = mixed::sides(self.expr(left, scope)?, *op, self.expr(right, scope)?, scope)?;
                numbers::binary(left, *op, right, scope)
            }
            Expr::Cast { expr, dtype, options } => casts::of(self.expr(expr, scope)?, dtype, *options, scope)?,
            Expr::Ternary { predicate, truthy, falsy } => {
                if let Some(text) = functions::written(predicate) {
                    return mixed::as_written(text, &self.expr(truthy, scope)?, scope);
                }
                match (self.scalars.value(predicate), functions::chosen(predicate, truthy)) {
                    (Some(value), _) => value,
                    (None, Some(meant)) => self.expr(&meant, scope)?,
                    (None, None) => {
                        let (predicate, truthy, falsy) = (one(predicate)?, one(truthy)?, one(falsy)?);
                        mixed::chosen([&*truthy, &*falsy], scope)?;
                        self.choice(predicate, truthy, falsy, scope)
                    }
                }
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

    /// A `CASE WHEN`, of which polars must not forget the order.
    fn choice(&self, predicate: Arc<Expr>, truthy: Arc<Expr>, falsy: Arc<Expr>, scope: &Scope<'_>) -> Expr {
        use functions::gives_rows;
        let forgotten = self.in_order.get() && gives_rows(&predicate) && !gives_rows(&truthy) && !gives_rows(&falsy);
        let polars = Expr::Ternary { predicate: predicate.clone(), truthy: truthy.clone(), falsy: falsy.clone() };
        if !forgotten {
            return polars;
        }
        // What is wrong with a branch, or a condition that is none, is told where it is used.
        let field_of = |expr: &Expr| scope.schema().and_then(|schema| expr.to_field(schema));
        if !field_of(&predicate).is_ok_and(|field| field.dtype.is_bool()) {
            return polars;
        }
        match field_of(&polars).and_then(|field| field.dtype.materialize_unknown(true)) {
            Ok(dtype) => {
                let [predicate, truthy, falsy] = [predicate, truthy, falsy].map(Arc::unwrap_or_clone);
                functions::choice(predicate, truthy, falsy, &dtype)
            }
            Err(_) => polars,
        }
    }

    fn function(&self, input: Vec<Expr>, function: &FunctionExpr, scope: &Scope<'_>) -> PolarsResult<Expr> {
        mixed::chosen(mixed::alternatives(function, &input), scope)?;
        match function {
            FunctionExpr::CumSum { reverse } if input.len() == 1 && !has_selector(&input[0]) => {
                let dtype = input[0].to_field(scope.schema()?)?.dtype;
                Ok(numbers::sum(input[0].clone(), &dtype, |input| input.cum_sum(*reverse)))
            }
            FunctionExpr::Boolean(BooleanFunction::IsIn { .. }) => {
                let input = lists::alike(input.into_iter().map(lists::whole).collect(), scope);
                Ok(Expr::Function { input, function: function.clone() })
            }
            FunctionExpr::ListExpr(ListFunction::Contains { .. }) => {
                Ok(Expr::Function { input: lists::typed(input, scope), function: function.clone() })
            }
            FunctionExpr::MaxHorizontal | FunctionExpr::MinHorizontal => Ok(numbers::extreme(input, function, scope)),
            FunctionExpr::Quantile { .. } => {
                Ok(aggregates::one_of_its_values(Expr::Function { input, function: function.clone() }, scope))
            }
            FunctionExpr::Unique(_) => Ok(Expr::Function { input, function: FunctionExpr::Unique(true) }),
            FunctionExpr::Correlation { method } if self.sums == FloatSums::Exact && input.len() == 2 => {
                let schema = scope.schema()?;
                let types = input.iter().map(|input| input.to_field(schema).map(|field| field.dtype));
                let types = types.collect::<PolarsResult<Vec<_>>>()?;
                numbers::are_numbers("correlations and covariances", &types)?;
                let f32s = types.iter().map(|dtype| *dtype == DataType::Float32).collect::<Vec<_>>();
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
            _ => Ok(meanings::of(input, function, scope)),
        }
    }
}

fn has_selector(expr: &Expr) -> bool {
    expr.into_iter().any(|node| matches!(node, Expr::Selector(_)))
}

fn has_column(expr: &Expr) -> bool {
    expr.into_iter().any(|node| matches!(node, Expr::Column(_)))
}
