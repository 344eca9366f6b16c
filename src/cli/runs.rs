//! `kilter runs`: the history as a list, and one run of it in full.

use super::{CommandError, Exit, Outcome, Output, args, locate};
use crate::git;
use crate::history::{Attempt, History, HistoryError, Member, Run, RunState};
use crate::report::{Align, Paint, Table};
use crate::store::{Store, Workspace};
use crate::{env, manifest, numbers};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// So many metrics of a run are listed beside it.
const METRICS: usize = 3;

pub(super) fn run(options: &args::Runs, output: Output) -> Outcome {
    let (manifest, prefix) = words(&options.words)?;
    let workspace = workspace(manifest.as_deref().unwrap_or(Path::new(".")))?;
    let store = Store::open(&workspace);
    let Some(history) = open(&store)? else {
        return no_history(options, output);
    };
    let pipeline = manifest.as_deref().map(|path| pipeline_of(path, &workspace.root)).transpose()?;
    if let Some(prefix) = prefix {
        let run = find(&history, &store, pipeline.as_deref(), &prefix)?;
        let (attempts, results) = (history.attempts(&run)?, history.results(&run)?);
        if options.json {
            output.json(&whole_json(&run, &attempts, &results))?;
        } else {
            output.data(&whole_text(&run, &attempts, &results, output))?;
        }
        return Ok(Exit::Done);
    }
    let all = history.runs(pipeline.as_deref(), store.boot(), usize::MAX)?;
    if let Some(pipeline) = pipeline.filter(|_| all.is_empty()) {
        output.say(&format!("nothing of `{pipeline}` ran in this workspace yet"));
    }
    let idle = |run: &&Run| run.state == RunState::Done && run.ran == 0;
    let hidden = if options.all { 0 } else { all.iter().filter(idle).count() };
    let shown: Vec<Run> = all.into_iter().filter(|run| options.all || !idle(&run)).take(options.number).collect();
    if options.json {
        let runs = shown.iter().map(|run| Ok(json(run, &history.results(run)?)));
        output.json(&Value::Array(runs.collect::<Result<_, HistoryError>>()?))?;
        return Ok(Exit::Done);
    }
    output.data(&list(&shown, &history, output)?)?;
    if hidden > 0 {
        output.say(&format!(
            "{} that had nothing to do {} not shown; `--all` lists them",
            numbers::counted(hidden, "run"),
            if hidden == 1 { "is" } else { "are" }
        ));
    }
    Ok(Exit::Done)
}

/// The workspace of a path.
pub(super) fn workspace(path: &Path) -> Result<Workspace, CommandError> {
    Workspace::find(path).map_err(|error| CommandError::environment(error.to_string()))
}

/// The workspace that a folder is in; of the current one, where none is named.
pub(super) fn workspace_of(folder: Option<&Path>) -> Result<Workspace, CommandError> {
    match folder {
        Some(folder) if !folder.exists() => {
            Err(CommandError::usage(format!("the folder `{}` does not exist", folder.display())))
        }
        folder => workspace(folder.unwrap_or(Path::new("."))),
    }
}

/// The history of a workspace; `None` where nothing ran yet.
pub(super) fn open(store: &Store) -> Result<Option<History>, CommandError> {
    Ok(History::open(&store.layout().history())?)
}

/// The run whose id begins so; `last` is the newest one. Of one pipeline, where it is named.
pub(super) fn find(
    history: &History,
    store: &Store,
    pipeline: Option<&str>,
    prefix: &str,
) -> Result<Run, CommandError> {
    let mut found = match prefix {
        "last" => history.runs(pipeline, store.boot(), 1)?,
        prefix => history.runs_of(prefix, store.boot())?,
    };
    found.retain(|run| pipeline.is_none_or(|pipeline| run.pipeline == pipeline));
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let message = match (pipeline, prefix) {
                (Some(pipeline), "last") => format!("nothing of `{pipeline}` ran in this workspace yet"),
                (Some(pipeline), _) => format!("no run of `{pipeline}` has an id that begins with `{prefix}`"),
                (None, _) => format!("no run's id begins with `{prefix}`"),
            };
            Err(CommandError::usage(message).hint("`kilter runs --all` lists every run"))
        }
        _ => Err(CommandError::usage(format!(
            "`{prefix}` is the beginning of several runs: {}",
            crate::diag::list(found.iter().map(|run| run.id.as_str()), 6)
        ))
        .hint("write more of its id")),
    }
}

/// The manifest, where the first word ends in `.toml`, and a run's id.
fn words(words: &[String]) -> Result<(Option<PathBuf>, Option<String>), CommandError> {
    let (manifest, rest) = match words.split_first() {
        Some((first, rest)) if first.ends_with(".toml") => (Some(locate::manifest(std::slice::from_ref(first))?), rest),
        _ => (None, words),
    };
    match rest {
        [] => Ok((manifest, None)),
        [run] => Ok((manifest, Some(run.clone()))),
        [_, extra, ..] => Err(CommandError::usage(format!("unexpected `{extra}`: this command takes one run"))),
    }
}

/// A pipeline's name, read from its manifest, whatever else is wrong there.
pub(super) fn pipeline_of(path: &Path, workspace: &Path) -> Result<String, CommandError> {
    let loaded = manifest::load(&manifest::LoadOptions { path, workspace, set: &[] });
    let name = loaded.manifest.map(|manifest| manifest.pipeline.name).filter(|name| !name.is_empty());
    name.ok_or_else(|| CommandError::usage(format!("`{}` names no pipeline", path.display())))
}

fn no_history(options: &args::Runs, output: Output) -> Outcome {
    if options.json {
        output.json(&json!([]))?;
    }
    output.say("nothing ran in this workspace yet");
    Ok(Exit::Done)
}

fn list(runs: &[Run], history: &History, output: Output) -> Result<String, CommandError> {
    let paint = output.out;
    let right = [Align::Left, Align::Left, Align::Left, Align::Left, Align::Right, Align::Right, Align::Right];
    let heads = ["run", "began", "pipeline", "state", "ran", "cached", "took", "git", "metrics"];
    let mut table = Table::new(heads).align(&right);
    for run in runs {
        let took = run.seconds.map_or_else(String::new, numbers::duration);
        let results = history.results(run)?;
        let shown = metrics(&results).into_iter().map(|(name, value)| format!("{name} {}", numbers::number(value)));
        table.row([
            run.id.clone(),
            env::local_time(run.started),
            run.pipeline.clone(),
            state(run, paint),
            numbers::count(run.ran),
            numbers::count(run.cached),
            took,
            revision(run),
            shown.collect::<Vec<_>>().join(", "),
        ]);
    }
    let width = if output.terminal { output.width } else { usize::MAX };
    Ok(if table.is_empty() { String::new() } else { table.render(width, 2, paint) })
}

fn state(run: &Run, paint: Paint) -> String {
    let name = run.state.name();
    match run.state {
        RunState::Done => paint.green(name),
        RunState::Running => paint.cyan(name),
        RunState::Interrupted => paint.yellow(name),
        RunState::Failed | RunState::Killed => paint.red(name),
    }
}

/// `1a2b3c4 main`, with a star where tracked files differed.
pub(super) fn revision(run: &Run) -> String {
    let Some(revision) = &run.revision else { return String::new() };
    let star = if run.dirty == Some(true) { "*" } else { "" };
    let branch = run.branch.iter().map(|branch| format!(" {branch}")).collect::<String>();
    format!("{}{star}{branch}", git::short(revision))
}

/// The metrics of a run that are listed beside it: those whose gate does not hold, then those of the last stage that has any.
fn metrics(results: &[Member]) -> Vec<(&str, f64)> {
    let broken = results.iter().flat_map(|member| member.result.broken_gates());
    let broken = broken.map(|gate| (gate.metric.as_str(), gate.value));
    let last = results.iter().rev().map(|member| &member.result.metrics).find(|metrics| !metrics.is_empty());
    let last = last.into_iter().flatten().map(|(name, value)| (name.as_str(), *value));
    let mut listed: Vec<(&str, f64)> = Vec::new();
    for (name, value) in broken.chain(last) {
        if listed.iter().all(|(known, _)| *known != name) {
            listed.push((name, value));
        }
        if listed.len() == METRICS {
            break;
        }
    }
    listed
}

fn json(run: &Run, results: &[Member]) -> Value {
    let metrics: BTreeMap<&str, &BTreeMap<String, f64>> = results
        .iter()
        .filter(|member| !member.result.metrics.is_empty())
        .map(|member| (member.stage.as_str(), &member.result.metrics))
        .collect();
    json!({
        "run": run.id,
        "pipeline": run.pipeline,
        "manifest": run.manifest,
        "started": run.started,
        "seconds": run.seconds,
        "state": run.state.name(),
        "params": run.params,
        "targets": run.targets,
        "revision": run.revision,
        "branch": run.branch,
        "dirty": run.dirty,
        "ran": run.ran,
        "cached": run.cached,
        "failed": run.failed,
        "skipped": run.skipped,
        "metrics": metrics,
    })
}

fn whole_json(run: &Run, attempts: &[Attempt], results: &[Member]) -> Value {
    let mut value = json(run, results);
    let stage = |(name, kind, state, seconds, message): (&str, &str, &str, f64, &str), member: Option<&Member>| {
        json!({
            "stage": name,
            "kind": kind,
            "state": state,
            "seconds": seconds,
            "message": message,
            "key": member.map(|member| member.key),
            "metrics": member.map(|member| &member.result.metrics),
        })
    };
    value["stages"] = stages(attempts, results).into_iter().map(|(facts, member)| stage(facts, member)).collect();
    value
}

/// Name, kind, state, seconds and a line.
type Facts<'a> = (&'a str, &'a str, &'a str, f64, &'a str);

/// Every stage of a run: those with a result, then those without.
fn stages<'a>(attempts: &'a [Attempt], results: &'a [Member]) -> Vec<(Facts<'a>, Option<&'a Member>)> {
    let tried: BTreeMap<&str, &Attempt> = attempts.iter().map(|attempt| (attempt.stage.as_str(), attempt)).collect();
    let facts = |attempt: &'a Attempt| {
        let Attempt { stage, kind, state, seconds, message } = attempt;
        (stage.as_str(), kind.as_str(), state.as_str(), *seconds, message.as_str())
    };
    let mut rows: Vec<(Facts<'_>, Option<&Member>)> = Vec::new();
    for member in results {
        let cached =
            (member.stage.as_str(), member.result.kind.as_str(), "cached", 0.0, member.result.summary.as_str());
        rows.push((tried.get(member.stage.as_str()).map_or(cached, |attempt| facts(attempt)), Some(member)));
    }
    let has_result = |attempt: &&Attempt| results.iter().any(|member| member.stage == attempt.stage);
    rows.extend(attempts.iter().filter(|attempt| !has_result(attempt)).map(|attempt| (facts(attempt), None)));
    rows
}

fn whole_text(run: &Run, attempts: &[Attempt], results: &[Member], output: Output) -> String {
    let paint = output.out;
    let took = run.seconds.map_or_else(String::new, |seconds| format!(", took {}", numbers::duration(seconds)));
    let mut out = format!(
        "{}  {}  {}  {}\n",
        paint.bold(&run.id),
        run.pipeline,
        state(run, paint),
        paint.dim(format!("began {}{took}", env::local_time(run.started)))
    );
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("  {name:<9} {value}\n"));
        }
    };
    fact("manifest", run.manifest.clone());
    fact("git", revision(run));
    fact("stages", run.targets.join(", "));
    let params: Vec<String> = run.params.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    fact("params", params.join(", "));
    let mut table = Table::new(["stage", "kind", "state", "took", "result"]).align(&[
        Align::Left,
        Align::Left,
        Align::Left,
        Align::Right,
    ]);
    for ((name, kind, state, seconds, message), _) in stages(attempts, results) {
        let took = if seconds > 0.0 { numbers::duration(seconds) } else { String::new() };
        let state = match state {
            "ran" => paint.green(state),
            "cached" => paint.dim(state),
            "skipped" => paint.yellow(state),
            other => paint.red(other),
        };
        table.row([name.to_owned(), kind.to_owned(), state, took, message.to_owned()]);
    }
    let width = if output.terminal { output.width } else { usize::MAX };
    if !table.is_empty() {
        out.push_str(&format!("\n{}", table.render(width, 2, paint)));
    }
    let mut table = Table::new(["stage", "metric", "value"]).align(&[Align::Left, Align::Left, Align::Right]);
    for member in results {
        for (name, value) in &member.result.metrics {
            table.row([member.stage.clone(), name.clone(), numbers::number(*value)]);
        }
    }
    if !table.is_empty() {
        out.push_str(&format!("\n{}", table.render(width, 2, paint)));
    }
    out
}

impl From<HistoryError> for CommandError {
    fn from(error: HistoryError) -> Self {
        let told = Self::environment(format!("the history of runs cannot be read: {error}"));
        if error.is_damage() {
            return told.hint("the next `kilter run` sets it aside and begins a new one");
        }
        if matches!(error, HistoryError::Newer(_)) { told.hint("use a newer kilter") } else { told }
    }
}
