//! NaN is the largest number and equal to itself, wherever values are compared: the answers of DuckDB.

use super::answers::right_in;
use super::stepwise::Table;
use super::testing::{run, table_input};
use crate::stage::testing::Bench;
use polars::prelude::*;

fn bench() -> Bench {
    let nan = f64::NAN;
    let rows = df![
        "g" => ["a", "a", "a", "b", "b", "c", "d"],
        "at" => [1_i64, 2, 3, 4, 5, 6, 7],
        "x" => [Some(1.5), Some(nan), Some(-2.5), Some(nan), None, None, Some(f64::INFINITY)],
        "f" => [Some(f32::NAN), Some(0.5), None, Some(2.5), Some(f32::NAN), Some(f32::NAN), Some(-1.5)],
    ];
    let mut bench = Bench::default();
    table_input(&mut bench, "rows", rows.expect("a frame"));
    bench
}

#[test]
fn it_is_the_largest_of_groups_and_of_all() {
    right_in(
        &bench(),
        "rows",
        &[
            ("SELECT max(x) AS a, min(x) AS b, max(f) AS c, min(f) AS d FROM t", &["NaN | -2.5 | NaN | -1.5"]),
            (
                "SELECT g, max(x) AS a, min(x) AS b, max(f) AS c, min(f) AS d FROM t GROUP BY g",
                &[
                    "a | NaN | -2.5 | NaN | 0.5",
                    "b | NaN | NaN | NaN | 2.5",
                    "c | null | null | NaN | NaN",
                    "d | inf | inf | -1.5 | -1.5",
                ],
            ),
            ("SELECT g FROM t GROUP BY g HAVING max(x) > 100 ORDER BY max(x) DESC, g", &["a", "b", "d"]),
            ("SELECT max(DISTINCT x) AS a, max(x) FILTER (WHERE at <> 2 AND at <> 4) AS b FROM t", &["NaN | inf"]),
            ("SELECT max(x) FILTER (WHERE x < CAST('nan' AS DOUBLE)) AS a FROM t WHERE g = 'a'", &["1.5"]),
            ("SELECT greatest(x, 2.5) AS a, least(x, 2.5) AS b FROM t WHERE at < 3", &["2.5 | 1.5", "NaN | 2.5"]),
            ("SELECT at FROM t WHERE x = (SELECT max(x) FROM t)", &["2", "4"]),
            ("SELECT arg_max(at, x) AS a, arg_min(at, x) AS b FROM t", &["2 | 3"]),
        ],
    );
}

#[test]
fn it_is_the_largest_of_windows() {
    right_in(
        &bench(),
        "rows",
        &[
            (
                "SELECT max(x) OVER (PARTITION BY g) AS a, min(x) OVER (PARTITION BY g) AS b FROM t WHERE at < 6",
                &["NaN | -2.5", "NaN | -2.5", "NaN | -2.5", "NaN | NaN", "NaN | NaN"],
            ),
            (
                "SELECT max(x) OVER (ORDER BY at) AS a, min(f) OVER (ORDER BY at) AS b FROM t WHERE at < 4",
                &["1.5 | NaN", "NaN | 0.5", "NaN | 0.5"],
            ),
            (
                "SELECT max(x) OVER (ORDER BY at ROWS 1 PRECEDING) AS a, min(x) OVER (ORDER BY at ROWS 1 PRECEDING) AS b FROM t",
                &["1.5 | 1.5", "NaN | 1.5", "NaN | -2.5", "NaN | -2.5", "NaN | NaN", "null | null", "inf | inf"],
            ),
            // No number lies near it, and infinity is one.
            (
                "SELECT at, sum(at) OVER (ORDER BY x RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t WHERE x > 0",
                &["1 | 1", "2 | 6", "4 | 6", "7 | 7"],
            ),
            (
                "SELECT at, sum(at) OVER (ORDER BY x DESC RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t WHERE x > 0",
                &["1 | 1", "2 | 6", "4 | 6", "7 | 7"],
            ),
        ],
    );
}

#[test]
fn it_is_the_largest_in_steps() {
    let of = |steps: &str, name: &str| -> Vec<String> {
        let fields = format!("from = \"rows\"\nsteps = [{steps}]");
        let df = run::<Table>(&bench(), &fields).expect("it runs").remove(0).1;
        let column = df.column(name).expect("a column").as_materialized_series().rechunk();
        column.iter().map(|value| value.to_string()).collect()
    };
    let group = r#"{ group = { by = "g", agg = { a = "max(x)", b = "min(f)" } } }"#;
    assert_eq!(of(group, "a"), ["NaN", "NaN", "null", "inf"]);
    assert_eq!(of(group, "b"), ["0.5", "2.5", "NaN", "-1.5"]);
    let window = r#"{ window = { by = "g", order = "at", columns = { a = "max(x)" } } }, { filter = "at < 4" }"#;
    assert_eq!(of(window, "a"), ["1.5", "NaN", "NaN"]);
    assert_eq!(of(r#"{ derive = { a = "max(x)" } }, { filter = "at = 1" }"#, "a"), ["NaN"]);
    let pivot = r#"{ pivot = { on = "g", columns = ["a", "b", "c", "d"], by = "h", value = "x", agg = "max" } }"#;
    let pivot = format!(r#"{{ derive = {{ h = "1" }} }}, {pivot}"#);
    assert_eq!([of(&pivot, "a"), of(&pivot, "d")], [["NaN"], ["inf"]]);
}
