//! `kilter show`: a stage's result, or one of its outputs, as what it is.

mod cost;
mod files;
mod find;
mod metrics;
mod model;
mod points;
mod table;

use super::session::{Session, size};
use super::{CommandError, Exit, Outcome, Output, args, locate, named};
use crate::manifest::Manifest;
use crate::report::Table;
use crate::stage::{ArtifactRecord, StageResult};
use crate::store::Store;
use crate::types::{ArtifactType, TokenizerType};
use crate::{env, numbers};
use find::{ports, result};
use serde_json::json;
use std::path::Path;

/// What every view is given.
#[derive(Clone, Copy)]
struct View<'a> {
    store: &'a Store,
    output: Output,
    rows: usize,
    /// Rows of a batch, for a model's memory.
    batch: u64,
    /// What the stage belongs to.
    manifest: &'a Manifest,
    /// Where the files lie that other programs read, unless another result lies there now.
    place: Option<&'a Path>,
}

pub(super) fn run(options: &args::Show, output: Output) -> Outcome {
    let (manifest, name) = locate::manifest_and_name(&options.words, "stage")?;
    let session = Session::open(&manifest, &options.params.set)?.or_mistakes_in(&manifest, Some(&name), output)?;
    let points = named::points(&session.checked, &name);
    if points.len() > 1 {
        let mut points = points::Points::find(&session, &name, &points, output)?;
        if let Some(metric) = &options.sort {
            points.sort(metric)?;
        }
        match options.json {
            true => output.json(&points.json())?,
            false => output.data(&points.text(output))?,
        }
        return Ok(Exit::Done);
    }
    let (stage, port) = named::stage(&session.checked, &name)?;
    if options.sort.is_some() {
        return Err(CommandError::usage(format!("`{stage}` is one stage")).hint("`--sort` is for a stage with axes"));
    }
    let plan = session.plan(std::slice::from_ref(&stage), false)?;
    let planned = session.checked.find(&stage).and_then(|index| plan.get(index));
    let planned = planned.ok_or_else(|| CommandError::usage(format!("there is no stage `{stage}`")))?;
    let result = result(&session, planned, &stage, output)?;
    let ports = ports(&result, &stage, port.as_deref())?;
    let folder = session.store.layout().out_stage(session.pipeline(), &stage);
    let there = folder.is_dir() && session.store.is_in_place(&result, &folder);
    let place =
        there.then(|| if port.is_some() && result.outputs.len() > 1 { folder.join(ports[0].0) } else { folder });
    let (store, place) = (&session.store, place.as_deref());
    let view = View {
        store,
        output,
        rows: options.rows,
        batch: options.batch_size,
        manifest: &session.checked.manifest,
        place,
    };
    if options.json {
        output.json(&as_json(&stage, &result, &ports, view)?)?;
    } else {
        output.data(&as_text(&stage, &result, &ports, view, port.is_some())?)?;
    }
    Ok(Exit::Done)
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
        ArtifactType::Tokenizer(TokenizerType { vocabulary: Some(size), .. }) => {
            format!("tokenizer of {}", numbers::counted(*size as usize, "token"))
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
    let mut made = format!("made {} in {}", env::local_time(result.made), numbers::duration(result.seconds));
    if let Some(place) = view.place {
        made.push_str(&format!(", lies in {}", env::shown(place)));
    }
    let mut out = format!("{}  {}  {}\n", paint.bold(stage), result.kind, paint.dim(made));
    if !result.summary.is_empty() && !one {
        out.push_str(&format!("{}\n", result.summary));
    }
    // A stage that gives nothing but numbers would show them twice.
    let numbers_alone = matches!(ports, [(_, artifact)] if artifact.ty == ArtifactType::Metrics);
    if !(one || numbers_alone && result.gates.is_empty()) {
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
    let example = format!("{stage}.{}", example(ports));
    let named = env::command_words(&view.manifest.path, &example, &view.manifest.set);
    out.push_str(&format!("\n{}\n", paint.dim(format!("`kilter show {named}` shows one of them"))));
    Ok(out)
}

/// The output that is most worth a look: a table, where there is one.
fn example<'a>(ports: &[(&'a str, &ArtifactRecord)]) -> &'a str {
    let table = ports.iter().find(|(_, artifact)| matches!(artifact.ty, ArtifactType::Table(_)));
    table.or(ports.first()).map_or("", |(port, _)| *port)
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
        let mut value = json!({
            "type": artifact.ty,
            "digest": artifact.digest,
            "bytes": size(artifact),
            "files": artifact.files,
        });
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
