//! What came of a verification, as lines.

use crate::cli::{Level, Output};
use crate::frame::compare::TableDifference;
use crate::numbers::{self, count, counted};
use crate::report::{self, Paint};
use crate::verify::{
    FileDifference, NumberDifference, Off, OutputDifference, Parting, Shown, StageVerdict, TensorDifference, TensorRow,
    Verdict, Verification, Within,
};

/// More lines of one sort are counted instead.
const MOST: usize = 6;

pub(super) fn as_text(found: &Verification, output: Output, seconds: f64) -> String {
    let paint = output.out;
    let groups = groups(&found.stages, output.level == Level::Verbose);
    let width = groups.iter().map(|group| label(group).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for group in &groups {
        let Some(first) = group.first() else { continue };
        let head = paint.bold(format!("{:<width$}", label(group)));
        out.push_str(&format!("  {head}  {}\n", said(first, group.len(), &found.sides, paint)));
        if output.level == Level::Verbose {
            let took = format!("claims {}, took {}", first.determinism, numbers::duration(first.seconds));
            out.push_str(&format!("      {}\n", paint.dim(took)));
        }
        for line in details(&first.verdict, &found.sides, paint) {
            out.push_str(&format!("      {line}\n"));
        }
    }
    out.push_str(&summary(found, seconds, paint));
    out
}

/// Stages that follow each other and of which the same is to be said.
fn groups(stages: &[StageVerdict], each: bool) -> Vec<Vec<&StageVerdict>> {
    let mut groups: Vec<Vec<&StageVerdict>> = Vec::new();
    for stage in stages {
        let alike = |other: &StageVerdict| match (&other.verdict, &stage.verdict) {
            (Verdict::InKilter { within: a }, Verdict::InKilter { within: b }) => a.is_empty() && b.is_empty(),
            (Verdict::NotLocked, Verdict::NotLocked) => true,
            (Verdict::NotCompared { because: a }, Verdict::NotCompared { because: b }) => a == b,
            _ => false,
        };
        match groups.last_mut() {
            Some(group) if !each && group.last().is_some_and(|last| alike(last)) => group.push(stage),
            _ => groups.push(vec![stage]),
        }
    }
    groups
}

/// `raw … clean`
fn label(group: &[&StageVerdict]) -> String {
    match group {
        [one] => one.stage.clone(),
        [one, other] => format!("{}, {}", one.stage, other.stage),
        [first, .., last] => format!("{} … {}", first.stage, last.stage),
        [] => String::new(),
    }
}

/// What came of a stage, or of several alike.
pub(super) fn said(stage: &StageVerdict, count: usize, sides: &(String, String), paint: Paint) -> String {
    let count = if count > 1 { format!("{}, ", counted(count, "stage")) } else { String::new() };
    match &stage.verdict {
        Verdict::InKilter { within } if within.is_empty() => {
            format!("{} ({count}bit for bit)", paint.green("in kilter"))
        }
        Verdict::InKilter { .. } => format!("{} within its tolerance", paint.green("in kilter")),
        Verdict::OffKilter(_) => paint.red("off kilter"),
        Verdict::Changed { .. } => format!("{} since it was locked", paint.red("changed")),
        Verdict::NotLocked => paint.red(format!("not in the lock{}", if sides.0 == "locked" { "" } else { "?" })),
        Verdict::NotCompared { because } => paint.dim(format!("not compared: {because}")),
        Verdict::Failed(failure) => format!("{}: {}", paint.red("failed"), failure.message),
    }
}

/// How it differs, a line each.
pub(super) fn details(verdict: &Verdict, sides: &(String, String), paint: Paint) -> Vec<String> {
    match verdict {
        Verdict::InKilter { within } => within.iter().map(admitted).collect(),
        Verdict::OffKilter(off) => off_kilter(off, sides, paint),
        Verdict::Changed { locked, now, environment } => {
            let mut lines = vec![format!(
                "key {locked} locked, {now} now: its fields, files, inputs, or the kilter that made it, are others"
            )];
            lines.extend(environment.iter().map(|fact| format!("{}: {}", fact.name, fact.values("locked", "now"))));
            lines.push(format!("{} `kilter run` brings the lock up to date", paint.cyan("=")));
            lines
        }
        Verdict::Failed(failure) => report::failure("", failure, Paint::new(false))
            .lines()
            .skip(1)
            .map(|line| line.trim_start().to_owned())
            .collect(),
        Verdict::NotLocked => vec![format!("{} `kilter run` takes it in", paint.cyan("="))],
        Verdict::NotCompared { .. } => Vec::new(),
    }
}

/// `model: the largest difference is 3.1e-7; allowed is rtol 1e-5`
fn admitted(within: &Within) -> String {
    let Within { output, tolerance, largest } = within;
    match largest {
        Some(largest) => format!("{output}: the largest difference is {largest:.1e}; allowed is {tolerance}"),
        None => format!("{output}: a picture of these numbers, not compared"),
    }
}

fn off_kilter(off: &Off, sides: &(String, String), paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(off.parting.as_ref().map(|parting| parting_text(parting, sides)));
    for output in &off.outputs {
        lines.extend(shown(output, sides));
        lines.extend(allowed(output));
    }
    lines.extend(off.within.iter().map(|within| format!("within its tolerance, {}", admitted(within))));
    let number = |value: &Option<f64>| value.map_or_else(|| "none".to_owned(), |value| format!("{value:?}"));
    let metrics = off
        .metrics
        .iter()
        .map(|(name, before, now)| format!("{name} {} {}, {} {}", number(before), sides.0, number(now), sides.1));
    lines.extend(shortened(metrics.collect(), "metrics"));
    if !off.environment.is_empty() {
        let facts = off.environment.iter().map(|fact| format!("{} {}", fact.name, fact.values(&sides.0, &sides.1)));
        lines.push(format!("environment: {}", facts.collect::<Vec<_>>().join("; ")));
    }
    lines.extend(off.advice.iter().map(|advice| format!("{} {advice}", paint.cyan("="))));
    lines
}

fn shortened(mut lines: Vec<String>, noun: &str) -> Vec<String> {
    if lines.len() > MOST {
        let more = lines.len() - MOST;
        lines.truncate(MOST);
        lines.push(format!("… and {more} more {noun}"));
    }
    lines
}

/// Two values, one below the other.
fn pair(lead: &str, before: &str, now: &str, sides: &(String, String), after: &str) -> Vec<String> {
    let width = before.chars().count().max(now.chars().count());
    let side = sides.0.chars().count().max(sides.1.chars().count());
    let (blank, after) =
        (" ".repeat(lead.chars().count()), if after.is_empty() { String::new() } else { format!("  ({after})") });
    vec![
        format!("{lead}  {before:<width$}  {}", sides.0),
        format!("{blank}  {now:<width$}  {:<side$}{after}", sides.1).trim_end().to_owned(),
    ]
}

fn shown(output: &OutputDifference, sides: &(String, String)) -> Vec<String> {
    let name = format!("{} `{}`", output.artifact, output.output);
    match &output.shown {
        Shown::Table(found) => table(&name, found, sides),
        Shown::Tensors(found) => tensors(&name, found, sides),
        Shown::Numbers(found) => numbers_text(&name, found, sides),
        Shown::Files(found) => files(&name, found, sides),
        Shown::Type { before, now } => vec![format!("{name}: a {before} {}, a {now} {}", sides.0, sides.1)],
        Shown::Added => vec![format!("{name}: only {}", sides.1)],
        Shown::Removed => vec![format!("{name}: only {}", sides.0)],
        Shown::DigestsAlone { before, now } => {
            vec![format!("{name}: content {before} {}, {now} {}", sides.0, sides.1)]
        }
    }
}

/// What an output may differ by, where what is shown of it differs by more.
fn allowed(output: &OutputDifference) -> Option<String> {
    let is_of_numbers = matches!(output.shown, Shown::Table(_) | Shown::Tensors(_) | Shown::Numbers(_));
    output.tolerance.filter(|_| is_of_numbers).map(|tolerance| format!("allowed is {tolerance}"))
}

fn table(name: &str, found: &TableDifference, sides: &(String, String)) -> Vec<String> {
    let mut lines = Vec::new();
    let (before, now) = found.rows;
    let mut facts = Vec::new();
    if before != now {
        facts.push(format!("{} rows {}, {} {}", count(before), sides.0, count(now), sides.1));
    }
    if found.differing > 0 {
        let one = if found.differing == 1 { "row differs" } else { "rows differ" };
        let columns: Vec<&str> = found.columns.iter().map(|column| column.column.as_str()).collect();
        let noun = if columns.len() == 1 { "all in column" } else { "in columns" };
        let columns = crate::diag::list(columns, MOST);
        facts.push(format!("{} {one}, {noun} {columns}", count(found.differing)));
    }
    for (names, what) in [(&found.removed, &sides.0), (&found.added, &sides.1)] {
        if !names.is_empty() {
            facts.push(format!("columns only {what}: {}", crate::diag::list(names.iter().map(String::as_str), MOST)));
        }
    }
    facts.extend(found.reordered.then(|| "the columns are in another order".to_owned()));
    facts.extend(
        found.retyped.iter().map(|(name, before, now)| format!("`{name}` is {before} {}, {now} {}", sides.0, sides.1)),
    );
    let rows = if before == 1 { "row" } else { "rows" };
    lines.push(format!("{name}, {} {rows}: {}", count(before), facts.join("; ")));
    if let Some(first) = found.first() {
        let lead = if found.columns.len() == 1 { String::new() } else { format!(", column `{}`", first.column) };
        let lead = format!("first at row {}{lead}:", count(first.row + 1));
        let ulps = first.ulps.map_or_else(String::new, |ulps| format!("{} ULP", count(ulps)));
        lines.extend(pair(&lead, &first.before, &first.now, sides, &ulps));
    }
    lines
}

fn tensors(name: &str, found: &TensorDifference, sides: &(String, String)) -> Vec<String> {
    let mut lines = vec![format!("{name}: {} of {} differ", found.differing, counted(found.tensors, "tensor"))];
    if let Some(first) = &found.first {
        lines.push(tensor(first, "first"));
        let (index, before, now) = &first.at;
        lines.extend(pair(&format!("value {}:", count(*index as u64)), before, now, sides, ""));
    }
    lines.extend(found.worst.as_ref().map(|worst| tensor(worst, "most")));
    if !found.reshaped.is_empty() {
        let names = crate::diag::list(found.reshaped.iter().map(String::as_str), MOST);
        lines.push(format!("of another shape or type, or on one side alone: {names}"));
    }
    lines
}

/// `first `layers.0.weight`: 12 of 288 values, by at most 3.1e-7 (4 ULP)`
fn tensor(row: &TensorRow, which: &str) -> String {
    let (all, differing) = row.values;
    let ulps = row.ulps.map_or_else(String::new, |ulps| format!(" ({} ULP)", count(ulps)));
    format!(
        "{which} `{}`: {} of {} values, by at most {:.1e}{ulps}",
        row.tensor,
        count(differing as u64),
        count(all as u64),
        row.largest
    )
}

fn numbers_text(name: &str, found: &[NumberDifference], sides: &(String, String)) -> Vec<String> {
    let text = |value: &str| if value.is_empty() { "none".to_owned() } else { value.to_owned() };
    let line = |row: &NumberDifference| {
        format!("{} {} {}, {} {}", row.path, text(&row.before), sides.0, text(&row.now), sides.1)
    };
    let mut lines = vec![format!("{name}: {}", counted(found.len(), "difference"))];
    lines.extend(shortened(found.iter().map(line).collect(), "differences"));
    lines
}

fn files(name: &str, found: &FileDifference, sides: &(String, String)) -> Vec<String> {
    let mut facts = Vec::new();
    for (names, what) in [(&found.removed, &sides.0), (&found.added, &sides.1)] {
        if !names.is_empty() {
            facts.push(format!("only {what}: {}", crate::diag::list(names.iter().map(String::as_str), MOST)));
        }
    }
    if found.differing > 0 {
        facts.push(format!("{} with other bytes", counted(found.differing, "file")));
    }
    let mut lines = vec![format!("{name}: {}", facts.join("; "))];
    if let Some(first) = &found.first {
        let (before, now) = first.sizes;
        let sizes = if before == now {
            format!("{} bytes", count(before))
        } else {
            format!("{} bytes {}, {} {}", count(before), sides.0, count(now), sides.1)
        };
        lines.push(format!("`{}`, {sizes}, from byte {} on:", first.file, count(first.offset)));
        lines.extend(pair("", &first.before, &first.now, sides, ""));
    }
    lines
}

/// `the runs part between step 10 and 20: loss 0.51 locked, 0.52 now; gradient norm …`
fn parting_text(parting: &Parting, sides: &(String, String)) -> String {
    let Parting { after, step, loss, grad_norm } = parting;
    let next = after.as_ref().and_then(|after| Some(after.parse::<u64>().ok()? + 1 == step.parse::<u64>().ok()?));
    let place = match (after, next) {
        (Some(after), Some(false)) => format!("after step {after}, at step {step} at the latest"),
        _ => format!("at step {step}"),
    };
    let both = |what: &str, (before, now): &(String, String)| {
        if before == now {
            format!("{what} {before} in both")
        } else {
            format!("{what} {before} {}, {now} {}", sides.0, sides.1)
        }
    };
    format!("the runs part {place}: {}; {}", both("loss", loss), both("gradient norm", grad_norm))
}

fn summary(found: &Verification, seconds: f64, paint: Paint) -> String {
    let total = found.stages.len();
    let differ = found.count(Verdict::is_difference);
    let in_kilter = found.count(|verdict| matches!(verdict, Verdict::InKilter { .. }));
    let failed = found.count(|verdict| matches!(verdict, Verdict::Failed(_)));
    let open = found.count(|verdict| matches!(verdict, Verdict::NotCompared { .. }));
    let took = numbers::duration(seconds);
    let mut parts = Vec::new();
    if let Some(first) = found.first() {
        let of =
            if differ == total { counted(total, "stage") } else { format!("{differ} of {}", counted(total, "stage")) };
        let first = if differ > 1 { format!(", the first of them {}", first.stage) } else { String::new() };
        parts.push(format!("{of} off kilter{first}"));
    }
    for (number, what) in [(failed, "failed"), (open, "not compared")] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    if parts.is_empty() {
        parts.push(format!("{} in kilter", counted(in_kilter, "stage")));
    }
    if found.fed > 0 {
        parts.push(format!("{} of them run to feed others, because the store does not have their results", found.fed));
    }
    format!("{} {}\n", parts.join("; "), paint.dim(format!("({took})")))
}
