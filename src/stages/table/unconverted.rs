//! A value that has no form in the type of a cast is told with the user's column and with what to do, wherever the cast stands.

use super::expect::Expect;
use super::sql::Sql;
use super::stepwise::Table;
use super::testing::table_input;
use crate::frame::engine::IN_MEMORY;
use crate::frame::polars_words;
use crate::stage::testing::Bench;
use crate::stage::{Kind, StageError};
use polars::prelude::*;

fn bench() -> Bench {
    let rows = df![
        "k" => [1_i64, 2, 3],
        "text" => ["10", "abc", "30"],
        "big" => [i64::MAX, 5, 6],
    ];
    let mut bench = Bench::default();
    table_input(&mut bench, "t", rows.expect("a frame"));
    bench
}

/// What fails, in pieces and in memory.
fn fails<K: Kind>(fields: &str) -> StageError {
    let mut said: Vec<StageError> = Vec::new();
    for in_memory in [false, true] {
        IN_MEMORY.set(in_memory);
        let ran = bench().run::<K>(fields);
        IN_MEMORY.set(false);
        said.push(ran.expect_err(fields));
    }
    assert_eq!(said[0].message, said[1].message, "{fields}");
    said.remove(0)
}

fn told(error: &StageError, parts: &[&str]) {
    let told = format!("{} {:?}", error.message, error.hints);
    let lacks: Vec<&&str> = parts.iter().filter(|part| !told.contains(**part)).collect();
    assert!(lacks.is_empty(), "{lacks:?} in {told}");
    for theirs in ["_min'", "_max'", "unwrap", "polars", "POLARS", "__kilter"] {
        assert!(!told.contains(theirs), "{theirs} in {told}");
    }
}

#[test]
fn a_condition_that_a_value_fails_names_the_users_column() {
    for condition in [
        "CAST(text AS BIGINT) > 5",
        "k > 0 AND CAST(text AS BIGINT) > 5",
        "CAST(text AS INT) IN (10, 30)",
        "k > 5 OR CAST(text AS DOUBLE) > 5",
        "CASE WHEN k > 0 THEN CAST(text AS INT) ELSE 0 END > 1",
        "EXTRACT(year FROM CAST(text AS DATE)) = 2024",
        "CAST(text AS DATE) > DATE '2024-01-01'",
    ] {
        let filter = fails::<Table>(&format!("from = \"t\"\nsteps = [{{ filter = \"{condition}\" }}]"));
        told(&filter, &["cannot do step 1, `filter`", "in column 'text'", "filter or mend those values before"]);
        let query = fails::<Sql>(&format!("inputs = {{ t = \"t\" }}\nquery = \"SELECT k FROM t WHERE {condition}\""));
        told(&query, &["cannot run the query", "in column 'text'", "filter or mend those values before"]);
    }
}

#[test]
fn a_group_or_a_join_of_such_values_names_it_too() {
    for query in [
        "SELECT text, count(*) AS c FROM t GROUP BY text HAVING CAST(text AS INT) > 5",
        "SELECT a.k FROM t AS a JOIN t AS b ON a.k = b.k AND CAST(a.text AS INT) > 5",
        "SELECT a.k FROM t AS a JOIN t AS b ON a.k < b.k AND CAST(a.text AS INT) > 5",
        "SELECT k FROM (SELECT k, text FROM t WHERE k > 0) AS s WHERE CAST(text AS INT) > 5",
    ] {
        let error = fails::<Sql>(&format!("inputs = {{ t = \"t\" }}\nquery = \"{query}\""));
        told(&error, &["in column 'text'", "[\"abc\"]", "TRY_CAST"]);
    }
}

#[test]
fn a_moment_and_a_number_without_room_are_told_with_their_values() {
    let query = |condition: &str| {
        fails::<Sql>(&format!("inputs = {{ t = \"t\" }}\nquery = \"SELECT k FROM t WHERE {condition}\""))
    };
    told(
        &query("CAST(text AS TIMESTAMP) > TIMESTAMP '2024-01-01 00:00:00'"),
        &["'10' in column `text` is no date and time", "TRY_CAST"],
    );
    told(&query("big * 2 > 5"), &["9223372036854775807 * 2 does not fit into i64"]);
    told(&query("CAST(text AS DECIMAL(5, 2)) > 5"), &["conversion from `str` to `decimal` failed in column 'text'"]);
}

/// What polars computes once for two users has a name of its own.
#[test]
fn what_stands_twice_is_told_by_the_users_name() {
    let query = "SELECT CAST(text || '0' AS INT) AS a, text || '0' AS b, CAST(text || '0' AS BIGINT) AS c FROM t";
    let error = fails::<Sql>(&format!("inputs = {{ t = \"t\" }}\nquery = \"{query}\""));
    told(&error, &["failed in column 'text'", "[\"abc0\"]"]);
    let error = PolarsError::InvalidOperation(
        "conversion from `i64` to `u64` failed in column '__POLARS_CSER_0x92c' for 1 out of 2 values: [-4]".into(),
    );
    assert_eq!(polars_words(&error), "conversion from `i64` to `u64` failed for 1 out of 2 values: [-4]");
}

#[test]
fn a_check_that_a_value_fails_says_what_to_do() {
    let error = fails::<Expect>("from = \"t\"\nchecks.a = { holds = \"CAST(text AS INT) > 5\" }");
    told(&error, &["in column 'text'", "[\"abc\"]", "TRY_CAST(a AS INT)"]);
}

/// The smallest text, of which the file's statistics tell, is not among those that are asked for.
#[test]
fn within_a_limit_of_memory_it_is_told_as_well() {
    let mut bench = bench();
    bench.memory = Some(1 << 30);
    let query = "SELECT k FROM t WHERE CAST(text AS DATE) > DATE '2024-01-01'";
    let error = bench.run::<Sql>(&format!("inputs = {{ t = \"t\" }}\nquery = \"{query}\"")).expect_err("no dates");
    told(&error, &["in column 'text'", "strptime"]);
}

/// What a filter leaves out fails no cast behind it.
#[test]
fn values_that_are_filtered_out_before_do_not_fail() {
    let query = "SELECT k FROM (SELECT k, text FROM t WHERE text <> 'abc') AS s WHERE k > 0";
    bench().run::<Sql>(&format!("inputs = {{ t = \"t\" }}\nquery = \"{query}\"")).expect("nothing fails");
    let steps = "from = \"t\"\nsteps = [{ filter = \"text <> 'abc'\" }, { filter = \"TRY_CAST(text AS INT) > 10\" }]";
    bench().run::<Table>(steps).expect("nothing fails");
}
