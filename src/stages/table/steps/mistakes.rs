//! Mistakes that a check of the steps finds, where a run did before.

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
        (r#"{ derive = { v = "unnest(l)" } }"#, "E0216", "the step `explode` does"),
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
        r#"{ cast = { s = "date", i = "datetime" } }"#,
        r#"{ cast = { s = "time", k = "i32" } }"#,
        r#"{ pivot = { on = "i", columns = ["1", "-2"], by = "k", value = "s" } }"#,
        r#"{ unpivot = { on = ["i"], index = ["k"] } }"#,
    ] {
        let found = findings::<Table>(&bench, &format!("from = \"t\"\nsteps = [{step}]"));
        assert!(found.is_empty(), "{step}: {found:?}");
    }
}
