//! Ordinary SQL that polars' SQL does not have: the answers of databases, worked out by DuckDB.

use super::answers::{answer, bench, right};

#[test]
fn groups_have_windows_an_order_and_sets() {
    right(
        "rows",
        &[
            ("SELECT k FROM t GROUP BY k ORDER BY count(*) DESC, k NULLS FIRST", &["a", "b", "null"]),
            ("SELECT k, max(n) AS m FROM t GROUP BY k ORDER BY max(at) DESC", &["a | 3", "b | 1", "null | 2"]),
            (
                "SELECT k, sum(n) AS s, sum(sum(n)) OVER () AS total FROM t GROUP BY k ORDER BY k NULLS FIRST",
                &["null | 2 | 10", "a | 7 | 10", "b | 1 | 10"],
            ),
            (
                "SELECT k, rank() OVER (ORDER BY sum(n) DESC) AS r FROM t WHERE k IS NOT NULL GROUP BY k ORDER BY r",
                &["a | 1", "b | 2"],
            ),
            (
                "SELECT k, sum(n) * 100.0 / sum(sum(n)) OVER () AS share FROM t WHERE k IS NOT NULL GROUP BY k",
                &["a | 87.5", "b | 12.5"],
            ),
            (
                "SELECT k, n, row_number() OVER (PARTITION BY k ORDER BY count(*) DESC, n) AS r FROM t WHERE k = 'a' GROUP BY k, n QUALIFY r = 1",
                &["a | 3 | 1"],
            ),
            (
                "SELECT upper(k) AS u, count(*) AS c, lag(count(*)) OVER (ORDER BY upper(k)) AS before FROM t WHERE k IS NOT NULL GROUP BY u ORDER BY u",
                &["A | 3 | null", "B | 2 | 3"],
            ),
            ("SELECT sum(n) AS s FROM t HAVING sum(n) > 9", &["10"]),
            ("SELECT sum(n) AS s FROM t HAVING count(*) > 100", &[]),
            ("SELECT count(*) AS c FROM t WHERE at > 100 HAVING count(*) = 0", &["0"]),
            (
                "SELECT k, n, count(*) AS c FROM t WHERE at IN (1, 2, 3) GROUP BY ROLLUP (k, n)",
                &["a | 3 | 2", "b | 1 | 1", "a | null | 2", "b | null | 1", "null | null | 3"],
            ),
            (
                "SELECT k, n, count(*) AS c FROM t WHERE at IN (1, 2, 3) GROUP BY CUBE (k, n)",
                &[
                    "a | 3 | 2",
                    "b | 1 | 1",
                    "a | null | 2",
                    "b | null | 1",
                    "null | 1 | 1",
                    "null | 3 | 2",
                    "null | null | 3",
                ],
            ),
            (
                "SELECT k, n, count(*) AS c, grouping(k) AS g, grouping(k, n) AS b FROM t WHERE at IN (1, 2, 3) GROUP BY GROUPING SETS ((k, n), (n), ())",
                &[
                    "a | 3 | 2 | 0 | 0",
                    "b | 1 | 1 | 0 | 0",
                    "null | 1 | 1 | 1 | 2",
                    "null | 3 | 2 | 1 | 2",
                    "null | null | 3 | 1 | 3",
                ],
            ),
            (
                "SELECT k, sum(n) AS s FROM t GROUP BY ROLLUP (k) HAVING sum(n) > 2 ORDER BY s DESC",
                &["null | 10", "a | 7"],
            ),
            ("SELECT count(*) AS c FROM t WHERE at > 100 GROUP BY ROLLUP (k)", &["0"]),
            (
                "SELECT k, count(*) AS c FROM t GROUP BY ALL ORDER BY c DESC, k NULLS FIRST",
                &["a | 3", "b | 2", "null | 1"],
            ),
            (
                "SELECT k, array_length(array_agg(n)) AS c FROM t GROUP BY k ORDER BY array_length(array_agg(n)) DESC, k NULLS FIRST",
                &["a | 3", "b | 2", "null | 1"],
            ),
            (
                "SELECT k || '!' AS x, count(*) AS c FROM t WHERE k IS NOT NULL GROUP BY k ORDER BY sum(at) DESC",
                &["a! | 3", "b! | 2"],
            ),
        ],
    );
}

#[test]
fn aggregates_are_those_of_databases() {
    right(
        "rows",
        &[
            (
                "SELECT k, bool_and(n > 1) AS a, bool_or(n > 1) AS o FROM t GROUP BY k ORDER BY k NULLS FIRST",
                &["null | true | true", "a | false | true", "b | false | false"],
            ),
            (
                "SELECT k, any_value(n) AS v, count_if(n > 1) AS c FROM t GROUP BY k ORDER BY k NULLS FIRST",
                &["null | 2 | 1", "a | 3 | 2", "b | 1 | 0"],
            ),
            (
                "SELECT k, sum(DISTINCT n) AS s, avg(DISTINCT n) AS m, sum(DISTINCT n) FILTER (WHERE n > 1) AS f FROM t GROUP BY k ORDER BY k NULLS FIRST",
                &["null | 2 | 2.0 | 2", "a | 4 | 2.0 | 3", "b | 1 | 1.0 | null"],
            ),
            (
                "SELECT k, stddev(DISTINCT n) AS s, var_pop(DISTINCT n) AS v, median(DISTINCT n) AS m FROM t GROUP BY k ORDER BY k NULLS FIRST",
                &["null | null | 0.0 | 2.0", "a | 1.414214 | 1.0 | 2.0", "b | null | 0.0 | 1.0"],
            ),
            ("SELECT sum(DISTINCT n) AS s FROM t WHERE at > 100", &["null"]),
            ("SELECT count(DISTINCT (k, n)) AS c FROM t", &["5"]),
            ("SELECT var_pop(n) AS v, stddev_pop(at) AS d FROM t", &["0.8 | 1.707825"]),
            (
                "SELECT k, var_pop(n) AS v FROM t GROUP BY k ORDER BY k NULLS FIRST",
                &["null | 0.0", "a | 0.888889", "b | 0.0"],
            ),
            (
                "SELECT k, percentile_cont(0.5) WITHIN GROUP (ORDER BY at) AS m, percentile_disc(0.5) WITHIN GROUP (ORDER BY at) AS d FROM t GROUP BY k ORDER BY k NULLS FIRST",
                &["null | 4.0 | 4.0", "a | 3.0 | 3.0", "b | 3.5 | 2.0"],
            ),
            (
                "SELECT k, arg_max(at, n) AS a, min_by(at, n) AS b FROM t GROUP BY k ORDER BY k NULLS FIRST",
                &["null | 4 | 4", "a | 1 | 6", "b | 2 | 2"],
            ),
            (
                "SELECT k, count(*) FILTER (WHERE n > 1) AS a, sum(n) FILTER (WHERE n > 100) AS b, string_agg(CAST(at AS VARCHAR), '+') FILTER (WHERE n IS NOT NULL) AS c FROM t GROUP BY k ORDER BY k NULLS FIRST",
                &["null | 1 | null | 4", "a | 2 | null | 1+3+6", "b | 0 | null | 2"],
            ),
        ],
    );
}

#[test]
fn windows_know_places_and_defaults() {
    right(
        "rows",
        &[
            (
                "SELECT at, count(*) FILTER (WHERE n > 1) OVER (PARTITION BY k) AS c, sum(at) FILTER (WHERE n > 1) OVER (ORDER BY at) AS s FROM t",
                &["1 | 2 | 1", "2 | 0 | 1", "3 | 2 | 4", "4 | 1 | 8", "5 | 0 | 8", "6 | 2 | 8"],
            ),
            (
                "SELECT at, ntile(4) OVER (ORDER BY at) AS a, ntile(2) OVER (PARTITION BY k ORDER BY at DESC) AS b, ntile(9) OVER (ORDER BY at) AS c FROM t",
                &["1 | 1 | 2 | 1", "2 | 1 | 2 | 2", "3 | 2 | 1 | 3", "4 | 2 | 1 | 4", "5 | 3 | 1 | 5", "6 | 4 | 1 | 6"],
            ),
            (
                "SELECT at, percent_rank() OVER (ORDER BY n NULLS FIRST) AS p, cume_dist() OVER (ORDER BY n NULLS FIRST) AS c FROM t",
                &[
                    "1 | 0.8 | 1.0",
                    "2 | 0.2 | 0.5",
                    "3 | 0.8 | 1.0",
                    "4 | 0.6 | 0.666667",
                    "5 | 0.0 | 0.166667",
                    "6 | 0.2 | 0.5",
                ],
            ),
            (
                "SELECT at, percent_rank() OVER (PARTITION BY k ORDER BY at) AS p, cume_dist() OVER (PARTITION BY k ORDER BY at DESC) AS c FROM t",
                &[
                    "1 | 0.0 | 1.0",
                    "2 | 0.0 | 1.0",
                    "3 | 0.5 | 0.666667",
                    "4 | 0.0 | 1.0",
                    "5 | 1.0 | 0.5",
                    "6 | 1.0 | 0.333333",
                ],
            ),
            (
                "SELECT at, lag(n, 1, 0) OVER (ORDER BY at) AS a, lead(n, 2, at * 10) OVER (ORDER BY at) AS b, lag(at, 1, -1) OVER (PARTITION BY k ORDER BY at DESC) AS c FROM t",
                &[
                    "1 | 0 | 3 | 3",
                    "2 | 3 | 2 | 5",
                    "3 | 1 | null | 6",
                    "4 | 3 | 1 | -1",
                    "5 | 2 | 50 | -1",
                    "6 | null | 60 | -1",
                ],
            ),
            (
                "SELECT at, bool_and(n > 1) OVER (PARTITION BY k) AS a, var_pop(at) OVER (PARTITION BY k) AS v FROM t",
                &[
                    "1 | false | 4.222222",
                    "2 | false | 2.25",
                    "3 | false | 4.222222",
                    "4 | true | 0.0",
                    "5 | false | 2.25",
                    "6 | false | 4.222222",
                ],
            ),
            (
                "SELECT DISTINCT k, count(*) OVER (PARTITION BY k) AS c FROM t ORDER BY c, k NULLS FIRST",
                &["null | 1", "b | 2", "a | 3"],
            ),
        ],
    );
}

#[test]
fn joins_may_ask_anything() {
    right(
        "rows",
        &[
            (
                "SELECT a.at, b.at AS other FROM t a JOIN t b ON a.n = b.n OR a.at = b.at + 1",
                &[
                    "1 | 1", "1 | 3", "2 | 1", "2 | 2", "2 | 6", "3 | 1", "3 | 2", "3 | 3", "4 | 3", "4 | 4", "5 | 4",
                    "6 | 2", "6 | 5", "6 | 6",
                ],
            ),
            (
                "SELECT a.at, b.at AS other FROM t a JOIN t b ON a.n = b.n AND (a.k = b.k OR a.k IS NULL) AND a.at <> b.at",
                &["1 | 3", "3 | 1"],
            ),
            (
                "SELECT a.at, b.at AS other FROM t a JOIN t b ON a.k IS NOT DISTINCT FROM b.k AND a.at < b.at",
                &["1 | 3", "1 | 6", "2 | 5", "3 | 6"],
            ),
            ("SELECT a.at, b.at AS other FROM t a JOIN t b ON a.at + b.at = 5", &["1 | 4", "2 | 3", "3 | 2", "4 | 1"]),
            (
                "SELECT a.at, b.at AS other FROM t a LEFT JOIN t b ON a.n = b.n AND b.k IN ('b') AND a.at < 4",
                &["1 | null", "2 | 2", "3 | null", "4 | null", "5 | null", "6 | null"],
            ),
            (
                "SELECT a.at, b.at AS other FROM t a LEFT JOIN t b ON a.at BETWEEN b.n AND b.at AND b.k IS NOT NULL ORDER BY a.at, b.at",
                &["1 | 2", "1 | 6", "2 | 2", "2 | 6", "3 | 3", "3 | 6", "4 | 6", "5 | 6", "6 | 6"],
            ),
            ("SELECT a.at, b.at AS other FROM t a JOIN t b ON TRUE WHERE a.at = 1 AND b.at < 3", &["1 | 1", "1 | 2"]),
        ],
    );
}

#[test]
fn queries_may_ask_of_the_row_around_them() {
    right(
        "rows",
        &[
            (
                "SELECT a.at FROM t a WHERE EXISTS (SELECT 1 FROM t b WHERE b.n = a.n AND b.at <> a.at)",
                &["1", "2", "3", "6"],
            ),
            (
                "SELECT a.at FROM t a WHERE NOT EXISTS (SELECT * FROM t b WHERE b.k = a.k AND b.at > a.at)",
                &["4", "5", "6"],
            ),
            (
                "SELECT a.at FROM t a WHERE a.at > 1 AND EXISTS (SELECT 1 FROM t b JOIN t c ON b.n = c.n WHERE b.k = a.k AND c.at > 4) AND a.n IS NOT NULL",
                &["2", "3", "6"],
            ),
            ("SELECT at FROM t WHERE EXISTS (SELECT 1 FROM t o WHERE o.at > 5)", &["1", "2", "3", "4", "5", "6"]),
            ("SELECT at FROM t WHERE at = 1 OR NOT EXISTS (SELECT 1 FROM t o WHERE o.at > 5)", &["1"]),
            (
                "SELECT at, EXISTS (SELECT 1 FROM t o WHERE o.at > 6) AS e FROM t WHERE at < 3",
                &["1 | false", "2 | false"],
            ),
            ("SELECT a.at FROM t a WHERE a.k IN (SELECT b.k FROM t b WHERE b.at = a.at + 2)", &["1"]),
            ("SELECT a.at FROM t a WHERE (a.k, a.n) IN (SELECT k, n FROM t WHERE at > 1)", &["1", "2", "3", "6"]),
            ("SELECT a.at FROM t a WHERE a.at > (SELECT avg(b.at) FROM t b WHERE b.k = a.k)", &["5", "6"]),
            (
                "SELECT a.at, (SELECT count(*) FROM t b WHERE b.n = a.at) AS c, (SELECT coalesce(sum(b.at), 0) + 1 FROM t b WHERE b.n = a.at) AS s FROM t a",
                &["1 | 2 | 9", "2 | 1 | 5", "3 | 2 | 5", "4 | 0 | 1", "5 | 0 | 1", "6 | 0 | 1"],
            ),
            (
                "SELECT * FROM t a WHERE a.n = (SELECT max(b.n) FROM t b WHERE b.k = a.k AND b.at < 6)",
                &["a | 3 | 1", "b | 1 | 2", "a | 3 | 3"],
            ),
            ("SELECT k, n FROM t WHERE (k, n) IN (SELECT k, max(n) FROM t GROUP BY k)", &["a | 3", "b | 1", "a | 3"]),
        ],
    );
}

#[test]
fn values_and_constants_are_what_they_say() {
    right(
        "rows",
        &[
            ("VALUES (1, 'a'), (2, NULL)", &["1 | a", "2 | null"]),
            (
                "WITH v (x, y) AS (VALUES (1, 'one'), (3, NULL)) SELECT at, y FROM t JOIN v ON t.at = v.x",
                &["1 | one", "3 | null"],
            ),
            (
                "SELECT at, x FROM (VALUES (1, 'one'), (2, 'two')) AS v (i, x) JOIN t ON t.at = v.i",
                &["1 | one", "2 | two"],
            ),
            ("SELECT k, n, at FROM t WHERE n IS DISTINCT FROM 3 AND k IS NOT DISTINCT FROM 'a'", &["a | 1 | 6"]),
            (
                "SELECT 0.1 + 0.2 = 0.3 AS a, at FROM t WHERE at = 1 AND 0.06 BETWEEN 0.05 - 0.01 AND 0.05 + 0.01",
                &["true | 1"],
            ),
        ],
    );
}

#[test]
fn texts_and_times_are_those_of_databases() {
    let bench = bench();
    for (expression, expected) in [
        ("date_trunc('month', d)", "2024-02-01"),
        ("date_trunc('week', d)", "2024-02-26"),
        ("date_trunc('quarter', at)", "2024-01-01 00:00:00"),
        ("date_trunc('hour', at)", "2024-02-29 23:00:00"),
        ("date_diff('day', d, sunday)", "3"),
        ("date_diff('month', d, sunday)", "1"),
        ("date_diff('hour', at, TIMESTAMP '2024-03-01 01:00:00')", "2"),
        ("date_diff('year', sunday, DATE '2023-12-31')", "-1"),
        ("year(d) * 100 + month(at)", "202402"),
        ("dayofweek(sunday)", "0"),
        ("last_day(d)", "2024-02-29"),
        ("d + INTERVAL '1' DAY", "2024-03-01"),
        ("d - INTERVAL 2 MONTH", "2023-12-29"),
        ("d + INTERVAL '-1 day'", "2024-02-28"),
        ("INTERVAL '1' HOUR + at", "2024-03-01 00:59:58.250"),
        ("at - n * INTERVAL '1 day'", "2024-03-07 23:59:58.250"),
        ("CAST(at AS VARCHAR)", "2024-02-29 23:59:58.25"),
        ("CAST(date_trunc('minute', at) AS VARCHAR)", "2024-02-29 23:59:00"),
        ("CAST(CAST(at AS TIME) AS VARCHAR)", "23:59:58.25"),
        ("at || '!'", "2024-02-29 23:59:58.25!"),
        ("concat(d, ' ', at)", "2024-02-29 2024-02-29 23:59:58.25"),
        ("CAST('2024-02-29 23:59:58.25' AS TIMESTAMP) = at", "true"),
        ("TRY_CAST(s AS TIMESTAMP)", "null"),
        ("to_timestamp(881250956 + n)", "1997-12-04 15:55:49"),
        ("s LIKE 'Gr!_n%' ESCAPE '!'", "false"),
        ("'50%' LIKE '%#%' ESCAPE '#'", "true"),
        ("s ILIKE '%!ROT' ESCAPE '!'", "true"),
        ("s SIMILAR TO '(G|g)r_n, (rot|blau)'", "true"),
        ("s NOT SIMILAR TO 'G.*'", "true"),
        ("regexp_replace(name, '[aeiou]', '_')", "_da lovelace"),
        ("regexp_replace(name, '([aeiou])', '<\\\\1>', 'g')", "<a>d<a> l<o>v<e>l<a>c<e>"),
        ("regexp_extract(name, '(l)(o.)', 2)", "ov"),
        ("regexp_extract(name, 'z')", ""),
        ("regexp_substr(name, 'z')", "null"),
        ("regexp_matches(name, '^ada')", "true"),
        ("left(s, n + 9)", "Gr"),
        ("left(s, nullif(n, -7))", "null"),
        ("contains(s, 'rot')", "true"),
        ("(n > 0 AND NULL) IS UNKNOWN", "false"),
        ("CAST(x AS DECIMAL(10, 2)) / 4", "0.625"),
        ("CAST(n AS DECIMAL(10, 2)) / 2", "-3.5"),
        ("CAST(x AS DECIMAL(10, 0))", "3"),
        ("TRY_CAST(CAST(x AS DECIMAL(10, 2)) AS DECIMAL(10, 0))", "3"),
        ("CAST('-0.25' AS DECIMAL(10, 1))", "-0.3"),
        ("CAST(2.5 AS INTEGER)", "3"),
        ("TRY_CAST(x + 0.2 AS INTEGER)", "3"),
        ("0.06 - 0.01 = 0.05", "true"),
    ] {
        let found = answer(&bench, "texts", &format!("SELECT {expression} AS v FROM t"));
        assert_eq!(found, [expected], "{expression}");
    }
}

#[test]
fn lists_without_anything_have_no_rows() {
    right(
        "lists",
        &[
            ("SELECT id, UNNEST(l) AS v FROM t", &["1 | 3", "1 | 1", "1 | 2", "1 | 3"]),
            ("SELECT id, UNNEST(w) AS v FROM t WHERE id > 1 OR id = 1", &["1 | b", "1 | a", "1 | b", "2 | c"]),
            ("SELECT id, v FROM t CROSS JOIN UNNEST(w) AS i (v)", &["1 | b", "1 | a", "1 | b", "2 | c"]),
        ],
    );
}

#[test]
fn what_has_no_answer_says_what_to_write() {
    let bench = bench();
    for (query, says) in [
        ("SELECT n, sum(n) AS s FROM t", "`n` is of each row, beside one value of all: write `GROUP BY n`"),
        ("SELECT sum(at) + n AS s FROM t", "write `GROUP BY n`"),
        ("SELECT *, count(*) AS c FROM t", "`*` is of each row"),
        ("SELECT n FROM t HAVING n > 1", "write `GROUP BY n`"),
        ("SELECT sum(n) AS s, row_number() OVER (ORDER BY at) AS r FROM t", "write `GROUP BY at`"),
        ("SELECT k, n, count(*) AS c FROM t GROUP BY k", "`n` is neither in GROUP BY nor inside of an aggregate"),
        ("SELECT k, count(*) AS c FROM t GROUP BY k ORDER BY at", "`at` is neither in GROUP BY"),
        ("SELECT k, upper(k) AS u, abs(n) AS a FROM t GROUP BY k", "`n` is neither in GROUP BY"),
        ("SELECT k FROM t GROUP BY k HAVING n > 1", "`n` is neither in GROUP BY"),
        ("SELECT at FROM t WHERE sum(n) > 3", "WHERE asks of each row, and this is one value of many"),
        ("SELECT at FROM t WHERE row_number() OVER (ORDER BY at) = 1", "write QUALIFY instead"),
        ("SELECT sum(n) AS s FROM t GROUP BY max(k)", "a group is made by what each row has"),
        ("SELECT sum(sum(n)) OVER () AS s FROM t GROUP BY k", "a window over all rows stands beside a column"),
        ("SELECT k, grouping(n) AS g FROM t GROUP BY ROLLUP (k)", "`n` is neither in GROUP BY"),
        ("SELECT k, mode(n) AS m FROM t GROUP BY k", "there is no function `mode`"),
        ("SELECT k, average(n) AS m FROM t GROUP BY k", "there is no function `average`: write `avg(x)`"),
        ("SELECT strftime('%Y', at) AS y FROM t", "a text in single quotes is wanted, found `at`"),
        ("SELECT bool_and(n) AS b FROM t", "`bool_and` and `bool_or` are of truth values, found i64"),
        ("SELECT date_trunc('decade', at) AS b FROM t", "takes one of the units year, quarter, month"),
        ("SELECT date_diff(at, at) AS b FROM t", "takes a unit and two dates or times"),
        ("SELECT now() AS b, at FROM t", "follows the clock"),
        ("SELECT at + INTERVAL (n) DAY AS b FROM t", "an interval is a text"),
        ("SELECT DATE '2024-01-31' + INTERVAL '1.5 hours' AS b FROM t", "write whole numbers with their units"),
        ("SELECT INTERVAL '1 fortnight' AS b FROM t", "`1 fortnight` is no interval"),
        ("SELECT k LIKE k ESCAPE '!' AS b FROM t", "a pattern is a text in single quotes"),
        ("SELECT regexp_replace(k, '(', 'x') AS b FROM t", "cannot be read"),
        ("SELECT regexp_extract(k, 'a', 1) AS b FROM t", "has no group 1"),
        ("SELECT ntile(0) OVER (ORDER BY at) AS b FROM t", "`ntile` takes a number of parts"),
        ("SELECT lag(n, at, 0) OVER (ORDER BY at) AS b FROM t", "`lag` takes a number of rows"),
        ("SELECT at ^ 2 AS b FROM t", "write `power(a, b)`"),
        ("SELECT percentile_cont(0.5) AS b FROM t", "WITHIN GROUP (ORDER BY column)"),
        ("SELECT n IN (SELECT at FROM t) AS b FROM t", "IN over a query is known in WHERE alone"),
    ] {
        let found = answer(&bench, "rows", query).join(" ");
        assert!(found.contains(says), "{query}: {found}");
    }
    let query = "SELECT CAST(s AS TIMESTAMP) AS v FROM t";
    let found = answer(&bench, "texts", query).join(" ");
    assert!(found.contains("'Grün, rot' in column `s` is no date and time such as '2024-01-31 12:30:00'"), "{found}");
}
