//! Values of several types where SQL takes one: the branches of a `CASE`, what `COALESCE` chooses from, both sides of an operator, the columns
//! of a `UNION`. polars finds a type for nearly all of them (a text for a number and a text, the days since 1970 for a date and a number),
//! and says nothing; databases refuse them, and so does this. A text that is written out beside a date or time is one.

use super::super::misfits::{calculated, named};
use super::super::{collect, functions};
use super::Scope;
use polars::prelude::*;

/// Types that have nothing to do with those of another sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Text,
    Number,
    Truth,
    Moment,
    Time,
    Duration,
}

impl Sort {
    /// `None` where it is not known here what such a type fits.
    fn of(dtype: &DataType) -> Option<Self> {
        use DataType as D;
        Some(match dtype {
            D::String | D::Categorical(..) | D::Enum(..) | D::Unknown(UnknownKind::Str) => Self::Text,
            D::Boolean => Self::Truth,
            D::Date | D::Datetime(..) => Self::Moment,
            D::Time => Self::Time,
            D::Duration(_) => Self::Duration,
            D::Unknown(UnknownKind::Int(_) | UnknownKind::Float) => Self::Number,
            number if number.is_primitive_numeric() || number.is_decimal() => Self::Number,
            _ => return None,
        })
    }

    /// That of what is in lists, and how deep in them.
    fn within(dtype: &DataType) -> Option<(usize, Self)> {
        let (mut depth, mut inner) = (0, dtype);
        while let DataType::List(items) = inner {
            depth += 1;
            inner = items.as_ref();
        }
        Some((depth, Self::of(inner)?))
    }

    /// Truth values are counted as 0 and 1.
    fn fits(self, other: Self) -> bool {
        let counts = |sort| matches!(sort, Self::Number | Self::Truth);
        self == other || (counts(self) && counts(other))
    }
}

/// The type of an expression that is fixed. What is wrong with one is told where it is used.
fn dtype(expr: &Expr, scope: &Scope<'_>) -> Option<DataType> {
    match expr {
        Expr::Alias(inner, _) => dtype(inner, scope),
        Expr::Column(name) => scope.schema().ok()?.get(name).cloned(),
        Expr::Literal(value) => Some(value.get_datatype()),
        other => other.to_field(scope.schema().ok()?).ok().map(|field| field.dtype),
    }
}

/// The sort of an expression's type. Of a `CASE` that of its first branch is enough, as the others fit it.
fn sort(expr: &Expr, scope: &Scope<'_>) -> Option<Sort> {
    match expr {
        Expr::Alias(inner, _) => sort(inner, scope),
        Expr::Ternary { truthy, falsy, .. } => sort(truthy, scope).or_else(|| sort(falsy, scope)),
        Expr::Cast { dtype: DataTypeExpr::Literal(dtype), .. } => Sort::of(dtype),
        Expr::BinaryExpr { op, .. } if op.is_comparison() => Some(Sort::Truth),
        // A `CASE` of constants, of one type by a cast each.
        Expr::AnonymousFunction { input, fmt_str, .. } if fmt_str.as_str() == "choice" => sort(input.first()?, scope),
        other => Sort::of(&dtype(other, scope)?),
    }
}

/// Kilter's name of an expression's type.
fn name(expr: &Expr, scope: &Scope<'_>) -> String {
    dtype(expr, scope).map_or_else(|| "another".to_owned(), |dtype| named(&dtype.to_string()))
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value) => value.extract_str(),
        _ => None,
    }
}

/// Refuses values of which one is chosen, where their types do not fit.
pub(super) fn chosen<'e>(values: impl IntoIterator<Item = &'e Expr>, scope: &Scope<'_>) -> PolarsResult<()> {
    let mut first: Option<((usize, Sort), &Expr)> = None;
    for value in values {
        let whole = sort(value, scope).map(|sort| (0, sort));
        let Some(found) = whole.or_else(|| Sort::within(&dtype(value, scope)?)) else { continue };
        match first {
            Some((before, other)) if !alike(before, found) => return Err(several(other, value, scope)),
            Some(_) => {}
            None => first = Some((found, value)),
        }
    }
    Ok(())
}

/// Whether values fit each other that are so deep in lists.
fn alike(one: (usize, Sort), other: (usize, Sort)) -> bool {
    one.0 == other.0 && one.1.fits(other.1)
}

fn several(one: &Expr, other: &Expr, scope: &Scope<'_>) -> PolarsError {
    let is = |expr: &Expr, wanted: Sort| sort(expr, scope) == Some(wanted);
    let written = |text_of: &Expr, moment: &Expr| text(text_of).is_some() && is(moment, Sort::Moment);
    let remedy = match written(one, other) || written(other, one) {
        true => "a date is written `DATE '2024-01-31'`, a datetime `TIMESTAMP '2024-01-31 12:30:00'`",
        false => "CAST some of them",
    };
    let (one, other) = (name(one, scope), name(other, scope));
    polars_err!(InvalidOperation: "values of one type are needed here, found {one} and {other}: {remedy}")
}

/// The arguments of a function of which it gives one.
pub(super) fn alternatives<'e>(function: &FunctionExpr, input: &'e [Expr]) -> Vec<&'e Expr> {
    match (function, input) {
        (FunctionExpr::Coalesce | FunctionExpr::FillNull, _) => input.iter().collect(),
        (FunctionExpr::MaxHorizontal | FunctionExpr::MinHorizontal, _) => input.iter().collect(),
        (FunctionExpr::ShiftAndFill, [value, _, fill]) => vec![value, fill],
        _ => Vec::new(),
    }
}

/// Both sides of an operator; a text that is written out as what it is compared with.
pub(super) fn sides(left: Expr, op: Operator, right: Expr, scope: &Scope<'_>) -> PolarsResult<(Expr, Expr)> {
    if op == Operator::Plus && are_truth_and_text(&left, &right, scope) {
        polars_bail!(InvalidOperation: "{}", calculated(&name(&left, scope), &name(&right, scope)));
    }
    if !op.is_comparison() {
        return Ok((left, right));
    }
    match (text(&left).is_some(), text(&right).is_some()) {
        (false, true) => {
            let right = compared(&left, right, scope)?;
            Ok((left, right))
        }
        (true, false) => Ok((compared(&right, left, scope)?, right)),
        (false, false) if are_truth_and_text(&left, &right, scope) => {
            Err(not_asked(&name(&left, scope), &name(&right, scope)))
        }
        _ => Ok((left, right)),
    }
}

/// Looks at the right side first: of a long sum the left one is all that was added before.
fn are_truth_and_text(left: &Expr, right: &Expr, scope: &Scope<'_>) -> bool {
    let other = match sort(right, scope) {
        Some(Sort::Truth) => Sort::Text,
        Some(Sort::Text) => Sort::Truth,
        _ => return false,
    };
    sort(left, scope) == Some(other)
}

/// A text that is written out, as what it stands for beside `value`.
fn compared(value: &Expr, literal: Expr, scope: &Scope<'_>) -> PolarsResult<Expr> {
    let Some(dtype) = text(&literal).and_then(|_| dtype(value, scope)) else { return Ok(literal) };
    let written = text(&literal).unwrap_or_default();
    match Sort::of(&dtype) {
        Some(Sort::Moment | Sort::Time) => moment(written, &dtype),
        Some(Sort::Truth) if !["true", "false"].contains(&written) => Err(not_asked("bool", &format!("'{written}'"))),
        _ => Ok(literal),
    }
}

fn not_asked(one: &str, other: &str) -> PolarsError {
    polars_err!(InvalidOperation: "cannot compare {one} with {other}: a bool is asked for by itself, `a` or `NOT a`, or is compared with TRUE or FALSE")
}

/// What a text means that stands for a value of another one's type.
pub(super) fn as_written(text: &str, value: &Expr, scope: &Scope<'_>) -> PolarsResult<Expr> {
    compared(value, lit(text), scope)
}

/// The date or time that a text is.
fn moment(text: &str, dtype: &DataType) -> PolarsResult<Expr> {
    let value = read(lit(text), dtype).alias("value");
    let read = collect(DataFrame::empty().lazy().select([value])).ok();
    let value = read.and_then(|read| Some(read.column("value").ok()?.get(0).ok()?.into_static()));
    match value {
        Some(value) if value != AnyValue::Null => Ok(lit(Scalar::new(dtype.clone(), value))),
        _ => {
            let of = named(&dtype.to_string());
            let as_what = match dtype {
                DataType::Time => "'12:30:00'",
                _ => "'2024-01-31' or '2024-01-31 12:30:00'",
            };
            polars_bail!(InvalidOperation: "'{text}' is compared with a {of}, and is none: write it as {as_what}, or CAST the column")
        }
    }
}

/// Texts as dates or times, as `CAST` reads them; fails where one is none.
pub(super) fn read(texts: Expr, dtype: &DataType) -> Expr {
    match dtype {
        DataType::Datetime(unit, None) => functions::of_text(texts, *unit, true),
        other => texts.strict_cast(other.clone()),
    }
}

/// Refuses plans that are put together, where the types of their columns do not fit.
pub(super) fn columns(schemas: &[SchemaRef], by_name: bool) -> PolarsResult<()> {
    let Some((first, others)) = schemas.split_first() else { return Ok(()) };
    for (index, (name, of_first)) in first.iter().enumerate() {
        let mut known = Sort::within(of_first).map(|sort| (sort, of_first));
        for other in others {
            let dtype = if by_name { other.get(name) } else { other.get_at_index(index).map(|(_, dtype)| dtype) };
            let Some((dtype, sort)) = dtype.and_then(|dtype| Some((dtype, Sort::within(dtype)?))) else {
                continue;
            };
            match known {
                Some((before, one)) if !alike(before, sort) => {
                    let (one, dtype) = (named(&one.to_string()), named(&dtype.to_string()));
                    polars_bail!(InvalidOperation: "`{name}` is {one}, but the column of another query that goes under it is {dtype}: CAST one of them to the type of the other")
                }
                Some(_) => {}
                None => known = Some((sort, dtype)),
            }
        }
    }
    Ok(())
}
