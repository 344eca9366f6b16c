//! Lists made of rows and rows of lists, as databases have them, and where they cannot stand.

use super::answers::{answer, bench, right};
use super::stepwise::Table;
use super::testing::{findings, run};

#[test]
fn of_no_rows_there_is_no_list() {
    right(
        "rows",
        &[
            ("SELECT array_agg(n) AS l FROM t WHERE at > 100", &["null"]),
            ("SELECT array_agg(n ORDER BY at) FILTER (WHERE at > 100) AS l, count(*) AS c FROM t", &["null | 6"]),
            (
                "SELECT k, array_agg(at) FILTER (WHERE at > 4) AS l FROM t GROUP BY k",
                &["null | null", "a | [6]", "b | [5]"],
            ),
            ("SELECT array_length(array_agg(n)) AS l FROM t WHERE at > 100", &["null"]),
            ("SELECT array_agg(n) AS l FROM t WHERE n IS NULL", &["[null]"]),
            (
                "SELECT k, array_agg(at ORDER BY at DESC) AS l FROM t GROUP BY k HAVING count(*) > 1 ORDER BY array_length(array_agg(at))",
                &["b | [5, 2]", "a | [6, 3, 1]"],
            ),
        ],
    );
    let fields = r#"from = "rows"
steps = [{ group = { by = "k", agg = { l = "array_agg(at) FILTER (WHERE at > 4)" } } }, { filter = "l IS NULL" }]"#;
    let df = run::<Table>(&bench(), fields).expect("it runs").remove(0).1;
    assert_eq!(df.height(), 1);
}

#[test]
fn lists_that_are_taken_apart_together_are_filled_up() {
    right(
        "lists",
        &[
            (
                "SELECT id, unnest(l) AS a, unnest(w) AS b FROM t",
                &["1 | 3 | b", "1 | 1 | a", "1 | 2 | b", "1 | 3 | null", "2 | null | c"],
            ),
            (
                "SELECT id, a, b FROM t CROSS JOIN UNNEST(l, w) AS i (a, b) WHERE id > 1 OR a = 3",
                &["1 | 3 | b", "1 | 3 | null", "2 | null | c"],
            ),
            ("SELECT unnest([1, 2]) AS a, unnest(['x', 'y', 'z']) AS b", &["1 | x", "2 | y", "null | z"]),
        ],
    );
}

#[test]
fn what_stands_where_no_rows_are_made_is_refused() {
    let bench = bench();
    for (table, query, says) in [
        ("lists", "SELECT id FROM t WHERE unnest(l) = 1", "take the list apart in a `WITH` first"),
        ("lists", "SELECT unnest(l) AS v FROM t ORDER BY unnest(l)", "`unnest(list) AS item`"),
        ("lists", "SELECT unnest(l) AS v, count(*) AS c FROM t GROUP BY unnest(l)", "`unnest(list) AS item`"),
        ("lists", "SELECT unnest(l) AS v, row_number() OVER (ORDER BY id) AS r FROM t", "a window is made before"),
        ("lists", "SELECT count(unnest(l)) AS c FROM t", "are not one in the other"),
        ("rows", "SELECT k, unnest(array_agg(n)) AS v FROM t GROUP BY k", "are not one in the other"),
        ("rows", "SELECT k, max(count(*)) AS m FROM t GROUP BY k", "`count(*)` is an aggregate inside of another"),
        ("rows", "SELECT sum(sum(n)) AS s FROM t", "over all groups it is `sum(sum(n)) OVER ()`"),
        ("rows", "SELECT k, sum(row_number() OVER (ORDER BY at)) AS s FROM t GROUP BY k", "a window is made after it"),
        (
            "rows",
            "SELECT count(*) FILTER (WHERE rank() OVER (ORDER BY n) = 1) AS s FROM t",
            "a window is made after it",
        ),
    ] {
        let found = answer(&bench, table, query).join(" ");
        assert!(found.starts_with("E0216") && found.contains(says), "{query}: {found}");
    }
    for fine in [
        "SELECT k, unnest(v) AS v FROM (SELECT k, array_agg(n) AS v FROM t GROUP BY k) AS g",
        "SELECT k, sum(count(*)) OVER () AS s FROM t GROUP BY k",
        "SELECT sum(CASE WHEN n > (SELECT avg(n) FROM t) THEN 1 END) AS s FROM t",
    ] {
        let found = answer(&bench, "rows", fine).join(" ");
        assert!(!found.contains("E0"), "{fine}: {found}");
    }
}

#[test]
fn a_group_s_aggregate_holds_no_window() {
    let steps =
        |agg: &str| format!("from = \"rows\"\nsteps = [{{ group = {{ by = \"k\", agg = {{ v = \"{agg}\" }} }} }}]");
    for agg in ["sum(row_number() OVER (ORDER BY at))", "max(at) - first(lag(at) OVER (ORDER BY at))"] {
        let found = bench().check::<Table>(&steps(agg)).1;
        let [found] = found.as_slice() else { panic!("{agg}: {found:?}") };
        assert!(found.diagnostic.message.contains("the step `window` before"), "{agg}: {found:?}");
        let place = found.part.clone().map(|range| &agg[range]);
        assert!(matches!(place, Some("row_number" | "lag")), "{agg}: {place:?}");
    }
    let found = findings::<Table>(&bench(), &steps("avg(abs(n - avg(n)))"));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_first_in_an_order_rows_and_texts_are_those_of_databases() {
    right(
        "rows",
        &[
            (
                "SELECT k, first(at ORDER BY n, at DESC) AS a, last(at ORDER BY n, at DESC) AS b FROM t GROUP BY k",
                &["null | 4 | 4", "a | 6 | 1", "b | 2 | 5"],
            ),
            ("SELECT first(at ORDER BY n DESC, at) FILTER (WHERE n < 3) AS a FROM t", &["4"]),
            ("SELECT at FROM t WHERE (n, at) > (2, 3)", &["1", "3", "4"]),
            ("SELECT at FROM t WHERE (k, n) IN (('a', 3), ('b', 1))", &["1", "2", "3"]),
            ("SELECT at FROM t WHERE (k, n) <> ('a', 3)", &["2", "4", "5", "6"]),
            ("SELECT at FROM t WHERE n IN (at, 1 + 2)", &["1", "3"]),
            ("SELECT at FROM t WHERE n NOT IN (at - 1, 1)", &["1", "3", "4"]),
            ("SELECT length(E'a\\\\tb') AS l, N'c' AS n FROM t WHERE at = 1", &["3 | c"]),
        ],
    );
}
