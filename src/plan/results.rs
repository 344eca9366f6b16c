//! What the store knows already, for the checker: a cached input is checked with its real type.

use super::key::{KeyParts, key};
use crate::check::{Known, Results, StageView};
use crate::stage::StageResult;
use crate::store::{Found, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

/// [`Results`] over a store: a stage's result is known if its key is, and the index has it.
pub struct StoreResults<'a> {
    store: &'a Store,
    found: BTreeMap<usize, Arc<StageResult>>,
}

impl<'a> StoreResults<'a> {
    /// The results in `store`.
    #[must_use]
    pub fn new(store: &'a Store) -> Self {
        Self { store, found: BTreeMap::new() }
    }
}

impl Results for StoreResults<'_> {
    fn lookup(&mut self, stage: &StageView<'_>) -> Option<Known> {
        // What tells where it comes from has a key only where all stages before it are known: it is checked anew.
        if !stage.common.cache || stage.spec.tells_origin() {
            return None;
        }
        let StageView { spec, refs, seed, base, stages, .. } = *stage;
        let parts = KeyParts { spec, refs, seed, base, origin: None, stages };
        let key = key(parts, self.store, &|index| self.found.get(&index).cloned()).ok()?;
        let Found::Hit(result) = self.store.lookup(key.digest) else { return None };
        // What will be asked for again may have other columns then.
        if result.outdated(stage.spec.refresh()).is_some() {
            return None;
        }
        let types = result.outputs.iter().map(|(port, artifact)| (port.clone(), artifact.ty.clone())).collect();
        let files = result.outputs.iter().map(|(port, artifact)| {
            let files = artifact.files.iter().map(|file| (file.name.clone(), self.store.object_path(file.digest)));
            (port.clone(), files.collect())
        });
        let known = Known { types, files: files.collect() };
        self.found.insert(stage.index, result);
        Some(known)
    }
}
