//! Whose turn it is: time limits, further attempts, slots, urgency, and waiting for others.

use super::*;

fn trace(bench: &Bench) -> String {
    bench.trace().join(", ")
}

#[test]
fn a_stage_whose_time_is_up_fails_and_the_rest_goes_on() {
    let mut bench = Bench::new(
        "[stage.a]\nkind = \"emit\"\ntext = \"x\"\nmischief = \"wait\"\nneeds = { time = \"1s\" }\n\
         [stage.b]\nkind = \"join\"\ninputs = [\"a\"]\n[stage.c]\nkind = \"emit\"\ntext = \"y\"\n",
    );
    bench.options.keep_going = true;
    let ran = bench.run();
    assert_eq!(ran.counts(), [1, 0, 1, 1]);
    assert!(!ran.summary.interrupted);
    assert_eq!(ran.failure("a").message, "it was stopped after 1.0 s, its `needs.time`");
    assert_eq!(ran.skipped("b"), "it needs `a`, which failed");
}

const FLAKY: &str = "[stage.a]\nkind = \"emit\"\ntext = \"x\"\nmischief = \"flaky\"\n";

#[test]
fn a_failure_that_may_pass_is_tried_again() {
    let bench = Bench::new(&format!("{FLAKY}retry = {{ attempts = 3, backoff = \"10ms\" }}\n"));
    let ran = bench.run();
    assert_eq!(ran.counts(), [1, 0, 0, 0]);
    assert_eq!(bench.starts(), 3);
    let warnings = ran.warnings("a");
    assert_eq!(warnings[0], "attempt 1 of 3 failed: it did not feel like it; the next begins in 10 ms");
    assert_eq!(warnings[1], "attempt 2 of 3 failed: it did not feel like it; the next begins in 20 ms");
}

#[test]
fn attempts_come_to_an_end_and_some_failures_are_final() {
    let bench = Bench::new(&format!("{FLAKY}retry = {{ attempts = 2, backoff = \"1ms\" }}\n"));
    let ran = bench.run();
    assert_eq!(ran.counts(), [0, 0, 1, 0]);
    assert_eq!((bench.starts(), ran.failure("a").message.as_str()), (2, "it did not feel like it"));
    let bench = Bench::new(&format!("{}retry = {{ attempts = 5 }}\n", FLAKY.replace("flaky", "fail")));
    assert_eq!(bench.run().counts(), [0, 0, 1, 0]);
    assert_eq!(bench.starts(), 1);
}

#[test]
fn a_pause_leaves_the_slot_to_others() {
    let text = format!(
        "{FLAKY}retry = {{ attempts = 3, backoff = \"100ms\" }}\n[stage.b]\nkind = \"emit\"\ntext = \"y\"\n\
         [stage.c]\nkind = \"join\"\ninputs = [\"a\"]\n"
    );
    let mut bench = Bench::new(&text);
    bench.options.jobs = 1;
    assert_eq!(bench.run().counts(), [3, 0, 0, 0]);
    assert!(trace(&bench).starts_with("start a, start b, end b, start a"), "{}", trace(&bench));
}

#[test]
fn an_interruption_ends_a_pause() {
    let bench = Bench::new(&format!("{FLAKY}retry = {{ attempts = 3, backoff = \"1h\" }}\n"));
    let cancel = Cancel::new();
    let ran = bench.run_set(&[], &cancel, &|event| {
        if matches!(event, Event::StageWaiting { .. }) {
            cancel.set();
        }
    });
    assert_eq!(ran.counts(), [0, 0, 0, 1]);
    assert_eq!(ran.skipped("a"), "interrupted");
}

/// Four stages that need something.
fn needy(needs: &str) -> Bench {
    let stage =
        |name: &str| format!("[stage.{name}]\nkind = \"emit\"\ntext = \"{name}\"\nsleep = 20\nneeds = {{ {needs} }}\n");
    let mut bench = Bench::new(&["a", "b", "c", "d"].map(stage).concat());
    bench.options.jobs = 4;
    bench.options.keep_going = true;
    bench
}

/// The most stages that ran at one time.
fn side_by_side(bench: &Bench) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for line in bench.trace() {
        now = if line.starts_with("start") { now + 1 } else { now - 1 };
        most = most.max(now);
    }
    most
}

#[test]
fn gpus_memory_and_cores_are_shared_out() {
    let mut bench = needy("gpus = 1");
    bench.options.gpus = vec!["0".into()];
    assert_eq!(bench.run().counts(), [4, 0, 0, 0]);
    assert_eq!(side_by_side(&bench), 1);
    let mut bench = needy("memory = \"400MB\"");
    bench.options.memory = Some(1_000_000_000);
    assert_eq!(bench.run().counts(), [4, 0, 0, 0]);
    assert_eq!(side_by_side(&bench), 2);
    let bench = needy("cpus = 3");
    assert_eq!(bench.run().counts(), [4, 0, 0, 0]);
    assert_eq!(side_by_side(&bench), 1);
    let bench = needy("cpus = 64");
    assert_eq!(bench.run().counts(), [4, 0, 0, 0], "never more cores than there are");
}

#[test]
fn what_the_machine_does_not_have_is_said_and_a_cached_result_needs_nothing() {
    let mut bench = needy("gpus = 2, memory = \"1GB\"");
    bench.options.gpus = vec!["0".into()];
    let ran = bench.run();
    assert_eq!(ran.counts(), [0, 0, 4, 0]);
    assert_eq!(ran.failure("a").message, "it needs 2 GPUs, and this machine has 1");
    bench.options.gpus.push("1".into());
    bench.options.memory = Some(2_000_000_000);
    assert_eq!(bench.run().counts(), [4, 0, 0, 0]);
    bench.options.gpus.clear();
    assert_eq!(bench.run().counts(), [0, 4, 0, 0]);
}

#[test]
fn what_took_long_before_starts_first() {
    let mut bench =
        Bench::new("[stage.a]\nkind = \"emit\"\ntext = \"a\"\n[stage.b]\nkind = \"emit\"\ntext = \"b\"\nsleep = 50\n");
    bench.options.jobs = 1;
    bench.run();
    assert_eq!(trace(&bench), "start a, end a, start b, end b");
    bench.options.selection.force = true;
    bench.run();
    assert!(trace(&bench).ends_with("start b, end b, start a, end a"), "{}", trace(&bench));
}

#[test]
fn while_another_process_makes_a_result_the_run_goes_on_with_the_rest() {
    let text = "[stage.a]\nkind = \"emit\"\ntext = \"a\"\nsleep = 400\n[stage.b]\nkind = \"join\"\ninputs = [\"a\"]\n\
                [stage.c]\nkind = \"emit\"\ntext = \"c\"\n";
    let mut bench = Bench::new(text);
    bench.options.jobs = 1;
    std::thread::scope(|scope| {
        scope.spawn(|| bench.run());
        while bench.starts() == 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let ran = bench.run();
        let at = |wanted: &dyn Fn(&Event) -> bool| ran.events.iter().position(wanted).unwrap();
        let done =
            |name: &'static str| move |event: &Event| matches!(event, Event::StageDone { stage, .. } if stage == name);
        let waiting = at(
            &|event| matches!(event, Event::StageWaiting { stage, reason } if stage == "a" && reason.ends_with("is computing the same result")),
        );
        assert!(waiting < at(&done("c")) && at(&done("c")) < at(&done("a")), "{:#?}", ran.events);
        assert_eq!(ran.summary.failed + ran.summary.skipped, 0);
        let started = |event: &Event| matches!(event, Event::StageStarted { stage, .. } if stage == "a");
        assert!(!ran.events.iter().any(started), "it ran in the other: {:#?}", ran.events);
    });
    assert_eq!(bench.starts(), 3, "each key once: {}", trace(&bench));
}
