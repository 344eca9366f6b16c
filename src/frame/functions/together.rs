//! Lists that are taken apart together: rows as many as the longest has items. polars wants them equally long.

use super::{by_rows, called};
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// The first of these lists, with missing values at its end where another of its row has more items.
pub(in crate::frame) fn of(lists: Vec<Expr>) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> =
        LazyLock::new(|| by_rows("together", as_long, |fields| Ok(fields[0].dtype().clone())));
    called(&FUNCTION, lists)
}

fn as_long(columns: &[Column]) -> PolarsResult<Column> {
    let list = columns[0].list()?;
    let mut longest: Vec<usize> = vec![0; list.len()];
    for column in columns {
        let lengths = column.list()?.lst_lengths();
        for (longest, length) in longest.iter_mut().zip(lengths.iter()) {
            *longest = (*longest).max(length.unwrap_or(0) as usize);
        }
    }
    let lengths = list.lst_lengths();
    if lengths.iter().zip(&longest).all(|(length, longest)| length.unwrap_or(0) as usize == *longest) {
        return Ok(columns[0].clone());
    }
    let DataType::List(inner) = list.dtype() else { return Ok(columns[0].clone()) };
    let rows: PolarsResult<Vec<Option<Series>>> = (0..list.len())
        .map(|row| {
            let items = match columns[0].get(row)? {
                AnyValue::List(items) => Some(items),
                _ => None,
            };
            let missing = longest[row] - items.as_ref().map_or(0, |items| items.len());
            if missing == 0 {
                return Ok(items);
            }
            let mut items = items.unwrap_or_else(|| Series::new_empty(PlSmallStr::EMPTY, inner));
            items.append(&Series::full_null(PlSmallStr::EMPTY, missing, inner))?;
            Ok(Some(items))
        })
        .collect();
    let list: ListChunked = rows?.into_iter().collect();
    list.with_name(columns[0].name().clone()).into_column().cast(columns[0].dtype())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_ones_are_filled_up() {
        let list = |values: &[i64]| Some(Series::new("".into(), values.to_vec()));
        let column = |name: &str, rows: Vec<Option<Series>>| {
            rows.into_iter().collect::<ListChunked>().with_name(name.into()).into_column()
        };
        let a = column("a", vec![list(&[1, 2]), list(&[]), None, None]);
        let b = column("b", vec![list(&[3]), list(&[4]), list(&[5, 6]), None]);
        let long = |columns: &[Column]| -> Vec<Option<Vec<Option<i64>>>> {
            let found = as_long(columns).expect("lists");
            assert_eq!((found.name(), found.dtype()), (columns[0].name(), columns[0].dtype()));
            let lists = found.list().expect("a list");
            let items = |row: Series| row.i64().expect("numbers").iter().collect();
            (0..4).map(|row| lists.get_as_series(row).map(items)).collect()
        };
        let both = [a.clone(), b.clone()];
        assert_eq!(long(&both), [Some(vec![Some(1), Some(2)]), Some(vec![None]), Some(vec![None, None]), None]);
        let turned = [b.clone(), a];
        assert_eq!(long(&turned), [Some(vec![Some(3), None]), Some(vec![Some(4)]), Some(vec![Some(5), Some(6)]), None]);
        assert_eq!(
            long(&[b.clone(), b]),
            [Some(vec![Some(3)]), Some(vec![Some(4)]), Some(vec![Some(5), Some(6)]), None]
        );
    }

    #[test]
    fn what_is_in_them_stays_what_it_is() {
        let days = Series::new("".into(), [19_753_i32]).cast(&DataType::Date).expect("a day");
        let prices = Series::new("".into(), [1.5, 2.25]).cast(&DataType::Decimal(10, 2)).expect("prices");
        let of = |name: &str, items: Series| {
            [Some(items)].into_iter().collect::<ListChunked>().with_name(name.into()).into_column()
        };
        let columns = [of("d", days), of("p", prices)];
        let found = as_long(&columns).expect("lists");
        assert_eq!(found.dtype(), &DataType::List(Box::new(DataType::Date)));
        assert_eq!(found.get(0).expect("a row").to_string(), "[2024-01-31, null]");
    }
}
