//! Looking at stages whose inputs are all there: whether the store has their results, and then putting those in their
//! place. Many at once are looked at by all cores; nothing here changes a state.

use super::failure::Trouble;
use super::locked;
use super::run_stage::{Made, key_of};
use super::scheduler::Scheduler;
use super::state::{Step, Turn};
use crate::digest::Digest;
use crate::event::Event;
use crate::plan::Key;
use crate::stage::{ErrorKind, StageError, StageResult};
use crate::store::Found;
use rayon::prelude::*;

/// So many stages are looked at before the cancel flag is.
pub(super) const WAVE: usize = 1024;
/// For fewer stages, sharing out the work takes longer than doing it.
const MANY: usize = 16;

impl Scheduler<'_> {
    /// What is to be done with each of some stages; `None` where an earlier pass has ended it.
    pub(super) fn look_all(&self, stages: &[usize]) -> Vec<Option<Step>> {
        match stages.len() {
            0..MANY => stages.iter().map(|stage| self.look(*stage)).collect(),
            _ => stages.par_iter().map(|stage| self.look(*stage)).collect(),
        }
    }

    fn look(&self, stage: usize) -> Option<Step> {
        let name = &self.stage(stage).name;
        if self.session.lost.contains(name) || self.session.earlier.contains_key(name) {
            return None;
        }
        Some(match self.key_of(stage) {
            Ok(key) => self.look_up(stage, self.first_turn(stage, key)),
            Err(trouble) => Step::Fail(trouble),
        })
    }

    /// Looks at a stage whose files changed after its key was made: it has another key now.
    pub(super) fn look_again(&self, stage: usize, attempt: u32) -> Step {
        match self.key_of(stage) {
            Ok(key) => self.look_up(stage, Turn { attempt, ..self.first_turn(stage, key) }),
            Err(trouble) => Step::Fail(trouble),
        }
    }

    fn key_of(&self, stage: usize) -> Result<Key, Box<Trouble>> {
        let result_of = |input: usize| self.board.result(input);
        key_of(self.stage(stage), self.checked, self.session.store, &result_of, &|before| self.board.key(before))
    }

    /// Whether the result is there by now: done, or ready for an attempt.
    pub(super) fn look_up(&self, stage: usize, turn: Turn) -> Step {
        let key = turn.key.digest;
        let ran_here = || {
            let (store, pipeline) = (self.session.store, &self.checked.manifest.pipeline.name);
            store.last_keys(pipeline).get(&self.stage(stage).name).is_some()
        };
        if let Some(error) = locked::key_off(self.session.options, self.checked, stage, key, &ran_here) {
            return Step::Fail(Box::new(Trouble::OffLock(error)));
        }
        if self.may_be_taken(stage, key) {
            match self.session.store.lookup(key) {
                Found::Hit(result) => {
                    return match self.restore(stage, &result) {
                        Ok(()) => Step::Done(Made { result, cached: true }, key),
                        Err(trouble) => Step::Fail(trouble),
                    };
                }
                Found::Absent => {}
                Found::Lost(why) => {
                    let stage = self.stage(stage).name.clone();
                    let message = format!("its cached result is lost and is made again: {why}");
                    (self.session.events)(Event::StageWarning { stage, message });
                }
            }
        }
        match self.refuses(&turn) {
            Some(why) => {
                let error = StageError::new(ErrorKind::Data, why)
                    .hint("run it on a machine that has that, or ask for less in the stage's `needs` or `device`");
                Step::Fail(Box::new(Trouble::from(error)))
            }
            None => Step::Ready(turn),
        }
    }

    /// Whether a stored result would do, if there is one.
    pub(super) fn may_be_taken(&self, stage: usize, key: Digest) -> bool {
        let refresh = self.stage(stage).spec.as_ref().and_then(|spec| spec.refresh());
        let outdated = || match refresh.map(|_| self.session.store.lookup(key)) {
            Some(Found::Hit(result)) => result.outdated(refresh).is_some(),
            _ => false,
        };
        self.stage(stage).common.cache && !self.selected.forced.contains(&stage) && !outdated()
    }

    fn restore(&self, stage: usize, result: &StageResult) -> Result<(), Box<Trouble>> {
        let (store, pipeline) = (self.session.store, &self.checked.manifest.pipeline.name);
        let folder = store.layout().out_stage(pipeline, &self.stage(stage).name);
        store.restore(result, &folder).map(|_| ()).map_err(|error| Box::new(Trouble::from(error)))
    }
}
