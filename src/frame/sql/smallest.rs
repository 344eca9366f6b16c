//! Where in a query or an expression polars' complaint comes from: the smallest part that alone fails with the same words.

use super::columns::factors;
use super::conditions::conjuncts;
use super::place;
use sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, ObjectName, Query, Select, SelectItem, SetExpr, Statement, TableFactor,
    TableWithJoins, Visit, Visitor,
};
use std::ops::{ControlFlow, Range};

/// So many parts are tried at most.
const MOST_TRIED: usize = 500;

/// What polars says of a query (or an expression, where the whole is one); `None` where nothing is wrong with it.
pub(super) type Said<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The place in an expression where `said` comes from.
pub(super) fn in_expr(text: &str, expr: &Expr, said: &str, of: Said<'_>) -> Option<Range<usize>> {
    let mut search = Search { text, said, of, tables: None, tried: 0 };
    found(search.parts(expr, None))
}

/// The place in a query where `said` comes from.
pub(super) fn in_query(text: &str, statement: &Statement, said: &str, of: Said<'_>) -> Option<Range<usize>> {
    let Statement::Query(query) = statement else { return None };
    let mut search = Search { text, said, of, tables: Some(Vec::new()), tried: 0 };
    found(search.query(query))
}

type Flow = ControlFlow<Range<usize>>;

fn found(flow: Flow) -> Option<Range<usize>> {
    match flow {
        ControlFlow::Break(range) => Some(range),
        ControlFlow::Continue(()) => None,
    }
}

struct Search<'a> {
    text: &'a str,
    said: &'a str,
    of: Said<'a>,
    /// The tables of `WITH` that can be named, as they are written; `None` in an expression by itself.
    tables: Option<Vec<String>>,
    tried: usize,
}

impl Search<'_> {
    /// Whether a text fails in the same way. The tables of `WITH` come before it.
    fn fails(&mut self, text: &str) -> bool {
        self.tried += 1;
        if self.tried > MOST_TRIED {
            return false;
        }
        let said = match self.tables.as_deref() {
            None | Some([]) => (self.of)(text),
            Some(tables) => (self.of)(&format!("WITH {} {text}", tables.join(", "))),
        };
        said.as_deref() == Some(self.said)
    }

    fn query(&mut self, query: &Query) -> Flow {
        let known = self.tables.as_ref().map_or(0, Vec::len);
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.query(&table.query)?;
            self.tables.iter_mut().for_each(|tables| tables.push(table.to_string()));
        }
        self.body(&query.body)?;
        self.tables.iter_mut().for_each(|tables| tables.truncate(known));
        ControlFlow::Continue(())
    }

    fn body(&mut self, body: &SetExpr) -> Flow {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left)?;
                self.body(right)?;
                match self.fails(&body.to_string()) {
                    true => self.column_of(left, right),
                    false => ControlFlow::Continue(()),
                }
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// The column of the query on the right that goes under the one on the left of which it is said that it does not fit.
    fn column_of(&self, left: &SetExpr, right: &SetExpr) -> Flow {
        let Some(name) = place::quoted(self.said) else { return ControlFlow::Continue(()) };
        let index = selected(left).iter().position(|item| called(item) == Some(name.as_str()));
        let item = index.and_then(|index| selected(right).get(index));
        match item {
            Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => self.told(expr),
            _ => ControlFlow::Continue(()),
        }
    }

    fn select(&mut self, select: &Select) -> Flow {
        for factor in factors(select) {
            if let TableFactor::Derived { subquery, .. } = factor {
                self.query(subquery)?;
            }
        }
        let from: Vec<String> = select.from.iter().map(ToString::to_string).collect();
        let from = if from.is_empty() { String::new() } else { format!(" FROM {}", from.join(", ")) };
        if self.fails(&format!("SELECT 1 AS value{from}")) {
            return select.from.iter().try_for_each(|from| self.joins(from));
        }
        for query in Subqueries::of(select) {
            self.query(&query)?;
        }
        self.parts(&select.projection, Some(&from))?;
        self.parts(&select.selection, Some(&from))?;
        self.parts(&select.group_by, Some(&from))?;
        self.parts(&select.having, Some(&from))?;
        for condition in select.selection.iter().flat_map(conjuncts) {
            if self.fails(&format!("SELECT 1 AS value{from} WHERE {condition}")) {
                self.told(condition)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Expressions over the tables of `from`, the innermost first.
    fn parts<T: Visit>(&mut self, of: &T, from: Option<&str>) -> Flow {
        of.visit(&mut Parts { search: self, from, inside: 0 })
    }

    /// The first join that fails, and of its conditions the one that does.
    fn joins(&mut self, from: &TableWithJoins) -> Flow {
        for count in 1..=from.joins.len() {
            let with = |join: Join| {
                let joins = from.joins[..count - 1].iter().cloned().chain([join]).collect();
                let from = TableWithJoins { relation: from.relation.clone(), joins };
                format!("SELECT 1 AS value FROM {from}")
            };
            let join = &from.joins[count - 1];
            if !self.fails(&with(join.clone())) {
                continue;
            }
            let mut alone = join.clone();
            match constraint(&join.join_operator) {
                Some(JoinConstraint::On(condition)) => {
                    for part in conjuncts(condition) {
                        set_constraint(&mut alone, JoinConstraint::On(part.clone()));
                        if self.fails(&with(alone.clone())) {
                            self.told(part)?;
                        }
                    }
                    self.told(condition)?;
                }
                Some(JoinConstraint::Using(columns)) => {
                    for column in columns {
                        set_constraint(&mut alone, JoinConstraint::Using(vec![column.clone()]));
                        if self.fails(&with(alone.clone())) {
                            self.told_name(column)?;
                        }
                    }
                }
                _ => {}
            }
            return ControlFlow::Continue(());
        }
        ControlFlow::Continue(())
    }

    fn told(&self, expr: &Expr) -> Flow {
        place::of_expr(self.text, expr).map_or(ControlFlow::Continue(()), ControlFlow::Break)
    }

    fn told_name(&self, name: &ObjectName) -> Flow {
        let ident: Option<&Ident> = name.0.first().and_then(|part| part.as_ident());
        let range = ident.and_then(|ident| place::range(self.text, ident.span));
        range.map_or(ControlFlow::Continue(()), ControlFlow::Break)
    }
}

/// What a query selects; of several that are put together the first.
fn selected(body: &SetExpr) -> &[SelectItem] {
    match body {
        SetExpr::Select(select) => &select.projection,
        SetExpr::Query(query) => selected(&query.body),
        SetExpr::SetOperation { left, .. } => selected(left),
        _ => &[],
    }
}

/// The name of what is selected, where it has one.
fn called(item: &SelectItem) -> Option<&str> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(&alias.value),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(&name.value),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(|name| name.value.as_str()),
        _ => None,
    }
}

macro_rules! constraint {
    ($join:expr) => {{
        use sqlparser::ast::JoinOperator as J;
        match $join {
            J::Join(by)
            | J::Inner(by)
            | J::Left(by)
            | J::LeftOuter(by)
            | J::Right(by)
            | J::RightOuter(by)
            | J::FullOuter(by)
            | J::Semi(by)
            | J::LeftSemi(by)
            | J::RightSemi(by)
            | J::Anti(by)
            | J::LeftAnti(by)
            | J::RightAnti(by) => Some(by),
            _ => None,
        }
    }};
}

/// What a join is made by.
pub(super) fn constraint(join: &sqlparser::ast::JoinOperator) -> Option<&JoinConstraint> {
    constraint!(join)
}

pub(super) fn constraint_mut(join: &mut sqlparser::ast::JoinOperator) -> Option<&mut JoinConstraint> {
    constraint!(join)
}

fn set_constraint(join: &mut Join, to: JoinConstraint) {
    if let Some(by) = constraint_mut(&mut join.join_operator) {
        *by = to;
    }
}

/// Tries expressions from the inside out; what is in a subquery has a scope of its own.
struct Parts<'s, 'a> {
    search: &'s mut Search<'a>,
    from: Option<&'s str>,
    inside: usize,
}

impl Visitor for Parts<'_, '_> {
    type Break = Range<usize>;

    fn pre_visit_query(&mut self, _: &Query) -> Flow {
        self.inside += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> Flow {
        self.inside -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> Flow {
        let simple = matches!(
            expr,
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) | Expr::Nested(_) | Expr::Wildcard(_)
        );
        if simple || self.inside > 0 {
            return ControlFlow::Continue(());
        }
        let text = match self.from {
            None => expr.to_string(),
            Some(from) => format!("SELECT {expr} AS value{from}"),
        };
        if self.search.fails(&text) { self.search.told(expr) } else { ControlFlow::Continue(()) }
    }
}

/// The subqueries in the expressions of a `SELECT`, not those inside of them and not those that it selects from.
#[derive(Default)]
struct Subqueries {
    inside: usize,
    found: Vec<Query>,
}

impl Subqueries {
    fn of(select: &Select) -> Vec<Query> {
        let mut found = Self::default();
        let _ = select.projection.visit(&mut found);
        let _ = select.selection.visit(&mut found);
        let _ = select.having.visit(&mut found);
        found.found
    }
}

impl Visitor for Subqueries {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if self.inside == 0 {
            self.found.push(query.clone());
        }
        self.inside += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.inside -= 1;
        ControlFlow::Continue(())
    }
}
