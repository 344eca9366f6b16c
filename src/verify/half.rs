//! One of the two runs of `--twice`, in a process of its own: thread pools belong to a process and are made once. It is told
//! what to run by a file, and answers in lines of JSON on its standard output.

use super::given::{Held, ancestors, given, of_result};
use super::scratch::store_at;
use crate::check::Checked;
use crate::digest::Digest;
use crate::env::Cancel;
use crate::event::{Event, Failure};
use crate::exec::{Again, NotRun, RunOptions};
use crate::plan::Dag;
use crate::stage::StageResult;
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What a half is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HalfRequest {
    /// The stages to run, in topological order.
    pub stages: Vec<String>,
    /// Results that are given, by stage.
    pub given: BTreeMap<String, Half>,
    /// Where its results go.
    pub scratch: PathBuf,
    /// Use its own results as inputs of later stages; otherwise everything is given.
    pub chain: bool,
    /// Confine it to one core.
    pub one_core: bool,
}

/// A result, its key, and the folder of the store that has its blobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Half {
    /// The key.
    pub key: Digest,
    /// The result.
    pub result: StageResult,
    /// The store's folder.
    pub store: PathBuf,
}

/// What a half says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A stage begins.
    Started(String),
    /// Something that the engine tells.
    Told(Event),
    /// A stage has a result.
    Done {
        /// The stage.
        stage: String,
        /// What it gave.
        half: Box<Half>,
    },
    /// A stage has none, because it failed.
    Failed {
        /// The stage.
        stage: String,
        /// Why.
        failure: Box<Failure>,
        /// The run was interrupted.
        interrupted: bool,
        /// The store is to blame.
        store: bool,
        /// kilter is to blame.
        bug: bool,
    },
    /// A stage has none, because a stage that it uses has none.
    Skipped {
        /// The stage.
        stage: String,
        /// The one that it uses.
        uses: String,
    },
}

/// Does what is asked; says it line by line.
pub fn run_half(
    request: &HalfRequest,
    checked: &Checked,
    store: &Store,
    options: &RunOptions,
    cancel: &Cancel,
    say: &(dyn Fn(Line) + Sync),
) {
    let scratch = store_at(store, &request.scratch);
    let stores: BTreeMap<&PathBuf, Store> =
        request.given.values().map(|half| (&half.store, store_at(store, &half.store))).collect();
    let events = |event| say(Line::Told(event));
    let again = Again::new(&scratch, options, cancel, &events);
    let dag = Dag::new(checked);
    let mut held: BTreeMap<usize, (Digest, Held<'_>)> = BTreeMap::new();
    for (name, half) in &request.given {
        if let (Some(index), Some(store)) = (checked.find(name), stores.get(&half.store)) {
            held.insert(index, (half.key, Held { result: Arc::new(half.result.clone()), store }));
        }
    }
    for name in &request.stages {
        let Some(index) = checked.find(name) else { continue };
        say(Line::Started(name.clone()));
        let stage = name.clone();
        let known = |name: &str| {
            checked.find(name).and_then(|at| held.get(&at)).map(|(key, held)| of_result(*key, &held.result))
        };
        let before = ancestors(checked, &dag, index, &known);
        let given = match given(checked, index, &|used| held.get(&used).map(|(_, held)| held.clone()), before) {
            Ok(given) => given,
            Err(uses) => {
                say(Line::Skipped { stage, uses });
                continue;
            }
        };
        let made =
            again.key(checked, index, &given).and_then(|key| Ok((key.digest, again.run(checked, index, key, given)?)));
        match made {
            Ok((key, result)) => {
                let half = Half { key, result: (*result).clone(), store: request.scratch.clone() };
                say(Line::Done { stage, half: Box::new(half) });
                if request.chain {
                    held.insert(index, (key, Held { result, store: &scratch }));
                }
            }
            Err(NotRun { failure, interrupted, store, bug }) => {
                say(Line::Failed { stage, failure: Box::new(failure), interrupted, store, bug });
            }
        }
        if cancel.is_set() {
            return;
        }
    }
}
