//! `kilter plan`

use super::session::Session;
use super::{Exit, Level, Outcome, Output, args, locate};
use crate::numbers;
use crate::plan::{Decision, Plan, PlannedStage};
use serde_json::json;

pub(super) fn run(options: &args::Plan, output: Output) -> Outcome {
    let words = locate::words(&options.words)?;
    let session = Session::sound(&words.manifest, &options.params.set, output)?;
    let plan = session.plan(&words.names, options.force)?;
    if options.json {
        output.json(&as_json(&session, &plan))?;
    } else {
        output.data(&as_text(&session, &plan, output))?;
    }
    Ok(Exit::Done)
}

fn as_text(session: &Session, plan: &Plan, output: Output) -> String {
    let paint = output.out;
    let shown = |planned: &&PlannedStage| output.level == Level::Verbose || planned.cached().is_none();
    let name = |planned: &PlannedStage| session.checked.stages[planned.index].name.as_str();
    let width = plan.stages.iter().filter(shown).map(|planned| name(planned).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for planned in plan.stages.iter().filter(shown) {
        let head = format!("{:<width$}", name(planned));
        let lines = match &planned.decision {
            Decision::Cached(result) => vec![format!("cached      {}", result.summary)],
            Decision::Run(reasons) => {
                let lines = reasons.iter().enumerate();
                lines
                    .map(|(at, reason)| format!("{}{reason}", if at == 0 { "will run    " } else { "            " }))
                    .collect()
            }
            Decision::Unknown { waits_for } => vec![unknown(session, waits_for)],
        };
        for (at, line) in lines.iter().enumerate() {
            let head = if at == 0 { paint.bold(&head) } else { " ".repeat(width) };
            let line = if matches!(planned.decision, Decision::Run(_)) { line.clone() } else { paint.dim(line) };
            out.push_str(&format!("  {head}  {line}\n"));
        }
    }
    out.push_str(&counts(plan));
    out
}

/// `unknown until train has run`
pub(super) fn unknown(session: &Session, waits_for: &[usize]) -> String {
    let names: Vec<&str> = waits_for.iter().map(|index| session.checked.stages[*index].name.as_str()).collect();
    let have = if names.len() == 1 { "has" } else { "have" };
    format!("unknown until {} {have} run", names.join(", "))
}

/// `6 cached · 1 will run · 2 unknown · about 26 s, from earlier runs`
fn counts(plan: &Plan) -> String {
    let (cached, run, unknown) = plan.counts();
    let mut parts = Vec::new();
    for (count, what) in [(cached, "cached"), (run, "will run"), (unknown, "unknown")] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    match plan.estimate() {
        _ if run + unknown == 0 => parts.push("nothing to do".to_owned()),
        Some(seconds) => parts.push(format!("about {}, from earlier runs", numbers::about(seconds))),
        None => {}
    }
    format!("{}\n", parts.join(" · "))
}

fn as_json(session: &Session, plan: &Plan) -> serde_json::Value {
    let name = |index: usize| session.checked.stages[index].name.as_str();
    let stages = plan.stages.iter().map(|planned| {
        let (decision, reasons, waits_for) = match &planned.decision {
            Decision::Cached(_) => ("cached", Vec::new(), Vec::new()),
            Decision::Run(reasons) => ("run", reasons.iter().map(ToString::to_string).collect(), Vec::new()),
            Decision::Unknown { waits_for } => ("unknown", Vec::new(), waits_for.iter().map(|at| name(*at)).collect()),
        };
        json!({
            "stage": name(planned.index),
            "kind": session.checked.stages[planned.index].kind,
            "decision": decision,
            "reasons": reasons,
            "waits_for": waits_for,
            "key": planned.key.as_ref().map(|key| key.digest),
            "seconds_before": planned.earlier.as_ref().map(|earlier| earlier.result.seconds),
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
