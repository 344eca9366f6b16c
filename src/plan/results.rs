//! What the store knows already, for the checker: a cached input is checked with its real type.

use super::key::{KeyParts, key};
use crate::check::{Known, Results, StageView};
use crate::digest::Digest;
use crate::stage::{Outputs, PortFiles, StageResult};
use crate::store::{Found, Store, TypesFound};
use crate::types::{ArtifactType, TableSchema};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// [`Results`] over a store: a stage's result is known if its key is, and the index has it.
pub struct StoreResults<'a> {
    store: &'a Store,
    found: BTreeMap<usize, Arc<StageResult>>,
    types: Option<TypesFound>,
}

impl<'a> StoreResults<'a> {
    /// The results in `store`.
    #[must_use]
    pub fn new(store: &'a Store) -> Self {
        Self { store, found: BTreeMap::new(), types: None }
    }

    /// The same, with what the last checks of a manifest's stages found.
    #[must_use]
    pub fn of_manifest(store: &'a Store, manifest: &Path) -> Self {
        Self { types: Some(store.types_found(manifest)), ..Self::new(store) }
    }

    /// Keeps what the checks found.
    pub fn keep_types(&self) {
        self.types.iter().for_each(|types| types.save(self.store));
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

    fn found(&mut self, check: Digest) -> Option<Outputs> {
        let tables = self.types.as_mut()?.get(check)?;
        let port = |(port, schema): &(String, _)| (port.clone(), ArtifactType::Table(TableSchema::clone(schema)));
        Some(Outputs { ports: tables.iter().map(port).collect(), files: PortFiles::new() })
    }

    fn note(&mut self, check: Digest, outputs: &Outputs) {
        let table = |(port, ty): &(String, ArtifactType)| match ty {
            ArtifactType::Table(schema) => Some((port.clone(), schema.clone())),
            _ => None,
        };
        let tables: Option<Vec<_>> = outputs.ports.iter().map(table).collect();
        if let (Some(types), Some(tables), true) = (&mut self.types, tables, outputs.files.is_empty()) {
            types.note(check, tables);
        }
    }
}
