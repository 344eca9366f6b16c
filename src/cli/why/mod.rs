//! `kilter why`

mod key;

use self::key::made_of;
use super::plan::unknown;
use super::session::Session;
use super::{CommandError, Exit, Level, Outcome, Output, args, locate, named};
use crate::plan::{Decision, PlannedStage};
use crate::report::Paint;
use crate::stage::StageResult;
use crate::{env, numbers};
use serde_json::{Value, json};

pub(super) fn run(options: &args::Why, output: Output) -> Outcome {
    let (manifest, name) = locate::manifest_and_name(&options.words, "stage")?;
    let session = Session::sound(&manifest, &options.params.set, output)?;
    let (name, _) = named::stage(&session.checked, &name)?;
    let plan = session.plan(std::slice::from_ref(&name), false)?;
    let planned = session.checked.find(&name).and_then(|index| plan.get(index));
    let planned = planned.ok_or_else(|| CommandError::usage(format!("there is no stage `{name}`")))?;
    if options.json {
        output.json(&as_json(&name, planned))?;
    } else {
        output.data(&as_text(&session, &plan, &name, planned, output))?;
    }
    Ok(Exit::Done)
}

fn as_text(session: &Session, plan: &crate::plan::Plan, name: &str, planned: &PlannedStage, output: Output) -> String {
    let paint = output.out;
    let mut out = history(name, planned, paint);
    match &planned.decision {
        Decision::Cached(_) => out.push_str("\nIt was made of\n"),
        Decision::Run(reasons) => {
            let again = if planned.earlier.is_some() { " again" } else { "" };
            out.push_str(&format!("It would run{again} because\n"));
            for reason in reasons {
                out.push_str(&format!("  {reason}\n"));
            }
        }
        Decision::Unknown { waits_for } => {
            out.push_str(&format!("Whether it would run again is {}.\n", unknown(session, waits_for)));
            for index in waits_for.iter() {
                let Some(Decision::Run(reasons)) = plan.get(*index).map(|waited| &waited.decision) else { continue };
                out.push_str(&format!("{} would run because\n", paint.bold(&session.checked.stages[*index].name)));
                for reason in reasons {
                    out.push_str(&format!("  {reason}\n"));
                }
            }
        }
    }
    let cached = planned.cached().is_some();
    if let Some(key) = planned.key.as_ref().filter(|_| cached || output.level == Level::Verbose) {
        if !cached {
            out.push_str("\nIt would be made of\n");
        }
        out.push_str(&made_of(&key.json, paint));
    }
    out
}

/// `train last ran 2026-05-04 10:12, took 26.1 s, and its result is cached.`
fn history(name: &str, planned: &PlannedStage, paint: Paint) -> String {
    let name = paint.bold(name);
    let ran = |result: &StageResult| {
        format!("{name} last ran {}, took {}", env::local_time(result.made), numbers::duration(result.seconds))
    };
    match (planned.cached(), &planned.earlier) {
        (Some(result), _) => format!("{}, and its result is cached.\n", ran(result)),
        (None, Some(earlier)) => format!("{}.\n", ran(&earlier.result)),
        (None, None) => format!("{name} has not run yet.\n"),
    }
}

fn as_json(name: &str, planned: &PlannedStage) -> Value {
    let reasons: Vec<String> = match &planned.decision {
        Decision::Run(reasons) => reasons.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let decision = match &planned.decision {
        Decision::Cached(_) => "cached",
        Decision::Run(_) => "run",
        Decision::Unknown { .. } => "unknown",
    };
    let earlier = planned.cached().or(planned.earlier.as_ref().map(|earlier| &earlier.result));
    json!({
        "stage": name,
        "decision": decision,
        "reasons": reasons,
        "key": planned.key.as_ref().map(|key| &key.json),
        "earlier_key": earlier.map(|result| &result.key),
        "made": earlier.map(|result| result.made),
    })
}
