//! Window functions that polars' SQL does not have, in words that it has: places among all rows of a group, and the rows
//! before and behind with a value where there is none.

use super::calls::{arguments, name_of};
use super::parse_expr;
use sqlparser::ast::{Expr, Function, Value, WindowSpec, WindowType};

/// What a call of a window function means; `None` where polars has it so.
pub(super) fn meant(call: &Function) -> Result<Option<Expr>, String> {
    let Some(WindowType::WindowSpec(window)) = &call.over else { return Ok(None) };
    let name = name_of(call);
    if !matches!(&*name, "ntile" | "percent_rank" | "cume_dist" | "lag" | "lead") {
        return Ok(None);
    }
    let arguments = arguments(call).unwrap_or_default();
    if window.order_by.is_empty() {
        return Err(format!("`{name}` is of an order: write `OVER (ORDER BY …)`"));
    }
    let all = all_rows(window);
    let text = match (&*name, arguments.as_slice()) {
        ("ntile", &[count]) => {
            if whole(count).is_none_or(|count| count < 1) {
                return Err(format!("`ntile` takes a number of parts, such as `ntile(4)`, found `{count}`"));
            }
            ntile(window, &all, count)
        }
        ("percent_rank", &[]) => {
            format!("CASE WHEN {all} > 1 THEN (rank() OVER ({window}) - 1) / ({all} - 1) ELSE 0.0 END")
        }
        ("cume_dist", &[]) => {
            let before = WindowSpec { window_frame: None, ..window.clone() };
            format!("count(*) OVER ({before}) / {all}")
        }
        ("lag" | "lead", &[value, offset, default]) => beside(&name, window, &all, [value, offset, default])?,
        _ => return Ok(None),
    };
    Ok(parse_expr(&format!("({text})")).ok())
}

/// How many rows a group has.
fn all_rows(window: &WindowSpec) -> String {
    let group = WindowSpec { order_by: Vec::new(), window_frame: None, ..window.clone() };
    format!("count(*) OVER ({group})")
}

fn whole(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Equal parts of a group; the first ones have one row more where it does not come out even.
fn ntile(window: &WindowSpec, all: &str, count: &Expr) -> String {
    let before = format!("(row_number() OVER ({window}) - 1)");
    let (least, more) = (format!("({all} // {count})"), format!("({all} % {count})"));
    format!(
        "CASE WHEN {before} < {more} * ({least} + 1) THEN {before} // ({least} + 1) + 1 \
         ELSE {more} + ({before} - {more} * ({least} + 1)) // {least} + 1 END"
    )
}

/// The value of a row before or behind, and another where there is no such row.
fn beside(name: &str, window: &WindowSpec, all: &str, arguments: [&Expr; 3]) -> Result<String, String> {
    let [value, offset, default] = arguments;
    let Some(count) = whole(offset) else {
        return Err(format!(
            "`{name}` takes a number of rows, such as `{name}({value}, 1, {default})`, found `{offset}`"
        ));
    };
    if count == 0 {
        return Ok(value.to_string());
    }
    let row = format!("row_number() OVER ({window})");
    let is_there = match name {
        "lag" => format!("{row} > {count}"),
        _ => format!("{all} - {row} >= {count}"),
    };
    Ok(format!("CASE WHEN {is_there} THEN {name}({value}, {count}) OVER ({window}) ELSE {default} END"))
}
