//! The place of each row in an order. A window's order goes by one column to polars, with missing values at the end of the largest: any other
//! order becomes a column of places, which goes up.

use super::super::rolling::sort;
use super::called;
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use polars_plan::prelude::{BaseColumnUdf, FunctionOptions, new_column_udf};
use serde::{Deserialize, Serialize};

/// What the text begins with that says of a plan's `COALESCE` that it is an order.
const MARK: &str = "__kilter_order ";

/// An order by several columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderKey {
    /// For each column whether the largest comes first.
    pub descending: Vec<bool>,
    /// For each column whether missing values come last.
    pub nulls_last: Vec<bool>,
}

impl OrderKey {
    /// Itself as a text.
    #[must_use]
    pub fn mark(&self) -> String {
        format!("{MARK}{}", serde_json::to_string(self).unwrap_or_default())
    }

    pub(super) fn of_mark(text: &str) -> Option<Self> {
        serde_json::from_str(text.strip_prefix(MARK)?).ok()
    }

    /// Each row's place among these columns; rows that are equal in all of them have the same.
    pub(super) fn call(self, columns: Vec<Expr>) -> Expr {
        let name = format!("order {:?} {:?}", self.descending, self.nulls_last);
        let fun = BaseColumnUdf::new(
            move |columns: &mut [Column]| self.places(columns),
            |_: &Schema, fields: &[Field]| Ok(Field::new(fields[0].name().clone(), IDX_DTYPE)),
        );
        // Every row needs the others: nothing may be filtered or cut off before.
        let options = FunctionOptions::length_preserving();
        called(&UserDefinedFunction { name: name.into(), fun: new_column_udf(fun), options }, columns)
    }

    fn places(&self, columns: &[Column]) -> PolarsResult<Column> {
        let lengths = || columns.iter().map(Column::len);
        let height = if lengths().any(|length| length == 0) { 0 } else { lengths().max().unwrap_or(0) };
        let (sorted, rows) = sort(height, columns, &self.descending, &self.nulls_last)?;
        let mut places: Vec<IdxSize> = vec![0; height];
        let mut differs = BooleanChunked::full("differs".into(), false, height);
        for column in sorted.columns() {
            let column = column.as_materialized_series();
            differs = differs | column.not_equal_missing(&column.shift(1))?;
        }
        let mut place = 0;
        for (at, (row, differs)) in rows.into_no_null_iter().zip(differs.iter()).enumerate() {
            place += IdxSize::from(at > 0 && differs == Some(true));
            places[row as usize] = place;
        }
        Ok(IdxCa::from_vec(columns[0].name().clone(), places).into_column())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(columns: &[Column], descending: &[bool], nulls_last: &[bool]) -> Vec<IdxSize> {
        let key = OrderKey { descending: descending.to_vec(), nulls_last: nulls_last.to_vec() };
        let key = OrderKey::of_mark(&key.mark()).expect("its own text");
        key.places(columns).expect("places").idx().expect("indices").into_no_null_iter().collect()
    }

    #[test]
    fn an_order_goes_up_by_one_column_and_down_by_another() {
        let a = Column::new("a".into(), [1, 1, 2, 1, 2]);
        let b = Column::new("b".into(), [Some("x"), Some("y"), None, Some("y"), Some("x")]);
        let both = [a, b];
        assert_eq!(places(&both, &[false, true], &[false, false]), [1, 0, 2, 0, 3]);
        assert_eq!(places(&both, &[false, true], &[false, true]), [1, 0, 3, 0, 2]);
        assert_eq!(places(&both, &[true, false], &[false, false]), [2, 3, 0, 3, 1]);
        assert_eq!(places(&[both[0].clear()], &[true], &[false]), [] as [IdxSize; 0]);
    }
}
