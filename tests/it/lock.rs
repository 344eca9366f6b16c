//! The lock, as a team uses it: written by runs, held to in CI, merged by git.

use crate::sandbox::Sandbox;
use std::process::Command;

/// A chain of two programs, and one beside it. The first copies `source.txt`, which it declares, and `KNOB`, which it does not.
pub fn chain(sandbox: &Sandbox) -> String {
    let knob = sandbox.path("knob").display().to_string();
    format!(
        r#"
[pipeline]
name = "chain"
edition = "2026"

[params]
word = "one"

[stage.first]
kind = "exec"
command = ["sh", "-c", "cat source.txt {knob} > \"$1\"", "sh", "{{outputs.text}}"]
files = ["source.txt"]
outputs.text = "text.txt"

[stage.second]
kind = "exec"
command = ["cp", "{{inputs.text}}", "{{outputs.copy}}"]
inputs.text = "first"
outputs.copy = "copy.txt"

[stage.beside]
kind = "exec"
command = ["sh", "-c", "echo \"$1\" > \"$2\"", "sh", "${{word}}", "{{outputs.word}}"]
outputs.word = "word.txt"
"#
    )
}

pub fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new().file("source.txt", "source\n").file("knob", "knob 1\n");
    sandbox.write("pipeline.toml", chain(&sandbox));
    sandbox
}

/// As a fresh clone: nothing but what is committed.
pub fn forget(sandbox: &Sandbox) {
    for folder in [".kilter", "out"] {
        std::fs::remove_dir_all(sandbox.path(folder)).expect("removed");
    }
}

#[test]
fn a_run_writes_the_lock_and_an_equal_one_leaves_it_alone() {
    let sandbox = sandbox();
    sandbox.run(&[]).success().says("locked in pipeline.lock");
    let lock = sandbox.read("pipeline.lock");
    assert!(lock.contains("\n[stage.beside]\n") && lock.find("[stage.first]") < lock.find("[stage.second]"), "{lock}");
    assert!(!lock.contains(&*sandbox.path("").to_string_lossy()), "no path of this machine");
    let before = sandbox.path("pipeline.lock").metadata().expect("a lock").modified().expect("a time");
    sandbox.run(&[]).all_cached().says_not("locked in");
    sandbox.run(&["--force"]).success().says_not("locked in");
    forget(&sandbox);
    sandbox.run(&[]).success().says_not("locked in");
    assert_eq!(sandbox.path("pipeline.lock").metadata().expect("a lock").modified().expect("a time"), before);
}

#[test]
fn a_run_of_some_stages_follows_a_lock_and_begins_none() {
    let sandbox = sandbox();
    sandbox.run(&["first"]).success();
    sandbox.run(&["--set", "word=two"]).success();
    assert!(!sandbox.path("pipeline.lock").exists());
    sandbox.run(&[]).success();
    let text = sandbox.read("pipeline.toml");
    sandbox.write("pipeline.toml", text.replace("stage.beside", "stage.other").replace("\"one\"", "\"three\""));
    sandbox.run(&["other"]).success().says("locked in pipeline.lock: 2 records changed, `beside` and `other`");
    sandbox.run(&["--locked"]).success();
}

#[test]
fn a_locked_run_fails_where_anything_would_change() {
    let sandbox = sandbox();
    sandbox.run(&["--locked"]).exits(4).says("there is no lock `pipeline.lock`");
    sandbox.run(&[]).success();
    sandbox.run(&["--locked"]).success();
    let lock = sandbox.read("pipeline.lock");

    sandbox.write("source.txt", "changed\n");
    sandbox.run(&["--locked"]).exits(4).says("`first`").says("not those that were locked").says("kilter why first");
    sandbox.run(&["--locked", "beside"]).success();
    sandbox.write("source.txt", "source\n");
    sandbox.run(&["--frozen"]).success();

    let text = sandbox.read("pipeline.toml");
    sandbox.write("pipeline.toml", text.replace("stage.beside", "stage.other"));
    sandbox.run(&["--locked"]).exits(4).says("no record of `other`");
    sandbox.write("pipeline.toml", text.split("[stage.beside]").next().expect("a text").replace("word = \"one\"", ""));
    sandbox.run(&["--locked"]).exits(4).says("`beside`");
    sandbox.write("pipeline.toml", &text);

    // The same key gives something else: it reads what it did not declare.
    forget(&sandbox);
    sandbox.write("knob", "knob 2\n");
    sandbox
        .run(&["--locked"])
        .exits(4)
        .says("another result")
        .says("output `text`")
        .says("kilter verify --stage first");
    assert_eq!(sandbox.read("pipeline.lock"), lock, "a locked run does not write");
}

#[test]
fn the_lock_is_written_from_cached_results() {
    let sandbox = sandbox();
    sandbox.kilter(&["lock"]).exits(1).says("3 stages have no result to lock: `first`, `second` and `beside`");
    sandbox.run(&[]).success();
    let lock = sandbox.read("pipeline.lock");
    std::fs::remove_file(sandbox.path("pipeline.lock")).expect("removed");
    sandbox.kilter(&["lock", "pipeline.toml"]).success().says("locked in pipeline.lock");
    assert_eq!(sandbox.read("pipeline.lock"), lock);
    sandbox.kilter(&["lock", "--resolve"]).success().says("no merge conflicts");
}

#[test]
fn a_lock_that_cannot_be_read_is_named_and_left_alone() {
    let sandbox = sandbox();
    sandbox.run(&[]).success();
    let broken = sandbox.read("pipeline.lock").replace("kind = \"exec\"", "kinds = \"exec\"");
    sandbox.write("pipeline.lock", &broken);
    sandbox.run(&["--locked"]).exits(2).says("pipeline.lock:").says("kinds").says("version control");
    sandbox.kilter(&["verify"]).exits(2).says("pipeline.lock:");
    sandbox.run(&[]).success().says("warning").says("the lock was not written");
    assert_eq!(sandbox.read("pipeline.lock"), broken);
}

fn git(sandbox: &Sandbox, line: &str) -> bool {
    let line = format!("git -c user.name=kilter -c user.email=kilter@example.org -c commit.gpgsign=false {line}");
    let out = Command::new("sh").args(["-c", &line]).current_dir(sandbox.path("")).output().expect("git runs");
    out.status.success()
}

#[test]
fn git_merges_locks_and_what_it_cannot_is_resolved() {
    let sandbox = sandbox();
    sandbox.write(".gitignore", ".kilter\nout\n");
    sandbox.run(&[]).success();
    assert!(git(&sandbox, "init -q -b main") && git(&sandbox, "add -A") && git(&sandbox, "commit -qm base"));
    let text = sandbox.read("pipeline.toml");
    let change = |branch: &str, from: &str, to: &str| {
        assert!(git(&sandbox, &format!("checkout -q -b {branch} main")));
        let text = sandbox.read("pipeline.toml");
        assert!(text.contains(from));
        sandbox.write("pipeline.toml", text.replace(from, to));
        sandbox.run(&[]).success().says("locked in pipeline.lock");
        assert!(git(&sandbox, &format!("commit -qam {branch}")));
    };
    // Two branches that touch different stages.
    change("left", "cat source.txt", "cat source.txt source.txt");
    change("right", "word = \"one\"", "word = \"two\"");
    assert!(git(&sandbox, "merge -q left -m merged"), "{}", sandbox.read("pipeline.lock"));
    sandbox.run(&["--locked"]).success();

    // Two that touch the same one: the manifest is mended by hand, the lock by kilter.
    change("three", "word = \"one\"", "word = \"three\"");
    change("four", "word = \"one\"", "word = \"four\"");
    assert!(!git(&sandbox, "merge -q three -m merged"));
    assert!(sandbox.read("pipeline.lock").contains("<<<<<<<"));
    sandbox.write("pipeline.toml", text.replace("word = \"one\"", "word = \"three\""));
    sandbox.run(&["--locked"]).exits(2).says("merge conflicts").says("kilter lock --resolve");
    sandbox.run(&[]).success().says("merge conflicts");
    sandbox.kilter(&["lock", "--resolve"]).success().says("beside  taken from the store");
    sandbox.run(&["--locked"]).success();

    // What the store does not have is dropped, and said.
    assert!(git(&sandbox, "checkout -q --force four") && !git(&sandbox, "merge -q three -m merged"));
    sandbox.write("pipeline.toml", text.replace("word = \"one\"", "word = \"five\""));
    sandbox.kilter(&["lock", "--resolve"]).success().says("beside  dropped").says("kilter run");
    sandbox.run(&["--locked"]).exits(4).says("no record of `beside`");
    sandbox.run(&[]).success().says("1 record changed, `beside`");
    sandbox.run(&["--locked"]).success();
}
