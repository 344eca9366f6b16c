//! Two manifests of one name: their results go into one folder, the one's over the other's.

use super::Output;
use crate::history::History;
use crate::manifest::Manifest;
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
    let text = std::fs::read_to_string(layout.root().join(&last)).ok()?;
    (last != layout.shown(manifest) && is_called(&text, name)).then_some(last)
}

/// Whether a manifest's text gives it this name, by the looks of it: a warning needs no more.
fn is_called(text: &str, name: &str) -> bool {
    let value = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some(key.trim() == "name" && value.trim().trim_matches(['"', '\'']) == name)
    };
    text.lines().filter_map(value).any(|same| same)
}

#[cfg(test)]
mod tests {
    use super::is_called;

    #[test]
    fn a_name_is_seen_in_a_manifest() {
        let text = "[pipeline]\nname = \"digits\"\nabout = \"name = other\"\n";
        assert!(is_called(text, "digits") && !is_called(text, "other"));
        assert!(is_called("[pipeline]\nname='a b'\n", "a b"));
    }
}
