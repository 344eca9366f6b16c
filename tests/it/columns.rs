//! Column-level dependencies, as a property: random tables, random stages over them, random edits. A stage reruns exactly
//! if something that it reads changed, and what comes of it is what a clean workspace gives.

use kilter::check::check;
use kilter::env::Cancel;
use kilter::event::Event;
use kilter::exec::{RunOptions, run};
use kilter::manifest::{LoadOptions, load};
use kilter::plan::{StoreResults, outline};
use kilter::registry;
use kilter::store::{Store, Workspace};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// A table of whole numbers (`n_…`, `y`, `e…`) and words (`k`, `z`, …), column by column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table(Vec<(String, Vec<String>)>);

impl Table {
    fn rows(&self) -> usize {
        self.0[0].1.len()
    }

    pub(crate) fn csv(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        let mut out = format!("{}\n", names.join(","));
        for row in 0..self.rows() {
            let cells: Vec<&str> = self.0.iter().map(|(_, cells)| cells[row].as_str()).collect();
            out.push_str(&format!("{}\n", cells.join(",")));
        }
        out
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// These columns, by name.
    fn named(&self, names: &[&str]) -> Vec<(String, Vec<String>)> {
        let mut found: Vec<_> = self.0.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect();
        found.sort();
        found
    }

    /// These columns, in the table's order.
    fn among(&self, names: &[&str]) -> Vec<(String, Vec<String>)> {
        self.0.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect()
    }

    /// The columns whose names begin so, in the table's order.
    fn prefixed(&self, prefix: &str) -> Vec<(String, Vec<String>)> {
        self.0.iter().filter(|(name, _)| name.starts_with(prefix)).cloned().collect()
    }
}

/// What a stage reads, by what the test knows of it: compared from run to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Read(usize, Vec<(String, Vec<String>)>, Vec<(String, Vec<String>)>);

impl Read {
    /// These columns, in whatever order, and how many rows there are.
    pub(crate) fn of(table: &Table, names: &[&str]) -> Self {
        Self(table.rows(), table.named(names), Vec::new())
    }
}

/// What a stage reads of a table.
type Reads = fn(&Table) -> Read;

fn read(table: &Table, by_name: &[&str], in_order: Vec<(String, Vec<String>)>) -> Read {
    Read(table.rows(), table.named(by_name), in_order)
}

/// A stage, the columns that must stay, and what it reads.
const STAGES: &[(&str, &[&str], Reads)] = &[
    (
        "kind = \"sql\"\ninputs = { t = \"t\" }\nquery = \"SELECT y, n_1 FROM t WHERE k = 'a'\"",
        &["y", "n_1", "k"],
        |t| read(t, &["y", "n_1", "k"], vec![]),
    ),
    (
        "kind = \"sql\"\ninputs = { t = \"t\" }\nquery = \"SELECT k, sum(y) AS s, avg(n_1) AS m FROM t GROUP BY k\"",
        &["y", "n_1", "k"],
        |t| read(t, &["y", "n_1", "k"], vec![]),
    ),
    ("kind = \"sql\"\ninputs = { t = \"t\" }\nquery = \"SELECT count(*) AS n FROM t\"", &[], |t| read(t, &[], vec![])),
    ("kind = \"sql\"\ninputs = { t = \"t\" }\nquery = \"SELECT * FROM t\"", &[], |t| read(t, &[], t.0.clone())),
    (
        "kind = \"sql\"\ninputs = { t = \"t\" }\nquery = \"SELECT y FROM (SELECT * FROM t WHERE n_1 > 20) AS s\"",
        &["y", "n_1"],
        |t| read(t, &["y", "n_1"], vec![]),
    ),
    (
        "kind = \"sql\"\ninputs = { t = \"t\", u = \"u\" }\nquery = \"SELECT t.y, u.w FROM t JOIN u ON t.k = u.k\"",
        &["y", "k"],
        |t| read(t, &["y", "k"], vec![]),
    ),
    ("kind = \"sql\"\ninputs = { t = \"t\" }\nquery = \"SELECT * EXCLUDE (z) FROM t\"", &["z"], |t| {
        read(t, &[], t.0.iter().filter(|(name, _)| name != "z").cloned().collect())
    }),
    (
        "kind = \"sql\"\ninputs = { t = \"t\" }\nquery = \"SELECT y FROM (SELECT y, n_1 FROM t) AS s\"",
        &["y", "n_1"],
        |t| read(t, &["y"], vec![]),
    ),
    (
        "kind = \"sql\"\ninputs = { t = \"t\" }\nquery = \"SELECT count(*) AS n FROM (SELECT y, k FROM t) AS s\"",
        &["y", "k"],
        |t| read(t, &[], vec![]),
    ),
    (
        "kind = \"sql\"\ninputs = { t = \"t\" }\nquery = \"SELECT y FROM (SELECT y, k FROM t UNION ALL SELECT y, k FROM t WHERE n_1 > 20) AS s\"",
        &["y", "k", "n_1"],
        |t| read(t, &["y", "n_1"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ derive = { s = \"n_1 + y\" } }, { rename = { z = \"zed\" } }, { select = [\"k\"] }]",
        &["y", "n_1", "k", "z"],
        |t| read(t, &["k"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ filter = \"y > 10\" }, { derive = { s = \"n_1 + y\" } }, { select = [\"s\", \"k\"] }]",
        &["y", "n_1", "k"],
        |t| read(t, &["y", "n_1", "k"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ sort = { by = \"y\" } }, { select = [\"n_*\"] }]",
        &["y", "n_1"],
        |t| read(t, &["y"], t.prefixed("n_")),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ cast = { \"*\" = \"str\" } }, { drop = [\"z\"] }]",
        &["z", "n_1"],
        |t| {
            let kept = t.0.iter().filter(|(name, _)| name != "z");
            read(t, &[], kept.cloned().collect())
        },
    ),
    ("kind = \"table\"\nfrom = \"t\"\nsteps = [{ dedupe = {} }, { select = \"y\" }]", &["y"], |t| {
        let mut all = t.0.clone();
        all.sort();
        read(t, &[], all)
    }),
    ("kind = \"table\"\nfrom = \"t\"\nsteps = [{ rename = { y = \"why\" } }]", &["y"], |t| read(t, &[], t.0.clone())),
    ("kind = \"split\"\nfrom = \"t\"\nparts = { train = 0.5, test = 0.5 }", &[], |t| read(t, &[], t.0.clone())),
    (
        "kind = \"encode\"\nfit = \"t\"\nfeatures.y = { numeric = \"y\", scale = \"none\" }\nfeatures.n = { numeric = [\"n_1\"], scale = \"none\" }\ntarget.k = \"category\"",
        &["y", "n_1", "k"],
        |t| read(t, &["y", "n_1", "k"], vec![]),
    ),
    (
        "kind = \"encode\"\nfit = \"t\"\nfeatures.n = { numeric = [\"n_*\"], scale = \"none\" }\ntarget.k = \"category\"",
        &["n_1", "k"],
        |t| read(t, &["k"], t.prefixed("n_")),
    ),
    ("kind = \"profile\"\nfrom = \"t\"\ncolumns = [\"y\", \"k\"]", &["y", "k"], |t| read(t, &[], t.among(&["y", "k"]))),
    ("kind = \"profile\"\nfrom = \"t\"\ncolumns = [\"n_*\"]\ntarget = \"k\"", &["n_1", "k"], |t| {
        read(t, &[], t.0.iter().filter(|(name, _)| name == "k" || name.starts_with("n_")).cloned().collect())
    }),
    (
        "kind = \"expect\"\nfrom = \"v\"\nreference = \"t\"\nchecks.d = { drift = { columns = [\"k\", \"y\"], psi = 0.1 }, severity = \"warn\" }\n[stage.v]\nkind = \"sql\"\ninputs = { u = \"u\" }\nquery = \"SELECT k, w AS y FROM u\"",
        &["y", "k"],
        |t| read(t, &["y", "k"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ join = { with = \"u\", on = \"k\" } }, { select = [\"y\", \"w\"] }]",
        &["y", "k"],
        |t| read(t, &["y", "k"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"u\"\nsteps = [{ join = { with = \"t\", on = \"k\", how = \"left\" } }, { select = [\"w\", \"y\"] }]",
        &["y", "k"],
        |t| read(t, &["y", "k"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"u\"\nsteps = [{ join = { with = \"t\", left_on = \"w\", right_on = \"y\", how = \"asof\" } }, { select = [\"w\", \"n_1\"] }]",
        &["y", "n_1"],
        |t| read(t, &["y", "n_1"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"u\"\nsteps = [{ select = [\"k\", \"w\"] }, { concat = { with = [\"t\"], how = \"diagonal\" } }, { select = [\"k\", \"y\"] }]",
        &["y", "k"],
        |t| read(t, &["y", "k"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ group = { by = \"k\", agg = { s = \"sum(y)\", n = \"count(*)\", m = \"avg(n_1)\" } } }]",
        &["y", "k", "n_1"],
        |t| read(t, &["y", "k", "n_1"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ window = { by = \"k\", order = \"y\", columns = { r = \"row_number()\", s = \"sum(n_1)\" } } }, { select = [\"r\", \"s\"] }]",
        &["y", "k", "n_1"],
        |t| read(t, &["y", "k", "n_1"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ window = { order = \"y\", rows = { from = -2, to = 0 }, columns = { m = \"avg(n_1)\" } } }, { select = [\"m\"] }]",
        &["y", "n_1"],
        |t| read(t, &["y", "n_1"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ pivot = { on = \"k\", columns = [\"a\", \"b\", \"c\"], by = \"y\", value = \"n_1\", agg = \"max\" } }]",
        &["y", "k", "n_1"],
        |t| read(t, &["y", "k", "n_1"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ unpivot = { on = [\"n_1\", \"y\"], index = \"k\" } }]",
        &["y", "k", "n_1"],
        |t| read(t, &["y", "k", "n_1"], vec![]),
    ),
    (
        "kind = \"table\"\nfrom = \"t\"\nsteps = [{ derive = { p = \"string_to_array(k, 'b')\" } }, { explode = \"p\" }, { select = [\"p\", \"y\"] }]",
        &["y", "k"],
        |t| read(t, &["y", "k"], vec![]),
    ),
    ("kind = \"table\"\nfrom = \"t\"\nsteps = [{ sample = { rows = 3 } }, { select = \"y\" }]", &["y"], |t| {
        read(t, &["y"], vec![])
    }),
];

/// One edit of the table.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Cell { column: usize, row: usize, value: u8 },
    Add { name: usize, place: usize, value: u8 },
    Remove { column: usize },
    Shuffle { seed: usize },
    AppendRow,
    RemoveRow { row: usize },
    SwapRows,
    Nothing,
}

pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let one = prop_oneof![
        4 => (any::<usize>(), any::<usize>(), 0_u8..40).prop_map(|(column, row, value)| Edit::Cell { column, row, value }),
        3 => (any::<usize>(), any::<usize>(), 0_u8..40).prop_map(|(name, place, value)| Edit::Add { name, place, value }),
        2 => any::<usize>().prop_map(|column| Edit::Remove { column }),
        2 => any::<usize>().prop_map(|seed| Edit::Shuffle { seed }),
        1 => Just(Edit::AppendRow),
        1 => any::<usize>().prop_map(|row| Edit::RemoveRow { row }),
        1 => Just(Edit::SwapRows),
        1 => Just(Edit::Nothing),
    ];
    prop::collection::vec(one, 1..7)
}

fn is_words(name: &str) -> bool {
    matches!(name, "k" | "z" | "a_word")
}

fn cell(name: &str, value: u8) -> String {
    if is_words(name) { ["a", "b", "c"][usize::from(value) % 3].to_owned() } else { value.to_string() }
}

const NEW: [&str; 6] = ["n_0", "n_9", "e_1", "extra", "a_word", "zz"];

impl Edit {
    pub(crate) fn apply(&self, table: &mut Table, must_stay: &[&str]) {
        let (columns, rows) = (table.0.len(), table.rows());
        match self {
            Self::Cell { column, row, value } => {
                let (name, cells) = &mut table.0[column % columns];
                cells[row % rows] = cell(name, *value);
            }
            Self::Add { name, place, value } => {
                let name = NEW[name % NEW.len()];
                if !table.has(name) {
                    let cells = (0..rows).map(|row| cell(name, *value + row as u8)).collect();
                    table.0.insert(place % (columns + 1), (name.to_owned(), cells));
                }
            }
            Self::Remove { column } => {
                if columns > 2 && !must_stay.contains(&table.0[column % columns].0.as_str()) {
                    table.0.remove(column % columns);
                }
            }
            Self::Shuffle { seed } => {
                let (a, b) = (seed % columns, (seed / columns) % columns);
                table.0.swap(a, b);
            }
            Self::AppendRow => table.0.iter_mut().for_each(|(name, cells)| cells.push(cell(name, 17))),
            Self::RemoveRow { row } if rows > 4 => table.0.iter_mut().for_each(|(_, cells)| {
                cells.remove(row % rows);
            }),
            Self::SwapRows => table.0.iter_mut().for_each(|(_, cells)| cells.swap(0, 1)),
            Self::RemoveRow { .. } | Self::Nothing => {}
        }
    }
}

/// A workspace with a table `t`, a fixed table `u`, and a stage `q`.
pub(crate) struct Bench(tempfile::TempDir);

/// What a run of `q` gave.
pub(crate) struct Ran {
    pub(crate) cached: bool,
    /// The digests of its outputs.
    pub(crate) outputs: BTreeMap<String, String>,
}

impl Bench {
    pub(crate) fn new(stage: &str) -> Self {
        let bench = Self(tempfile::tempdir().expect("a folder"));
        bench.write("kilter.toml", "");
        bench.write("u.csv", "k,w,other\na,1,5\nb,2,6\na,3,7\n");
        let source = |name: &str| {
            format!(
                "[stage.{name}_file]\nkind = \"fetch\"\npath = \"{name}.csv\"\n[stage.{name}]\nkind = \"read\"\nfrom = \"{name}_file\"\n"
            )
        };
        let head = "[pipeline]\nname = \"p\"\nedition = \"2026\"\nseed = 7\n";
        bench.write("p.toml", &format!("{head}{}{}[stage.q]\n{stage}\n", source("t"), source("u")));
        bench
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("written");
    }

    pub(crate) fn run(&self, table: &Table) -> Ran {
        self.write("t.csv", &table.csv());
        let root = self.0.path().canonicalize().expect("a folder");
        let store = Store::open(&Workspace::at(&root).expect("a workspace"));
        let path = root.join("p.toml");
        let options = LoadOptions { path: &path, workspace: &root, set: &[] };
        let checked = check(load(&options), registry::STAGES, &mut StoreResults::new(&store), &root);
        assert!(!checked.diagnostics.has_errors(), "{:#?}\n{}", checked.diagnostics, table.csv());
        let events = Mutex::new(Vec::new());
        let options = RunOptions { jobs: 2, ..RunOptions::default() };
        let note = |event: Event| events.lock().expect("no panic").push(event);
        run(&checked, &store, &options, &Cancel::new(), &note).expect("it runs");
        let events = events.into_inner().expect("no panic");
        let cached = events.iter().find_map(|event| match event {
            Event::StageDone { stage, cached, .. } if stage == "q" => Some(*cached),
            _ => None,
        });
        let checked = check(
            load(&LoadOptions { path: &path, workspace: &root, set: &[] }),
            registry::STAGES,
            &mut StoreResults::new(&store),
            &root,
        );
        let plan = outline(&checked, &store, &Default::default()).expect("a plan");
        let result = plan.get(checked.find("q").expect("q")).and_then(|planned| planned.cached().cloned());
        let result = result.unwrap_or_else(|| panic!("q has a result: {events:#?}"));
        let outputs = result.outputs.iter().map(|(port, made)| (port.clone(), made.digest.to_string()));
        Ran { cached: cached.unwrap_or_else(|| panic!("q is done: {events:#?}")), outputs: outputs.collect() }
    }
}

pub(crate) fn first_table(cells: &[u8], order: &[usize]) -> Table {
    let names = ["k", "n_1", "n_2", "y", "z"];
    let rows = cells.len() / names.len();
    let column = |at: &usize| {
        let name = names[*at];
        let mut cells: Vec<String> = (0..rows).map(|row| cell(name, cells[row * names.len() + at])).collect();
        if name == "k" {
            // Classes that are always there.
            cells.extend(["a".to_owned(), "b".to_owned()]);
        } else {
            cells.extend([cell(name, 1), cell(name, 30)]);
        }
        (name.to_owned(), cells)
    };
    Table(order.iter().map(column).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stage_reruns_exactly_if_something_that_it_reads_changed(
        cells in prop::collection::vec(0_u8..40, 20..40), order in Just(vec![0_usize, 1, 2, 3, 4]).prop_shuffle(),
        stage in 0..STAGES.len(), edits in edits(),
    ) {
        let (text, must_stay, reads) = STAGES[stage];
        let mut table = first_table(&cells, &order);
        let bench = Bench::new(text);
        let mut seen = BTreeSet::from([reads(&table)]);
        let first = bench.run(&table);
        prop_assert!(!first.cached, "nothing is cached at first");
        for edit in &edits {
            edit.apply(&mut table, must_stay);
            let ran = bench.run(&table);
            let new = seen.insert(reads(&table));
            prop_assert_eq!(!ran.cached, new, "reruns if and only if what is read is new; after {:?}\n{}\n{}", edit, text, table.csv());
            let clean = Bench::new(text).run(&table);
            prop_assert!(!clean.cached);
            prop_assert_eq!(&ran.outputs, &clean.outputs, "as in a clean workspace; after {:?}\n{}\n{}", edit, text, table.csv());
        }
    }
}

/// Every stage once, by edits that are the same for all: of what it does not read, of the columns' order, of what it reads.
/// Changes the column at a place.
type Change = fn(&mut Table, usize);

#[test]
fn every_stage_reruns_for_what_it_reads_alone() {
    let cells: Vec<u8> = (0..30).map(|cell| cell * 7 % 40).collect();
    let mut wrong = Vec::new();
    for (text, _, reads) in STAGES {
        let mut table = first_table(&cells, &[0, 1, 2, 3, 4]);
        let bench = Bench::new(text);
        let mut seen = BTreeSet::from([reads(&table)]);
        assert!(!bench.run(&table).cached);
        let place = |table: &Table, name: &str| table.0.iter().position(|(known, _)| known == name);
        let edits: [(&str, Change); 6] = [
            ("z", |table, at| table.0[at].1[0] = "c".to_owned()),
            ("n_2", |table, at| table.0[at].1[1] = "39".to_owned()),
            ("z", |table, at| table.0.swap(0, at)),
            ("y", |table, at| table.0.swap(1, at)),
            ("n_2", |table, at| drop(table.0.remove(at))),
            ("y", |table, at| table.0[at].1[2] = "38".to_owned()),
        ];
        for (edit, (name, change)) in edits.iter().enumerate() {
            let before = table.clone();
            let Some(at) = place(&table, name) else { continue };
            change(&mut table, at);
            let new = seen.insert(reads(&table));
            let ran = bench.run(&table);
            if ran.cached == new {
                wrong
                    .push(format!("edit {edit} of `{name}`: {} {text}", if new { "does not rerun" } else { "reruns" }));
            }
            assert_ne!(before, table);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `KILTER_CASES=1000` looks longer.
#[expect(clippy::disallowed_methods, reason = "a test has no settings to read it from")]
pub(crate) fn cases() -> u32 {
    std::env::var("KILTER_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}
