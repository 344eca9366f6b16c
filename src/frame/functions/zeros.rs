//! One zero. Floats have two, `0.0` and `-0.0`, which are equal: which of them stands for both, as the key of a group or as the
//! smallest of a column, follows the threads where nothing settles it.

use super::{by_rows, called};
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// Values of this type with `0.0` for either zero, and all others as they are. (polars leaves out a zero that is added.)
pub fn one_zero(values: Expr, dtype: &DataType) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let call = |columns: &[Column]| Ok(with_one_zero(columns[0].as_materialized_series())?.into_column());
        by_rows("one_zero", call, |fields| Ok(fields[0].dtype().clone()))
    });
    match dtype {
        DataType::Float32 | DataType::Float64 => called(&FUNCTION, vec![values]),
        _ => values,
    }
}

fn with_one_zero(values: &Series) -> PolarsResult<Series> {
    Ok(match values.dtype() {
        DataType::Float32 => values.f32()?.apply_values(|value| if value == 0.0 { 0.0 } else { value }).into_series(),
        DataType::Float64 => values.f64()?.apply_values(|value| if value == 0.0 { 0.0 } else { value }).into_series(),
        _ => values.clone(),
    })
}

/// `0 - values` with the sign of every value turned, that of zeros too, and under the name of the 0 that is written out: polars does so
/// of many rows, and subtracts of one.
pub(in crate::frame) fn negative(zero: Expr, values: Expr) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let call = |columns: &[Column]| {
            let negative = negated(columns[1].as_materialized_series())?;
            Ok(negative.with_name(columns[0].name().clone()).into_column())
        };
        by_rows("negative", call, |fields| Ok(fields[1].dtype().clone()))
    });
    called(&FUNCTION, vec![zero, values])
}

fn negated(values: &Series) -> PolarsResult<Series> {
    Ok(match values.dtype() {
        DataType::Float32 => values.f32()?.apply_values(|value| -value).into_series(),
        DataType::Float64 => values.f64()?.apply_values(|value| -value).into_series(),
        other => {
            let found = super::super::from_polars(other);
            polars_bail!(InvalidOperation: "a sign is turned of floats, found {found}")
        }
    })
}

/// The keys of groups with one zero, under the names that they had.
///
/// # Errors
/// Where the type of a key cannot be resolved.
pub fn keys_with_one_zero(keys: Vec<Expr>, schema: &Schema) -> PolarsResult<Vec<Expr>> {
    let one = |key: Expr| {
        let field = key.to_field(schema)?;
        Ok(if field.dtype.is_float() { one_zero(key, &field.dtype).alias(field.name) } else { key })
    };
    keys.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::engine::collect_streaming;
    use crate::frame::{FloatSums, fixed};

    fn bits(df: &DataFrame, name: &str) -> Vec<u64> {
        df.column(name).and_then(Column::f64).expect("floats").iter().flatten().map(f64::to_bits).collect()
    }

    /// The smallest and the largest of zeros in this order, and their key, by both engines.
    fn zeros_of(values: &[f64]) {
        let df = df!["k" => values, "x" => values].expect("a frame");
        let plan = df.lazy().group_by([col("k")]).agg([col("x").min().alias("lo"), col("x").max().alias("hi")]);
        let plan = fixed(plan, FloatSums::Exact).expect("a plan");
        let whole = plan.clone().collect().expect("it runs");
        let streamed = collect_streaming(plan).expect("it runs");
        for df in [&whole, &streamed] {
            for name in ["k", "lo", "hi"] {
                assert_eq!(bits(df, name), [0], "{name} of {values:?}");
            }
        }
    }

    #[test]
    fn either_zero_is_one() {
        zeros_of(&[0.0, -0.0]);
        zeros_of(&[-0.0, 0.0]);
        zeros_of(&[-0.0]);
    }

    #[test]
    fn names_types_and_other_values_stay() {
        let values = [f64::NEG_INFINITY, -1.5, -0.0, f64::MIN_POSITIVE, 1e300];
        let df = df!["a" => values, "b" => values.map(|value| value as f32), "c" => [1_i64, 2, 3, 4, 5]];
        let df = df.expect("a frame");
        let keys = keys_with_one_zero(vec![col("a"), col("b"), col("c").alias("d")], df.schema()).expect("keys");
        let found = df.lazy().select(keys).collect().expect("it runs");
        assert_eq!(found.dtypes(), [DataType::Float64, DataType::Float32, DataType::Int64]);
        let names: Vec<&str> = found.schema().iter_names().map(|name| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "d"]);
        let expected = [f64::NEG_INFINITY, -1.5, 0.0, f64::MIN_POSITIVE, 1e300].map(f64::to_bits);
        assert_eq!(bits(&found, "a"), expected);
    }
}
