//! Random graphs: whatever the number of jobs, the failures and the moment of an interruption, nothing starts before its
//! inputs, results are those of a run one by one, and the next run does only what is left.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Every stage lists inputs before it.
#[derive(Clone, Debug)]
struct Random {
    inputs: Vec<BTreeSet<usize>>,
    failing: BTreeSet<usize>,
    jobs: usize,
    keep_going: bool,
    interrupt_after: Option<usize>,
}

fn random() -> impl Strategy<Value = Random> {
    let stages = (2_usize..9).prop_flat_map(|count| {
        let inputs: Vec<_> =
            (0..count).map(|stage| prop::collection::btree_set(0..stage.max(1), 0..=stage.min(3))).collect();
        (inputs, prop::collection::btree_set(0..count, 0..2))
    });
    (stages, 1_usize..5, any::<bool>(), prop::option::of(0_usize..6)).prop_map(
        |((mut inputs, failing), jobs, keep_going, interrupt_after)| {
            inputs[0].clear();
            Random { inputs, failing, jobs, keep_going, interrupt_after }
        },
    )
}

impl Random {
    fn manifest(&self, failing: bool) -> String {
        let mut text = String::new();
        for (stage, inputs) in self.inputs.iter().enumerate() {
            let names: Vec<String> = inputs.iter().map(|input| format!("\"s{input}\"")).collect();
            let fails = failing && self.failing.contains(&stage);
            writeln!(
                text,
                "[stage.s{stage}]\nkind = \"join\"\nlabel = \"{stage}.\"\ninputs = [{}]\nfail = {fails}",
                names.join(", ")
            )
            .unwrap();
        }
        text
    }

    /// What each stage's text must be.
    fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for (stage, inputs) in self.inputs.iter().enumerate() {
            let joined: String = inputs.iter().map(|input| texts[*input].as_str()).collect();
            let text = format!("{stage}.{joined}");
            texts.push(if inputs.len() == 1 { format!("({text})") } else { text });
        }
        texts
    }

    /// The stages that come from a failing one, itself included.
    fn lost(&self) -> BTreeSet<usize> {
        let mut lost = self.failing.clone();
        for (stage, inputs) in self.inputs.iter().enumerate() {
            if !inputs.is_disjoint(&lost) {
                lost.insert(stage);
            }
        }
        lost
    }

    fn inputs_ended_before(&self, trace: &[String]) {
        let mut ended = BTreeSet::new();
        for line in trace {
            let (what, name) = line.split_once(" s").unwrap();
            let stage: usize = name.parse().unwrap();
            if what == "end" {
                ended.insert(stage);
            } else {
                assert!(self.inputs[stage].is_subset(&ended), "s{stage} started too early: {trace:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_schedule_gives_what_a_sequential_run_gives(random in random()) {
        let mut bench = Bench::new(&random.manifest(true));
        bench.options.jobs = random.jobs;
        bench.options.keep_going = random.keep_going;
        let (cancel, done) = (Cancel::new(), Mutex::new(0));
        let ran = bench.run_set(&[], &cancel, &|event| {
            if matches!(event, Event::StageDone { .. }) {
                let mut done = done.lock().unwrap();
                *done += 1;
                if Some(*done) == random.interrupt_after {
                    cancel.set();
                }
            }
        });
        random.inputs_ended_before(&bench.trace());
        prop_assert_eq!(ran.counts().iter().sum::<usize>(), random.inputs.len());
        if random.keep_going && !cancel.is_set() {
            prop_assert_eq!(ran.summary.ran, random.inputs.len() - random.lost().len());
        }
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &ran.events {
            if let Event::StageDone { stage, .. } | Event::StageFailed { stage, .. } | Event::StageSkipped { stage, .. } = event {
                *last.entry(stage).or_default() += 1;
            }
        }
        prop_assert!(last.values().all(|times| *times == 1), "every stage ends once");

        // Mended and run again: only what is left runs, and everything is what it must be.
        bench.manifest(&random.manifest(false));
        let again = bench.run();
        prop_assert_eq!(again.counts(), [random.inputs.len() - ran.summary.ran, ran.summary.ran, 0, 0]);
        for (stage, text) in random.texts().iter().enumerate() {
            prop_assert_eq!(&bench.read(&format!("out/p/s{stage}/text.txt")), text);
        }
    }
}
