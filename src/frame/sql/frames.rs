//! Window functions with a frame, which polars does not know: each becomes a call over its column, the columns of its order and those of its
//! group (see `forms`).

use super::super::rolling::{Aggregate, Frame, Offset, Rolling};
use super::calls::name_of;
use super::forms::{marked, nulls_come_last, typed};
use super::place::range;
use super::{Problem, aggregates, parse_expr};
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Interval, Spanned, UnaryOperator, Value, Visit,
    WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType, visit_expressions,
};
use std::ops::ControlFlow;

/// What is wrong with the frames of a statement or expression.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    let mut found = Vec::new();
    let _ = visit_expressions(ast, |expr| {
        let Expr::Function(call) = expr else { return ControlFlow::<()>::Continue(()) };
        // Such as one with a FILTER.
        let meant = aggregates::meant(call).ok().flatten();
        let call = if let Some(Expr::Function(meant)) = &meant { meant } else { call };
        if let Some((window, reach)) = framed(call)
            && let Err(message) = rolling(call, window, &reach)
        {
            found.push(Problem::syntax(message, range(text, call.name.span())));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// The call that stands for a framed window; `None` of any other call.
pub(super) fn replaced(call: &Function) -> Result<Option<Expr>, String> {
    let Some((window, reach)) = framed(call) else { return Ok(None) };
    let (rolling, columns) = rolling(call, window, &reach)?;
    let Some(first) = columns.first().cloned() else { return Ok(None) };
    let dtype = match rolling.aggregate {
        Aggregate::Count => Some("BIGINT"),
        Aggregate::Mean | Aggregate::Var { .. } => Some("DOUBLE"),
        _ => None,
    };
    let cast = dtype.and_then(|dtype| parse_expr(&format!("CAST({first} AS {dtype})")).ok());
    Ok(Some(typed(marked(columns, rolling.mark()), cast.unwrap_or(first))))
}

/// Which rows of a group count for a row.
enum Reach {
    /// Those of the frame that is written.
    Frame(WindowFrame),
    /// In an order without a frame: up to the row itself and what is equal to it. polars has it so of nothing.
    Peers,
    /// Without an order: all.
    All,
}

/// A window that is not what polars takes it for.
fn framed(call: &Function) -> Option<(&WindowSpec, Reach)> {
    let Some(WindowType::WindowSpec(window)) = &call.over else { return None };
    if let Some(frame) = &window.window_frame {
        let to_itself = matches!(frame.end_bound, None | Some(WindowFrameBound::CurrentRow));
        let from_first = matches!(frame.start_bound, WindowFrameBound::Preceding(None));
        let peers = frame.units == WindowFrameUnits::Range && from_first && to_itself && !window.order_by.is_empty();
        return Some((window, if peers { Reach::Peers } else { Reach::Frame(frame.clone()) }));
    }
    match (aggregate_of(&name_of(call)).ok()?, window.order_by.is_empty()) {
        (Aggregate::First, _) => None,
        (_, false) => Some((window, Reach::Peers)),
        (Aggregate::Last | Aggregate::Nth(_), true) => Some((window, Reach::All)),
        (_, true) => None,
    }
}

/// What a call tells, and of which columns.
fn rolling(call: &Function, window: &WindowSpec, reach: &Reach) -> Result<(Rolling, Vec<Expr>), String> {
    let name = name_of(call);
    let aggregate = aggregate_of(&name)?;
    let (aggregate, value) = match aggregate {
        Aggregate::Nth(_) => {
            let (place, value) = nth(call)?;
            (Aggregate::Nth(place), Some(value))
        }
        aggregate => (aggregate, value_of(call, &name)?),
    };
    if value.is_none() && aggregate != Aggregate::Count {
        return Err(format!("`{name}` needs a column"));
    }
    if call.filter.is_some() || !call.within_group.is_empty() || call.null_treatment.is_some() {
        return Err("a window with a frame takes no FILTER and no treatment of nulls".to_owned());
    }
    if window.window_name.is_some() {
        return Err("a window with a frame is written out in its OVER".to_owned());
    }
    let by_range = matches!(reach, Reach::Frame(frame) if frame.units == WindowFrameUnits::Range);
    if window.order_by.is_empty() && (value.is_none() || by_range) {
        return Err("a frame needs an ORDER BY".to_owned());
    }
    if window.order_by.len() > 1 && by_range {
        return Err("a frame by RANGE goes by one column: ORDER BY a single one".to_owned());
    }
    let nulls_last: Vec<bool> = window.order_by.iter().map(nulls_come_last).collect();
    let rolling = Rolling {
        aggregate,
        frame: match reach {
            Reach::Frame(frame) => frame_of(frame)?,
            Reach::Peers => Frame::Peers,
            Reach::All => Frame::Rows { from: None, to: None },
        },
        of_column: value.is_some(),
        descending: window.order_by.iter().map(|by| by.options.asc == Some(false)).collect(),
        nulls_last,
        keys: window.partition_by.len(),
    };
    let order = window.order_by.iter().map(|by| by.expr.clone());
    Ok((rolling, value.into_iter().chain(order).chain(window.partition_by.iter().cloned()).collect()))
}

fn value_of(call: &Function, name: &str) -> Result<Option<Expr>, String> {
    let FunctionArguments::List(list) = &call.args else { return Err(format!("`{name}` needs a column")) };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return Err("a window with a frame takes no DISTINCT and no ORDER BY among its arguments".to_owned());
    }
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] | [] => Ok(None),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] => Ok(Some(value.clone())),
        _ => Err(format!("`{name}` takes one column in a window with a frame")),
    }
}

/// The place and the value of `nth_value(value, place)`.
fn nth(call: &Function) -> Result<(usize, Expr), String> {
    let wrong = "`nth_value` takes a column and a place, such as `nth_value(x, 2)`";
    let Some(&[value, place]) = super::calls::arguments(call).as_deref() else { return Err(wrong.to_owned()) };
    let count = number(place).and_then(|text| text.parse::<usize>().ok()).filter(|place| *place > 0);
    count.map(|place| (place, value.clone())).ok_or_else(|| format!("{wrong}, found `{place}`"))
}

fn aggregate_of(name: &str) -> Result<Aggregate, String> {
    let var = |ddof, root| Ok(Aggregate::Var { ddof, root });
    match name {
        "count" => Ok(Aggregate::Count),
        "sum" => Ok(Aggregate::Sum),
        "avg" | "mean" => Ok(Aggregate::Mean),
        "min" => Ok(Aggregate::Min),
        "max" => Ok(Aggregate::Max),
        "first_value" | "first" => Ok(Aggregate::First),
        "last_value" | "last" => Ok(Aggregate::Last),
        "nth_value" => Ok(Aggregate::Nth(1)),
        "variance" | "var" | "var_samp" => var(1, false),
        "var_pop" => var(0, false),
        "stddev" | "stdev" | "stddev_samp" => var(1, true),
        "stddev_pop" => var(0, true),
        _ => Err(format!(
            "`{name}` has no frame: it goes with count, sum, avg, min, max, stddev, variance, first_value, last_value and nth_value"
        )),
    }
}

fn frame_of(frame: &WindowFrame) -> Result<Frame, String> {
    let end = frame.end_bound.as_ref().unwrap_or(&WindowFrameBound::CurrentRow);
    match frame.units {
        WindowFrameUnits::Rows => {
            Ok(Frame::Rows { from: bound(&frame.start_bound, true, &rows)?, to: bound(end, false, &rows)? })
        }
        WindowFrameUnits::Range => {
            Ok(Frame::Range { from: bound(&frame.start_bound, true, &distance)?, to: bound(end, false, &distance)? })
        }
        WindowFrameUnits::Groups => Err("frames are by ROWS or by RANGE".to_owned()),
    }
}

/// One end of a frame; `None` where it is open.
fn bound<T: Offsets>(
    bound: &WindowFrameBound,
    is_start: bool,
    read: &dyn Fn(&Expr) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match bound {
        WindowFrameBound::CurrentRow => Ok(Some(T::ZERO)),
        WindowFrameBound::Preceding(Some(by)) => Ok(Some(read(by)?.negated())),
        WindowFrameBound::Following(Some(by)) => Ok(Some(read(by)?)),
        WindowFrameBound::Preceding(None) if is_start => Ok(None),
        WindowFrameBound::Following(None) if !is_start => Ok(None),
        _ => Err("a frame begins before it ends".to_owned()),
    }
}

/// Distances that have a direction.
trait Offsets {
    const ZERO: Self;
    fn negated(self) -> Self;
}

impl Offsets for i64 {
    const ZERO: Self = 0;

    fn negated(self) -> Self {
        -self
    }
}

impl Offsets for Offset {
    // Nothing is no distance in any unit.
    const ZERO: Self = Offset::Zero;

    fn negated(self) -> Self {
        match self {
            Offset::Zero => Offset::Zero,
            Offset::Int(by) => Offset::Int(-by),
            Offset::Float(by) => Offset::Float(-by),
            Offset::Micros(by) => Offset::Micros(-by),
        }
    }
}

fn number(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => Some(text.clone()),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => number(expr).map(|text| format!("-{text}")),
        _ => None,
    }
}

fn rows(expr: &Expr) -> Result<i64, String> {
    let rows = number(expr).and_then(|text| text.parse::<i64>().ok()).filter(|rows| *rows >= 0);
    rows.ok_or_else(|| format!("a frame by ROWS counts rows, found `{expr}`"))
}

fn distance(expr: &Expr) -> Result<Offset, String> {
    if let Expr::Interval(interval) = expr {
        return micros(interval).map(Offset::Micros);
    }
    let wrong =
        || format!("a frame by RANGE needs a number or an interval such as `INTERVAL '6 hours'`, found `{expr}`");
    let text = number(expr).ok_or_else(wrong)?;
    let whole = text.parse::<i64>().ok().map(Offset::Int);
    let offset = whole.or_else(|| text.parse::<f64>().ok().map(Offset::Float)).ok_or_else(wrong)?;
    match offset {
        Offset::Int(by) if by >= 0 => Ok(offset),
        Offset::Float(by) if by >= 0.0 => Ok(offset),
        _ => Err("the ends of a frame are not negative: PRECEDING and FOLLOWING say on which side they lie".to_owned()),
    }
}

/// `'6 hours'`, `'1 day'`, `'90' MINUTE`, in microseconds.
pub(super) fn micros(interval: &Interval) -> Result<i64, String> {
    let value = match interval.value.as_ref() {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => text.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    };
    let unit = interval.leading_field.as_ref().map(ToString::to_string).unwrap_or_default();
    let text = format!("{value} {unit}");
    let wrong = || {
        format!("`{}` is no length of a frame: write `INTERVAL '6 hours'`, with microseconds up to weeks", text.trim())
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let (number, unit) = match words.as_slice() {
        [number, unit] => (*number, (*unit).to_ascii_lowercase()),
        [word] => {
            let at = word.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
            (&word[..at], word[at..].to_ascii_lowercase())
        }
        _ => return Err(wrong()),
    };
    let scale: i64 = match unit.trim_end_matches('s') {
        "microsecond" | "u" => 1,
        "millisecond" | "m" if unit != "m" => 1_000,
        "" | "second" | "sec" => 1_000_000,
        "minute" | "min" | "m" => 60_000_000,
        "hour" | "h" => 3_600_000_000,
        "day" | "d" => 86_400_000_000,
        "week" | "w" => 604_800_000_000,
        _ => return Err(wrong()),
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(scale).filter(|micros| *micros >= 0).ok_or_else(wrong)
}
