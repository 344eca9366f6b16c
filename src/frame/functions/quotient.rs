//! Quotients of floats. polars multiplies by the reciprocal of a divisor that all rows share, which gives other last bits (`147 / 49`
//! becomes 2.9999999999999996), and divides where there is one row: so what a row gives would follow how many come together.

use super::{by_rows, called};
use polars::prelude::arity::broadcast_binary_elementwise_values;
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// `left / right` as floats of this type.
pub(in crate::frame) fn of(left: Expr, right: Expr, dtype: &DataType) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let call = |columns: &[Column]| {
            let [left, right] = [&columns[0], &columns[1]].map(Column::as_materialized_series);
            Ok(divided(left, right)?.with_name(columns[0].name().clone()).into_column())
        };
        by_rows("quotient", call, |fields| Ok(fields[0].dtype().clone()))
    });
    called(&FUNCTION, [left, right].map(|side| side.strict_cast(dtype.clone())).to_vec())
}

fn divided(left: &Series, right: &Series) -> PolarsResult<Series> {
    Ok(match left.dtype() {
        DataType::Float32 => {
            let quotient: Float32Chunked =
                broadcast_binary_elementwise_values(left.f32()?, right.f32()?, |a: f32, b: f32| a / b);
            quotient.into_series()
        }
        DataType::Float64 => {
            let quotient: Float64Chunked =
                broadcast_binary_elementwise_values(left.f64()?, right.f64()?, |a: f64, b: f64| a / b);
            quotient.into_series()
        }
        other => {
            let found = super::super::from_polars(other);
            polars_bail!(InvalidOperation: "a quotient is of floats, found {found}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[Option<f64>]) -> Series {
        Series::new("x".into(), values)
    }

    fn quotients(left: &Series, right: &Series) -> Vec<Option<f64>> {
        divided(left, right).expect("numbers").f64().expect("floats").iter().collect()
    }

    #[test]
    fn one_divisor_for_all_rows_divides_as_one_for_each() {
        let (one, each) = (numbers(&[Some(49.0)]), numbers(&[Some(49.0); 4]));
        let rows = numbers(&[Some(147.0), Some(98.0), None, Some(-49.0)]);
        let expected = [Some(3.0), Some(2.0), None, Some(-1.0)];
        assert_eq!(quotients(&rows, &one), expected);
        assert_eq!(quotients(&rows, &each), expected);
        assert_eq!(quotients(&one, &numbers(&[Some(98.0), Some(0.0)])), [Some(0.5), Some(f64::INFINITY)]);
        assert_eq!(quotients(&rows, &numbers(&[None])), [None; 4]);
        assert_eq!(quotients(&numbers(&[]), &one), []);
    }

    #[test]
    fn floats_of_32_bits_stay_such() {
        let [a, b] = [7.0, 3.0].map(|value| Series::new("x".into(), [value as f32]));
        let quotient = divided(&a, &b).expect("numbers");
        assert_eq!(quotient.f32().expect("floats").get(0), Some(7.0_f32 / 3.0));
    }
}
