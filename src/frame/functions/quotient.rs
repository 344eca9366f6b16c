//! Quotients and powers of floats. polars multiplies by the reciprocal of a divisor that all rows share, which gives other last bits (`147 / 49`
//! becomes 2.9999999999999996), and divides where there is one row: so what a row gives would follow how many come together.
//! So does what a power gives, where each row has an exponent of its own.

use super::{by_rows, called};
use polars::prelude::arity::broadcast_binary_elementwise_values;
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// `left / right` as floats of this type.
pub(in crate::frame) fn of(left: Expr, right: Expr, dtype: &DataType) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        by_rows(
            "quotient",
            |columns| computed(columns, |a, b| a / b, |a, b| a / b),
            |fields| Ok(fields[0].dtype().clone()),
        )
    });
    called(&FUNCTION, [left, right].map(|side| side.strict_cast(dtype.clone())).to_vec())
}

/// `base` to the power of an exponent that each row has, as floats of this type: of one row polars multiplies.
pub(in crate::frame) fn power(base: Expr, exponent: Expr, dtype: &DataType) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        by_rows("power", |columns| computed(columns, f32::powf, f64::powf), |fields| Ok(fields[0].dtype().clone()))
    });
    called(&FUNCTION, [base, exponent].map(|side| side.strict_cast(dtype.clone())).to_vec())
}

/// What is computed of two columns of floats of one type, row by row.
fn computed(
    columns: &[Column],
    narrow: impl Fn(f32, f32) -> f32,
    wide: impl Fn(f64, f64) -> f64,
) -> PolarsResult<Column> {
    let [left, right] = [&columns[0], &columns[1]].map(Column::as_materialized_series);
    let computed = match left.dtype() {
        DataType::Float32 => {
            let values: Float32Chunked =
                broadcast_binary_elementwise_values(left.f32()?, right.f32()?, |a: f32, b: f32| narrow(a, b));
            values.into_series()
        }
        DataType::Float64 => {
            let values: Float64Chunked =
                broadcast_binary_elementwise_values(left.f64()?, right.f64()?, |a: f64, b: f64| wide(a, b));
            values.into_series()
        }
        other => {
            let found = super::super::from_polars(other);
            polars_bail!(InvalidOperation: "quotients and powers are of floats, found {found}")
        }
    };
    Ok(computed.with_name(left.name().clone()).into_column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[Option<f64>]) -> Series {
        Series::new("x".into(), values)
    }

    fn divided(left: &Series, right: &Series) -> Series {
        let columns = [left, right].map(|side| side.clone().into_column());
        let divided = computed(&columns, |a, b| a / b, |a, b| a / b).expect("numbers");
        divided.as_materialized_series().clone()
    }

    fn quotients(left: &Series, right: &Series) -> Vec<Option<f64>> {
        divided(left, right).f64().expect("floats").iter().collect()
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
        assert_eq!(divided(&a, &b).f32().expect("floats").get(0), Some(7.0_f32 / 3.0));
    }

    #[test]
    fn a_power_of_one_row_is_the_one_among_others() {
        let df = df!["a" => [1.1, 1.3, 2.7, 0.9], "b" => [4.0, 5.0, 3.0, 7.0]].expect("a frame");
        let powers = |df: DataFrame| {
            let lf = df.lazy().select([power(col("a"), col("b"), &DataType::Float64)]);
            let found = lf.collect().expect("it runs");
            found.column("a").and_then(Column::f64).expect("floats").iter().collect::<Vec<_>>()
        };
        let all = powers(df.clone());
        assert_eq!(all[0], Some(1.1_f64.powf(4.0)));
        for (row, expected) in all.iter().enumerate() {
            assert_eq!(powers(df.slice(row as i64, 1)), [*expected]);
        }
    }
}
