//! What a running stage may ask of the engine.

use super::run_stage::Task;
use super::sources::Sources;
use super::worker::Order;
use crate::env::Cancel;
use crate::event::{Event, StageProgress};
use crate::job::{Job, JobResult, WorkerEvent};
use crate::stage::{Ancestor, Progress, Services, StageError};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Progress is told at most so often.
const PAUSE: Duration = Duration::from_millis(80);

/// The services of one attempt at a stage.
pub(super) struct StageServices<'a> {
    task: &'a Task<'a>,
    sources: &'a Sources,
    pub(super) log: &'a Path,
    /// Set when the run is interrupted, or the stage's time is up.
    pub(super) cancel: &'a Cancel,
    /// When progress was last told.
    told: Mutex<Option<Instant>>,
    /// Facts about the environment, for the record.
    facts: Mutex<BTreeMap<String, String>>,
}

impl<'a> StageServices<'a> {
    pub(super) fn new(task: &'a Task<'a>, sources: &'a Sources, log: &'a Path, cancel: &'a Cancel) -> Self {
        Self { task, sources, log, cancel, told: Mutex::default(), facts: Mutex::default() }
    }

    fn stage(&self) -> &'a str {
        &self.task.stage().name
    }

    /// What is worth recording of the environment: that of the run, and what workers told.
    pub(super) fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        facts.extend(self.task.session.facts.clone());
        facts
    }
}

impl Services for StageServices<'_> {
    fn progress(&self, progress: Progress) {
        let finished = progress.total.is_some_and(|total| progress.done >= total);
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if !finished && told.is_some_and(|last| last.elapsed() < PAUSE) {
                return;
            }
            *told = Some(Instant::now());
        }
        let Progress { done, total, unit, detail } = progress;
        let progress = StageProgress { done, total, unit: unit.to_owned(), detail };
        (self.task.session.events)(Event::StageProgress { stage: self.stage().to_owned(), progress });
    }

    fn values(&self, step: u64, values: BTreeMap<String, f64>) {
        (self.task.session.events)(Event::StageValues { stage: self.stage().to_owned(), step, values });
    }

    fn warn(&self, message: String) {
        (self.task.session.events)(Event::StageWarning { stage: self.stage().to_owned(), message });
    }

    fn note(&self, message: String) {
        (self.task.session.events)(Event::StageNote { stage: self.stage().to_owned(), message });
    }

    fn run_job(&self, job: &Job, watch: &mut dyn FnMut(&WorkerEvent)) -> Result<JobResult, StageError> {
        let session = self.task.session;
        let file = session.store.layout().job(&session.id, self.stage());
        let order = Order { stage: self.stage(), job, file: &file, log: self.log, gpus: &self.task.gpus };
        let result = session.workers.run_job(&order, self.cancel, watch)?;
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        facts.extend(result.environment.clone());
        Ok(result)
    }

    fn files_are_taken(&self) -> Result<(), StageError> {
        self.sources.taken(self.task)
    }

    fn network_allowed(&self) -> bool {
        !self.task.session.options.offline
    }

    fn provenance(&self) -> Vec<Ancestor> {
        self.task.origin.ancestors(self.task.checked, self.task.index)
    }
}
