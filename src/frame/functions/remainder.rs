//! What a division leaves. polars' has the sign of the divisor, SQL's that of what is divided: `-7 % 4` is -3.

use super::{by_rows, called};
use polars::prelude::arity::broadcast_binary_elementwise;
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// `left % right` as numbers of one type, which has a sign. Of whole numbers and decimals a division by 0 leaves nothing, of floats no
/// number.
pub(in crate::frame) fn of(left: Expr, right: Expr, dtype: &DataType) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let call = |columns: &[Column]| {
            let [left, right] = [&columns[0], &columns[1]].map(Column::as_materialized_series);
            Ok(left_over(left, right)?.with_name(columns[0].name().clone()).into_column())
        };
        by_rows("remainder", call, |fields| Ok(fields[0].dtype().clone()))
    });
    called(&FUNCTION, [left, right].map(|side| side.strict_cast(dtype.clone())).to_vec())
}

/// Whether such numbers have a sign, so that it can be the wrong one.
pub(in crate::frame) fn has_sign(dtype: &DataType) -> bool {
    dtype.is_signed_integer() || dtype.is_float() || dtype.is_decimal()
}

fn left_over(left: &Series, right: &Series) -> PolarsResult<Series> {
    macro_rules! whole {
        ($values:ident, $number:ty) => {
            broadcast_binary_elementwise(left.$values()?, right.$values()?, |a: Option<$number>, b: Option<$number>| {
                let (a, b) = (a?, b?);
                (b != 0).then(|| a.wrapping_rem(b))
            })
        };
    }
    macro_rules! real {
        ($values:ident, $number:ty) => {
            broadcast_binary_elementwise(left.$values()?, right.$values()?, |a: Option<$number>, b: Option<$number>| {
                Some(a? % b?)
            })
        };
    }
    Ok(match left.dtype() {
        DataType::Int8 => Int8Chunked::into_series(whole!(i8, i8)),
        DataType::Int16 => Int16Chunked::into_series(whole!(i16, i16)),
        DataType::Int32 => Int32Chunked::into_series(whole!(i32, i32)),
        DataType::Int64 => Int64Chunked::into_series(whole!(i64, i64)),
        DataType::Int128 => Int128Chunked::into_series(whole!(i128, i128)),
        DataType::Float32 => Float32Chunked::into_series(real!(f32, f32)),
        DataType::Float64 => Float64Chunked::into_series(real!(f64, f64)),
        DataType::Decimal(precision, scale) => {
            let (left, right) = (left.decimal()?.physical(), right.decimal()?.physical());
            let left: Int128Chunked = broadcast_binary_elementwise(left, right, |a: Option<i128>, b: Option<i128>| {
                let (a, b) = (a?, b?);
                (b != 0).then(|| a.wrapping_rem(b))
            });
            left.into_decimal_unchecked(*precision, *scale).into_series()
        }
        other => {
            let found = super::super::from_polars(other);
            polars_bail!(InvalidOperation: "a remainder is of numbers, found {found}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(left: Series, right: Series) -> Vec<String> {
        let rest = left_over(&left, &right).expect("numbers");
        rest.iter().map(|value| value.to_string()).collect()
    }

    #[test]
    fn what_is_left_has_the_sign_of_what_was_divided() {
        let whole = |values: &[i64]| Series::new("n".into(), values);
        assert_eq!(
            rest(whole(&[7, -7, 7, -7, 1, i64::MIN]), whole(&[4, 4, -4, -4, 0, -1])),
            ["3", "-3", "3", "-3", "null", "0"]
        );
        assert_eq!(rest(whole(&[-7, 8]), whole(&[3])), ["-1", "2"]);
        let real = |values: &[f64]| Series::new("x".into(), values);
        assert_eq!(rest(real(&[-7.5, 7.5, -1e17]), real(&[2.0, -2.0, 3.0])), ["-1.5", "1.5", "-1.0"]);
        assert_eq!(rest(real(&[1.0]), real(&[0.0])), ["NaN"]);
        let decimal = |values: &[f64]| real(values).cast(&DataType::Decimal(38, 2)).expect("decimals");
        assert_eq!(rest(decimal(&[-7.25, 7.25]), decimal(&[2.0, 0.0])), ["-1.25", "null"]);
    }
}
