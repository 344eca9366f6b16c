//! Windows that have a name, `OVER w … WINDOW w AS (…)`, are written out where they are used: polars takes some of their functions for
//! others. And functions that polars does not know in a window, or in its order, although it says nothing.

use super::calls::{is_one_of, name_of};
use super::place::{range, word_like};
use super::{Problem, parse_expr};
use sqlparser::ast::{
    Expr, Function, NamedWindowDefinition, NamedWindowExpr, Query, Select, Spanned, Visit, VisitMut, VisitorMut,
    WindowSpec, WindowType, visit_expressions,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Writes them out; says whether there was one.
pub(super) fn written_out<T: VisitMut>(ast: &mut T) -> Result<bool, String> {
    let mut writer = Writer { known: Vec::new(), any: false };
    match VisitMut::visit(ast, &mut writer) {
        ControlFlow::Continue(()) => Ok(writer.any),
        ControlFlow::Break(message) => Err(message),
    }
}

struct Writer {
    /// The windows of the query that is looked at, and of those around it.
    known: Vec<BTreeMap<String, WindowSpec>>,
    any: bool,
}

impl Writer {
    fn named(&self, name: &str) -> Result<WindowSpec, String> {
        let found = self.known.last().and_then(|known| known.get(name)).cloned();
        found.ok_or_else(|| format!("there is no window `{name}`: define it with `WINDOW {name} AS (…)`"))
    }

    /// A window that goes on from one with a name.
    fn whole(&self, window: &WindowSpec) -> Result<WindowSpec, String> {
        let Some(name) = &window.window_name else { return Ok(window.clone()) };
        let mut whole = self.named(&name.value)?;
        if !window.partition_by.is_empty() || whole.window_frame.is_some() {
            return Err(format!(
                "a window that begins with `{}` adds an ORDER BY or a frame, and no groups",
                name.value
            ));
        }
        if !window.order_by.is_empty() {
            whole.order_by.clone_from(&window.order_by);
        }
        whole.window_frame.clone_from(&window.window_frame);
        Ok(whole)
    }

    fn learn(&mut self, NamedWindowDefinition(name, window): NamedWindowDefinition) -> Result<(), String> {
        let whole = match &window {
            NamedWindowExpr::NamedWindow(other) => self.named(&other.value)?,
            NamedWindowExpr::WindowSpec(window) => self.whole(window)?,
        };
        if let Some(known) = self.known.last_mut() {
            known.insert(name.value, whole);
        }
        Ok(())
    }
}

impl VisitorMut for Writer {
    type Break = String;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<String> {
        self.known.push(BTreeMap::new());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<String> {
        self.known.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<String> {
        self.any |= !select.named_window.is_empty();
        self.known.last_mut().into_iter().for_each(BTreeMap::clear);
        for definition in std::mem::take(&mut select.named_window) {
            if let Err(message) = self.learn(definition) {
                return ControlFlow::Break(message);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        let whole = match &call.over {
            Some(WindowType::NamedWindow(name)) => self.named(&name.value),
            Some(WindowType::WindowSpec(window)) if window.window_name.is_some() => self.whole(window),
            _ => return ControlFlow::Continue(()),
        };
        match whole {
            Ok(window) => {
                call.over = Some(WindowType::WindowSpec(window));
                self.any = true;
                ControlFlow::Continue(())
            }
            Err(message) => ControlFlow::Break(message),
        }
    }
}

/// Functions that know groups and an order.
const IN_ORDER: &[&str] = &[
    "avg",
    "bool_and",
    "bool_or",
    "count",
    "count_if",
    "cume_dist",
    "dense_rank",
    "every",
    "first",
    "first_value",
    "lag",
    "last",
    "last_value",
    "lead",
    "max",
    "mean",
    "min",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "stdev",
    "stdev_samp",
    "sum",
    "var",
    "var_pop",
    "var_samp",
    "variance",
];

/// Functions that know groups alone.
const IN_GROUPS: &[&str] = &["median", "total"];

/// What is wrong with the functions of windows, which are written out.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    let mut found = Vec::new();
    let _ = visit_expressions(ast, |expr| {
        if let Expr::Function(call) = expr
            && let Some(message) = wrong(call)
        {
            found.push(Problem::syntax(message, range(text, call.name.span())));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

fn wrong(call: &Function) -> Option<String> {
    let Some(WindowType::WindowSpec(window)) = &call.over else { return None };
    if window.window_frame.is_some() || is_one_of(call, IN_ORDER) {
        return None;
    }
    let name = name_of(call);
    // Of all rows they are the same with a window and without.
    let of_all = window.partition_by.is_empty() && window.order_by.is_empty();
    if !is_one_of(call, IN_GROUPS) && !of_all {
        return Some(format!("`{name}` is not known in a window: compute it by GROUP BY in a `WITH`, and join that"));
    }
    (!window.order_by.is_empty())
        .then(|| format!("`{name}` in a window is of the whole group: leave the ORDER BY out of its OVER"))
}

/// What is wrong with the function of a window whose OVER is made of other fields. What cannot be read is told elsewhere.
#[must_use]
pub fn function_problems(text: &str) -> Vec<Problem> {
    let (message, place) = match parse_expr(text) {
        Ok(Expr::Function(call)) if call.over.is_none() => return Vec::new(),
        Ok(Expr::Function(_)) => (
            "OVER is made of the step's `by`, `order`, `rows` and `range`: write the function alone",
            word_like(text, "over"),
        ),
        Ok(_) => (
            "a window is of one function, such as `sum(n)`: a step `derive` after this one computes with its column",
            Some(0..text.len()),
        ),
        Err(_) => return Vec::new(),
    };
    vec![Problem::syntax(message, place)]
}
