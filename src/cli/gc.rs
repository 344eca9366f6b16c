//! `kilter gc`: plans what of the store and of the history may go, shows it, and removes it.

mod aside;
mod left;

use self::aside::Aside;
use self::left::Left;
use super::runs::workspace_of;
use super::{CommandError, Exit, Level, Outcome, Output, args};
use crate::digest::Digest;
use crate::env;
use crate::git::{Git, GitError};
use crate::history::{History, HistoryError, Parted, Run, RunState};
use crate::numbers::{self, counted};
use crate::report::{Align, Table};
use crate::store::layout::{OUT, STATE};
use crate::store::{Contents, GcPlan, LastKeys, Layout, Limits, Need, Store, StoreError, Workspace, plan_gc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

/// So many results are listed unless `--verbose`.
const LISTED: usize = 20;
/// How old runs become where nothing else is said. They take little room, and nothing can make them again.
const RUNS_AGE: u64 = 90 * 86_400;

/// What is needed, and when it was last used.
#[derive(Default)]
struct Roots {
    needed: BTreeMap<Digest, BTreeSet<Need>>,
    used: BTreeMap<Digest, u64>,
    /// Locks that were read, and runs.
    locks: usize,
    runs: usize,
}

/// What of this workspace's history goes, newest first, and how many runs stay.
#[derive(Default)]
struct Forgotten {
    runs: Vec<Run>,
    stay: usize,
}

pub(super) fn run(options: &args::Gc, output: Output) -> Outcome {
    let workspace = workspace_of(options.folder.as_deref())?;
    let limits = limits(options)?;
    let store = Store::open(&workspace);
    if !store.layout().store().is_dir() {
        if options.json {
            output.json(&as_json(&Going::nothing(limits), &Roots::default(), options.dry_run))?;
        }
        output.say("the store is empty");
        return Ok(Exit::Done);
    }
    // From before the plan until after the removal: no run may come to need meanwhile what is not needed now.
    let guard = wait_alone(&store, output)?;
    let contents = store.contents();
    all_known(&contents)?;
    let roots = roots(&store, &workspace, options.keep_runs)?;
    let plan = plan_gc(&contents, roots.needed.clone(), &roots.used, limits);
    let mut history = History::open(&store.layout().history())?;
    let old = history.as_ref().map(|history| forgotten(history, &store, options.keep_runs, limits)).transpose()?;
    let old = old.unwrap_or_default();
    let all_runs = history.as_ref().map(|history| history.runs(None, store.boot(), usize::MAX)).transpose()?;
    let left = Left::of(&store, &workspace, &all_runs.unwrap_or_default(), &roots.used, limits);
    let goes = Going { plan, aside: Aside::of(&store, limits), left, runs: old, limits };
    if options.json {
        output.json(&as_json(&goes, &roots, options.dry_run))?;
    } else {
        output.data(&as_text(&goes, &roots, output))?;
    }
    if options.dry_run {
        output.say("nothing was removed: this was a dry run");
        return Ok(Exit::Done);
    }
    // While the store still has what they are compared with.
    goes.left.remove(&store)?;
    let keys: Vec<Digest> = goes.plan.removed.iter().map(|(stored, _)| stored.key).collect();
    store.remove(&keys, &goes.plan.blobs)?;
    store.clear_members();
    goes.aside.remove(&store)?;
    if let Some(history) = &mut history {
        history.forget(&goes.runs.runs)?;
    }
    drop(guard);
    output.say(&format!("{} freed", numbers::bytes(goes.plan.freed + goes.aside.freed())));
    Ok(Exit::Done)
}

/// What a newer kilter's results need is not known, so nothing goes.
fn all_known(contents: &Contents) -> Result<(), CommandError> {
    if contents.newer == 0 {
        return Ok(());
    }
    let (count, files) = (counted(contents.newer, "result"), if contents.newer == 1 { "its" } else { "their" });
    let message = format!("a newer kilter wrote {count} of the store, and {files} files are not known to this one");
    Err(CommandError::environment(message).note("nothing was removed").hint("use a newer kilter"))
}

/// All that goes.
struct Going {
    plan: GcPlan,
    aside: Aside,
    left: Left,
    runs: Forgotten,
    limits: Limits,
}

impl Going {
    /// What goes out of an empty store.
    fn nothing(limits: Limits) -> Self {
        let (plan, runs) = (GcPlan::default(), Forgotten::default());
        Self { plan, aside: Aside::default(), left: Left::default(), runs, limits }
    }

    /// Whether the store is still larger than `--max-size`, because what stays may not go; `None` where that was not said.
    fn too_large(&self) -> Option<bool> {
        Some(self.plan.stays > self.limits.bytes?)
    }

    /// `the store cannot be as small as 1.0 GB: what stays is needed`
    fn limit_text(&self) -> Option<String> {
        let most = numbers::bytes(self.limits.bytes.filter(|_| self.too_large() == Some(true))?);
        let why = if self.limits.before.is_some() { "is needed, or was used since" } else { "is needed" };
        Some(format!("the store cannot be as small as {most}: what stays {why}"))
    }
}

/// The store alone, saying so where that takes time.
pub(super) fn wait_alone(store: &Store, output: Output) -> Result<File, CommandError> {
    Ok(store.alone(&|| output.say("waiting for a kilter that uses the store"))?)
}

fn limits(options: &args::Gc) -> Result<Limits, CommandError> {
    let wrong = |what: &str, text: &str, example: &str| {
        CommandError::usage(format!("`{text}` is no {what}")).hint(format!("write it as in `{example}`"))
    };
    let age = options
        .older_than
        .as_deref()
        .map(|text| crate::numbers::parse_seconds(text).ok_or_else(|| wrong("age", text, "--older-than 30d")));
    let bytes = options
        .max_size
        .as_deref()
        .map(|text| crate::manifest::parse_bytes(text).ok_or_else(|| wrong("size", text, "--max-size 20GB")));
    let before = age.transpose()?.map(|age| env::unix_seconds().saturating_sub(age));
    Ok(Limits { before, bytes: bytes.transpose()? })
}

/// What this workspace and others that share its store need.
fn roots(store: &Store, workspace: &Workspace, keep: usize) -> Result<Roots, CommandError> {
    let mut roots = Roots::default();
    let mut workspaces = vec![workspace.root.clone()];
    workspaces.extend(store.neighbours());
    for root in workspaces {
        for text in locks(&root)? {
            let digests = digests(&text);
            roots.locks += usize::from(!digests.is_empty());
            for digest in digests {
                roots.needed.entry(digest).or_default().insert(Need::Lock);
            }
        }
        let layout = Layout::new(&root, &root.join(STATE));
        if let Some(history) = History::open(&layout.history())? {
            of_runs(&history, (&layout, store.boot()), keep, &mut roots)?;
        }
    }
    Ok(roots)
}

/// The texts of all locks in a workspace's files, and at the tips of its branches and tags. One that cannot be read may need
/// everything, so it is an error.
fn locks(root: &Path) -> Result<BTreeSet<String>, CommandError> {
    let hidden = |item: &walkdir::DirEntry| {
        let name = item.file_name().to_string_lossy();
        item.depth() > 0 && (name.starts_with('.') || (item.depth() == 1 && name == OUT))
    };
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(|item| !hidden(item));
    let files: Vec<PathBuf> = walk
        .filter_map(Result::ok)
        .filter(|item| item.file_type().is_file() && item.path().extension().is_some_and(|ending| ending == "lock"))
        .map(walkdir::DirEntry::into_path)
        .collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut texts = BTreeSet::new();
    for path in &files {
        let bytes = std::fs::read(path).map_err(|error| CommandError::io("read", path, &error))?;
        texts.insert(text(&bytes));
    }
    if let Some(git) = Git::of(root).map_err(unknown_needs)? {
        let files = git.files_of_all_branches(".lock").map_err(unknown_needs)?;
        texts.extend(files.iter().map(|file| text(&file.bytes)));
    }
    Ok(texts)
}

/// What the locks of other branches need is not known, so nothing goes.
fn unknown_needs(error: GitError) -> CommandError {
    CommandError::from(error).note("what the locks of all branches name is kept, so nothing was removed")
}

/// Every digest in a text, whatever it is the digest of: so a lock with a conflict in it, of another version, or of another
/// tool keeps too much rather than too little.
fn digests(text: &str) -> BTreeSet<Digest> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 64);
    words.filter_map(|word| word.parse().ok()).collect()
}

fn of_runs(
    history: &History,
    (layout, boot): (&Layout, &str),
    keep: usize,
    roots: &mut Roots,
) -> Result<(), HistoryError> {
    let Parted { last, others } = history.parted(boot, keep)?;
    for (run, is_last) in last.iter().map(|run| (run, true)).chain(others.iter().map(|run| (run, false))) {
        let keys = match run.state {
            // It had no time to list its results, and the next run goes on from them. No run goes on while this looks.
            RunState::Killed | RunState::Running => LastKeys::of(layout, &run.pipeline).keys().collect(),
            RunState::Done | RunState::Failed | RunState::Interrupted => history.keys(run)?,
        };
        roots.runs += usize::from(is_last && !keys.is_empty());
        for key in keys {
            let used = roots.used.entry(key).or_default();
            *used = (*used).max(ended(run));
            if is_last {
                roots.needed.entry(key).or_default().insert(Need::Run);
            }
        }
    }
    Ok(())
}

/// The runs that go: none of the last ones, and of the others the old ones.
fn forgotten(history: &History, store: &Store, keep: usize, limits: Limits) -> Result<Forgotten, HistoryError> {
    let Parted { last, others } = history.parted(store.boot(), keep)?;
    let before = limits.before.unwrap_or_else(|| env::unix_seconds().saturating_sub(RUNS_AGE));
    let all = last.len() + others.len();
    let runs: Vec<Run> = others.into_iter().filter(|run| ended(run) < before).collect();
    Ok(Forgotten { stay: all - runs.len(), runs })
}

fn ended(run: &Run) -> u64 {
    run.started + run.seconds.unwrap_or(0.0).max(0.0) as u64
}

fn as_text(goes: &Going, roots: &Roots, output: Output) -> String {
    let Going { plan, aside, left, runs, .. } = goes;
    let paint = output.out;
    let mut out = String::new();
    let mut table = Table::new(["goes", "made", "last used", "size", "result"]).align(&[
        Align::Left,
        Align::Left,
        Align::Left,
        Align::Right,
    ]);
    let most = if output.level == Level::Verbose { usize::MAX } else { LISTED };
    for (stored, used) in plan.removed.iter().take(most) {
        let bytes = stored.result.outputs.values().flat_map(|artifact| &artifact.files).map(|file| file.size).sum();
        table.row([
            stored.result.kind.clone(),
            env::local_time(stored.result.made),
            env::local_time(*used),
            numbers::bytes(bytes),
            stored.result.summary.clone(),
        ]);
    }
    if !table.is_empty() {
        let width = if output.terminal { output.width } else { usize::MAX };
        out.push_str(&table.render(width, 2, paint));
    }
    if plan.removed.len() > most {
        out.push_str(&paint.dim(format!("  … and {} more; `--verbose` lists them\n", plan.removed.len() - most)));
    }
    let by = |need: Need| plan.needed.values().filter(|needs| needs.contains(&need)).count();
    let needs = [
        (by(Need::Lock), format!("by {}", numbers::counted(roots.locks, "lock"))),
        (by(Need::Release), "by releases".to_owned()),
        (by(Need::Run), format!("by the last runs ({})", roots.runs)),
    ];
    let needs: Vec<String> =
        needs.iter().filter(|(count, _)| *count > 0).map(|(count, who)| format!("{count} {who}")).collect();
    let why = if needs.is_empty() { String::new() } else { format!(": {}", needs.join(", ")) };
    out.push_str(&format!("{} needed{why}\n", numbers::counted(plan.needed.len(), "result")));
    for line in aside.lines().into_iter().chain(left.lines()) {
        out.push_str(&format!("{line}\n"));
    }
    out.push_str(&format!("{}\n", paint.bold(total(plan))));
    if let Some(text) = goes.limit_text() {
        out.push_str(&format!("{}\n", paint.yellow(text)));
    }
    out.push_str(&runs_text(runs));
    out
}

/// `4 results and 9 files go, 1.2 MB; 30 MB stay`
fn total(plan: &GcPlan) -> String {
    let stays = numbers::bytes(plan.stays);
    if plan.removed.is_empty() && plan.blobs.is_empty() {
        return format!("no result goes; {stays} stay");
    }
    let (results, files) = (numbers::counted(plan.removed.len(), "result"), numbers::counted(plan.blobs.len(), "file"));
    format!("{results} and {files} go, {}; {stays} stay", numbers::bytes(plan.freed))
}

/// `12 runs go, from 2026-01-02 to 2026-02-03; 40 stay`
fn runs_text(old: &Forgotten) -> String {
    let (Some(newest), Some(oldest)) = (old.runs.first(), old.runs.last()) else { return String::new() };
    let (goes, from, to) = match old.runs.len() {
        1 => ("goes", "of", String::new()),
        _ => ("go", "from", format!(" to {}", env::local_time(newest.started))),
    };
    let (count, since) = (numbers::counted(old.runs.len(), "run"), env::local_time(oldest.started));
    format!("{count} {goes} out of the history, {from} {since}{to}; {} stay\n", numbers::count(old.stay as u64))
}

fn as_json(goes: &Going, roots: &Roots, dry_run: bool) -> Value {
    let Going { plan, aside, left, runs, .. } = goes;
    let needs = |needs: &BTreeSet<Need>| -> Vec<&str> {
        let name = |need: &Need| match need {
            Need::Lock => "lock",
            Need::Release => "release",
            Need::Run => "run",
        };
        needs.iter().map(name).collect()
    };
    let kept: BTreeMap<String, Vec<&str>> =
        plan.needed.iter().map(|(key, why)| (key.to_string(), needs(why))).collect();
    let removed = plan.removed.iter().map(|(stored, used)| {
        json!({
            "key": stored.key,
            "kind": stored.result.kind,
            "made": stored.result.made,
            "last_used": used,
            "summary": stored.result.summary,
        })
    });
    json!({
        "dry_run": dry_run,
        "locks": roots.locks,
        "runs": roots.runs,
        "needed": kept,
        "removed": removed.collect::<Vec<_>>(),
        "forgotten_runs": runs.runs.iter().map(|run| &run.id).collect::<Vec<_>>(),
        "blobs": plan.blobs.len(),
        "freed_bytes": plan.freed,
        "stays_bytes": plan.stays,
        "too_large": goes.too_large(),
        "checkpoints": aside.checkpoints_json(),
        "quarantine": aside.quarantine_json(),
        "left_over": left.shown(),
    })
}

impl From<GitError> for CommandError {
    fn from(error: GitError) -> Self {
        Self::environment(error.to_string()).hint(error.hint())
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let mut told = Self::environment(error.to_string());
        told.hints = error.hints();
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digest_of_a_lock_counts_also_in_a_conflict() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let text = format!("<<<<<<< HEAD\nkey = \"{one}\"\n=======\nkey = \"{two}\"\n>>>>>>> b\nsha = \"abc\"\n");
        assert_eq!(digests(&text), BTreeSet::from([one, two]));
    }
}
