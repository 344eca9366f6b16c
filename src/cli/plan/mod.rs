//! `kilter plan`

mod outlook;
mod text;

use self::outlook::{Outlook, broken_gates};
use super::session::{Place, Session};
use super::{Exit, Level, Outcome, Output, args, locate};
use crate::plan::{Decision, InputRead, Plan, inputs_read};
use serde_json::json;
pub(super) use text::unknown;

pub(super) fn run(options: &args::Plan, output: Output) -> Outcome {
    let words = locate::words(&options.words)?;
    let place = Place::of(&words.manifest, &options.params.set)?;
    let plain =
        words.names.is_empty() && !options.force && !options.json && !options.explain && output.level != Level::Verbose;
    if plain
        && let Some(standing) = place.standing(false)
        && standing.all_held().is_some()
    {
        output.data(&text::all_cached(standing.held().count()))?;
        return Ok(Exit::Done);
    }
    let session = place.open().or_mistakes(&words.manifest, output)?;
    let plan = session.plan(&words.names, options.force)?;
    session.keep(&options.params.set);
    let outlook = Outlook::of(&session, &plan);
    if options.json {
        output.json(&as_json(&session, &plan, &outlook))?;
    } else {
        output.data(&text::as_text((&session, &plan, &outlook), options.explain, output))?;
    }
    Ok(Exit::Done)
}

fn as_json(session: &Session, plan: &Plan, outlook: &Outlook) -> serde_json::Value {
    let name = |index: usize| session.checked.stages[index].name.as_str();
    let stages = plan.stages.iter().map(|planned| {
        let (decision, reasons, waits_for) = match &planned.decision {
            Decision::Cached(_) => ("cached", Vec::new(), Vec::new()),
            Decision::Run(reasons) => ("run", reasons.iter().map(ToString::to_string).collect(), Vec::new()),
            Decision::Unknown { waits_for } => ("unknown", Vec::new(), waits_for.iter().map(|at| name(*at)).collect()),
        };
        let stage = &session.checked.stages[planned.index];
        let reads = inputs_read(stage, &session.checked, planned.key.as_ref());
        let reads: Vec<_> = reads.iter().map(read_json).collect();
        let failed = outlook.failed(session, planned);
        json!({
            "stage": name(planned.index),
            "kind": session.checked.stages[planned.index].kind,
            "decision": decision,
            "reasons": reasons,
            "waits_for": waits_for,
            "begins": planned.beginning.as_ref().map(ToString::to_string),
            "key": planned.key.as_ref().map(|key| key.digest),
            "reads": reads,
            "seconds_before": planned.earlier.as_ref().map(|earlier| earlier.result.seconds),
            "broken_gates": broken_gates(planned).collect::<Vec<_>>(),
            "held_up_by": outlook.held_up_by(planned).map(name),
            "failed": failed.map(|(run, message)| json!({ "run": run.id, "started": run.started, "message": message })),
        })
    });
    let (cached, run, unknown) = plan.counts();
    json!({
        "pipeline": session.pipeline(),
        "stages": stages.collect::<Vec<_>>(),
        "cached": cached,
        "run": run,
        "unknown": unknown,
        "saved_seconds": plan.saved(),
        "estimated_seconds": plan.estimate(),
    })
}

/// An input and what is read of it; `columns` is null where it is no table, or one whose columns are not known yet. `behind` is
/// what a table is made of that is not kept.
fn read_json(input: &InputRead) -> serde_json::Value {
    let columns = input.columns.as_ref();
    let mut shown = json!({
        "input": input.reference,
        "artifact": input.artifact,
        "columns": columns.map(|read| &read.names),
        "of": columns.map(|read| read.of),
    });
    if !input.behind.is_empty() {
        shown["behind"] = input.behind.iter().map(read_json).collect();
    }
    shown
}
