//! Right answers where polars' own whole numbers have no room, and begin again from the other end; and where its floats follow how many rows
//! come together.

use super::answers::{answer, right_in};
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

/// polars gives the least number as its own absolute value, and as its quotient by -1.
#[test]
fn the_least_number_has_no_counterpart_above_zero() {
    let numbers = df!["k" => [1_i64, 2, 3], "n" => [i64::MIN, i64::MAX, -5], "i" => [i32::MIN, 7, -7]];
    let mut bench = Bench::default();
    table_input(&mut bench, "least", numbers.expect("a frame"));
    let wrong = |words: &'static str| [words];
    right_in(
        &bench,
        "least",
        &[
            ("SELECT abs(n) AS v FROM t WHERE k > 1", &["9223372036854775807", "5"]),
            ("SELECT abs(i) AS v FROM t WHERE k > 1", &["7", "7"]),
            ("SELECT n // -1 AS v FROM t WHERE k > 1", &["-9223372036854775807", "5"]),
            ("SELECT n // 1 AS v FROM t WHERE k = 1", &["-9223372036854775808"]),
            (
                "SELECT abs(n) AS v FROM t",
                &wrong(
                    "cannot run the query: abs(-9223372036854775808) in column `n` does not fit into i64: CAST to DOUBLE or DECIMAL before",
                ),
            ),
            (
                "SELECT abs(i) AS v FROM t",
                &wrong(
                    "cannot run the query: abs(-2147483648) in column `i` does not fit into i32: CAST to DOUBLE or DECIMAL before",
                ),
            ),
            (
                "SELECT n // -1 AS v FROM t",
                &wrong(
                    "cannot run the query: -9223372036854775808 // -1 in column `n` does not fit into i64: CAST to DOUBLE or DECIMAL before",
                ),
            ),
        ],
    );
}

/// Of nanoseconds there is room for 292 years: what lies further away was another day without a word.
#[test]
fn moments_far_away_are_right_or_refused() {
    let days = df!["k" => [1_i64, 2], "d" => ["2024-01-31", "9999-12-31"], "serial" => [738_000_i64, 3_652_000]];
    let days = days.expect("a frame").lazy().with_column(col("d").strict_cast(DataType::Date));
    let days = days.with_column(col("d").cast(DataType::Datetime(TimeUnit::Microseconds, None)).alias("at"));
    let mut bench = Bench::default();
    table_input(&mut bench, "days", days.collect().expect("a frame"));
    right_in(
        &bench,
        "days",
        &[
            ("SELECT to_timestamp(253402300799) AS v FROM t WHERE k = 1", &["9999-12-31 23:59:59"]),
            ("SELECT to_timestamp(k * 0 + 253402300799) AS v FROM t WHERE k = 1", &["9999-12-31 23:59:59"]),
            ("SELECT to_timestamp(k * 0.25 + 1704067200) AS v FROM t WHERE k = 1", &["2024-01-01 00:00:00.250"]),
            ("SELECT DATE '0001-01-01' + serial * INTERVAL '1 day' AS v FROM t", &["2021-07-30", "9999-11-03"]),
            ("SELECT CAST(round(epoch(at)) AS BIGINT) AS v FROM t", &["1706659200", "253402214400"]),
            (
                "SELECT EXTRACT(epoch FROM at - INTERVAL '1500 milliseconds') = 1706659198.5 AS v FROM t WHERE k = 1",
                &["true"],
            ),
            ("SELECT d + INTERVAL '1 month' AS v FROM t WHERE k = 1", &["2024-02-29"]),
            ("SELECT d - INTERVAL '2000 years' AS v FROM t WHERE k = 1", &["0024-01-31"]),
        ],
    );
    for (query, says) in [
        ("SELECT d + INTERVAL '100000000 days' AS v FROM t", "2024-01-31 + 100000000d in column `d` is a date or time"),
        ("SELECT d + INTERVAL '2000000 years' AS v FROM t", "2024-01-31 + 24000000mo in column `d` is a date or time"),
        ("SELECT at - INTERVAL '100000000 days' AS v FROM t", "take a shorter interval"),
        ("SELECT d + serial * INTERVAL '1000 days' AS v FROM t", "738,000,000 days in column `serial` has no room"),
        (
            "SELECT d FROM t WHERE d + serial * INTERVAL '1000 days' > DATE '2024-01-01'",
            "in column `serial` has no room",
        ),
        (
            "SELECT serial * 1000000 * INTERVAL '1 day' AS v FROM t",
            "738,000,000,000 days in column `serial` has no room",
        ),
        ("SELECT to_timestamp(serial * 1000000000000) AS v FROM t", "in column `serial` has no room"),
    ] {
        let found = answer(&bench, "days", query).join(" ");
        assert!(found.contains(says), "{query}: {found}");
    }
}

#[test]
fn sums_of_lists_have_room_or_are_refused() {
    let list = |items: &[i64]| Series::new("".into(), items);
    let small = |items: &[i32]| Series::new("".into(), items);
    let lists = df![
        "k" => [1_i64, 2, 3],
        "l" => [list(&[i64::MAX, 1]), list(&[5, -7]), list(&[])],
        "s" => [small(&[2_000_000_000, 2_000_000_000]), small(&[1]), small(&[])],
    ];
    let mut bench = Bench::default();
    table_input(&mut bench, "lists", lists.expect("a frame"));
    right_in(
        &bench,
        "lists",
        &[
            ("SELECT array_sum(l) AS v FROM t WHERE k > 1", &["-2", "null"]),
            ("SELECT array_sum(s) AS v FROM t", &["4000000000", "1", "null"]),
            (
                "SELECT array_sum(l) AS v FROM t",
                &["cannot run the query: 9223372036854775808 does not fit into i64: CAST to DOUBLE or DECIMAL before"],
            ),
        ],
    );
}
