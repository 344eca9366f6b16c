//! Expressions that mean something else to polars than to databases, in words of which both mean the same.

use super::super::functions::{LEFT, RIGHT};
use super::calls::{arguments, name_of, of};
use super::conditions::nested;
use super::forms::marked;
use super::place::of_expr;
use super::{Problem, aggregates, constants, matches, moments, parse_expr, ranks, rows};
use sqlparser::ast::{
    BinaryOperator, Expr, Function, Select, Spanned, UnaryOperator, Value, Visit, VisitMut, VisitorMut,
    visit_expressions,
};
use std::ops::ControlFlow;

/// Writes them so; says whether there was one.
pub(super) fn written<T: VisitMut>(ast: &mut T) -> Result<bool, String> {
    let mut writer = Writer { any: false };
    match VisitMut::visit(ast, &mut writer) {
        ControlFlow::Continue(()) => Ok(writer.any),
        ControlFlow::Break(message) => Err(message),
    }
}

/// What is wrong with them.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    let mut found = Vec::new();
    let _ = visit_expressions(ast, |expr| {
        let wrong = if compares_nothing(expr) { Err(OF_NOTHING.to_owned()) } else { meant(expr).map(drop) };
        if let Err(message) = wrong {
            let place = match expr {
                Expr::Function(call) => super::place::range(text, call.name.span()),
                expr => of_expr(text, expr),
            };
            found.push(Problem::syntax(message, place));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

struct Writer {
    any: bool,
}

impl VisitorMut for Writer {
    type Break = String;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        match meant(expr) {
            Ok(Some(meant)) => {
                *expr = meant;
                self.any = true;
            }
            Ok(None) => {}
            Err(message) => return ControlFlow::Break(message),
        }
        ControlFlow::Continue(())
    }

    /// Of a condition that compares two constants polars compares the texts: `NULL = NULL`, `1 = 1.0`. In brackets it does not.
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<String> {
        if compares_values(select)
            && let Some(condition) = &mut select.selection
        {
            *condition = nested(condition.clone());
            self.any = true;
        }
        ControlFlow::Continue(())
    }
}

/// Whether the condition of a `SELECT` compares two constants.
pub(super) fn compares_values(select: &Select) -> bool {
    matches!(&select.selection, Some(Expr::BinaryOp { left, right, .. }) if is_value(left) && is_value(right))
}

/// What is said of a column that is compared with nothing. Databases take it, and no row passes.
const OF_NOTHING: &str = "a comparison with NULL is true of no row: write `a IS NULL` or `a IS NOT NULL`";

fn compares_nothing(expr: &Expr) -> bool {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq | BinaryOperator::NotEq, right } = expr else { return false };
    let is_column = |side: &Expr| matches!(side, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    let is_nothing = |side: &Expr| matches!(side, Expr::Value(value) if matches!(value.value, Value::Null));
    (is_column(left) && is_nothing(right)) || (is_nothing(left) && is_column(right))
}

/// Whether an expression means something else to polars, or is refused.
pub(super) fn has_another(expr: &Expr) -> bool {
    compares_nothing(expr) || !matches!(meant(expr), Ok(None))
}

fn is_value(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(_))
}

/// What an expression means; `None` where that is what polars takes it for.
fn meant(expr: &Expr) -> Result<Option<Expr>, String> {
    if let Expr::Function(call) = expr {
        return called(call);
    }
    let other = match moments::meant(expr)? {
        None => match matches::meant(expr)? {
            None => rows::meant(expr)?,
            pattern => pattern,
        },
        interval => interval,
    };
    Ok(other.or_else(|| constants::folded(expr)).or_else(|| plainly(expr)))
}

/// What is meant by calls of one sort.
type Sort = fn(&Function) -> Result<Option<Expr>, String>;

fn called(call: &Function) -> Result<Option<Expr>, String> {
    let sorts: [Sort; 4] = [ranks::meant, aggregates::meant, moments::called, matches::called];
    for sort in sorts {
        if let Some(found) = sort(call)? {
            return Ok(Some(found));
        }
    }
    Ok(if call.over.is_none() { otherwise_called(call) } else { None })
}

fn plainly(expr: &Expr) -> Option<Expr> {
    let read = |text: String| parse_expr(&text).ok();
    match expr {
        // Of a missing value as well they are true or false.
        Expr::IsTrue(of) => read(format!("COALESCE(({of}) = TRUE, FALSE)")),
        Expr::IsFalse(of) => read(format!("COALESCE(({of}) = FALSE, FALSE)")),
        Expr::IsNotTrue(of) => read(format!("(NOT COALESCE(({of}) = TRUE, FALSE))")),
        Expr::IsNotFalse(of) => read(format!("(NOT COALESCE(({of}) = FALSE, FALSE))")),
        Expr::IsUnknown(of) => Some(Expr::IsNull(of.clone())),
        Expr::IsNotUnknown(of) => Some(Expr::IsNotNull(of.clone())),
        // What begins before the first character begins with it, and does not count from the end.
        Expr::Substring { substring_from: Some(from), substring_for: None, .. } if !is_number(from) => {
            let first = read(format!("CASE WHEN {from} < 1 THEN 1 ELSE {from} END"))?;
            let mut whole = expr.clone();
            if let Expr::Substring { substring_from, .. } = &mut whole {
                *substring_from = Some(Box::new(first));
            }
            Some(whole)
        }
        // What is left over has the sign of what is divided, so the rest divides without one.
        Expr::BinaryOp { left, op: BinaryOperator::DuckIntegerDivide, right } => read(divided(left, right)),
        // A list of numbers is of one type.
        Expr::InList { list, .. } if list.iter().any(is_fraction) && list.iter().any(|of| !is_fraction(of)) => {
            let mut whole = expr.clone();
            if let Expr::InList { list, .. } = &mut whole {
                list.iter_mut().for_each(with_point);
            }
            Some(whole)
        }
        Expr::Value(value) => match &value.value {
            // What was written in another way is a text as any other.
            Value::EscapedStringLiteral(text)
            | Value::NationalStringLiteral(text)
            | Value::UnicodeStringLiteral(text) => Some(Expr::value(Value::SingleQuotedString(text.clone()))),
            // polars reads no exponents.
            Value::Number(text, long) if text.contains(['e', 'E']) => {
                let mut plain = format!("{}", text.parse::<f64>().ok().filter(|value| value.is_finite())?);
                if !plain.contains('.') {
                    plain.push_str(".0");
                }
                Some(Expr::value(Value::Number(plain, *long)))
            }
            _ => None,
        },
        _ => None,
    }
}

fn divided(left: &Expr, right: &Expr) -> String {
    format!("((({left}) - ({left}) % ({right})) // ({right}))")
}

fn is_fraction(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(&value.value, Value::Number(text, _) if text.contains('.')),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => is_fraction(expr),
        _ => false,
    }
}

/// A whole number as one with a fraction.
fn with_point(expr: &mut Expr) {
    match expr {
        Expr::Value(value) => {
            if let Value::Number(text, _) = &mut value.value
                && !text.contains('.')
            {
                text.push_str(".0");
            }
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => with_point(expr),
        _ => {}
    }
}

/// A number as it is written, with or without a sign.
fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Number(..) | Value::Null),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => is_number(expr),
        _ => false,
    }
}

/// Whether a constant is written so, as a text or a number.
fn is_text(expr: &Expr, written: &str) -> bool {
    match expr {
        Expr::Value(value) => {
            matches!(&value.value, Value::SingleQuotedString(text) | Value::Number(text, _) if text == written)
        }
        _ => false,
    }
}

/// Functions that have another name here, or another order of what they are of.
fn otherwise_called(call: &Function) -> Option<Expr> {
    let arguments = arguments(call)?;
    let owned = || arguments.iter().map(|argument| (*argument).clone()).collect::<Vec<Expr>>();
    let renamed = |name: &str| Some(Expr::Function(of(call, name, owned())));
    match (&*name_of(call), arguments.as_slice()) {
        ("div", &[left, right]) => parse_expr(&divided(left, right)).ok(),
        // Of a missing text no characters are missing too.
        ("left", &[_, count]) if !is_number(count) || is_text(count, "0") => Some(marked(owned(), LEFT.to_owned())),
        // Nothing stands in no place; polars finds it beside each character.
        ("replace", &[text, from, Expr::Value(with)]) if is_text(from, "") && with.value != Value::Null => {
            Some(nested(text.clone()))
        }
        ("right", &[_, _]) => Some(marked(owned(), RIGHT.to_owned())),
        // The base comes first, and is 10 where none is given.
        ("log", &[base, number]) => Some(Expr::Function(of(call, "LOG", vec![number.clone(), base.clone()]))),
        ("log", &[_]) => renamed("LOG10"),
        ("nvl", &[_, _]) => renamed("IFNULL"),
        ("iif", &[_, _, _]) => renamed("IF"),
        ("len", &[_]) => renamed("LENGTH"),
        ("lcase", &[_]) => renamed("LOWER"),
        ("ucase", &[_]) => renamed("UPPER"),
        ("instr", &[_, _]) => renamed("STRPOS"),
        ("contains", &[text, part]) => parse_expr(&format!("(strpos({text}, {part}) > 0)")).ok(),
        _ => None,
    }
}
