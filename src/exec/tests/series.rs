//! Work that is taken up again: after interruptions, and by stages that go further. With a kind that counts.

use super::kinds::{info, trace};
use super::*;
use crate::plan::{Beginning, PlannedStage, plan};
use crate::stage::{
    Apart, CheckCx, Erased, ErrorKind, Family, Kind, Outputs, Port, Produced, RunCx, Series, Stage, StageError,
    StageInfo,
};
use crate::types::ArtifactType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const STAGES: &[&dyn Stage] = &[&Erased::<Count>::NEW];

/// Writes the numbers from 1 on, a line each.
struct Count;

#[derive(Serialize, Deserialize, JsonSchema)]
struct CountSpec {
    upto: u64,
    /// Stands before each number.
    #[serde(default)]
    word: String,
    /// Whether the end decides the beginning.
    #[serde(default)]
    apart: bool,
}

impl Kind for Count {
    type Spec = CountSpec;
    const INFO: StageInfo = info("count", Family::Open, &[Port { name: "lines", about: "" }]);

    fn check(_: &CountSpec, _: &mut CheckCx<'_>) -> Outputs {
        Outputs::one("lines", ArtifactType::Dir)
    }

    fn series(spec: &CountSpec) -> Option<Series> {
        let apart = spec.apart.then(|| Apart { field: crate::path!["apart"], why: "is set" });
        Some(Series { free: &["upto"], length: spec.upto, unit: "number", port: "lines", keeps: None, apart })
    }

    fn run(spec: &CountSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let checkpoints = cx.onward.checkpoints.clone().expect("a place");
        let of = |folder: &Path| std::fs::read_to_string(folder.join("lines")).ok();
        let left = cx.onward.readable.iter().chain([&checkpoints]);
        let found = left
            .filter_map(|folder| of(&folder.join("1")))
            .chain(cx.onward.earlier.iter().filter_map(|input| std::fs::read_to_string(&input.files[0].path).ok()));
        let mut lines =
            found.filter(|text| text.lines().count() as u64 <= spec.upto).max_by_key(String::len).unwrap_or_default();
        trace(cx, &format!("from {}", lines.lines().count()));
        // A file says at which number it is killed.
        let killed = std::fs::read_to_string(cx.base.join("kill")).ok().and_then(|text| text.parse::<u64>().ok());
        for number in lines.lines().count() as u64 + 1..=spec.upto {
            if killed == Some(number) {
                std::fs::create_dir_all(checkpoints.join("1")).unwrap();
                std::fs::write(checkpoints.join("1/lines"), &lines).unwrap();
                return Err(StageError::new(ErrorKind::Process, "it was killed"));
            }
            lines += &format!("{}{number}\n", spec.word);
        }
        std::fs::write(cx.out("lines")?.join("lines"), lines).unwrap();
        Ok(Produced::new("numbers").port("lines", ArtifactType::Dir))
    }
}

/// Runs a stage that counts so far; gives where it began, as it wrote down.
fn count(bench: &Bench, fields: &str, force: bool) -> (Option<String>, [usize; 4]) {
    let before = bench.trace().len();
    bench.manifest(&format!("[stage.a]\nkind = \"count\"\n{fields}\n"));
    let selection = Selection { force, ..Selection::default() };
    let options = RunOptions { selection, ..bench.options.clone() };
    let ran = bench.run_kinds(STAGES, &options, &Cancel::new(), &|_| {});
    (bench.trace().get(before).cloned(), ran.counts())
}

fn began(bench: &Bench, fields: &str) -> String {
    count(bench, fields, false).0.expect("it ran")
}

/// What a plan says of a stage that counts so far.
fn planned(bench: &Bench, fields: &str) -> PlannedStage {
    bench.manifest(&format!("[stage.a]\nkind = \"count\"\n{fields}\n"));
    let (store, path) = (bench.store(), bench.root().join("p.toml"));
    let options = LoadOptions { path: &path, workspace: bench.root(), set: &[] };
    let checked = check(load(&options), STAGES, &mut StoreResults::new(&store), bench.root());
    plan(&checked, &store, &Selection::default(), &|_| None).unwrap().stages.remove(0)
}

/// How many times the seconds of its earlier result a stage is expected to take.
fn expected(planned: &PlannedStage) -> f64 {
    let ratio = planned.seconds.unwrap() / planned.earlier.as_ref().unwrap().result.seconds;
    (ratio * 1e6).round() / 1e6
}

#[test]
fn a_plan_expects_the_time_of_what_is_left_to_do() {
    let bench = Bench::new("");
    began(&bench, "upto = 3");
    assert_eq!(expected(&planned(&bench, "upto = 9")), 2.0, "six more");
    assert_eq!(expected(&planned(&bench, "upto = 9\napart = true")), 3.0, "another series, from the beginning");
    assert_eq!(expected(&planned(&bench, "upto = 1")), 0.333333);
    // Its own time is that of six numbers, not of nine.
    began(&bench, "upto = 9");
    assert_eq!(expected(&planned(&bench, "upto = 15")), 1.0);
    assert_eq!(expected(&planned(&bench, "upto = 4")), 0.166667, "one more than three");
}

#[test]
fn a_shorter_stage_than_all_results_is_said_to_begin_anew() {
    let bench = Bench::new("");
    began(&bench, "upto = 9");
    began(&bench, "upto = 5");
    let beginning = planned(&bench, "upto = 2").beginning.unwrap();
    assert_eq!(beginning, Beginning::Shorter { than: 5, unit: "number" });
    let words = "begins anew, because the cached result is for 5 numbers, and what it was before its end is not kept";
    assert_eq!(beginning.to_string(), words);
    assert_eq!(planned(&bench, "upto = 7").beginning, Some(Beginning::Earlier { length: 5, unit: "number" }));
    assert_eq!(planned(&bench, "upto = 2\nword = \"x\"").beginning, None);
}

#[test]
fn a_longer_stage_goes_on_from_the_longest_shorter_result() {
    let bench = Bench::new("");
    assert_eq!(began(&bench, "upto = 3"), "from 0 a");
    assert_eq!(began(&bench, "upto = 7"), "from 3 a");
    assert_eq!(began(&bench, "upto = 5"), "from 3 a");
    assert_eq!(began(&bench, "upto = 9"), "from 7 a");
    assert_eq!(bench.read("out/p/a/lines"), "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    assert_eq!(began(&bench, "upto = 2"), "from 0 a");
    // Another series.
    assert_eq!(began(&bench, "upto = 10\nword = \"x\""), "from 0 a");
    assert_eq!(began(&bench, "upto = 3\napart = true"), "from 0 a");
    assert_eq!(began(&bench, "upto = 4\napart = true"), "from 0 a");
    // Asked to be made anew, it is.
    assert_eq!(count(&bench, "upto = 9", true).0.expect("it ran"), "from 0 a");
    // The result is the same, so nothing was stored twice.
    assert_eq!(count(&bench, "upto = 9", false), (None, [0, 1, 0, 0]));
}

#[test]
fn what_an_interrupted_stage_left_is_gone_on_from_and_removed_with_its_result() {
    let bench = Bench::new("");
    bench.write("kill", "4");
    assert_eq!(count(&bench, "upto = 9", false), (Some("from 0 a".to_owned()), [0, 0, 1, 0]));
    assert_eq!(bench.store().unfinished().len(), 1);
    bench.write("kill", "6");
    assert_eq!(began(&bench, "upto = 9"), "from 3 a");
    // Another of the series reads it, and leaves its own.
    bench.write("kill", "7");
    assert_eq!(began(&bench, "upto = 8"), "from 5 a");
    assert_eq!(bench.store().unfinished().len(), 2);
    bench.write("kill", "");
    assert_eq!(began(&bench, "upto = 9"), "from 6 a");
    assert_eq!(bench.read("out/p/a/lines"), "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    let left = bench.store().unfinished();
    assert_eq!(left.len(), 1);
    // One that is forced begins without what was left.
    assert_eq!(count(&bench, "upto = 8", true).0.expect("it ran"), "from 0 a");
    assert!(bench.store().unfinished().is_empty());
}

#[test]
fn an_entry_without_a_result_is_passed_over() {
    let bench = Bench::new("");
    began(&bench, "upto = 3");
    began(&bench, "upto = 5");
    for entry in bench.store().entries_of_kind("count") {
        if entry.1.key.json()["spec"]["upto"] == 5 {
            std::fs::remove_file(bench.store().layout().entry(entry.0)).unwrap();
        }
    }
    assert_eq!(began(&bench, "upto = 6"), "from 3 a");
}
