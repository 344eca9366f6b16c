//! Joins `USING` columns: they are one column each, which `*` has once. polars keeps those of both tables, and takes the left one's where
//! only the right one has a row.

use super::columns::leave_out;
use super::place::range;
use super::smallest::constraint;
use super::{Problem, parse_expr, walks};
use sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, OrderByExpr, OrderByKind, Query, ReplaceSelectElement,
    ReplaceSelectItem, Select, SelectItem, SetExpr, TableFactor, Visit, VisitMut, VisitorMut,
    WildcardAdditionalOptions,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Writes them so; says whether there was one.
pub(super) fn written<T: VisitMut>(ast: &mut T) -> bool {
    let mut writer = Writer { any: false };
    let _ = VisitMut::visit(ast, &mut writer);
    writer.any
}

/// What is wrong with them.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    let mut found = Vec::new();
    walks::selects(ast, |select| {
        for from in &select.from {
            let mut of_both: Vec<&str> = Vec::new();
            for join in &from.joins {
                for name in used(join) {
                    if of_both.contains(&name.value.as_str()) {
                        let message = format!(
                            "`{}` is of both tables of the RIGHT or FULL JOIN before it: make that join in a `WITH` first",
                            name.value
                        );
                        found.push(Problem::syntax(message, range(text, name.span)));
                    }
                }
                if keeps_right(join) {
                    of_both.extend(used(join).into_iter().map(|name| name.value.as_str()));
                }
            }
        }
    });
    found
}

/// The columns that a join uses.
fn used(join: &Join) -> Vec<&Ident> {
    match constraint(&join.join_operator) {
        Some(JoinConstraint::Using(names)) => {
            names.iter().filter_map(|name| name.0.first().and_then(|part| part.as_ident())).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether rows of the right table stay that match nothing.
fn keeps_right(join: &Join) -> bool {
    use JoinOperator as J;
    matches!(join.join_operator, J::Right(_) | J::RightOuter(_) | J::FullOuter(_))
}

/// Whether a join gives no columns of one of its tables.
fn has_one_side(join: &Join) -> bool {
    use JoinOperator as J;
    matches!(
        join.join_operator,
        J::Semi(_) | J::LeftSemi(_) | J::RightSemi(_) | J::Anti(_) | J::LeftAnti(_) | J::RightAnti(_)
    )
}

/// What a table is called.
pub(super) fn called(factor: &TableFactor) -> Option<&Ident> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(&alias.name)
        }
        TableFactor::Table { name, .. } => name.0.first()?.as_ident(),
        _ => None,
    }
}

/// The columns that joins use, each with what it is.
#[derive(Default)]
struct Columns {
    /// Those of which not every row has the left table's.
    merged: BTreeMap<String, Expr>,
    /// What polars calls those of the right tables.
    others: Vec<String>,
}

impl Columns {
    fn of(select: &Select) -> Self {
        let mut columns = Self::default();
        for join in select.from.iter().flat_map(|from| &from.joins).filter(|join| !has_one_side(join)) {
            let Some(table) = called(&join.relation) else { continue };
            for name in used(join) {
                columns.others.push(format!("{}:{}", name.value, table.value));
                let both = format!("COALESCE({}, {}.{})", quoted(name), quoted(table), quoted(name));
                if let (true, Ok(both)) = (keeps_right(join), parse_expr(&both)) {
                    columns.merged.insert(name.value.clone(), both);
                }
            }
        }
        columns
    }

    /// A `*` that has each once.
    fn once(&self, options: &mut WildcardAdditionalOptions) {
        leave_out(options, self.others.iter().map(|name| Ident::with_quote('"', name)));
        let items = &mut options.opt_replace.get_or_insert_with(|| ReplaceSelectItem { items: Vec::new() }).items;
        for (name, both) in &self.merged {
            if items.iter().all(|item| item.column_name.value != *name) {
                let column_name = Ident::with_quote('"', name);
                items.push(Box::new(ReplaceSelectElement { expr: both.clone(), column_name, as_keyword: true }));
            }
        }
        options.opt_replace.take_if(|replace| replace.items.is_empty());
    }
}

fn quoted(name: &Ident) -> Ident {
    Ident::with_quote('"', &name.value)
}

struct Writer {
    any: bool,
}

impl VisitorMut for Writer {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let SetExpr::Select(select) = &*query.body else { return ControlFlow::Continue(()) };
        let columns = Columns::of(select);
        if let Some(order) = &mut query.order_by
            && let OrderByKind::Expressions(by) = &mut order.kind
        {
            for OrderByExpr { expr, .. } in by {
                // A name that the query gives is that column already.
                let given = matches!(expr, Expr::Identifier(name) if gives(select, &name.value));
                if !given {
                    let _ = VisitMut::visit(expr, &mut Names { columns: &columns, inside: 0 });
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let columns = Columns::of(select);
        if columns.others.is_empty() {
            return ControlFlow::Continue(());
        }
        self.any = true;
        for item in &mut select.projection {
            match item {
                SelectItem::Wildcard(options) => columns.once(options),
                SelectItem::UnnamedExpr(Expr::Identifier(name)) => {
                    if let Some(both) = columns.merged.get(&name.value) {
                        *item = SelectItem::ExprWithAlias { expr: both.clone(), alias: name.clone() };
                    }
                }
                _ => {
                    let _ = VisitMut::visit(item, &mut Names { columns: &columns, inside: 0 });
                }
            }
        }
        let mut names = Names { columns: &columns, inside: 0 };
        let _ = VisitMut::visit(&mut select.selection, &mut names);
        let _ = VisitMut::visit(&mut select.group_by, &mut names);
        let _ = VisitMut::visit(&mut select.having, &mut names);
        let _ = VisitMut::visit(&mut select.qualify, &mut names);
        ControlFlow::Continue(())
    }
}

/// Whether a `SELECT` gives a column of this name.
fn gives(select: &Select, name: &str) -> bool {
    select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => column.value == name,
        SelectItem::ExprWithAlias { alias, .. } => alias.value == name,
        SelectItem::Wildcard(_) => true,
        _ => false,
    })
}

/// Puts what the columns are in the places of their names.
struct Names<'a> {
    columns: &'a Columns,
    inside: usize,
}

impl VisitorMut for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.inside += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.inside -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && self.inside == 0
            && let Some(both) = self.columns.merged.get(&name.value)
        {
            *expr = both.clone();
        }
        ControlFlow::Continue(())
    }
}
