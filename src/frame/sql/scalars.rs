//! Subqueries that stand for a value, `n > (SELECT avg(n) FROM t)`, which polars knows in no place: each is planned by itself, and a `CASE`
//! of its type stands for it, which says which it is; in the plan that becomes the value (see `frame/order/scalars.rs`).

use super::super::order::Scalar;
use super::place::range;
use super::{Problem, parse_expr};
use polars::prelude::{DataType, PolarsError, PolarsResult, TimeUnit, polars_err};
use sqlparser::ast::{
    Expr, Query, Spanned, Statement, TableFactor, Visit, VisitMut, Visitor, VisitorMut, visit_expressions,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Plans a subquery, and gives the type of its value.
pub(super) type Plan<'a> = &'a mut dyn FnMut(&str) -> PolarsResult<DataType>;

/// Whether there is any.
pub(super) fn are_in(statement: &Statement) -> bool {
    visit_expressions(statement, |expr| match expr {
        Expr::Subquery(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// What is wrong with subqueries in a statement or expression.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    let mut found = Vec::new();
    let everywhere = tables_of(ast);
    let _ = visit_expressions(ast, |expr| {
        match expr {
            Expr::Subquery(query) => found.extend(of_around(text, query, &everywhere, "in the place of a value")),
            Expr::InSubquery { subquery, .. } => found.extend(of_around(text, subquery, &everywhere, "of IN")),
            _ => {}
        }
        if let Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } = expr
            && matches!(right.as_ref(), Expr::Subquery(_))
        {
            let message = "ANY and ALL are not known over a subquery: write IN, or compare with its MIN or MAX";
            found.push(Problem::syntax(message, range(text, right.span())));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// A column that a subquery takes from a table of the query around it.
fn around(query: &Query, everywhere: &BTreeSet<String>) -> Option<String> {
    let own = tables_of(query);
    let column = visit_expressions(query, |expr| match expr {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, _, ..] if everywhere.contains(&table.value) && !own.contains(&table.value) => {
                ControlFlow::Break(expr.to_string())
            }
            _ => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Continue(()),
    });
    column.break_value()
}

/// Such a column, which polars would take for that of a table of that name.
fn of_around(text: &str, query: &Query, everywhere: &BTreeSet<String>, which: &str) -> Option<Problem> {
    let column = around(query, everywhere)?;
    let message = format!(
        "a subquery {which} stands by itself, and cannot use `{column}` of the query around it: join its table instead"
    );
    Some(Problem::syntax(message, range(text, query.span())))
}

/// The names by which a query's columns can be told apart by table.
fn tables_of<T: Visit>(ast: &T) -> BTreeSet<String> {
    struct Tables(BTreeSet<String>);
    impl Visitor for Tables {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            match factor {
                TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
                    self.0.insert(alias.name.value.clone());
                }
                TableFactor::Table { name, .. } => {
                    self.0.insert(name.to_string().trim_matches('"').to_owned());
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut tables = Tables(BTreeSet::new());
    let _ = ast.visit(&mut tables);
    tables.0
}

/// Puts what stands for them in the places of a query's subqueries, and plans each.
pub(super) fn take(statement: &mut Statement, plan: Plan<'_>) -> PolarsResult<()> {
    let Statement::Query(query) = statement else { return Ok(()) };
    match (Taker { plan, tables: Vec::new(), count: 0, done: 0 }).query(query) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Taker<'a> {
    plan: Plan<'a>,
    /// The tables of `WITH` that can be named, as they are written.
    tables: Vec<String>,
    count: usize,
    /// How deep it is in queries that are done.
    done: usize,
}

impl Taker<'_> {
    fn query(&mut self, query: &mut Query) -> ControlFlow<PolarsError> {
        let (known, done) = (self.tables.len(), std::mem::take(&mut self.done));
        for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            self.query(&mut table.query)?;
            self.tables.push(table.to_string());
        }
        VisitMut::visit(&mut query.body, self)?;
        VisitMut::visit(&mut query.order_by, self)?;
        self.tables.truncate(known);
        self.done = done;
        ControlFlow::Continue(())
    }

    /// What stands for the value of a subquery whose own subqueries are done.
    fn value(&mut self, query: &Query) -> PolarsResult<Expr> {
        let own = query.with.iter().flat_map(|with| &with.cte_tables).map(ToString::to_string);
        let tables: Vec<String> = self.tables.iter().cloned().chain(own).collect();
        let body = Query { with: None, ..query.clone() };
        let text = match tables.as_slice() {
            [] => body.to_string(),
            tables => format!("WITH {} {body}", tables.join(", ")),
        };
        let dtype = (self.plan)(&text)?;
        let mark = Scalar::mark(self.count);
        self.count += 1;
        let null = written(&dtype).map_or("NULL".to_owned(), |dtype| format!("CAST(NULL AS {dtype})"));
        parse_expr(&format!("CASE WHEN '{mark}' IS NULL THEN {null} END"))
            .map_err(|problem| polars_err!(SQLSyntax: "{}", problem.message))
    }
}

impl VisitorMut for Taker<'_> {
    type Break = PolarsError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<PolarsError> {
        if self.done == 0 {
            self.query(query)?;
        }
        self.done += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<PolarsError> {
        self.done -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PolarsError> {
        if self.done > 0 {
            return ControlFlow::Continue(());
        }
        let Expr::Subquery(query) = expr else { return ControlFlow::Continue(()) };
        self.query(query)?;
        match self.value(query) {
            Ok(value) => *expr = value,
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// A type as SQL has it; of others polars learns when the value is there.
fn written(dtype: &DataType) -> Option<String> {
    let name = match dtype {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::Int128 => "INT128",
        DataType::UInt8 => "UTINYINT",
        DataType::UInt16 => "USMALLINT",
        DataType::UInt32 => "INT UNSIGNED",
        DataType::UInt64 => "UBIGINT",
        DataType::Float32 => "REAL",
        DataType::Float64 => "DOUBLE",
        DataType::String => "VARCHAR",
        DataType::Binary => "BYTEA",
        DataType::Date => "DATE",
        DataType::Time => "TIME",
        DataType::Datetime(TimeUnit::Milliseconds, None) => "TIMESTAMP(3)",
        DataType::Datetime(TimeUnit::Microseconds, None) => "TIMESTAMP(6)",
        DataType::Datetime(TimeUnit::Nanoseconds, None) => "TIMESTAMP(9)",
        DataType::Decimal(precision, scale) => return Some(format!("DECIMAL({precision}, {scale})")),
        _ => return None,
    };
    Some(name.to_owned())
}
