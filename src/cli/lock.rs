//! `kilter lock`, and what `kilter run` does with the lock.

use super::locate::Words;
use super::session::Session;
use super::{CommandError, Exit, Outcome, Output, args, locate, merge};
use crate::check::Checked;
use crate::diag::list;
use crate::digest::Digest;
use crate::env;
use crate::exec::RunSummary;
use crate::lock::{self, Lock, LockError, Mended, Record};
use crate::numbers::counted;
use crate::plan::{Plan, PlannedStage, Selection, outline};
use crate::stage::{Outcome as Came, StageResult, outcomes_digest};
use crate::store::{Store, write_atomically};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// More names than this are not listed.
const MOST_NAMES: usize = 8;

pub(super) fn run(options: &args::Lock, output: Output) -> Outcome {
    if let [base, ours, theirs] = options.merge.as_slice() {
        return merge::run(base, ours, theirs, output);
    }
    let manifest = locate::manifest(&options.manifest.words())?;
    let session = Session::sound(&manifest, &[], output)?;
    let plan = outline(&session.checked, &session.store, &Selection::default())?;
    let path = lock::lock_path(&manifest);
    if options.resolve { resolve(&session, &plan, &path, output) } else { from_results(&session, &plan, &path, output) }
}

/// The result that may be locked: cached, and its gates hold.
fn lockable(planned: &PlannedStage) -> Option<&Arc<StageResult>> {
    planned.cached().filter(|result| result.broken_gates().next().is_none())
}

fn record(session: &Session, planned: &PlannedStage) -> Option<Record> {
    let stage = &session.checked.stages[planned.index];
    Some(Record::of(stage, planned.key.as_ref()?.digest, lockable(planned)?))
}

fn from_results(session: &Session, plan: &Plan, path: &Path, output: Output) -> Outcome {
    let name = |planned: &PlannedStage| session.checked.stages[planned.index].name.clone();
    let open: Vec<String> = plan.stages.iter().filter(|planned| lockable(planned).is_none()).map(&name).collect();
    if !open.is_empty() {
        let names = list(open.iter().map(String::as_str), MOST_NAMES);
        let have = if open.len() == 1 { "has" } else { "have" };
        let message = format!("{} {have} no result to lock: {names}", counted(open.len(), "stage"));
        return Err(
            CommandError::new(Exit::Failed, message).hint("`kilter run` makes what is missing, and writes the lock")
        );
    }
    let records = plan.stages.iter().filter_map(|planned| Some((name(planned), record(session, planned)?)));
    let mut found = lock::read(path)?.unwrap_or_default();
    let changed = found.update(records.collect(), &names(&session.checked));
    if !write(path, &found, &changed, output)? {
        output.say(&format!("{} is up to date", env::shown(path)));
    }
    Ok(Exit::Done)
}

fn resolve(session: &Session, plan: &Plan, path: &Path, output: Output) -> Outcome {
    let Some(text) = lock::read_text(path)? else {
        return Err(
            CommandError::usage(format!("there is no lock `{}`", env::shown(path))).hint("`kilter run` writes it")
        );
    };
    let Some((ours, theirs)) = lock::sides(&text) else {
        Lock::parse(&text, path)?;
        output.say(&format!("{} has no merge conflicts", env::shown(path)));
        return Ok(Exit::Done);
    };
    let (ours, theirs) = (Lock::parse(&ours, path)?, Lock::parse(&theirs, path)?);
    let now = |name: &str| record(session, plan.get(session.checked.find(name)?)?);
    let mended = lock::mend(&ours, &theirs, &names(&session.checked), &now);
    lock::write(path, &mended.lock).map_err(crate::stage::StageError::from)?;
    output.say(&told(&mended, path));
    Ok(Exit::Done)
}

fn told(mended: &Mended, path: &Path) -> String {
    let mut out = format!("mended {}: {}\n", env::shown(path), counted(mended.lock.stages.len(), "record"));
    let groups = [
        (&mended.taken, "taken from the store, for today's manifest"),
        (&mended.kept, "kept: on one side alone"),
        (&mended.dropped, "dropped: the sides disagree, and the store has no result for today's manifest"),
        (&mended.gone, "dropped: the manifest has no such stage"),
    ];
    for (names, what) in groups.into_iter().filter(|(names, _)| !names.is_empty()) {
        out.push_str(&format!("  {}  {what}\n", names.join(", ")));
    }
    if !mended.dropped.is_empty() {
        out.push_str("`kilter run` makes what was dropped, and locks it\n");
    }
    out
}

fn names(checked: &Checked) -> BTreeSet<&str> {
    checked.stages.iter().map(|stage| stage.name.as_str()).collect()
}

/// Writes the lock where it changes, says so, and gives whether it did.
fn write(path: &Path, lock: &Lock, changed: &[String], output: Output) -> Result<bool, CommandError> {
    let wrote = lock::write(path, lock).map_err(crate::stage::StageError::from)?;
    if wrote {
        let names = list(changed.iter().map(String::as_str), MOST_NAMES);
        let what = if changed.is_empty() { "in kilter's own form".to_owned() } else { names };
        let count = counted(changed.len(), "record");
        output.say(&format!("locked in {}: {count} changed, {what}", env::shown(path)));
    }
    Ok(wrote)
}

/// The lock that `--locked` holds a run to.
pub(super) fn expected(checked: &Checked, words: &Words) -> Result<Arc<Lock>, CommandError> {
    let path = lock::lock_path(&words.manifest);
    let how = lock::how_to_lock(&checked.manifest.set);
    let off = |message: String| CommandError::new(Exit::Verification, message).hint(how);
    let Some(found) = lock::read(&path)? else { return Err(off(format!("there is no lock `{}`", env::shown(&path)))) };
    let shown = |names: &[&str]| list(names.iter().copied(), MOST_NAMES);
    let missing: Vec<&str> = crate::plan::named(checked, &words.names)?
        .into_iter()
        .map(|index| checked.stages[index].name.as_str())
        .filter(|name| !found.stages.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        return Err(off(format!("the lock has no record of {}", shown(&missing))));
    }
    let known = names(checked);
    let gone: Vec<&str> = found.stages.keys().map(String::as_str).filter(|name| !known.contains(name)).collect();
    if words.names.is_empty() && !gone.is_empty() {
        return Err(off(format!("the lock has records of stages that the manifest does not have: {}", shown(&gone))));
    }
    Ok(Arc::new(found))
}

/// After a run that went well: takes its results into the lock. A run of some stages alone brings a lock up to date that is there,
/// and does not begin one.
pub(super) fn bring_up_to_date(checked: &Checked, store: &Store, words: &Words, summary: &RunSummary, output: Output) {
    if summary.failed + summary.skipped > 0 || summary.interrupted {
        return;
    }
    let path = lock::lock_path(&words.manifest);
    let all = words.names.is_empty();
    let updated = update(checked, &path, summary, all, output);
    if updated.is_ok() && all {
        let outcomes = checked.stages.iter().filter_map(|stage| {
            let done = summary.done.get(&stage.name)?;
            let (made, seconds) = (done.result.made, done.result.seconds);
            Some(Came { stage: &stage.name, key: done.key, made, seconds })
        });
        if let Some(seal) = seal(store, &checked.manifest.path, outcomes_digest(outcomes)) {
            // Without it the next run looks at the lock again.
            let _ =
                write_atomically(&store.layout().lock_seal(&checked.manifest.path), seal.to_string().as_bytes(), false);
        }
    }
    if let Err(error) = updated {
        output.warn(&format!("{}: the lock was not written: {}", output.err.yellow("warning"), error.message));
        for hint in error.hints {
            output.warn(&format!("  {} {hint}", output.err.cyan("=")));
        }
    }
}

/// Whether a lock was found to tell of just these results, and neither has changed since.
pub(super) fn tells_of(store: &Store, manifest: &Path, results: Digest) -> bool {
    let Ok(manifest) = manifest.canonicalize() else { return false };
    let sealed = std::fs::read_to_string(store.layout().lock_seal(&manifest));
    sealed.is_ok_and(|sealed| seal(store, &manifest, results).is_some_and(|seal| seal.to_string() == sealed))
}

/// The bytes of a manifest's lock and what it tells of, in one digest; `None` where there is no lock.
fn seal(store: &Store, manifest: &Path, results: Digest) -> Option<Digest> {
    let (bytes, _) = store.stat_cache.digest(&lock::lock_path(manifest)).ok()?;
    let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 lock seal");
    hasher.update(bytes.as_bytes()).update(results.as_bytes());
    Some(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

fn update(checked: &Checked, path: &Path, summary: &RunSummary, all: bool, output: Output) -> Result<(), CommandError> {
    let old = lock::read_text(path)?;
    if old.is_none() && !all {
        return Ok(());
    }
    let records = checked.stages.iter().filter_map(|stage| {
        let done = summary.done.get(&stage.name)?;
        Some((stage.name.clone(), Record::of(stage, done.key, &done.result)))
    });
    let records: BTreeMap<String, Record> = records.collect();
    let Some(old) = old else {
        let first = Lock { stages: records };
        lock::write(path, &first).map_err(crate::stage::StageError::from)?;
        output.say(&format!("locked in {}", env::shown(path)));
        return Ok(());
    };
    if all {
        // Mostly nothing changed, and writing is much faster than reading.
        let same = Lock { stages: records };
        if same.text() == old {
            return Ok(());
        }
        return merge(checked, path, &old, same.stages, output);
    }
    merge(checked, path, &old, records, output)
}

fn merge(
    checked: &Checked,
    path: &Path,
    old: &str,
    records: BTreeMap<String, Record>,
    output: Output,
) -> Result<(), CommandError> {
    let mut found = Lock::parse(old, path)?;
    let changed = found.update(records, &names(checked));
    if !changed.is_empty() {
        write(path, &found, &changed, output)?;
    }
    Ok(())
}

impl From<LockError> for CommandError {
    fn from(error: LockError) -> Self {
        let exit = match &error {
            LockError::Unreadable { .. } => Exit::Environment,
            LockError::Conflicts { .. } | LockError::Newer { .. } | LockError::Invalid { .. } => Exit::Usage,
        };
        Self::new(exit, error.to_string()).hint(error.hint())
    }
}
