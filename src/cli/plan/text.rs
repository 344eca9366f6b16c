//! A plan as lines: what will run and why, what is not known yet, and the counts.

use crate::cli::session::Session;
use crate::cli::{Level, Output};
use crate::numbers;
use crate::plan::{Decision, Plan, PlannedStage};

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
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for planned in unknown {
        let Decision::Unknown { waits_for } = &planned.decision else { continue };
        let (why, stage) = (self::unknown(session, waits_for), session.checked.stages[planned.index].name.as_str());
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, stages)) => stages.push(stage),
            None => groups.push((why, vec![stage])),
        }
    }
    let line = |(why, stages): (String, Vec<&str>)| {
        let more = stages.len().saturating_sub(8);
        let named = stages[..stages.len() - more].join(", ");
        if more == 0 { format!("{why}: {named}") } else { format!("{why}: {named} and {more} more") }
    };
    groups.into_iter().map(line).collect()
}

/// `unknown until train has run`
pub(in crate::cli) fn unknown(session: &Session, waits_for: &[usize]) -> String {
    let names: Vec<&str> = waits_for.iter().map(|index| session.checked.stages[*index].name.as_str()).collect();
    let have = if names.len() == 1 { "has" } else { "have" };
    format!("unknown until {} {have} run", names.join(", "))
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
