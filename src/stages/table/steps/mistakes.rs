//! Mistakes that a check of the steps finds, where a run did before.

use super::super::sql::Sql;
use super::super::stepwise::Table;
use super::super::testing::{findings, table_input};
use crate::stage::testing::Bench;
use polars::prelude::*;

#[test]
fn steps_that_no_row_could_pass_are_refused() {
    let lists = [Series::new("".into(), [1_i64])];
    let df = df!["i" => [1_i64], "k" => ["a"], "s" => ["1"], "l" => lists].expect("a frame");
    let mut bench = Bench::default();
    table_input(&mut bench, "t", df);
    for (step, code, says) in [
        (r#"{ cast = { l = "str" } }"#, "E0214", "column `l` is list(i64), which has no form as str"),
        (r#"{ cast = { i = "datetime" } }"#, "E0214", "column `i` is i64, which has no form as datetime"),
        (
            r#"{ clean = { columns = "s", replace = [{ pattern = "(a)", with = '\1' }] } }"#,
            "E0136",
            "`\\1` is a backslash",
        ),
        (
            r#"{ window = { by = "k", columns = { v = "lag(i)" } } }"#,
            "E0216",
            "`lag` is of an order: give the step an `order`",
        ),
        (r#"{ window = { order = "i", columns = { v = "i" } } }"#, "E0216", "a window is of one function"),
        (r#"{ window = { order = "i", columns = { v = "sum(i) OVER ()" } } }"#, "E0216", "write the function alone"),
        (r#"{ derive = { v = "unnest(l)" } }"#, "E0216", "the step `explode` does"),
        (r#"{ derive = { v = "(SELECT 1)" } }"#, "E0216", "an expression cannot hold a query"),
        (r#"{ filter = "i IN (SELECT 1)" }"#, "E0216", "an expression cannot hold a query"),
        (r#"{ window = { by = "k", columns = { v = "i + 1" } } }"#, "E0216", "a window is of one function"),
        (r#"{ window = { by = "k", columns = { v = "sum(i) OVER ()" } } }"#, "E0216", "write the function alone"),
        (r#"{ derive = { v = "i + s" } }"#, "E0214", "arithmetic needs numbers, found i64 and str"),
        (r#"{ pivot = { on = "l", columns = ["a"], by = "k", value = "i" } }"#, "E0214", "column `l` is list(i64)"),
        (r#"{ pivot = { on = "i", columns = ["x"], by = "k", value = "s" } }"#, "E0214", "is i64, and never `x`"),
        (r#"{ unpivot = { on = ["i"], variable = "v", value = "v" } }"#, "E0215", "two columns would be called `v`"),
        (r#"{ unpivot = { on = ["i", "l"] } }"#, "E0214", "`i` is i64, but `l` is list(i64)"),
    ] {
        let found = findings::<Table>(&bench, &format!("from = \"t\"\nsteps = [{step}]"));
        assert!(found.iter().any(|(id, message)| id == code && message.contains(says)), "{step}: {found:?}");
    }
    for step in [
        r#"{ cast = { s = "date" } }"#,
        r#"{ cast = { s = "time", k = "i32" } }"#,
        r#"{ pivot = { on = "i", columns = ["1", "-2"], by = "k", value = "s" } }"#,
        r#"{ unpivot = { on = ["i"], index = ["k"] } }"#,
    ] {
        let found = findings::<Table>(&bench, &format!("from = \"t\"\nsteps = [{step}]"));
        assert!(found.is_empty(), "{step}: {found:?}");
    }
}

#[test]
fn a_column_of_the_same_step_is_not_there_yet() {
    let mut bench = Bench::default();
    table_input(&mut bench, "t", df!["i" => [1_i64]].expect("a frame"));
    let found = bench.check::<Table>("from = \"t\"\nsteps = [{ derive = { a = \"i + 1\", b = \"a * j\" } }]").1;
    let hints: Vec<bool> = found
        .iter()
        .map(|found| found.diagnostic.hints.iter().any(|hint| hint.contains("a `derive` step behind it")))
        .collect();
    assert_eq!(hints, [true, false], "{found:?}");
}

#[test]
fn a_word_that_fills_nothing_is_told_the_words_that_do() {
    let mut bench = Bench::default();
    table_input(&mut bench, "t", df!["i" => [1_i64]].expect("a frame"));
    let found = bench.check::<Table>("from = \"t\"\nsteps = [{ fill = { i = \"ffill\" } }]").1;
    assert_eq!(found[0].diagnostic.hints[0], "did you mean `forward`?", "{found:?}");
    assert!(found[0].diagnostic.hints[1].contains("`median`"), "{found:?}");
}

#[test]
fn an_expression_is_no_name() {
    let mut bench = Bench::default();
    table_input(&mut bench, "t", df!["i" => [1_i64]].expect("a frame"));
    let step = r#"{ group = { by = "round(i)", agg = { n = "count(*)" } } }"#;
    let found = bench.check::<Table>(&format!("from = \"t\"\nsteps = [{step}]")).1;
    assert!(found[0].diagnostic.hints[0].contains("a `derive` step"), "{found:?}");
}

#[test]
fn no_step_makes_a_column_without_a_name() {
    let mut bench = Bench::default();
    table_input(&mut bench, "t", df!["i" => [1_i64], "k" => ["a"]].expect("a frame"));
    table_input(&mut bench, "nameless", df!["" => [1_i64], "k" => ["a"]].expect("a frame"));
    for step in [
        r#"{ derive = { "" = "i + 1" } }"#,
        r#"{ rename = { i = "" } }"#,
        r#"{ group = { by = "k", agg = { "" = "max(i)" } } }"#,
        r#"{ window = { order = "i", columns = { "" = "sum(i)" } } }"#,
        r#"{ unpivot = { on = ["i"], index = "k", variable = "" } }"#,
    ] {
        let found = findings::<Table>(&bench, &format!("from = \"t\"\nsteps = [{step}]"));
        assert_eq!(found, [("E0136".to_owned(), "a column would have an empty name".to_owned())], "{step}");
    }
    let query = r#"inputs = { t = "t" }
query = 'SELECT i AS "" FROM t'"#;
    let found = findings::<Sql>(&bench, query);
    assert!(found.iter().any(|(id, _)| id == "E0136"), "{found:?}");
    let kept = findings::<Table>(&bench, "from = \"nameless\"\nsteps = [{ filter = \"k = 'a'\" }]");
    assert!(kept.is_empty(), "a file's own column stays: {kept:?}");
}

#[test]
fn a_decimal_is_filled_with_what_it_holds() {
    let df = df!["i" => [1_i64]].expect("a frame").lazy();
    let df = df.with_column(col("i").cast(DataType::Decimal(10, 2)).alias("m")).collect().expect("a frame");
    let mut bench = Bench::default();
    table_input(&mut bench, "t", df);
    for (value, count) in [("0", 0), ("0.5", 0), ("0.07", 0), ("-1.25", 0), ("0.125", 1), ("1e-3", 1)] {
        let found = findings::<Table>(&bench, &format!("from = \"t\"\nsteps = [{{ fill = {{ m = {value} }} }}]"));
        assert_eq!(found.len(), count, "{value}: {found:?}");
    }
}
