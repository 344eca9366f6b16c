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
keep = KEEP

[stage.v]
kind = "table"
from = "t"
keep = KEEP
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

/// The table as a parquet file, one value changed.
fn file(changed: f64) -> Vec<u8> {
    let rows = 0..60_i64;
    let mut df = df![
        "n" => rows.clone().collect::<Vec<_>>(),
        "k" => rows.clone().map(|row| ["a", "b", "c", "d", "e"][(row * row % 5) as usize]).collect::<Vec<_>>(),
        "x" => rows.clone().map(|row| if row == 40 { changed } else { (row * 7 % 23) as f64 / 3.0 }).collect::<Vec<_>>(),
        "yes" => rows.clone().map(|row| row * 13 % 7 > 3).collect::<Vec<_>>(),
        "text" => rows.clone().map(|row| format!("row {row} of ada{row}@example.org")).collect::<Vec<_>>(),
        "other" => rows.map(|row| row % 4).collect::<Vec<_>>(),
    ]
    .expect("a frame");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut df).expect("written");
    bytes
}

fn sandbox(keep: bool) -> Sandbox {
    let text = MANIFEST.replace("KEEP", &keep.to_string());
    let sandbox = Sandbox::with_manifest(&text).file("d.parquet", file(1.0));
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
    let (kept, not) = (sandbox(true), sandbox(false));
    let (kept_results, results) = (locked(&kept), locked(&not));
    for stage in USERS {
        assert!(
            results[stage].len() >= if stage == "sql" || stage == "steps" { 1 } else { 2 },
            "{stage}: {results:#?}"
        );
        assert_eq!(results[stage], kept_results[stage], "{stage}");
    }
    for table in ["t", "v"] {
        assert_ne!(results[table], kept_results[table], "{table} is not kept");
        not.kilter(&["show", "pipeline.toml", table]).exits(3).says("remove `keep = false`");
    }
    not.run(&[]).all_cached();
    not.kilter(&["verify", "pipeline.toml"]).success();
    not.kilter(&["verify", "pipeline.toml", "--twice"]).success();
}

/// Of a stage: the decision, what it waits for, and the first word of each reason.
fn why(sandbox: &Sandbox, stage: &str) -> String {
    let told = sandbox.kilter(&["why", "pipeline.toml", stage, "--json"]).success().json();
    let words = told["reasons"].as_array().cloned().unwrap_or_default();
    let heads = words.iter().filter_map(|reason| reason.as_str()?.split(':').next().map(str::to_owned));
    format!("{} {} {:?}", told["decision"], told["waits_for"], heads.collect::<Vec<_>>())
}

#[test]
fn why_answers_alike_whether_the_tables_before_are_kept_or_not() {
    let (kept, not) = (sandbox(true), sandbox(false));
    let answers = |sandbox: &Sandbox, stages: &[&str]| -> Vec<String> {
        stages.iter().map(|stage| format!("{stage}: {}", why(sandbox, stage))).collect()
    };
    let alike = |what: &str, stages: &[&str]| {
        let (kept, not) = (answers(&kept, stages), answers(&not, stages));
        assert_eq!(not, kept, "{what}");
        not
    };
    let all = [&USERS[..], &["v", "t"]].concat();
    assert!(alike("nothing changed", &all).iter().all(|answer| answer.contains("cached")));
    for sandbox in [&kept, &not] {
        sandbox.write("pipeline.toml", sandbox.read("pipeline.toml").replace("n >= 3", "n >= 4"));
    }
    let told = alike("a filter changed", &all);
    assert!(told[0].contains("unknown") && told[0].contains("\"v\""), "{told:?}");
    for sandbox in [&kept, &not] {
        sandbox.run(&["v"]).success();
    }
    let told = alike("its table was made again", &all);
    assert!(told[0].contains("[\"v changed\"]"), "{told:?}");
    assert!(told[3].contains("cached"), "{told:?}");
    for sandbox in [&kept, &not] {
        sandbox.run(&[]).success();
        sandbox.write("d.parquet", file(7.5));
        sandbox.run(&["v"]).success();
    }
    // Of a table that is not kept it is not known which columns changed: the query, which reads some columns of `t`, names it too.
    let told = alike("the file changed", &all[1..]);
    assert!(told[0].contains("t changed") && told[0].contains("v changed"), "{told:?}");
    for sandbox in [&kept, &not] {
        assert!(why(sandbox, "sql").contains("\"v changed\""), "{}", why(sandbox, "sql"));
    }
    for sandbox in [&kept, &not] {
        sandbox.run(&[]).success();
    }
    let (kept, results) = (locked(&kept), locked(&not));
    for stage in USERS {
        assert_eq!(results[stage], kept[stage], "{stage}");
    }
}
