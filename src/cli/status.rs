//! `kilter status`

use super::failures::Failures;
use super::plan::unknown;
use super::session::{Place, Session, result_size};
use super::{Exit, Outcome, Output, args, locate};
use crate::check::Mistake;
use crate::diag::list;
use crate::history::Run;
use crate::plan::{Decision, PlannedStage, Reason};
use crate::report::{Align, Table};
use crate::stage::StageResult;
use crate::store::{Noted, StandingStage};
use crate::{env, numbers};
use serde_json::json;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::path::Path;

pub(super) fn run(options: &args::Status, output: Output) -> Outcome {
    let manifest = locate::manifest(&options.manifest.words())?;
    let place = Place::of(&manifest, &options.params.set)?;
    match place.standing(false) {
        Some(standing) if standing.stages().all(|stage| matches!(stage.noted, Noted::Held(_))) => {
            // Never dropped: the process ends with it.
            let standing = ManuallyDrop::new(standing);
            let out = place.store.layout().out(standing.pipeline());
            show(options, (standing.pipeline(), &out), standing.stages().filter_map(Row::noted), output)
        }
        _ => {
            let session = place.open().or_mistakes_in(&manifest, None, output)?;
            let plan = session.plan(&[], false)?;
            session.keep(&options.params.set);
            let out = session.store.layout().out(session.pipeline());
            let failures = Failures::of(&session);
            let rows = plan.stages.iter().map(|stage| Row::planned(&session, stage, &failures));
            show(options, (session.pipeline(), &out), rows, output)
        }
    }
}

/// Shows the stages of a pipeline, and what its folder under `out/` has besides.
fn show<'a>(
    options: &args::Status,
    (pipeline, out): (&str, &Path),
    rows: impl Iterator<Item = Row<'a>>,
    output: Output,
) -> Outcome {
    if options.json {
        output.json(&json!({ "pipeline": pipeline, "stages": rows.map(|row| row.as_json()).collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    use Align::{Left, Right};
    let mut table = Table::new(["stage", "kind", "state", "made", "took", "size", "result"])
        .align(&[Left, Left, Left, Left, Right, Right, Left]);
    let mut folders = BTreeSet::new();
    for row in rows {
        folders.insert(row.stage.split('/').next().unwrap_or_default());
        let paint = output.out;
        let state = match row.state {
            "cached" => paint.green("cached"),
            other => paint.yellow(other),
        };
        let [made, took, size] = row.facts();
        table.row([row.stage.to_owned(), row.kind.to_owned(), state, made, took, size, row.note.into_owned()]);
    }
    // For a pipe nothing is cut.
    let width = if output.terminal { output.width } else { usize::MAX };
    output.data(&table.render(width, 2, output.out))?;
    let left = left_over(out, &folders);
    if !left.is_empty() {
        let (names, is) = (list(left.iter().map(String::as_str), 4), if left.len() == 1 { "is" } else { "are" });
        output.say(&format!(
            "{names} in {} {is} of no stage of the manifest; `kilter gc` removes what an earlier stage left there",
            env::shown(out)
        ));
    }
    Ok(Exit::Done)
}

/// The folders of a pipeline under `out/` that none of its stages fills, by name.
fn left_over(out: &Path, folders: &BTreeSet<&str>) -> Vec<String> {
    let there = std::fs::read_dir(out).into_iter().flatten().flatten();
    let names = there.map(|entry| entry.file_name().to_string_lossy().into_owned());
    // What begins with a dot is about to get another name.
    let mut left: Vec<String> =
        names.filter(|name| !folders.contains(name.as_str()) && !name.starts_with('.')).collect();
    left.sort();
    left
}

/// What is told of a stage.
struct Row<'a> {
    stage: &'a str,
    kind: &'a str,
    state: &'static str,
    note: Cow<'a, str>,
    result: Option<Facts<'a>>,
}

/// What is told of a result that is there, or was.
struct Facts<'a> {
    made: u64,
    seconds: f64,
    bytes: u64,
    summary: &'a str,
    metrics: &'a BTreeMap<String, f64>,
}

impl<'a> Row<'a> {
    fn planned(session: &'a Session, planned: &'a PlannedStage, failures: &Failures) -> Self {
        let stage = &session.checked.stages[planned.index];
        let result = result(planned).map(|result| Facts {
            made: result.made,
            seconds: result.seconds,
            bytes: result_size(result),
            summary: &result.summary,
            metrics: &result.metrics,
        });
        let failed = failures.last(&stage.name, planned).filter(|_| stage.mistake.is_none());
        let note = match (&planned.decision, stage.mistake) {
            (_, Some(mistake)) => mistake.to_string().into(),
            (Decision::Cached(result), None) => Cow::Borrowed(result.summary.as_str()),
            (Decision::Run(reasons), None) => told(reasons, failed).into(),
            (Decision::Unknown { waits_for }, None) => unknown(session, waits_for).into(),
        };
        let state = match stage.mistake {
            Some(Mistake::Own) => "mistake",
            Some(Mistake::Before) => "unknown",
            None => state(planned, failed.is_some()),
        };
        Self { stage: &stage.name, kind: &stage.kind, state, note, result }
    }

    /// A stage whose result is noted.
    fn noted(stage: &'a StandingStage) -> Option<Self> {
        let Noted::Held(held) = &stage.noted else { return None };
        let state = if held.gates_hold { "cached" } else { "gate broken" };
        let (summary, metrics) = (held.summary.as_str(), &held.metrics);
        let result = Facts { made: held.made, seconds: held.seconds, bytes: held.bytes, summary, metrics };
        Some(Self { stage: &stage.name, kind: &stage.kind, state, note: summary.into(), result: Some(result) })
    }

    /// When it was made, how long that took, how large it is.
    fn facts(&self) -> [String; 3] {
        self.result.as_ref().map_or_else(Default::default, |facts| {
            [env::local_time(facts.made), numbers::duration(facts.seconds), numbers::bytes(facts.bytes)]
        })
    }

    fn as_json(&self) -> serde_json::Value {
        let result = self.result.as_ref();
        json!({
            "stage": self.stage,
            "kind": self.kind,
            "state": self.state,
            "made": result.map(|result| result.made),
            "seconds": result.map(|result| result.seconds),
            "bytes": result.map(|result| result.bytes),
            "summary": result.map(|result| result.summary),
            "metrics": result.map(|result| result.metrics),
        })
    }
}

/// Why a stage would run, and how it went when it was last tried.
fn told(reasons: &[Reason], failed: Option<(&Run, &str)>) -> String {
    let failed = failed.map(|(run, message)| format!("failed {}: {message}", env::local_time(run.started)));
    // What failed has run.
    let reasons = reasons.iter().filter(|reason| failed.is_none() || **reason != Reason::NeverRan);
    let mut words: Vec<String> = reasons.map(ToString::to_string).collect();
    words.extend(failed);
    words.join("; ")
}

/// `cached`; `failed` where the last try did; `changed` where an earlier result does not fit any more; `new` where there is none;
/// `unknown`.
fn state(planned: &PlannedStage, failed: bool) -> &'static str {
    match &planned.decision {
        Decision::Cached(result) if result.broken_gates().next().is_some() => "gate broken",
        Decision::Cached(_) => "cached",
        Decision::Run(_) if failed => "failed",
        Decision::Run(reasons) if reasons.contains(&Reason::NeverRan) => "new",
        Decision::Run(_) => "changed",
        Decision::Unknown { .. } => "unknown",
    }
}

/// The result that a stage has, or had.
fn result(planned: &PlannedStage) -> Option<&StageResult> {
    let earlier = planned.earlier.as_ref().map(|earlier| earlier.result.as_ref());
    planned.cached().map(AsRef::as_ref).or(earlier)
}
