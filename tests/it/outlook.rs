//! What is known to go wrong again is told before a run: gates that do not hold, what waits behind them, and what failed last time.

use crate::sandbox::Sandbox;

const GATE: &str = r#"
[pipeline]
name = "gate"
edition = "2026"

[stage.raw]
kind = "fetch"
path = "rows.csv"

[stage.table]
kind = "read"
from = "raw"

[stage.checked]
kind = "expect"
from = "table"
checks.a = { range = { n = { max = 9 } } }
checks.b = { range = { n = { max = 9 } } }
checks.positive = { range = { n = { min = 0 } } }

[stage.after]
kind = "table"
from = "checked.table"
steps = [{ filter = "n > 1" }]
"#;

#[test]
fn a_plan_tells_of_a_broken_gate_and_of_what_is_behind_it() {
    let sandbox = Sandbox::with_manifest(GATE).file("rows.csv", "n\n1\n-2\n3\n");
    sandbox.kilter(&["plan", "pipeline.toml"]).success().prints("1 will run · 3 unknown\n");
    sandbox.run(&[]).exits(1);
    let gate = "  checked  gate broken positive.failed is 1, at most 0 is required\n";
    let plan = sandbox.kilter(&["plan", "pipeline.toml"]).success().prints(gate);
    let plan = plan.prints("  after    held up     by the broken gate of checked\n");
    let plan = plan.prints("3 cached · 1 held up · 1 gate broken: `kilter run` fails\n");
    assert!(!plan.stdout.contains("has not run yet"), "{}", plan.stdout);
    sandbox.kilter(&["plan", "pipeline.toml", "--explain"]).success().prints("gate broken positive.failed is 1");
    let checked = sandbox.kilter(&["plan", "pipeline.toml", "checked"]).success().prints("gate broken");
    assert!(!checked.prints("3 cached · 1 gate broken: ").stdout.contains("nothing to do"));
    let json = sandbox.kilter(&["plan", "pipeline.toml", "--json"]).success().json();
    let stages = json["stages"].as_array().expect("a list");
    assert_eq!(stages[2]["decision"], "cached", "{json:#}");
    assert_eq!(stages[2]["broken_gates"][0]["metric"], "positive.failed", "{json:#}");
    assert_eq!((&stages[3]["decision"], &stages[3]["held_up_by"]), (&"run".into(), &"checked".into()), "{json:#}");
    assert_eq!((&stages[1]["held_up_by"], &stages[1]["failed"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    sandbox.run(&[]).exits(1);
    sandbox.write("rows.csv", "n\n1\n2\n3\n");
    let mended = sandbox.kilter(&["plan", "pipeline.toml"]).success().prints("unknown");
    assert!(!mended.stdout.contains("broken"), "{}", mended.stdout);
    sandbox.run(&[]).success();
    sandbox.kilter(&["plan", "pipeline.toml"]).success().prints("4 cached · nothing to do\n");
}

#[test]
fn a_plan_tells_of_what_failed_last_time() {
    let text = "[pipeline]\nname = \"fails\"\nedition = \"2026\"\n[params]\ncode = 3\n[stage.a]\nkind = \"exec\"\n\
                command = [\"sh\", \"-c\", \"echo a > a; exit ${code}\"]\noutputs.a = \"a\"\n";
    let sandbox = Sandbox::with_manifest(text);
    let plan = |set: &[&str]| sandbox.kilter(&[&["plan", "pipeline.toml"], set].concat()).success();
    plan(&[]).prints("a  will run    has not run yet\n1 will run\n");
    sandbox.run(&[]).exits(1);
    let failed = plan(&[]).prints("  a  will run    failed last time: ").prints("`sh` ended with exit code 3");
    let failed = failed.prints("1 will run · 1 failed last time\n");
    assert!(!failed.stdout.contains("has not run yet"), "{}", failed.stdout);
    let json = plan(&["--json"]).json();
    let message = json["stages"][0]["failed"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("exit code 3"), "{json:#}");
    sandbox.run(&["--set", "code=0"]).success();
    plan(&["--set", "code=0"]).prints("1 cached · nothing to do\n");
    let since = plan(&[]).prints("1 will run");
    assert!(!since.stdout.contains("failed"), "it ran since: {}", since.stdout);
}

#[test]
fn what_a_lock_refuses_did_not_fail() {
    let text = "[pipeline]\nname = \"locked\"\nedition = \"2026\"\n[params]\nword = \"a\"\n[stage.a]\nkind = \"exec\"\n\
                command = [\"sh\", \"-c\", \"echo ${word} > a\"]\noutputs.a = \"a\"\n";
    let sandbox = Sandbox::with_manifest(text);
    sandbox.run(&[]).success();
    sandbox.run(&["--locked", "--set", "word=b"]).exits(4).says("not those that were locked");
    for word in ["b", "c"] {
        let set = format!("word={word}");
        let plan = sandbox.kilter(&["plan", "pipeline.toml", "--set", &set]).success().prints("1 will run");
        assert!(!plan.stdout.contains("failed"), "{}", plan.stdout);
        let status = sandbox.kilter(&["status", "pipeline.toml", "--set", &set]).success().prints("changed");
        assert!(!status.stdout.contains("failed"), "{}", status.stdout);
    }
}

#[test]
fn runs_list_the_metric_of_a_broken_gate_first() {
    let sandbox = Sandbox::with_manifest(GATE).file("rows.csv", "n\n1\n2\n3\n");
    sandbox.run(&[]).success();
    sandbox.kilter(&["runs"]).success().prints("a.failed 0, b.failed 0, positive.failed 0");
    let with_z = GATE.replace("checks.positive", "checks.zero");
    sandbox.write("pipeline.toml", with_z);
    sandbox.write("rows.csv", "n\n1\n-2\n3\n");
    sandbox.run(&[]).exits(1);
    sandbox.kilter(&["runs"]).success().prints("zero.failed 1.000, a.failed 0, b.failed 0");
}
