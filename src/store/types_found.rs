//! What checking found of the tables that stages will give, kept for the next look at the pipeline: a query is planned again only after
//! it or the columns of its tables have changed. The file can be deleted at any time; one that is damaged, or of another
//! program, is not there.

use super::proof::Stamp;
use super::standing::program;
use super::{Store, write_atomically};
use crate::digest::Digest;
use crate::types::TableSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Raised when what is kept changes.
const FORMAT: u32 = 1;
/// So many checks are kept at least, although nobody asked for them in the last look; and as many again as were asked for.
const OTHERS: usize = 1024;

/// The tables that a stage gives, by port.
pub type TablesFound = Vec<(String, TableSchema)>;

/// What was found by the checks of a pipeline's stages.
#[derive(Debug)]
pub struct TypesFound {
    path: PathBuf,
    before: BTreeMap<Digest, TablesFound>,
    now: BTreeMap<Digest, TablesFound>,
}

/// As it lies in its file, behind a sum.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    format: u32,
    program: Stamp,
    found: T,
}

impl TypesFound {
    /// What a check found before.
    pub fn get(&mut self, check: Digest) -> Option<&TablesFound> {
        if !self.now.contains_key(&check) {
            let found = self.before.get(&check)?.clone();
            self.now.insert(check, found);
        }
        self.now.get(&check)
    }

    /// Notes what a check found.
    pub fn note(&mut self, check: Digest, found: TablesFound) {
        self.now.insert(check, found);
    }

    /// Keeps what was noted, with what was known before. It only saves time, so what cannot be written is not.
    pub fn save(&self, store: &Store) {
        if self.now.keys().all(|check| self.before.contains_key(check)) || !store.layout.state().is_dir() {
            return;
        }
        let others = self.before.iter().filter(|(check, _)| !self.now.contains_key(check));
        let others = others.take(OTHERS.max(self.now.len()));
        let found: BTreeMap<&Digest, &TablesFound> = self.now.iter().chain(others).collect();
        let Some(program) = program() else { return };
        let Ok(body) = rmp_serde::to_vec(&Kept { format: FORMAT, program, found }) else { return };
        let bytes = [Digest::of(&body).as_bytes(), body.as_slice()].concat();
        let _ = write_atomically(&self.path, &bytes, false);
    }
}

impl Store {
    /// What was found by the last checks of a manifest's stages.
    #[must_use]
    pub fn types_found(&self, manifest: &Path) -> TypesFound {
        let path = self.layout.types_found(manifest);
        let before = read(&path).unwrap_or_default();
        TypesFound { path, before, now: BTreeMap::new() }
    }
}

fn read(path: &Path) -> Option<BTreeMap<Digest, TablesFound>> {
    let bytes = std::fs::read(path).ok()?;
    let (sum, body) = bytes.split_first_chunk::<32>()?;
    if Digest::of(body).as_bytes() != sum {
        return None;
    }
    let kept: Kept<_> = rmp_serde::from_slice(body).ok()?;
    (kept.format == FORMAT && Some(kept.program) == program()).then_some(kept.found)
}

#[cfg(test)]
mod tests {
    use super::super::Workspace;
    use super::*;
    use crate::types::{Column, DType};

    #[test]
    fn what_was_noted_is_kept_and_damage_is_not_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("kilter.toml"), "").expect("written");
        std::fs::create_dir(folder.path().join(".kilter")).expect("made");
        let manifest = folder.path().join("p.toml");
        std::fs::write(&manifest, "").expect("written");
        let store = Store::open(&Workspace::find(&manifest).expect("a workspace"));
        let check = |text: &str| Digest::of(text.as_bytes());
        let columns =
            vec![Column::new("x", DType::Decimal(10, 2)), Column::new("l", DType::List(Box::new(DType::Str)))];
        let tables = vec![("table".to_owned(), TableSchema::new(columns))];
        let mut found = store.types_found(&manifest);
        assert_eq!(found.get(check("a")), None);
        found.note(check("a"), tables.clone());
        found.note(check("b"), Vec::new());
        found.save(&store);
        let mut found = store.types_found(&manifest);
        assert_eq!(found.get(check("a")), Some(&tables));
        found.note(check("c"), Vec::new());
        found.save(&store);
        let mut found = store.types_found(&manifest);
        assert!(["a", "b", "c"].iter().all(|text| found.get(check(text)).is_some()));
        let path = store.layout().types_found(&manifest);
        let mut bytes = std::fs::read(&path).expect("there");
        *bytes.last_mut().expect("a byte") ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(store.types_found(&manifest).get(check("a")), None);
    }
}
