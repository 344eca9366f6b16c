//! The result that is meant, and whether it is still the one that the manifest asks for.

use super::describe;
use crate::cli::session::Session;
use crate::cli::{CommandError, Exit, Output};
use crate::diag::{did_you_mean, list};
use crate::env;
use crate::plan::PlannedStage;
use crate::stage::{ArtifactRecord, StageResult};
use std::sync::Arc;

/// The stage's result, or else its earlier one, which is said.
pub(super) fn result(
    session: &Session,
    planned: &PlannedStage,
    stage: &str,
    output: Output,
) -> Result<Arc<StageResult>, CommandError> {
    if let Some(result) = planned.cached() {
        return Ok(Arc::clone(result));
    }
    let manifest = &session.checked.manifest;
    let named = env::command_words(&manifest.path, stage, &manifest.set);
    if let Some(earlier) = &planned.earlier {
        let mut files = earlier.result.outputs.values().flat_map(|artifact| session.store.input(artifact).files);
        if files.any(|file| !file.path.is_file()) {
            let made = env::local_time(earlier.result.made);
            let message = format!("the result of `{stage}` of {made} is no longer in the store");
            return Err(CommandError::new(Exit::Failed, message).hint(format!("make it again: `kilter run {named}`")));
        }
        output.say(&format!(
            "{}: this is the result of {}; the manifest, or what it reads, changed since (`kilter why {named}`)",
            output.err.yellow("note"),
            env::local_time(earlier.result.made)
        ));
        return Ok(Arc::clone(&earlier.result));
    }
    let predicted = &session.checked.stages[planned.index].outputs.ports;
    let mut error = CommandError::new(Exit::Failed, format!("`{stage}` has no result yet"));
    for (port, ty) in predicted {
        error = error.note(format!("it will have `{port}`: {}", describe(ty)));
    }
    Err(error.hint(format!("make it: `kilter run {named}`")))
}

pub(super) fn ports<'a>(
    result: &'a StageResult,
    stage: &str,
    port: Option<&str>,
) -> Result<Vec<(&'a str, &'a ArtifactRecord)>, CommandError> {
    let all = || result.outputs.iter().map(|(name, artifact)| (name.as_str(), artifact));
    let Some(port) = port else { return Ok(all().collect()) };
    let found: Vec<_> = all().filter(|(name, _)| *name == port).collect();
    if found.is_empty() {
        let names = || all().map(|(name, _)| name);
        let hint = did_you_mean(port, names()).unwrap_or_else(|| format!("its outputs are {}", list(names(), 12)));
        return Err(CommandError::usage(format!("`{stage}` has no output `{port}`")).hint(hint));
    }
    Ok(found)
}
