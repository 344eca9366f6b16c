//! Sums, differences and products of whole numbers. polars' begin again from the other end where the type of the operands
//! ends; here the result is an `i64` (of unsigned numbers with 64 bits a `u64`), and what has no room there is an error.

use super::{by_rows, called};
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::iter::repeat_n;
use std::sync::LazyLock;

/// What is computed of two whole numbers of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::frame) enum Arithmetic {
    Plus,
    Minus,
    Multiply,
}

impl Arithmetic {
    pub(in crate::frame) fn of(op: Operator) -> Option<Self> {
        match op {
            Operator::Plus => Some(Self::Plus),
            Operator::Minus => Some(Self::Minus),
            Operator::Multiply => Some(Self::Multiply),
            _ => None,
        }
    }

    fn sign(self) -> char {
        match self {
            Self::Plus => '+',
            Self::Minus => '-',
            Self::Multiply => '*',
        }
    }
}

/// `left op right`, computed as `dtype`: `Int64`, `UInt64` or `Int128`.
pub(in crate::frame) fn of(left: Expr, op: Arithmetic, right: Expr, dtype: &DataType) -> Expr {
    static FUNCTIONS: LazyLock<[UserDefinedFunction; 3]> = LazyLock::new(|| {
        [("plus", Arithmetic::Plus), ("minus", Arithmetic::Minus), ("multiply", Arithmetic::Multiply)].map(
            |(name, op)| {
                let call = move |columns: &[Column]| {
                    let [left, right] = [&columns[0], &columns[1]].map(Column::as_materialized_series);
                    Ok(computed(left, op, right)?.with_name(columns[0].name().clone()).into_column())
                };
                by_rows(name, call, |fields| Ok(fields[0].dtype().clone()))
            },
        )
    });
    called(&FUNCTIONS[op as usize], [left, right].map(|side| side.strict_cast(dtype.clone())).to_vec())
}

/// A number of 128 bits as one of 64: `Int64` or `UInt64`.
pub(in crate::frame) fn narrowed(wide: Expr, dtype: &DataType) -> Expr {
    static FUNCTIONS: LazyLock<[UserDefinedFunction; 2]> = LazyLock::new(|| {
        [("narrowed", DataType::Int64), ("narrowed_unsigned", DataType::UInt64)].map(|(name, to)| {
            let dtype = to.clone();
            by_rows(name, move |columns| narrow(&columns[0], &to), move |_| Ok(dtype.clone()))
        })
    });
    called(&FUNCTIONS[usize::from(*dtype == DataType::UInt64)], vec![wide.strict_cast(DataType::Int128)])
}

fn narrow(wide: &Column, to: &DataType) -> PolarsResult<Column> {
    let narrow = wide.cast(to)?;
    if narrow.null_count() == wide.null_count() {
        return Ok(narrow);
    }
    let fits = |value: i128| match to {
        DataType::UInt64 => u64::try_from(value).is_ok(),
        _ => i64::try_from(value).is_ok(),
    };
    let lost = wide.i128()?.iter().flatten().find(|value| !fits(*value)).unwrap_or_default();
    polars_bail!(ComputeError: "{lost} does not fit into {}: {REMEDY}", super::super::from_polars(to));
}

pub(super) const REMEDY: &str = "CAST to DOUBLE or DECIMAL before";

fn computed(left: &Series, op: Arithmetic, right: &Series) -> PolarsResult<Series> {
    macro_rules! whole {
        ($values:ident) => {{
            let (left, right) = (left.$values()?, right.$values()?);
            match op {
                Arithmetic::Plus => each(left, right, op, |a, b| a.overflowing_add(b)),
                Arithmetic::Minus => each(left, right, op, |a, b| a.overflowing_sub(b)),
                Arithmetic::Multiply => each(left, right, op, |a, b| a.overflowing_mul(b)),
            }
            .map(IntoSeries::into_series)
        }};
    }
    match left.dtype() {
        DataType::Int64 => whole!(i64),
        DataType::UInt64 => whole!(u64),
        DataType::Int128 => whole!(i128),
        other => {
            let found = super::super::from_polars(other);
            polars_bail!(InvalidOperation: "whole numbers are computed in 64 or 128 bits, found {found}")
        }
    }
}

/// Both columns row by row, or each value of the one with the only one of the other.
fn each<T: PolarsIntegerType>(
    left: &ChunkedArray<T>,
    right: &ChunkedArray<T>,
    op: Arithmetic,
    overflowing: impl Fn(T::Native, T::Native) -> (T::Native, bool),
) -> PolarsResult<ChunkedArray<T>> {
    let name = left.name().clone();
    let (left, right) = (left.rechunk(), right.rechunk());
    let (Some(a), Some(b)) = (left.downcast_iter().next(), right.downcast_iter().next()) else {
        return Ok(ChunkedArray::full_null(name, 0));
    };
    let only = |column: &ChunkedArray<T>| column.len() == 1;
    let (rows, validity) = match (a.len(), b.len()) {
        (n, m) if n == m => {
            let both = match (a.validity(), b.validity()) {
                (Some(a), Some(b)) => Some(a & b),
                (one, other) => one.or(other).cloned(),
            };
            (n, both)
        }
        (n, 1) if right.null_count() == 0 => (n, a.validity().cloned()),
        (1, n) if left.null_count() == 0 => (n, b.validity().cloned()),
        (n, 1) | (1, n) => return Ok(ChunkedArray::full_null(name, n)),
        (n, m) => polars_bail!(ShapeMismatch: "{n} values {} {m} values", op.sign()),
    };
    let mut over = false;
    let mut number = |(a, b): (T::Native, T::Native)| {
        let (value, is_over) = overflowing(a, b);
        over |= is_over;
        value
    };
    let (x, y) = (a.values().as_slice(), b.values().as_slice());
    let values: Vec<T::Native> = match (only(&left), only(&right)) {
        (false, true) => x.iter().copied().zip(repeat_n(y[0], rows)).map(&mut number).collect(),
        (true, false) => repeat_n(x[0], rows).zip(y.iter().copied()).map(&mut number).collect(),
        _ => x.iter().copied().zip(y.iter().copied()).map(&mut number).collect(),
    };
    if over {
        // What stands at the place of a missing value says nothing.
        let there = |row: &usize| validity.as_ref().is_none_or(|valid| valid.get_bit(*row));
        let pair = |row: usize| (x[row.min(x.len() - 1)], y[row.min(y.len() - 1)]);
        if let Some((a, b)) = (0..rows).filter(there).map(pair).find(|(a, b)| overflowing(*a, *b).1) {
            let dtype = super::super::from_polars(&T::get_static_dtype());
            polars_bail!(ComputeError: "{a} {} {b} does not fit into {dtype}: {REMEDY}", op.sign());
        }
    }
    Ok(ChunkedArray::from_vec_validity(name, values, validity))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[Option<i64>]) -> Series {
        Series::new("n".into(), values)
    }

    fn shown(left: &Series, op: Arithmetic, right: &Series) -> Vec<String> {
        let computed = computed(left, op, right).expect("numbers");
        computed.iter().map(|value| value.to_string()).collect()
    }

    #[test]
    fn every_row_is_computed_and_missing_ones_stay_missing() {
        let (a, b) = (numbers(&[Some(7), None, Some(-3)]), numbers(&[Some(2), Some(5), Some(4)]));
        assert_eq!(shown(&a, Arithmetic::Plus, &b), ["9", "null", "1"]);
        assert_eq!(shown(&a, Arithmetic::Minus, &b), ["5", "null", "-7"]);
        assert_eq!(shown(&a, Arithmetic::Multiply, &b), ["14", "null", "-12"]);
        let (one, none) = (numbers(&[Some(10)]), numbers(&[None]));
        assert_eq!(shown(&a, Arithmetic::Minus, &one), ["-3", "null", "-13"]);
        assert_eq!(shown(&one, Arithmetic::Minus, &a), ["3", "null", "13"]);
        assert_eq!(shown(&a, Arithmetic::Minus, &none), ["null", "null", "null"]);
        assert_eq!(shown(&none, Arithmetic::Plus, &none), ["null"]);
        assert_eq!(shown(&numbers(&[]), Arithmetic::Plus, &one), [""; 0]);
    }

    #[test]
    fn what_has_no_room_is_refused_with_both_numbers_and_a_missing_one_is_not() {
        let (a, b) = (numbers(&[Some(1), Some(i64::MAX)]), numbers(&[Some(1), Some(2)]));
        for (op, said) in
            [(Arithmetic::Plus, "9223372036854775807 + 2"), (Arithmetic::Multiply, "9223372036854775807 * 2")]
        {
            let error = computed(&a, op, &b).expect_err("no room");
            assert!(error.to_string().contains(&format!("{said} does not fit into i64")), "{error}");
        }
        let mask = BooleanChunked::from_slice("m".into(), &[true, false]);
        let missing = a.zip_with(&mask, &numbers(&[None, None])).expect("a column");
        assert_eq!(shown(&missing, Arithmetic::Plus, &b), ["2", "null"]);
        let unsigned = |values: &[u64]| Series::new("n".into(), values);
        assert_eq!(shown(&unsigned(&[1 << 63]), Arithmetic::Plus, &unsigned(&[5])), ["9223372036854775813"]);
        computed(&unsigned(&[1 << 63]), Arithmetic::Multiply, &unsigned(&[2])).expect_err("no room");
    }

    #[test]
    fn a_wide_number_becomes_a_narrow_one_or_is_refused() {
        let wide =
            |values: &[Option<i128>]| values.iter().copied().collect::<Int128Chunked>().into_series().into_column();
        let narrow_ = |values: &[Option<i128>], to| narrow(&wide(values), &to).map(|column| column.dtype().clone());
        assert_eq!(narrow_(&[Some(-5), None], DataType::Int64).expect("fits"), DataType::Int64);
        assert_eq!(narrow_(&[Some(1 << 63), None], DataType::UInt64).expect("fits"), DataType::UInt64);
        let error = narrow_(&[Some(1), Some(1 << 63)], DataType::Int64).expect_err("no room");
        assert!(error.to_string().contains("9223372036854775808 does not fit into i64"), "{error}");
        narrow_(&[Some(-1)], DataType::UInt64).expect_err("no room");
    }
}
