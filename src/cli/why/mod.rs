//! `kilter why`

mod key;
mod looked;

use self::key::made_of;
use super::failures::Failures;
use super::plan::unknown;
use super::session::Session;
use super::{CommandError, Exit, Level, Outcome, Output, args, locate, named};
use crate::plan::{Decision, PlannedStage, Reason, Unread, nearest, unread};
use crate::report::Paint;
use crate::stage::StageResult;
use crate::{env, numbers};
use serde_json::{Value, json};

pub(super) fn run(options: &args::Why, output: Output) -> Outcome {
    let (manifest, name) = locate::manifest_and_name(&options.words, "stage")?;
    let session = Session::open(&manifest, &options.params.set)?.or_mistakes_in(&manifest, Some(&name), output)?;
    let (name, _) = named::stage(&session.checked, &name)?;
    let plan = session.plan(std::slice::from_ref(&name), false)?;
    let planned = session.checked.find(&name).and_then(|index| plan.get(index));
    let planned = planned.ok_or_else(|| CommandError::usage(format!("there is no stage `{name}`")))?;
    if options.json {
        output.json(&as_json(&session, &name, planned))?;
    } else {
        output.data(&as_text(&session, &plan, &name, planned, output))?;
    }
    Ok(Exit::Done)
}

fn as_text(session: &Session, plan: &crate::plan::Plan, name: &str, planned: &PlannedStage, output: Output) -> String {
    let paint = output.out;
    let failed = failed(session, name, planned);
    let mut out = history(name, planned, failed.is_some(), paint);
    out.push_str(&failed.unwrap_or_default());
    let again = if planned.earlier.is_some() { " again" } else { "" };
    match &planned.decision {
        Decision::Cached(result) => out.push_str(&would_not(session, planned, result)),
        Decision::Run(reasons) => {
            out.push_str(&match reasons.as_slice() {
                [Reason::NeverRan] => "It would run.\n".to_owned(),
                _ => format!("It would run{again} because\n{}", lines(&looked::at_rows(session, reasons))),
            });
            if let Some(beginning) = &planned.beginning {
                out.push_str(&format!("It {beginning}.\n"));
            }
            out.push_str(&nearer(session, planned, reasons));
        }
        Decision::Unknown { waits_for } => {
            out.push_str(&format!("Whether it would run{again} is {}.\n", unknown(session, waits_for)));
            for index in waits_for.iter() {
                let Some(Decision::Run(reasons)) = plan.get(*index).map(|waited| &waited.decision) else { continue };
                let stage = paint.bold(&session.checked.stages[*index].name);
                out.push_str(&match reasons.as_slice() {
                    [Reason::NeverRan] => format!("{stage} has not run yet, and would run.\n"),
                    _ => format!("{stage} would run because\n{}", lines(&looked::at_rows(session, reasons))),
                });
            }
        }
    }
    let cached = planned.cached().is_some();
    if let Some(key) = planned.key.as_ref().filter(|_| cached || output.level == Level::Verbose) {
        out.push_str(if cached { "\nIt was made of\n" } else { "\nIt would be made of\n" });
        let stages = &session.checked.stages;
        out.push_str(&made_of(&key.json(&stages[planned.index], stages), paint));
    }
    out
}

/// `It failed 2026-05-04 10:12: …` where the stage was tried since its last result, and failed.
fn failed(session: &Session, stage: &str, planned: &PlannedStage) -> Option<String> {
    let failures = Failures::of(session);
    let (run, message) = failures.last(stage, planned)?;
    let layout = session.store.layout();
    let log = Some(layout.log(&run.id, stage)).filter(|log| log.is_file());
    let log = log.map(|log| format!("; its log is {}", layout.shown(&log))).unwrap_or_default();
    Some(format!("It failed {}: {message}{log}.\n", env::local_time(run.started)))
}

fn lines(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| format!("  {reason}\n")).collect()
}

/// Why a cached stage would not run, where there is more to say than that nothing changed.
fn would_not(session: &Session, planned: &PlannedStage, result: &StageResult) -> String {
    let unread = unread_of(session, planned, result);
    let mut out = "It would not run: nothing that it is made of changed.\n".to_owned();
    for input in unread {
        out.push_str(&format!("  {input}\n"));
    }
    out
}

fn unread_of(session: &Session, planned: &PlannedStage, result: &StageResult) -> Vec<Unread> {
    let stage = &session.checked.stages[planned.index];
    let key = planned.key.as_ref();
    key.map_or_else(Vec::new, |key| unread(stage, &session.checked, &session.store, key, result))
}

/// A result that is nearer than the last one, where there is one.
fn nearer(session: &Session, planned: &PlannedStage, reasons: &[Reason]) -> String {
    let stage = &session.checked.stages[planned.index];
    let Some((key, last)) = planned.key.as_ref().zip(planned.earlier.as_ref()) else { return String::new() };
    match nearest(&session.checked, &session.store, stage, key) {
        Some((result, fewer)) if fewer.len() < reasons.len() && result.made != last.result.made => {
            format!(
                "The nearest result was made {}; from that differs only\n{}",
                env::local_time(result.made),
                lines(&fewer)
            )
        }
        _ => String::new(),
    }
}

/// `train last ran 2026-05-04 10:12, took 26.1 s, and its result is cached.`
fn history(name: &str, planned: &PlannedStage, failed: bool, paint: Paint) -> String {
    let name = paint.bold(name);
    let ran = |result: &StageResult| {
        format!("{name} last ran {}, took {}", env::local_time(result.made), numbers::duration(result.seconds))
    };
    match (planned.cached(), &planned.earlier) {
        (Some(result), _) => format!("{}, and its result is cached.\n", ran(result)),
        (None, Some(earlier)) => format!("{}.\n", ran(&earlier.result)),
        (None, None) if failed => format!("{name} has no result yet.\n"),
        (None, None) => format!("{name} has not run yet.\n"),
    }
}

fn as_json(session: &Session, name: &str, planned: &PlannedStage) -> Value {
    let (reasons, unread) = match &planned.decision {
        Decision::Run(reasons) => (looked::at_rows(session, reasons), Vec::new()),
        Decision::Cached(result) => (Vec::new(), unread_of(session, planned, result)),
        Decision::Unknown { .. } => (Vec::new(), Vec::new()),
    };
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    let unread: Vec<String> = unread.iter().map(ToString::to_string).collect();
    let waits_for: Vec<&str> = match &planned.decision {
        Decision::Unknown { waits_for } => {
            waits_for.iter().map(|index| session.checked.stages[*index].name.as_str()).collect()
        }
        _ => Vec::new(),
    };
    let decision = match &planned.decision {
        Decision::Cached(_) => "cached",
        Decision::Run(_) => "run",
        Decision::Unknown { .. } => "unknown",
    };
    let earlier = planned.cached().or(planned.earlier.as_ref().map(|earlier| &earlier.result));
    let stages = &session.checked.stages;
    json!({
        "stage": name,
        "decision": decision,
        "reasons": reasons,
        "waits_for": waits_for,
        "begins": planned.beginning.as_ref().map(ToString::to_string),
        "not_read": unread,
        "key": planned.key.as_ref().map(|key| key.json(&stages[planned.index], stages)),
        "earlier_key": earlier.map(|result| result.key.json()),
        "made": earlier.map(|result| result.made),
    })
}
