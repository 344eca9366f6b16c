//! What SQL means where polars means something else, or nothing: the answers of databases, or a message that says what to write.

use super::answers::{answer, bench, right};

#[test]
fn set_operations_inside_of_others_are_their_own() {
    right(
        "rows",
        &[
            ("SELECT k FROM t EXCEPT SELECT k FROM t WHERE at > 2 UNION ALL SELECT 'z' AS k", &["z"]),
            ("SELECT n FROM t INTERSECT SELECT n FROM t WHERE at < 3 EXCEPT SELECT n FROM t WHERE at = 1", &["1"]),
            (
                "SELECT k FROM t WHERE at < 3 UNION ALL SELECT k FROM t WHERE at = 4 ORDER BY k DESC",
                &["null", "b", "a"],
            ),
            (
                "SELECT at AS x FROM t WHERE at < 3 UNION ALL SELECT n FROM t WHERE at = 1 ORDER BY x DESC LIMIT 2",
                &["3", "2"],
            ),
        ],
    );
}

#[test]
fn joins_compare_numbers_of_one_type() {
    let of = |join: &str, cast: &str, condition: &str| {
        format!("SELECT count(*) AS n FROM t {join} (SELECT CAST(at AS {cast}) AS x FROM t) AS u ON {condition}")
    };
    let cases = [
        (of("JOIN", "TINYINT", "t.at < u.x"), "15"),
        (of("LEFT JOIN", "DOUBLE", "CAST(t.at AS DOUBLE) > u.x"), "16"),
        (of("JOIN", "DOUBLE", "t.at > u.x"), "15"),
        (of("JOIN", "DOUBLE", "t.at = u.x"), "6"),
        (of("JOIN", "DECIMAL(10, 2)", "t.at = u.x AND u.x < 4"), "3"),
        (of("LEFT JOIN", "DECIMAL(10, 2)", "t.at > u.x"), "16"),
    ];
    for (query, count) in &cases {
        right("rows", &[(query.as_str(), &[count])]);
    }
    let beside = |condition: &str| {
        format!("SELECT count(*) AS n FROM t a, (SELECT CAST(at AS DOUBLE) AS x FROM t) AS u WHERE {condition}")
    };
    for (condition, count) in [
        ("a.at < u.x", "15"),
        ("a.at = u.x", "6"),
        ("a.at = u.x AND u.x < 4", "3"),
        ("a.at <> u.x AND a.k = 'b'", "10"),
    ] {
        right("rows", &[(beside(condition).as_str(), &[count])]);
    }
}

#[test]
fn an_order_without_a_frame_takes_equals_together() {
    right(
        "rows",
        &[
            (
                "SELECT sum(at) OVER (ORDER BY n) AS s, count(*) OVER (ORDER BY n) AS c FROM t",
                &["16 | 5", "8 | 2", "16 | 5", "12 | 3", "21 | 6", "8 | 2"],
            ),
            (
                "SELECT sum(at) OVER (ORDER BY n RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM t WHERE at < 4",
                &["6", "2", "6"],
            ),
            (
                "SELECT max(k) OVER (ORDER BY n DESC NULLS LAST, k) AS m FROM t WHERE k IS NOT NULL",
                &["a", "b", "a", "b", "a"],
            ),
            (
                "SELECT sum(CAST(n AS DECIMAL(10, 2))) OVER (ORDER BY at) AS s FROM t",
                &["3.00", "4.00", "7.00", "9.00", "9.00", "10.00"],
            ),
            (
                "SELECT last_value(at) OVER (PARTITION BY k) AS a, last_value(at) OVER (ORDER BY k, at) AS b FROM t",
                &["6 | 1", "5 | 2", "6 | 3", "4 | 4", "5 | 5", "6 | 6"],
            ),
        ],
    );
}

/// As in an order of rows: the largest, unless it is said otherwise.
#[test]
fn missing_values_come_last_in_a_window_that_goes_up() {
    right(
        "rows",
        &[
            (
                "SELECT at, row_number() OVER (ORDER BY n, at) AS r, row_number() OVER (ORDER BY n DESC, at) AS d, row_number() OVER (ORDER BY n NULLS FIRST, at) AS f FROM t",
                &["1 | 4 | 2 | 5", "2 | 1 | 5 | 2", "3 | 5 | 3 | 6", "4 | 3 | 4 | 4", "5 | 6 | 1 | 1", "6 | 2 | 6 | 3"],
            ),
            (
                "SELECT at, first_value(n) OVER (ORDER BY n) AS f, lag(at) OVER (ORDER BY n) AS l, lag(at) OVER (ORDER BY n NULLS FIRST) AS b FROM t WHERE at > 2",
                &["3 | 1 | 4 | 4", "4 | 1 | 6 | 6", "5 | 1 | 3 | null", "6 | 1 | null | 5"],
            ),
            ("SELECT at FROM t WHERE at > 3 QUALIFY row_number() OVER (ORDER BY n) = 1", &["6"]),
            (
                "SELECT at, row_number() OVER (ORDER BY 1) AS a, row_number() OVER (PARTITION BY k ORDER BY NULL, at DESC) AS b FROM t WHERE k = 'b'",
                &["2 | 1 | 2", "5 | 2 | 1"],
            ),
            ("SELECT at FROM t WHERE at > 3 QUALIFY row_number() OVER (ORDER BY n DESC) = 1", &["5"]),
            (
                "SELECT at, count(*) OVER (ORDER BY n RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS a, count(*) OVER (ORDER BY n RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS b FROM t WHERE at > 2",
                &["3 | 2 | 2", "4 | 1 | 3", "5 | 4 | 1", "6 | 0 | 4"],
            ),
            (
                "SELECT at, sum(at) OVER (ORDER BY n NULLS FIRST RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t WHERE at > 2",
                &["3 | 7", "4 | 10", "5 | 5", "6 | 6"],
            ),
        ],
    );
}

#[test]
fn windows_may_have_names_and_missing_values_a_rank() {
    right(
        "rows",
        &[
            (
                "SELECT count(*) OVER w AS c, sum(at) OVER w AS s, lag(at) OVER w AS l FROM t WINDOW w AS (PARTITION BY k ORDER BY at)",
                &["1 | 1 | null", "1 | 2 | null", "2 | 4 | 1", "1 | 4 | null", "2 | 7 | 2", "3 | 10 | 3"],
            ),
            (
                "SELECT at FROM t WINDOW g AS (PARTITION BY k), w AS (g ORDER BY at DESC) ORDER BY row_number() OVER w, at",
                &["4", "5", "6", "2", "3", "1"],
            ),
            ("SELECT rank() OVER (ORDER BY n) AS r FROM t", &["4", "1", "4", "3", "6", "1"]),
            ("SELECT dense_rank() OVER (PARTITION BY k ORDER BY n DESC) AS r FROM t", &["1", "2", "1", "1", "1", "2"]),
        ],
    );
}

#[test]
fn joins_on_more_than_equal_columns_keep_the_rows_that_they_say() {
    let pairs =
        |how: &str, more: &str| format!("SELECT a.at, b.at AS other FROM t a {how} t b ON a.n = b.n AND {more}");
    let queries: [(String, &[&str]); 10] = [
        ("SELECT b.k, b.n FROM t a JOIN t b ON a.at < b.at AND b.at < 4".to_owned(), &["b | 1", "a | 3", "a | 3"]),
        (pairs("LEFT JOIN", "a.at < b.at"), &["1 | 3", "2 | 6", "3 | null", "4 | null", "5 | null", "6 | null"]),
        (pairs("RIGHT JOIN", "a.at < b.at"), &["null | 1", "null | 2", "1 | 3", "null | 4", "null | 5", "2 | 6"]),
        (
            pairs("FULL JOIN", "a.at < b.at") + " WHERE a.k = 'a' OR b.k = 'b'",
            &["1 | 3", "3 | null", "6 | null", "null | 2", "null | 5"],
        ),
        (pairs("LEFT JOIN", "b.k = 'b'"), &["1 | null", "2 | 2", "3 | null", "4 | null", "5 | null", "6 | 2"]),
        (pairs("JOIN", "b.k = 'b'"), &["2 | 2", "6 | 2"]),
        (pairs("JOIN", "'b' = a.k"), &["2 | 2", "2 | 6"]),
        (pairs("JOIN", "a.at = a.n AND b.at = 2 * b.n"), &[]),
        ("SELECT a.at FROM t a SEMI JOIN t b ON a.n = b.n AND a.at < b.at".to_owned(), &["1", "2"]),
        ("SELECT a.at FROM t a ANTI JOIN t b ON a.n = b.n AND a.at < b.at".to_owned(), &["3", "4", "5", "6"]),
    ];
    let bench = bench();
    for (query, expected) in queries {
        assert_eq!(answer(&bench, "rows", &query), expected, "{query}");
    }
}

/// polars forgets what it calls a column of the right table, where a window needs the table in memory and only the condition asks for
/// the column.
#[test]
fn a_condition_may_ask_of_columns_that_nothing_else_of_a_cross_join_uses() {
    right(
        "rows",
        &[
            (
                "SELECT count(*) OVER (PARTITION BY a.k) AS c FROM t a CROSS JOIN t b WHERE a.n < b.at AND a.k = 'b'",
                &["5", "5", "5", "5", "5"],
            ),
            (
                "SELECT k, row_number() OVER (ORDER BY k) AS r FROM (SELECT a.k, b.n, a.at FROM t a CROSS JOIN t b WHERE a.n < b.at) WHERE k IS NULL",
                &["null | 1", "null | 2", "null | 3", "null | 4"],
            ),
            (
                "SELECT *, count(*) OVER (PARTITION BY b.n) AS c FROM (SELECT at FROM t WHERE at < 2) a CROSS JOIN (SELECT at, n FROM t WHERE n = 3) b WHERE a.at < b.at",
                &["1 | 3 | 3 | 1"],
            ),
        ],
    );
}

#[test]
fn truth_is_never_missing() {
    right(
        "rows",
        &[
            ("SELECT at FROM t WHERE (n > 1) IS NOT TRUE", &["2", "5", "6"]),
            (
                "SELECT n > 1 IS TRUE AS a, (n > 1) IS FALSE AS b, (n > 1) IS NOT FALSE AS c FROM t WHERE at > 3",
                &["true | false | true", "false | false | true", "false | true | false"],
            ),
            ("SELECT at FROM t WHERE NULL = NULL", &[]),
            ("SELECT at FROM t WHERE 1 = 1.0 AND at < 3", &["1", "2"]),
            ("SELECT count(*) AS c FROM t WHERE 1 = 1.0", &["6"]),
        ],
    );
}

#[test]
fn words_and_numbers_are_those_of_databases() {
    let bench = bench();
    for (expression, expected) in [
        ("right(s, 3)", "rot"),
        ("right(s, 20)", "Grün, rot"),
        ("right(s, -6)", "rot"),
        ("right(s, n + 10)", "rot"),
        ("substr(s, n)", "Grün, rot"),
        ("substr(s, n + 9)", "rün, rot"),
        ("n // 2", "-3"),
        ("div(n, 2)", "-3"),
        ("7 // n", "-1"),
        ("n // 0", "null"),
        ("x IN (1, 2.5)", "true"),
        ("n IN (-7, 2.5)", "true"),
        ("x * 1e3", "2500.0"),
        ("x > 1.5e-2", "true"),
        ("round(x)", "3.0"),
        ("round(-x)", "-3.0"),
        ("round(x * 1.1, 1)", "2.8"),
        ("round(x / 100, 2)", "0.03"),
        ("log(10, 1000)", "3.0"),
        ("log(1000)", "3.0"),
        ("d + INTERVAL '36 hours'", "2024-03-01 12:00:00"),
        ("d - INTERVAL '1 minute'", "2024-02-28 23:59:00"),
        ("d + INTERVAL '1 month'", "2024-03-29"),
    ] {
        let found = answer(&bench, "texts", &format!("SELECT {expression} AS v FROM t"));
        assert_eq!(found, [expected], "{expression}");
    }
}

#[test]
fn columns_of_using_are_one_column_each() {
    let both = |how: &str, left: &str, right: &str| {
        format!(
            "FROM (SELECT k, at FROM t WHERE at {left}) AS a {how} (SELECT k, at FROM t WHERE at {right}) AS b USING (k)"
        )
    };
    let queries: [(String, &[&str]); 7] = [
        (
            format!("SELECT k, a.at, b.at AS other {}", both("FULL JOIN", "< 3", "IN (2, 4, 5)")),
            &["a | 1 | null", "b | 2 | 2", "b | 2 | 5", "null | null | 4"],
        ),
        (format!("SELECT k, b.at {}", both("RIGHT JOIN", "= 1", "IN (2, 3)")), &["b | 2", "a | 3"]),
        (format!("SELECT upper(k) AS u {} WHERE k = 'b'", both("RIGHT JOIN", "= 1", "IN (2, 3)")), &["B"]),
        (
            format!("SELECT k, count(*) AS n {} GROUP BY k ORDER BY k", both("FULL JOIN", "= 1", "= 2")),
            &["a | 1", "b | 1"],
        ),
        (format!("SELECT b.at {} ORDER BY k DESC", both("FULL JOIN", "= 1", "= 2")), &["2", "null"]),
        (format!("SELECT * EXCLUDE (at) {}", both("FULL JOIN", "= 1", "= 2")), &["a | null", "b | 2"]),
        (
            "SELECT * FROM (SELECT k, at FROM t WHERE at = 1) AS a JOIN (SELECT k, n FROM t WHERE at = 3) AS b USING (k)"
                .to_owned(),
            &["a | 1 | 3"],
        ),
    ];
    let bench = bench();
    for (query, expected) in queries {
        assert_eq!(answer(&bench, "rows", &query), expected, "{query}");
    }
}

#[test]
fn qualify_may_ask_of_columns_that_are_not_selected() {
    right(
        "rows",
        &[
            (
                "SELECT k FROM t WHERE k IS NOT NULL QUALIFY row_number() OVER (PARTITION BY k ORDER BY at DESC) = 1",
                &["b", "a"],
            ),
            (
                "SELECT k FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY at) = 1 ORDER BY at DESC LIMIT 2",
                &["null", "b"],
            ),
            ("SELECT DISTINCT k FROM t QUALIFY count(*) OVER (PARTITION BY n) = 2 AND at < 4", &["a", "b"]),
            ("SELECT at, rank() OVER (ORDER BY n) AS r FROM t QUALIFY r < 3 AND k = 'b'", &["2 | 1"]),
        ],
    );
}

#[test]
fn distinct_on_chooses_by_what_is_not_selected() {
    right(
        "rows",
        &[
            ("SELECT DISTINCT ON (k) k, n FROM t ORDER BY k, at", &["a | 3", "b | 1", "null | 2"]),
            ("SELECT DISTINCT ON (k) n FROM t ORDER BY k, at DESC", &["1", "null", "2"]),
            ("SELECT DISTINCT ON (upper(k)) at FROM t ORDER BY upper(k) DESC, n, at DESC LIMIT 2", &["4", "2"]),
            ("SELECT at FROM (SELECT DISTINCT ON (n) at FROM t ORDER BY n, at DESC) AS x WHERE at > 4", &["6", "5"]),
        ],
    );
}

#[test]
fn what_would_be_taken_for_something_else_is_refused() {
    let bench = bench();
    for (query, says) in [
        ("WITH t AS (SELECT at FROM t) SELECT at FROM t", "`t` is an input already"),
        ("WITH u AS (SELECT at FROM t), u AS (SELECT 1 AS at) SELECT at FROM u", "WITH makes a table `u` already"),
        ("SELECT y.at FROM (WITH x AS (SELECT at FROM t) SELECT at FROM x) AS y", "a WITH stands at the beginning"),
        (
            "SELECT at FROM t WHERE at IN (WITH x AS (SELECT at FROM t) SELECT at FROM x)",
            "a WITH stands at the beginning",
        ),
        ("WITH x AS (SELECT at FROM t) SELECT x.* FROM t AS x", "`x` is another table already"),
        (
            "SELECT a.at FROM (SELECT at FROM t WHERE at < 3) AS t JOIN t AS a ON a.at = t.at",
            "`t` is an input that the query uses too",
        ),
        ("SELECT sum(n) OVER () AS s FROM t", "a window over all rows stands beside a column"),
        ("SELECT corr(n, at) OVER (PARTITION BY k) AS c FROM t", "`corr` is not known in a window"),
        ("SELECT array_agg(n) OVER (PARTITION BY k) AS c FROM t", "`array_agg` is not known in a window"),
        ("SELECT median(n) OVER (PARTITION BY k ORDER BY at) AS c FROM t", "leave the ORDER BY out"),
        ("SELECT count(DISTINCT n) OVER (ORDER BY at) AS c FROM t", "takes no DISTINCT"),
        ("SELECT sum(n) OVER w AS c FROM t", "there is no window `w`"),
        (
            "SELECT at FROM t a WHERE k NOT IN (SELECT max(b.k) FROM t b WHERE b.n = a.n)",
            "a subquery of IN stands by itself, and cannot use `a.n`",
        ),
        (
            "SELECT a.at FROM t a LEFT JOIN t b ON a.n = b.n OR a.at = b.at",
            "other conditions are of an inner JOIN alone",
        ),
        ("SELECT at AS n, n AS at FROM t QUALIFY row_number() OVER (ORDER BY n) = 1", "`n` is a column and what"),
        ("SELECT -n AS n, at FROM t ORDER BY abs(n)", "`n` is a column and what the query makes"),
        ("SELECT DISTINCT ON (k) k, n FROM t ORDER BY k, att", "column `att` does not exist"),
        ("SELECT at DIV 2 AS half FROM t", "`a DIV b` is written `a // b`"),
        ("SELECT at ** 2 AS square FROM t", "`a ** b` is written `power(a, b)`"),
        (
            "SELECT a.k FROM t a FULL JOIN t b USING (k) JOIN t c USING (k)",
            "`k` is of both tables of the RIGHT or FULL JOIN",
        ),
    ] {
        let found = answer(&bench, "rows", query).join(" ");
        assert!(found.contains(says), "{query}: {found}");
    }
}
