//! Every step over a table without rows, of one row, and of missing values only: how many rows come out. `split` by a column that
//! says nothing. By the program itself.

use crate::bad_input::{RAW, fails};
use crate::sandbox::{Ran, Sandbox};
use std::fmt::Write;

const TYPES: &str = "types = { k = \"str\", n = \"i64\", f = \"f64\", s = \"str\", d = \"date\", at = \"datetime\" }";

/// The tables `table`, of these rows, and `other`, of one row, and more stages.
fn sandbox(rows: &str, stages: &str) -> Sandbox {
    let text = format!(
        "{RAW}path = \"d.csv\"\n\n[stage.table]\nkind = \"read\"\nfrom = \"raw\"\n{TYPES}\n\n\
         [stage.other_file]\nkind = \"fetch\"\npath = \"u.csv\"\n\n[stage.other]\nkind = \"read\"\nfrom = \"other_file\"\n\
         types = {{ at = \"datetime\" }}\n\n{stages}\n"
    );
    let other = "k,n,z,at\na,1,7,2024-01-31T10:00:00\n";
    Sandbox::with_manifest(&text).file("d.csv", format!("k,n,f,s,d,at\n{rows}")).file("u.csv", other)
}

const NONE: &str = "";
const ONE: &str = "a,1,1.5,x,2024-01-31,2024-01-31T10:30:00\n";
const NULLS: &str = ",,,,,\n,,,,,\n";

/// Steps, and how many rows come of no rows, of one, and of two rows of missing values.
const STEPS: &[(&str, [u32; 3])] = &[
    (r#"{ filter = "n > 0" }"#, [0, 1, 0]),
    (r#"{ filter = "n > 0 OR f IS NULL" }"#, [0, 1, 2]),
    (r#"{ filter = "f > avg(f) OVER (PARTITION BY k)" }"#, [0, 0, 0]),
    (r#"{ concat = { with = ["table", "table"] } }"#, [0, 3, 6]),
    (r#"{ concat = { with = ["other"], how = "diagonal" } }"#, [1, 2, 3]),
    (r#"{ join = { with = "other", on = "k" } }"#, [0, 1, 0]),
    (r#"{ join = { with = "other", on = "k", how = "semi" } }"#, [0, 1, 0]),
    (r#"{ join = { with = "other", on = "k", how = "anti" } }"#, [0, 0, 2]),
    (r#"{ join = { with = "other", on = "k", how = "full" } }"#, [1, 1, 3]),
    (r#"{ join = { with = "other", how = "cross" } }"#, [0, 1, 2]),
    (r#"{ join = { with = "table", on = ["k", "n"], how = "full" } }"#, [0, 1, 4]),
    (r#"{ join = { with = "table", on = ["k", "n"], how = "anti" } }"#, [0, 0, 2]),
    (r#"{ join = { with = "other", on = "n", how = "asof" } }"#, [0, 1, 2]),
    (r#"{ join = { with = "other", on = "at", by = "k", how = "asof", tolerance = "1h" } }"#, [0, 1, 2]),
    (r#"{ join = { with = "table", on = "at", how = "asof", direction = "nearest" } }"#, [0, 1, 2]),
    (r#"{ pivot = { on = "k", columns = ["a", "b"], by = "s", value = "f", agg = "mean" } }"#, [0, 1, 1]),
    (r#"{ pivot = { on = "k", columns = ["a"], by = ["s", "d"], value = "s" } }"#, [0, 1, 1]),
    (r#"{ pivot = { on = "k", columns = ["a"], by = "n", value = "f", agg = "count" } }"#, [0, 1, 1]),
    (
        r#"{ window = { by = "k", order = "n", rows = { from = -2, to = 0 }, columns = { m = "avg(f)", d = "stddev(f)", c = "count(*)", a = "first_value(s)" } } }"#,
        [0, 1, 2],
    ),
    (r#"{ window = { order = "n", rows = { to = -1 }, columns = { m = "max(f)", c = "count(f)" } } }"#, [0, 1, 2]),
    (r#"{ dedupe = { by = "k", keep = "none" } }"#, [0, 1, 0]),
    (r#"{ fill = { f = "max", n = "min" } }, { fill = { s = "forward" } }"#, [0, 1, 2]),
    (r#"{ derive = { p = "string_to_array(s, '-')" } }, { explode = "p" }"#, [0, 1, 2]),
    (r#"{ group = { by = "k", agg = { m = "avg(f)", md = "median(n)", c = "count(*)" } } }"#, [0, 1, 1]),
    (r#"{ unpivot = { on = ["n"], index = ["k", "d"] } }"#, [0, 1, 2]),
    (r#"{ sample = { rows = 1 } }"#, [0, 1, 1]),
];

/// The summary of a stage's result in a run's events.
fn summary(ran: &Ran, stage: &str) -> String {
    let events = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an event"));
    let done = events.filter(|event| event["event"] == "stage_done" && event["stage"] == stage);
    let found: Vec<String> = done.map(|event| event["summary"].as_str().unwrap_or_default().to_owned()).collect();
    found.first().cloned().unwrap_or_else(|| panic!("`{stage}` is not done\n{}\n{}", ran.stdout, ran.stderr))
}

#[test]
fn each_step_gives_the_right_number_of_rows_of_little_and_of_nothing() {
    let mut stages = String::new();
    for (number, (steps, _)) in STEPS.iter().enumerate() {
        let _ = write!(stages, "[stage.step_{number}]\nkind = \"table\"\nfrom = \"table\"\nsteps = [{steps}]\n\n");
    }
    for (which, rows) in [NONE, ONE, NULLS].into_iter().enumerate() {
        let sandbox = sandbox(rows, &stages);
        let ran = sandbox.run(&["--json"]).success();
        for (number, (steps, expected)) in STEPS.iter().enumerate() {
            let expected = expected[which];
            let told = format!("{expected} {} x ", if expected == 1 { "row" } else { "rows" });
            let found = summary(&ran, &format!("step_{number}"));
            assert!(found.starts_with(&told), "{steps} of {rows:?} gives {found}, not {told}");
        }
        sandbox.run(&[]).all_cached();
    }
}

#[test]
fn a_range_of_missing_places_holds_nothing_and_of_one_row_itself() {
    let window = |order: &str, from: &str| {
        format!(
            "[stage.step]\nkind = \"table\"\nfrom = \"table\"\nsteps = [{{ window = {{ by = \"k\", order = \"{order}\", \
             range = {{ from = {from}, to = 0 }}, columns = {{ c = \"count(*)\", m = \"avg(f)\" }} }} }}, {{ select = [\"c\", \"m\"] }}]\n"
        )
    };
    for (order, from) in [("n", "-2"), ("f", "-0.5"), ("d", "\"-7d\""), ("at", "\"-6h\"")] {
        let step = window(order, from);
        sandbox(NONE, &step).run(&[]).success().says("0 rows x 2 columns");
        let one = sandbox(ONE, &step);
        one.run(&[]).success().says("1 row x 2 columns");
        let shown = one.kilter(&["show", "pipeline.toml", "step", "--json"]).success().json();
        let head = shown["outputs"]["table"]["head"][0].to_string();
        assert!(head.contains("\"c\":1") && head.contains("\"m\":1.5"), "{order}: {head}");
        sandbox(NULLS, &step).run(&[]).success().says("2 rows x 2 columns");
    }
}

#[test]
fn a_cast_in_sql_gives_no_advice_for_another_language() {
    let stages = "[stage.sql]\nkind = \"sql\"\ninputs = { t = \"table\" }\nquery = \"SELECT CAST('2024-01-31' AS DATE) = d AS same FROM t\"\n\
                  [stage.step]\nkind = \"table\"\nfrom = \"table\"\nsteps = [{ filter = \"CAST(k || '2024-01-31' AS DATE) = d\" }]\n";
    let sandbox = self::sandbox(&ONE.replacen("a,", "\"\",", 1), stages);
    sandbox.run(&[]).success().says_not("eprecat").says_not("to_date");
    let wrong = self::sandbox(ONE, stages);
    wrong.run(&[]).exits(1).says("a2024-01-31").says_not("eprecat").says_not("to_date");
}

/// A split of these rows.
fn split(rows: &str, more: &str) -> Sandbox {
    sandbox(rows, &format!("[stage.split]\nkind = \"split\"\nfrom = \"table\"\n{more}\n"))
}

const HALVES: &str = "parts = { train = 0.5, test = 0.5 }";

#[test]
fn a_split_by_a_column_that_says_nothing_says_so_or_takes_it_as_one_value() {
    let rows = ",,,,,\n".repeat(4);
    for (more, says) in [
        (format!("{HALVES}\ntime = \"d\""), "column `d` is missing in 4 rows, the first of them row 1"),
        (format!("{HALVES}\ntime = \"n\""), "{ filter = \"n IS NOT NULL\" }"),
        ("parts = { train = \"x\", test = \"rest\" }\nby = \"k\"".to_owned(), "column `k` is missing in 4 rows"),
    ] {
        fails(&split(&rows, &more), "split", 1, &[says]);
    }
    let leaks = "leaks = \"ignore\"";
    split(&rows, &format!("{HALVES}\nstratify = \"k\"\n{leaks}")).run(&[]).success().says("train 2 · test 2");
    split(&rows, &format!("folds = 4\nfold = 3\n{leaks}")).run(&[]).success().says("train 3 · test 1, fold 3 of 4");
    let stratified = format!("folds = 2\nfold = 1\nstratify = \"k\"\n{leaks}");
    split(&rows, &stratified).run(&[]).success().says("train 2 · test 2, fold 1 of 2");
}

#[test]
fn a_split_of_too_few_rows_into_folds_or_groups_leaves_nothing() {
    let cases: [(&str, &str, &str); 4] = [
        (ONE, "folds = 2\nfold = 1", "would have no rows"),
        (NULLS, "folds = 3\nfold = 3", "would have no rows"),
        (ONE, "parts = { train = 0.5, test = 0.5 }\ntime = \"d\"", "would have no rows"),
        (ONE, "parts = { train = \"a\", test = \"b\" }\nby = \"k\"", "part `test` would have no rows"),
    ];
    for (rows, more, says) in cases {
        fails(&split(rows, more), "split", 1, &[says]);
    }
}
