//! Runs that are held to a lock, and stages run again past the cache.

use super::*;
use crate::digest::Digest;
use crate::exec::{Again, Given};
use crate::job::LIBTORCH;
use crate::lock::{Claim, Lock, Record};
use std::sync::Arc;

/// The lock of a run.
fn lock(bench: &Bench, ran: &Ran) -> Lock {
    let store = bench.store();
    let checked = bench.sound(&store, &[]);
    let record = |stage: &crate::check::CheckedStage| {
        let done = ran.summary.done.get(&stage.name)?;
        Some((stage.name.clone(), Record::of(stage, done.key, &done.result)))
    };
    Lock { stages: checked.stages.iter().filter_map(record).collect() }
}

#[test]
fn a_locked_run_passes_and_one_with_other_fields_fails_before_it_runs() {
    let mut bench = Bench::new(CHAIN);
    let ran = bench.run();
    assert_eq!(ran.summary.done.len(), 3);
    bench.options.locked = Some(Arc::new(lock(&bench, &ran)));
    assert_eq!(bench.run().counts(), [0, 3, 0, 0]);
    let changed = bench.run_set(&["word=two"], &Cancel::new(), &|_| {});
    assert_eq!(changed.counts(), [0, 0, 1, 2]);
    assert!(changed.summary.off_lock);
    assert!(changed.failure("a").message.contains("not those that were locked"), "{:?}", changed.failure("a"));
    assert_eq!(bench.starts(), 3, "nothing ran");
}

#[test]
fn a_result_that_is_not_the_locked_one_fails_and_nothing_builds_on_it() {
    let mut bench = Bench::new(CHAIN);
    let ran = bench.run();
    let mut other = lock(&bench, &ran);
    let output = other.stages.get_mut("b").and_then(|record| record.outputs.get_mut("file")).unwrap();
    output.digest = Digest::of(b"other");
    bench.options.locked = Some(Arc::new(other));
    let again = bench.run();
    assert_eq!(again.counts(), [0, 1, 1, 1]);
    let failure = again.failure("b");
    assert!(failure.message.contains("another result"), "{failure:?}");
    assert!(failure.notes[0].starts_with(&format!("output `file`: {} locked", Digest::of(b"other").short())));
    assert_eq!(again.skipped("c"), "it needs `b`, which failed");
    assert!(again.summary.off_lock);
}

#[test]
fn a_record_of_another_libtorch_or_kilter_is_said_to_be_one() {
    let bench = Bench::new(CHAIN);
    let run = |options: &RunOptions| bench.run_kinds(kinds::NUMERIC, options, &Cancel::new(), &|_| {});
    let locked = lock(&bench, &run(&bench.options));
    let notes = |stage: &str| {
        let mut other = locked.clone();
        let record = other.stages.get_mut(stage).unwrap();
        record.key = Digest::of(b"another");
        for (fact, value) in [("libtorch", "1.0.0"), ("kilter", "0.0.1")] {
            record.environment.insert(fact.to_owned(), value.to_owned());
        }
        let ran = run(&RunOptions { locked: Some(Arc::new(other)), ..bench.options.clone() });
        ran.failure(stage).notes[1..].to_vec()
    };
    let kilter = format!("kilter: 0.0.1 locked, {} now", env!("CARGO_PKG_VERSION"));
    assert_eq!(notes("a"), [format!("libtorch: 1.0.0 locked, {LIBTORCH} now"), kilter.clone()]);
    // No libtorch enters the key of `join`.
    assert_eq!(notes("b"), [kilter]);
}

#[test]
fn a_result_of_another_processor_says_which_and_what_gives_the_same_bits() {
    let mut bench = Bench::new(CHAIN);
    let ran = bench.run();
    let store = bench.store();
    let checked = bench.sound(&store, &[]);
    let stage = checked.find("a").unwrap();
    let mut result = (*ran.summary.done["a"].result).clone();
    result.environment.insert("cpu_capability".into(), "avx2".into());
    let mut off = |claim: Claim| {
        let mut other = lock(&bench, &ran);
        let record = other.stages.get_mut("a").unwrap();
        record.outputs.get_mut("file").unwrap().digest = Digest::of(b"other");
        record.environment.insert("cpu_capability".into(), "avx512".into());
        record.determinism = claim;
        bench.options.locked = Some(Arc::new(other));
        crate::exec::locked::result_off(&bench.options, &checked, stage, &result).unwrap()
    };
    let error = off(Claim::OnDevice("cpu avx512".into()));
    assert_eq!(error.notes[1], "cpu_capability: avx512 locked, avx2 now");
    assert_eq!(error.notes[2], "its bits are claimed on cpu avx512 alone, and this is avx2");
    assert!(error.hints[0].contains("numerics = \"portable\""), "{error:?}");
    assert!(off(Claim::WithinTolerance).hints[0].contains("wants the same bits"));
    assert_eq!(off(Claim::Bitwise).hints.len(), 1);
}

#[test]
fn a_stage_without_a_record_fails() {
    let mut bench = Bench::new(CHAIN);
    bench.options.locked = Some(Arc::new(Lock::default()));
    let ran = bench.run();
    assert!(ran.failure("a").message.contains("not in the lock"));
    assert_eq!(bench.starts(), 0);
}

#[test]
fn a_stage_is_run_again_and_leaves_no_trace() {
    let bench = Bench::new(CHAIN);
    let ran = bench.run();
    let (store, cancel) = (bench.store(), Cancel::new());
    let checked = bench.sound(&store, &[]);
    let scratch = Store::open(&Workspace { root: bench.root().to_owned(), store: bench.root().join("scratch") });
    let again = Again::new(&scratch, &bench.options, &cancel, &|_| {});
    let (a, b) = (checked.find("a").unwrap(), checked.find("b").unwrap());
    let mut given = Given::default();
    let used = &ran.summary.done["a"];
    given.results.insert(a, Arc::clone(&used.result));
    given.inputs.insert((a, "file".into()), store.input(&used.result.outputs["file"]));
    let key = again.key(&checked, b, &given).unwrap();
    assert_eq!(key.digest, ran.summary.done["b"].key);
    std::fs::remove_dir_all(bench.root().join("out")).unwrap();
    let result = again.run(&checked, b, key, given).unwrap();
    assert_eq!(result.outputs, ran.summary.done["b"].result.outputs);
    assert_eq!(bench.starts(), 4);
    assert!(!bench.root().join("out").exists());
    assert_eq!(bench.run().counts(), [0, 3, 0, 0]);
}

#[test]
fn a_stage_that_fails_again_says_why() {
    let bench = Bench::new("[stage.a]\nkind = \"emit\"\ntext = \"x\"\nmischief = \"fail\"\n");
    let store = bench.store();
    let (checked, cancel) = (bench.sound(&store, &[]), Cancel::new());
    let again = Again::new(&store, &bench.options, &cancel, &|_| {});
    let key = again.key(&checked, 0, &Given::default()).unwrap();
    let error = again.run(&checked, 0, key, Given::default()).unwrap_err();
    assert_eq!(error.failure.message, "it went wrong");
    assert!(!error.interrupted && !error.bug && !error.store);
}
