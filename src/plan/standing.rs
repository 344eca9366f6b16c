//! What a look at a whole pipeline found, put together so that the store can keep it for the next command.

use super::key::{KeyParts, NoKey, key, used_files};
use super::origin::origin_of;
use crate::check::{Checked, CheckedStage};
use crate::digest::Digest;
use crate::manifest::Param;
use crate::stage::StageResult;
use crate::store::{Noted, Standing, Store};
use std::sync::Arc;

/// The standing of a checked pipeline whose results were looked up in this process. `None` where there is more to tell
/// than a standing can: warnings and mistakes, a module by itself, files that cannot be read.
#[must_use]
pub fn standing(checked: &Checked, store: &Store, set: &[String]) -> Option<Standing> {
    let manifest = &checked.manifest;
    if !checked.diagnostics.is_empty() || manifest.is_module() {
        return None;
    }
    let sources = checked.sources.iter().filter_map(|source| Some((source.path.as_deref()?, source.text.as_str())));
    let value = |param: &Param| (param.name.clone(), param.value.clone().unwrap_or_default());
    let params = manifest.params.iter().map(value).collect();
    let mut standing = Standing::new(store, &manifest.pipeline.name, params, set, sources)?;
    let mut results = Vec::with_capacity(checked.stages.len());
    let mut keys = Vec::with_capacity(checked.stages.len());
    for stage in &checked.stages {
        let origin = origin_of(stage, checked, &|before| keys.get(before).copied().flatten());
        let held = note(stage, checked, origin, store, &results, &mut standing)?;
        keys.push(held);
        results.push(held.and_then(|key| store.peek(key)));
    }
    standing.close(&store.last_keys(&manifest.pipeline.name));
    Some(standing)
}

/// Whether a result may be outdated when the next command looks: that depends on the clock.
fn asks_again(stage: &CheckedStage) -> bool {
    stage.spec.as_ref().is_some_and(|spec| spec.refresh().is_some())
}

/// Notes a stage; gives the key of the result that it has, and `None` in all where nothing can be kept.
fn note(
    stage: &CheckedStage,
    checked: &Checked,
    origin: Option<Digest>,
    store: &Store,
    results: &[Option<Arc<StageResult>>],
    standing: &mut Standing,
) -> Option<Option<Digest>> {
    let parts = KeyParts { origin, ..KeyParts::of(stage, &checked.stages)? };
    let made = key(parts, store, &|index| results.get(index).cloned().flatten());
    let (files, key) = match made {
        Ok(key) => (key.files, (stage.common.cache && !asks_again(stage)).then_some(key.digest)),
        Err(NoKey::Waits(_)) => (used_files(parts, store).ok()?, None),
        Err(NoKey::File(_) | NoKey::Files(_)) => return None,
    };
    for used in files {
        standing.uses(parts.base, &used);
    }
    let noted = standing.add(store, &stage.name, &stage.kind, key)?;
    Some(key.filter(|_| matches!(noted, Noted::Held(_))))
}
