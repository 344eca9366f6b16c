//! Whether everything that a standing depends on is as it was.

use super::{Folder, Head, Held, Noted, Part};
use crate::digest::Digest;
use crate::env;
use crate::stage::files;
use crate::store::look::{Below, Look};
use crate::store::restore::count_files;
use crate::store::{Layout, Store};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A blob as it is found, and whether it has the inode that was noted.
struct Object {
    look: Look,
    same: bool,
}

/// The pipeline's folder under `out/`, open and by its path.
struct Out<'a> {
    below: Below,
    path: &'a Path,
}

impl Store {
    pub(super) fn same_texts(&self, head: &Head) -> bool {
        let same =
            |(path, digest): &(PathBuf, Digest)| std::fs::read(path).is_ok_and(|text| Digest::of(&text) == *digest);
        let hashed =
            |(path, digest): &(PathBuf, Digest)| self.stat_cache.digest(path).is_ok_and(|(found, _)| found == *digest);
        let matched = |(base, text, places): &(PathBuf, String, Vec<PathBuf>)| {
            files::expand(base, text).is_ok_and(|found| found.iter().map(|(_, place)| place).eq(places))
        };
        head.sources.iter().all(same)
            && head.files.par_iter().with_min_len(256).all(hashed)
            && head.patterns.par_iter().all(matched)
    }

    /// Whether the results of a part are as they were, and with `out` whether they are in place there. What had to be looked at
    /// more closely is noted, and `renewed` raised.
    pub(super) fn same_part(&self, part: &mut Part, out: Option<&Path>, renewed: &AtomicBool) -> bool {
        let Some(objects) = self.same_blobs(part, renewed) else { return false };
        let index = Below::open(&self.layout.index());
        let out = out.map(|path| Out { below: Below::open(path), path });
        part.stages.iter_mut().all(|stage| match &mut stage.noted {
            Noted::Open => true,
            Noted::Absent(key) => index.look(&Layout::entry_name(*key)).is_none(),
            Noted::Held(held) => {
                self.same_entry(held, &index, renewed)
                    && out.as_ref().is_none_or(|out| is_in_place(held, &stage.name, out, &objects, renewed))
            }
        })
    }

    fn same_blobs(&self, part: &mut Part, renewed: &AtomicBool) -> Option<Vec<Object>> {
        let below = Below::open(&self.layout.objects());
        let mut objects = Vec::with_capacity(part.blobs.len());
        for blob in &mut part.blobs {
            let look = below.look(&Layout::object_name(blob.digest))?;
            if (look.stamp.size, look.stamp.mtime) != (blob.size, blob.mtime) {
                return None;
            }
            let same = blob.inode == Some(look.stamp.inode);
            if !same {
                blob.inode = Some(look.stamp.inode);
                renewed.store(true, Ordering::Relaxed);
            }
            objects.push(Object { look, same });
        }
        Some(objects)
    }

    fn same_entry(&self, held: &mut Held, index: &Below, renewed: &AtomicBool) -> bool {
        let found = index.look(&Layout::entry_name(held.key));
        let entry = found.and_then(|found| held.entry.holds_for(found.stamp, || self.layout.entry(held.key)));
        let Some(entry) = entry else { return false };
        if entry != held.entry {
            held.entry = entry;
            renewed.store(true, Ordering::Relaxed);
        }
        true
    }
}

/// Whether a stage's folder holds the result's files and no others. One without folders in it is not listed again while its own
/// stamp, which changes with every name in it, tells that no name came or went; then files that were links to blobs
/// are links to those blobs still, and what was found of the blobs is true of them.
fn is_in_place(held: &mut Held, stage: &str, out: &Out<'_>, objects: &[Object], renewed: &AtomicBool) -> bool {
    let read = env::unix_nanos();
    let Some(look) = out.below.look_at_name(stage) else { return held.files.is_empty() };
    let known = held.folder.filter(|known| known.stamp == look.stamp && known.stamp.settled(known.read));
    let object = |at: u32| objects.get(usize::try_from(at).ok()?);
    let same = |(at, _): &(u32, String)| object(*at).is_some_and(|object| object.same);
    if known.is_some_and(|known| known.linked) && held.files.iter().all(same) {
        return true;
    }
    let mut linked = true;
    for (at, place) in &held.files {
        let there = out.below.look_at_name(&format!("{stage}/{place}"));
        let Some((object, there)) = object(*at).zip(there) else { return false };
        if !there.is_of(&object.look) {
            return false;
        }
        linked &= there.is_same_file(&object.look);
    }
    let path = out.path.join(stage);
    if known.is_none() && count_files(&path) != held.files.len() {
        return false;
    }
    let is_flat = || std::fs::read_dir(&path).is_ok_and(|entries| entries.count() == held.files.len());
    if known.is_some() || (look.is_folder && look.stamp.settled(read) && is_flat()) {
        let noted = Some(Folder { stamp: look.stamp, read, linked });
        // Of files that are no links there is nothing new to note.
        if known.is_none_or(|known| known.linked != linked) {
            held.folder = noted;
            renewed.store(true, Ordering::Relaxed);
        }
    }
    true
}
