//! Checks, pictures and the removal of personal data, by the program itself.

use crate::sandbox::Sandbox;

const TABLE: &str = r#"
[pipeline]
name = "tables"
edition = "2026"

[stage.raw]
kind = "fetch"
path = "rows.csv"

[stage.table]
kind = "read"
from = "raw"
"#;

fn sandbox(rows: &str, stages: &str) -> Sandbox {
    Sandbox::with_manifest(&format!("{TABLE}\n{stages}")).file("rows.csv", rows)
}

#[test]
fn a_check_that_fails_is_a_gate_also_when_it_is_cached() {
    let stages = r#"
[stage.checked]
kind = "expect"
from = "table"
checks.positive = { range = { n = { min = 0 } } }

[stage.after]
kind = "sql"
inputs = { t = "checked.table" }
query = "SELECT sum(n) AS s FROM t"
"#;
    let sandbox = sandbox("n\n1\n-2\n3\n", stages);
    let failed = sandbox.run(&[]).exits(1);
    failed
        .says("check `positive`: 1 of 3 rows fails, the first is row 2: n = -2")
        .says("positive.failed is 1, at most 0 is required")
        .says("`kilter show pipeline.toml checked` shows the result");
    sandbox.run(&[]).exits(1).says("the result is cached");
    sandbox.kilter(&["show", "checked.failures"]).success().prints("-2");
    sandbox.write("rows.csv", "n\n1\n2\n3\n");
    sandbox.run(&[]).success();
    sandbox.kilter(&["show", "after"]).success().prints("6");
}

#[test]
fn a_redaction_s_key_is_kept_nowhere() {
    let stages = r#"
[stage.safe]
kind = "redact"
from = "table"
find = { email = "hash", cn_mobile = "pseudonym" }
key_env = "ROWS_KEY"
"#;
    let rows = "text\nwrite to ada@example.org or 13812345678\n";
    sandbox(rows, stages).run(&[]).exits(1).says("`ROWS_KEY` holds no key").says("openssl rand");
    sandbox(rows, stages).env("ROWS_KEY", "short").run(&[]).exits(1).says("the key has 5 bytes");
    let key = "fedcba9876543210fedcba9876543210";
    let sandbox = sandbox(rows, stages).env("ROWS_KEY", key);
    sandbox.run(&[]).success();
    sandbox.run(&[]).all_cached();
    sandbox.kilter(&["lock"]).success();
    sandbox.kilter(&["show", "safe.table"]).success().prints("[email:");
    sandbox.kilter(&["show", "safe.found"]).success().prints("cn_mobile");
    let files = walkdir::WalkDir::new(sandbox.path("")).into_iter().map(|entry| entry.expect("readable"));
    let mut looked = 0;
    for file in files.filter(|entry| entry.file_type().is_file()) {
        let bytes = std::fs::read(file.path()).expect("readable");
        let holds = bytes.windows(key.len()).any(|part| part == key.as_bytes());
        assert!(!holds, "{} holds the key", file.path().display());
        looked += 1;
    }
    assert!(looked > 5);
}

#[test]
fn a_picture_is_shown_in_the_terminal_and_reads_only_its_columns() {
    let stages = "
[stage.picture]
kind = \"profile\"
from = \"table\"
columns = [\"n\"]
";
    let sandbox = sandbox("n,other\n1,a\n2,b\n2,c\n", stages);
    sandbox.run(&[]).success();
    sandbox.kilter(&["show", "picture.columns"]).success().prints("histogram");
    sandbox.kilter(&["show", "picture.metrics"]).success().prints("n.median");
    assert!(sandbox.read("out/tables/picture/report/profile.html").contains("<title>Profile</title>"));
    sandbox.write("rows.csv", "n,other\n1,x\n2,y\n2,z\n");
    let cached = || {
        let ran = sandbox.run(&["--json"]).success();
        let events = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an event"));
        let done = events.filter(|event| event["event"] == "stage_done");
        let done = done.filter(|event| event["cached"] == true).map(|event| event["stage"].to_string());
        done.collect::<Vec<_>>()
    };
    assert_eq!(cached(), ["\"picture\""], "another column changed, so all but the picture is made again");
    sandbox.kilter(&["why", "picture"]).success();
    sandbox.write("rows.csv", "n,other\n1,x\n2,y\n3,z\n");
    assert!(cached().is_empty(), "its own column changed");
    sandbox.run(&[]).all_cached();
}

const NOT_KEPT: &str = r#"
[stage.clean]
kind = "table"
from = "table"
keep = false
steps = [{ filter = "n > 1" }, { derive = { double = "n * 2" } }]

[stage.sums]
kind = "sql"
inputs = { t = "clean" }
query = "SELECT sum(double) AS s FROM t"
"#;

#[test]
fn a_table_that_is_not_kept_is_computed_where_it_is_used_and_followed_like_any_other() {
    let sandbox = sandbox("n,other\n1,a\n2,b\n3,c\n", NOT_KEPT);
    sandbox.run(&[]).success().says("not kept: 3 columns");
    sandbox.run(&[]).all_cached();
    sandbox.kilter(&["show", "pipeline.toml", "sums"]).success().prints("10");
    sandbox.kilter(&["show", "pipeline.toml", "clean"]).exits(3).says("remove `keep = false`");
    sandbox.kilter(&["verify", "pipeline.toml"]).success();
    sandbox.kilter(&["verify", "pipeline.toml", "--twice"]).success();
    let text = sandbox.read("pipeline.toml");
    let sandbox = sandbox.file("pipeline.toml", text.replace("n > 1", "n > 2"));
    sandbox.kilter(&["why", "pipeline.toml", "sums"]).success().prints("clean");
    sandbox.run(&[]).success();
    sandbox.kilter(&["show", "pipeline.toml", "sums"]).success().prints("6");
}

const PUT_TOGETHER: &str = r#"
[stage.twice]
kind = "table"
from = "table"
keep = false
steps = [{ concat = { with = ["table"] } }]

[stage.large]
kind = "sql"
inputs = { t = "twice" }
keep = false
query = "SELECT other, n + 1 AS next FROM t WHERE n > 1"

[stage.rows]
kind = "sql"
inputs = { t = "large" }
query = "SELECT count(*) AS c FROM t"
"#;

/// The column that the filter reads is not the first of those that the table between has: it took that one for the height.
#[test]
fn rows_are_counted_of_tables_that_are_not_kept_and_were_put_together() {
    let sandbox = sandbox("other,n\na,1\nb,2\nc,3\n", PUT_TOGETHER);
    sandbox.run(&[]).success();
    sandbox.kilter(&["show", "pipeline.toml", "rows"]).success().prints("4");
}

const FAILING: &str = r#"
[stage.all]
kind = "table"
from = "table"
keep = false
steps = [{ derive = { twice = "n * 2" } }]

[stage.numbers]
kind = "sql"
inputs = { t = "all" }
keep = false
query = "SELECT other, n, twice FROM t WHERE CAST(other AS BIGINT) > 1"

[stage.rows]
kind = "sql"
inputs = { t = "numbers" }
query = "SELECT count(*) AS c FROM t"

[stage.picture]
kind = "profile"
from = "numbers"
columns = ["n"]
"#;

/// Columns that nobody reads are none of the reasons.
#[test]
fn what_fails_in_a_table_that_is_not_kept_is_told_of_it() {
    let sandbox = sandbox("other,n\na,1\nb,2\nc,3\n", FAILING);
    for stage in ["rows", "picture"] {
        let ran = sandbox.run(&[stage]).exits(1);
        ran.says(&format!(
            "stage `{stage}`: cannot compute the table: conversion from `str` to `i64` failed in column 'other'"
        ))
        .says("in `numbers`, whose table is not kept and is computed here");
    }
    sandbox.run(&["rows"]).exits(1).says("filter or mend those values before");
}

#[test]
fn what_needs_a_file_refuses_a_table_that_is_not_kept() {
    let stages =
        format!("{NOT_KEPT}\n[stage.count]\nkind = \"exec\"\ncommand = [\"wc\", \"{{t}}\"]\ninputs.t = \"clean\"\n");
    sandbox("n,other\n1,a\n", &stages)
        .kilter(&["check", "pipeline.toml"])
        .exits(2)
        .says("is not kept, and `exec` needs its file");
}

#[test]
fn how_far_a_read_is_is_told_with_its_rate() {
    let rows: String = (0..5_000).map(|row| format!("{row},{}\n", row % 7)).collect();
    let ran = sandbox(&format!("n,k\n{rows}"), "").run(&["--json"]).success();
    let told: Vec<&str> = ran.stdout.lines().filter(|line| line.contains("stage_progress")).collect();
    let last = told.iter().find(|line| line.contains("2 of 2 columns of `rows.csv`"));
    assert!(last.is_some_and(|line| line.contains("B/s") && line.contains("\"unit\":\"bytes\"")), "{told:?}");
}
