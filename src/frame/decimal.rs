//! Arithmetic of decimals as SQL has it.
//!
//! Of a decimal and a whole number polars tells another type than it computes: so both become decimals. And it rounds a product
//! to the digits of its factors: here a product has all of its digits, as many after the point as both factors together. A quotient
//! is a float, where polars rounds it to the digits of what is divided.

use polars::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// The most digits that a decimal has.
pub(super) const MOST_DIGITS: usize = 38;

/// Products and sums stay below.
pub(super) const LIMIT: u128 = 10_u128.pow(MOST_DIGITS as u32);

/// With so many digits after the point every number of 64 bits has room.
const MOST_SURE: usize = 19;

/// An operation on two expressions whose types `dtype` tells, where they can be told.
pub(super) fn arithmetic(left: Expr, op: Operator, right: Expr, dtype: impl Fn(&Expr) -> Option<DataType>) -> Expr {
    use Operator as O;
    let binary = |left: Expr, right: Expr| Expr::BinaryExpr { left: Arc::new(left), op, right: Arc::new(right) };
    if !matches!(op, O::Plus | O::Minus | O::Multiply | O::RustDivide | O::TrueDivide | O::Modulus) {
        return binary(left, right);
    }
    // What is wrong with an operand is told where it is used.
    let (Some(x), Some(y)) = (dtype(&left), dtype(&right)) else { return binary(left, right) };
    let whole = |dtype: &DataType| dtype.is_integer() || matches!(dtype, DataType::Unknown(UnknownKind::Int(_)));
    let with_scale = |expr: Expr, scale| expr.cast(DataType::Decimal(MOST_DIGITS, scale));
    // A sum has the digits of the finer one. polars has no value where the other one has no room for them.
    let adds = matches!(op, O::Plus | O::Minus | O::Modulus);
    let narrow = |scale: usize| adds && scale > MOST_SURE;
    let as_fine = |expr: Expr, scale| expr.strict_cast(DataType::Decimal(MOST_DIGITS, scale));
    // A quotient has as many digits as it needs, and not those of what is divided.
    let exact = |dtype: &DataType| dtype.is_decimal() || whole(dtype);
    if matches!(op, O::RustDivide | O::TrueDivide) && (x.is_decimal() && exact(&y) || exact(&x) && y.is_decimal()) {
        return binary(left.cast(DataType::Float64), right.cast(DataType::Float64));
    }
    match (x, y) {
        (DataType::Decimal(_, a), y) if narrow(a) && whole(&y) => binary(left, as_fine(right, a)),
        (x, DataType::Decimal(_, b)) if narrow(b) && whole(&x) => binary(as_fine(left, b), right),
        (DataType::Decimal(_, a), DataType::Decimal(_, b)) if narrow(b) && a < b => binary(as_fine(left, b), right),
        (DataType::Decimal(_, a), DataType::Decimal(_, b)) if narrow(a) && b < a => binary(left, as_fine(right, a)),
        (DataType::Decimal(..), y) if whole(&y) => binary(left, with_scale(right, 0)),
        (x, DataType::Decimal(..)) if whole(&x) => binary(with_scale(left, 0), right),
        (DataType::Decimal(_, a), DataType::Decimal(_, b)) if op == O::Multiply && a > 0 && b > 0 => {
            match a + b <= MOST_DIGITS {
                true => product(left, right, a + b),
                false => binary(with_scale(left, MOST_DIGITS), right),
            }
        }
        _ => binary(left, right),
    }
}

/// The product of decimals that have `scale` digits after the point together. One function for each scale, so that polars sees
/// equal expressions as equal.
fn product(left: Expr, right: Expr, scale: usize) -> Expr {
    static MADE: Mutex<Vec<(usize, Expr)>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = made.iter().find(|(known, _)| *known == scale).map(|(_, template)| template.clone());
    let template = known.unwrap_or_else(|| {
        let template = map_multiple(
            move |columns| multiply(&columns[0], &columns[1], scale),
            [col("x"), col("y")],
            move |_, fields| Ok(Field::new(fields[0].name().clone(), DataType::Decimal(MOST_DIGITS, scale))),
        );
        made.push((scale, template.clone()));
        template
    });
    match template {
        Expr::AnonymousFunction { function, options, .. } => Expr::AnonymousFunction {
            input: vec![left, right],
            function,
            options,
            fmt_str: Box::new(format!("decimal_product_{scale}").into()),
        },
        other => other,
    }
}

fn multiply(left: &Column, right: &Column, scale: usize) -> PolarsResult<Column> {
    let (x, y) = (whole(left)?, whole(right)?);
    let (Some(a), Some(b)) = (x.downcast_iter().next(), y.downcast_iter().next()) else {
        return Ok(x.into_decimal_unchecked(MOST_DIGITS, scale).into_column());
    };
    let product = match (a.len(), b.len()) {
        (n, m) if n == m => {
            let validity = match (a.validity(), b.validity()) {
                (Some(a), Some(b)) => Some(a & b),
                (one, other) => one.or(other).cloned(),
            };
            let missing = |row: usize| validity.as_ref().is_some_and(|valid| !valid.get_bit(row));
            let values = products(a.values(), |row| b.values()[row], missing)?;
            Int128Chunked::from_vec_validity(left.name().clone(), values, validity)
        }
        (_, 1) => times(left.name(), &x, y.get(0))?,
        (1, _) => times(left.name(), &y, x.get(0))?,
        (n, m) => polars_bail!(ShapeMismatch: "a product of {n} and of {m} decimals"),
    };
    Ok(product.into_decimal_unchecked(MOST_DIGITS, scale).into_column())
}

/// The numbers behind decimals, in one piece.
fn whole(column: &Column) -> PolarsResult<Int128Chunked> {
    Ok(column.as_materialized_series().decimal()?.physical().rechunk().into_owned())
}

/// Every value times one.
fn times(name: &PlSmallStr, values: &Int128Chunked, one: Option<i128>) -> PolarsResult<Int128Chunked> {
    let (Some(one), Some(array)) = (one, values.downcast_iter().next()) else {
        return Ok(Int128Chunked::full_null(name.clone(), values.len()));
    };
    let validity = array.validity().cloned();
    let missing = |row: usize| validity.as_ref().is_some_and(|valid| !valid.get_bit(row));
    let values = products(array.values(), |_| one, missing)?;
    Ok(Int128Chunked::from_vec_validity(name.clone(), values, validity))
}

fn products(a: &[i128], b: impl Fn(usize) -> i128, missing: impl Fn(usize) -> bool) -> PolarsResult<Vec<i128>> {
    let mut values = Vec::with_capacity(a.len());
    for (row, a) in a.iter().enumerate() {
        let b = b(row);
        // Of numbers of 64 bits the product has room.
        let product = match (i64::try_from(*a), i64::try_from(b)) {
            (Ok(a), Ok(b)) => i128::from(a) * i128::from(b),
            // What stands at the place of a missing value says nothing.
            _ if missing(row) => 0,
            _ => match a.checked_mul(b).filter(|product| product.unsigned_abs() < LIMIT) {
                Some(product) => product,
                None => polars_bail!(ComputeError: "a product of decimals has more than {MOST_DIGITS} digits"),
            },
        };
        values.push(product);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimals(name: &str, values: &[Option<i128>], scale: usize) -> Column {
        let values: Int128Chunked = values.iter().copied().collect();
        values.with_name(name.into()).into_decimal_unchecked(MOST_DIGITS, scale).into_column()
    }

    fn shown(column: &Column) -> Vec<String> {
        let texts = column.as_materialized_series().cast(&DataType::String).expect("texts");
        texts.str().expect("texts").iter().map(|text| text.unwrap_or("null").to_owned()).collect()
    }

    #[test]
    fn a_product_has_all_its_digits() {
        let left = decimals("l", &[Some(-125), Some(1), None, Some(10_i128.pow(25))], 2);
        let right = decimals("r", &[Some(333), None, Some(7), Some(-3)], 3);
        let product = multiply(&left, &right, 5).expect("a product");
        assert_eq!(product.name().as_str(), "l");
        assert_eq!(product.dtype(), &DataType::Decimal(38, 5));
        assert_eq!(shown(&product), ["-0.41625", "null", "null", "-300000000000000000000.00000"]);
        let one = decimals("r", &[Some(2)], 1);
        assert_eq!(shown(&multiply(&left, &one, 3).expect("a product"))[0], "-0.250");
        assert_eq!(shown(&multiply(&one, &left, 3).expect("a product"))[..3], ["-0.250", "0.002", "null"]);
        let none = decimals("r", &[None], 1);
        assert_eq!(multiply(&left, &none, 3).expect("a product").null_count(), 4);
    }

    #[test]
    fn a_product_of_too_many_digits_is_refused_and_a_missing_one_is_not() {
        let big = Some(10_i128.pow(20));
        let error = multiply(&decimals("l", &[big], 1), &decimals("r", &[big], 1), 2).expect_err("too many digits");
        assert!(error.to_string().contains("more than 38 digits"), "{error}");
        let left = decimals("l", &[big, Some(3)], 1);
        // The same numbers, the first one of them missing.
        let right = decimals("r", &[big, Some(5)], 1).as_materialized_series().clone();
        let mask = BooleanChunked::from_slice("m".into(), &[false, true]);
        let right = right.zip_with(&mask, &Series::full_null("r".into(), 2, right.dtype())).expect("a column");
        assert_eq!(shown(&multiply(&left, &right.into_column(), 2).expect("a product")), ["null", "0.15"]);
    }

    #[test]
    fn equal_products_are_equal_expressions() {
        let dtype = |_: &Expr| Some(DataType::Decimal(38, 2));
        let made = || arithmetic(col("a"), Operator::Multiply, col("b"), dtype);
        assert_eq!(made(), made());
        assert!(matches!(made(), Expr::AnonymousFunction { .. }));
        assert!(matches!(arithmetic(col("a"), Operator::Plus, col("b"), dtype), Expr::BinaryExpr { .. }));
    }
}
