//! Right answers: SQL functions and queries on small tables, against values worked out by hand.

use super::sql::Sql;
use super::testing::{findings, run, table_input};
use crate::stage::testing::Bench;
use polars::prelude::*;

fn bench() -> Bench {
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
fn answer(bench: &Bench, table: &str, query: &str) -> Vec<String> {
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
fn right(table: &str, queries: &[(&str, &[&str])]) {
    let bench = bench();
    let mut wrong = Vec::new();
    for (query, expected) in queries {
        let found = answer(&bench, table, query);
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
            ("SELECT array_sum(l) AS v FROM t", &["9", "0", "null"]),
            ("SELECT array_mean(l) AS v FROM t", &["2.25", "null", "null"]),
            ("SELECT array_lower(l) AS a, array_upper(l) AS b FROM t", &["1 | 3", "null | null", "null | null"]),
            ("SELECT array_to_string(w, '-') AS v FROM t", &["b-a-b", "c", "null"]),
            ("SELECT array_unique(l) AS v FROM t", &["[3, 1, 2]", "[]", "null"]),
            ("SELECT array_reverse(w) AS v FROM t", &["[b, a, b]", "[c]", "null"]),
            ("SELECT id FROM t WHERE array_contains(l, 3)", &["1"]),
            ("SELECT UNNEST(w) AS v FROM t", &["b", "a", "b", "c", "null"]),
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
    ("position('love' IN name)", "5"),
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
    ("n % 4", "1"),
    ("mod(n, 4)", "1"),
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
fn rows_of_tables_that_were_put_together_are_counted() {
    right(
        "rows",
        &[
            ("SELECT count(*) AS c FROM (SELECT k FROM t UNION ALL SELECT k FROM t WHERE n > 1) AS s", &["9"]),
            ("SELECT count(*) FROM (SELECT k FROM t UNION SELECT k FROM t) AS s", &["3"]),
        ],
    );
}
