//! `keep = false`: everything that uses a table which is not kept gives the same results as with a kept one, and `why` answers alike.

use crate::sandbox::Sandbox;
use polars::prelude::*;
use std::collections::BTreeMap;

const MANIFEST: &str = r#"
[pipeline]
name = "unkept"
edition = "2026"
seed = 9

[stage.raw]
kind = "fetch"
path = "d.parquet"

[stage.t]
kind = "read"
from = "raw"
keep = KEEP_T

[stage.v]
kind = "table"
from = "t"
keep = KEEP_V
steps = [{ filter = "n >= 3" }, { derive = { half = "n / 2.0", text = "text || '!'" } }, { drop = ["other"] }]

[stage.sql]
kind = "sql"
inputs = { v = "v", t = "t" }
query = "SELECT v.k, sum(v.half) AS s, max(v.x) AS m, count(*) AS c FROM v JOIN t ON v.n = t.n GROUP BY v.k"

[stage.steps]
kind = "table"
from = "v"
steps = [{ group = { by = "k", agg = { m = "avg(x)" } } }, { join = { with = "t", on = "k", how = "left" } }]

[stage.split]
kind = "split"
from = "v"
parts = { train = 0.7, test = 0.3 }
stratify = "k"

[stage.folds]
kind = "split"
from = "t"
folds = 3
fold = 2
group = "k"

[stage.expect]
kind = "expect"
from = "v"
reference = "t"
checks.half = { range = { half = { min = 2 } }, severity = "warn" }
checks.drift = { drift = { columns = ["x", "k"], psi = 0.001 }, severity = "warn" }

[stage.profile]
kind = "profile"
from = "v"
target = "k"

[stage.whole]
kind = "profile"
from = "t"

[stage.redact]
kind = "redact"
from = "v"
columns = ["text"]

[stage.encode]
kind = "encode"
fit = "v"
apply = ["t"]
features.x = { numeric = ["x", "n"] }
features.k = "category"
target.yes = "binary"
"#;

const USERS: [&str; 9] = ["sql", "steps", "split", "folds", "expect", "profile", "whole", "redact", "encode"];

/// The table as a parquet file, with one value changed in one column, if that is one of these.
fn file(changed: &str) -> Vec<u8> {
    let rows = 0..60_i64;
    let other = |column: &str, row: i64| changed == column && row == 40;
    let mut df = df![
        "n" => rows.clone().collect::<Vec<_>>(),
        "k" => rows.clone().map(|row| ["a", "b", "c", "d", "e"][(row * row % 5) as usize]).collect::<Vec<_>>(),
        "x" => rows.clone().map(|row| if other("x", row) { 7.5 } else { (row * 7 % 23) as f64 / 3.0 }).collect::<Vec<_>>(),
        "yes" => rows.clone().map(|row| (row * 13 % 7 > 3) != other("yes", row)).collect::<Vec<_>>(),
        "text" => rows.clone().map(|row| format!("row {row} of ada{row}@example.org")).collect::<Vec<_>>(),
        "other" => rows.map(|row| if other("other", row) { 9 } else { row % 4 }).collect::<Vec<_>>(),
    ]
    .expect("a frame");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut df).expect("written");
    bytes
}

/// Which tables are kept: both, that of the file alone, or none.
#[derive(Clone, Copy)]
enum Kept {
    Both,
    File,
    None,
}

fn sandbox(kept: Kept) -> Sandbox {
    let (t, v) = match kept {
        Kept::Both => ("true", "true"),
        Kept::File => ("true", "false"),
        Kept::None => ("false", "false"),
    };
    let text = MANIFEST.replace("KEEP_T", t).replace("KEEP_V", v);
    let sandbox = Sandbox::with_manifest(&text).file("d.parquet", file("nothing"));
    sandbox.run(&[]).success();
    sandbox
}

/// What the lock tells of each stage's outputs and metrics.
fn locked(sandbox: &Sandbox) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut stage = String::new();
    for line in sandbox.read("pipeline.lock").lines() {
        if let Some(name) = line.strip_prefix("[stage.").and_then(|rest| rest.strip_suffix(']')) {
            stage = name.to_owned();
        } else if line.starts_with("outputs.") || line.starts_with("metrics.") {
            found.entry(stage.clone()).or_default().push(line.to_owned());
        }
    }
    found
}

#[test]
fn results_are_the_same_whether_the_tables_before_are_kept_or_not() {
    let (kept, file_kept, none) = (sandbox(Kept::Both), sandbox(Kept::File), sandbox(Kept::None));
    let kept_results = locked(&kept);
    for (not, tables) in [(&file_kept, &["v"][..]), (&none, &["t", "v"])] {
        let results = locked(not);
        for stage in USERS {
            assert!(
                results[stage].len() >= if stage == "sql" || stage == "steps" { 1 } else { 2 },
                "{stage}: {results:#?}"
            );
            assert_eq!(results[stage], kept_results[stage], "{stage}");
        }
        for table in tables {
            assert_ne!(results[*table], kept_results[*table], "{table} is not kept");
            not.kilter(&["show", "pipeline.toml", table]).exits(3).says("remove `keep = false`");
        }
        not.run(&[]).all_cached();
        not.kilter(&["verify", "pipeline.toml"]).success();
        not.kilter(&["verify", "pipeline.toml", "--twice"]).success();
    }
}

/// Of a stage: the decision, what it waits for, and the first word of each reason.
fn why(sandbox: &Sandbox, stage: &str) -> String {
    let told = sandbox.kilter(&["why", "pipeline.toml", stage, "--json"]).success().json();
    let words = told["reasons"].as_array().cloned().unwrap_or_default();
    let heads = words.iter().filter_map(|reason| reason.as_str()?.split(':').next().map(str::to_owned));
    format!("{} {} {:?}", told["decision"], told["waits_for"], heads.collect::<Vec<_>>())
}

/// What becomes of each stage in turn: nothing changed, a filter, its table, a column of the file. The answers are the same for
/// all sandboxes but for the stages of `but` at the last, which are given back.
fn alike(sandboxes: &[Sandbox; 2], but: &[&str]) -> Vec<String> {
    let answer = |sandbox: &Sandbox, stage: &str| format!("{stage}: {}", why(sandbox, stage));
    let alike = |what: &str, stages: &[&str]| -> Vec<String> {
        let [kept, not] =
            sandboxes.each_ref().map(|sandbox| stages.iter().map(|stage| answer(sandbox, stage)).collect::<Vec<_>>());
        assert_eq!(not, kept, "{what}");
        not
    };
    let all = [&USERS[..], &["v", "t"]].concat();
    assert!(alike("nothing changed", &all).iter().all(|answer| answer.contains("cached")));
    for sandbox in sandboxes {
        sandbox.write("pipeline.toml", sandbox.read("pipeline.toml").replace("n >= 3", "n >= 4"));
    }
    let told = alike("a filter changed", &all);
    assert!(told[0].contains("unknown") && told[0].contains("\"v\""), "{told:?}");
    for sandbox in sandboxes {
        sandbox.run(&["v"]).success();
    }
    let told = alike("its table was made again", &all);
    assert!(told[0].contains("[\"v changed\"]"), "{told:?}");
    assert!(told[3].contains("cached"), "{told:?}");
    for sandbox in sandboxes {
        sandbox.run(&[]).success();
        sandbox.write("d.parquet", file("x"));
        sandbox.run(&["v"]).success();
    }
    let others: Vec<&str> = all.iter().copied().filter(|stage| !but.contains(stage)).collect();
    alike("the file changed", &others);
    let told = but.iter().map(|stage| answer(&sandboxes[1], stage)).collect();
    for sandbox in sandboxes {
        sandbox.run(&[]).success();
    }
    let (kept, results) = (locked(&sandboxes[0]), locked(&sandboxes[1]));
    for stage in USERS {
        assert_eq!(results[stage], kept[stage], "{stage}");
    }
    told
}

#[test]
fn why_answers_alike_whether_the_tables_before_are_kept_or_not() {
    alike(&[sandbox(Kept::Both), sandbox(Kept::File)], &[]);
}

/// Which columns of a file changed is not known without reading it as a table: the query, which reads some columns of `t`, names
/// it too.
#[test]
fn of_a_file_whose_table_is_not_kept_every_column_may_have_changed() {
    let told = alike(&[sandbox(Kept::Both), sandbox(Kept::None)], &["sql"]);
    assert!(told[0].contains("t changed") && told[0].contains("v changed"), "{told:?}");
}

#[test]
fn what_is_not_read_through_a_table_that_is_not_kept_reruns_nothing() {
    let (kept, not) = (sandbox(Kept::Both), sandbox(Kept::File));
    let explained = not.kilter(&["plan", "pipeline.toml", "--explain"]).success();
    explained.prints("  v    4 of 6 columns: k, half, n, x\n").prints("    t  3 of 6 columns: k, n, x\n");
    // The first is passed on to users that do not read it, the second is not even that.
    let of_yes = ["steps", "split", "folds", "expect", "profile", "whole", "redact", "encode"];
    for (column, reads) in [("yes", &of_yes[..]), ("other", &["steps", "folds", "whole"])] {
        for sandbox in [&kept, &not] {
            sandbox.write("d.parquet", file(column));
            sandbox.run(&["v"]).success();
            for stage in USERS {
                let told = why(sandbox, stage);
                let decision = if reads.contains(&stage) { "\"run\"" } else { "\"cached\"" };
                assert!(told.starts_with(decision), "{column}: {stage}: {told}");
            }
        }
        if column == "yes" {
            let told = "v changed, but nothing that is read of it: in t `yes` changed";
            not.kilter(&["why", "pipeline.toml", "sql"]).success().prints(told);
            let told = "v changed: t changed: column `yes`, 1 of 60 rows differ";
            not.kilter(&["why", "pipeline.toml", "profile"]).success().prints(told);
        }
        for sandbox in [&kept, &not] {
            sandbox.run(&[]).success();
        }
        let (kept, results) = (locked(&kept), locked(&not));
        for stage in USERS {
            assert_eq!(results[stage], kept[stage], "{stage}");
        }
    }
    not.write("pipeline.toml", not.read("pipeline.toml").replace("n >= 3", "n >= 4"));
    not.run(&["v"]).success();
    not.kilter(&["why", "pipeline.toml", "sql"])
        .success()
        .prints("v changed: steps[0].filter: \"n >= 3\" -> \"n >= 4\"");
}
