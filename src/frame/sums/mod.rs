//! Float aggregates that do not depend on how the work was divided among threads.
//!
//! `SUM`, `AVG`, `STDDEV`, `VARIANCE`, `COVAR_*` and `CORR` (and the steps and expressions that come to the same) are rewritten
//! into exact ones (`moments`). In a plan such an aggregate is a function over the list of the group's values (`lists`), which
//! polars can compute wherever an aggregate may stand. Where the streaming engine runs the plan, it becomes a reduction (`reduce`,
//! put in by `rewrite`), which keeps a few numbers for each group instead of its values. Both give the same bits. Means of
//! whole numbers and decimals are polars' own sums of 128 bits, divided once.

mod lists;
mod moments;
mod reduce;
mod rewrite;
mod terms;

pub(super) use rewrite::in_streaming_form;

use super::functions::decimal_sum;
use moments::Moment;
use polars::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How float aggregates add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FloatSums {
    /// Exactly, rounded once: the same bits with any number of threads.
    #[default]
    Exact,
    /// As polars does: a little faster, and the last bits may differ from run to run.
    Fast,
}

/// The exact form of an aggregate over an input of this type; `None` where polars' own is exact already.
pub(super) fn exact_aggregate(aggregate: &AggExpr, dtype: &DataType) -> Option<Expr> {
    let (input, moment) = match aggregate {
        AggExpr::Sum(input) if dtype.is_float() => (input, Moment::Sum),
        AggExpr::Mean(input) => (input, Moment::Mean),
        AggExpr::Var(input, ddof) => (input, Moment::Var { ddof: *ddof, root: false }),
        AggExpr::Std(input, ddof) => (input, Moment::Var { ddof: *ddof, root: true }),
        _ => return None,
    };
    let input = input.as_ref().clone();
    let numbers = |input: Expr| call(moment, input.cast(DataType::Float64), DataType::Float64);
    match (dtype, moment) {
        (DataType::Float32 | DataType::Float64, _) => Some(call(moment, input, dtype.clone())),
        (DataType::Boolean, Moment::Mean) => Some(whole_mean(input.cast(DataType::UInt8))),
        (DataType::Decimal(..), Moment::Mean) => Some(mean_of_sum(decimal_sum(input.clone(), dtype, Expr::sum), input)),
        (integer, Moment::Mean) if integer.is_integer() => Some(whole_mean(input)),
        (DataType::Boolean | DataType::Decimal(..), _) => Some(numbers(input)),
        (integer, _) if integer.is_integer() => Some(numbers(input)),
        (DataType::Date, Moment::Mean) => {
            let moments = DataType::Datetime(TimeUnit::Microseconds, None);
            Some(whole_mean(input.cast(moments.clone()).cast(DataType::Int64)).cast(DataType::Int64).cast(moments))
        }
        (DataType::Datetime(..) | DataType::Time | DataType::Duration(_), Moment::Mean) => {
            Some(whole_mean(input.cast(DataType::Int64)).cast(DataType::Int64).cast(dtype.clone()))
        }
        (DataType::Duration(_), Moment::Var { root: true, .. }) => {
            Some(numbers(input.cast(DataType::Int64)).cast(DataType::Int64).cast(dtype.clone()))
        }
        _ => None,
    }
}

/// The mean of whole numbers: their sum has room in 128 bits, so it is exact.
fn whole_mean(input: Expr) -> Expr {
    mean_of_sum(input.clone().cast(DataType::Int128).sum(), input)
}

fn mean_of_sum(sum: Expr, input: Expr) -> Expr {
    let count = input.count();
    let mean = sum.cast(DataType::Float64) / count.clone().cast(DataType::Float64);
    when(count.gt(lit(0))).then(mean).otherwise(lit(NULL))
}

/// The exact form of a correlation or covariance of two number columns.
pub(super) fn exact_correlation(method: CorrelationMethod, left: Expr, right: Expr, both_f32: bool) -> Option<Expr> {
    let moment = match method {
        CorrelationMethod::Pearson => Moment::Corr,
        CorrelationMethod::Covariance(ddof) => Moment::Cov { ddof },
        #[expect(unreachable_patterns, reason = "other methods exist under features of polars that may come to be on")]
        _ => return None,
    };
    let number = |expr: Expr, name: &str| expr.cast(DataType::Float64).alias(name);
    let name = left.clone();
    let pairs = as_struct(vec![number(left, "x"), number(right, "y")]);
    let output = if both_f32 { DataType::Float32 } else { DataType::Float64 };
    // The result has the name of the first column, as polars' own has.
    Some(named_like(call(moment, pairs, output), &name))
}

fn named_like(expr: Expr, other: &Expr) -> Expr {
    match polars_plan::utils::expr_output_name(other) {
        Ok(name) => expr.alias(name),
        Err(_) => expr,
    }
}

/// A moment as a function over gathered values. One object for each, so that polars sees equal expressions as equal.
struct Function {
    moment: Moment,
    output: DataType,
    /// What the function is called in plans, and known by.
    name: String,
    template: Expr,
}

fn functions() -> MutexGuard<'static, Vec<Arc<Function>>> {
    static FUNCTIONS: Mutex<Vec<Arc<Function>>> = Mutex::new(Vec::new());
    FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Function {
    fn of(moment: Moment, output: DataType) -> Arc<Self> {
        let mut functions = functions();
        if let Some(known) = functions.iter().find(|known| known.moment == moment && known.output == output) {
            return known.clone();
        }
        let name = format!("exact_{moment:?}_{output}").to_lowercase();
        let (by, to) = (output.clone(), output.clone());
        let template = col("x").map(
            move |lists| lists::of_lists(moment, &lists, &by),
            move |_, field| Ok(Field::new(field.name().clone(), to.clone())),
        );
        let made = Arc::new(Self { moment, output, name, template });
        functions.push(made.clone());
        made
    }

    fn called(name: &str) -> Option<Arc<Self>> {
        functions().iter().find(|known| known.name == name).cloned()
    }
}

/// The moment of an expression's values.
fn call(moment: Moment, input: Expr, output: DataType) -> Expr {
    let called = Function::of(moment, output);
    // Of sums the order does not count.
    let gathered = Expr::Agg(AggExpr::Implode { input: Arc::new(input), maintain_order: false });
    match &called.template {
        Expr::AnonymousFunction { function, options, .. } => Expr::AnonymousFunction {
            input: vec![gathered],
            function: function.clone(),
            options: *options,
            fmt_str: Box::new(called.name.as_str().into()),
        },
        other => other.clone(),
    }
}
