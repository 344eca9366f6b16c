//! What goes wrong: stages, gates, panics, lies, files that change, interruption, the store.

use super::*;

fn emit(mischief: &str) -> Bench {
    Bench::new(&format!(
        "[stage.a]\nkind = \"emit\"\ntext = \"x\"\nmischief = \"{mischief}\"\nread = \"data.txt\"\n\
         [stage.b]\nkind = \"join\"\ninputs = [\"a\"]\n[stage.c]\nkind = \"join\"\ninputs = [\"b\"]\n\
         [stage.other]\nkind = \"emit\"\ntext = \"y\"\n"
    ))
}

fn with_data(mischief: &str) -> Bench {
    let mut bench = emit(mischief);
    bench.write("data.txt", "data");
    bench.options.jobs = 1;
    bench
}

#[test]
fn a_failed_stage_says_where_and_what_depends_on_it_is_skipped() {
    let mut bench = with_data("fail");
    let ran = bench.run();
    assert_eq!(ran.counts(), [0, 0, 1, 3]);
    let failure = ran.failure("a");
    assert_eq!(failure.message, "it went wrong");
    assert_eq!(failure.place.as_deref(), Some("p.toml:8:8"));
    assert_eq!(failure.hints, ["do better"]);
    assert_eq!(ran.skipped("b"), "it needs `a`, which failed");
    assert_eq!(ran.skipped("c"), "it needs `a`, which failed");
    assert_eq!(ran.skipped("other"), "not started, because `a` failed");
    bench.options.keep_going = true;
    assert_eq!(bench.run().counts(), [1, 0, 1, 2]);
    assert_eq!(bench.run().counts(), [0, 1, 1, 2]);
}

#[test]
fn a_gate_that_does_not_hold_fails_the_stage_and_keeps_its_result() {
    let mut bench = with_data("gate");
    bench.options.keep_going = true;
    let ran = bench.run();
    assert_eq!(ran.counts(), [1, 0, 1, 2]);
    assert_eq!(ran.failure("a").message, "a gate does not hold: accuracy is 0.910, at least 0.928 is required");
    assert_eq!(ran.skipped("c"), "it needs `a`, whose gate does not hold");
    assert_eq!(bench.read("out/p/a/text.txt"), "xdata");
    let again = bench.run();
    assert_eq!(again.counts(), [0, 1, 1, 2]);
    assert_eq!(again.failure("a").notes, ["the result is cached, and so is this verdict"]);
}

#[test]
fn a_panic_is_a_bug_of_kilter_and_one_failed_stage() {
    let mut bench = with_data("panic");
    bench.options.keep_going = true;
    let ran = bench.run();
    assert_eq!(ran.counts(), [1, 0, 1, 2]);
    assert!(ran.summary.bug);
    let note = &ran.failure("a").notes[0];
    assert!(note.starts_with("out of cheese (src/exec/tests/kinds.rs:"), "{note}");
}

#[test]
fn a_stage_that_does_not_keep_its_word_is_caught() {
    let undeclared = with_data("undeclared").run();
    assert_eq!(undeclared.failure("a").message, "output `more` was written but not declared");
    let lie = with_data("lie").run();
    assert_eq!(lie.failure("a").notes, ["output `file`: metrics instead of file"]);
}

#[test]
fn a_result_is_not_kept_when_a_file_changed_meanwhile() {
    let bench = with_data("touch");
    let ran = bench.run();
    assert!(ran.failure("a").message.starts_with("a file that the stage reads changed while it ran"));
    assert_eq!(bench.run().counts()[1], 0, "nothing was kept");
}

#[test]
fn a_result_is_not_kept_when_a_file_was_another_meanwhile_and_is_itself_again() {
    let bench = with_data("away");
    let ran = bench.run();
    assert_eq!(bench.read("data.txt"), "data");
    assert!(ran.failure("a").message.starts_with("a file that the stage reads changed while it ran"));
    assert_eq!(bench.run().counts()[1], 0, "nothing was kept");
}

#[test]
fn what_happens_to_a_file_after_it_was_read_is_no_matter_if_it_is_itself_in_the_end() {
    let bench = with_data("late");
    assert_eq!(bench.run().counts(), [4, 0, 0, 0]);
    assert_eq!(bench.read("out/p/a/text.txt"), "xdata");
}

#[test]
fn a_file_that_changes_before_its_stage_starts_is_read_as_it_is_then() {
    let mut bench = Bench::new(
        "[stage.first]\nkind = \"emit\"\ntext = \"x\"\n[stage.next]\nkind = \"join\"\ninputs = [\"first\"]\n\
         [stage.second]\nkind = \"emit\"\ntext = \"y\"\nread = \"data.txt\"\n",
    );
    bench.options.jobs = 1;
    bench.write("data.txt", "old");
    let ran = bench.run_set(&[], &Cancel::new(), &|event| {
        if matches!(event, Event::StageDone { stage, .. } if stage == "first") {
            bench.write("data.txt", "newer");
        }
    });
    assert_eq!(ran.counts(), [3, 0, 0, 0]);
    assert_eq!(bench.read("out/p/second/text.txt"), "ynewer");
    assert_eq!(bench.run().counts(), [0, 3, 0, 0]);
}

#[test]
fn an_input_that_is_changed_in_the_store_while_its_user_waits_gives_no_result() {
    let mut bench = Bench::new(
        "[stage.a]\nkind = \"emit\"\ntext = \"good\"\n[stage.b]\nkind = \"join\"\ninputs = [\"a\"]\n\
         [stage.c]\nkind = \"join\"\ninputs = [\"a\", \"b\"]\n",
    );
    bench.options.jobs = 1;
    let blob = || bench.store().object_path(Digest::of(b"good"));
    let ran = bench.run_set(&[], &Cancel::new(), &|event| {
        if matches!(event, Event::StageDone { stage, .. } if stage == "b") {
            // As a user does who means to change it.
            std::fs::set_permissions(blob(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
            std::fs::write(blob(), "evil").unwrap();
        }
    });
    let failure = ran.failure("c");
    assert_eq!(
        failure.message,
        "`text.txt` of its input `a` was changed in the store meanwhile, so there is no result"
    );
    assert_eq!(bench.run().counts(), [2, 1, 0, 0]);
    assert!(!bench.read("out/p/c/text.txt").contains("evil"));
}

#[test]
fn an_interrupted_run_stops_and_the_next_one_goes_on() {
    let bench = Bench::new(
        "[stage.a]\nkind = \"emit\"\ntext = \"x\"\n[stage.b]\nkind = \"emit\"\ntext = \"y\"\nmischief = \"wait\"\n\
         [stage.c]\nkind = \"join\"\ninputs = [\"a\", \"b\"]\n",
    );
    let cancel = Cancel::new();
    let ran = bench.run_set(&[], &cancel, &|event| {
        if matches!(event, Event::StageDone { stage, .. } if stage == "a") {
            cancel.set();
        }
    });
    assert_eq!(ran.counts(), [1, 0, 0, 2]);
    assert!(ran.summary.interrupted);
    assert_eq!(ran.skipped("b"), "interrupted");
    bench.manifest(&bench.read("p.toml").split("\n\n").nth(1).unwrap().replace("mischief = \"wait\"", ""));
    assert_eq!(bench.run().counts(), [2, 1, 0, 0]);
}

#[test]
fn a_store_that_cannot_be_written_is_told_as_such() {
    let bench = with_data("none");
    // A file where the store's folder should be: refused for root too, unlike missing permissions.
    bench.write(".kilter", "");
    let ran = bench.run();
    assert!(ran.summary.store_failed);
    assert!(ran.failure("a").message.starts_with("cannot make the folder `"), "{:?}", ran.failure("a"));
}

#[test]
fn a_lost_blob_is_made_again_and_said() {
    let bench = with_data("none");
    bench.run();
    let store = bench.store();
    let objects = walkdir::WalkDir::new(store.layout().store().join("objects")).into_iter().filter_map(Result::ok);
    for object in objects.filter(|entry| entry.file_type().is_file()) {
        std::fs::remove_file(object.path()).unwrap();
    }
    let ran = bench.run();
    assert_eq!(ran.counts(), [4, 0, 0, 0]);
    let lost = "its cached result is lost and is made again: `text.txt` of output `file` is missing from the store";
    let said = |event: &Event| matches!(event, Event::StageWarning { message, .. } if message == lost);
    assert!(ran.events.iter().any(said), "{:#?}", ran.events);
}
