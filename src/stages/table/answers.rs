//! Right answers: SQL functions and queries on small tables, against values worked out by hand.

use super::sql::Sql;
use super::testing::{findings, run, table_input};
use crate::stage::testing::Bench;
use polars::prelude::*;

pub(super) fn bench() -> Bench {
    let whole = |values: &[i64]| Series::new("".into(), values.to_vec());
    let words = |values: &[&str]| Series::new("".into(), values.to_vec());
    let lists = df![
        "id" => [1_i64, 2, 3],
        "l" => [Some(whole(&[3, 1, 2, 3])), Some(whole(&[])), None],
        "w" => [Some(words(&["b", "a", "b"])), Some(words(&["c"])), None],
    ];
    let texts = df!["s" => ["Grün, rot"], "p" => ["  x "], "name" => ["ada lovelace"], "n" => [-7_i64], "x" => [2.5]];
    let mut texts = texts.expect("a frame");
    let moment = |text: &str, dtype: DataType| Series::new("".into(), [text]).cast(&dtype).expect("a moment");
    for (name, series) in [
        ("d", moment("2024-02-29", DataType::Date)),
        ("sunday", moment("2024-03-03", DataType::Date)),
        ("at", Series::new("".into(), [1_709_251_198_250_000_i64])),
    ] {
        let series = if name == "at" {
            series.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).expect("a moment")
        } else {
            series
        };
        texts.with_column(series.with_name(name.into()).into_column()).expect("a column");
    }
    let rows = df![
        "k" => [Some("a"), Some("b"), Some("a"), None, Some("b"), Some("a")],
        "n" => [Some(3_i64), Some(1), Some(3), Some(2), None, Some(1)],
        "at" => [1_i64, 2, 3, 4, 5, 6],
    ];
    let mut bench = Bench::default();
    table_input(&mut bench, "lists", lists.expect("a frame"));
    table_input(&mut bench, "texts", texts);
    table_input(&mut bench, "rows", rows.expect("a frame"));
    bench
}

/// A value as a test writes it.
fn written(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => "null".to_owned(),
        AnyValue::List(values) => {
            let inner: Vec<String> = values.iter().map(|value| written(&value)).collect();
            format!("[{}]", inner.join(", "))
        }
        other => other.str_value().into_owned(),
    }
}

/// The rows of a query over a table: cells between spaced bars.
pub(super) fn answer(bench: &Bench, table: &str, query: &str) -> Vec<String> {
    let fields = format!("inputs = {{ t = \"{table}\" }}\nquery = \"{query}\"");
    let mistakes = findings::<Sql>(bench, &fields);
    if !mistakes.is_empty() {
        return mistakes.into_iter().map(|(code, message)| format!("{code} {message}")).collect();
    }
    let df = match run::<Sql>(bench, &fields) {
        Ok(mut tables) => tables.remove(0).1,
        Err(error) => return vec![error.message],
    };
    let row = |row: usize| {
        let cells: Vec<String> =
            df.columns().iter().map(|column| written(&column.get(row).expect("a value"))).collect();
        cells.join(" | ")
    };
    (0..df.height()).map(row).collect()
}

/// Asks all of a table's queries, and tells every wrong answer.
pub(super) fn right(table: &str, queries: &[(&str, &[&str])]) {
    right_in(&bench(), table, queries);
}

/// The same of a table of this bench.
pub(super) fn right_in(bench: &Bench, table: &str, queries: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for (query, expected) in queries {
        let found = answer(bench, table, query);
        if found != *expected {
            wrong.push(format!("{query}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn list_functions_give_what_they_say() {
    right(
        "lists",
        &[
            ("SELECT array_length(l) AS v FROM t", &["4", "0", "null"]),
            ("SELECT array_contains(l, 2) AS v FROM t", &["true", "false", "null"]),
            ("SELECT array_contains(w, 'c') AS v FROM t", &["false", "true", "null"]),
            ("SELECT array_get(l, 1) AS v FROM t", &["3", "null", "null"]),
            ("SELECT array_get(l, -2) AS v FROM t", &["2", "null", "null"]),
            ("SELECT array_get(w, 2) AS v FROM t", &["a", "null", "null"]),
            ("SELECT array_sum(l) AS v FROM t", &["9", "null", "null"]),
            ("SELECT array_mean(l) AS v FROM t", &["2.25", "null", "null"]),
            ("SELECT array_lower(l) AS a, array_upper(l) AS b FROM t", &["1 | 3", "null | null", "null | null"]),
            ("SELECT array_to_string(w, '-') AS v FROM t", &["b-a-b", "c", "null"]),
            ("SELECT array_unique(l) AS v FROM t", &["[3, 1, 2]", "[]", "null"]),
            ("SELECT array_reverse(w) AS v FROM t", &["[b, a, b]", "[c]", "null"]),
            ("SELECT id FROM t WHERE array_contains(l, 3)", &["1"]),
            ("SELECT UNNEST(w) AS v FROM t", &["b", "a", "b", "c"]),
        ],
    );
}

#[test]
fn lists_are_made_of_groups_in_the_order_of_the_rows() {
    right(
        "rows",
        &[
            ("SELECT k, array_agg(n) AS v FROM t GROUP BY k", &["null | [2]", "a | [3, 3, 1]", "b | [1, null]"]),
            ("SELECT k, array_agg(at ORDER BY n, at DESC) AS v FROM t WHERE k = 'a' GROUP BY k", &["a | [6, 3, 1]"]),
            ("SELECT k, array_length(array_agg(DISTINCT n)) AS v FROM t WHERE k = 'a' GROUP BY k", &["a | 2"]),
            ("SELECT array_sum(array_agg(n)) AS v FROM t", &["10"]),
            ("SELECT string_agg(k, '+' ORDER BY at DESC) AS v FROM t WHERE k IS NOT NULL", &["a+b+a+b+a"]),
        ],
    );
}

/// An expression over the table of texts and its one value.
const EXPRESSIONS: &[(&str, &str)] = &[
    ("upper(s)", "GRÜN, ROT"),
    ("lower(upper(s))", "grün, rot"),
    ("length(s)", "9"),
    ("char_length(s)", "9"),
    ("octet_length(s)", "10"),
    ("bit_length(s)", "80"),
    ("left(s, 4)", "Grün"),
    ("right(s, 3)", "rot"),
    ("substr(s, 2, 3)", "rün"),
    ("substr(s, 7)", "rot"),
    ("trim(p)", "x"),
    ("ltrim(p)", "x "),
    ("rtrim(p)", "  x"),
    ("trim(LEADING 'G' FROM s)", "rün, rot"),
    ("replace(s, 'rot', 'blau')", "Grün, blau"),
    ("reverse(s)", "tor ,nürG"),
    ("strpos(name, 'love')", "5"),
    ("strpos(name, 'x')", "0"),
    ("strpos(name, '.')", "0"),
    ("strpos(s, 'rot')", "7"),
    ("strpos(nullif(name, 'ada lovelace'), 'a')", "null"),
    ("position('love' IN name)", "5"),
    ("position(', ' IN s)", "5"),
    ("position(p IN concat('a', p))", "2"),
    ("initcap(name)", "Ada Lovelace"),
    ("initcap(upper(s)) || '!'", "Grün, Rot!"),
    ("starts_with(s, 'Grü')", "true"),
    ("ends_with(s, 'rot')", "true"),
    ("regexp_like(s, '^G.{3}, r')", "true"),
    ("regexp_like(s, 'ROT', 'i')", "true"),
    ("split_part(s, ', ', 2)", "rot"),
    ("string_to_array(s, ', ')", "[Grün, rot]"),
    ("array_length(string_to_array(name, 'a'))", "4"),
    ("concat(s, '!', n)", "Grün, rot!-7"),
    ("concat_ws('-', 'a', name, 'c')", "a-ada lovelace-c"),
    ("s || ' ' || trim(p)", "Grün, rot x"),
    ("s LIKE 'Gr_n%'", "true"),
    ("s NOT LIKE 'gr%'", "true"),
    ("s ILIKE 'gr%'", "true"),
    ("nullif(name, 'ada lovelace')", "null"),
    ("coalesce(nullif(n, -7), 3)", "3"),
    ("ifnull(nullif(n, -7), 4)", "4"),
    ("greatest(n, 2, -9)", "2"),
    ("least(n, 2, -9)", "-9"),
    ("CASE WHEN n < 0 THEN 'less' WHEN n = 0 THEN 'none' ELSE 'more' END", "less"),
    ("abs(n)", "7"),
    ("sign(n)", "-1"),
    ("n % 4", "-3"),
    ("mod(n, 4)", "-3"),
    ("n % -4", "-3"),
    ("-n % -4", "3"),
    ("n % 0", "null"),
    ("-7 % 4", "-3"),
    ("-x % 2", "-0.5"),
    ("mod(-7.5, x)", "-0.0"),
    ("CAST(n AS DECIMAL(10, 2)) % 4", "-3.00"),
    ("mod(CAST(n AS DECIMAL(10, 2)), CAST(x AS DECIMAL(10, 1)))", "-2.00"),
    ("abs(n) % 4 + n", "-4"),
    ("n / 2", "-3.5"),
    ("CAST(trunc(n / 2) AS BIGINT)", "-3"),
    ("x / 2", "1.25"),
    ("round(x * 1.1, 1)", "2.8"),
    ("ceil(x)", "3.0"),
    ("floor(-x)", "-3.0"),
    ("power(x, 2)", "6.25"),
    ("n BETWEEN -7 AND 0", "true"),
    ("n IN (1, -7)", "true"),
    ("CAST(n AS VARCHAR)", "-7"),
    ("date_part('year', d)", "2024"),
    ("date_part('month', at)", "2"),
    ("date_part('day', d)", "29"),
    ("date_part('quarter', d)", "1"),
    ("date_part('week', d)", "9"),
    ("date_part('doy', d)", "60"),
    ("date_part('isodow', sunday)", "7"),
    ("date_part('dow', sunday)", "0"),
    ("date_part('dow', d)", "4"),
    ("date_part('hour', at)", "23"),
    ("date_part('minute', at)", "59"),
    ("EXTRACT(year FROM d)", "2024"),
    ("EXTRACT(second FROM at)", "58"),
    ("strftime(d, '%d.%m.%Y')", "29.02.2024"),
    ("strftime(at, '%H:%M')", "23:59"),
    ("strptime('03/01/2024', '%m/%d/%Y') = DATE '2024-03-01'", "true"),
    ("CAST(at AS DATE) = d", "true"),
    ("sunday - d = INTERVAL '3 days'", "true"),
    ("d + INTERVAL '1 day' = DATE '2024-03-01'", "true"),
    ("d > DATE '2024-02-28'", "true"),
    ("CAST('2024-03-03' AS DATE) = sunday", "true"),
];

#[test]
fn text_number_and_date_functions_give_what_they_say() {
    let bench = bench();
    let mut wrong = Vec::new();
    for (expression, expected) in EXPRESSIONS {
        let found = answer(&bench, "texts", &format!("SELECT {expression} AS v FROM t"));
        if found != [*expected] {
            wrong.push(format!("{expression}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn qualify_keeps_rows_by_their_place_in_a_window() {
    right(
        "rows",
        &[
            (
                "SELECT k, n, at FROM t WHERE k IS NOT NULL QUALIFY row_number() OVER (PARTITION BY k ORDER BY at DESC) = 1",
                &["b | null | 5", "a | 1 | 6"],
            ),
            (
                "SELECT at, rank() OVER (PARTITION BY k ORDER BY n DESC) AS r FROM t WHERE k = 'a' QUALIFY r = 1",
                &["1 | 1", "3 | 1"],
            ),
            ("SELECT k, at FROM t QUALIFY count(*) OVER (PARTITION BY k) = 2", &["b | 2", "b | 5"]),
        ],
    );
}

#[test]
fn an_order_in_a_window_may_go_up_and_down_at_once() {
    right(
        "rows",
        &[
            (
                "SELECT at, row_number() OVER (ORDER BY k, n DESC) AS r FROM t ORDER BY r",
                &["1 | 1", "3 | 2", "6 | 3", "5 | 4", "2 | 5", "4 | 6"],
            ),
            (
                "SELECT at, rank() OVER (ORDER BY k, n DESC) AS a, dense_rank() OVER (ORDER BY k, n DESC) AS b FROM t",
                &["1 | 1 | 1", "2 | 5 | 4", "3 | 1 | 1", "4 | 6 | 5", "5 | 4 | 3", "6 | 3 | 2"],
            ),
            (
                "SELECT at, lag(at) OVER (PARTITION BY k ORDER BY n DESC, at) AS v FROM t WHERE k = 'a'",
                &["1 | null", "3 | 1", "6 | 3"],
            ),
            (
                "SELECT at, sum(at) OVER (PARTITION BY k ORDER BY n DESC, at) AS v FROM t WHERE k = 'a'",
                &["1 | 1", "3 | 4", "6 | 10"],
            ),
            (
                "SELECT at, first_value(at) OVER (PARTITION BY k ORDER BY n, at DESC) AS v FROM t WHERE k = 'a'",
                &["1 | 6", "3 | 6", "6 | 6"],
            ),
            (
                "SELECT at, row_number() OVER w AS r FROM t WINDOW w AS (ORDER BY k DESC, at) ORDER BY r",
                &["4 | 1", "2 | 2", "5 | 3", "1 | 4", "3 | 5", "6 | 6"],
            ),
            (
                "SELECT at, row_number() OVER (ORDER BY n NULLS LAST) AS r FROM t ORDER BY r",
                &["2 | 1", "6 | 2", "4 | 3", "1 | 4", "3 | 5", "5 | 6"],
            ),
            (
                "SELECT k, n, at FROM t WHERE k IS NOT NULL QUALIFY row_number() OVER (PARTITION BY k ORDER BY n DESC NULLS LAST, at DESC) = 1",
                &["b | 1 | 2", "a | 3 | 3"],
            ),
        ],
    );
}

/// polars takes a CASE of constants for a value without an order.
#[test]
fn a_case_of_constants_keeps_the_order() {
    right(
        "rows",
        &[
            (
                "SELECT CASE WHEN n > 2 THEN 'more' ELSE 'less' END AS c FROM t ORDER BY at DESC",
                &["less", "less", "less", "more", "less", "more"],
            ),
            (
                "SELECT CASE WHEN n > 2 THEN 1 WHEN n = 2 THEN 2 ELSE 3 END AS c FROM t ORDER BY at DESC",
                &["3", "3", "2", "1", "3", "1"],
            ),
            (
                "SELECT CASE WHEN n > 2 THEN max(n) OVER () ELSE 0 END AS c FROM t ORDER BY at DESC",
                &["0", "0", "0", "3", "0", "3"],
            ),
            (
                "SELECT c FROM (SELECT CASE k WHEN 'a' THEN true ELSE false END AS c FROM t ORDER BY k, at) AS s",
                &["true", "true", "true", "false", "false", "false"],
            ),
            ("SELECT sum(CASE WHEN n > 2 THEN 1 ELSE 0 END) AS c FROM t", &["2"]),
        ],
    );
}

#[test]
fn a_subquery_stands_for_a_value() {
    right(
        "rows",
        &[
            ("SELECT at FROM t WHERE n > (SELECT avg(n) FROM t)", &["1", "3"]),
            (
                "SELECT at FROM t WHERE k = 'b' OR n < (SELECT max(n) FROM t) AND at > (SELECT min(at) FROM t)",
                &["2", "4", "5", "6"],
            ),
            ("SELECT at, n - (SELECT min(n) FROM t) AS d FROM t WHERE k = 'a'", &["1 | 2", "3 | 2", "6 | 0"]),
            ("SELECT (SELECT max(at) FROM t) AS m", &["6"]),
            ("SELECT (SELECT max(at) FROM t) AS m FROM t WHERE k = 'b'", &["6", "6"]),
            ("SELECT count(*) - (SELECT max(n) FROM t) AS d FROM t WHERE at > 100", &["-3"]),
            ("SELECT max(n) = (SELECT max(n) FROM t) AS same, count(*) AS c FROM t", &["true | 6"]),
            ("SELECT at FROM t WHERE n = (SELECT n FROM t WHERE at > 100)", &[]),
            ("SELECT at, (SELECT n FROM t WHERE at > 100) AS v FROM t WHERE at < 3", &["1 | null", "2 | null"]),
            (
                "SELECT k, sum(n) AS s, (SELECT max(n) FROM t) AS m FROM t GROUP BY k HAVING sum(n) > (SELECT avg(n) FROM t)",
                &["a | 7 | 3"],
            ),
            ("SELECT k, sum(n - (SELECT min(n) FROM t)) AS s FROM t GROUP BY k", &["null | 1", "a | 4", "b | 0"]),
            ("SELECT k, sum(n) - (SELECT min(n) FROM t) AS s FROM t GROUP BY k", &["null | 1", "a | 6", "b | 0"]),
            ("WITH a AS (SELECT * FROM t WHERE k = 'a') SELECT at FROM a WHERE at = (SELECT max(at) FROM a)", &["6"]),
            ("SELECT at FROM t WHERE n = (SELECT max(n) FROM t WHERE n < (SELECT max(n) FROM t))", &["4"]),
            ("SELECT at FROM t WHERE at = (WITH a AS (SELECT max(at) AS m FROM t) SELECT m FROM a)", &["6"]),
            (
                "SELECT at, (SELECT count(*) FROM t) AS c FROM t WHERE n <= 2 ORDER BY n DESC, at",
                &["4 | 6", "2 | 6", "6 | 6"],
            ),
            (
                "SELECT CASE WHEN n > (SELECT avg(n) FROM t) THEN 'more' ELSE 'less' END AS c FROM t WHERE k = 'a'",
                &["more", "more", "less"],
            ),
            (
                "SELECT at FROM (SELECT at, n FROM t WHERE at < (SELECT max(at) FROM t)) AS s WHERE n IN (SELECT n FROM t WHERE at = (SELECT max(at) FROM t))",
                &["2"],
            ),
            (
                "SELECT a.at, b.at AS other FROM t a JOIN t b ON a.n = b.n WHERE a.at < b.at AND b.at > (SELECT avg(at) FROM t)",
                &["2 | 6"],
            ),
            (
                "SELECT at, at - avg(at) OVER (PARTITION BY k) - (SELECT min(at) FROM t) AS d FROM t WHERE k = 'b'",
                &["2 | -2.5", "5 | 0.5"],
            ),
        ],
    );
}

#[test]
fn a_subquery_that_is_no_value_is_an_error() {
    let bench = bench();
    let says = |query: &str| answer(&bench, "rows", query).join(" ");
    let many = says("SELECT at FROM t WHERE n = (SELECT n FROM t WHERE k = 'a')");
    assert!(many.contains("a subquery in the place of a value gives 3 rows, expected one"), "{many}");
    let wide = says("SELECT at FROM t WHERE n = (SELECT n, at FROM t)");
    assert!(wide.contains("a subquery in the place of a value gives one column, found 2"), "{wide}");
    for query in [
        "SELECT at FROM t AS o WHERE n > (SELECT i.n FROM t AS i WHERE i.k = o.k)",
        "SELECT at FROM t WHERE n > (SELECT i.n FROM t AS i WHERE i.at = t.k)",
        "SELECT at FROM t AS o WHERE n > (SELECT avg(i.n) FROM t AS i WHERE i.at < o.at) GROUP BY at",
        "WITH o (x) AS (SELECT n FROM t) SELECT x FROM o WHERE x > (SELECT n FROM t WHERE at = x)",
    ] {
        let around = says(query);
        assert!(around.contains("stands by itself, and cannot use `"), "{query}: {around}");
    }
    let any = says("SELECT at FROM t WHERE n > ALL (SELECT n FROM t)");
    assert!(any.contains("ANY and ALL are not known over a subquery"), "{any}");
    let joined = says("SELECT a.at FROM t a LEFT JOIN t b ON a.n = b.n AND a.at > (SELECT max(i.at) FROM t i)");
    assert!(joined.contains("a subquery cannot stand in the condition of a join: write it into WHERE"), "{joined}");
}

#[test]
fn rows_of_tables_that_were_put_together_are_counted() {
    right(
        "rows",
        &[
            ("SELECT count(*) AS c FROM (SELECT k FROM t UNION ALL SELECT k FROM t WHERE n > 1) AS s", &["9"]),
            ("SELECT count(*) FROM (SELECT k FROM t UNION SELECT k FROM t) AS s", &["3"]),
        ],
    );
}
