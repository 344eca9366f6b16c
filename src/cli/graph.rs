//! `kilter graph`

use super::args::{self, GraphFormat};
use super::session::Session;
use super::{CommandError, Exit, Outcome, Output, locate};
use crate::check::Checked;
use crate::plan::Decision;
use crate::report::{Drawing, Graph, Node, Paint, State};
use std::path::Path;

pub(super) fn run(options: &args::Graph, output: Output) -> Outcome {
    let manifest = locate::manifest(&options.manifest.words())?;
    let session = Session::open(&manifest, &options.params.set)?.or_mistakes_in(&manifest, None, output)?;
    let drawing = drawing(options)?;
    let graph = graph(&session.checked, &states(&session, options.status)?);
    match &options.output {
        None => output.data(&graph.draw(drawing, output.out))?,
        Some(path) => {
            let text = graph.draw(drawing, Paint::new(false));
            std::fs::write(path, text).map_err(|error| CommandError::io("write", path, &error))?;
            output.say(&format!("the graph is in {}", path.display()));
        }
    }
    Ok(Exit::Done)
}

fn drawing(options: &args::Graph) -> Result<Drawing, CommandError> {
    Ok(match (options.format, options.output.as_deref()) {
        (Some(GraphFormat::Tree), _) | (None, None) => Drawing::Tree,
        (Some(GraphFormat::Mermaid), _) => Drawing::Mermaid,
        (Some(GraphFormat::Dot), _) => Drawing::Dot,
        (Some(GraphFormat::Svg), _) => Drawing::Svg,
        (None, Some(path)) => by_ending(path)?,
    })
}

fn by_ending(path: &Path) -> Result<Drawing, CommandError> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => Ok(Drawing::Svg),
        Some("dot" | "gv") => Ok(Drawing::Dot),
        Some("mmd" | "mermaid") => Ok(Drawing::Mermaid),
        Some("txt") => Ok(Drawing::Tree),
        _ => Err(CommandError::usage(format!("the ending of `{}` names no way to draw", path.display()))
            .hint("end it with .svg, .dot, .mmd or .txt, or say `--format`")),
    }
}

/// Whether each stage's result is there, if that is `wanted`.
fn states(session: &Session, wanted: bool) -> Result<Vec<Option<State>>, CommandError> {
    let mut states = vec![None; session.checked.stages.len()];
    if wanted {
        for planned in session.plan(&[], false)?.stages {
            states[planned.index] = Some(match planned.decision {
                // Neither can run before the mistake is mended.
                _ if session.checked.stages[planned.index].mistake.is_some() => State::Unknown,
                Decision::Cached(_) => State::Cached,
                Decision::Run(_) => State::Runs,
                Decision::Unknown { .. } => State::Unknown,
            });
        }
    }
    Ok(states)
}

/// The stages as the drawings want them.
fn graph(checked: &Checked, states: &[Option<State>]) -> Graph {
    let nodes = checked.stages.iter().zip(states).map(|(stage, state)| Node {
        name: stage.name.clone(),
        kind: stage.kind.clone(),
        state: *state,
        uses: stage.refs.iter().map(|used| (used.stage, used.text.clone())).collect(),
    });
    Graph { name: checked.manifest.pipeline.name.clone(), nodes: nodes.collect() }
}
