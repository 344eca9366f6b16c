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
    sandbox.run(&["--locked"]).exits(4).says("there is no lock `pipeline.lock`").says("without `--locked`");
    let set = sandbox.run(&["--locked", "--set", "word=x"]).exits(4).says("there is no lock");
    set.says("what `--set` makes is never locked");
    sandbox.run(&[]).success();
    sandbox.run(&["--locked"]).success();
    let lock = sandbox.read("pipeline.lock");

    sandbox.write("source.txt", "changed\n");
    sandbox
        .run(&["--locked"])
        .exits(4)
        .says("`first`")
        .says("not those that were locked")
        .says("`kilter why pipeline.toml first`");
    sandbox.run(&["--locked", "beside"]).success();
    sandbox.write("source.txt", "source\n");
    sandbox.run(&["--frozen"]).success();

    // What is to be typed next means the same params, and what they make is never locked.
    let told = sandbox.run(&["--locked", "--set", "word=a b"]).exits(4).says("what `--set` makes is never locked");
    told.says("`kilter why pipeline.toml beside --set word='a b'`").says_not("without `--locked`");
    let told = sandbox.kilter(&["show", "beside", "--set", "word=new"]).success();
    told.says("`kilter why pipeline.toml beside --set word=new`");

    let text = sandbox.read("pipeline.toml");
    sandbox.write("pipeline.toml", text.replace("stage.beside", "stage.other"));
    sandbox.run(&["--locked"]).exits(4).says("no record of `other`");
    sandbox.write("pipeline.toml", text.split("[stage.beside]").next().expect("a text").replace("word = \"one\"", ""));
    sandbox.run(&["--locked"]).exits(4).says("`beside`");
    sandbox.write("pipeline.toml", &text);

    // In a fresh clone there is nothing that `why` could compare with.
    forget(&sandbox);
    sandbox.write("source.txt", "changed\n");
    let told = sandbox.run(&["--locked"]).exits(4).says("not those that were locked").says("`git log -p`");
    told.says_not("kilter why pipeline.toml");
    sandbox.write("source.txt", "source\n");

    // The same key gives something else: it reads what it did not declare.
    let _ = std::fs::remove_dir_all(sandbox.path(".kilter"));
    sandbox.write("knob", "knob 2\n");
    sandbox
        .run(&["--locked"])
        .exits(4)
        .says("another result")
        .says("output `text`")
        .says("kilter verify pipeline.toml --stage first");
    assert_eq!(sandbox.read("pipeline.lock"), lock, "a locked run does not write");
}

#[test]
fn a_metric_is_locked_to_its_last_digit_however_it_was_found() {
    let manifest = r#"
[pipeline]
name = "digits"
edition = "2026"

[stage.judge]
kind = "exec"
command = ["sh", "-c", "echo '{\"share\": 0.9805825242718447}' > scores.json"]
outputs.scores = { path = "scores.json", type = "metrics" }
"#;
    let sandbox = Sandbox::with_manifest(manifest);
    sandbox.run(&[]).success();
    assert!(sandbox.read("pipeline.lock").contains("metrics.share = 0.9805825242718447\n"));
    sandbox.kilter(&["lock"]).success().says("pipeline.lock is up to date");
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
    sandbox.kilter(&["lock"]).success().says("pipeline.lock is up to date");
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

#[test]
fn two_manifests_of_one_name_are_warned_of() {
    let sandbox = sandbox();
    sandbox.run(&[]).success();
    sandbox.write("copy.toml", chain(&sandbox).replace("\"one\"", "\"two\""));
    let told = sandbox.kilter(&["run", "copy.toml"]).success();
    told.says("`pipeline.toml` is called `chain` too, and ran last").says("another `name`");
    sandbox.kilter(&["run", "copy.toml", "--force"]).success().says_not("is called");
    sandbox.run(&[]).success().says("`copy.toml` is called `chain` too");
    std::fs::remove_file(sandbox.path("pipeline.toml")).expect("removed");
    sandbox.kilter(&["run", "copy.toml"]).success().says_not("is called");
}

fn git(sandbox: &Sandbox, line: &str) -> bool {
    let line = format!("git -c user.name=kilter -c user.email=kilter@example.org -c commit.gpgsign=false {line}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).env("PATH", crate::docs::path_with_kilter()).current_dir(sandbox.path(""));
    let out = shell.output().expect("git runs");
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

/// The two lines of the guide that make kilter git's merge driver for locks.
fn configure_merging(sandbox: &Sandbox) {
    let guide = include_str!("../../docs/guide/lock.md");
    let block =
        guide.split("```").find(|block| block.contains("merge.kilter.driver")).expect("the lines are in the guide");
    for line in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let line = line.replace("first.lock", "pipeline.lock");
        let mut shell = Command::new("sh");
        let out = shell.args(["-c", &line]).current_dir(sandbox.path("")).output().expect("a shell");
        assert!(out.status.success(), "{line}");
    }
}

/// A stage that writes a word.
fn stage(name: &str, word: &str) -> String {
    format!(
        "[stage.{name}]\nkind = \"exec\"\ncommand = [\"sh\", \"-c\", \"echo {word} > {name}.txt\"]\n\
         outputs.text = \"{name}.txt\"\n"
    )
}

#[test]
fn new_neighbours_merge_where_kilter_is_the_driver() {
    let sandbox = sandbox();
    sandbox.write(".gitignore", ".kilter\nout\n");
    let base = sandbox.read("pipeline.toml");
    sandbox.run(&[]).success();
    assert!(git(&sandbox, "init -q -b main") && git(&sandbox, "add -A") && git(&sandbox, "commit -qm base"));
    let branch = |name: &str, from: &str, manifest: &str| {
        assert!(git(&sandbox, &format!("checkout -q -b {name} {from}")));
        sandbox.write("pipeline.toml", manifest);
        sandbox.run(&[]).success().says("locked in pipeline.lock");
        assert!(git(&sandbox, &format!("commit -qam {name}")));
    };
    // Stages that are neighbours in the lock, at two ends of the manifest.
    branch("left", "main", &base.replace("[stage.first]", &format!("{}\n[stage.first]", stage("new_a", "a"))));
    branch("right", "main", &format!("{base}\n{}", stage("new_b", "b")));
    assert!(!git(&sandbox, "merge -q left -m merged"), "git alone cannot");
    assert!(git(&sandbox, "merge --abort"));
    configure_merging(&sandbox);
    assert!(git(&sandbox, "add -A") && git(&sandbox, "commit -qm attributes"));
    assert!(git(&sandbox, "merge -q left -m merged"), "{}", sandbox.read("pipeline.lock"));
    let lock = sandbox.read("pipeline.lock");
    assert!(lock.contains("[stage.new_a]") && lock.contains("[stage.new_b]") && !lock.contains("<<<"), "{lock}");
    sandbox.run(&["--locked"]).all_cached();
    sandbox.kilter(&["lock"]).success();
    assert_eq!(sandbox.read("pipeline.lock"), lock, "as a run writes it");

    // Both changed `beside`; each added a stage of its own as well. Only `beside` is left, and `--resolve` takes it from the store.
    let merged = sandbox.read("pipeline.toml");
    let one = merged.replace("word = \"one\"", "word = \"two\"");
    branch("three", "right", &one.replace("[stage.new_b]", &format!("{}\n[stage.new_b]", stage("third", "3"))));
    branch("four", "right", &format!("{}\n{}", merged.replace("word = \"one\"", "word = \"four\""), stage("u", "4")));
    assert!(!git(&sandbox, "merge -q three -m merged"));
    let lock = sandbox.read("pipeline.lock");
    assert_eq!((lock.matches("<<<<<<<").count(), lock.matches("[stage.beside]").count()), (1, 2), "{lock}");
    assert_eq!(lock.matches("[stage.third]").count() + lock.matches("[stage.u]").count(), 2, "{lock}");
    let both = one.replace("[stage.new_b]", &format!("{}\n[stage.new_b]", stage("third", "3")));
    sandbox.write("pipeline.toml", format!("{both}\n{}", stage("u", "4")));
    sandbox.kilter(&["lock", "--resolve"]).success().says("beside  taken from the store");
    sandbox.run(&["--locked"]).all_cached();
}

#[test]
fn what_is_no_lock_is_merged_line_by_line() {
    let lines = |words: &[&str]| words.iter().map(|word| format!("{word}\n")).collect::<String>();
    let sandbox = Sandbox::new()
        .file("base", lines(&["a", "b", "c", "d", "e"]))
        .file("ours", lines(&["A", "b", "c", "d", "e"]))
        .file("theirs", lines(&["a", "b", "c", "d", "E"]));
    let merge = ["lock", "--merge", "base", "ours", "theirs"];
    sandbox.kilter(&merge).success().says("line by line").says("base:1");
    assert_eq!(sandbox.read("ours"), lines(&["A", "b", "c", "d", "E"]));
    sandbox.write("theirs", lines(&["x", "b", "c", "d", "E"]));
    sandbox.kilter(&merge).exits(1);
    assert!(
        sandbox.read("ours").starts_with("<<<<<<< ours\nA\n=======\nx\n>>>>>>> theirs\n"),
        "{}",
        sandbox.read("ours")
    );
    sandbox.kilter(&["lock", "--merge", "base", "ours", "gone"]).exits(3).says("git merge-file");
    sandbox.kilter(&["lock", "--merge", "base", "ours"]).exits(2);
}
