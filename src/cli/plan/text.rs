//! A plan as lines: what will run and why, what is not known yet, and the counts.

use super::outlook::{Outlook, Trouble, broken_gates};
use crate::cli::session::Session;
use crate::cli::{Level, Output};
use crate::exec::demand;
use crate::numbers;
use crate::plan::{ColumnsRead, Decision, InputRead, Plan, PlannedStage, Reason, inputs_read};
use crate::report::Paint;
use std::collections::BTreeMap;

pub(super) fn as_text((session, plan, outlook): (&Session, &Plan, &Outlook), explain: bool, output: Output) -> String {
    let paint = output.out;
    let all = explain || output.level == Level::Verbose;
    let (unknown, known): (Vec<_>, Vec<_>) =
        plan.stages.iter().partition(|planned| matches!(planned.decision, Decision::Unknown { .. }));
    let is_told = |planned: &&PlannedStage| planned.cached().is_none() || broken_gates(planned).next().is_some();
    let shown: Vec<&PlannedStage> = known.into_iter().filter(|planned| all || is_told(planned)).collect();
    let fold = !all && unknown.len() > MOST_UNKNOWN;
    let mut listed: Vec<&PlannedStage> = shown.into_iter().chain(unknown.iter().copied().filter(|_| !fold)).collect();
    if explain {
        listed.sort_by_key(|planned| planned.index);
    }
    let name = |planned: &PlannedStage| session.checked.stages[planned.index].name.as_str();
    let width = listed.iter().map(|planned| name(planned).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for planned in listed {
        for (at, line) in lines(session, planned, outlook, paint).iter().enumerate() {
            let head = format!("{:<width$}", if at == 0 { name(planned) } else { "" });
            out.push_str(&format!("  {}  {line}\n", paint.bold(head)));
        }
        if explain {
            out.push_str(&reads(session, planned, width, paint));
        }
    }
    if fold {
        for line in folded(session, &unknown) {
            out.push_str(&format!("  {}\n", paint.dim(line)));
        }
    }
    out.push_str(&counts(plan, outlook.trouble(session, plan)));
    out
}

/// What would be done with a stage, and why, a line each.
fn lines(session: &Session, planned: &PlannedStage, outlook: &Outlook, paint: Paint) -> Vec<String> {
    let led = |what: &str, lines: Vec<String>| {
        let lead = |at: usize| if at == 0 { what } else { "" };
        lines.iter().enumerate().map(|(at, line)| format!("{:<12}{line}", lead(at))).collect()
    };
    match (&planned.decision, outlook.held_up_by(planned)) {
        (Decision::Cached(result), _) => match broken_gates(planned).map(demand).collect::<Vec<_>>() {
            gates if gates.is_empty() => vec![paint.dim(format!("cached      {}", result.summary))],
            gates => led("gate broken", gates),
        },
        (Decision::Run(_), Some(gate)) => {
            led("held up", vec![format!("by the broken gate of {}", session.checked.stages[gate].name)])
        }
        (Decision::Run(reasons), None) => {
            let failed = outlook.failed(session, planned).map(|(_, message)| format!("failed last time: {message}"));
            // What failed has run.
            let reasons = reasons.iter().filter(|reason| failed.is_none() || **reason != Reason::NeverRan);
            let mut lines: Vec<String> = reasons.map(ToString::to_string).collect();
            lines.extend(failed);
            lines.extend(planned.beginning.iter().map(ToString::to_string));
            led("will run", lines)
        }
        (Decision::Unknown { waits_for }, _) => vec![paint.dim(self::unknown(session, waits_for))],
    }
}

/// Which columns of its inputs a stage reads, a line each: `reads flights: 6 of 19 columns: …`. Below a table that is not kept
/// stands, further in, what is read for that of what it is made of.
fn reads(session: &Session, planned: &PlannedStage, width: usize, paint: Paint) -> String {
    let stage = &session.checked.stages[planned.index];
    let inputs = inputs_read(stage, &session.checked, planned.key.as_ref());
    let mut listed = Vec::new();
    list_inputs(&inputs, 0, &mut listed);
    let names = listed.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (at, (name, input)) in listed.iter().enumerate() {
        let lead = if at == 0 { "reads" } else { "" };
        let what = what_is_read(input);
        out.push_str(&format!("  {:<width$}  {lead:<10}  {name:<names$}  {}\n", "", paint.dim(what)));
    }
    out
}

fn list_inputs<'a>(inputs: &'a [InputRead], depth: usize, listed: &mut Vec<(String, &'a InputRead)>) {
    for input in inputs {
        listed.push((format!("{}{}", "  ".repeat(depth), input.reference), input));
        list_inputs(&input.behind, depth + 1, listed);
    }
}

/// More columns than these are not named.
const MOST_COLUMNS: usize = 8;

fn what_is_read(input: &InputRead) -> String {
    let Some(ColumnsRead { names, of, whole }) = &input.columns else {
        return match input.artifact {
            "table" => "a table whose columns are not known yet".to_owned(),
            "unknown" => "not known yet".to_owned(),
            other => format!("the whole {other}"),
        };
    };
    if *whole {
        return format!("all {}, in their order", numbers::counted(*of, "column"));
    }
    let more = names.len().saturating_sub(MOST_COLUMNS);
    let mut named = names[..names.len() - more].join(", ");
    if more > 0 {
        named.push_str(&format!(" and {more} more"));
    }
    match names.len() {
        0 => format!("how many rows it has, and none of its {}", numbers::counted(*of, "column")),
        read => format!("{} of {}: {named}", numbers::count(read as u64), numbers::counted(*of, "column")),
    }
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

/// `6 cached · 1 will run · 2 unknown · about 26 s, from earlier runs`, and what will go wrong.
fn counts(plan: &Plan, trouble: Trouble) -> String {
    let (cached, run, unknown) = plan.counts();
    let Trouble { held_up, failed, gates } = trouble;
    if run + unknown + gates == 0 && cached > 0 {
        return all_cached(cached);
    }
    let mut parts = Vec::new();
    for (count, what) in [
        (cached, "cached"),
        (run.saturating_sub(held_up), "will run"),
        (held_up, "held up"),
        (unknown, "unknown"),
        (failed, "failed last time"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    match plan.estimate() {
        _ if run + unknown + gates == 0 => parts.push("nothing to do".to_owned()),
        Some(seconds) if run + unknown > held_up => {
            let time = numbers::about(seconds);
            let about = if time.starts_with("less") { "" } else { "about " };
            parts.push(format!("{about}{time}, from earlier runs"));
        }
        _ => {}
    }
    if gates > 0 {
        parts.push(format!("{} broken: `kilter run` fails", numbers::counted(gates, "gate")));
    }
    format!("{}\n", parts.join(" · "))
}
