//! The results that a pass has by now, for the loop that fills it and for the threads that read what their stage comes
//! from.

use super::again::Given;
use crate::check::{Checked, ResolvedRef};
use crate::digest::Digest;
use crate::plan::Taken;
use crate::stage::{Ancestor, Input, StageResult, View};
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// A stage that has a result whose gates hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The result.
    pub result: Arc<StageResult>,
    /// Its key.
    pub key: Digest,
}

/// Where a stage's inputs come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// The results of a run.
    Run(Arc<Board>),
    /// What it is given to run again.
    Given(Given),
}

impl Origin {
    /// An input, with all that is in it.
    pub(super) fn input(&self, used: &ResolvedRef, store: &Store) -> Option<Input> {
        match self {
            Self::Run(board) => Some(store.input(board.result(used.stage)?.outputs.get(&used.port)?)),
            Self::Given(given) => given.inputs.get(&(used.stage, used.port.clone())).cloned(),
        }
    }

    /// What a stage that takes so much sees of an input. A table that is not kept comes with what makes it, which sees no more
    /// than is read of it for that stage.
    pub(super) fn seen(&self, used: &ResolvedRef, taken: &Taken, checked: &Checked, store: &Store) -> Option<Input> {
        let maker = checked.stages.get(used.stage)?;
        let Some(spec) = maker.spec.as_ref().filter(|spec| spec.is_view()) else {
            return Some(taken.seen(self.input(used, store)?));
        };
        let place = (used.stage, used.port.clone(), taken.identity());
        if let Self::Run(board) = self
            && let Some(known) = board.view(&place)
        {
            return Some(known);
        }
        let behind = |behind: &ResolvedRef| {
            let input = self.seen(behind, taken.input(&behind.text)?, checked, store)?;
            Some((behind.text.clone(), input))
        };
        let inputs = maker.refs.iter().map(behind).collect::<Option<_>>()?;
        let view = View::new(&maker.name, Arc::clone(spec), inputs, maker.seed);
        let seen = taken.seen(self.input(used, store)?).made_by(view);
        if let Self::Run(board) = self {
            board.keep_view(place, &seen);
        }
        Some(seen)
    }

    /// See [`Board::ancestors`].
    pub(super) fn ancestors(&self, checked: &Checked, stage: usize) -> Vec<Ancestor> {
        match self {
            Self::Run(board) => board.ancestors(checked, stage),
            Self::Given(given) => given.ancestors.clone(),
        }
    }
}

/// What is seen of a table that is not kept: of which stage and output, and how much.
type ViewPlace = (usize, String, (Digest, bool));

/// Every stage's result, by its index; `None` where there is none yet.
#[derive(Debug)]
pub(super) struct Board {
    done: RwLock<Vec<Option<Done>>>,
    /// Tables that are not kept, as stages see them, so that those that see the same share its plan.
    views: Mutex<BTreeMap<ViewPlace, Input>>,
}

impl Board {
    /// No results yet of so many stages.
    pub(super) fn new(count: usize) -> Self {
        Self { done: RwLock::new(vec![None; count]), views: Mutex::default() }
    }

    fn view(&self, place: &ViewPlace) -> Option<Input> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned()
    }

    fn keep_view(&self, place: ViewPlace, seen: &Input) {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).insert(place, seen.clone());
    }

    /// Puts a result there.
    pub(super) fn put(&self, stage: usize, done: Done) {
        if let Some(place) = self.done.write().unwrap_or_else(PoisonError::into_inner).get_mut(stage) {
            *place = Some(done);
        }
    }

    /// A stage's result.
    pub(super) fn result(&self, stage: usize) -> Option<Arc<StageResult>> {
        let done = self.done.read().unwrap_or_else(PoisonError::into_inner);
        done.get(stage)?.as_ref().map(|done| Arc::clone(&done.result))
    }

    /// The key of a stage that is done.
    pub(super) fn key(&self, stage: usize) -> Option<Digest> {
        let done = self.done.read().unwrap_or_else(PoisonError::into_inner);
        done.get(stage)?.as_ref().map(|done| done.key)
    }

    /// Every stage that a stage's inputs come from, directly or not, in the order of the pipeline.
    pub(super) fn ancestors(&self, checked: &Checked, stage: usize) -> Vec<Ancestor> {
        let mut seen = vec![false; checked.stages.len()];
        let mut open = vec![stage];
        while let Some(next) = open.pop() {
            let inputs = checked.stages[next].refs.iter().map(|used| used.stage);
            for input in inputs {
                if !std::mem::replace(&mut seen[input], true) {
                    open.push(input);
                }
            }
        }
        let done = self.done.read().unwrap_or_else(PoisonError::into_inner);
        let ancestor = |index: usize| {
            let (stage, done) = (&checked.stages[index], done.get(index)?.as_ref()?);
            Some(Ancestor {
                stage: stage.name.clone(),
                kind: stage.kind.clone(),
                key: done.key,
                fields: stage.spec.as_ref()?.tree().to_json(),
                outputs: done.result.outputs.iter().map(|(port, made)| (port.clone(), made.digest)).collect(),
            })
        };
        (0..seen.len()).filter(|index| seen[*index]).filter_map(ancestor).collect()
    }
}
