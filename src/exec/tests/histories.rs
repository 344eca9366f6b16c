//! Random histories against a model: random graphs, edited, damaged, interrupted and run again and again, by one process
//! and by two, with one job and with several. After every run every output is what the model says, nothing ran whose key was
//! known and whole, and in the end everything is as in a clean workspace.
//!
//! `KILTER_HISTORIES` says how many histories; `cargo xtask faults` runs many.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

/// The files that stages read.
const FILES: usize = 3;

/// A stage as the model knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    label: u8,
    /// A file that it reads; only sources do.
    file: Option<usize>,
    inputs: BTreeSet<usize>,
}

/// The world, as the model knows it.
#[derive(Clone, Debug)]
struct World {
    nodes: Vec<Node>,
    files: [u8; FILES],
    /// The version of the kind `emit`; version 2 writes something else.
    version: u8,
}

/// What happens before a run.
#[derive(Clone, Debug)]
enum Change {
    Label(usize, u8),
    File(usize, u8),
    Inputs(usize, BTreeSet<usize>),
    Version(u8),
    /// Adds a stage that uses others.
    Add(u8, BTreeSet<usize>),
    /// Removes the last stage.
    Remove,
    LoseOut(usize),
    SpoilOut(usize),
    LoseBlob(usize),
    SpoilBlob(usize),
    LoseEntry(usize),
    SpoilEntry(usize),
    /// Of what only saves time: standing, last keys, digests of files.
    LoseKept(usize),
    /// As a killed process leaves them: a staging folder and a lock that nobody holds.
    Litter,
    Nothing,
}

/// How a run is made.
#[derive(Clone, Debug)]
enum Way {
    Jobs(usize),
    Twice(usize),
    Interrupted(usize),
}

fn node(index: usize) -> impl Strategy<Value = Node> {
    let inputs = prop::collection::btree_set(0..index.max(1), 0..=index.min(3));
    (0..4_u8, prop::option::of(0..FILES), inputs).prop_map(move |(label, file, mut inputs)| {
        inputs.retain(|input| *input < index);
        let file = file.filter(|_| inputs.is_empty());
        Node { label, file, inputs }
    })
}

fn world() -> impl Strategy<Value = World> {
    let nodes = (2_usize..7).prop_flat_map(|count| (0..count).map(node).collect::<Vec<_>>());
    (nodes, [0..3_u8, 0..3_u8, 0..3_u8]).prop_map(|(nodes, files)| World { nodes, files, version: 1 })
}

fn change() -> impl Strategy<Value = Change> {
    let some = || 0..8_usize;
    let inputs = || prop::collection::btree_set(some(), 0..3);
    prop_oneof![
        3 => (some(), 0..4_u8).prop_map(|(stage, label)| Change::Label(stage, label)),
        3 => (0..FILES, 0..3_u8).prop_map(|(file, text)| Change::File(file, text)),
        2 => (some(), inputs()).prop_map(|(stage, inputs)| Change::Inputs(stage, inputs)),
        1 => (1..3_u8).prop_map(Change::Version),
        1 => (0..4_u8, inputs()).prop_map(|(label, inputs)| Change::Add(label, inputs)),
        1 => Just(Change::Remove),
        1 => some().prop_map(Change::LoseOut),
        1 => some().prop_map(Change::SpoilOut),
        1 => some().prop_map(Change::LoseBlob),
        1 => some().prop_map(Change::SpoilBlob),
        1 => some().prop_map(Change::LoseEntry),
        1 => some().prop_map(Change::SpoilEntry),
        1 => (0..3_usize).prop_map(Change::LoseKept),
        1 => Just(Change::Litter),
        2 => Just(Change::Nothing),
    ]
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        4 => (1..4_usize).prop_map(Way::Jobs),
        1 => (1..3_usize).prop_map(Way::Twice),
        1 => (0..4_usize).prop_map(Way::Interrupted),
    ]
}

impl World {
    fn manifest(&self) -> String {
        let mut text = String::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let (kind, label) = (if node.inputs.is_empty() { "emit" } else { "join" }, node.label);
            write!(text, "[stage.s{index}]\nkind = \"{kind}\"\n").unwrap();
            if node.inputs.is_empty() {
                writeln!(text, "text = \"{label}\"").unwrap();
                node.file.iter().for_each(|file| writeln!(text, "read = \"f{file}.txt\"").unwrap());
            } else {
                let names: Vec<String> = node.inputs.iter().map(|input| format!("\"s{input}\"")).collect();
                writeln!(text, "label = \"{label}\"\ninputs = [{}]", names.join(", ")).unwrap();
            }
        }
        text
    }

    /// Every stage's text, and its key as the model sees it.
    fn results(&self) -> Vec<(String, String)> {
        let mut results: Vec<(String, String)> = Vec::new();
        for node in &self.nodes {
            let text = |input: &usize| results[*input].0.clone();
            let joined: String = node.inputs.iter().map(text).collect();
            let result = if node.inputs.is_empty() {
                let read = node.file.map_or(String::new(), |file| format!("<{}>", self.files[file]));
                let mark = if self.version == 2 { "!" } else { "" };
                let key = format!("emit {} {} {:?} {read}", self.version, node.label, node.file);
                (format!("{}{read}{mark}", node.label), key)
            } else {
                let text = format!("{}{joined}", node.label);
                let text = if node.inputs.len() == 1 { format!("({text})") } else { text };
                let inputs: Vec<String> = node.inputs.iter().map(text_of(&results)).collect();
                (text, format!("join {} {inputs:?}", node.label))
            };
            results.push(result);
        }
        results
    }
}

fn text_of(results: &[(String, String)]) -> impl Fn(&usize) -> String + '_ {
    |input| results[*input].0.clone()
}

/// A workspace and what the model knows of its store.
struct History {
    bench: Bench,
    world: World,
    /// The keys whose results are there, and those results.
    known: BTreeMap<String, String>,
}

impl History {
    fn new(world: World) -> Self {
        let mut bench = Bench::new(&world.manifest());
        bench.options.keep = Some(Vec::new());
        let history = Self { bench, world, known: BTreeMap::new() };
        history.write();
        history
    }

    fn write(&self) {
        self.bench.manifest(&self.world.manifest());
        for (index, text) in self.world.files.iter().enumerate() {
            self.bench.write(&format!("f{index}.txt"), &format!("<{text}>"));
        }
    }

    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let root = self.bench.root().join(folder);
        let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().filter_map(Result::ok);
        walk.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
    }

    /// One of the files of a folder.
    fn one(&self, folder: &str, at: usize) -> Option<PathBuf> {
        let files = self.files(folder);
        (!files.is_empty()).then(|| files[at % files.len()].clone())
    }

    fn change(&mut self, change: &Change) {
        let count = self.world.nodes.len();
        match change {
            Change::Label(stage, label) => self.world.nodes[stage % count].label = *label,
            Change::File(file, text) => self.world.files[*file] = *text,
            Change::Inputs(stage, inputs) => {
                let stage = stage % count;
                let inputs: BTreeSet<usize> = inputs.iter().copied().filter(|input| *input < stage).collect();
                self.world.nodes[stage].file = None;
                self.world.nodes[stage].inputs = inputs;
            }
            Change::Version(version) => self.world.version = *version,
            Change::Add(label, inputs) if count < 8 => {
                let inputs = inputs.iter().copied().filter(|input| *input < count).collect();
                self.world.nodes.push(Node { label: *label, file: None, inputs });
            }
            Change::Remove if count > 1 => drop(self.world.nodes.pop()),
            Change::LoseOut(at) => self.spoil(self.one("out", *at), None),
            Change::SpoilOut(at) => self.spoil(self.one("out", *at), Some("spoilt")),
            Change::LoseBlob(at) => self.lose_blob(*at, None),
            Change::SpoilBlob(at) => self.lose_blob(*at, Some("spoilt")),
            Change::LoseEntry(at) => self.lose_entry(*at, None),
            Change::SpoilEntry(at) => self.lose_entry(*at, Some("{\"format\": 1, \"boot\"")),
            Change::LoseKept(at) => {
                let kept = [".kilter/standing", ".kilter/last", ".kilter/stat-cache.bin"][*at];
                let path = self.bench.root().join(kept);
                let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
            }
            Change::Litter => {
                let key = Digest::of(b"litter").to_string();
                for name in [
                    format!("tmp/{key}-0a1b2c3d.out/x"),
                    format!("tmp/{key}-0a1b2c3d/scratch/x"),
                    format!("locks/{key}.lock"),
                ] {
                    let path = self.bench.store().layout().store().join(name);
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, "litter").unwrap();
                }
            }
            Change::Add(..) | Change::Remove | Change::Nothing => {}
        }
        self.write();
    }

    fn spoil(&self, file: Option<PathBuf>, text: Option<&str>) {
        let Some(file) = file else { return };
        match text {
            Some(text) => {
                // A name of its own first: the file may be the blob itself.
                std::fs::remove_file(&file).unwrap();
                std::fs::write(&file, text).unwrap();
            }
            None => std::fs::remove_file(&file).unwrap(),
        }
    }

    fn lose_blob(&mut self, at: usize, text: Option<&str>) {
        let Some(blob) = self.one(".kilter/store-v1/objects", at) else { return };
        let lost = std::fs::read_to_string(&blob).unwrap();
        self.known.retain(|_, text| *text != lost);
        self.spoil(Some(blob), text);
    }

    /// Which key an entry belongs to the model does not know: every result of these texts may be lost.
    fn lose_entry(&mut self, at: usize, text: Option<&str>) {
        let Some(entry) = self.one(".kilter/store-v1/index", at) else { return };
        let record = std::fs::read_to_string(&entry).unwrap();
        let lost: Vec<String> = (self.known.iter())
            .filter(|(_, text)| record.contains(&Digest::of(text.as_bytes()).to_string()))
            .map(|(key, _)| key.clone())
            .collect();
        lost.iter().for_each(|key| drop(self.known.remove(key)));
        self.spoil(Some(entry), text);
    }

    fn run_once(&self, jobs: usize, cancel: &Cancel, watch: &(dyn Fn(&Event) + Sync)) -> Ran {
        let stages = if self.world.version == 2 { kinds::STAGES_2 } else { kinds::STAGES };
        // The kinds' code is a part of the program, whose file does not change here: only version 1 may leave a standing.
        let keep = (self.world.version == 1).then(Vec::new);
        let options = RunOptions { jobs, keep, ..self.bench.options.clone() };
        self.bench.run_kinds(stages, &options, cancel, watch)
    }

    /// What the standing says: whether there is nothing to do.
    fn stands(&self) -> bool {
        let manifest = self.bench.root().canonicalize().unwrap().join("p.toml");
        let store = self.bench.store();
        let standing = store.standing(&manifest, &[], true);
        standing.is_some_and(|standing| standing.all_held().is_some())
    }

    fn run(&mut self, way: &Way) -> Result<(), TestCaseError> {
        let expected = self.world.results();
        let before = self.bench.trace().len();
        let stands = self.world.version == 1 && self.stands();
        let cancel = Cancel::new();
        let rans = match way {
            Way::Jobs(jobs) => vec![self.run_once(*jobs, &cancel, &|_| {})],
            Way::Twice(jobs) => std::thread::scope(|scope| {
                let other = scope.spawn(|| self.run_once(*jobs, &cancel, &|_| {}));
                let one = self.run_once(*jobs, &cancel, &|_| {});
                vec![one, other.join().unwrap()]
            }),
            Way::Interrupted(after) => {
                let done = Mutex::new(0);
                vec![self.run_once(2, &cancel, &|event| {
                    if matches!(event, Event::StageDone { .. }) {
                        let mut done = done.lock().unwrap();
                        *done += 1;
                        if *done > *after {
                            cancel.set();
                        }
                    }
                })]
            }
        };
        let started: Vec<String> = self.bench.trace().split_off(before);
        let started = started.iter().filter_map(|line| line.strip_prefix("start s")?.parse().ok());
        let started: Vec<usize> = started.collect();
        prop_assert!(!stands || started.is_empty(), "the standing said that there was nothing to do: {:?}", started);
        let mut fresh: BTreeMap<&str, usize> = BTreeMap::new();
        for stage in started {
            let key = expected[stage].1.as_str();
            prop_assert!(!self.known.contains_key(key), "s{} ran although its result was there", stage);
            *fresh.entry(key).or_default() += 1;
        }
        prop_assert!(fresh.values().all(|times| *times == 1), "a result was made twice: {:?}", fresh);
        let ended = rans.iter().flat_map(|ran| &ran.events).filter_map(|event| match event {
            Event::StageDone { stage, .. } => stage.strip_prefix('s')?.parse::<usize>().ok(),
            _ => None,
        });
        for stage in ended {
            let (text, key) = &expected[stage];
            self.known.insert(key.clone(), text.clone());
        }
        if !cancel.is_set() {
            for ran in &rans {
                prop_assert_eq!(ran.summary.failed + ran.summary.skipped, 0, "{:#?}", &ran.events);
            }
            self.outputs_are(&expected)?;
        }
        Ok(())
    }

    fn outputs_are(&self, expected: &[(String, String)]) -> Result<(), TestCaseError> {
        for (stage, (text, _)) in expected.iter().enumerate() {
            prop_assert_eq!(&self.bench.read(&format!("out/p/s{stage}/text.txt")), text);
        }
        Ok(())
    }

    /// Nothing is left to do or lying about, and a clean workspace gives the same.
    fn end(&mut self) -> Result<(), TestCaseError> {
        self.run(&Way::Jobs(2))?;
        let starts = self.bench.starts();
        self.run(&Way::Jobs(1))?;
        prop_assert_eq!(self.bench.starts(), starts, "nothing is left to do");
        prop_assert!(self.files(".kilter/store-v1/tmp").is_empty() && self.files(".kilter/store-v1/locks").is_empty());
        let mut clean = History::new(self.world.clone());
        clean.run(&Way::Jobs(1))?;
        clean.outputs_are(&self.world.results())
    }
}

#[test]
fn any_history_gives_what_a_clean_run_gives_and_nothing_runs_in_vain() {
    let histories = crate::env::var("KILTER_HISTORIES").and_then(|text| text.parse().ok()).unwrap_or(32);
    let config = ProptestConfig { cases: histories, failure_persistence: None, ..ProptestConfig::default() };
    let histories = (world(), prop::collection::vec((change(), way()), 1..7));
    let ended = TestRunner::new(config).run(&histories, |(world, steps)| {
        let mut history = History::new(world);
        history.run(&Way::Jobs(2))?;
        for (change, way) in &steps {
            history.change(change);
            history.run(way)?;
        }
        history.end()
    });
    if let Err(error) = ended {
        panic!("{error}");
    }
}
