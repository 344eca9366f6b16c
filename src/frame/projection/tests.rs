//! What queries read, and that they give the same over what they read as over everything.

use super::*;
use crate::frame::read::{narrowed, refused};
use crate::frame::sql::plan_query;
use crate::frame::{FloatSums, collect, schema_of, table_digest};
use crate::types::Column;
use polars::df;

fn tables() -> BTreeMap<String, DataFrame> {
    let t = df![
        "d" => [4_i64, 3, 2, 1, 1], "c" => ["x", "y", "x", "z", "x"], "b" => [Some(0.5), None, Some(2.5), Some(0.5), Some(9.0)],
        "a" => [1_i64, 2, 3, 4, 5],
    ];
    let u = df!["c" => ["x", "y", "x"], "e" => [10_i64, 20, 30], "a" => [3_i64, 4, 9]];
    BTreeMap::from([("t".to_owned(), t.expect("a frame")), ("u".to_owned(), u.expect("a frame"))])
}

fn lazy(tables: &BTreeMap<String, DataFrame>) -> Frames {
    tables.iter().map(|(name, df)| (name.clone(), df.clone().lazy())).collect()
}

/// What a query reads of `t` and `u`, as `t(a, b) u()`; a table that is read whole in its order is `t*`, and before a column that
/// is there without values stands a `-`.
fn read(query: &str) -> String {
    let tables = tables();
    let schemas: BTreeMap<_, _> = tables.iter().map(|(name, df)| (name.clone(), schema_of(df))).collect();
    let plan = |frames: &Frames| plan_query(query, frames, FloatSums::Exact).ok();
    let mentioned = |name: &str| query.split(|c: char| !c.is_alphanumeric()).any(|word| word == name);
    let read = columns_read(&schemas, &mentioned, &plan).unwrap_or_default();
    let run = |frames: &Frames| collect(plan(frames).expect("a plan")).and_then(|df| table_digest(&df));
    let part = |(name, df): (&String, &DataFrame)| match read.get(name) {
        Some(columns) => {
            let column = |name: &String| schemas_column(&schema_of(df), name);
            let schema = TableSchema::new(columns.names().iter().map(column).collect()).with_rows(df.height() as u64);
            (name.clone(), narrowed(|| Ok(df.clone().lazy()), &schema, columns, &refused).expect("a part"))
        }
        None => (name.clone(), df.clone().lazy()),
    };
    let parts: Frames = tables.iter().map(part).collect();
    let (whole, part) = (run(&lazy(&tables)), run(&parts));
    assert_eq!(whole.expect("it runs"), part.expect("it runs"), "{query}");
    let shown = |columns: &Columns| -> String {
        let name = |name: &String| format!("{}{name}", if columns.reads(name) { "" } else { "-" });
        columns.names().iter().map(name).collect::<Vec<_>>().join(", ")
    };
    let show = |name: &String| match read.get(name) {
        Some(columns) => format!("{name}({})", shown(columns)),
        None => format!("{name}*"),
    };
    tables.keys().map(show).collect::<Vec<_>>().join(" ")
}

fn schemas_column(schema: &TableSchema, name: &str) -> Column {
    schema.columns.iter().find(|column| column.name == name).cloned().expect("a column of the table")
}

#[test]
fn a_query_reads_the_columns_that_it_names() {
    for (query, expected) in [
        ("SELECT a FROM t", "t(a) u()"),
        ("SELECT d, a FROM t WHERE c = 'x'", "t(d, a, c) u()"),
        ("SELECT c, sum(b) AS s FROM t GROUP BY c", "t(c, b) u()"),
        ("SELECT c, count(*) AS n FROM t GROUP BY c ORDER BY n DESC", "t(c) u()"),
        ("SELECT count(*) AS n FROM t", "t() u()"),
        ("SELECT 1 AS one FROM t", "t() u()"),
        ("SELECT a FROM t ORDER BY d LIMIT 2", "t(a, d) u()"),
        ("SELECT a, row_number() OVER (PARTITION BY c ORDER BY d) AS r FROM t", "t(a, c, d) u()"),
        ("SELECT t.a, u.e FROM t JOIN u ON t.c = u.c", "t(a, c) u(e, c)"),
        ("SELECT a FROM t WHERE c IN (SELECT c FROM u WHERE e > 10)", "t(a, c) u(c, e)"),
        ("SELECT x.a, y.d FROM t AS x JOIN t AS y ON x.a = y.d", "t(a, d) u()"),
        (
            "WITH s AS (SELECT c, max(d) AS m FROM t GROUP BY c) SELECT s.m, u.e FROM s JOIN u ON s.c = u.c",
            "t(c, d) u(e, c)",
        ),
        ("SELECT c FROM t UNION ALL SELECT c FROM u", "t(c) u(c)"),
        ("SELECT DISTINCT c FROM t", "t(c) u()"),
    ] {
        assert_eq!(read(query), expected, "{query}");
    }
}

#[test]
fn a_star_reads_what_is_left_of_it() {
    for (query, expected) in [
        ("SELECT * FROM t", "t* u()"),
        ("SELECT a FROM (SELECT * FROM t WHERE b > 1) AS s", "t(a, b) u()"),
        ("SELECT u.* FROM u WHERE e > 10", "t() u*"),
        ("SELECT count(*) AS n FROM (SELECT * FROM t) AS s", "t() u()"),
    ] {
        assert_eq!(read(query), expected, "{query}");
    }
}

/// That the result over what is read is the same, `read` asserts for every query.
#[test]
fn what_names_and_places_mean_is_kept() {
    for (query, expected) in [
        ("SELECT * EXCLUDE (a) FROM t", "t(d, c, b) u()"),
        ("SELECT * RENAME (a AS z) FROM t", "t* u()"),
        ("SELECT a FROM (SELECT * FROM t ORDER BY 3) AS s", "t(-d, -c, b, a) u()"),
        ("SELECT d FROM (SELECT * FROM t ORDER BY 2) AS s", "t(d, c) u()"),
        ("SELECT a FROM t UNION ALL SELECT e AS a FROM u", "t(a) u(e)"),
        ("SELECT t.a, u.a AS other FROM t JOIN u ON t.c = u.c", "t(a, c) u(a, c)"),
        ("SELECT COLUMNS('^[ab]$') FROM t", "t(b, a) u()"),
    ] {
        assert_eq!(read(query), expected, "{query}");
    }
    let natural = read("SELECT * FROM t NATURAL JOIN u");
    assert!((0..20).all(|_| read("SELECT * FROM t NATURAL JOIN u") == natural), "the same from plan to plan");
}

/// What a plan names and does not read has to be there, and has no values.
#[test]
fn what_is_named_and_not_read_is_there_without_values() {
    for (query, expected) in [
        ("SELECT a FROM (SELECT b, a FROM t) AS s", "t(a, -b) u()"),
        ("SELECT x.a FROM (SELECT a, d + 1 AS e FROM t) AS x WHERE a > 1", "t(a, -d) u()"),
        ("WITH s AS (SELECT c, max(d) AS m, min(b) AS n FROM t GROUP BY c) SELECT c, m FROM s", "t(c, d, -b) u()"),
        ("SELECT count(*) AS n FROM (SELECT a, b FROM t) AS s", "t(-a, -b) u()"),
        ("SELECT count(*) AS n FROM (SELECT c, a FROM t UNION ALL SELECT c, a FROM u) AS s", "t(-a, -c) u(-a, -c)"),
        // What polars takes the height of a table from counts as read; a column that both tables have is renamed, which asks for it.
        ("SELECT t.a FROM t CROSS JOIN u", "t(-c, a) u(c)"),
        ("SELECT c FROM (SELECT c, a FROM t UNION ALL SELECT c, a FROM u) AS s", "t(c, -a) u(c, -a)"),
        ("SELECT c FROM (SELECT c, a FROM t UNION ALL SELECT * EXCLUDE (e) FROM u) AS s", "t(c, -a) u(c, -a)"),
        (
            "SELECT c, r FROM (SELECT c, row_number() OVER (ORDER BY d) AS r, row_number() OVER (ORDER BY b) AS o FROM t) AS s",
            "t(c, d, -b) u()",
        ),
        (
            "SELECT s.a FROM (SELECT a, c, b FROM t) AS s JOIN (SELECT c, e FROM u) AS v ON s.c = v.c",
            "t(a, c, -b) u(c, -e)",
        ),
    ] {
        assert_eq!(read(query), expected, "{query}");
    }
}

#[test]
fn values_that_were_not_said_to_be_read_are_refused() {
    let df = &tables()["t"];
    let columns = Columns::new(vec!["a".to_owned(), "b".to_owned()]).reading(&["a".to_owned()].into());
    let schema = TableSchema::new(["a", "b"].map(|name| schemas_column(&schema_of(df), name)).to_vec());
    let seen = || narrowed(|| Ok(df.clone().lazy()), &schema, &columns, &refused).expect("a part");
    assert_eq!(collect(seen().select([col("a")])).expect("it runs"), df.select(["a"]).expect("a column"));
    let error = collect(seen().select([col("b")])).expect_err("it reads more than it said");
    assert!(error.to_string().contains("column `b` is read"), "{error}");
}

#[test]
fn types_that_are_not_known_tell_nothing() {
    let schemas = BTreeMap::from([("t".to_owned(), TableSchema::unknown())]);
    assert_eq!(columns_read(&schemas, &|_| true, &|frames| frames.get("t").cloned()), None);
}
