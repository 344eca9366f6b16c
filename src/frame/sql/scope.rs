//! Whose a column is that an inner query names: its own, or one of the row around it; and what it compares with that row.

use super::columns::{Columns, Tables, joined};
use super::conditions::binary;
use super::holds::is_grouped;
use sqlparser::ast::{BinaryOperator, Expr, Ident, Query, Select, SelectItem, Visit, Visitor, visit_expressions};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// The tables of a `SELECT`, each with the number of what it stands in.
#[derive(Default)]
pub(super) struct Scope<'a> {
    tables: Vec<(usize, String, Columns<'a>)>,
    /// Whether there can be columns that are not known.
    open: bool,
}

impl<'a> Scope<'a> {
    pub(super) fn of(select: &Select, tables: &Tables<'a>) -> Self {
        let mut scope = Self::default();
        for (item, from) in select.from.iter().enumerate() {
            for factor in joined(from) {
                let Some((name, columns)) = tables.of_factor(factor) else {
                    scope.open = true;
                    continue;
                };
                scope.open |= columns.open;
                scope.tables.push((item, name, columns));
            }
        }
        scope
    }

    /// Where the table of a column stands.
    fn place(&self, expr: &Expr) -> Option<usize> {
        let found = match expr {
            Expr::CompoundIdentifier(parts) => {
                self.tables.iter().find(|(_, name, _)| parts.first().is_some_and(|first| first.value == *name))
            }
            Expr::Identifier(column) => self.tables.iter().find(|(_, _, columns)| columns.contains(&column.value)),
            _ => None,
        };
        found.map(|(item, ..)| *item)
    }

    /// Whether a query asks of the row around it, or it cannot be told.
    pub(super) fn is_of_around(query: &Query, tables: &Tables<'a>) -> bool {
        query.visit(&mut Search { tables: tables.clone(), scopes: Vec::new(), made: BTreeSet::new() }).is_break()
    }
}

/// Looks for a column of no table of a query.
struct Search<'a> {
    tables: Tables<'a>,
    scopes: Vec<Scope<'a>>,
    /// What groups are given as.
    made: BTreeSet<String>,
}

impl Visitor for Search<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.tables.learn(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.scopes.push(Scope::of(select, &self.tables));
        if is_grouped(select) {
            self.made.extend(select.projection.iter().filter_map(|item| match item {
                SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
                _ => None,
            }));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &Select) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let is_known = match expr {
            Expr::Identifier(name) if self.made.contains(&name.value) => true,
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                self.scopes.is_empty() || self.scopes.iter().any(|scope| scope.place(expr).is_some())
            }
            _ => true,
        };
        if is_known { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Whose columns a part of an inner query has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Inner,
    /// Of the query around, in what stands at this place of its `FROM`.
    Outer(usize),
    Mixed,
}

pub(super) fn whose(expr: &Expr, inner: &Scope<'_>, outer: &Scope<'_>) -> Whose {
    let mut found: Option<Whose> = None;
    let _ = visit_expressions(expr, |expr| {
        let one = match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => match (inner.place(expr), outer.place(expr)) {
                (Some(_), _) => Whose::Inner,
                // It may be one of the inner query's that is not known.
                (None, _) if inner.open && matches!(expr, Expr::Identifier(_)) => Whose::Mixed,
                (None, Some(item)) => Whose::Outer(item),
                (None, None) => Whose::Mixed,
            },
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => Whose::Mixed,
            _ => return ControlFlow::<()>::Continue(()),
        };
        found = Some(match found {
            None => one,
            Some(before) if before == one => one,
            Some(_) => Whose::Mixed,
        });
        ControlFlow::Continue(())
    });
    // What has no column at all is asked inside.
    found.unwrap_or(Whose::Inner)
}

/// What the tables of joins are called; a number follows.
pub(super) const CALLED: &str = "__kilter_exists_";

/// What the table of a join is called.
pub(super) fn called(number: usize) -> Ident {
    Ident::new(format!("{CALLED}{number}"))
}

/// What an inner query compares with the row around it.
pub(super) struct Pairs<'a> {
    inner: &'a Scope<'a>,
    outer: &'a Scope<'a>,
    /// What the outer columns stand in.
    pub(super) item: Option<usize>,
    pub(super) on: Vec<Expr>,
    /// What of the inner query is compared.
    pub(super) columns: Vec<SelectItem>,
    number: usize,
}

impl<'a> Pairs<'a> {
    /// For the join of this number.
    pub(super) fn new(inner: &'a Scope<'a>, outer: &'a Scope<'a>, number: usize) -> Self {
        Self { inner, outer, item: None, on: Vec::new(), columns: Vec::new(), number }
    }

    /// A comparison; `None` where it is none of the one with the other.
    pub(super) fn add(&mut self, part: &Expr) -> Option<()> {
        use BinaryOperator as B;
        let Expr::BinaryOp { left, op: op @ (B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq), right } = part
        else {
            return None;
        };
        let sides = (whose(left, self.inner, self.outer), whose(right, self.inner, self.outer));
        let (item, left, right) = match sides {
            (Whose::Inner, Whose::Outer(item)) => (item, self.column(left), right.as_ref().clone()),
            (Whose::Outer(item), Whose::Inner) => (item, left.as_ref().clone(), self.column(right)),
            _ => return None,
        };
        self.stands_in(item)?;
        self.on.push(binary(left, op.clone(), right));
        Some(())
    }

    /// All of the outer columns stand in one place.
    fn stands_in(&mut self, item: usize) -> Option<()> {
        (*self.item.get_or_insert(item) == item).then_some(())
    }

    /// A value of the row around that is equal to a column of the inner query.
    pub(super) fn equal(&mut self, value: &Expr, column: &Expr) -> Option<()> {
        if whose(column, self.inner, self.outer) != Whose::Inner {
            return None;
        }
        let column = self.column(column);
        self.beside(value, column)
    }

    /// A value of the row around that is equal to a column that is joined.
    pub(super) fn beside(&mut self, value: &Expr, column: Expr) -> Option<()> {
        let Whose::Outer(item) = whose(value, &Scope::default(), self.outer) else { return None };
        self.stands_in(item)?;
        self.on.push(binary(value.clone(), BinaryOperator::Eq, column));
        Some(())
    }

    /// What stands for a part of the inner query where it is joined.
    pub(super) fn column(&mut self, expr: &Expr) -> Expr {
        let name = Ident::new(format!("__kilter_on_{}_{}", self.number, self.columns.len()));
        self.columns.push(SelectItem::ExprWithAlias { expr: expr.clone(), alias: name.clone() });
        Expr::CompoundIdentifier(vec![called(self.number), name])
    }
}
