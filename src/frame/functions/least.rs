//! The least number of a type, which has no counterpart above zero: polars gives itself as its absolute value, and as its quotient by -1.

use super::whole::REMEDY;
use super::{by_rows, called, in_column};
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// Absolute values of whole numbers, as polars has them, if they have room.
pub(in crate::frame) fn absolute(values: Expr) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> =
        LazyLock::new(|| by_rows("absolute", |columns| positive(&columns[0]), |fields| Ok(fields[0].dtype().clone())));
    called(&FUNCTION, vec![values])
}

fn positive(values: &Column) -> PolarsResult<Column> {
    match lowest(values)? {
        Some(least) if least < 0 => {
            let (dtype, column) = (super::super::from_polars(values.dtype()), in_column(values.name()));
            polars_bail!(ComputeError: "abs({least}){column} does not fit into {dtype}: {REMEDY}")
        }
        _ => Ok(values.clone()),
    }
}

/// Whole quotients by a divisor, as polars has them, if they have room.
pub(in crate::frame) fn divided(quotients: Expr, divisor: Expr) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        by_rows("divided", |columns| fitting(&columns[0], &columns[1]), |fields| Ok(fields[0].dtype().clone()))
    });
    called(&FUNCTION, vec![quotients, divisor])
}

fn fitting(quotients: &Column, divisors: &Column) -> PolarsResult<Column> {
    let least: i128 = match quotients.dtype() {
        DataType::Int8 => i8::MIN.into(),
        DataType::Int16 => i16::MIN.into(),
        DataType::Int32 => i32::MIN.into(),
        DataType::Int64 => i64::MIN.into(),
        DataType::Int128 => i128::MIN,
        _ => return Ok(quotients.clone()),
    };
    if lowest(quotients)? != Some(least) {
        return Ok(quotients.clone());
    }
    let [of, by] = [quotients, divisors].map(|column| column.cast(&DataType::Int128));
    let (of, by) = (of?, by?);
    let (of, by) = (of.i128()?, by.i128()?);
    let divisor = |row: usize| if by.len() == 1 { by.get(0) } else { by.get(row) };
    if of.iter().enumerate().any(|(row, value)| value == Some(least) && divisor(row) == Some(-1)) {
        let (dtype, column) = (super::super::from_polars(quotients.dtype()), in_column(quotients.name()));
        polars_bail!(ComputeError: "{least} // -1{column} does not fit into {dtype}: {REMEDY}");
    }
    Ok(quotients.clone())
}

fn lowest(values: &Column) -> PolarsResult<Option<i128>> {
    Ok(values.min_reduce()?.value().extract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_least_number_is_refused() {
        let numbers = |values: &[Option<i32>]| Column::new("n".into(), values);
        let some = numbers(&[Some(5), None, Some(0)]);
        assert_eq!(positive(&some).expect("fits"), some);
        let error = positive(&numbers(&[Some(5), Some(i32::MIN)])).expect_err("no room").to_string();
        assert!(error.contains("abs(-2147483648) in column `n` does not fit into i32"), "{error}");
        let least = numbers(&[Some(i32::MIN), None]);
        assert_eq!(fitting(&least, &numbers(&[Some(1)])).expect("fits"), least);
        let error = fitting(&least, &numbers(&[Some(-1)])).expect_err("no room").to_string();
        assert!(error.contains("-2147483648 // -1 in column `n` does not fit into i32"), "{error}");
    }
}
