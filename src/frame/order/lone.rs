//! Sorts by one column of floats. Where a table has no other column, polars sorts the values where they are, and leaves open in which
//! order 0.0 and -0.0 come, which are equal. By values of another name it sorts the rows.

use polars::prelude::*;

/// What the values are called.
const NAME: &str = "__kilter_by";

/// The same keys of a sort, that keep the order of rows which are equal.
#[must_use]
pub fn by_rows(by: Vec<Expr>, schema: &Schema) -> Vec<Expr> {
    match by.as_slice() {
        [Expr::Column(name)] if schema.get(name).is_some_and(DataType::is_float) => {
            vec![col(name.clone()).alias(NAME)]
        }
        _ => by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::engine::collect_streaming;

    #[test]
    fn zeros_of_a_lone_column_keep_their_order() {
        let value = |row: usize| match row % 5 {
            0 => 1.5,
            _ if row.is_multiple_of(3) => -0.0,
            _ => 0.0,
        };
        let values: Vec<f64> = (0..100_000).map(value).collect();
        let mut expected = values.clone();
        expected.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let expected = bits(expected);
        let df = df!["f" => &values, "g" => &values].expect("a frame");
        let by = by_rows(vec![col("f")], df.schema());
        // Once it is alone from the beginning, once only the optimizer leaves the other column out.
        for lf in [df.clone().lazy().select([col("f")]), df.lazy()] {
            let options = SortMultipleOptions::default().with_maintain_order(true);
            let sorted = lf.sort_by_exprs(by.clone(), options).select([col("f")]);
            for found in [sorted.clone().collect(), collect_streaming(sorted)] {
                let found = found.expect("sorted").column("f").expect("floats").f64().expect("floats").to_vec();
                assert_eq!(bits(found.into_iter().flatten().collect()), expected);
            }
        }
    }
}
