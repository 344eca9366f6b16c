//! What `--locked` compares: keys before a stage runs, results after it did.

use super::run::RunOptions;
use crate::check::{Checked, CheckedStage};
use crate::digest::Digest;
use crate::env;
use crate::job::LIBTORCH;
use crate::lock::{Claim, FactChange, Record, how_to_lock};
use crate::stage::{StageError, StageResult};

/// Facts about an environment that follow the machine, and that numbers from libtorch follow.
const DECISIVE: [&str; 3] = ["cpu_capability", "device", "libtorch"];

/// What decides a key beside fields, files and inputs and is another now than where a record was made: the libtorch that a stage's
/// numbers come from, which enters its key, and kilter, with whose version those of kinds may have been raised.
#[must_use]
pub fn other_makers(stage: &CheckedStage, record: &Record) -> Vec<FactChange> {
    let numeric = stage.info.is_some_and(|info| info.numeric);
    let libtorch = numeric.then_some(("libtorch", LIBTORCH));
    let makers: Vec<(&str, &str)> = libtorch.into_iter().chain([("kilter", env!("CARGO_PKG_VERSION"))]).collect();
    record.facts_off(&makers)
}

/// Why a stage with this key is not the one in the lock; `None` where it is, or nothing is locked. `ran_here` says whether there is
/// an earlier result that `why` compares with.
pub(super) fn key_off(
    options: &RunOptions,
    checked: &Checked,
    stage: usize,
    key: Digest,
    ran_here: &dyn Fn() -> bool,
) -> Option<StageError> {
    let lock = options.locked.as_ref()?;
    let stage = &checked.stages[stage];
    let Some(record) = lock.stages.get(&stage.name) else {
        let error = StageError::data(format!("`{}` is not in the lock", stage.name));
        return Some(error.hint(how_to_lock(&checked.manifest.set)));
    };
    if record.key == key {
        return None;
    }
    let mut error =
        StageError::data("its fields, files, inputs, or the kilter that made it, are not those that were locked")
            .note(format!("key {} locked, {} now", record.key.short(), key.short()));
    for fact in other_makers(stage, record) {
        error = error.note(format!("{}: {}", fact.name, fact.values("locked", "now")));
    }
    let error = error.hint(if ran_here() {
        let named = env::command_words(&checked.manifest.path, &stage.name, &checked.manifest.set);
        format!("`kilter why {named}` says what it is made of, and what changed")
    } else {
        // A fresh clone.
        "it has not run here, so `kilter why` has nothing to compare with; `git log -p` of the manifest and its files shows what \
         changed since the lock did"
            .to_owned()
    });
    Some(error.hint(how_to_lock(&checked.manifest.set)))
}

/// Why a result is not the locked one; `None` where it is, or nothing is locked.
pub(super) fn result_off(
    options: &RunOptions,
    checked: &Checked,
    stage: usize,
    result: &StageResult,
) -> Option<StageError> {
    let stage = &checked.stages[stage];
    let record = options.locked.as_ref()?.stages.get(&stage.name)?;
    if record.is_of(result) {
        return None;
    }
    let mut error = StageError::data("the same key gave another result than the locked one");
    let now = |port: &str| result.outputs.get(port).map(|made| made.digest);
    for (port, output) in record.outputs.iter().filter(|(port, output)| now(port) != Some(output.digest)) {
        let now = now(port).map_or_else(|| "is not there".to_owned(), |digest| format!("{} now", digest.short()));
        error = error.note(format!("output `{port}`: {} locked, {now}", output.digest.short()));
    }
    let told = |name: &'static str| result.environment.get(name).map(|now| (name, now.as_str()));
    let elsewhere = record.facts_off(&DECISIVE.into_iter().filter_map(told).collect::<Vec<_>>());
    for fact in &elsewhere {
        error = error.note(format!("{}: {}", fact.name, fact.values("locked", "now")));
    }
    if let Some(why) = record.determinism.elsewhere(&elsewhere) {
        error = error.note(why);
        if elsewhere.iter().any(|fact| fact.name == "cpu_capability") {
            error = error.hint("`numerics = \"portable\"` gives the same bits on every x86-64 processor with AVX2");
        }
    } else if record.determinism == Claim::WithinTolerance {
        error = error.hint("`--locked` wants the same bits; what its `tolerance` admits, `kilter verify` admits");
    }
    let manifest = env::shown(&checked.manifest.path);
    Some(error.hint(format!("`kilter verify {manifest} --stage {}` runs it again and shows what differs", stage.name)))
}
