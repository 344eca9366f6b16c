//! What rows are sorted by.

use polars::chunked_array::ops::row_encode::_get_rows_encoded;
use polars::prelude::*;
use polars_arrow::array::BinaryArray;

/// The columns, most important first, and the direction of each.
#[derive(Clone)]
pub(super) struct Order {
    by: Vec<PlSmallStr>,
    options: SortMultipleOptions,
}

impl Order {
    /// One direction for all columns is one for each; rows that are equal keep their order.
    pub(super) fn new(by: Vec<PlSmallStr>, options: SortMultipleOptions) -> Self {
        let each = |flags: Vec<bool>| match flags.as_slice() {
            [one] => vec![*one; by.len()],
            _ => flags,
        };
        let options = SortMultipleOptions {
            descending: each(options.descending),
            nulls_last: each(options.nulls_last),
            maintain_order: true,
            limit: None,
            ..options
        };
        Self { by, options }
    }

    /// Smallest first.
    pub(super) fn ascending(by: Vec<PlSmallStr>) -> Self {
        Self::new(by, SortMultipleOptions::default())
    }

    fn columns(&self, df: &DataFrame) -> PolarsResult<Vec<Column>> {
        self.by.iter().map(|name| df.column(name).cloned()).collect()
    }

    /// The rows in this order, by polars' own sort.
    pub(super) fn sorted(&self, df: &DataFrame) -> PolarsResult<DataFrame> {
        let by = self.columns(df)?;
        match by.as_slice() {
            // The values of a lone column are sorted where they are, and then 0.0 and -0.0, which are equal, change places.
            [alone] if df.width() == 1 && !alone.dtype().is_nested() => {
                let options = SortOptions {
                    descending: self.options.descending[0],
                    nulls_last: self.options.nulls_last[0],
                    maintain_order: true,
                    ..SortOptions::default()
                };
                df.take(&alone.arg_sort(options))
            }
            _ => df.sort_impl(by, self.options.clone(), None),
        }
    }

    /// The rows as bytes that compare as the rows do.
    pub(super) fn keys(&self, df: &DataFrame) -> PolarsResult<BinaryArray<i64>> {
        let by = self.columns(df)?;
        Ok(_get_rows_encoded(&by, &self.options.descending, &self.options.nulls_last)?.into_array())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A merge compares the bytes of what a sort has compared by value.
    #[test]
    fn bytes_compare_as_values_do() {
        let floats = [Some(0.5), None, Some(f64::NAN), Some(-0.0), Some(0.0), Some(f64::NEG_INFINITY), Some(-f64::NAN)];
        let texts = [Some("b"), Some(""), None, Some("ba"), Some("a longer text than fits"), Some("b"), Some("ä")];
        let df = df!["f" => floats, "s" => texts, "b" => [true, false, true, true, false, false, true]];
        let df = df.expect("a frame").with_row_index("row".into(), None).expect("rows");
        for by in [vec!["f"], vec!["s"], vec!["b", "s"], vec!["f", "s"], vec!["s", "f", "b"]] {
            for number in 0..4 {
                let options =
                    SortMultipleOptions::default().with_order_descending(number % 2 == 1).with_nulls_last(number > 1);
                let order = Order::new(by.iter().map(|name| (*name).into()).collect(), options);
                let keys = order.keys(&order.sorted(&df).expect("sorted")).expect("keys");
                let keys: Vec<&[u8]> = keys.values_iter().collect();
                assert!(keys.is_sorted(), "{by:?} {number}");
            }
        }
    }
}
