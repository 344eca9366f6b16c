//! Two manifests of one name: their results go into one folder, the one's over the other's.

use super::Output;
use crate::history::History;
use crate::manifest::{Manifest, pipeline_name};
use crate::store::Store;
use crate::store::layout::OUT;
use std::path::Path;

/// Warns where another manifest that is still there ran last under this one's name.
pub(super) fn warn(manifest: &Manifest, store: &Store, output: Output) {
    let name = &manifest.pipeline.name;
    let Some(other) = other(&manifest.path, name, store) else { return };
    output.warn(&format!(
        "{}: `{other}` is called `{name}` too, and ran last: what lies in `{OUT}/{name}` is written over",
        output.err.yellow("warning")
    ));
    output.warn(&format!("  {} give one of them another `name` in its `[pipeline]`", output.err.cyan("=")));
}

/// Without a history nothing is known of others, which is no reason not to run.
fn other(manifest: &Path, name: &str, store: &Store) -> Option<String> {
    let layout = store.layout();
    let history = History::open(&layout.history()).ok()??;
    let last = history.runs(Some(name), store.boot(), 1).ok()?.into_iter().next()?.manifest;
    if last == layout.shown(manifest) {
        return None;
    }
    let text = std::fs::read_to_string(layout.root().join(&last)).ok()?;
    (pipeline_name(&text)? == *name).then_some(last)
}
