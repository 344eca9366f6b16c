//! The words of a run: its last line, its failures.

use super::Columns;
use crate::event::{Event, Failure};
use crate::numbers::{counted, duration};
use crate::report::Paint;

/// A line about a finished stage: `  fetch     raw         3.1 MB, sha256 verified      0.9 s`, the time at the right
/// edge. What is too long goes on below, broken at the ` · ` between its parts.
pub(super) fn done(columns: Columns, paint: Paint, width: usize, event: &Event) -> Option<String> {
    let Event::StageDone { stage, kind, cached, seconds, summary, .. } = event else { return None };
    let time = if *cached { "cached".to_owned() } else { duration(*seconds) };
    let start = columns.width().max(2 + kind.chars().count() + 2 + stage.chars().count() + 2);
    let room = width.min(120).saturating_sub(start + time.chars().count() + 2).max(24);
    let mut lines = parts_within(summary, room).into_iter();
    let first = lines.next().unwrap_or_default();
    let gap = width.min(100).saturating_sub(start + first.chars().count() + time.chars().count()).max(2);
    let mut out = format!("{}{first}{}{}", columns.head(kind, stage, paint), " ".repeat(gap), paint.dim(time));
    for line in lines {
        out.push_str(&format!("\n{}{line}", " ".repeat(start)));
    }
    Some(out)
}

/// Breaks a text between its ` · ` into lines of at most `room` characters, as far as its parts allow.
fn parts_within(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split(" · ") {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 3 + part.chars().count() <= room => {
                line.push_str(" · ");
                line.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    lines
}

/// A failed stage, in full.
#[must_use]
pub fn failure(stage: &str, failure: &Failure, paint: Paint) -> String {
    let mut out = format!("{}: stage `{stage}`: {}\n", paint.red("error"), paint.bold(&failure.message));
    if let Some(place) = &failure.place {
        out.push_str(&format!("  {} {place}\n", paint.dim("at")));
    }
    for note in &failure.notes {
        out.push_str(&format!("  {}\n", note.replace('\n', "\n  ")));
    }
    if let Some(log) = &failure.log {
        out.push_str(&format!("  its log is {log}\n"));
    }
    for hint in &failure.hints {
        out.push_str(&format!("  {} {}\n", paint.cyan("="), hint.replace('\n', "\n    ")));
    }
    if let Some(diagnostics) = &failure.diagnostics {
        out.push_str(&format!("\n{}\n", diagnostics.trim_end()));
    }
    out
}

/// The last line of a run; `None` for any other event. `seconds` is how long the whole command took.
#[must_use]
pub fn summary(event: &Event, seconds: f64, paint: Paint) -> Option<String> {
    let Event::RunFinished { ran, cached, failed, skipped, saved, out, interrupted, .. } = event else { return None };
    let (ran, cached, failed, skipped) = (*ran, *cached, *failed, *skipped);
    let took = duration(seconds);
    let saved = if *saved >= 0.0005 { format!("{} saved", duration(*saved)) } else { String::new() };
    if ran + failed + skipped == 0 && !interrupted {
        let times = [saved, took].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        return Some(format!("{} cached, nothing to do {}", counted(cached, "stage"), paint.dim(format!("({times})"))));
    }
    let mut parts = Vec::new();
    if failed > 0 {
        parts.push(paint.red(format!("{} failed", counted(failed, "stage"))));
    }
    if ran > 0 {
        let noun = if failed > 0 { ran.to_string() } else { counted(ran, "stage") };
        parts.push(format!("{noun} ran"));
    }
    if cached > 0 {
        parts.push(if saved.is_empty() { format!("{cached} cached") } else { format!("{cached} cached ({saved})") });
    }
    if skipped > 0 {
        parts.push(format!("{skipped} not run"));
    }
    let parts = parts.join(", ");
    Some(match (interrupted, failed) {
        (true, _) => {
            let parts = if parts.is_empty() { "nothing ran".to_owned() } else { parts };
            format!("{} after {took}: {parts}. The next run goes on from here", paint.yellow("interrupted"))
        }
        (false, 0) => format!("{parts} in {took}. Results in {}", paint.bold(out)),
        (false, _) => format!("{parts}, in {took}"),
    })
}

/// Why the stages that were not run were not, grouped by reason: `  not run: evaluate, release (train failed)`.
pub(super) fn skipped(reasons: &[(String, String)], paint: Paint) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (stage, reason) in reasons {
        match groups.iter_mut().find(|(known, _)| known == reason) {
            Some((_, stages)) => stages.push(stage),
            None => groups.push((reason, vec![stage])),
        }
    }
    groups
        .into_iter()
        .map(|(reason, stages)| paint.dim(format!("  not run: {} ({reason})", stages.join(", "))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(ran: usize, cached: usize, failed: usize, skipped: usize, interrupted: bool) -> Event {
        let out = "out/digits".to_owned();
        Event::RunFinished { ran, cached, failed, skipped, seconds: 1.0, saved: 31.2, out, interrupted }
    }

    #[test]
    fn the_last_line_tells_how_it_went() {
        let line = |event: &Event, seconds| summary(event, seconds, Paint::new(false)).expect("a summary");
        assert_eq!(line(&finished(0, 9, 0, 0, false), 0.014), "9 stages cached, nothing to do (31.2 s saved, 14 ms)");
        assert_eq!(
            line(&finished(3, 6, 0, 0, false), 27.0),
            "3 stages ran, 6 cached (31.2 s saved) in 27.0 s. Results in out/digits"
        );
        assert_eq!(line(&finished(2, 0, 1, 6, false), 4.0), "1 stage failed, 2 ran, 6 not run, in 4.0 s");
        assert_eq!(
            line(&finished(0, 0, 0, 9, true), 4.0),
            "interrupted after 4.0 s: 9 not run. The next run goes on from here"
        );
    }

    #[test]
    fn a_failure_has_place_facts_log_and_advice() {
        let told = Failure {
            message: "the worker was killed by signal 9 at step 4,210 of 4,680".into(),
            notes: vec!["most likely out of memory".into()],
            hints: vec!["use a smaller batch_size".into()],
            place: Some("digits.toml:41:6".into()),
            log: Some(".kilter/runs/8f3a/train.log".into()),
            ..Failure::default()
        };
        assert_eq!(
            failure("train", &told, Paint::new(false)),
            "error: stage `train`: the worker was killed by signal 9 at step 4,210 of 4,680\n  at digits.toml:41:6\n  \
             most likely out of memory\n  its log is .kilter/runs/8f3a/train.log\n  = use a smaller batch_size\n"
        );
    }

    #[test]
    fn a_long_summary_is_broken_between_its_parts() {
        let text =
            "accuracy 0.980 (95 % CI 0.964–0.989) · F1 (macro) 0.980 · log loss 0.057 · gate accuracy >= 0.97 holds";
        let lines = parts_within(text, 60);
        assert_eq!(lines[0], "accuracy 0.980 (95 % CI 0.964–0.989) · F1 (macro) 0.980");
        assert_eq!(lines.join(" · "), text);
        assert_eq!(parts_within("", 60), [""]);
    }

    #[test]
    fn what_was_not_run_is_grouped_by_reason() {
        let reasons = [("a", "x failed"), ("b", "y failed"), ("c", "x failed")]
            .map(|(stage, reason)| (stage.to_owned(), reason.to_owned()));
        assert_eq!(skipped(&reasons, Paint::new(false)), ["  not run: a, c (x failed)", "  not run: b (y failed)"]);
    }
}
