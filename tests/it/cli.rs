//! The command line as a user meets it: help, exit codes, streams, colour, closed pipes.

use crate::sandbox::Sandbox;
use std::io::Read;
use std::process::{Command, Stdio};

/// Two stages that need nothing but the standard tools.
pub const HELLO: &str = r#"
[pipeline]
name = "hello"
edition = "2026"

[params]
word = "hello"

[stage.first]
kind = "exec"
command = ["sh", "-c", "printf '%s\\n' \"$1\" > \"$2\"", "sh", "${word}", "{outputs.text}"]
outputs.text = "text.txt"

[stage.second]
kind = "exec"
command = ["sh", "-c", "cat \"$1\" > \"$2\"", "sh", "{inputs.text}", "{outputs.copy}"]
inputs.text = "first.text"
outputs.copy = "copy.txt"
"#;

#[test]
fn the_help_is_as_reviewed() {
    let sandbox = Sandbox::new();
    let mut pages = vec![sandbox.kilter(&["--help"]).success().stdout];
    let commands = [
        "check",
        "plan",
        "run",
        "status",
        "lock",
        "verify",
        "why",
        "show",
        "runs",
        "diff",
        "graph",
        "new",
        "import",
        "gc",
        "cache",
        "completions",
    ];
    for command in commands {
        pages.push(sandbox.kilter(&[command, "--help"]).success().stdout);
    }
    let found = pages.join("\n\n");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &found).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "the help differs from tests/it/help.txt; after a look, run with UPDATE=1\n{found}");
}

#[test]
fn the_version_is_data() {
    let ran = Sandbox::new().kilter(&["--version"]).success();
    assert_eq!(ran.stdout, concat!("kilter ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_wrong_command_line_exits_2() {
    let sandbox = Sandbox::new();
    sandbox.kilter(&["chekc"]).exits(2).says("'check'").prints_nothing();
    sandbox.kilter(&["run", "--jobs", "0"]).exits(2).prints_nothing();
    sandbox.kilter::<&str>(&[]).exits(2).says("Usage");
}

#[test]
fn a_manifest_that_is_not_there_is_named_with_what_is() {
    let sandbox = Sandbox::new();
    sandbox.kilter(&["check"]).exits(2).says("there is no manifest in this folder").prints_nothing();
    let sandbox = sandbox.file("penguins.toml", HELLO).file("notes.toml", "[other]\n");
    sandbox.kilter(&["check", "pengiuns.toml"]).exits(2).says("did you mean `penguins.toml`?");
    sandbox.kilter(&["check"]).success();
    let sandbox = sandbox.file("second.toml", HELLO);
    sandbox.kilter(&["check"]).exits(2).says("`penguins.toml` and `second.toml`");
}

#[test]
fn completions_parse_in_bash() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        sandbox.kilter(&["completions", shell]).success().prints("kilter");
    }
    let script = sandbox.kilter(&["completions", "bash"]).stdout;
    sandbox.write("kilter.bash", script);
    let status = Command::new("bash").arg("-n").arg(sandbox.path("kilter.bash")).status().expect("bash");
    assert!(status.success());
}

#[test]
fn a_closed_pipe_is_no_error() {
    let sandbox = Sandbox::new();
    for arguments in [&["completions", "bash"][..], &["--help"]] {
        let mut child =
            sandbox.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kilter starts");
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
        assert_eq!(child.wait().expect("ends").code(), Some(0), "{stderr}");
        assert_eq!(stderr, "");
    }
}

#[test]
fn colour_is_for_terminals_or_on_demand() {
    let manifest = "[pipeline]\nname = \"bad\"\nedition = \"2026\"\n[stage.a]\nkind = \"raed\"\n";
    let sandbox = Sandbox::new().file("bad.toml", manifest);
    let colour = "\u{1b}[";
    sandbox.kilter(&["check"]).exits(2).says_not(colour);
    sandbox.kilter(&["check", "--color", "always"]).exits(2).says(colour);
    let forced = sandbox.env("CLICOLOR_FORCE", "1");
    forced.kilter(&["check"]).exits(2).says(colour);
    forced.env("NO_COLOR", "1").kilter(&["check"]).exits(2).says_not(colour);
}

#[test]
fn a_pipeline_runs_once_and_says_why_it_would_again() {
    let sandbox = Sandbox::with_manifest(HELLO);
    sandbox.kilter(&["check"]).success().prints_nothing().says("no mistakes, checked 2 stages in ");
    sandbox.kilter(&["plan"]).success().prints("has not run yet").prints("1 will run · 1 unknown");
    sandbox.kilter(&["why", "first"]).success().prints("first has not run yet.\nIt would run.\n");
    let second = sandbox.kilter(&["why", "second"]).success();
    second.prints("Whether it would run is unknown until first has run.\nfirst has not run yet, and would run.\n");
    sandbox.run(&[]).success().prints_nothing().says("2 stages ran in ").says("Results in out/hello");
    assert_eq!(sandbox.read("out/hello/second/copy.txt"), "hello\n");
    sandbox.run(&[]).all_cached().prints_nothing();
    let changed = "command[4]: \"hello\" -> \"bye\" (--set word)";
    sandbox.kilter(&["plan", "--set", "word=bye"]).success().prints(changed).prints("unknown until first has run");
    sandbox.kilter(&["why", "first", "--set", "word=bye"]).success().prints(changed);
    sandbox.kilter(&["why", "first"]).success().prints("and its result is cached");
    sandbox.kilter(&["status"]).success().prints("cached");
    sandbox.run(&["--set", "word=bye"]).success().says("2 stages ran");
    sandbox.run(&[]).all_cached();
    sandbox.run(&["--force", "first"]).success().says("1 stage ran");
}

#[test]
fn stages_are_named_and_misnamed() {
    let sandbox = Sandbox::with_manifest(HELLO);
    sandbox.kilter(&["run", "frist"]).exits(2).says("did you mean `first`?");
    sandbox.kilter(&["show", "first"]).exits(1).says("has no result yet").says("kilter run pipeline.toml first");
    sandbox.run(&["first"]).success().says("1 stage ran");
    sandbox.kilter(&["show", "first"]).success().prints("hello").prints("text.txt");
    sandbox.kilter(&["show", "first.txt"]).exits(2).says("did you mean `text`?");
    let shown = sandbox.kilter(&["show", "first.text", "--json"]).success().json();
    assert_eq!(shown["outputs"]["text"]["files"][0]["size"], 6);
    sandbox.kilter(&["why"]).exits(2);
    sandbox.kilter(&["why", "first", "second"]).exits(2).says("unexpected `second`");
}

#[test]
fn events_are_one_object_a_line() {
    let sandbox = Sandbox::with_manifest(HELLO);
    let ran = sandbox.run(&["--json"]).success();
    let events: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
    assert_eq!(events[0]["event"], "run_started");
    assert_eq!(events[0]["version"], 1);
    let last = events.last().expect("events");
    assert_eq!((&last["event"], &last["ran"]), (&"run_finished".into(), &2.into()));
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_failure_is_told_whole_and_quiet_says_nothing_else() {
    let failing = HELLO.replace("cat \\\"$1\\\"", "echo broken >&2; exit 7; cat");
    let sandbox = Sandbox::with_manifest(&failing);
    sandbox.run(&[]).exits(1).says("error: stage `second`").says("7").says(".log").says("1 stage failed, 1 ran");
    let quiet = sandbox.run(&["--quiet"]).exits(1).says("error: stage `second`");
    assert!(!quiet.stderr.contains("failed, "), "{}", quiet.stderr);
    sandbox.write("pipeline.toml", HELLO);
    assert_eq!(sandbox.run(&["--quiet"]).success().stderr, "");
}

#[test]
fn a_graph_is_drawn_in_every_way() {
    let sandbox = Sandbox::with_manifest(HELLO);
    sandbox.kilter(&["graph"]).success().prints("first  exec\n└─ second  exec\n");
    sandbox.kilter(&["graph", "--format", "mermaid"]).success().prints("flowchart TD");
    sandbox.kilter(&["graph", "--format", "dot"]).success().prints("digraph \"hello\"");
    sandbox.kilter(&["graph", "-o", "hello.svg"]).success().prints_nothing();
    assert!(sandbox.read("hello.svg").starts_with("<svg "));
    sandbox.kilter(&["graph", "-o", "hello.png"]).exits(2).says(".svg");
}

#[test]
fn the_second_signal_is_not_needed() {
    let slow = HELLO.replace("cat \\\"$1\\\"", "sleep 60; cat \\\"$1\\\"");
    let sandbox = Sandbox::with_manifest(&slow);
    let mut child = sandbox.command(&["run"]).stderr(Stdio::piped()).spawn().expect("kilter starts");
    let mut stderr = child.stderr.take().expect("piped");
    let mut seen = String::new();
    let mut byte = [0];
    while !seen.contains("second  started") && stderr.read(&mut byte).expect("readable") == 1 {
        seen.push(char::from(byte[0]));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    stderr.read_to_string(&mut seen).expect("text");
    assert_eq!(child.wait().expect("ends").code(), Some(130), "{seen}");
    assert!(seen.contains("stopping") && seen.contains("interrupted after"), "{seen}");
    sandbox.write("pipeline.toml", HELLO);
    sandbox.run(&[]).success().says("1 stage ran, 1 cached");
}

#[test]
fn a_starter_manifest_is_right_as_it_is() {
    let sandbox = Sandbox::new().data("penguins.csv");
    sandbox.kilter(&["new", "penguins.csv"]).success().says("penguins.toml written").prints_nothing().says("--target");
    sandbox.kilter(&["check"]).success().says("no mistakes");
    if cfg!(feature = "torch") {
        sandbox.kilter(&["run"]).success().says("7 stages ran").says("val accuracy");
        sandbox.kilter(&["run"]).all_cached();
        let metrics = sandbox.kilter(&["show", "evaluate.metrics"]).success().prints("accuracy").prints("–");
        metrics.prints(", lies in out/penguins/evaluate/metrics\n");
        let explained = sandbox.kilter(&["plan", "--explain"]).success().stdout;
        assert!(!explained.contains("reads       data "), "a module's own name for its input\n{explained}");
        let all = sandbox.kilter(&["show", "train"]).success().prints(", lies in out/penguins/train\n");
        all.prints("`kilter show penguins.toml train.history` shows one of them");
        sandbox.kilter(&["show", "read", "-n", "3"]).success().prints("… and 341 rows more").prints("bill_length_mm");
        sandbox
            .kilter(&["show", "model/model"])
            .success()
            .prints("linear 3")
            .prints("one of Adelie, Chinstrap, Gentoo");
    }
    let before = sandbox.read("penguins.toml");
    sandbox.kilter(&["new", "penguins.csv", "--target", "sex"]).exits(2).says("exists already");
    assert_eq!(sandbox.read("penguins.toml"), before);
    sandbox.kilter(&["new", "penguins.csv", "--target", "body_mass_g", "--name", "mass"]).success();
    sandbox.kilter(&["check", "mass.toml"]).success().says("no mistakes");
    sandbox.kilter(&["new", "penguins.csv", "--target", "mass", "--name", "x"]).exits(2).says("no column `mass`");
    sandbox.kilter(&["new", "nothing.csv"]).exits(3).says("does not exist");
    let reviews: String = (0..40).map(|row| format!("这本书很好看 {row},{}\n", ["好", "坏"][row % 2])).collect();
    sandbox.write("reviews.csv", format!("评论,情感\n{reviews}"));
    sandbox.kilter(&["new", "reviews.csv", "--target", "情感"]).success().says("predicts `情感` from 1 column");
    sandbox.kilter(&["check", "reviews.toml"]).success().says("no mistakes");
    assert!(sandbox.read("reviews.toml").contains("features.words = { text = \"评论\", analyzer = \"chinese\" }"));
    let german: String = (0..40).map(|row| format!("{};{row},5;{}\n", ["Süd", "Köln"][row % 2], row % 2)).collect();
    let latin1: Vec<u8> = format!("Ort;Preis;Kauf\n{german}").chars().map(|c| c as u8).collect();
    sandbox.write("kauf.csv", latin1);
    sandbox.kilter(&["new", "kauf.csv", "--target", "Kauf"]).success().says("from 2 columns");
    let written = sandbox.read("kauf.toml");
    assert!(written.contains("encoding = \"latin1\"\nseparator = \";\"\ndecimal = \",\""), "{written}");
    assert!(written.contains("numeric = [\"Preis\"]"), "{written}");
    sandbox.kilter(&["check", "kauf.toml"]).success().says("no mistakes");
    sandbox.write("ragged.csv", "a,b\n1,2\n3\n");
    sandbox.kilter(&["new", "ragged.csv"]).exits(2).says("`ragged.csv`: line 3 has 1 field, expected 2");
    sandbox.write("images.npz", "PK\u{3}\u{4}");
    sandbox.kilter(&["new", "images.npz"]).exits(2).says("`images.npz` does not say by its name").says("as parquet");
}

#[test]
fn runs_of_a_manifest_are_those_of_its_pipeline() {
    let sandbox = Sandbox::with_manifest(HELLO).file("other.toml", HELLO.replace("\"hello\"", "\"other\""));
    sandbox.run(&[]).success();
    let none = "nothing of `other` ran in this workspace yet";
    sandbox.kilter(&["runs", "other.toml"]).success().says(none).prints_nothing();
    sandbox.kilter(&["runs", "other.toml", "last"]).exits(2).says(none);
    let id = sandbox.kilter(&["runs", "--json"]).success().json()[0]["run"].as_str().expect("an id").to_owned();
    sandbox.kilter(&["runs", "pipeline.toml", &id]).success().prints(&id);
    sandbox.kilter(&["runs", "other.toml", &id]).exits(2).says("no run of `other` has an id that begins with");
    sandbox.kilter(&["run", "other.toml"]).success();
    sandbox.kilter(&["runs", "pipeline.toml", "last"]).success().prints(&id);
}
