//! Queries that ask of the row around them, wherever they stand, rows that are counted, and columns that are called alike: the answers of
//! databases.

use super::answers::{answer, bench, right};

#[test]
fn an_exists_may_stand_anywhere() {
    right(
        "rows",
        &[
            ("SELECT at FROM t a WHERE n = 1 OR EXISTS (SELECT 1 FROM t b WHERE b.n = a.at)", &["1", "2", "3", "6"]),
            ("SELECT at FROM t a WHERE NOT (at > 4 OR EXISTS (SELECT 1 FROM t b WHERE b.n = a.at))", &["4"]),
            (
                "SELECT a.at, EXISTS (SELECT * FROM t b WHERE b.n = a.at AND b.k = 'a') AS e, NOT EXISTS (SELECT 1 FROM t b WHERE b.n = a.at LIMIT 1) AS f FROM t a",
                &[
                    "1 | true | false",
                    "2 | false | false",
                    "3 | true | false",
                    "4 | false | true",
                    "5 | false | true",
                    "6 | false | true",
                ],
            ),
            (
                "SELECT CASE WHEN EXISTS (SELECT 1 FROM t b WHERE b.n = a.at) THEN 'yes' ELSE 'no' END AS e FROM t a WHERE at > 2 AND (EXISTS (SELECT 1 FROM t b WHERE b.at = a.n))",
                &["yes", "no", "no"],
            ),
        ],
    );
}

#[test]
fn what_is_not_among_the_rows_of_a_query_is_certain() {
    right(
        "rows",
        &[
            ("SELECT a.at FROM t a WHERE a.k NOT IN (SELECT b.k FROM t b WHERE b.n = a.n)", &["5"]),
            (
                "SELECT a.at FROM t a WHERE a.n NOT IN (SELECT b.n FROM t b WHERE b.k = a.k AND b.at > a.at)",
                &["3", "4", "5", "6"],
            ),
            ("SELECT at FROM t a WHERE n NOT IN (SELECT b.n FROM t b WHERE b.k = a.k)", &["4"]),
            ("SELECT at FROM t WHERE n NOT IN (SELECT n FROM t WHERE at > 5)", &["1", "3", "4"]),
            ("SELECT at FROM t WHERE n NOT IN (SELECT n FROM t WHERE at > 4)", &[]),
        ],
    );
}

#[test]
fn numbers_of_two_types_are_among_each_other() {
    let among = |how: &str, rows: &str| {
        format!("SELECT at FROM t WHERE CAST(n AS DECIMAL(10, 2)) {how} (SELECT CAST(n AS {rows}")
    };
    let queries: [(String, &[&str]); 8] = [
        (among("IN", "DECIMAL(12, 4)) FROM t WHERE at < 3)"), &["1", "2", "3", "6"]),
        (among("IN", "DOUBLE) FROM t WHERE at < 2)"), &["1", "3"]),
        (among("NOT IN", "DECIMAL(12, 4)) AS m FROM t WHERE at = 1)"), &["2", "4", "6"]),
        (among("IN", "DECIMAL(12, 4)) FROM t WHERE at < 3) ORDER BY at DESC"), &["6", "3", "2", "1"]),
        (
            among("IN", "DECIMAL(12, 4)) FROM t WHERE at < 3) GROUP BY k").replace("SELECT at", "SELECT k, count(*) AS c"),
            &["a | 3", "b | 1"],
        ),
        (
            "SELECT at FROM t WHERE n IN (SELECT m FROM (SELECT CAST(n AS DECIMAL(12, 4)) AS m FROM t WHERE at < 2) AS u)"
                .to_owned(),
            &["1", "3"],
        ),
        ("SELECT at FROM t WHERE CAST(at AS DECIMAL(10, 2)) IN (1.005, 2.0)".to_owned(), &["2"]),
        ("SELECT at FROM t WHERE CAST(at AS DECIMAL(10, 2)) NOT IN (1, 2, 5)".to_owned(), &["3", "4", "6"]),
    ];
    let bench = bench();
    for (query, expected) in queries {
        assert_eq!(answer(&bench, "rows", &query), expected, "{query}");
    }
}

#[test]
fn values_of_the_row_around_are_those_of_no_rows_too() {
    right(
        "rows",
        &[
            (
                "SELECT a.at, (SELECT count_if(b.at > 2) FROM t b WHERE b.n = a.at) AS c FROM t a",
                &["1 | 1", "2 | 1", "3 | 1", "4 | 0", "5 | 0", "6 | 0"],
            ),
            (
                "SELECT a.at FROM t a WHERE a.at > (SELECT count(*) FROM t b JOIN t c ON b.n = c.n WHERE b.k = a.k AND c.k = a.k)",
                &["2", "4", "5", "6"],
            ),
            (
                "SELECT * EXCEPT (k) FROM t a WHERE a.n = (SELECT max(b.n) FROM t b WHERE b.k = a.k AND b.at < 6)",
                &["3 | 1", "1 | 2", "3 | 3"],
            ),
        ],
    );
}

#[test]
fn rows_that_come_more_than_once_are_counted() {
    right(
        "rows",
        &[
            ("SELECT k FROM t EXCEPT ALL SELECT k FROM t WHERE at < 3", &["a", "null", "b", "a"]),
            ("SELECT n FROM t INTERSECT ALL SELECT n FROM t WHERE k = 'a' ORDER BY n", &["1", "3", "3"]),
            ("SELECT k FROM t EXCEPT ALL SELECT k FROM t WHERE at < 3 EXCEPT ALL SELECT 'a' AS k", &["null", "b", "a"]),
            ("SELECT k, n FROM t INTERSECT ALL SELECT k, n FROM t WHERE n > 1 LIMIT 2", &["a | 3", "a | 3"]),
            ("SELECT count(*) AS c FROM (SELECT k FROM t EXCEPT ALL SELECT 'c' AS k) AS s", &["6"]),
        ],
    );
}

#[test]
fn keys_may_be_called_alike() {
    right(
        "rows",
        &[
            (
                "SELECT a.k AS x, b.k AS y, count(*) AS c FROM t a JOIN t b ON a.n = b.n GROUP BY a.k, b.k ORDER BY c DESC, x, y",
                &["a | a | 5", "a | b | 1", "b | a | 1", "b | b | 1", "null | null | 1"],
            ),
            (
                "SELECT upper(k) AS u, lower(k) AS l, count(*) AS c FROM t WHERE k IS NOT NULL GROUP BY upper(k), lower(k)",
                &["A | a | 3", "B | b | 2"],
            ),
            (
                "SELECT k, count(*) AS c FROM t GROUP BY k, k ORDER BY c DESC, k NULLS FIRST",
                &["a | 3", "b | 2", "null | 1"],
            ),
            (
                "SELECT CASE k WHEN 'a' THEN 'z' ELSE k END AS k, sum(sum(n)) OVER () AS s FROM t WHERE k IS NOT NULL GROUP BY k ORDER BY k",
                &["b | 8", "z | 8"],
            ),
        ],
    );
}

#[test]
fn keys_may_be_asked_and_renamed() {
    right(
        "rows",
        &[
            ("SELECT n, count(*) AS c FROM t GROUP BY n HAVING n > 1", &["2 | 1", "3 | 2"]),
            ("SELECT k, sum(n) AS s FROM t GROUP BY k HAVING k = 'a' OR sum(n) > 1", &["null | 2", "a | 7"]),
            ("SELECT n + 1 AS m FROM t GROUP BY n + 1 HAVING n + 1 < 4 AND count(*) > 1", &["2"]),
            ("SELECT count(*) AS c FROM t GROUP BY t.k HAVING t.k = 'b' ORDER BY t.k", &["2"]),
            ("SELECT n % 2 AS p, count(*) AS c FROM t GROUP BY p HAVING p = 0", &["0 | 1"]),
            ("SELECT k AS j, count(*) AS c FROM t GROUP BY ALL HAVING j = 'b'", &["b | 2"]),
            (
                "SELECT b.k AS other, count(*) AS c FROM t a JOIN t b ON a.n = b.n GROUP BY b.k",
                &["null | 1", "a | 6", "b | 2"],
            ),
            (
                "SELECT b.n AS other, count(*) AS c FROM t a LEFT JOIN t b ON a.n = b.n GROUP BY b.n",
                &["null | 1", "1 | 4", "2 | 1", "3 | 4"],
            ),
        ],
    );
}

/// An aggregate has a row of no rows too.
#[test]
fn a_query_of_one_value_is_always_there() {
    right(
        "rows",
        &[
            ("SELECT at FROM t WHERE EXISTS (SELECT max(u.n) FROM t u WHERE u.at = t.n + 9) AND at < 3", &["1", "2"]),
            ("SELECT at FROM t WHERE NOT EXISTS (SELECT count(*) FROM t u WHERE u.at = t.n)", &[]),
            ("SELECT at FROM t WHERE EXISTS (SELECT u.n FROM t u WHERE u.at = t.n AND u.at < 2)", &["2", "6"]),
            (
                "SELECT at FROM t WHERE EXISTS (SELECT 1 FROM t u WHERE u.k = 'b' AND t.at BETWEEN u.n AND u.at)",
                &["1", "2"],
            ),
            (
                "SELECT at FROM t WHERE NOT EXISTS (SELECT 1 FROM t u WHERE u.k = 'b' AND t.at BETWEEN u.n AND u.at)",
                &["3", "4", "5", "6"],
            ),
            (
                "SELECT at FROM t WHERE EXISTS (SELECT 1 FROM t u WHERE (u.at BETWEEN t.n AND t.n + 0) AND u.k = t.k)",
                &["1", "3", "6"],
            ),
        ],
    );
}

#[test]
fn all_columns_are_those_of_the_table_that_is_asked() {
    right(
        "rows",
        &[
            (
                "SELECT * FROM t WHERE NOT EXISTS (SELECT 1 FROM t u WHERE u.k = t.k AND u.at > t.at)",
                &["null | 2 | 4", "b | null | 5", "a | 1 | 6"],
            ),
            (
                "SELECT * EXCLUDE (n) FROM t a WHERE EXISTS (SELECT 1 FROM t u WHERE u.k = a.k AND u.n < a.n)",
                &["a | 1", "a | 3"],
            ),
        ],
    );
}

#[test]
fn nothing_is_replaced_nowhere_and_missing_texts_have_no_beginning() {
    right(
        "rows",
        &[(
            "SELECT replace(k, '', 'x') AS r, left(k, 0) IS NULL AS l, replace(k, 'a', '') AS a FROM t WHERE at > 3",
            &["null | true | null", "b | false | b", "a | false | "],
        )],
    );
}

#[test]
fn windows_have_filters_and_places() {
    right(
        "rows",
        &[
            (
                "SELECT at, count_if(n > 1) FILTER (WHERE at < 4) OVER (PARTITION BY k) AS c, count(DISTINCT n) FILTER (WHERE at < 6) OVER (PARTITION BY k) AS d, bool_or(n > 2) FILTER (WHERE at > 1) OVER (PARTITION BY k) AS e, var_pop(at) FILTER (WHERE at < 6) OVER (PARTITION BY k) AS v FROM t",
                &[
                    "1 | 2 | 1 | true | 1.0",
                    "2 | 0 | 1 | false | 2.25",
                    "3 | 2 | 1 | true | 1.0",
                    "4 | 0 | 1 | false | 0.0",
                    "5 | 0 | 1 | false | 2.25",
                    "6 | 2 | 1 | true | 1.0",
                ],
            ),
            (
                "SELECT at, nth_value(at, 2) OVER (PARTITION BY k ORDER BY at) AS a, nth_value(n, 3) OVER (ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS b, nth_value(at, 3) OVER (PARTITION BY k) AS c FROM t",
                &[
                    "1 | null | 3 | 6",
                    "2 | null | 3 | null",
                    "3 | 3 | 3 | 6",
                    "4 | null | 3 | null",
                    "5 | 5 | 3 | null",
                    "6 | 3 | 3 | 6",
                ],
            ),
            ("SELECT approx_count_distinct(n) FILTER (WHERE at < 4) AS c FROM t", &["2"]),
            ("SELECT count(*) AS c FROM t WHERE 0.1 + 0.2 = 0.30", &["6"]),
        ],
    );
}

#[test]
fn what_else_there_is_says_what_to_write() {
    let bench = bench();
    for (query, says) in [
        ("SELECT nth_value(n) OVER (ORDER BY at) AS v FROM t", "`nth_value` takes a column and a place"),
        ("SELECT nth_value(n, 0) OVER (ORDER BY at) AS v FROM t", "such as `nth_value(x, 2)`, found `0`"),
        ("SELECT at FROM t WHERE at BETWEEN SYMMETRIC 3 AND 1", "write `BETWEEN least(a, b) AND greatest(a, b)`"),
        ("SELECT at FROM t WHERE k IN (SELECT n FROM t)", "IN compares values of one type"),
        ("SELECT a.k, b.k FROM t a JOIN t b ON a.n = b.n GROUP BY a.k, b.k", "two columns are called `k`"),
        (
            "SELECT t.at FROM t JOIN (SELECT k AS n FROM t) AS u USING (n)",
            "keys of one type, found `n` of i64 and `n` of str",
        ),
        (
            "SELECT a.at FROM t a JOIN t b ON a.at = b.k",
            "`at` is i64, but `k` of the other table is str: CAST one of them to the type of the other",
        ),
        (
            "SELECT at FROM t a WHERE n = 1 OR EXISTS (SELECT 1 FROM t b WHERE b.n < a.at)",
            "an EXISTS that asks of the row around it",
        ),
        ("SELECT at FROM t a WHERE (k, n) NOT IN (SELECT b.k, b.n FROM t b WHERE b.at = a.at)", "stands by itself"),
    ] {
        let found = answer(&bench, "rows", query).join(" ");
        assert!(found.contains(says), "{query}: {found}");
    }
}
