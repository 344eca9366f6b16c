//! Keys and reasons, through whole manifests: what reruns a stage, and what `why` says of it.

use super::*;
use crate::plan::{Decision, Plan, Remembered, plan};
use proptest::prelude::*;

impl Bench {
    fn plan(&self, set: &[&str]) -> Plan {
        let store = self.store();
        plan(&self.sound(&store, set), &store, &self.options.selection, &|_| None).unwrap()
    }

    /// The decision on each stage, in words.
    fn decisions(&self, set: &[&str]) -> Vec<String> {
        self.decisions_remembering(set, &|_| None)
    }

    /// The same, where there is a memory of results that have left the store.
    fn decisions_remembering(&self, set: &[&str], remembered: Remembered<'_>) -> Vec<String> {
        let store = self.store();
        let checked = self.sound(&store, set);
        let plan = plan(&checked, &store, &self.options.selection, remembered).unwrap();
        let name = |index: &usize| checked.stages[*index].name.clone();
        let say = |decision: &Decision| match decision {
            Decision::Cached(_) => "cached".to_owned(),
            Decision::Run(reasons) => reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            Decision::Unknown { waits_for } => {
                format!("unknown until {} has run", waits_for.iter().map(name).collect::<Vec<_>>().join(", "))
            }
        };
        plan.stages.iter().map(|planned| format!("{}: {}", name(&planned.index), say(&planned.decision))).collect()
    }
}

const STAGES: &str = r#"
[params]
lr = 0.001
[stage.raw]
kind = "emit"
text = "x"
read = "data.txt"
[stage.train]
kind = "emit"
text = "model"
lr = "${lr}"
[stage.use]
kind = "join"
inputs = ["raw", "train"]
"#;

fn bench() -> Bench {
    let bench = Bench::new(STAGES);
    bench.write("data.txt", "1");
    bench
}

#[test]
fn a_plan_says_what_would_run_and_why() {
    let mut bench = bench();
    assert_eq!(bench.decisions(&[])[0], "raw: has not run yet");
    assert_eq!(bench.decisions(&[])[2], "use: unknown until raw, train has run");
    bench.run();
    assert_eq!(bench.decisions(&[]), ["raw: cached", "train: cached", "use: cached"]);
    assert_eq!(
        bench.decisions(&["lr=0.002"]),
        ["raw: cached", "train: lr: 0.001 -> 0.002 (--set lr)", "use: unknown until train has run"]
    );
    bench.write("data.txt", "2");
    assert_eq!(bench.decisions(&[])[0], "raw: data.txt changed");
    bench.run();
    bench.options.selection = Selection { targets: vec!["use".into()], force: true };
    assert_eq!(bench.decisions(&[]), ["raw: cached", "train: cached", "use: --force"]);
}

#[test]
fn a_plan_counts_and_estimates() {
    let bench = bench();
    assert_eq!(bench.plan(&[]).estimate(), None, "nothing has run yet");
    bench.run();
    let plan = bench.plan(&["lr=0.002"]);
    assert_eq!(plan.counts(), (1, 1, 1));
    assert!(plan.estimate().is_some());
}

#[test]
fn an_input_that_changed_is_named() {
    let bench = bench();
    bench.run();
    bench.write("data.txt", "2");
    let mut partial = Bench { folder: bench.folder, options: bench.options };
    partial.options.selection = Selection::of(["raw"]);
    partial.run();
    partial.options.selection = Selection::default();
    assert_eq!(partial.decisions(&[])[2], "use: raw changed");
}

#[test]
fn without_pointers_the_nearest_result_of_the_kind_is_found() {
    let bench = bench();
    bench.run();
    std::fs::remove_dir_all(bench.root().join(".kilter/last")).unwrap();
    assert_eq!(bench.decisions(&["lr=0.002"])[1], "train: lr: 0.001 -> 0.002 (--set lr)");
}

#[test]
fn a_new_pipeline_is_compared_with_stages_of_the_same_name_alone() {
    let bench = bench();
    bench.run();
    let other = |stages: &str| {
        let head = "[pipeline]\nname = \"other\"\nedition = \"2026\"\nseed = 7\n\n";
        bench.write("p.toml", &format!("{head}{stages}"));
    };
    other(STAGES);
    assert_eq!(bench.decisions(&["lr=0.002"])[1], "train: lr: 0.001 -> 0.002 (--set lr)");
    other(&STAGES.replace("stage.train", "stage.learn").replace("\"train\"", "\"learn\""));
    assert_eq!(bench.decisions(&["lr=0.002"])[1], "learn: has not run yet");
}

#[test]
fn a_result_that_is_gone_is_said_to_be_lost() {
    let bench = bench();
    bench.run();
    std::fs::remove_dir_all(bench.store().layout().index()).unwrap();
    assert_eq!(bench.decisions(&[])[0], "raw: its result is lost: it is no longer in the store");
}

#[test]
fn a_result_that_is_gone_and_remembered_is_compared_with() {
    let bench = bench();
    let ran = bench.run();
    std::fs::remove_dir_all(bench.store().layout().index()).unwrap();
    let remembered = |key: Digest| Some((*ran.summary.done.values().find(|done| done.key == key)?.result).clone());
    let told = bench.decisions_remembering(&["lr=0.002"], &remembered);
    assert_eq!(
        told[..2],
        ["raw: its result is lost: it is no longer in the store", "train: lr: 0.001 -> 0.002 (--set lr)"]
    );
}

#[test]
fn names_do_not_enter_keys_unless_a_stage_is_seeded() {
    let bench = bench();
    bench.run();
    bench.manifest(&STAGES.replace("stage.raw", "stage.source").replace("\"raw\"", "\"source\""));
    assert_eq!(bench.run().counts(), [0, 3, 0, 0]);
}

fn key_of(bench: &Bench, stage: usize) -> crate::digest::Digest {
    bench.plan(&[]).stages[stage].key.clone().unwrap().digest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keys_follow_values_and_nothing_else(
        text in "[a-z]{1,6}", lr in -1.0e6_f64..1.0e6, sleep in 0_u64..1000, trim in any::<bool>(),
        order in Just(vec![0_usize, 1, 2, 3]).prop_shuffle(), comment in "[ a-z=\\[\\]\"]{0,12}", change in 0_usize..4,
    ) {
        let manifest = |text: &str, lr: f64, sleep: u64, trim: bool, order: &[usize], extra: &str| {
            let fields = [format!("text = \"{text}\""), format!("lr = {lr:?}"), format!("sleep={sleep}"), format!("trim = {trim}")];
            let lines: Vec<String> = order.iter().map(|field| format!("{}{extra}", fields[*field])).collect();
            format!("[stage.a]\nkind = \"emit\"\n{}\n", lines.join("\n"))
        };
        let bench = Bench::new(&manifest(&text, lr, sleep, trim, &[0, 1, 2, 3], ""));
        let key = key_of(&bench, 0);
        bench.manifest(&manifest(&text, lr, sleep, trim, &order, &format!("   # {comment}\n\n")));
        prop_assert_eq!(key_of(&bench, 0), key, "order, white space and comments do not count");
        bench.manifest(&format!("{}about = \"x\"\nneeds = {{ cpus = 3 }}\n", manifest(&text, lr, sleep, trim, &order, "")));
        prop_assert_eq!(key_of(&bench, 0), key, "nor does what every stage may carry");
        let other = match change {
            0 => manifest(&format!("{text}x"), lr, sleep, trim, &order, ""),
            1 => manifest(&text, lr + 1.5, sleep, trim, &order, ""),
            2 => manifest(&text, lr, sleep + 1, trim, &order, ""),
            _ => manifest(&text, lr, sleep, !trim, &order, ""),
        };
        bench.manifest(&other);
        prop_assert_ne!(key_of(&bench, 0), key, "every field counts");
    }
}
