//! One stage run again past the cache, with inputs that are given: what `verify` compares. The code that runs it is the
//! run's own ([`run_stage`]); only the store is another, a scratch one.

use super::board::Origin;
use super::failure::{Trouble, describe};
use super::run::{RunOptions, Session};
use super::run_stage::{Attempt, Task, key_of, run_stage};
use super::slots::{Need, Slots};
use super::sources;
use super::threads::STACK;
use crate::check::Checked;
use crate::env::Cancel;
use crate::event::{Event, Failure};
use crate::plan::Key;
use crate::stage::{Ancestor, ErrorKind, Input, StageError, StageResult};
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs stages again, one at a time, with workers that stay warm.
pub struct Again<'a> {
    session: Session<'a>,
}

/// What a stage is given.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The results that it uses, by the stage's index.
    pub results: BTreeMap<usize, Arc<StageResult>>,
    /// The inputs, and those of views among them, by the stage that made them and its output.
    pub inputs: BTreeMap<(usize, String), Input>,
    /// Everything that it comes from, in order.
    pub ancestors: Vec<Ancestor>,
}

/// Why a stage has no result.
#[derive(Clone, Debug)]
pub struct NotRun {
    /// In words.
    pub failure: Failure,
    /// The run was interrupted.
    pub interrupted: bool,
    /// The store is to blame, or the disk.
    pub store: bool,
    /// kilter is to blame.
    pub bug: bool,
}

impl<'a> Again<'a> {
    /// Results go into `store`, which should be a scratch one: what is there is computed again.
    #[must_use]
    pub fn new(
        store: &'a Store,
        options: &'a RunOptions,
        cancel: &'a Cancel,
        events: &'a (dyn Fn(Event) + Sync),
    ) -> Self {
        Self { session: Session::new(store, options, cancel, events) }
    }

    /// The key of a stage with these results.
    ///
    /// # Errors
    /// When a workspace file cannot be read, or a result is missing.
    pub fn key(&self, checked: &Checked, stage: usize, given: &Given) -> Result<Key, NotRun> {
        let result_of = |input: usize| given.results.get(&input).cloned();
        let key_before = |before: usize| {
            let name = checked.stages.get(before)?.name.as_str();
            given.ancestors.iter().find(|ancestor| ancestor.stage == name).map(|ancestor| ancestor.key)
        };
        key_of(&checked.stages[stage], checked, self.session.store, &result_of, &key_before)
            .map_err(|trouble| self.not_run(&trouble, checked, stage))
    }

    /// Runs a stage and waits for it.
    ///
    /// # Errors
    /// When it fails; a gate that does not hold is no failure here.
    pub fn run(&self, checked: &Checked, stage: usize, key: Key, given: Given) -> Result<Arc<StageResult>, NotRun> {
        let outcome = self.attempt(checked, stage, key, given);
        outcome.map_err(|trouble| self.not_run(&trouble, checked, stage))
    }

    fn attempt(
        &self,
        checked: &Checked,
        stage: usize,
        key: Key,
        given: Given,
    ) -> Result<Arc<StageResult>, Box<Trouble>> {
        let options = self.session.options;
        let failed = |what: String| Box::new(Trouble::from(StageError::new(ErrorKind::Process, what)));
        let mut slots = Slots::new(options.jobs, &options.gpus, options.memory);
        let need = Need::of(&checked.stages[stage], &slots);
        if let Some(why) = slots.refuses(&need) {
            return Err(failed(why));
        }
        let grant = slots.take(need);
        let task = Task {
            session: &self.session,
            checked,
            index: stage,
            key: Arc::new(key),
            origin: Origin::Given(given),
            force: true,
            threads: grant.need.cpus,
            gpus: grant.gpus,
            restore: false,
        };
        std::thread::scope(|scope| {
            let name = format!("stage {}", task.stage().name);
            let thread = std::thread::Builder::new().name(name).stack_size(STACK);
            match thread.spawn_scoped(scope, || run_stage(&task)).map(|thread| thread.join()) {
                Ok(Ok(Ok(Attempt::Made(made)))) => Ok(made.result),
                Ok(Ok(Ok(Attempt::Elsewhere(owner)))) => Err(failed(format!("{owner} uses the scratch store"))),
                Ok(Ok(Ok(Attempt::Changed))) => Err(Box::new(Trouble::from(sources::changed()))),
                Ok(Ok(Err(trouble))) => Err(trouble),
                Ok(Err(_)) => Err(failed("the stage's thread stopped".to_owned())),
                Err(error) => Err(failed(format!("cannot start a thread: {error}"))),
            }
        })
    }

    /// The run's id, which names its folder of logs.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.session.id
    }

    fn not_run(&self, trouble: &Trouble, checked: &Checked, stage: usize) -> NotRun {
        NotRun {
            failure: describe(trouble, checked, stage, self.session.store.layout()),
            interrupted: trouble.is_cancelled(),
            store: trouble.is_store(),
            bug: trouble.is_bug(),
        }
    }
}
