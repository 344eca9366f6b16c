//! What a run would do. Reads the store and the workspace's files, and changes nothing.

use super::dag::Dag;
use super::explain::{Earlier, Explainer, Remembered};
use super::key::{Key, KeyParts, NoKey, key};
use super::onward::{Beginning, beginning, seconds};
use super::origin::origin_of;
use super::reason::Reason;
use super::select::{Selection, UnknownTarget, select};
use crate::check::{Checked, CheckedStage};
use crate::digest::Digest;
use crate::stage::{Family, StageResult};
use crate::store::{Found, Store};
use crate::types::ArtifactType;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What would be done with a stage.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Its result is in the store.
    Cached(Arc<StageResult>),
    /// It would run.
    Run(Vec<Reason>),
    /// Whether its inputs change is known only after these stages (by index) have run.
    Unknown {
        /// The stages that will run and that it comes from; stages that wait for the same share the list.
        waits_for: Arc<[usize]>,
    },
}

/// A stage of a plan.
#[derive(Clone, Debug)]
pub struct PlannedStage {
    /// Index into [`Checked::stages`].
    pub index: usize,
    /// What would be done with it.
    pub decision: Decision,
    /// Its key, where its inputs are known.
    pub key: Option<Key>,
    /// Its earlier result, which the reasons compare with.
    pub earlier: Option<Earlier>,
    /// What it goes on from, where it would run and has something.
    pub beginning: Option<Beginning>,
    /// The seconds that it is expected to take, where it has an earlier result.
    pub seconds: Option<f64>,
}

impl PlannedStage {
    /// The cached result.
    #[must_use]
    pub fn cached(&self) -> Option<&Arc<StageResult>> {
        match &self.decision {
            Decision::Cached(result) => Some(result),
            Decision::Run(_) | Decision::Unknown { .. } => None,
        }
    }
}

/// What a run would do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The selected stages in topological order, which is the order of their indices.
    pub stages: Vec<PlannedStage>,
}

impl Plan {
    /// The plan's entry of a stage of [`Checked::stages`].
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&PlannedStage> {
        let at = self.stages.binary_search_by_key(&index, |stage| stage.index).ok()?;
        self.stages.get(at)
    }

    /// How many stages are cached, will run, and are unknown.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |test: fn(&Decision) -> bool| self.stages.iter().filter(|stage| test(&stage.decision)).count();
        (
            count(|decision| matches!(decision, Decision::Cached(_))),
            count(|decision| matches!(decision, Decision::Run(_))),
            count(|decision| matches!(decision, Decision::Unknown { .. })),
        )
    }

    /// Seconds that the cached results took when they were made.
    #[must_use]
    pub fn saved(&self) -> f64 {
        self.stages.iter().filter_map(PlannedStage::cached).map(|result| result.seconds).sum()
    }

    /// Seconds that what is not cached is expected to take; `None` where some of it has no earlier result.
    #[must_use]
    pub fn estimate(&self) -> Option<f64> {
        let open = self.stages.iter().filter(|stage| stage.cached().is_none());
        open.map(|stage| stage.seconds).sum()
    }
}

/// What a run of `selection` would do, and why. Of results that have left the store `remembered` may still know what they were made
/// of.
///
/// # Errors
/// When a target names no stage.
pub fn plan(
    checked: &Checked,
    store: &Store,
    selection: &Selection,
    remembered: Remembered<'_>,
) -> Result<Plan, UnknownTarget> {
    let explainer = Explainer::new(checked, store, remembered);
    decide_all(checked, store, selection, Some(&explainer))
}

/// What a run of `selection` would do, without reasons and earlier results: those can cost reading the whole index.
///
/// # Errors
/// When a target names no stage.
pub fn outline(checked: &Checked, store: &Store, selection: &Selection) -> Result<Plan, UnknownTarget> {
    decide_all(checked, store, selection, None)
}

fn decide_all(
    checked: &Checked,
    store: &Store,
    selection: &Selection,
    explainer: Option<&Explainer<'_>>,
) -> Result<Plan, UnknownTarget> {
    let dag = Dag::new(checked);
    let selected = select(checked, &dag, selection)?;
    let mut results: Vec<Option<Arc<StageResult>>> = vec![None; checked.stages.len()];
    let mut keys: Vec<Option<Digest>> = vec![None; checked.stages.len()];
    let mut blocked: Vec<Option<Arc<[usize]>>> = vec![None; checked.stages.len()];
    let mut lists = BTreeSet::new();
    let mut plan = Plan::default();
    for index in selected.stages {
        let stage = &checked.stages[index];
        let planned = match waits(&dag.inputs(index), &blocked, &mut lists) {
            _ if stage.mistake.is_some() => {
                let earlier = explainer.and_then(|explainer| explainer.earlier(stage, None));
                let why = stage.mistake.map(|mistake| format!("it {mistake}")).unwrap_or_default();
                PlannedStage { earlier, ..unreadable(index, why) }
            }
            None => {
                let forced = selected.forced.contains(&index);
                let made = KeyParts::of(stage, &checked.stages).map(|parts| {
                    let origin = origin_of(stage, checked, &|before| keys[before]);
                    key(KeyParts { origin, ..parts }, store, &|input| results[input].clone())
                });
                decide(index, stage, store, explainer, forced, made)
            }
            Some(waits_for) => {
                let earlier = explainer.and_then(|explainer| explainer.earlier(stage, None));
                let seconds =
                    earlier.as_ref().map(|earlier| seconds(stage.spec.as_deref(), None, earlier, None, store));
                let decision = Decision::Unknown { waits_for };
                PlannedStage { index, decision, key: None, earlier, beginning: None, seconds }
            }
        };
        keys[index] = planned.key.as_ref().map(|key| key.digest);
        match &planned.decision {
            Decision::Cached(result) => results[index] = Some(Arc::clone(result)),
            Decision::Run(_) => blocked[index] = Some(Arc::new([index])),
            Decision::Unknown { waits_for } => blocked[index] = Some(Arc::clone(waits_for)),
        }
        plan.stages.push(planned);
    }
    Ok(plan)
}

/// The stages that will run and that these inputs come from, if any. Equal lists are one list in memory.
fn waits(
    inputs: &[usize],
    blocked: &[Option<Arc<[usize]>>],
    lists: &mut BTreeSet<Arc<[usize]>>,
) -> Option<Arc<[usize]>> {
    let mut found: Vec<&Arc<[usize]>> = inputs.iter().filter_map(|input| blocked[*input].as_ref()).collect();
    found.dedup_by(|a, b| Arc::ptr_eq(a, b));
    let [first, rest @ ..] = found.as_slice() else { return None };
    if rest.is_empty() {
        return Some(Arc::clone(first));
    }
    let all: BTreeSet<usize> = found.iter().flat_map(|list| list.iter().copied()).collect();
    let all: Arc<[usize]> = all.into_iter().collect();
    if !lists.contains(&all) {
        lists.insert(Arc::clone(&all));
    }
    lists.get(&all).cloned()
}

fn decide(
    index: usize,
    stage: &CheckedStage,
    store: &Store,
    explainer: Option<&Explainer<'_>>,
    forced: bool,
    made: Option<Result<Key, NoKey>>,
) -> PlannedStage {
    let key = match made {
        Some(Ok(key)) => key,
        Some(Err(NoKey::Waits(waits_for))) => {
            let decision = Decision::Unknown { waits_for: waits_for.into() };
            return PlannedStage { index, decision, key: None, earlier: None, beginning: None, seconds: None };
        }
        Some(Err(NoKey::File(error))) => return unreadable(index, error.to_string()),
        Some(Err(NoKey::Files(why))) => return unreadable(index, why),
        None => return unreadable(index, "its fields are wrong".to_owned()),
    };
    let found = store.lookup(key.digest);
    let earlier = explainer.and_then(|explainer| explainer.earlier(stage, Some(&key)));
    let takes_up = explainer.is_some() && !forced && stage.common.cache && !matches!(found, Found::Hit(_));
    let spec = stage.spec.as_deref();
    let beginning = spec.filter(|_| takes_up).and_then(|spec| beginning(spec, &key, store));
    let seconds = earlier.as_ref().map(|earlier| seconds(spec, Some(&key), earlier, beginning.as_ref(), store));
    let decision = match found {
        _ if forced => Decision::Run(vec![Reason::Forced]),
        _ if !stage.common.cache => Decision::Run(vec![Reason::NotCached]),
        Found::Hit(result) => match result.outdated(refresh(stage)) {
            Some(age) => Decision::Run(vec![Reason::Outdated { age, made: result.made }]),
            None => Decision::Cached(result),
        },
        Found::Lost(why) => Decision::Run(vec![Reason::Lost(why)]),
        Found::Absent => {
            let reasons = explainer.map(|explainer| explainer.reasons(stage, &key, earlier.as_ref()));
            Decision::Run(reasons.unwrap_or_default())
        }
    };
    PlannedStage { index, decision, key: Some(key), earlier, beginning, seconds }
}

/// For how many seconds a stage's result is believed.
fn refresh(stage: &CheckedStage) -> Option<u64> {
    stage.spec.as_ref().and_then(|spec| spec.refresh())
}

fn unreadable(index: usize, why: String) -> PlannedStage {
    PlannedStage {
        index,
        decision: Decision::Run(vec![Reason::Unreadable(why)]),
        key: None,
        earlier: None,
        beginning: None,
        seconds: None,
    }
}

/// The sources that should run before anything else, by name: those that will run anyway, that need nothing but other
/// sources, and whose results the checker needs to see mistakes further down. Empty where the checker knows all types
/// already.
#[must_use]
pub fn sources_to_fetch_first(checked: &Checked, plan: &Plan) -> Vec<String> {
    if !plan.stages.iter().any(|planned| planned.cached().is_none() && has_open_output(&checked.stages[planned.index]))
    {
        return Vec::new();
    }
    let mut first = BTreeSet::new();
    for planned in plan.stages.iter().filter(|planned| planned.cached().is_none()) {
        let stage = &checked.stages[planned.index];
        let ready = |input: usize| plan.get(input).is_some_and(|input| input.cached().is_some());
        let fed = stage.refs.iter().all(|used| first.contains(&used.stage) || ready(used.stage));
        if stage.info.is_some_and(|info| info.family == Family::Source) && fed {
            first.insert(planned.index);
        }
    }
    if first.len() == plan.stages.iter().filter(|planned| planned.cached().is_none()).count() {
        return Vec::new();
    }
    first.into_iter().map(|index| checked.stages[index].name.clone()).collect()
}

/// Whether the checker had to leave any type open, so that [`sources_to_fetch_first`] may name some.
#[must_use]
pub fn has_open_types(checked: &Checked) -> bool {
    checked.stages.iter().any(has_open_output)
}

fn has_open_output(stage: &CheckedStage) -> bool {
    stage.outputs.ports.iter().any(|(_, ty)| is_open(ty))
}

/// Whether a type has something that only the data can tell.
fn is_open(ty: &ArtifactType) -> bool {
    match ty {
        ArtifactType::Table(schema) => !schema.complete,
        ArtifactType::Unknown => true,
        _ => false,
    }
}
