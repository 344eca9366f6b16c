//! Whole runs of small manifests: caching, failures, gates, interruption, and random graphs against what they must give.

mod faults;
mod graphs;
mod histories;
mod kinds;
mod locked;
mod reasons;
mod series;
mod standing;
mod turns;
mod workers;

use super::*;
use crate::check::{Checked, check};
use crate::digest::Digest;
use crate::env::Cancel;
use crate::event::{Event, Failure};
use crate::manifest::{LoadOptions, load};
use crate::plan::{Selection, StoreResults};
use crate::stage::Stage;
use crate::store::{Store, Workspace};
use std::path::Path;
use std::sync::Mutex;
use tempfile::TempDir;

/// A workspace with one manifest.
struct Bench {
    folder: TempDir,
    options: RunOptions,
}

impl Bench {
    fn new(manifest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self { folder, options: RunOptions { jobs: 2, ..RunOptions::default() } };
        bench.write("kilter.toml", "");
        bench.manifest(manifest);
        bench
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.root().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.root().join(name)).unwrap()
    }

    fn manifest(&self, stages: &str) {
        self.write("p.toml", &format!("[pipeline]\nname = \"p\"\nedition = \"2026\"\nseed = 7\n\n{stages}"));
    }

    fn store(&self) -> Store {
        Store::open(&Workspace::at(&self.root().canonicalize().unwrap()).unwrap())
    }

    fn checked(&self, store: &Store, set: &[&str]) -> Checked {
        let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
        let path = self.root().join("p.toml");
        let options = LoadOptions { path: &path, workspace: self.root(), set: &set };
        check(load(&options), kinds::STAGES, &mut StoreResults::new(store), self.root())
    }

    fn sound(&self, store: &Store, set: &[&str]) -> Checked {
        let checked = self.checked(store, set);
        assert!(!checked.diagnostics.has_errors(), "{:#?}", checked.diagnostics);
        checked
    }

    fn run(&self) -> Ran {
        self.run_set(&[], &Cancel::new(), &|_| {})
    }

    fn run_set(&self, set: &[&str], cancel: &Cancel, watch: &(dyn Fn(&Event) + Sync)) -> Ran {
        let store = self.store();
        let checked = self.sound(&store, set);
        self.run_checked(&checked, &store, &self.options, cancel, watch)
    }

    /// A run with other kinds and options.
    fn run_kinds(
        &self,
        kinds: &'static [&'static dyn Stage],
        run_options: &RunOptions,
        cancel: &Cancel,
        watch: &(dyn Fn(&Event) + Sync),
    ) -> Ran {
        let store = self.store();
        let path = self.root().join("p.toml");
        let options = LoadOptions { path: &path, workspace: self.root(), set: &[] };
        let checked = check(load(&options), kinds, &mut StoreResults::new(&store), self.root());
        assert!(!checked.diagnostics.has_errors(), "{:#?}", checked.diagnostics);
        self.run_checked(&checked, &store, run_options, cancel, watch)
    }

    fn run_checked(
        &self,
        checked: &Checked,
        store: &Store,
        options: &RunOptions,
        cancel: &Cancel,
        watch: &(dyn Fn(&Event) + Sync),
    ) -> Ran {
        let events = Mutex::new(Vec::new());
        let note = |event: Event| {
            watch(&event);
            events.lock().unwrap().push(event);
        };
        let summary = run(checked, store, options, cancel, &note).unwrap();
        Ran { summary, events: events.into_inner().unwrap() }
    }

    /// The lines that stages wrote while they ran.
    fn trace(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.root().join("trace")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn starts(&self) -> usize {
        self.trace().iter().filter(|line| line.starts_with("start")).count()
    }
}

/// A run and what it told.
struct Ran {
    summary: RunSummary,
    events: Vec<Event>,
}

impl Ran {
    /// Ran, cached, failed, skipped.
    fn counts(&self) -> [usize; 4] {
        [self.summary.ran, self.summary.cached, self.summary.failed, self.summary.skipped]
    }

    fn failure(&self, name: &str) -> &Failure {
        let found = self.events.iter().find_map(|event| match event {
            Event::StageFailed { stage, failure, .. } if stage == name => Some(failure),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("`{name}` did not fail: {:#?}", self.events))
    }

    /// What was said of a stage in warnings.
    fn warnings(&self, name: &str) -> Vec<&str> {
        let mut said = Vec::new();
        for event in &self.events {
            match event {
                Event::StageWarning { stage, message } if stage == name => said.push(message.as_str()),
                _ => {}
            }
        }
        said
    }

    fn skipped(&self, name: &str) -> &str {
        let found = self.events.iter().find_map(|event| match event {
            Event::StageSkipped { stage, reason } if stage == name => Some(reason.as_str()),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("`{name}` was not skipped: {:#?}", self.events))
    }
}

const CHAIN: &str = r#"
[params]
word = "one"
[stage.a]
kind = "emit"
text = "${word}"
[stage.b]
kind = "join"
inputs = ["a"]
[stage.c]
kind = "join"
inputs = ["b", "a"]
"#;

#[test]
fn a_run_gives_results_and_the_next_one_has_nothing_to_do() {
    let bench = Bench::new(CHAIN);
    let first = bench.run();
    assert_eq!(first.counts(), [3, 0, 0, 0], "{:#?}", first.events);
    assert_eq!(bench.read("out/p/c/text.txt"), "(one)one");
    let again = bench.run();
    assert_eq!(again.counts(), [0, 3, 0, 0]);
    assert_eq!(bench.starts(), 3);
    assert_eq!(again.summary.out, "out/p");
    assert!(again.events.iter().all(|event| !matches!(event, Event::StageStarted { .. })));
}

#[test]
fn an_equal_result_cuts_the_rest_off() {
    let bench = Bench::new(CHAIN);
    bench.run();
    // `trim` is a field of `emit` that does not change its output here.
    bench.manifest(&CHAIN.replace("text = \"${word}\"", "text = \"${word}\"\ntrim = true"));
    assert_eq!(bench.run().counts(), [1, 2, 0, 0]);
}

#[test]
fn targets_force_and_set() {
    let mut bench = Bench::new(CHAIN);
    bench.options.selection = Selection::of(["b"]);
    assert_eq!(bench.run().counts(), [2, 0, 0, 0]);
    assert!(!bench.root().join("out/p/c").exists());
    bench.options.selection = Selection { targets: vec!["b".into()], force: true };
    assert_eq!(bench.run().counts(), [1, 1, 0, 0]);
    bench.options.selection = Selection::default();
    assert_eq!(bench.run_set(&["word=two"], &Cancel::new(), &|_| {}).counts(), [3, 0, 0, 0]);
    assert_eq!(bench.read("out/p/c/text.txt"), "(two)two");
    assert_eq!(bench.run().counts(), [1, 2, 0, 0], "only `c` was never made for `one`");
    assert_eq!(bench.read("out/p/c/text.txt"), "(one)one", "out/ follows");
}

#[test]
fn a_stage_that_is_not_to_be_cached_runs_every_time() {
    let bench = Bench::new(&CHAIN.replace("[stage.b]\n", "[stage.b]\ncache = false\n"));
    bench.run();
    assert_eq!(bench.run().counts(), [1, 2, 0, 0]);
}

#[test]
fn equal_stages_are_computed_once() {
    let text =
        "[stage.a]\nkind = \"emit\"\ntext = \"x\"\nsleep = 60\n[stage.b]\nkind = \"emit\"\ntext = \"x\"\nsleep = 60\n";
    let bench = Bench::new(text);
    assert_eq!(bench.run().counts(), [1, 1, 0, 0]);
    assert_eq!(bench.starts(), 1);
}

#[test]
fn two_processes_share_the_work() {
    let bench = Bench::new(&CHAIN.replace("text =", "sleep = 40\ntext ="));
    let total = Mutex::new([0; 4]);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let counts = bench.run().counts();
                total.lock().unwrap().iter_mut().zip(counts).for_each(|(total, count)| *total += count);
            });
        }
    });
    assert_eq!(bench.starts(), 3, "each key once");
    assert_eq!(total.into_inner().unwrap(), [3, 6, 0, 0]);
}

#[test]
fn sources_are_fetched_first_and_then_everything_is_checked_again() {
    let bench = Bench::new(
        "[stage.raw]\nkind = \"grow\"\ncolumns = [\"a\", \"b\"]\n[stage.slow]\nkind = \"emit\"\ntext = \"x\"\n\
         [stage.use]\nkind = \"pick\"\nfrom = \"raw\"\ncolumn = \"c\"\n",
    );
    let store = bench.store();
    let outcome = run_checking_again(
        bench.sound(&store, &[]),
        &mut || bench.checked(&store, &[]),
        &store,
        &bench.options,
        &Cancel::new(),
        &|_| {},
    );
    let Outcome::Mistakes(checked, summary) = outcome.unwrap() else { panic!("the mistake was not seen") };
    assert!(checked.diagnostics.has_errors());
    assert_eq!((summary.ran, summary.failed), (1, 0), "only the source ran");
    assert_eq!(bench.trace(), ["start raw", "end raw"]);
    bench.manifest(&bench.read("p.toml").split("\n\n").nth(1).unwrap().replace("\"c\"", "\"b\""));
    let outcome = run_checking_again(
        bench.sound(&store, &[]),
        &mut || bench.checked(&store, &[]),
        &store,
        &bench.options,
        &Cancel::new(),
        &|_| {},
    );
    let Outcome::Done(_, summary) = outcome.unwrap() else { panic!("there is no mistake any more") };
    assert_eq!((summary.ran, summary.cached), (2, 1));
}
