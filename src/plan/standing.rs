//! What a look at a whole pipeline found, put together so that the store can keep it for the next command.

use super::key::{KeyParts, NoKey, key, used_files};
use super::origin::origin_of;
use crate::check::{Checked, CheckedStage};
use crate::digest::Digest;
use crate::manifest::Param;
use crate::stage::StageResult;
use crate::store::{Noted, Standing, StandingStage, Store};
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
    let mut standing = Standing::new(store, &manifest.pipeline.name, set, sources)?;
    let value = |param: &Param| (param.name.clone(), param.value.clone().unwrap_or_default());
    standing.params = manifest.params.iter().map(value).collect();
    let mut results = Vec::with_capacity(checked.stages.len());
    let mut keys = Vec::with_capacity(checked.stages.len());
    for stage in &checked.stages {
        let origin = origin_of(stage, checked, &|before| keys.get(before).copied().flatten());
        let (noted, result) = note(stage, origin, store, &results, &mut standing)?;
        keys.push(match &noted {
            Noted::Held(held) => Some(held.key),
            Noted::Absent(_) | Noted::Open => None,
        });
        results.push(result);
        standing.stages.push(StandingStage { name: stage.name.clone(), kind: stage.kind.clone(), noted });
    }
    standing.note_last(&store.last_keys(&manifest.pipeline.name));
    Some(standing)
}

type Noting = (Noted, Option<Arc<StageResult>>);

fn note(
    stage: &CheckedStage,
    origin: Option<Digest>,
    store: &Store,
    results: &[Option<Arc<StageResult>>],
    standing: &mut Standing,
) -> Option<Noting> {
    let parts = KeyParts { origin, ..KeyParts::of(stage)? };
    let made = key(parts, store, &|index| results.get(index).cloned().flatten());
    let (files, noted) = match made {
        Ok(key) if stage.common.cache => (key.files, store.note(key.digest)?),
        Ok(key) => (key.files, Noted::Open),
        Err(NoKey::Waits(_)) => (used_files(parts, store).ok()?, Noted::Open),
        Err(NoKey::File(_) | NoKey::Files(_)) => return None,
    };
    for used in files {
        standing.uses(parts.base, &used.text, &used.found);
    }
    let result = match &noted {
        Noted::Held(held) => store.peek(held.key),
        Noted::Absent(_) | Noted::Open => None,
    };
    Some((noted, result))
}
