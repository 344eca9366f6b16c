//! Column-level dependencies through tables that are not kept, as a property: random chains of them, random edits of the table
//! behind. What uses the last reruns exactly if something changed that it reads through all of them, and what comes of it is
//! what a clean workspace gives.

use crate::columns::{Bench, Edit, Read, Table, cases, edits, first_table};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Which columns of a table are used.
#[derive(Clone, Debug, Default, PartialEq)]
struct Used {
    names: BTreeSet<&'static str>,
    /// All there are but these.
    all_but: Option<BTreeSet<&'static str>>,
    /// Those whose names begin with `n_`.
    numbered: bool,
}

impl Used {
    /// Of a table all columns are used before it is narrowed: after it those that are left.
    fn narrowed(&mut self, to: Gives) {
        match to {
            Gives::Whole => {}
            Gives::Without(name) => self.all_but.iter_mut().for_each(|but| {
                but.insert(name);
            }),
            Gives::Numbered(names) => {
                let all = self.all_but.take().is_some();
                self.numbered |= all;
                self.names.extend(names.iter().filter(|_| all));
            }
            Gives::These(names) => {
                let (all, numbered) = (self.all_but.take().is_some(), std::mem::take(&mut self.numbered));
                self.names.extend(names.iter().filter(|name| all || (numbered && name.starts_with("n_"))));
            }
        }
    }

    fn of(&self, table: &Table) -> Read {
        let is_used = |name: &&str| {
            let among_all = self.all_but.as_ref().is_some_and(|but| !but.contains(*name));
            among_all || (self.numbered && name.starts_with("n_")) || self.names.contains(*name)
        };
        Read::of(table, &table.names().into_iter().filter(is_used).collect::<Vec<_>>())
    }
}

/// Which columns of the table that it is made of a view still has.
#[derive(Clone, Copy)]
enum Gives {
    Whole,
    Without(&'static str),
    These(&'static [&'static str]),
    /// These and all whose names begin with `n_`.
    Numbered(&'static [&'static str]),
}

/// What is used of the table behind for what is used of a view, by what the test knows of it.
type Through = fn(&mut BTreeSet<&'static str>);

/// A table that is not kept.
struct View {
    /// Its stage, over the table `FROM`.
    text: &'static str,
    /// The columns that it names, and one that must not be there.
    needs: &'static [&'static str],
    lacks: &'static str,
    gives: Gives,
    adds: &'static [&'static str],
    /// Every column decides which rows there are.
    reads_all: bool,
    through: Through,
}

const VIEW: View =
    View { text: "", needs: &[], lacks: "none", gives: Gives::Whole, adds: &[], reads_all: false, through: |_| {} };

/// In the place of a column that is made those that it is made of.
fn made_of(used: &mut BTreeSet<&'static str>, column: &str, others: &[&'static str]) {
    if used.remove(column) {
        used.extend(others);
    }
}

const VIEWS: &[View] = &[
    View {
        text: "kind = \"table\"\nfrom = \"FROM\"\nsteps = [{ filter = \"y > 10\" }]",
        needs: &["y"],
        through: |used| used.extend(["y"]),
        ..VIEW
    },
    View {
        text: "kind = \"table\"\nfrom = \"FROM\"\nsteps = [{ derive = { s = \"n_1 + y\" } }]",
        needs: &["n_1", "y"],
        adds: &["s"],
        through: |used| made_of(used, "s", &["n_1", "y"]),
        ..VIEW
    },
    View {
        text: "kind = \"sql\"\ninputs = { f = \"FROM\" }\nquery = \"SELECT k, y, n_1, n_2 FROM f\"",
        needs: &["k", "y", "n_1", "n_2"],
        gives: Gives::These(&["k", "y", "n_1", "n_2"]),
        ..VIEW
    },
    View {
        text: "kind = \"sql\"\ninputs = { f = \"FROM\" }\nquery = \"SELECT * FROM f ORDER BY y\"",
        needs: &["y"],
        through: |used| used.extend(["y"]),
        ..VIEW
    },
    View {
        text: "kind = \"table\"\nfrom = \"FROM\"\nsteps = [{ drop = [\"z\"] }]",
        needs: &["z"],
        gives: Gives::Without("z"),
        ..VIEW
    },
    View {
        text: "kind = \"table\"\nfrom = \"FROM\"\nsteps = [{ rename = { n_2 = \"renamed\" } }, { derive = { n_2 = \"renamed * 2\" } }]",
        needs: &["n_2"],
        lacks: "renamed",
        adds: &["renamed"],
        through: |used| made_of(used, "renamed", &["n_2"]),
        ..VIEW
    },
    View {
        text: "kind = \"table\"\nfrom = \"FROM\"\nsteps = [{ join = { with = \"u\", on = \"k\" } }]",
        needs: &["k"],
        lacks: "w",
        adds: &["w"],
        through: |used| {
            made_of(used, "w", &[]);
            used.extend(["k"]);
        },
        ..VIEW
    },
    View {
        text: "kind = \"sql\"\ninputs = { f = \"FROM\" }\nquery = \"SELECT k, sum(y) AS y, max(n_1) AS n_1 FROM f GROUP BY k\"",
        needs: &["k", "y", "n_1"],
        gives: Gives::These(&["k", "y", "n_1"]),
        through: |used| used.extend(["k"]),
        ..VIEW
    },
    View { text: "kind = \"table\"\nfrom = \"FROM\"\nsteps = [{ dedupe = {} }]", reads_all: true, ..VIEW },
    View {
        text: "kind = \"table\"\nfrom = \"FROM\"\nsteps = [{ window = { by = \"k\", order = \"y\", columns = { r = \"row_number()\" } } }]",
        needs: &["k", "y"],
        lacks: "r",
        adds: &["r"],
        through: |used| made_of(used, "r", &["k", "y"]),
        ..VIEW
    },
    View { text: "kind = \"table\"\nfrom = \"FROM\"\nsteps = [{ sample = { rows = 3 } }]", ..VIEW },
    View {
        text: "kind = \"table\"\nfrom = \"FROM\"\nsteps = [{ concat = { with = [\"u\"], how = \"diagonal\" } }]",
        needs: &["k"],
        lacks: "w",
        adds: &["w"],
        through: |used| made_of(used, "w", &[]),
        ..VIEW
    },
    View {
        text: "kind = \"table\"\nfrom = \"FROM\"\nsteps = [{ select = [\"n_*\", \"k\", \"y\"] }]",
        needs: &["k", "y"],
        gives: Gives::Numbered(&["k", "y"]),
        ..VIEW
    },
    View { text: "kind = \"sql\"\ninputs = { f = \"FROM\" }\nquery = \"SELECT * FROM f LIMIT 5\"", ..VIEW },
    View {
        text: "kind = \"sql\"\ninputs = { f = \"FROM\" }\nquery = \"SELECT a.k, a.y, b.n_1 FROM f AS a JOIN f AS b ON a.k = b.k WHERE b.y > 20\"",
        needs: &["k", "y", "n_1"],
        gives: Gives::These(&["k", "y", "n_1"]),
        through: |used| used.extend(["k", "y"]),
        ..VIEW
    },
];

/// What uses the last view, which is `v`, with the columns that it reads of it.
const USERS: &[(&str, &[&str])] = &[
    ("kind = \"sql\"\ninputs = { v = \"v\" }\nquery = \"SELECT y FROM v\"", &["y"]),
    ("kind = \"sql\"\ninputs = { v = \"v\" }\nquery = \"SELECT count(*) AS n FROM v\"", &[]),
    ("kind = \"sql\"\ninputs = { v = \"v\" }\nquery = \"SELECT k, sum(n_1) AS s FROM v GROUP BY k\"", &["k", "n_1"]),
    ("kind = \"sql\"\ninputs = { v = \"v\" }\nquery = \"SELECT k, n_1 FROM v WHERE y > 15\"", &["k", "n_1", "y"]),
    ("kind = \"table\"\nfrom = \"v\"\nsteps = [{ filter = \"n_1 > 20\" }, { select = \"k\" }]", &["k", "n_1"]),
    ("kind = \"sql\"\ninputs = { v = \"v\" }\nquery = \"SELECT k, s FROM v\"", &["k", "s"]),
    ("kind = \"sql\"\ninputs = { v = \"v\" }\nquery = \"SELECT r, y FROM v\"", &["r", "y"]),
    ("kind = \"sql\"\ninputs = { v = \"v\" }\nquery = \"SELECT w FROM v\"", &["w"]),
    (
        "kind = \"sql\"\ninputs = { v = \"v\" }\nquery = \"SELECT a.y, b.n_1 FROM v AS a JOIN v AS b ON a.k = b.k\"",
        &["y", "n_1", "k"],
    ),
    ("kind = \"profile\"\nfrom = \"v\"\ncolumns = [\"y\"]", &["y"]),
    (
        "kind = \"expect\"\nfrom = \"u\"\nreference = \"v\"\nchecks.d = { drift = { columns = [\"k\"], psi = 0.1 }, severity = \"warn\" }",
        &["k"],
    ),
];

/// A pipeline: a chain of views that fit on each other, and what uses the last.
struct Chain {
    text: String,
    used: Used,
}

const COLUMNS: [&str; 5] = ["k", "n_1", "n_2", "y", "z"];

impl Chain {
    /// Of these views those that fit, and the user, or the one that reads no column, where that does not fit.
    fn of(views: &[usize], user: usize) -> Self {
        let mut has: BTreeSet<&str> = COLUMNS.into();
        let fitting = views.iter().map(|view| &VIEWS[view % VIEWS.len()]).filter(|view| {
            let fits = view.needs.iter().all(|name| has.contains(name)) && !has.contains(view.lacks);
            if fits {
                has.retain(|name| match view.gives {
                    Gives::Whole => true,
                    Gives::Without(gone) => *name != gone,
                    Gives::These(names) => names.contains(name),
                    Gives::Numbered(names) => name.starts_with("n_") || names.contains(name),
                });
                has.extend(view.adds);
            }
            fits
        });
        let fitting: Vec<&View> = fitting.collect();
        let (user, reads) = USERS[user % USERS.len()];
        let (user, reads) = if reads.iter().all(|name| has.contains(name)) { (user, reads) } else { USERS[1] };
        let mut text = user.to_owned();
        let last = fitting.len();
        for (place, view) in fitting.iter().enumerate() {
            let name = if place + 1 == last { "v".to_owned() } else { format!("v{place}") };
            let from = if place == 0 { "t".to_owned() } else { format!("v{}", place - 1) };
            text.push_str(&format!(
                "\n[stage.{name}]\n{}\nkeep = false",
                view.text.replace("FROM\"", &format!("{from}\""))
            ));
        }
        if fitting.is_empty() {
            text.push_str("\n[stage.v]\nkind = \"table\"\nfrom = \"t\"\nsteps = []\nkeep = false");
        }
        Self { text, used: used(&fitting, reads) }
    }

    /// What the user reads of the table behind all views.
    fn read(&self, table: &Table) -> Read {
        self.used.of(table)
    }
}

fn used(views: &[&View], reads: &[&'static str]) -> Used {
    let mut used = Used { names: reads.iter().copied().collect(), ..Used::default() };
    for view in views.iter().rev() {
        used.narrowed(view.gives);
        (view.through)(&mut used.names);
        if view.reads_all {
            used.all_but = Some(BTreeSet::new());
        }
    }
    used
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_uses_tables_that_are_not_kept_reruns_exactly_if_something_that_it_reads_changed(
        cells in prop::collection::vec(0_u8..40, 20..40), order in Just(vec![0_usize, 1, 2, 3, 4]).prop_shuffle(),
        views in prop::collection::vec(any::<usize>(), 1..5), user in any::<usize>(), edits in edits(),
    ) {
        let chain = Chain::of(&views, user);
        let mut table = first_table(&cells, &order);
        let bench = Bench::new(&chain.text);
        let mut seen = BTreeSet::from([chain.read(&table)]);
        prop_assert!(!bench.run(&table).cached, "nothing is cached at first");
        for edit in &edits {
            edit.apply(&mut table, &COLUMNS);
            let ran = bench.run(&table);
            let new = seen.insert(chain.read(&table));
            let clean = Bench::new(&chain.text).run(&table);
            prop_assert_eq!(&ran.outputs, &clean.outputs, "as in a clean workspace; after {:?}\n{}\n{}", edit, &chain.text, table.csv());
            // What reads all columns may depend on their order.
            let reordered = matches!(edit, Edit::Shuffle { .. }) && chain.used.all_but.is_some();
            let exact = ran.cached != new || (reordered && !ran.cached);
            prop_assert!(exact, "reruns if and only if what is read is new; after {:?}\n{}\n{}", edit, &chain.text, table.csv());
        }
    }
}

/// Every view after another one, with one of the users, by edits that are the same for all.
#[test]
fn every_view_lets_through_what_is_read_and_nothing_else() {
    let cells: Vec<u8> = (0..30).map(|cell| cell * 7 % 40).collect();
    let edits = [
        Edit::Cell { column: 4, row: 0, value: 2 },
        Edit::Cell { column: 2, row: 1, value: 39 },
        Edit::Add { name: 1, place: 0, value: 5 },
        Edit::Shuffle { seed: 9 },
        Edit::Cell { column: 4, row: 2, value: 38 },
        Edit::AppendRow,
    ];
    let mut wrong = Vec::new();
    for view in 0..VIEWS.len() {
        let chain = Chain::of(&[view * 7 + 3, view], view * 5 + 4);
        let mut table = first_table(&cells, &[0, 1, 2, 3, 4]);
        let bench = Bench::new(&chain.text);
        let mut seen = BTreeSet::from([chain.read(&table)]);
        assert!(!bench.run(&table).cached);
        for edit in &edits {
            edit.apply(&mut table, &COLUMNS);
            let (new, ran) = (seen.insert(chain.read(&table)), bench.run(&table));
            if ran.cached == new {
                let what = if new { "does not rerun" } else { "reruns" };
                wrong.push(format!("{edit:?}: {what}\n{}", chain.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
