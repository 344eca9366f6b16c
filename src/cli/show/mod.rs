//! `kilter show`: a stage's result, or one of its outputs, as what it is.

mod files;
mod metrics;
mod model;
mod table;

use super::session::{Session, size};
use super::{CommandError, Exit, Outcome, Output, args, locate};
use crate::diag::{did_you_mean, list};
use crate::plan::PlannedStage;
use crate::report::Table;
use crate::stage::{ArtifactRecord, StageResult};
use crate::store::Store;
use crate::types::ArtifactType;
use crate::{env, numbers};
use serde_json::json;
use std::sync::Arc;

/// What every view is given.
#[derive(Clone, Copy)]
struct View<'a> {
    store: &'a Store,
    output: Output,
    rows: usize,
}

pub(super) fn run(options: &args::Show, output: Output) -> Outcome {
    let (manifest, name) = locate::manifest_and_name(&options.words, "stage")?;
    let session = Session::sound(&manifest, &options.params.set, output)?;
    let (stage, port) = resolve(&session, &name)?;
    let plan = session.plan(std::slice::from_ref(&stage), false)?;
    let planned = session.checked.find(&stage).and_then(|index| plan.get(index));
    let planned = planned.ok_or_else(|| CommandError::usage(format!("there is no stage `{stage}`")))?;
    let result = result(&session, planned, &stage, output)?;
    let ports = ports(&result, &stage, port.as_deref())?;
    let view = View { store: &session.store, output, rows: options.rows };
    if options.json {
        output.json(&as_json(&stage, &result, &ports, view)?)?;
    } else {
        output.data(&as_text(&stage, &result, &ports, view, port.is_some())?)?;
    }
    Ok(Exit::Done)
}

/// The stage and the output that a name means: `split`, `split.train`.
fn resolve(session: &Session, name: &str) -> Result<(String, Option<String>), CommandError> {
    let known = |stage: &str| session.checked.find(stage).is_some();
    if known(name) {
        return Ok((name.to_owned(), None));
    }
    let (stage, port) = name.rsplit_once('.').map_or((name, None), |(stage, port)| (stage, Some(port)));
    if known(stage) {
        return Ok((stage.to_owned(), port.map(str::to_owned)));
    }
    let names = || session.checked.stages.iter().map(|stage| stage.name.as_str());
    let inner: Vec<&str> = names().filter(|inner| inner.starts_with(&format!("{stage}/"))).collect();
    let (message, hint) = match inner.as_slice() {
        [] => {
            let hint = did_you_mean(stage, names()).unwrap_or_else(|| format!("the stages are {}", list(names(), 12)));
            (format!("there is no stage `{stage}`"), hint)
        }
        inner => {
            let inner = list(inner.iter().copied(), 8);
            (format!("`{stage}` is a module"), format!("ask for one of its stages: {inner}"))
        }
    };
    Err(CommandError::usage(message).hint(hint))
}

/// The stage's result, or else its earlier one, which is said.
fn result(
    session: &Session,
    planned: &PlannedStage,
    stage: &str,
    output: Output,
) -> Result<Arc<StageResult>, CommandError> {
    if let Some(result) = planned.cached() {
        return Ok(Arc::clone(result));
    }
    if let Some(earlier) = &planned.earlier {
        output.say(&format!(
            "{}: this is the result of {}; the manifest changed since (`kilter why {stage}`)",
            output.err.yellow("note"),
            env::local_time(earlier.result.made)
        ));
        return Ok(Arc::clone(&earlier.result));
    }
    let predicted = &session.checked.stages[planned.index].outputs.ports;
    let mut error = CommandError::new(Exit::Failed, format!("`{stage}` has no result yet"));
    for (port, ty) in predicted {
        error = error.note(format!("its output `{port}` will be a {}", describe(ty)));
    }
    Err(error.hint(format!("make it: `kilter run {stage}`")))
}

fn ports<'a>(
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

/// `table of 5,000 rows x 785 columns`, as far as it is known.
fn describe(ty: &ArtifactType) -> String {
    match ty {
        ArtifactType::Table(schema) => {
            let columns = numbers::counted(schema.columns.len(), "column");
            match (schema.rows, schema.complete) {
                (Some(rows), _) => format!("table of {} x {columns}", numbers::counted(rows as usize, "row")),
                (None, true) => format!("table of {columns}"),
                (None, false) => "table".to_owned(),
            }
        }
        ArtifactType::Dataset(dataset) => {
            let rows =
                dataset.rows.map_or(String::new(), |rows| format!("{} x ", numbers::counted(rows as usize, "row")));
            format!("dataset of {rows}{}", numbers::counted(dataset.features.len(), "feature"))
        }
        ArtifactType::Model(model) => {
            let state = if model.trained { "trained" } else { "untrained" };
            let parameters =
                model.parameters.map_or(String::new(), |count| format!(", {} parameters", numbers::count(count)));
            format!("{state} model{parameters}")
        }
        other => other.name().to_owned(),
    }
}

fn as_text(
    stage: &str,
    result: &StageResult,
    ports: &[(&str, &ArtifactRecord)],
    view: View<'_>,
    one: bool,
) -> Result<String, CommandError> {
    let paint = view.output.out;
    let made = format!("made {} in {}", env::local_time(result.made), numbers::duration(result.seconds));
    let mut out = format!("{}  {}  {}\n", paint.bold(stage), result.kind, paint.dim(made));
    if !result.summary.is_empty() && !one {
        out.push_str(&format!("{}\n", result.summary));
    }
    if !one {
        out.push_str(&metrics::text(result, view.output));
    }
    if let [(port, artifact)] = ports {
        let digest = artifact.digest.short();
        let bytes = numbers::bytes(size(artifact));
        out.push_str(&format!(
            "\n{}  {}  {}\n",
            paint.bold(port),
            describe(&artifact.ty),
            paint.dim(format!("{bytes}, {digest}"))
        ));
        out.push_str(&artifact_text(artifact, view)?);
        return Ok(out);
    }
    let mut table = Table::new(["output", "type", "size", "digest"]);
    for (port, artifact) in ports {
        let digest = artifact.digest.short();
        table.row([(*port).to_owned(), describe(&artifact.ty), numbers::bytes(size(artifact)), digest]);
    }
    out.push_str(&format!("\n{}", table.render(view.output.width, 2, paint)));
    let example = ports.first().map_or("", |(port, _)| *port);
    out.push_str(&format!("\n{}\n", paint.dim(format!("`kilter show {stage}.{example}` shows one of them"))));
    Ok(out)
}

/// What an artefact holds, as its type wants to be seen.
fn artifact_text(artifact: &ArtifactRecord, view: View<'_>) -> Result<String, CommandError> {
    match &artifact.ty {
        ArtifactType::Table(schema) => table::text(artifact, schema, view),
        ArtifactType::Dataset(dataset) => Ok(model::dataset(dataset, view)),
        ArtifactType::Model(_) => model::text(artifact, view),
        ArtifactType::Metrics => metrics::file(artifact, view),
        _ => files::text(artifact, view),
    }
}

fn as_json(
    stage: &str,
    result: &StageResult,
    ports: &[(&str, &ArtifactRecord)],
    view: View<'_>,
) -> Result<serde_json::Value, CommandError> {
    let mut outputs = serde_json::Map::new();
    for (port, artifact) in ports {
        let mut value = json!(artifact);
        if let ArtifactType::Table(schema) = &artifact.ty {
            value["head"] = table::json(artifact, schema, view)?;
        }
        outputs.insert((*port).to_owned(), value);
    }
    Ok(json!({
        "stage": stage,
        "kind": result.kind,
        "summary": result.summary,
        "made": result.made,
        "seconds": result.seconds,
        "metrics": result.metrics,
        "gates": result.gates,
        "environment": result.environment,
        "outputs": outputs,
    }))
}
