//! The readers of everything that comes from outside, as fuzzing calls them: each takes any bytes, and must come back
//! without a panic. `fuzz/` runs them under cargo-fuzz; a test here feeds them mutated samples.

use crate::check::{NoResults, check};
use crate::digest::Digest;
use crate::env::Cancel;
use crate::job::{Job, JobFile, JobResult, WorkerEvent};
use crate::lock::{Lock, mend, sides};
use crate::manifest::{LoadOptions, load_text};
use crate::registry::STAGES;
use crate::stage::{Onward, Progress, RunCx, Seed, Services, StageError};
use crate::store::{Standing, Store, TablesFound, Workspace};
use crate::types::ArtifactType;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// A reader and its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every reader.
pub const TARGETS: &[Target] = &[
    ("manifest", manifest),
    ("lock", lock),
    ("index", index),
    ("standing", standing),
    ("types", types),
    ("job", job),
    ("archive", archive),
];

/// A manifest, loaded and checked, and what is wrong with it put in words.
pub fn manifest(bytes: &[u8]) {
    let folder = Path::new("/nowhere");
    let options = LoadOptions { path: &folder.join("p.toml"), workspace: folder, set: &[] };
    let checked = check(load_text(&options, &String::from_utf8_lossy(bytes)), STAGES, &mut NoResults, folder);
    let shown = crate::diag::render(&checked.diagnostics, &checked.sources, crate::diag::Format::Json);
    drop(shown);
}

/// A lock, as it is or as a merge left it: read, mended, and written again. What was written reads as the same lock.
///
/// # Panics
/// Where a lock that was read is written as something else.
pub fn lock(bytes: &[u8]) {
    let path = Path::new("p.lock");
    let read = |text: &str| Lock::parse(text, path).ok();
    let text = String::from_utf8_lossy(bytes);
    let merged = sides(&text).and_then(|(ours, theirs)| Some((read(&ours)?, read(&theirs)?)));
    let lock = merged.map_or_else(
        || read(&text),
        |(ours, theirs)| {
            let names = ours.stages.keys().map(String::as_str).collect();
            Some(mend(&ours, &theirs, &names, &|name| theirs.stages.get(name).cloned()).lock)
        },
    );
    if let Some(lock) = lock {
        assert!(
            read(&lock.text()).as_ref() == Some(&lock),
            "written and read again it is another lock: {}",
            lock.text()
        );
    }
}

fn in_store(work: impl FnOnce(&Store, &Path)) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let (root, store) = (folder.path().to_owned(), folder.path().join(".kilter"));
    work(&Store::open(&Workspace { root, store }), folder.path());
}

fn put(path: &Path, bytes: &[u8]) {
    // What cannot be written is not read.
    let _ = path.parent().map(std::fs::create_dir_all);
    let _ = std::fs::write(path, bytes);
}

/// What a file holds behind its sum.
fn behind_sum(path: &Path) -> Option<Vec<u8>> {
    Some(std::fs::read(path).ok()?.get(32..)?.to_vec())
}

/// A record of the index.
pub fn index(bytes: &[u8]) {
    in_store(|store, _| {
        let key = Digest::of(b"key");
        put(&store.layout().entry(key), bytes);
        let found = (store.peek(key), store.lookup(key));
        drop(found);
    });
}

/// What the last look found, the digests of files and the last keys: all that is kept to save time.
pub fn standing(bytes: &[u8]) {
    in_store(|store, folder| {
        let layout = store.layout();
        let kept = layout.standing(folder);
        // With the right sum, so that what stands behind it is read.
        let keep = |body: &[u8]| put(&kept, &[Digest::of(body).as_bytes(), body].concat());
        keep(bytes);
        put(&layout.stat_cache(), bytes);
        put(&layout.last("p"), bytes);
        let found = (store.standing(folder, &[], true), store.last_keys("p").is_empty());
        drop(found);
        in_workspace_of(store);
        // A head names this program and these folders: only behind one of theirs is anything else read.
        put_result(store);
        keep(&[standing_with(store, folder, &[]).as_slice(), bytes].concat());
        for in_place in [false, true] {
            let _ = store.standing(folder, &[], in_place).map(|standing| standing.all_held());
        }
    });
}

/// A result in the store: always the same bytes, written at the same time.
fn put_result(store: &Store) {
    let blob = Digest::of(b"abc");
    let object = store.layout().object(blob);
    put(&object, b"abc");
    let _ = std::fs::File::open(&object).and_then(|file| file.set_modified(UNIX_EPOCH + Duration::from_secs(1)));
    let file = json!({ "name": "t.txt", "size": 3, "digest": blob });
    let output =
        json!({ "ty": serde_json::to_value(ArtifactType::File).unwrap_or_default(), "digest": blob, "files": [file] });
    let result = json!({
        "kind": "exec", "version": 2, "outputs": { "out": output }, "summary": "3 B", "metrics": { "a": 0.5 },
        "gates": [], "seconds": 0.1, "made": 1, "environment": {}, "key": {},
    });
    let record = json!({ "format": 1, "boot": null, "mtimes": [1_000_000_000], "result": result });
    put(&store.layout().entry(Digest::of(b"key")), record.to_string().as_bytes());
}

/// The file of a standing of these stages, without its sum.
fn standing_with(store: &Store, folder: &Path, stages: &[(&str, Option<Digest>)]) -> Vec<u8> {
    let new = Standing::new(store, "p", BTreeMap::new(), &[], std::iter::empty());
    let Some(mut standing) = new else { return Vec::new() };
    for (stage, key) in stages {
        let _ = key.map(|key| store.lookup(key));
        let _ = standing.add(store, stage, "exec", *key);
    }
    standing.close(&store.last_keys("p"));
    store.keep_standing(folder, &standing);
    behind_sum(&store.layout().standing(folder)).unwrap_or_default()
}

/// The digests of files are read when a store is opened.
fn in_workspace_of(store: &Store) {
    let (root, store) = (store.layout().root().to_owned(), store.layout().store().to_owned());
    drop(Store::open(&Workspace { root, store }));
}

/// What checking found of the tables that stages will give.
///
/// # Panics
/// Where what was read and added to is written as something else.
pub fn types(bytes: &[u8]) {
    in_store(|store, folder| {
        let manifest = folder.join("p.toml");
        let path = store.layout().types_found(&manifest);
        let keep = |body: &[u8]| put(&path, &[Digest::of(body).as_bytes(), body].concat());
        keep(bytes);
        drop(store.types_found(&manifest));
        // Only what begins with this program's stamp is believed.
        let Some(head) = types_with(store, &manifest, None) else { return };
        keep(&[head.as_slice(), bytes].concat());
        let (check, mut found) = (Digest::of(b"check"), store.types_found(&manifest));
        let before = found.get(check).cloned();
        found.note(Digest::of(b"another"), before.clone().unwrap_or_default());
        found.save(store);
        let after = store.types_found(&manifest).get(check).cloned();
        assert!(after == before, "written and read again it is something else: {before:?}, then {after:?}");
    });
}

/// The file of what a check found, without its sum; without anything found, only what stands before it.
fn types_with(store: &Store, manifest: &Path, tables: Option<TablesFound>) -> Option<Vec<u8>> {
    let _ = std::fs::create_dir_all(store.layout().state());
    let path = store.layout().types_found(manifest);
    let _ = std::fs::remove_file(&path);
    let (mut found, whole) = (store.types_found(manifest), tables.is_some());
    found.note(Digest::of(b"check"), tables.unwrap_or_default());
    found.save(store);
    let mut kept = behind_sum(&path)?;
    if !whole {
        let empty = BTreeMap::from([(Digest::of(b"check"), TablesFound::new())]);
        kept.truncate(kept.len().checked_sub(rmp_serde::to_vec(&empty).ok()?.len())?);
    }
    Some(kept)
}

/// A job file, and what a worker answers.
pub fn job(bytes: &[u8]) {
    let read = (serde_json::from_slice::<JobFile>(bytes).ok(), serde_json::from_slice::<WorkerEvent>(bytes).ok());
    drop(read);
}

/// An archive. Its first byte says what it is called.
pub fn archive(bytes: &[u8]) {
    const ENDS: [&str; 8] = ["zip", "whl", "tar", "tar.gz", "tar.xz", "tar.zst", "deb", "gz"];
    let Some((first, bytes)) = bytes.split_first() else { return };
    let Ok(folder) = tempfile::tempdir() else { return };
    let name = format!("a.{}", ENDS[usize::from(*first) % ENDS.len()]);
    put(&folder.path().join(&name), bytes);
    let fetch = STAGES.iter().find(|stage| stage.info().name == "fetch");
    let decoded = fetch.and_then(|fetch| fetch.decode(&json!({ "path": name, "member": "**" })).0);
    let (staging, scratch, log) =
        (folder.path().join("staging"), folder.path().join("scratch"), folder.path().join("log"));
    let made = std::fs::create_dir(&staging).and_then(|()| std::fs::create_dir(&scratch));
    let (Some(spec), Ok(())) = (decoded, made) else { return };
    let cx = RunCx {
        stage: "raw",
        seed: Seed::derive(0, "raw"),
        base: folder.path(),
        scratch: &scratch,
        log: &log,
        threads: 1,
        memory: None,
        gpus: &[],
        cancel: &Cancel::new(),
        services: &Nobody,
        inputs: &BTreeMap::new(),
        staging: &staging,
        onward: &Onward::default(),
    };
    drop(spec.run(&cx));
}

/// Serves nothing.
struct Nobody;

impl Services for Nobody {
    fn progress(&self, _: Progress) {}

    fn warn(&self, _: String) {}

    fn note(&self, _: String) {}

    fn run_job(&self, _: &Job, _: &mut dyn FnMut(&WorkerEvent)) -> Result<JobResult, StageError> {
        Err(StageError::bug("there is no worker here"))
    }

    fn network_allowed(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
