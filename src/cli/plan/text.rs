//! A plan as lines: what will run and why, what is not known yet, and the counts.

use crate::cli::session::Session;
use crate::cli::{Level, Output};
use crate::numbers;
use crate::plan::{Decision, Plan, PlannedStage};
use std::collections::BTreeMap;

pub(super) fn as_text(session: &Session, plan: &Plan, output: Output) -> String {
    let paint = output.out;
    let all = output.level == Level::Verbose;
    let (unknown, known): (Vec<_>, Vec<_>) =
        plan.stages.iter().partition(|planned| matches!(planned.decision, Decision::Unknown { .. }));
    let shown: Vec<&PlannedStage> = known.into_iter().filter(|planned| all || planned.cached().is_none()).collect();
    let fold = !all && unknown.len() > MOST_UNKNOWN;
    let listed: Vec<&PlannedStage> = shown.into_iter().chain(unknown.iter().copied().filter(|_| !fold)).collect();
    let name = |planned: &PlannedStage| session.checked.stages[planned.index].name.as_str();
    let width = listed.iter().map(|planned| name(planned).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for planned in listed {
        let lines = match &planned.decision {
            Decision::Cached(result) => vec![paint.dim(format!("cached      {}", result.summary))],
            Decision::Run(reasons) => {
                let lead = |at: usize| if at == 0 { "will run    " } else { "            " };
                reasons.iter().enumerate().map(|(at, reason)| format!("{}{reason}", lead(at))).collect()
            }
            Decision::Unknown { waits_for } => vec![paint.dim(self::unknown(session, waits_for))],
        };
        for (at, line) in lines.iter().enumerate() {
            let head = format!("{:<width$}", if at == 0 { name(planned) } else { "" });
            out.push_str(&format!("  {}  {line}\n", paint.bold(head)));
        }
    }
    if fold {
        for line in folded(session, &unknown) {
            out.push_str(&format!("  {}\n", paint.dim(line)));
        }
    }
    out.push_str(&counts(plan));
    out
}

/// More stages than this whose fate is not known are named together.
const MOST_UNKNOWN: usize = 5;

/// `unknown until raw has run: flights, weather and 14 more`
fn folded(session: &Session, unknown: &[&PlannedStage]) -> Vec<String> {
    // In the order of the pipeline, with an index so that many groups are found quickly.
    let mut groups: Vec<(&[usize], Vec<&str>)> = Vec::new();
    let mut places: BTreeMap<&[usize], usize> = BTreeMap::new();
    for planned in unknown {
        let Decision::Unknown { waits_for } = &planned.decision else { continue };
        let place = *places.entry(waits_for).or_insert_with(|| {
            groups.push((waits_for, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(&session.checked.stages[planned.index].name);
    }
    let line = |(waits_for, stages): (&[usize], Vec<&str>)| {
        let why = self::unknown(session, waits_for);
        let more = stages.len().saturating_sub(8);
        let named = stages[..stages.len() - more].join(", ");
        if more == 0 { format!("{why}: {named}") } else { format!("{why}: {named} and {more} more") }
    };
    groups.into_iter().map(line).collect()
}

/// More stages than this are not named.
const MOST_NAMES: usize = 8;

/// `unknown until train has run`
pub(in crate::cli) fn unknown(session: &Session, waits_for: &[usize]) -> String {
    let named = waits_for.iter().take(MOST_NAMES).map(|index| session.checked.stages[*index].name.as_str());
    let names = named.collect::<Vec<_>>().join(", ");
    match waits_for.len() {
        1 => format!("unknown until {names} has run"),
        count if count > MOST_NAMES => {
            format!("unknown until {names} and {} have run", numbers::counted(count - MOST_NAMES, "other stage"))
        }
        _ => format!("unknown until {names} have run"),
    }
}

/// The text of a plan in which everything is cached.
pub(super) fn all_cached(stages: usize) -> String {
    format!("{stages} cached · nothing to do\n")
}

/// `6 cached · 1 will run · 2 unknown · about 26 s, from earlier runs`
fn counts(plan: &Plan) -> String {
    let (cached, run, unknown) = plan.counts();
    if run + unknown == 0 && cached > 0 {
        return all_cached(cached);
    }
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
