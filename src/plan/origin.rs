//! Where a result comes from, as a digest: for kinds whose result tells it, such as `release` with its provenance.

use crate::check::{Checked, CheckedStage};
use crate::digest::Digest;
use std::collections::BTreeSet;

/// The digest of all that a stage's result tells of where it comes from, if its kind does: the names, kinds and keys of the
/// stages before it, how they and it write their references and files, and its own name. `None` for other kinds, and
/// where a stage before it has no key.
#[must_use]
pub fn origin_of(stage: &CheckedStage, checked: &Checked, key_of: &dyn Fn(usize) -> Option<Digest>) -> Option<Digest> {
    stage.spec.as_ref().filter(|spec| spec.tells_origin())?;
    let mut before = BTreeSet::new();
    let mut open: Vec<usize> = stage.refs.iter().map(|used| used.stage).collect();
    while let Some(next) = open.pop() {
        if before.insert(next) {
            open.extend(checked.stages.get(next)?.refs.iter().map(|used| used.stage));
        }
    }
    let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 origin");
    for index in before {
        hasher.update(key_of(index)?.as_bytes());
        tell(checked.stages.get(index)?, &mut hasher);
    }
    tell(stage, &mut hasher);
    Some(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// Its name, its kind, and how it writes references and files: its key holds the rest.
fn tell(stage: &CheckedStage, hasher: &mut blake3::Hasher) {
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    };
    text(&stage.name);
    text(&stage.kind);
    if let Some(spec) = &stage.spec {
        spec.tree().visit_refs(&mut |_, reference| text(reference));
        spec.tree().visit_files(&mut |_, file| text(file));
    }
}
