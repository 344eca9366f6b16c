//! Aggregates of constants count every row.

use super::answers::right;

#[test]
fn a_constant_is_there_once_for_each_row() {
    right(
        "rows",
        &[
            (
                "SELECT sum(1) AS s, avg(2) AS a, max(3) AS m, count_if(true) AS c, stddev(4) AS d FROM t",
                &["6 | 2.0 | 3 | 6 | 0.0"],
            ),
            (
                "SELECT sum(1) AS s, max(1) AS m, count_if(true) AS c, count(DISTINCT 1) AS d FROM t WHERE at > 9",
                &["null | null | 0 | 0"],
            ),
            (
                "SELECT k, sum(1) AS s, sum(0.5) AS h, sum(1 + 1) AS d FROM t WHERE k IS NOT NULL GROUP BY k",
                &["a | 3 | 1.5 | 6", "b | 2 | 1.0 | 4"],
            ),
            ("SELECT k FROM t GROUP BY k HAVING sum(1) > 2", &["a"]),
            (
                "SELECT at, sum(1) OVER (PARTITION BY k) AS s, sum(1) OVER (ORDER BY at) AS r FROM t WHERE k = 'b'",
                &["2 | 2 | 1", "5 | 2 | 2"],
            ),
            ("SELECT sum(1) AS s, max(3) AS m", &["1 | 3"]),
            ("SELECT (SELECT sum(1) FROM t) AS s FROM t WHERE at = 1", &["6"]),
            (
                "SELECT sum(DISTINCT 4) AS s, count(DISTINCT 4) AS c, sum(1) FILTER (WHERE n > 1) AS f FROM t",
                &["4 | 1 | 3"],
            ),
            ("SELECT string_agg('x', '-') AS s FROM t WHERE k = 'a'", &["x-x-x"]),
            ("SELECT sum(CASE WHEN true THEN 1 ELSE 0 END) AS s FROM t", &["6"]),
            ("SELECT at FROM t WHERE n IN (3) OR k IN ('b')", &["1", "2", "3", "5"]),
        ],
    );
}
