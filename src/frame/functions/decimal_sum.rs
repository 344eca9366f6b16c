//! Sums of decimals. polars adds the numbers behind them in 128 bits, and begins again from the other end where they have no room: with many
//! digits after the point, as products have them, that happens to sums of ordinary numbers.

use super::super::decimal::{LIMIT, MOST_DIGITS};
use super::{by_rows, called};
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::{Arc, LazyLock};

/// From so many digits after the point on a sum is looked at: with fewer no table has rows enough, but of numbers above 10^16.
const LOOKED_AT: usize = 12;

/// The sum that `add` makes of decimals of this type; fails where it has too many digits.
pub(in crate::frame) fn of(input: Expr, dtype: &DataType, add: impl Fn(Expr) -> Expr) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        by_rows("decimal_sum", |columns| fitted(&columns[0], &columns[1]), |fields| Ok(fields[0].dtype().clone()))
    });
    match dtype {
        DataType::Decimal(_, scale) if *scale >= LOOKED_AT => {
            called(&FUNCTION, vec![add(input.clone()), add(upper_half(input))])
        }
        _ => add(input),
    }
}

/// The upper 64 bits of the numbers behind decimals, whose sum tells whether the whole has room; below a filter, as polars knows
/// aggregates of what it filters itself.
fn upper_half(input: Expr) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let call = |columns: &[Column]| {
            let numbers = columns[0].as_materialized_series().decimal()?.physical().clone();
            Ok(numbers.apply_values(|number| number >> 64).into_column())
        };
        by_rows("decimal_upper_half", call, |_| Ok(DataType::Int128))
    });
    match input {
        Expr::Filter { input, by } => Expr::Filter { input: Arc::new(upper_half(Arc::unwrap_or_clone(input))), by },
        input => called(&FUNCTION, vec![input]),
    }
}

/// Sums, of which the upper halves' sums say that they have room.
fn fitted(sums: &Column, upper: &Column) -> PolarsResult<Column> {
    // What the lower halves carry over is less than the number of rows.
    const MOST: u128 = (1 << 63) - (1 << 33);
    let fits = |sum: Option<i128>| sum.is_none_or(|sum| sum.unsigned_abs() < LIMIT);
    let upper_fits = |upper: Option<i128>| upper.is_none_or(|upper| upper.unsigned_abs() < MOST);
    // One sum of all rows is looked at as it is: polars makes no column of one that has no room.
    let alone = match sums.as_scalar_column().map(|sum| sum.scalar().value()) {
        Some(AnyValue::Decimal(sum, ..)) => Some(fits(Some(*sum))),
        _ => None,
    };
    let has_room = alone != Some(false)
        && upper.i128()?.iter().all(upper_fits)
        && sums.as_materialized_series().decimal()?.physical().iter().all(fits);
    match has_room {
        true => Ok(sums.clone()),
        false => {
            polars_bail!(ComputeError: "a sum of decimals has more than {MOST_DIGITS} digits: CAST to DOUBLE, or to a DECIMAL with fewer of them after the point, before it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_without_room_is_refused_whatever_it_wraps_to() {
        let sum = |numbers: &[i128], scale: usize| {
            let numbers: Int128Chunked = numbers.iter().copied().map(Some).collect();
            let dtype = DataType::Decimal(MOST_DIGITS, scale);
            let df = DataFrame::new(
                numbers.len(),
                vec![numbers.with_name("m".into()).into_decimal_unchecked(MOST_DIGITS, scale).into_column()],
            );
            let sum = of(col("m"), &dtype, Expr::sum);
            df.expect("a frame").lazy().select([sum]).collect().map(|df| df.columns()[0].clone())
        };
        let big = 6 * 10_i128.pow(37);
        for numbers in [vec![big; 2], vec![big; 4], vec![-big; 4], vec![big; 12]] {
            let error = sum(&numbers, 12).expect_err("no room");
            assert!(error.to_string().contains("more than 38 digits"), "{error}");
        }
        let shown = |numbers: &[i128]| sum(numbers, 12).expect("room").get(0).expect("a sum").str_value().into_owned();
        assert_eq!(shown(&[3_500_000_000_000, -1_000_000_000_000]), "2.500000000000");
        assert!(shown(&[big, -big, big, 1]).ends_with(".000000000001"), "{}", shown(&[big, -big, big, 1]));
        sum(&[1, 2], 4).expect("as polars has it");
    }
}
