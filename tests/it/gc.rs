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
