//! Runs, diff, gc and cache as a user meets them.

use crate::cli::HELLO;
use crate::sandbox::Sandbox;
use std::process::Command;

/// A table out of a file, some of its rows, and a metric of them.
const ROWS: &str = r#"
[pipeline]
name = "rows"
edition = "2026"

[params]
least = 2

[stage.raw]
kind = "fetch"
path = "data.csv"

[stage.table]
kind = "read"
from = "raw"

[stage.some]
kind = "table"
from = "table"
steps = [{ filter = "v >= ${least}" }]

[stage.judge]
kind = "exec"
command = ["sh", "-c", "printf '{\"accuracy\": 0.%s, \"n\": 1}' \"$1\" > scores.json", "sh", "${least}"]
inputs.some = "some"
outputs.scores = { path = "scores.json", type = "metrics" }
"#;

const DATA: &str = "id,v\na,1\nb,2\nc,3\nd,4\n";

/// Runs git in a sandbox.
pub fn git(sandbox: &Sandbox, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main", "-C"])
        .arg(sandbox.path("."))
        .args(arguments)
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn rows() -> Sandbox {
    Sandbox::with_manifest(ROWS).file("data.csv", DATA)
}

#[test]
fn runs_are_listed_with_what_they_did() {
    let sandbox = rows();
    sandbox.kilter(&["runs"]).success().prints_nothing().says("nothing ran in this workspace yet");
    git(&sandbox, &["init", "-q"]);
    git(&sandbox, &["add", "kilter.toml", "pipeline.toml", "data.csv"]);
    git(&sandbox, &["commit", "-qm", "first"]);
    sandbox.run(&[]).success();
    sandbox.run(&[]).all_cached();
    sandbox.run(&["--set", "least=3"]).success();
    let all = sandbox.kilter(&["runs", "--all", "--json"]).success().json();
    let runs = all.as_array().expect("a list");
    assert_eq!(runs.len(), 3, "{all:#}");
    assert_eq!((&runs[0]["params"]["least"], &runs[0]["ran"], &runs[0]["cached"]), (&3.into(), &2.into(), &2.into()));
    assert_eq!((&runs[1]["ran"], &runs[1]["state"]), (&0.into(), &"done".into()));
    assert_eq!(runs[0]["metrics"]["judge"]["accuracy"], 0.3);
    assert_eq!((&runs[2]["branch"], &runs[2]["dirty"]), (&"main".into(), &false.into()));
    sandbox
        .kilter(&["runs", "pipeline.toml"])
        .success()
        .prints("accuracy 0.300")
        .says("1 run that had nothing to do is not shown");
    let id = runs[0]["run"].as_str().expect("an id");
    sandbox.kilter(&["runs", &id[..4]]).success().prints("least = 3").prints("cached").prints("accuracy");
    sandbox.kilter(&["runs", "last"]).success().prints(id);
    sandbox.kilter(&["runs", "zzzz"]).exits(2).says("no run's id begins with `zzzz`");
}

#[test]
fn a_failed_run_and_a_killed_one_are_told_apart() {
    let sandbox = Sandbox::with_manifest(&HELLO.replace("cat \\\"$1\\\"", "exit 3; cat"));
    sandbox.run(&[]).exits(1);
    sandbox.kilter(&["runs", "last"]).success().prints("failed").prints("`sh` ended with exit code 3");
    sandbox.write("pipeline.toml", HELLO.replace("cat \\\"$1\\\"", "kill -9 $PPID; sleep 9; cat"));
    sandbox.run(&[]).exits(-1);
    sandbox.kilter(&["runs"]).success().prints("killed");
    sandbox.write("pipeline.toml", HELLO);
    sandbox.run(&[]).success();
    let runs = sandbox.kilter(&["runs", "--json"]).success().json();
    let states: Vec<_> = runs.as_array().expect("a list").iter().map(|run| run["state"].as_str()).collect();
    assert_eq!(states, [Some("done"), Some("killed"), Some("failed")]);
}

#[test]
fn a_damaged_history_is_set_aside_and_the_run_goes_on() {
    let sandbox = Sandbox::with_manifest(HELLO);
    sandbox.run(&[]).success();
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(sandbox.path(&format!(".kilter/history.db{ending}")));
    }
    sandbox.write(".kilter/history.db", "not a database at all, but as long as a page of one ".repeat(99));
    sandbox.kilter(&["runs"]).exits(3).says("the history of runs cannot be read").says("sets it aside");
    sandbox.run(&["--force"]).success().says("the history of runs was damaged").says("history.damaged-1.db");
    sandbox.kilter(&["runs"]).success().prints("done");
}

#[test]
fn two_runs_and_the_workspace_are_compared() {
    let sandbox = rows();
    sandbox.run(&[]).success();
    let first = sandbox.kilter(&["runs", "--json"]).json()[0]["run"].as_str().expect("an id").to_owned();
    sandbox.kilter(&["diff"]).success().prints("no difference");
    sandbox.kilter(&["diff", "--set", "least=3"]).success().prints("would run").prints("least");
    sandbox.write("data.csv", "id,v,w\na,1,0\nb,2,0\nc,9,0\ne,7,0\n");
    sandbox.run(&["--set", "least=1"]).success();
    let told = sandbox.kilter(&["diff", &first, "last"]).success();
    let told = told.prints("least  2").prints("accuracy").prints("worse").prints("added: column `w`");
    told.prints("rows: 1 added, 1 removed, 1 changed, matched by `id`").prints("other values: `v` in 1 row");
    let json = sandbox.kilter(&["diff", &first, "last", "--json"]).success().json();
    assert_eq!(json["params"][0]["param"], "least");
    assert_eq!((&json["metrics"][0]["metric"], &json["metrics"][0]["better"]), (&"accuracy".into(), &false.into()));
    let table = json["stages"].as_array().expect("a list").iter().find(|stage| stage["stage"] == "table").expect("it");
    let changes = &table["outputs"][0]["table"];
    assert_eq!((&changes["rows_added"], &changes["matched_by"]["column"]), (&1.into(), &"id".into()));
    let page = sandbox.kilter(&["diff", &first, "last", "--markdown"]).success();
    page.prints("<!-- kilter diff -->").prints("| judge | accuracy | 0.200 | 0.100 |").prints("**worse**");
    sandbox.kilter(&["diff", "nonsense"]).exits(2).says("`nonsense` is no run, git revision or `.lock` file");
    Sandbox::with_manifest(HELLO).kilter(&["diff"]).exits(2).says("nothing ran here yet").says("`kilter run` first");
    sandbox.kilter(&["diff", "a", "b", "c"]).exits(2).says("unexpected `c`");
}

#[test]
fn a_run_of_some_stages_says_nothing_of_the_others() {
    let sandbox = rows();
    sandbox.run(&[]).success();
    sandbox.run(&["some", "--set", "least=3"]).success();
    let json = sandbox.kilter(&["diff", "last", "workspace", "--json"]).success().json();
    let of = |name: &str| {
        let stages = json["stages"].as_array().expect("stages");
        stages.iter().find(|stage| stage["stage"] == name).expect("a stage").clone()
    };
    assert_eq!((&of("table")["status"], &of("some")["status"]), (&"same".into(), &"changed".into()), "{json:#}");
    let why = of("judge")["why"].as_str().expect("why").to_owned();
    assert!(why.starts_with("not part of run ") && json["metrics"] == serde_json::json!([]), "{json:#}");
}

#[test]
fn a_stage_that_has_another_name_now_is_called_by_it() {
    let sandbox = rows();
    sandbox.run(&[]).success();
    sandbox.write(
        "pipeline.toml",
        ROWS.replace("[stage.table]", "[stage.rows]").replace("= \"table\"\nsteps", "= \"rows\"\nsteps"),
    );
    sandbox.write("data.csv", "id,v\na,1\nb,5\n");
    sandbox.run(&[]).success();
    sandbox.write("data.csv", DATA);
    // The result of the first run fits again: it was made of `table`.
    let told = sandbox.kilter(&["diff", "last", "workspace"]).success().prints("rows changed");
    assert!(!told.stdout.contains("rows -> table"), "{}", told.stdout);
}

#[test]
fn a_stage_that_was_only_renamed_is_neither_new_nor_gone() {
    let sandbox = rows();
    sandbox.run(&[]).success();
    sandbox.write("pipeline.toml", ROWS.replace("[stage.judge]", "[stage.score]"));
    let told = sandbox.kilter(&["diff", "last", "workspace"]).success().prints("the same, called judge before");
    assert!(!told.stdout.contains("added") && !told.stdout.contains("removed"), "{}", told.stdout);
    let json = sandbox.kilter(&["diff", "last", "workspace", "--json"]).success().json();
    let stages = json["stages"].as_array().expect("a list");
    let score = stages.iter().find(|stage| stage["stage"] == "score").expect("it");
    assert_eq!((&score["status"], &score["stage_before"]), (&"renamed".into(), &"judge".into()));
}

#[test]
fn locks_and_revisions_are_compared() {
    let sandbox = rows();
    git(&sandbox, &["init", "-q"]);
    sandbox.run(&[]).success();
    git(&sandbox, &["add", "pipeline.toml", "pipeline.lock", "data.csv"]);
    git(&sandbox, &["commit", "-qm", "two"]);
    git(&sandbox, &["tag", "two"]);
    sandbox.write("pipeline.toml", ROWS.replace("least = 2", "least = 3"));
    sandbox.kilter(&["diff", "two"]).success().prints("would run").prints("\"v >= 2\" -> \"v >= 3\"");
    sandbox.run(&[]).success();
    let told = sandbox.kilter(&["diff", "two", "pipeline.lock"]).success().prints("two (").prints("-> pipeline.lock");
    told.prints("accuracy").prints("better").prints("3 -> 2 rows").prints("2 stages the same");
    git(&sandbox, &["commit", "-qam", "three"]);
    for after in ["HEAD", "workspace", "last"] {
        let json = sandbox.kilter(&["diff", "two", after, "--json"]).success().json();
        let changed = serde_json::json!([{ "param": "least", "before": 2, "after": 3 }]);
        assert_eq!(json["params"], changed, "{after}: {json:#}");
    }
    sandbox.kilter(&["diff", "pipeline.lock"]).success().prints("no difference");
    // What has left the store the history still knows.
    std::fs::remove_dir_all(sandbox.path(".kilter/store-v1")).expect("removed");
    let told = sandbox.kilter(&["diff", "two", "pipeline.lock"]).success().prints("\"v >= 2\" -> \"v >= 3\"");
    told.prints("not compared: the store no longer has both tables");
    // Without either, digests and metrics are left.
    std::fs::remove_dir_all(sandbox.path(".kilter")).expect("removed");
    let told = sandbox.kilter(&["diff", "two", "pipeline.lock"]).success();
    told.prints("accuracy").prints("other content").prints("2 stages the same");
    sandbox.kilter(&["diff", "gone.lock"]).exits(2).says("the lock `gone.lock` does not exist");
    git(&sandbox, &["rm", "-q", "--cached", "pipeline.lock"]);
    git(&sandbox, &["commit", "-qam", "no lock"]);
    let told = sandbox.kilter(&["diff", "HEAD"]).success().says("warning: there is no `pipeline.lock` at HEAD (");
    told.prints(", no lock) -> workspace").prints("added");
    let back = sandbox.kilter(&["diff", "HEAD", "pipeline.lock"]).success().prints("-> pipeline.lock");
    assert_eq!(back.stdout.matches("added").count(), 4, "{}", back.stdout);
}

#[test]
fn gc_keeps_what_is_needed_and_says_what_goes() {
    let sandbox = rows();
    for least in ["1", "2", "3"] {
        sandbox.run(&["--set", &format!("least={least}")]).success();
    }
    let keep = ["gc", "--keep-runs", "1"];
    let plan = sandbox.kilter(&[&keep[..], &["--dry-run", "--json"]].concat()).success().json();
    assert_eq!(plan["removed"].as_array().map(Vec::len), Some(4), "{plan:#}");
    sandbox.kilter(&[&keep[..], &["--dry-run"]].concat()).success().prints("4 results").says("dry run");
    sandbox.kilter(&[&keep[..], &["--older-than", "1d"]].concat()).success().prints("no result goes; ");
    let fits = sandbox.kilter(&[&keep[..], &["--max-size", "1GB"]].concat()).success().prints("no result goes; ");
    assert!(!fits.stdout.contains("as small as"), "{}", fits.stdout);
    let tight = sandbox.kilter(&[&keep[..], &["--max-size", "10B", "--dry-run"]].concat()).success();
    tight.prints("4 results").prints("the store cannot be as small as 10 B: what stays is needed\n");
    let young = ["--max-size", "10B", "--older-than", "1d", "--dry-run"];
    sandbox.kilter(&[&keep[..], &young].concat()).success().prints("is needed, or was used since");
    sandbox.kilter(&["gc", "--older-than", "soon"]).exits(2).says("`soon` is no age");
    for command in ["gc", "cache"] {
        sandbox.kilter(&[command, "elsewhere"]).exits(2).says("the folder `elsewhere` does not exist");
    }
    sandbox.run(&["--set", "least=1"]).all_cached();
    sandbox.run(&["--set", "least=3"]).all_cached();
    sandbox.kilter(&keep).success().says("freed");
    sandbox.run(&["--set", "least=3"]).all_cached();
    sandbox.run(&["--set", "least=2"]).success().says("2 stages ran, 2 cached");
    sandbox.kilter(&["cache", "--check"]).success().prints("sound");
    // Metrics of results that are gone can still be compared.
    let runs = sandbox.kilter(&["runs", "--all", "--json"]).json();
    let oldest = runs.as_array().expect("a list").last().expect("one")["run"].as_str().expect("an id").to_owned();
    sandbox.kilter(&["diff", &oldest, "last"]).success().prints("accuracy");
}

#[test]
fn what_gc_took_is_still_compared_with() {
    let sandbox = rows();
    sandbox.run(&[]).success();
    sandbox.run(&["--set", "least=3"]).success();
    std::fs::remove_file(sandbox.path("pipeline.lock")).expect("the lock");
    sandbox.kilter(&["gc", "--keep-runs", "0"]).success().prints("6 results and ");
    let gone = sandbox.kilter(&["show", "some"]).exits(1).says("the result of `some` of ");
    gone.says(" is no longer in the store").says("make it again: `kilter run pipeline.toml some`");
    sandbox.run(&["table"]).success().says("2 stages ran");
    sandbox.write("pipeline.toml", ROWS.replace("least = 2", "least = 1"));
    let why = || sandbox.kilter(&["why", "some"]).success();
    why().prints("It would run again because").prints("steps[0].filter: \"v >= 3\" -> \"v >= 1\" (param least, ");
    sandbox
        .kilter(&["why", "some", "--set", "least=3"])
        .success()
        .prints("its result is lost: it is no longer in the store");
    // Without a history there is less to say, which is no error.
    std::fs::write(sandbox.path(".kilter/history.db"), "no database").expect("written");
    why().prints("its result is lost");
}

#[test]
fn gc_forgets_old_runs_and_keeps_the_last_ones() {
    let sandbox = rows();
    for least in ["1", "2", "3", "3"] {
        sandbox.run(&["--set", &format!("least={least}")]).success();
    }
    let runs = || sandbox.kilter(&["runs", "--all", "--json"]).json().as_array().map_or(0, Vec::len);
    let old = ["gc", "--keep-runs", "1", "--older-than", "1h"];
    sandbox.kilter(&old).success();
    sandbox.kilter(&["gc", "--keep-runs", "1"]).success();
    assert_eq!(runs(), 4, "none is old, neither by what is said nor by itself");

    // As if they had been made long ago.
    let days_ago = |days: u64| env_seconds() - days * 86_400;
    let db = rusqlite::Connection::open(sandbox.path(".kilter/history.db")).expect("a database");
    let age = |state: &str, days| {
        db.execute(&format!("UPDATE runs SET started = {} WHERE {state}", days_ago(days)), []).expect("updated")
    };
    assert_eq!(age("ran > 0", 200), 3);
    assert_eq!(age("ran = 0", 100), 1);
    let plan = sandbox.kilter(&["gc", "--keep-runs", "2", "--dry-run", "--json"]).success().json();
    assert_eq!(plan["forgotten_runs"].as_array().map(Vec::len), Some(1), "{plan:#}");
    let told = sandbox.kilter(&["gc", "--keep-runs", "1", "--dry-run"]).success();
    told.prints("3 runs go out of the history, from 20").prints("; 1 stay");
    assert_eq!(runs(), 4, "a dry run forgets nothing");
    sandbox.kilter(&["gc", "--keep-runs", "1"]).success().prints("3 runs go");
    assert_eq!(runs(), 1);
    sandbox.kilter(&["runs", "last"]).success().prints("least = 3").prints("accuracy");
    sandbox.run(&["--set", "least=3"]).all_cached();
    assert_eq!(runs(), 2);
}

fn env_seconds() -> u64 {
    std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs()
}

#[test]
fn gc_keeps_what_locks_of_other_branches_name() {
    let sandbox = rows();
    git(&sandbox, &["init", "-q"]);
    sandbox.run(&[]).success();
    std::fs::remove_file(sandbox.path("pipeline.lock")).expect("the lock of the working tree");
    let run = sandbox.kilter(&["runs", "last", "--json"]).json();
    let stage = run["stages"].as_array().expect("a list").iter().find(|stage| stage["stage"] == "some").expect("it");
    sandbox.write("rows.lock", format!("[stage.some]\nkey = \"{}\"\n", stage["key"].as_str().expect("a key")));
    git(&sandbox, &["add", "rows.lock"]);
    git(&sandbox, &["commit", "-qm", "lock"]);
    git(&sandbox, &["checkout", "-qb", "other"]);
    git(&sandbox, &["rm", "-q", "rows.lock"]);
    git(&sandbox, &["commit", "-qm", "no lock"]);
    let plan = sandbox.kilter(&["gc", "--keep-runs", "0", "--json"]).success().json();
    assert_eq!(plan["needed"].as_object().map(serde_json::Map::len), Some(1), "{plan:#}");
    assert_eq!(plan["locks"], 1);
    sandbox.run(&[]).success().says("3 stages ran, 1 cached");
}

#[test]
fn gc_removes_nothing_where_git_does_not_tell_of_the_branches() {
    let sandbox = rows();
    git(&sandbox, &["init", "-q"]);
    sandbox.run(&[]).success();
    git(&sandbox, &["add", "pipeline.lock"]);
    git(&sandbox, &["commit", "-qm", "lock"]);
    std::fs::remove_file(sandbox.path("pipeline.lock")).expect("the lock of the working tree");
    let refused = |sandbox: &Sandbox, why: &str| {
        let told = sandbox.kilter(&["gc", "--keep-runs", "0"]).exits(3).says(why).says("nothing was removed");
        told.says("for-each-ref").prints_nothing();
    };
    let broken = sandbox.path(".git/refs/heads/broken");
    std::fs::write(&broken, "no commit\n").expect("written");
    refused(&sandbox, "it ignores a broken ref refs/heads/broken");
    std::fs::remove_file(broken).expect("removed");
    let sandbox = sandbox.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    refused(&sandbox, "dubious ownership");
    let sandbox = sandbox.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "0").env("PATH", "/nonexistent");
    refused(&sandbox, "there is no program `git`");
    // All is there still, and with git it stays: the branch needs it.
    let path = std::env::var_os("PATH").expect("a path");
    let sandbox = sandbox.env("PATH", &path.to_string_lossy());
    sandbox.kilter(&["gc", "--keep-runs", "0"]).success().prints("4 results needed: 4 by 1 lock");
    sandbox.run(&[]).all_cached();
}

#[test]
fn gc_waits_for_a_run() {
    let sandbox = Sandbox::with_manifest(&HELLO.replace("cat \\\"$1\\\"", "sleep 2; cat \\\"$1\\\""));
    sandbox.run(&["first"]).success();
    let mut child = sandbox.command(&["run"]).stderr(std::process::Stdio::null()).spawn().expect("kilter starts");
    while !sandbox.path(".kilter/store-v1/tmp").read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    sandbox.kilter(&["gc", "--keep-runs", "0"]).success().says("waiting for a kilter that uses the store");
    assert!(child.wait().expect("ends").success());
    // What the run locked is needed.
    sandbox.run(&[]).all_cached();
}

#[test]
fn a_damaged_store_is_found_and_mended() {
    let sandbox = rows();
    sandbox.kilter(&["cache"]).success().says("is empty");
    sandbox.run(&[]).success();
    sandbox.kilter(&["cache"]).success().prints("4 results").prints("fetch");
    let shown = sandbox.kilter(&["show", "raw", "--json"]).success().json();
    let digest = shown["outputs"]["file"]["files"][0]["digest"].as_str().expect("a digest").to_owned();
    let blob = sandbox.path(&format!(".kilter/store-v1/objects/{}/{}", &digest[..2], &digest[2..]));
    let bytes = std::fs::read(&blob).expect("a blob");
    let flipped: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
    std::fs::remove_file(&blob).expect("removed");
    std::fs::write(&blob, flipped).expect("written");
    sandbox.write(".kilter/store-v1/index/ab/nonsense.json", "{");
    sandbox.kilter(&["cache", "--check"]).exits(3).prints("changed").prints("its name is no key").says("--repair");
    let json = sandbox.kilter(&["cache", "--check", "--json"]).exits(3).json();
    assert_eq!((&json["sound"], json["damaged"].as_array().map(Vec::len)), (&false.into(), Some(1)), "{json:#}");
    let told = sandbox.kilter(&["cache", "--repair"]).success().says("1 damaged file moved to");
    told.says("1 result dropped").says("the next `kilter run pipeline.toml` makes `raw` again");
    sandbox.kilter(&["cache", "--check"]).success().prints("sound").prints("quarantine");
    sandbox.run(&[]).success().says("1 stage ran, 3 cached");

    // The damaged file goes a month later.
    sandbox.kilter(&["gc"]).success().prints("1 damaged file stays in quarantine, ");
    let kept =
        sandbox.path(".kilter/store-v1/quarantine").read_dir().expect("a folder").next().expect("one").expect("it");
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(env_seconds() - 31 * 86_400);
    std::fs::File::open(kept.path()).and_then(|file| file.set_modified(long_ago)).expect("a time");
    sandbox.kilter(&["gc", "--dry-run"]).success().prints("1 damaged file goes out of quarantine, ");
    assert!(kept.path().exists());
    let json = sandbox.kilter(&["gc", "--json"]).success().json();
    assert_eq!(json["quarantine"]["stays_bytes"], 0, "{json:#}");
    assert!(json["quarantine"]["freed_bytes"].as_u64() > Some(0) && !kept.path().exists(), "{json:#}");

    // What only an older run has is dropped, and nobody is told to wait for it.
    sandbox.run(&["--set", "least=9"]).success();
    let scores = |run: &str| {
        let run = sandbox.kilter(&["runs", run, "--json"]).json();
        let stages = run["stages"].as_array().expect("a list").clone();
        stages.iter().find(|stage| stage["stage"] == "judge").expect("it")["key"].as_str().expect("a key").to_owned()
    };
    let old = scores("last");
    sandbox.run(&[]).all_cached();
    let now = scores("last");
    for key in [&old, &now] {
        let entry = sandbox.read(&format!(".kilter/store-v1/index/{}/{}.json", &key[..2], &key[2..]));
        let entry: serde_json::Value = serde_json::from_str(&entry).expect("a record");
        let digest = entry["result"]["outputs"]["scores"]["files"][0]["digest"].as_str().expect("a digest").to_owned();
        std::fs::remove_file(sandbox.path(&format!(".kilter/store-v1/objects/{}/{}", &digest[..2], &digest[2..])))
            .expect("removed");
    }
    let told = sandbox.kilter(&["cache", "--repair"]).success().says("2 results dropped");
    told.says("makes `judge` again").says("1 result is of no last run");
    sandbox.run(&[]).success().says("1 stage ran, 3 cached");
}

#[test]
fn reports_for_ci_are_written() {
    let sandbox = Sandbox::with_manifest(&HELLO.replace("cat \\\"$1\\\"", "echo '<broken>' >&2; exit 7; cat"));
    sandbox.run(&["--junit", "report.xml"]).exits(1);
    let report = sandbox.read("report.xml");
    assert!(report.contains("<testsuite name=\"hello\" tests=\"2\" failures=\"1\""), "{report}");
    assert!(report.contains("&lt;broken&gt;"), "{report}");
    sandbox.write(
        "pipeline.toml",
        HELLO.replace(
            "kind = \"exec\"\ncommand = [\"sh\", \"-c\", \"cat",
            "kind = \"exce\"\ncommand = [\"sh\", \"-c\", \"cat",
        ),
    );
    let log = sandbox.kilter(&["check", "--format", "sarif"]).exits(2).json();
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "E0131");
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "pipeline.toml");
}
