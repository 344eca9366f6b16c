//! Float aggregates that do not depend on how the work was divided among threads.
//!
//! `SUM`, `AVG`, `STDDEV`, `VARIANCE`, `COVAR_*` and `CORR` (and the steps and expressions that come to the same) are
//! rewritten: the group's values are gathered as a list, and one function over the lists computes the aggregate from
//! exact sums ([`super::exact`]). Sums and means are correctly rounded; variances are taken around the rounded mean
//! with the usual correction, `(sum(d*d) - sum(d)^2 / n) / (n - ddof)` with `d = x - mean`, each sum exact.

use super::exact::ExactSum;
use polars::prelude::*;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

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

/// An aggregate in its exact form.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Sum,
    Mean,
    Var { ddof: u8, root: bool },
    Cov { ddof: u8 },
    Corr,
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
    match dtype {
        DataType::Float32 | DataType::Float64 => Some(call(moment, input, None)),
        DataType::Boolean | DataType::Decimal(..) => Some(call(moment, input.cast(DataType::Float64), None)),
        integer if integer.is_integer() => Some(call(moment, input.cast(DataType::Float64), None)),
        DataType::Date if moment == Moment::Mean => {
            let moments = DataType::Datetime(TimeUnit::Microseconds, None);
            Some(temporal(moment, input.cast(moments.clone()), moments))
        }
        DataType::Datetime(..) | DataType::Time if moment == Moment::Mean => {
            Some(temporal(moment, input, dtype.clone()))
        }
        DataType::Duration(_) if moment == Moment::Mean || matches!(moment, Moment::Var { root: true, .. }) => {
            Some(temporal(moment, input, dtype.clone()))
        }
        _ => None,
    }
}

fn temporal(moment: Moment, input: Expr, dtype: DataType) -> Expr {
    call(moment, input.cast(DataType::Int64).cast(DataType::Float64), None).cast(DataType::Int64).cast(dtype)
}

/// The exact form of a correlation or covariance of two number columns.
pub(super) fn exact_correlation(method: CorrelationMethod, left: Expr, right: Expr, both_f32: bool) -> Option<Expr> {
    let moment = match method {
        CorrelationMethod::Pearson => Moment::Corr,
        CorrelationMethod::Covariance(ddof) => Moment::Cov { ddof },
        #[expect(unreachable_patterns, reason = "other methods exist under features of polars that may come to be on")]
        _ => return None,
    };
    let as_f64 = |expr: Expr| if both_f32 { expr } else { expr.cast(DataType::Float64) };
    Some(call(moment, as_f64(left), Some(as_f64(right))))
}

/// The function over lists. One function object a moment, so that polars sees equal expressions as equal.
fn call(moment: Moment, left: Expr, right: Option<Expr>) -> Expr {
    static CACHE: OnceLock<std::sync::Mutex<Vec<(Moment, Expr)>>> = OnceLock::new();
    let template = {
        let cache = CACHE.get_or_init(Default::default);
        let mut cache = cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match cache.iter().find(|(known, _)| *known == moment) {
            Some((_, template)) => template.clone(),
            None => {
                let template = col("x").map_many(
                    move |columns| lists(moment, columns),
                    &[],
                    |_, fields| Ok(Field::new(fields[0].name().clone(), output_dtype(fields[0].dtype()))),
                );
                cache.push((moment, template.clone()));
                template
            }
        }
    };
    // Values that go in pairs must stay in step; of sums the order does not count.
    let maintain_order = right.is_some();
    let inputs = std::iter::once(left).chain(right).map(|input| gather(input, maintain_order)).collect();
    match template {
        Expr::AnonymousFunction { function, options, fmt_str, .. } => {
            Expr::AnonymousFunction { input: inputs, function, options, fmt_str }
        }
        other => other,
    }
}

fn gather(input: Expr, maintain_order: bool) -> Expr {
    Expr::Agg(AggExpr::Implode { input: std::sync::Arc::new(input), maintain_order })
}

fn output_dtype(list: &DataType) -> DataType {
    match list.inner_dtype() {
        Some(DataType::Float32) => DataType::Float32,
        _ => DataType::Float64,
    }
}

/// The values of a column of lists, flat, and where each list begins.
struct Lists {
    values: Float64Chunked,
    offsets: Vec<usize>,
}

impl Lists {
    fn of(column: &Column) -> PolarsResult<Self> {
        let lists = column.list()?.rechunk();
        let values = lists.get_inner().cast(&DataType::Float64)?.f64()?.rechunk().into_owned();
        let offsets = lists.downcast_iter().next().map_or_else(
            || vec![0],
            |chunk| chunk.offsets().iter().map(|offset| usize::try_from(*offset).unwrap_or_default()).collect(),
        );
        Ok(Self { values, offsets })
    }

    fn len(&self) -> usize {
        self.offsets.len() - 1
    }
}

fn lists(moment: Moment, columns: &mut [Column]) -> PolarsResult<Column> {
    let name = columns[0].name().clone();
    let dtype = output_dtype(columns[0].dtype());
    let left = Lists::of(&columns[0])?;
    let right = columns.get(1).map(Lists::of).transpose()?;
    let one = |list: usize| -> Option<f64> {
        let x = Terms::new(&left, list);
        match (&right, moment) {
            (None, Moment::Sum) => Some(x.sum()),
            (None, Moment::Mean) => mean(&x),
            (None, Moment::Var { ddof, root }) => {
                let var = variance(&x, ddof);
                if root { var.map(f64::sqrt) } else { var }
            }
            (Some(right), Moment::Cov { ddof }) => Pairs::new(&x, &Terms::new(right, list)).covariance(ddof),
            (Some(right), Moment::Corr) => Some(Pairs::new(&x, &Terms::new(right, list)).correlation()),
            _ => None,
        }
    };
    // Many small lists are divided among threads here, one large list inside `Terms::sum_of`.
    let values: Vec<Option<f64>> = (0..left.len()).into_par_iter().with_min_len(256).map(one).collect();
    Float64Chunked::from_iter(values).into_series().cast(&dtype).map(|series| series.with_name(name).into_column())
}

/// The values of one list; nulls do not count.
struct Terms<'a> {
    values: &'a [f64],
    valid: Option<Vec<bool>>,
}

impl<'a> Terms<'a> {
    fn new(lists: &'a Lists, list: usize) -> Self {
        let range = lists.offsets[list]..lists.offsets[list + 1];
        let Some(chunk) = lists.values.downcast_iter().next() else { return Self { values: &[], valid: None } };
        let valid = chunk
            .validity()
            .filter(|bits| bits.unset_bits() > 0)
            .map(|bits| range.clone().map(|at| bits.get_bit(at)).collect());
        Self { values: &chunk.values()[range], valid }
    }

    fn count(&self) -> usize {
        self.valid.as_ref().map_or(self.values.len(), |valid| valid.iter().filter(|valid| **valid).count())
    }

    fn sum(&self) -> f64 {
        self.sum_of(|value| value)
    }

    /// The sum of a function of the values.
    fn sum_of(&self, f: impl Fn(f64) -> f64 + Sync) -> f64 {
        const PIECE: usize = 1 << 16;
        let piece = |from: usize| {
            let range = from..(from + PIECE).min(self.values.len());
            let mut sum = ExactSum::default();
            match &self.valid {
                None => sum.extend(self.values[range].iter().map(|value| f(*value))),
                Some(valid) => {
                    let pairs = self.values[range.clone()].iter().zip(&valid[range]);
                    sum.extend(pairs.filter(|(_, valid)| **valid).map(|(value, _)| f(*value)));
                }
            }
            sum
        };
        if self.values.len() <= PIECE {
            return piece(0).value();
        }
        let pieces: Vec<usize> = (0..self.values.len()).step_by(PIECE).collect();
        let merge = |mut a: ExactSum, b: ExactSum| {
            a.merge(b);
            a
        };
        pieces.into_par_iter().map(piece).reduce(ExactSum::default, merge).value()
    }
}

fn mean(x: &Terms<'_>) -> Option<f64> {
    let count = x.count();
    (count > 0).then(|| x.sum() / count as f64)
}

fn variance(x: &Terms<'_>, ddof: u8) -> Option<f64> {
    let count = x.count();
    if count <= usize::from(ddof) {
        return None;
    }
    let mean = mean(x)?;
    let squares = x.sum_of(|value| (value - mean) * (value - mean));
    let rest = x.sum_of(|value| value - mean);
    let n = count as f64;
    Some(((squares - rest * rest / n) / (n - f64::from(ddof))).max(0.0))
}

/// The pairs of two lists in which neither is null.
struct Pairs {
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Pairs {
    fn new(x: &Terms<'_>, y: &Terms<'_>) -> Self {
        let valid = |terms: &Terms<'_>, at: usize| terms.valid.as_ref().is_none_or(|valid| valid[at]);
        let both = |at: &usize| valid(x, *at) && valid(y, *at);
        let kept: Vec<usize> = (0..x.values.len().min(y.values.len())).filter(both).collect();
        Self { x: kept.iter().map(|at| x.values[*at]).collect(), y: kept.iter().map(|at| y.values[*at]).collect() }
    }

    /// Sums of products of deviations: xx, xy, yy.
    fn products(&self) -> (f64, f64, f64) {
        let n = self.x.len() as f64;
        let sum = |values: &mut dyn Iterator<Item = f64>| {
            let mut sum = ExactSum::default();
            sum.extend(values);
            sum.value()
        };
        let (mx, my) = (sum(&mut self.x.iter().copied()) / n, sum(&mut self.y.iter().copied()) / n);
        let (rx, ry) = (sum(&mut self.x.iter().map(|x| x - mx)), sum(&mut self.y.iter().map(|y| y - my)));
        let xx = sum(&mut self.x.iter().map(|x| (x - mx) * (x - mx))) - rx * rx / n;
        let yy = sum(&mut self.y.iter().map(|y| (y - my) * (y - my))) - ry * ry / n;
        let xy = sum(&mut self.x.iter().zip(&self.y).map(|(x, y)| (x - mx) * (y - my))) - rx * ry / n;
        (xx, xy, yy)
    }

    fn covariance(&self, ddof: u8) -> Option<f64> {
        (self.x.len() > usize::from(ddof)).then(|| self.products().1 / (self.x.len() as f64 - f64::from(ddof)))
    }

    fn correlation(&self) -> f64 {
        let (xx, xy, yy) = self.products();
        (xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0)
    }
}
