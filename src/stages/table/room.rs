//! Right answers where polars' own whole numbers have no room, and begin again from the other end; and where its floats follow how many rows
//! come together.

use super::answers::right_in;
use super::testing::table_input;
use crate::stage::testing::Bench;
use polars::prelude::*;

fn bench() -> Bench {
    let numbers = df![
        "k" => ["a", "b", "a", "b"],
        "tiny" => Series::new("".into(), [100_i64, -100, 120, 5]).cast(&DataType::Int8).expect("fits"),
        "byte" => Series::new("".into(), [200_i64, 1, 250, 0]).cast(&DataType::UInt8).expect("fits"),
        "small" => [2_000_000_000_i32, -2_000_000_000, 2_000_000_000, 7],
        "unsigned" => [4_000_000_000_u32, 1, 4_000_000_000, 0],
        "big" => [9_000_000_000_000_000_000_i64, 1, 5, -9_000_000_000_000_000_000],
        "huge" => [10_000_000_000_000_000_000_u64, 1, 10_000_000_000_000_000_000, 0],
    ];
    let mut bench = Bench::default();
    table_input(&mut bench, "numbers", numbers.expect("a frame"));
    bench
}

fn right(queries: &[(&str, &[&str])]) {
    right_in(&bench(), "numbers", queries);
}

#[test]
fn sums_differences_and_products_of_small_numbers_have_room() {
    right(&[
        ("SELECT tiny + tiny AS v FROM t", &["200", "-200", "240", "10"]),
        ("SELECT tiny * tiny AS v FROM t", &["10000", "10000", "14400", "25"]),
        ("SELECT tiny - byte AS v FROM t", &["-100", "-101", "-130", "5"]),
        ("SELECT byte + byte AS v FROM t", &["400", "2", "500", "0"]),
        ("SELECT byte - 201 AS v FROM t", &["-1", "-200", "49", "-201"]),
        ("SELECT -byte AS v FROM t", &["-200", "-1", "-250", "0"]),
        ("SELECT -tiny - 100 AS v FROM t", &["-200", "0", "-220", "-105"]),
        ("SELECT small + small AS v FROM t", &["4000000000", "-4000000000", "4000000000", "14"]),
        (
            "SELECT small * small AS v FROM t",
            &["4000000000000000000", "4000000000000000000", "4000000000000000000", "49"],
        ),
        ("SELECT unsigned + small AS v FROM t", &["6000000000", "-1999999999", "6000000000", "7"]),
        ("SELECT unsigned - 1 AS v FROM t", &["3999999999", "0", "3999999999", "-1"]),
        ("SELECT count(*) * 2000000000 AS v FROM t", &["8000000000"]),
        ("SELECT count(*) - 10 AS d FROM t", &["-6"]),
        ("SELECT strpos(k, 'z') - 1 AS d FROM t WHERE k = 'b'", &["-1", "-1"]),
        ("SELECT count(*) - count(*) - 1 AS d FROM t", &["-1"]),
        ("SELECT k, count(*) * 3000000000 AS v FROM t GROUP BY k", &["a | 6000000000", "b | 6000000000"]),
        ("SELECT k FROM t WHERE small + small > 3000000000", &["a", "a"]),
        ("SELECT 2000000000 + 2000000000 AS v FROM t LIMIT 1", &["4000000000"]),
        ("SELECT 3000000000 * 3000000000 AS v FROM t LIMIT 1", &["9000000000000000000"]),
    ]);
}

#[test]
fn sums_of_columns_have_room() {
    right(&[
        ("SELECT sum(tiny) AS v FROM t", &["125"]),
        ("SELECT sum(small) AS v FROM t WHERE k = 'a'", &["4000000000"]),
        ("SELECT k, sum(small) AS v FROM t GROUP BY k", &["a | 4000000000", "b | -1999999993"]),
        ("SELECT sum(unsigned) AS v FROM t", &["8000000001"]),
        ("SELECT sum(big) AS v FROM t", &["6"]),
        ("SELECT k, sum(big) AS v FROM t GROUP BY k", &["a | 9000000000000000005", "b | -8999999999999999999"]),
        (
            "SELECT sum(small) OVER (PARTITION BY k) AS v FROM t",
            &["4000000000", "-1999999993", "4000000000", "-1999999993"],
        ),
        ("SELECT sum(unsigned) OVER (ORDER BY byte) AS v FROM t", &["4000000001", "1", "8000000001", "0"]),
        ("SELECT sum(huge) AS v FROM t WHERE k = 'b'", &["1"]),
        ("SELECT avg(big) AS v FROM t WHERE big > 0", &["3.0000e18"]),
    ]);
}

#[test]
fn numbers_of_64_bits_are_computed_or_refused() {
    right(&[
        ("SELECT big - 1 AS v FROM t", &["8999999999999999999", "0", "4", "-9000000000000000001"]),
        ("SELECT big + big AS v FROM t WHERE big < 10 AND big > 0", &["2", "10"]),
        (
            "SELECT big + big AS v FROM t",
            &[
                "cannot run the query: 9000000000000000000 + 9000000000000000000 does not fit into i64: CAST to DOUBLE or DECIMAL before",
            ],
        ),
        (
            "SELECT big * 3 AS v FROM t",
            &["cannot run the query: 9000000000000000000 * 3 does not fit into i64: CAST to DOUBLE or DECIMAL before"],
        ),
        ("SELECT huge + 1 AS v FROM t", &["10000000000000000001", "2", "10000000000000000001", "1"]),
        ("SELECT huge - 3 AS v FROM t WHERE k = 'b'", &["-2", "-3"]),
        (
            "SELECT huge - 3 AS v FROM t",
            &["cannot run the query: 9999999999999999997 does not fit into i64: CAST to DOUBLE or DECIMAL before"],
        ),
        ("SELECT huge + big AS v FROM t WHERE k = 'b'", &["2", "-9000000000000000000"]),
        (
            "SELECT sum(huge) AS v FROM t",
            &["cannot run the query: 20000000000000000001 does not fit into u64: CAST to DOUBLE or DECIMAL before"],
        ),
        ("SELECT sum(big) AS v FROM t WHERE big > 5 OR big < 0 OR k = 'a'", &["5"]),
    ]);
}

#[test]
fn powers_of_whole_numbers_are_floats() {
    right(&[
        ("SELECT pow(small, 2) AS v FROM t", &["4.0000e18", "4.0000e18", "4.0000e18", "49.0"]),
        ("SELECT power(2, byte) AS v FROM t WHERE byte < 2", &["2.0", "1.0"]),
        ("SELECT pow(tiny, -1) AS v FROM t WHERE byte = 200", &["0.01"]),
    ]);
}

#[test]
fn quotients_and_signs_of_a_row_are_the_same_alone_and_among_others() {
    let rows = df!["n" => [147_i64, 98, 49, 0], "x" => [147.0, 98.0, 0.0, -0.0]];
    let mut bench = Bench::default();
    table_input(&mut bench, "rows", rows.expect("a frame"));
    right_in(
        &bench,
        "rows",
        &[
            ("SELECT n / 49 AS v FROM t", &["3.0", "2.0", "1.0", "0.0"]),
            ("SELECT n / 49 AS v FROM t WHERE n = 147", &["3.0"]),
            ("SELECT n / 49.0 AS v FROM t", &["3.0", "2.0", "1.0", "0.0"]),
            ("SELECT x // 49.0 AS v FROM t", &["3", "2", "0", "0"]),
            ("SELECT sum(n) / 49 AS v FROM t GROUP BY n", &["0.0", "1.0", "2.0", "3.0"]),
            ("SELECT n FROM t WHERE n / 49 = 3", &["147"]),
            ("SELECT -x AS v FROM t", &["-147.0", "-98.0", "-0.0", "0.0"]),
            ("SELECT -x AS v FROM t WHERE n = 49", &["-0.0"]),
            ("SELECT x + 0 AS v FROM t", &["147.0", "98.0", "0.0", "-0.0"]),
            ("SELECT x + 0 AS v FROM t WHERE n = 0", &["-0.0"]),
        ],
    );
}
