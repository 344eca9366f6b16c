//! Queries of no table. SQL gives them one row: `SELECT count(*)` is 1, and `SELECT 1 WHERE 1 = 0` has none. polars counts no row for them, and
//! asks their `WHERE` of none: so one that asks or counts is of a table of one row.

use super::groups::{has, is_aggregate, is_window};
use super::holds::is_grouped;
use super::{parse, walks};
use sqlparser::ast::{Select, SetExpr, Statement, TableWithJoins, VisitMut};

/// Gives them that table; says whether there was one.
pub(super) fn written<T: VisitMut>(ast: &mut T) -> bool {
    let mut any = false;
    walks::selects_mut(ast, |select| {
        if needs_a_row(select)
            && let Some(table) = one_row()
        {
            select.from.push(table);
            any = true;
        }
    });
    any
}

fn needs_a_row(select: &Select) -> bool {
    let asks = select.selection.is_some() || select.having.is_some() || select.qualify.is_some();
    let counts = || has(&select.projection, |expr| is_aggregate(expr) || is_window(expr));
    select.from.is_empty() && (asks || is_grouped(select) || counts())
}

/// Written out, as no condition is moved past it.
fn one_row() -> Option<TableWithJoins> {
    let Ok(Statement::Query(query)) = parse("SELECT 1 FROM (VALUES (1)) AS __kilter_one (__kilter_row)") else {
        return None;
    };
    let query = *query;
    match *query.body {
        SetExpr::Select(mut select) => select.from.pop(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FloatSums, parse, plan_query};
    use super::written;
    use polars::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_neither_asks_nor_counts_stays() {
        let is_written = |query: &str| written(&mut parse(query).expect("a query"));
        assert!(!is_written("SELECT 1 AS a, upper('a') AS b UNION ALL SELECT 2, 'B'"));
        assert!(!is_written("SELECT count(*) AS c FROM t WHERE a > 0"));
        assert!(is_written("SELECT a, (SELECT count(*)) AS c FROM t"));
    }

    #[test]
    fn a_query_of_no_table_has_one_row() {
        let tables = BTreeMap::from([("t".to_owned(), df!["n" => [1_i64, 2]].expect("a frame").lazy())]);
        for (query, numbers) in [
            ("SELECT count(*) AS v", vec![Some(1)]),
            ("SELECT count(*) + 1 AS v", vec![Some(2)]),
            ("SELECT count(NULL) AS v", vec![Some(0)]),
            ("SELECT sum(2) AS v WHERE false", vec![None]),
            ("SELECT count(*) AS v WHERE 1 = 0", vec![Some(0)]),
            ("SELECT count(*) AS v HAVING count(*) > 0", vec![Some(1)]),
            ("SELECT count(*) AS v HAVING count(*) > 1", vec![]),
            ("SELECT row_number() OVER () AS v", vec![Some(1)]),
            ("SELECT 7 AS v WHERE 1 = 0", vec![]),
            ("SELECT 7 AS v WHERE NULL = 1", vec![]),
            ("SELECT 7 AS v WHERE 1 = 1", vec![Some(7)]),
            ("SELECT 7 AS v WHERE EXISTS (SELECT 1 FROM t WHERE n > 5)", vec![]),
            ("SELECT 7 AS v UNION ALL SELECT 8 WHERE false", vec![Some(7)]),
            ("SELECT (SELECT count(*)) AS v FROM t", vec![Some(1), Some(1)]),
        ] {
            let lf = plan_query(query, &tables, FloatSums::Exact).expect(query);
            let found = lf.select([col("v").cast(DataType::Int64)]).collect().expect(query);
            let found: Vec<Option<i64>> = found.column("v").expect("v").i64().expect("numbers").iter().collect();
            assert_eq!(found, numbers, "{query}");
        }
    }
}
