//! `kilter cache`: what the store holds, whether it is sound, and mending it.

use super::gc::wait_alone;
use super::runs::workspace_of;
use super::{CommandError, Exit, Outcome, Output, args};
use crate::diag::list;
use crate::digest::Digest;
use crate::history::History;
use crate::numbers;
use crate::report::{Align, Table};
use crate::store::{Contents, Damage, Store, Stored};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// More names than this are not listed.
const MOST_NAMES: usize = 8;

/// What a check found.
struct Found {
    damaged: BTreeMap<Digest, Damage>,
    /// Results that lack a sound blob.
    hurt: Vec<Stored>,
}

pub(super) fn run(options: &args::Cache, output: Output) -> Outcome {
    let workspace = workspace_of(options.folder.as_deref())?;
    let store = Store::open(&workspace);
    if !store.layout().store().is_dir() {
        if options.json {
            output.json(&as_json(&store, &Contents::default(), None))?;
        }
        output.say(&format!("the store {} is empty", store.layout().shown(store.layout().store())));
        return Ok(Exit::Done);
    }
    // Whoever mends must not do so under a run.
    let guard = if options.repair { Some(wait_alone(&store, output)?) } else { None };
    let contents = store.contents();
    let found = (options.check || options.repair).then(|| check(&store, &contents));
    if options.json {
        output.json(&as_json(&store, &contents, found.as_ref()))?;
    } else {
        output.data(&sizes(&store, &contents, output))?;
        if let Some(found) = &found {
            output.data(&told(found, &contents, output))?;
        }
    }
    let sound = found.as_ref().is_none_or(|found| is_sound(found, &contents));
    if options.repair && !sound {
        repair(&store, &contents, found.as_ref(), output)?;
        drop(guard);
        return Ok(Exit::Done);
    }
    if !sound {
        output.say("`kilter cache --repair` mends it");
        return Ok(Exit::Environment);
    }
    Ok(Exit::Done)
}

fn check(store: &Store, contents: &Contents) -> Found {
    let damaged = store.audit(contents, &|_| {});
    let hurt = contents.results.iter().filter(|stored| stored.blobs().iter().any(|blob| damaged.contains_key(blob)));
    Found { hurt: hurt.cloned().collect(), damaged }
}

fn is_sound(found: &Found, contents: &Contents) -> bool {
    found.damaged.is_empty() && contents.unreadable.is_empty() && contents.strangers.is_empty()
}

fn sizes(store: &Store, contents: &Contents, output: Output) -> String {
    let paint = output.out;
    let layout = store.layout();
    let mut out = format!(
        "{}  {}, {} in {}\n",
        paint.bold(layout.shown(layout.store())),
        numbers::bytes(contents.bytes()),
        numbers::counted(contents.results.len(), "result"),
        numbers::counted(contents.blobs.len(), "file"),
    );
    let mut table = Table::new(["kind", "results", "size", "not shared"]).align(&[
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
    ]);
    for (kind, (results, all, own)) in by_kind(contents) {
        table.row([kind, numbers::count(results), numbers::bytes(all), numbers::bytes(own)]);
    }
    let orphans = contents.orphans();
    if !orphans.is_empty() {
        let bytes = orphans.iter().filter_map(|blob| contents.blobs.get(blob)).sum();
        let files = numbers::counted(orphans.len(), "file");
        let of = if contents.newer == 0 { "of no result" } else { "of no result that this kilter reads" };
        table.row([paint.dim(format!("{of}, {files}")), String::new(), numbers::bytes(bytes)]);
    }
    if !table.is_empty() {
        out.push_str(&format!("\n{}", table.render(output.width, 2, paint)));
    }
    if contents.newer > 0 {
        let count = numbers::counted(contents.newer, "more result");
        out.push_str(&format!("\n{count} of a newer kilter, which this one cannot read\n"));
    }
    let beside = [
        ("logs", folder_bytes(&layout.runs())),
        ("history", layout.history().metadata().map_or(0, |metadata| metadata.len())),
        ("quarantine", folder_bytes(&layout.quarantine())),
        ("unfinished", folder_bytes(&layout.tmp())),
        ("checkpoints", folder_bytes(&layout.all_checkpoints())),
    ];
    let beside: Vec<String> = beside
        .iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(name, bytes)| format!("{name} {}", numbers::bytes(*bytes)))
        .collect();
    if !beside.is_empty() {
        out.push_str(&format!("\n{}\n", paint.dim(format!("besides: {}", beside.join(", ")))));
    }
    out
}

/// Per kind: how many results, the bytes of their blobs, and the bytes that no other kind shares.
fn by_kind(contents: &Contents) -> BTreeMap<String, (u64, u64, u64)> {
    let mut users: BTreeMap<Digest, BTreeSet<&str>> = BTreeMap::new();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for stored in &contents.results {
        *counts.entry(&stored.result.kind).or_default() += 1;
        for blob in stored.blobs() {
            users.entry(blob).or_default().insert(&stored.result.kind);
        }
    }
    let mut kinds: BTreeMap<String, (u64, u64, u64)> =
        counts.into_iter().map(|(kind, count)| (kind.to_owned(), (count, 0, 0))).collect();
    for (blob, of) in users {
        let size = contents.blobs.get(&blob).copied().unwrap_or(0);
        for kind in &of {
            if let Some((_, all, own)) = kinds.get_mut(*kind) {
                *all += size;
                *own += if of.len() == 1 { size } else { 0 };
            }
        }
    }
    kinds
}

fn folder_bytes(folder: &Path) -> u64 {
    let files =
        walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok).filter(|item| item.file_type().is_file());
    files.filter_map(|item| item.metadata().ok()).map(|metadata| metadata.len()).sum()
}

fn told(found: &Found, contents: &Contents, output: Output) -> String {
    let paint = output.out;
    if is_sound(found, contents) {
        return format!("\n{}: every file is what its name says\n", paint.green("sound"));
    }
    let mut out = String::from("\n");
    for (blob, damage) in &found.damaged {
        let users = found.hurt.iter().filter(|stored| stored.blobs().contains(blob)).map(of_result);
        let users = users.collect::<Vec<_>>().join("; ");
        let of = if users.is_empty() { "of no result".to_owned() } else { users };
        out.push_str(&format!("  {}  {}  {of}\n", paint.red(damage.words()), blob.short()));
    }
    for (path, why) in &contents.unreadable {
        out.push_str(&format!("  {}  {}\n", paint.red(why), path.display()));
    }
    for path in &contents.strangers {
        out.push_str(&format!("  {}  {}\n", paint.yellow("no blob"), path.display()));
    }
    out
}

/// `train: epochs 10, 0.978`
fn of_result(stored: &Stored) -> String {
    let summary = &stored.result.summary;
    if summary.is_empty() { stored.result.kind.clone() } else { format!("{}: {summary}", stored.result.kind) }
}

fn repair(store: &Store, contents: &Contents, found: Option<&Found>, output: Output) -> Result<(), CommandError> {
    let Some(found) = found else { return Ok(()) };
    let keys: Vec<Digest> = found.hurt.iter().map(|stored| stored.key).collect();
    // The entries first: killed in between, nothing names what is not there.
    store.remove(&keys, &BTreeSet::new())?;
    let mut moved = 0;
    for (blob, damage) in &found.damaged {
        if *damage != Damage::Missing {
            store.quarantine(*blob)?;
            moved += 1;
        }
    }
    for path in contents.unreadable.iter().map(|(path, _)| path).chain(&contents.strangers) {
        store.discard(path)?;
    }
    let mut said = Vec::new();
    if moved > 0 {
        let place = store.layout().shown(&store.layout().quarantine());
        said.push(format!("{} moved to {place}", numbers::counted(moved, "damaged file")));
    }
    if !keys.is_empty() {
        said.push(format!("{} dropped", numbers::counted(keys.len(), "result")));
    }
    let removed = contents.unreadable.len() + contents.strangers.len();
    if removed > 0 {
        said.push(format!("{} removed", numbers::counted(removed, "unreadable file")));
    }
    output.say(&said.join("; "));
    if !keys.is_empty() {
        output.say(&made_again(store, &keys));
    }
    Ok(())
}

/// What becomes of dropped results: those that the last run of a pipeline has are made by its next one.
fn made_again(store: &Store, dropped: &[Digest]) -> String {
    let mut by_manifest: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for (key, users) in last_users(store) {
        if dropped.contains(&key) {
            named.insert(key);
            for (manifest, stage) in users {
                by_manifest.entry(manifest).or_default().insert(stage);
            }
        }
    }
    let mut lines: Vec<String> = by_manifest
        .iter()
        .map(|(manifest, stages)| {
            let stages = list(stages.iter().map(String::as_str), MOST_NAMES);
            format!("the next `kilter run {manifest}` makes {stages} again")
        })
        .collect();
    let others = dropped.len() - named.len();
    if others > 0 {
        let are = if others == 1 { "result is" } else { "results are" };
        lines.push(format!("{others} {are} of no last run, and made again where a run comes to need it"));
    }
    lines.join("\n")
}

/// Which stages of which manifests have a result, by the last run of each pipeline of this workspace. Without a history none are
/// known, which is no reason not to mend.
fn last_users(store: &Store) -> BTreeMap<Digest, BTreeSet<(String, String)>> {
    let mut users: BTreeMap<Digest, BTreeSet<(String, String)>> = BTreeMap::new();
    let Ok(Some(history)) = History::open(&store.layout().history()) else { return users };
    for run in history.parted(store.boot(), 1).map(|parted| parted.last).unwrap_or_default() {
        for member in history.results(&run).unwrap_or_default() {
            users.entry(member.key).or_default().insert((run.manifest.clone(), member.stage));
        }
    }
    users
}

fn as_json(store: &Store, contents: &Contents, found: Option<&Found>) -> Value {
    let kinds = by_kind(contents).into_iter().map(
        |(kind, (results, bytes, own))| json!({ "kind": kind, "results": results, "bytes": bytes, "own_bytes": own }),
    );
    let damage = |(blob, damage): (&Digest, &Damage)| {
        let keys: Vec<Digest> =
            found.iter().flat_map(|f| &f.hurt).filter(|stored| stored.blobs().contains(blob)).map(|s| s.key).collect();
        json!({ "blob": blob, "damage": damage.words(), "results": keys })
    };
    json!({
        "store": store.layout().store(),
        "bytes": contents.bytes(),
        "results": contents.results.len(),
        "blobs": contents.blobs.len(),
        "kinds": kinds.collect::<Vec<_>>(),
        "newer": contents.newer,
        "orphans": contents.orphans(),
        "unreadable": contents.unreadable.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        "strangers": contents.strangers,
        "sound": found.map(|found| is_sound(found, contents)),
        "damaged": found.map(|found| found.damaged.iter().map(damage).collect::<Vec<_>>()),
    })
}
