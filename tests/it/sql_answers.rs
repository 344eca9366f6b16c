//! Queries answered as SQLite answers them: set operations, joins of every kind, ranks, groups. By the program itself, in one run.

use crate::sandbox::Sandbox;
use polars::prelude::*;
use rusqlite::types::ValueRef;
use std::fmt::Write;

const T: &str = "id,k,n,f\n1,a,3,1.5\n2,b,1,-2\n3,a,3,0.25\n4,,2,4\n5,b,,8\n6,c,1,\n7,a,1,2.5\n8,c,5,-1\n";
const U: &str = "k,n,w\na,3,x\nb,1,y\nd,9,z\n,2,v\na,1,u\nb,1,y\n";

/// Queries that mean the same to both; rows are compared in their order where `ORDER BY` ends the query.
const QUERIES: &[&str] = &[
    "SELECT k, n FROM t UNION ALL SELECT k, n FROM u",
    "SELECT k, n FROM t UNION SELECT k, n FROM u",
    "SELECT k, n FROM t INTERSECT SELECT k, n FROM u",
    "SELECT k, n FROM t EXCEPT SELECT k, n FROM u",
    "SELECT k FROM u EXCEPT SELECT k FROM t",
    "SELECT k FROM t WHERE n = 1 UNION ALL SELECT w AS k FROM u ORDER BY k",
    "SELECT u.k, u.w, t.id FROM t RIGHT JOIN u ON t.k = u.k AND t.n = u.n",
    "SELECT t.id, u.w FROM t LEFT JOIN u ON t.k = u.k",
    "SELECT t.id, u.w FROM t FULL JOIN u ON t.k = u.k AND t.n = u.n",
    "SELECT t.id, u.w FROM t CROSS JOIN u",
    "SELECT t.id, u.w FROM t JOIN u USING (k, n)",
    "SELECT a.id, b.id AS other FROM t AS a JOIN t AS b ON a.k = b.k WHERE a.id < b.id",
    "SELECT id FROM t WHERE k IN (SELECT k FROM u WHERE n > 2)",
    "SELECT id FROM t WHERE n = 1 OR EXISTS (SELECT 1 FROM u WHERE u.k = t.k)",
    "SELECT id FROM t WHERE NOT (n = 1 OR EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.n > 1))",
    "SELECT id FROM t WHERE n NOT IN (SELECT u.n FROM u WHERE u.k = t.k)",
    "SELECT id FROM t WHERE k NOT IN (SELECT u.k FROM u WHERE u.n = t.n)",
    "SELECT id FROM t WHERE k NOT IN (SELECT k FROM u WHERE k IS NOT NULL)",
    "SELECT id FROM t WHERE NOT n IN (SELECT u.n FROM u WHERE u.k = t.k) AND NOT (EXISTS (SELECT 1 FROM u WHERE u.n = t.n AND u.k > t.k))",
    "SELECT k, max(DISTINCT n) AS m, min(DISTINCT f) AS l FROM t GROUP BY k",
    "SELECT t.id, u.w FROM t JOIN u ON t.f > u.n",
    "SELECT t.k AS a, u.k AS b, count(*) AS c FROM t JOIN u ON t.n = u.n GROUP BY t.k, u.k",
    "SELECT k, sum(1) AS s, avg(2) AS a FROM t GROUP BY k",
    "SELECT sum(1) AS s, max(2) AS m, count(3) AS c FROM t WHERE id > 99",
    "SELECT n, count(*) AS c FROM t GROUP BY n HAVING n > 1",
    "SELECT u.k AS other, sum(t.n) AS s FROM t JOIN u ON t.n = u.n GROUP BY u.k",
    "SELECT id FROM t WHERE EXISTS (SELECT max(n) FROM u WHERE u.k = t.k)",
    "SELECT * FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.n > t.n)",
    "SELECT id, rank() OVER (ORDER BY n NULLS LAST) AS r, row_number() OVER (ORDER BY n NULLS FIRST, id) AS p FROM t",
    "SELECT id, nth_value(f, 2) OVER (PARTITION BY k ORDER BY id) AS v FROM t",
    "SELECT id, (SELECT count(*) FROM u WHERE u.k = t.k) AS c FROM t",
    "SELECT id, rank() OVER (PARTITION BY k ORDER BY n DESC) AS r FROM t WHERE n IS NOT NULL",
    "SELECT id, dense_rank() OVER (ORDER BY n) AS r FROM t WHERE n IS NOT NULL",
    "SELECT id, rank() OVER (ORDER BY n) AS r, dense_rank() OVER (ORDER BY n DESC) AS d FROM t WHERE k IS NOT NULL AND n IS NOT NULL",
    "SELECT id, row_number() OVER (PARTITION BY k ORDER BY f DESC, id DESC) AS r FROM t WHERE f IS NOT NULL",
    "SELECT id, lag(f) OVER (PARTITION BY k ORDER BY id) AS before, lead(f, 2) OVER (ORDER BY id) AS behind FROM t",
    "SELECT id, sum(f) OVER (PARTITION BY k) AS s, count(n) OVER (PARTITION BY k) AS c FROM t",
    "SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM t",
    "SELECT id, max(f) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS m FROM t",
    "SELECT k, count(*) AS c, count(n) AS d, sum(n) AS s, avg(f) AS m, min(f) AS lo, max(f) AS hi FROM t GROUP BY k",
    "SELECT k, count(DISTINCT n) AS c FROM t GROUP BY k HAVING count(*) > 1 ORDER BY c DESC, k",
    "SELECT DISTINCT k, n FROM t",
    "SELECT sum(n) AS s, avg(n) AS m, count(*) AS c FROM t WHERE id > 100",
    "WITH g AS (SELECT k, max(n) AS top FROM t GROUP BY k) SELECT t.id, g.top FROM t JOIN g ON t.k = g.k WHERE t.n = g.top",
    "SELECT id, n FROM t ORDER BY n DESC NULLS LAST, id LIMIT 4 OFFSET 1",
    "SELECT id, CASE WHEN n >= 3 THEN 'many' WHEN n IS NULL THEN 'none' ELSE 'few' END AS s FROM t ORDER BY id",
    "SELECT id, coalesce(k, '-') || upper(coalesce(k, 'x')) AS s, substr('abcdef', 2, 3) AS p, replace('aXb', 'X', '-') AS r FROM t ORDER BY id",
    "SELECT id, abs(f) AS a, round(f * 3, 1) AS r, n * 2 + 1 AS m FROM t ORDER BY id",
    "SELECT id FROM t WHERE NOT (n > 1 AND f < 2) ORDER BY id",
    "SELECT id FROM t WHERE k LIKE '%a' OR n BETWEEN 2 AND 3 ORDER BY id",
];

/// One form for the values of both: numbers as floats.
fn shown(value: Option<f64>, text: Option<&str>) -> String {
    match (value, text) {
        (Some(number), _) => format!("{number:.9}").replace("-0.000000000", "0.000000000"),
        (None, Some(text)) => format!("'{text}'"),
        (None, None) => "null".to_owned(),
    }
}

fn by_sqlite(db: &rusqlite::Connection, query: &str) -> Vec<Vec<String>> {
    let mut statement = db.prepare(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let columns = statement.column_count();
    let cell = |value: ValueRef<'_>| match value {
        ValueRef::Integer(number) => shown(Some(number as f64), None),
        ValueRef::Real(number) => shown(Some(number), None),
        ValueRef::Text(text) => shown(None, Some(std::str::from_utf8(text).expect("text"))),
        _ => shown(None, None),
    };
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get_ref(column).map(cell)).collect());
    rows.expect("rows").collect::<Result<_, _>>().expect("rows")
}

fn by_kilter(sandbox: &Sandbox, stage: &str) -> Vec<Vec<String>> {
    let files = walkdir::WalkDir::new(sandbox.path(&format!("out/answers/{stage}"))).follow_links(true);
    let table = files.into_iter().filter_map(Result::ok).find(|entry| entry.file_name() == "table.parquet");
    let table = table.unwrap_or_else(|| panic!("`{stage}` has a table"));
    let df = ParquetReader::new(std::fs::File::open(table.path()).expect("a file")).finish().expect("a table");
    let cell = |column: &Column, row: usize| {
        let value = column.get(row).expect("a value");
        match value.get_str() {
            Some(text) => shown(None, Some(text)),
            None => shown(value.extract::<f64>(), None),
        }
    };
    (0..df.height()).map(|row| df.columns().iter().map(|column| cell(column, row)).collect()).collect()
}

#[test]
fn queries_are_answered_as_sqlite_answers_them() {
    let mut text = "[pipeline]\nname = \"answers\"\nedition = \"2026\"\n\n".to_owned();
    for table in ["t", "u"] {
        let _ = write!(
            text,
            "[stage.{table}_file]\nkind = \"fetch\"\npath = \"{table}.csv\"\n[stage.{table}]\nkind = \"read\"\nfrom = \"{table}_file\"\n"
        );
    }
    for (number, query) in QUERIES.iter().enumerate() {
        let inputs = if query.contains(" u") { "{ t = \"t\", u = \"u\" }" } else { "{ t = \"t\" }" };
        let _ = write!(text, "[stage.q{number}]\nkind = \"sql\"\ninputs = {inputs}\nquery = \"{query}\"\n");
    }
    let sandbox = Sandbox::with_manifest(&text).file("t.csv", T).file("u.csv", U);
    sandbox.run(&[]).success();
    let db = rusqlite::Connection::open_in_memory().expect("a database");
    db.execute_batch(
        "CREATE TABLE t (id INTEGER, k TEXT, n INTEGER, f REAL); CREATE TABLE u (k TEXT, n INTEGER, w TEXT)",
    )
    .expect("made");
    for (table, rows) in [("t", T), ("u", U)] {
        for line in rows.lines().skip(1) {
            let number = |cell: &str| cell.parse::<f64>().is_ok();
            let cells = line.split(',').map(|cell| match cell {
                "" => "NULL".to_owned(),
                cell if number(cell) => cell.to_owned(),
                cell => format!("'{cell}'"),
            });
            let cells: Vec<String> = cells.collect();
            db.execute_batch(&format!("INSERT INTO {table} VALUES ({})", cells.join(", "))).expect("filled");
        }
    }
    let mut wrong = String::new();
    for (number, query) in QUERIES.iter().enumerate() {
        let (mut found, mut expected) = (by_kilter(&sandbox, &format!("q{number}")), by_sqlite(&db, query));
        if !query.contains("ORDER BY") || query.contains("OVER") {
            found.sort();
            expected.sort();
        }
        if found != expected {
            let _ = write!(wrong, "{query}\n  {found:?}\n  SQLite: {expected:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
