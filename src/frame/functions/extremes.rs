//! The smallest and the largest of floats. Databases have NaN as the largest, as it is in an order of rows and in a comparison; polars passes over
//! it. So floats become whole numbers in the same order, of which polars takes one, and that becomes a float again. 0.0 stands for -0.0
//! there: else which one it is would depend on how the rows were divided among threads.

use super::{by_rows, called};
use polars::prelude::arity::unary_elementwise_values;
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::{Arc, LazyLock};

/// What `extreme` takes of floats.
pub(in crate::frame) fn of(floats: Expr, extreme: impl FnOnce(Expr) -> Expr) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        by_rows("float_of_place", floats_of, |fields| {
            let is_narrow = *fields[0].dtype() == DataType::Int32;
            Ok(if is_narrow { DataType::Float32 } else { DataType::Float64 })
        })
    });
    called(&FUNCTION, vec![extreme(placed(floats))])
}

/// Their places in the order of all floats, below a filter: polars knows aggregates of what it filters itself.
fn placed(floats: Expr) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        by_rows("float_to_place", places, |fields| {
            let is_narrow = *fields[0].dtype() == DataType::Float32;
            Ok(if is_narrow { DataType::Int32 } else { DataType::Int64 })
        })
    });
    match floats {
        Expr::Filter { input, by } => Expr::Filter { input: Arc::new(placed(Arc::unwrap_or_clone(input))), by },
        floats => called(&FUNCTION, vec![floats]),
    }
}

macro_rules! ordered {
    ($float:ty, $whole:ty, $place:ident, $value:ident) => {
        /// The place of a float in the order of all: of those below zero the bits fall where the numbers rise.
        fn $place(value: $float) -> $whole {
            let bits = (if value == 0.0 { 0.0 } else { value }).to_bits() as $whole;
            match bits < 0 {
                _ if value.is_nan() => <$whole>::MAX,
                true => bits ^ <$whole>::MAX,
                false => bits,
            }
        }

        /// The float at a place.
        fn $value(place: $whole) -> $float {
            let bits = if place < 0 { place ^ <$whole>::MAX } else { place };
            if place == <$whole>::MAX { <$float>::NAN } else { <$float>::from_bits(bits as _) }
        }
    };
}

ordered!(f32, i32, narrow_place, narrow_value);
ordered!(f64, i64, place, value);

fn places(columns: &[Column]) -> PolarsResult<Column> {
    let floats = columns[0].as_materialized_series();
    Ok(match floats.dtype() {
        DataType::Float32 => {
            let places: Int32Chunked = unary_elementwise_values(floats.f32()?, narrow_place);
            places.into_column()
        }
        _ => {
            let floats = floats.cast(&DataType::Float64)?;
            let places: Int64Chunked = unary_elementwise_values(floats.f64()?, place);
            places.into_column()
        }
    })
}

fn floats_of(columns: &[Column]) -> PolarsResult<Column> {
    let places = columns[0].as_materialized_series();
    Ok(match places.dtype() {
        DataType::Int32 => {
            let floats: Float32Chunked = unary_elementwise_values(places.i32()?, narrow_value);
            floats.into_column()
        }
        _ => {
            let floats: Float64Chunked = unary_elementwise_values(places.i64()?, value);
            floats.into_column()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_the_floats() {
        let rising = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.5,
            -f64::MIN_POSITIVE,
            0.0,
            5e-324,
            2.0,
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
        ];
        let of_all: Vec<i64> = rising.iter().copied().map(place).collect();
        assert!(of_all.is_sorted_by(|a, b| a < b), "{of_all:?}");
        let back: Vec<u64> = of_all.iter().map(|at| value(*at).to_bits()).collect();
        assert_eq!(back, rising.map(f64::to_bits));
        let narrow: Vec<f32> = rising.iter().map(|value| *value as f32).collect();
        let of_all: Vec<i32> = narrow.iter().copied().map(narrow_place).collect();
        assert!(of_all.is_sorted(), "{of_all:?}");
        let same =
            |(float, at): (&f32, &i32)| narrow_value(*at) == *float || narrow_value(*at).is_nan() && float.is_nan();
        assert!(narrow.iter().zip(&of_all).all(same));
        assert_eq!((place(-f64::NAN), narrow_place(-f32::NAN)), (i64::MAX, i32::MAX));
        assert_eq!((place(-0.0), narrow_place(-0.0)), (0, 0));
    }

    #[test]
    fn nan_is_the_largest_and_missing_values_do_not_count() {
        let df = df![
            "k" => ["a", "a", "b", "b", "c", "d", "d"],
            "x" => [Some(1.5), Some(f64::NAN), Some(-2.0), None, None, Some(f64::NAN), Some(f64::NAN)],
        ]
        .expect("a frame");
        let narrow = col("x").cast(DataType::Float32);
        let found = df
            .lazy()
            .group_by_stable([col("k")])
            .agg([
                of(col("x"), Expr::max).alias("max"),
                of(col("x"), Expr::min).alias("min"),
                of(narrow, Expr::max).alias("narrow"),
            ])
            .collect()
            .expect("groups");
        let shown = |name: &str| -> Vec<String> {
            let column = found.column(name).expect("a column").as_materialized_series().rechunk();
            column.iter().map(|value| value.to_string()).collect()
        };
        assert_eq!(shown("max"), ["NaN", "-2.0", "null", "NaN"]);
        assert_eq!(shown("min"), ["1.5", "-2.0", "null", "NaN"]);
        assert_eq!(shown("narrow"), shown("max"));
        assert_eq!(found.column("narrow").expect("a column").dtype(), &DataType::Float32);
    }
}
