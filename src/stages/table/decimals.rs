//! Decimals by themselves, in every place where rows are told apart by them.

use super::answers::{answer, right_in};
use super::expect::Expect;
use super::profile::Profile;
use super::stepwise::Table;
use super::testing::{run, table_input};
use crate::stage::testing::Bench;
use polars::prelude::*;

/// Prices, two of which are the same.
fn bench() -> Bench {
    let prices = df!["price" => ["1.50", "2.25", "1.50", "10.00"], "n" => [1_i64, 2, 3, 4]].expect("a frame");
    let prices = prices.lazy().with_column(col("price").strict_cast(DataType::Decimal(10, 2))).collect();
    let mut bench = Bench::default();
    table_input(&mut bench, "prices", prices.expect("cast"));
    bench
}

#[test]
fn rows_are_told_apart_by_them() {
    right_in(
        &bench(),
        "prices",
        &[
            ("SELECT DISTINCT price FROM t", &["1.50", "2.25", "10.00"]),
            ("SELECT price, count(*) AS n FROM t GROUP BY price", &["1.50 | 2", "2.25 | 1", "10.00 | 1"]),
            ("SELECT count(DISTINCT price) AS n FROM t", &["3"]),
            ("SELECT sum(n) OVER (PARTITION BY price) AS s FROM t", &["4", "2", "4", "4"]),
            ("SELECT a.n, b.n AS m FROM t AS a JOIN t AS b ON a.price = b.price AND a.n < b.n", &["1 | 3"]),
            (
                "SELECT a.n FROM t AS a JOIN (SELECT CAST(2.25 AS DECIMAL(10, 2)) AS price) AS b ON a.price = b.price",
                &["2"],
            ),
            ("SELECT price FROM t EXCEPT SELECT price FROM t WHERE n = 2", &["1.50", "10.00"]),
            ("SELECT price FROM t UNION SELECT price FROM t", &["1.50", "2.25", "10.00"]),
            ("SELECT n FROM t WHERE price IN (SELECT CAST(price AS DECIMAL(14, 4)) FROM t WHERE n = 2)", &["2"]),
            ("SELECT n FROM t WHERE price IN (SELECT price FROM t WHERE n > 2) AND price NOT IN (2, 10)", &["1", "3"]),
            ("SELECT n FROM t WHERE price IN (1.5, 2.255, 10)", &["1", "3", "4"]),
            ("SELECT a.n FROM t AS a JOIN (SELECT CAST(2.25 AS DECIMAL(12, 4)) AS x) AS b ON a.price = b.x", &["2"]),
        ],
    );
}

#[test]
fn steps_and_kinds_tell_rows_apart_by_them() {
    let bench = bench();
    let rows = |steps: &str| {
        let fields = format!("from = \"prices\"\nsteps = [{steps}]");
        run::<Table>(&bench, &fields).expect("it runs").remove(0).1.height()
    };
    assert_eq!(rows("{ dedupe = { by = \"price\" } }"), 3);
    assert_eq!(rows("{ window = { by = \"price\", columns = { c = \"count(*)\" } } }, { filter = \"c = 2\" }"), 2);
    assert_eq!(rows("{ join = { with = \"prices\", on = \"price\" } }"), 6);
    assert_eq!(rows("{ join = { with = \"prices\", on = \"price\", how = \"anti\" } }"), 0);
    let unique = run::<Expect>(&bench, "from = \"prices\"\nchecks.price = { unique = [\"price\"] }");
    assert_eq!(unique.expect("it runs").len(), 2);
    run::<Profile>(&bench, "from = \"prices\"").expect("it runs");
}

#[test]
fn what_has_no_room_is_an_error_and_no_other_number() {
    let bench = bench();
    let big = "CAST('60000000000000000000000000' AS DECIMAL(38, 12))";
    for query in [
        format!("SELECT sum({big}) AS s FROM t"),
        format!("SELECT avg({big}) AS s FROM t"),
        format!("SELECT sum({big}) OVER (PARTITION BY n > 0) AS s FROM t"),
        "SELECT CAST(price AS DECIMAL(38, 30)) + n * 100000000 AS s FROM t".to_owned(),
    ] {
        let found = answer(&bench, "prices", &query).join(" ");
        assert!(found.contains("has more than 38 digits") || found.contains("conversion from"), "{query}: {found}");
    }
    right_in(
        &bench,
        "prices",
        &[
            ("SELECT sum(CAST(price AS DECIMAL(38, 20))) AS s FROM t", &["15.25000000000000000000"]),
            ("SELECT price + n AS s FROM t WHERE n < 3", &["2.50", "4.25"]),
            ("SELECT 3 - price AS s FROM t WHERE n < 3", &["1.50", "0.75"]),
            ("SELECT price + CAST(0.125 AS DECIMAL(10, 3)) AS s FROM t WHERE n = 1", &["1.625"]),
        ],
    );
}
