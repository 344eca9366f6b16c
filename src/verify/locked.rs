//! One run of each stage against the lock, with the locked results as inputs. Where the store does not have a locked result (a
//! fresh clone), the stage that makes it runs first, and its result serves once its digests have been found to be the locked
//! ones: what nobody vouches for is not built on.

use super::given::{Held, ancestors, given, of_record};
use super::judge::{Before, judge};
use super::scratch::{Scratch, store_at};
use super::select::with_missing;
use super::verdict::{StageVerdict, Verdict, Verification};
use super::{Tell, Told};
use crate::check::Checked;
use crate::env::Cancel;
use crate::event::Failure;
use crate::exec::{Again, NotRun, RunOptions, other_makers};
use crate::lock::{Claim, Lock, Record};
use crate::plan::Dag;
use crate::stage::{StageError, StageResult};
use crate::store::{Found, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// Runs stages again and compares them with the lock.
///
/// # Errors
/// When there is no room for a scratch store.
pub fn against_lock(
    checked: &Checked,
    store: &Store,
    lock: &Lock,
    wanted: &[usize],
    options: &RunOptions,
    cancel: &Cancel,
    tell: Tell<'_>,
) -> Result<Verification, StageError> {
    // What is compared with is not to be removed meanwhile.
    store.hold();
    let scratch = Scratch::new(store)?;
    let scratch_store = store_at(store, &scratch.place("store"));
    let events = |event| tell(Told::Event(Box::new(event)));
    let again = Again::new(&scratch_store, options, cancel, &events);
    let mut run = Run {
        checked,
        lock,
        dag: Dag::new(checked),
        store,
        scratch: &scratch_store,
        again,
        stored: BTreeMap::new(),
        confirmed: BTreeMap::new(),
        found: Verification { sides: ("locked".to_owned(), "now".to_owned()), ..Verification::default() },
    };
    for index in 0..checked.stages.len() {
        run.look_up(index);
    }
    let order = with_missing(checked, wanted, &|index| run.stored.contains_key(&index));
    run.found.fed = order.len() - wanted.len();
    let count = order.len();
    for (at, index) in order.into_iter().enumerate() {
        if cancel.is_set() {
            run.found.interrupted = true;
            break;
        }
        tell(Told::Stage(checked.stages[index].name.clone(), at + 1, count));
        run.stage(index);
    }
    Ok(run.found)
}

struct Run<'a> {
    checked: &'a Checked,
    lock: &'a Lock,
    dag: Dag,
    store: &'a Store,
    scratch: &'a Store,
    again: Again<'a>,
    /// Locked results that the store has.
    stored: BTreeMap<usize, Arc<StageResult>>,
    /// Results of this run that are the locked ones.
    confirmed: BTreeMap<usize, Arc<StageResult>>,
    found: Verification,
}

impl<'a> Run<'a> {
    fn record(&self, index: usize) -> Option<&'a Record> {
        self.lock.stages.get(&self.checked.stages[index].name)
    }

    /// Looks whether the store has the locked result.
    fn look_up(&mut self, index: usize) {
        let Some(record) = self.record(index) else { return };
        if let Found::Hit(result) = self.store.lookup(record.key)
            && record.is_of(&result)
        {
            self.stored.insert(index, result);
        }
    }

    fn held(&self, index: usize) -> Option<Held<'a>> {
        let hold = |result: &Arc<StageResult>, store| Held { result: Arc::clone(result), store };
        let stored = self.stored.get(&index).map(|result| hold(result, self.store));
        stored.or_else(|| self.confirmed.get(&index).map(|result| hold(result, self.scratch)))
    }

    fn stage(&mut self, index: usize) {
        let started = Instant::now();
        let verdict = self.verdict(index);
        let stage = &self.checked.stages[index];
        let determinism =
            self.record(index).map_or_else(|| Claim::of(stage, &BTreeMap::new()), |record| record.determinism.clone());
        self.found.stages.push(StageVerdict {
            stage: stage.name.clone(),
            kind: stage.kind.clone(),
            determinism,
            seconds: started.elapsed().as_secs_f64(),
            verdict,
        });
    }

    fn verdict(&mut self, index: usize) -> Verdict {
        let Some(record) = self.record(index) else { return Verdict::NotLocked };
        let known = |name: &str| self.lock.stages.get(name).map(of_record);
        let before = ancestors(self.checked, &self.dag, index, &known);
        let given = match given(self.checked, index, &|used| self.held(used), before) {
            Ok(given) => given,
            Err(missing) => return Verdict::NotCompared { because: format!("it uses {missing}") },
        };
        let key = match self.again.key(self.checked, index, &given) {
            Ok(key) => key,
            Err(error) => return failed(&mut self.found, error),
        };
        if key.digest != record.key {
            let environment = other_makers(&self.checked.stages[index], record);
            return Verdict::Changed { locked: record.key.short(), now: key.digest.short(), environment };
        }
        let result = match self.again.run(self.checked, index, key, given) {
            Ok(result) => result,
            Err(error) => return failed(&mut self.found, error),
        };
        if record.is_of(&result) {
            self.confirmed.insert(index, result);
            return Verdict::InKilter { within: Vec::new() };
        }
        let locked = self.stored.get(&index).map(|result| Held { result: Arc::clone(result), store: self.store });
        let now = Held { result, store: self.scratch };
        let stage = &self.checked.stages[index];
        judge(stage, &Before::locked(record, locked), &now).unwrap_or_else(|error| unreadable(&mut self.found, error))
    }
}

/// A stage that could not run.
pub(super) fn failed(found: &mut Verification, error: NotRun) -> Verdict {
    found.interrupted |= error.interrupted;
    found.store_failed |= error.store;
    found.bug |= error.bug;
    if error.interrupted {
        return Verdict::NotCompared { because: "interrupted".to_owned() };
    }
    Verdict::Failed(error.failure)
}

/// A stage whose results cannot be read to be compared.
pub(super) fn unreadable(found: &mut Verification, error: StageError) -> Verdict {
    found.store_failed = true;
    Verdict::Failed(Failure { message: error.message, notes: error.notes, hints: error.hints, ..Failure::default() })
}
