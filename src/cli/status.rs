//! `kilter status`

use super::plan::unknown;
use super::session::{Session, result_size};
use super::{Exit, Outcome, Output, args, locate};
use crate::plan::{Decision, PlannedStage, Reason};
use crate::report::{Align, Table};
use crate::stage::StageResult;
use crate::{env, numbers};
use serde_json::json;

pub(super) fn run(options: &args::Status, output: Output) -> Outcome {
    let manifest = locate::manifest(&options.words)?;
    let session = Session::sound(&manifest, &options.params.set, output)?;
    let plan = session.plan(&[], false)?;
    if options.json {
        let stages: Vec<_> = plan.stages.iter().map(|planned| as_json(&session, planned)).collect();
        output.json(&json!({ "pipeline": session.pipeline(), "stages": stages }))?;
        return Ok(Exit::Done);
    }
    use Align::{Left, Right};
    let mut table = Table::new(["stage", "kind", "state", "made", "took", "size", "result"])
        .align(&[Left, Left, Left, Left, Right, Right, Left]);
    for planned in &plan.stages {
        let stage = &session.checked.stages[planned.index];
        let paint = output.out;
        let state = match state(planned) {
            "cached" => paint.green("cached"),
            other => paint.yellow(other),
        };
        let head = [stage.name.clone(), stage.kind.clone(), state];
        table.row(head.into_iter().chain(facts(&session, planned)));
    }
    // For a pipe nothing is cut.
    let width = if output.terminal { output.width } else { usize::MAX };
    output.data(&table.render(width, 2, output.out))?;
    Ok(Exit::Done)
}

/// `cached`; `changed` where an earlier result does not fit any more; `new` where there is none; `unknown`.
fn state(planned: &PlannedStage) -> &'static str {
    match &planned.decision {
        Decision::Cached(result) if result.broken_gates().next().is_some() => "gate broken",
        Decision::Cached(_) => "cached",
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

fn facts(session: &Session, planned: &PlannedStage) -> [String; 4] {
    let note = match &planned.decision {
        Decision::Cached(result) => result.summary.clone(),
        Decision::Run(reasons) => reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        Decision::Unknown { waits_for } => unknown(session, waits_for),
    };
    match result(planned) {
        Some(result) => {
            [env::local_time(result.made), numbers::duration(result.seconds), numbers::bytes(result_size(result)), note]
        }
        None => [String::new(), String::new(), String::new(), note],
    }
}

fn as_json(session: &Session, planned: &PlannedStage) -> serde_json::Value {
    let stage = &session.checked.stages[planned.index];
    let result = result(planned);
    json!({
        "stage": stage.name,
        "kind": stage.kind,
        "state": state(planned),
        "made": result.map(|result| result.made),
        "seconds": result.map(|result| result.seconds),
        "bytes": result.map(result_size),
        "summary": result.map(|result| result.summary.as_str()),
        "metrics": result.map(|result| &result.metrics),
    })
}
