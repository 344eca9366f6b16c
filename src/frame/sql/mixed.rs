//! Tests of values of several types where SQL takes one (see `frame/order/mixed.rs`).

use super::*;
use crate::types::Column as ColumnType;

fn table() -> TableSchema {
    let columns = [
        ("s", "str"),
        ("i", "i64"),
        ("x", "f64"),
        ("b", "bool"),
        ("d", "date"),
        ("ts", "datetime"),
        ("m", "decimal(10, 2)"),
        ("l", "list(str)"),
    ];
    TableSchema::new(columns.map(|(name, dtype)| ColumnType::new(name, dtype.parse().expect("a type"))).into())
}

fn tables() -> BTreeMap<String, TableSchema> {
    ["t", "u"].map(|name| (name.to_owned(), table())).into()
}

#[test]
fn values_of_one_type_are_asked_for_by_check() {
    for (text, says) in [
        ("coalesce(d, 5)", "values of one type are needed here, found date and"),
        ("coalesce(d, i)", "values of one type are needed here, found date and i64: CAST some of them"),
        ("coalesce(d, s)", "found date and str: CAST some of them"),
        ("coalesce(d, '2024-01-01')", "found date and str: a date is written `DATE '2024-01-31'`"),
        ("coalesce(i, x, 'none')", "found i64 and str"),
        ("ifnull(b, s)", "found bool and str"),
        ("coalesce(m, s)", "found decimal and str"),
        ("CASE WHEN b THEN d ELSE 0 END", "values of one type are needed here, found date and"),
        ("CASE WHEN b THEN s ELSE 0 END", "values of one type are needed here, found str and"),
        ("CASE WHEN b THEN i WHEN i > 3 THEN 'x' ELSE d END", "values of one type are needed here"),
        ("CASE WHEN b THEN i WHEN i > 3 THEN x WHEN i > 4 THEN NULL ELSE s END", "found"),
        ("CASE WHEN b THEN 'a' ELSE 1 END", "values of one type are needed here, found str and"),
        ("if(b, d, s)", "found date and str"),
        ("coalesce(l, [1])", "values of one type are needed here, found list(str) and list(i64)"),
        ("CASE WHEN b THEN [1] WHEN i > 2 THEN l END", "found list(i64) and list(str)"),
        ("CASE WHEN b THEN l ELSE s END", "found list(str) and str"),
        ("greatest(d, i)", "found date and i64"),
        ("least(ts, x)", "found datetime and f64"),
        ("b + s", "arithmetic needs numbers, found bool and str"),
        ("b = s", "cannot compare bool with str: a bool is asked for by itself"),
        ("s <> b", "cannot compare str with bool"),
        ("b = 'yes'", "cannot compare bool with 'yes'"),
        ("NULLIF(b, s)", "cannot compare bool with str"),
        ("d > 'yesterday'", "'yesterday' is compared with a date, and is none"),
        ("CASE d WHEN 'x' THEN 1 END", "'x' is compared with a date, and is none"),
    ] {
        let found = check_expr(text, &table(), FloatSums::Exact).err().unwrap_or_default();
        assert!(found.iter().any(|problem| problem.message.contains(says)), "{text}: {found:?}");
        assert!(check_query(&format!("SELECT {text} AS v FROM t"), &tables(), FloatSums::Exact).is_err(), "{text}");
    }
    let lists = "SELECT l FROM t UNION ALL SELECT [1] FROM u";
    let found = check_query(lists, &tables(), FloatSums::Exact).expect_err("lists of two types").remove(0);
    assert!(found.message.contains("`l` is list(str), but the column"), "{found:?}");
}

#[test]
fn values_that_fit_are_right() {
    for text in [
        "coalesce(i, 0.5)",
        "coalesce(NULL, s)",
        "coalesce(s, NULL, 'none')",
        "coalesce(l, ['none'], NULL)",
        "CASE WHEN b THEN [1] ELSE [2.5] END",
        "coalesce(i, x, m)",
        "coalesce(b, false)",
        "coalesce(ts, d)",
        "coalesce(d, DATE '2024-01-01')",
        "CASE WHEN b THEN i END",
        "CASE WHEN b THEN b ELSE 0 END",
        "CASE WHEN b THEN NULL ELSE d END",
        "CASE WHEN b THEN NULL WHEN i > 2 THEN s ELSE 'x' END",
        "CASE s WHEN 'a' THEN 1 ELSE 2.5 END",
        "greatest(i, x, 3)",
        "s + 'x'",
        "i + b",
        "b = 'true'",
        "b <> (i > 3)",
        "s = 'yes'",
        "position('a' IN s) > 1 AND s || i = 'a1'",
    ] {
        let found = check_expr(text, &table(), FloatSums::Exact);
        assert!(found.is_ok(), "{text}: {found:?}");
    }
}

#[test]
fn mixed_values_are_shown_in_the_query() {
    for (query, wanted) in [
        ("SELECT i, coalesce(d, i) AS v FROM t", "coalesce(d, i)"),
        ("SELECT i FROM t WHERE i > 1 AND CASE WHEN b THEN d ELSE i END > 3", "CASE WHEN b THEN d ELSE i END"),
        ("SELECT i FROM t WHERE i > 1 AND b = 'yes'", "b = 'yes'"),
        ("SELECT s, max(coalesce(d, s)) AS v FROM t GROUP BY s", "coalesce(d, s)"),
        ("WITH c AS (SELECT b + s AS v, i FROM t) SELECT i FROM c", "b + s"),
        ("SELECT i FROM t UNION ALL SELECT d FROM u", "d"),
        ("SELECT x AS v, i FROM t UNION SELECT s || '!', i FROM u", "s || '!'"),
        ("SELECT s FROM (SELECT s, ts AS v FROM t UNION ALL SELECT s, i + 1 FROM u) AS q", "i + 1"),
    ] {
        let problems = check_query(query, &tables(), FloatSums::Exact).expect_err(query);
        let places: Vec<Option<&str>> =
            problems.iter().map(|problem| problem.range.clone().map(|range| &query[range])).collect();
        assert_eq!(places, [Some(wanted)], "{query}: {problems:?}");
    }
    for fine in [
        "SELECT i FROM t UNION ALL SELECT x FROM u",
        "SELECT d, b FROM t UNION SELECT ts, i > 3 FROM u",
        "SELECT NULL AS v FROM t UNION ALL SELECT s FROM u UNION ALL SELECT NULL FROM u",
        "SELECT s, i FROM t UNION ALL BY NAME SELECT i, s FROM u",
        "SELECT s, i, sum(x) AS v FROM t GROUP BY ROLLUP (s, i)",
    ] {
        let found = check_query(fine, &tables(), FloatSums::Exact);
        assert!(found.is_ok(), "{fine}: {found:?}");
    }
}

/// Rows of two days, the second with `true`.
fn frames() -> BTreeMap<String, LazyFrame> {
    let day = col("d").cast(DataType::Date);
    let df = df!["i" => [1_i64, 2], "d" => [19_753_i32, 19_782], "s" => ["a", "b"]].expect("a frame");
    let lf =
        df.lazy().with_columns([day.clone(), day.cast(DataType::Datetime(TimeUnit::Microseconds, None)).alias("ts")]);
    let table = lf.collect().expect("a frame").lazy();
    ["t", "u"].map(|name| (name.to_owned(), table.clone())).into()
}

#[test]
fn a_text_that_is_written_out_beside_a_date_is_one() {
    for (query, kept) in [
        ("SELECT i FROM t WHERE d > '2024-01-31'", vec![2]),
        ("SELECT i FROM t WHERE '2024-01-31' = d", vec![1]),
        ("SELECT i FROM t WHERE d + INTERVAL '1 day' > '2024-02-15'", vec![2]),
        ("SELECT i FROM t WHERE NULLIF(d, '2024-01-31') IS NULL", vec![1]),
        ("SELECT i FROM t WHERE CASE d WHEN '2024-01-31' THEN 5 ELSE 6 END = 6", vec![2]),
        ("SELECT i FROM t WHERE d IS DISTINCT FROM '2024-01-31'", vec![2]),
        ("SELECT i FROM t WHERE ts IN ('2024-01-31 00:00:00', '2024-05-01')", vec![1]),
        ("SELECT i FROM t WHERE date_trunc('month', d) = '2024-02-01'", vec![2]),
        ("SELECT i FROM t GROUP BY i HAVING max(d) > '2024-01-31'", vec![2]),
        ("SELECT t.i FROM t JOIN u ON t.i = u.i WHERE t.d >= '2024-01-31' AND u.ts > '2024-01-31'", vec![2]),
        ("SELECT t.i FROM t JOIN u ON t.i = u.i AND u.d > '2024-01-31'", vec![2]),
        ("SELECT t.i FROM t JOIN u ON t.i = u.i WHERE u.d BETWEEN '2024-02-01' AND '2024-02-29'", vec![2]),
        ("SELECT t.i FROM t JOIN u ON t.i = u.i WHERE u.d IN ('2024-01-31', '2024-01-30')", vec![1]),
        (
            "WITH c AS (SELECT i, CASE d WHEN '2024-01-31' THEN 'x' END AS v FROM t) SELECT i FROM c WHERE v = 'x'",
            vec![1],
        ),
    ] {
        let lf = plan_query(query, &frames(), FloatSums::Exact).expect(query);
        let found = lf.collect().expect(query);
        let found: Vec<i64> = found.column("i").expect("i").i64().expect("numbers").iter().flatten().collect();
        assert_eq!(found, kept, "{query}");
        let schemas = ["t", "u"].map(|name| {
            let schema =
                ["i", "d", "s", "ts"].map(|name| table().columns.into_iter().find(|column| column.name == name));
            (name.to_owned(), TableSchema::new(schema.into_iter().flatten().collect()))
        });
        let checked = check_query(query, &schemas.into(), FloatSums::Exact);
        assert!(checked.is_ok(), "{query}: {checked:?}");
    }
    let schema = Arc::new(Schema::from_iter([
        ("d".into(), DataType::Date),
        ("ts".into(), DataType::Datetime(TimeUnit::Microseconds, None)),
    ]));
    for (text, kept) in [
        ("d > '2024-01-31'", [false, true]),
        ("d BETWEEN '2024-01-01' AND '2024-02-01'", [true, false]),
        ("d IN ('2024-01-31')", [true, false]),
        ("ts NOT IN ('2024-01-31')", [false, true]),
        ("ts >= '2024-02-29 00:00:00'", [false, true]),
    ] {
        let expr = plan_expr(text, &schema, FloatSums::Exact).expect(text).alias("v");
        let found = frames()["t"].clone().select([expr]).collect().expect(text);
        let found: Vec<bool> = found.column("v").expect("v").bool().expect("truths").iter().flatten().collect();
        assert_eq!(found, kept, "{text}");
        assert!(check_expr(text, &table(), FloatSums::Exact).is_ok(), "{text}");
    }
}
