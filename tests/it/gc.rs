//! `gc` beside runs: what one that was killed had finished stays, and one that begins meanwhile sees what is left.

use crate::cli::HELLO;
use crate::sandbox::Sandbox;
use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn gc_keeps_what_a_killed_run_had_finished() {
    let slow = HELLO.replace("printf", "sleep 1; printf");
    let sandbox = Sandbox::with_manifest(&slow.replace("cat \\\"$1\\\"", "kill -9 $PPID; sleep 9; cat"));
    sandbox.run(&[]).exits(-1);
    sandbox.kilter(&["runs"]).success().prints("killed");
    sandbox.kilter(&["gc"]).success().prints("1 result needed: 1 by the last runs (1)");
    sandbox.write("pipeline.toml", &slow);
    sandbox.run(&[]).success().says("1 stage ran, 1 cached");
    // Once it is done, its own list counts.
    sandbox.write("pipeline.toml", slow.replace("word = \"hello\"", "word = \"welcome\""));
    sandbox.run(&[]).success();
    sandbox.kilter(&["gc", "--keep-runs", "1"]).success().prints("2 results needed");
    sandbox.run(&[]).all_cached();
}

#[test]
fn a_run_that_waits_for_gc_makes_again_what_that_took() {
    let sandbox = Sandbox::with_manifest(HELLO);
    sandbox.run(&[]).success();
    for text in [HELLO.to_owned(), HELLO.replace("cat ", "cat -u ")] {
        sandbox.write("pipeline.toml", text);
        // As `gc` holds it.
        let guard = File::options().read(true).write(true).open(sandbox.path(".kilter/store-v1/in-use.lock"));
        let guard = guard.expect("it was made by the run");
        guard.lock().expect("nobody else runs");
        let child = sandbox.command(&["run", "pipeline.toml"]).stderr(Stdio::piped()).spawn().expect("kilter starts");
        // Long enough to look everything up, if it did not wait.
        std::thread::sleep(Duration::from_millis(500));
        for folder in ["index", "objects"] {
            std::fs::remove_dir_all(sandbox.path(&format!(".kilter/store-v1/{folder}"))).expect("removed");
        }
        drop(guard);
        let output = child.wait_with_output().expect("ends");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.contains("2 stages ran"), "{told}");
        sandbox.run(&[]).all_cached();
    }
}

#[test]
fn what_a_stage_that_is_gone_left_in_out_goes_unless_somebody_wrote_there() {
    let stage = |name: &str| {
        let old = HELLO.split("[stage.second]").next().and_then(|text| text.split_once("[stage.first]"));
        format!("\n[stage.{name}]{}", old.expect("a stage").1)
    };
    let all: String = ["old", "mine", "stays"].map(stage).concat();
    let sandbox = Sandbox::with_manifest(&format!("{HELLO}{all}"));
    sandbox.run(&[]).success();
    sandbox.kilter(&["status"]).success().says_not("out/hello");
    sandbox.write("out/hello/mine/notes.txt", "notes");
    sandbox.write("out/hello/own/notes.txt", "notes");
    sandbox.write("pipeline.toml", format!("{HELLO}{}", stage("stays")));
    sandbox.run(&[]).success();
    let told = sandbox.kilter(&["status"]).success();
    told.says("`mine`, `old` and `own` in out/hello are of no stage of the manifest").says("`kilter gc`");

    // What was used since stays for now.
    sandbox.kilter(&["gc", "--older-than", "1h"]).success();
    let goes = "out/hello/old goes: no manifest has the stage any more";
    sandbox.kilter(&["gc", "--dry-run"]).success().prints(goes).prints("out/hello/mine stays");
    assert!(sandbox.path("out/hello/old/text.txt").exists());
    let plan = sandbox.kilter(&["gc", "--json"]).success().json();
    assert_eq!(plan["left_over"], serde_json::json!(["out/hello/old"]), "{plan:#}");
    assert!(!sandbox.path("out/hello/old").exists());
    for kept in ["mine/notes.txt", "mine/text.txt", "own/notes.txt", "stays/text.txt", "first/text.txt"] {
        assert!(sandbox.path(&format!("out/hello/{kept}")).exists(), "{kept}");
    }
    sandbox.run(&[]).all_cached();

    // It comes back with its stage.
    sandbox.write("pipeline.toml", format!("{HELLO}{all}"));
    sandbox.run(&[]).all_cached();
    assert_eq!(sandbox.read("out/hello/old/text.txt"), "hello\n");
    // A manifest that is not here, as on another branch, or has mistakes, says nothing of its stages.
    for text in [None, Some("[pipeline")] {
        std::fs::remove_file(sandbox.path("pipeline.toml")).expect("removed");
        if let Some(text) = text {
            sandbox.write("pipeline.toml", text);
        }
        let plan = sandbox.kilter(&["gc", "--dry-run", "--json"]).success().json();
        assert_eq!(plan["left_over"], serde_json::json!([]), "{plan:#}");
        sandbox.write("pipeline.toml", HELLO);
    }
}

#[test]
fn an_empty_store_has_a_plan_too() {
    let plan = Sandbox::new().kilter(&["gc", "--json", "--dry-run"]).success().json();
    assert_eq!((&plan["removed"], &plan["freed_bytes"]), (&serde_json::json!([]), &serde_json::json!(0)), "{plan:#}");
}
