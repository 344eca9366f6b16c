//! The largest or smallest of several floats in a row. polars' own take another way where no value of the rows that come together is missing:
//! `least(1.0, x)` of an `x` that is no number is then none either. Databases have it as the largest of all, wherever it stands.

use super::{by_rows, called};
use polars::prelude::arity::broadcast_binary_elementwise;
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// The `largest` or the smallest of floats of this type; missing ones do not count.
pub(in crate::frame) fn of(values: Vec<Expr>, largest: bool, dtype: &DataType) -> Expr {
    static FUNCTIONS: LazyLock<[UserDefinedFunction; 2]> = LazyLock::new(|| {
        [("least", false), ("greatest", true)].map(|(name, largest)| {
            by_rows(name, move |columns| extreme(columns, largest), |fields| Ok(fields[0].dtype().clone()))
        })
    });
    let values = values.into_iter().map(|value| value.strict_cast(dtype.clone()));
    called(&FUNCTIONS[usize::from(largest)], values.collect())
}

fn extreme(columns: &[Column], largest: bool) -> PolarsResult<Column> {
    let mut found = columns[0].as_materialized_series().clone();
    for column in &columns[1..] {
        found = of_two(&found, column.as_materialized_series(), largest)?;
    }
    Ok(found.with_name(columns[0].name().clone()).into_column())
}

fn of_two(left: &Series, right: &Series, largest: bool) -> PolarsResult<Series> {
    macro_rules! of_two {
        ($values:ident, $number:ty) => {
            broadcast_binary_elementwise(left.$values()?, right.$values()?, |a: Option<$number>, b: Option<$number>| {
                let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
                let is_left = match largest {
                    true => a > b || a.is_nan() && !b.is_nan(),
                    false => a < b || b.is_nan() && !a.is_nan(),
                };
                Some(if is_left { a } else { b })
            })
        };
    }
    Ok(match left.dtype() {
        DataType::Float32 => Float32Chunked::into_series(of_two!(f32, f32)),
        DataType::Float64 => Float64Chunked::into_series(of_two!(f64, f64)),
        other => {
            let found = super::super::from_polars(other);
            polars_bail!(InvalidOperation: "the largest and smallest here are of floats, found {found}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(columns: &[&[Option<f64>]], largest: bool) -> Vec<String> {
        let columns = columns.iter().map(|values| Series::new("x".into(), *values).into_column());
        let found = extreme(&columns.collect::<Vec<_>>(), largest).expect("floats");
        found.as_materialized_series().iter().map(|value| value.to_string()).collect()
    }

    #[test]
    fn what_is_no_number_is_the_largest_and_what_is_missing_does_not_count() {
        let nan = Some(f64::NAN);
        let (a, b) = ([Some(1.0), nan, nan, Some(1.0), None], [nan, Some(1.0), nan, Some(2.5), nan]);
        assert_eq!(found(&[&a, &b], true), ["NaN", "NaN", "NaN", "2.5", "NaN"]);
        assert_eq!(found(&[&a, &b], false), ["1.0", "1.0", "NaN", "1.0", "NaN"]);
        // No value is missing, or there is one row.
        assert_eq!(found(&[&a[..4], &b[..4]], false), ["1.0", "1.0", "NaN", "1.0"]);
        assert_eq!(found(&[&a[..1], &b[..1]], false), ["1.0"]);
        assert_eq!(found(&[&a[..1], &b], false), ["1.0", "1.0", "1.0", "1.0", "1.0"]);
        assert_eq!(found(&[&a, &b, &[Some(9.0)]], true), ["NaN", "NaN", "NaN", "9.0", "NaN"]);
        assert_eq!(found(&[&[None], &[None]], true), ["null"]);
    }
}
