//! A run as lines of a log: started, progress now and then, done.

use super::{Columns, Frame, Reporter, words};
use crate::event::{Event, StageProgress};
use crate::numbers;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a running stage is silent between two lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// Writes lines to stderr.
pub struct Plain {
    frame: Frame,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    columns: Columns,
    /// When each running stage last wrote a line.
    last: BTreeMap<String, Instant>,
    kinds: BTreeMap<String, String>,
    skipped: Vec<(String, String)>,
}

impl Plain {
    /// A display that has shown nothing yet.
    #[must_use]
    pub fn new(frame: Frame) -> Self {
        let columns = Columns::of(&[]);
        let state = State { columns, last: BTreeMap::new(), kinds: BTreeMap::new(), skipped: Vec::new() };
        Self { frame, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self, event: &Event) -> Vec<String> {
        let (frame, mut state) = (self.frame, self.state());
        let state = &mut *state;
        let head = |state: &State, stage: &str| {
            state.columns.head(state.kinds.get(stage).map_or("", String::as_str), stage, frame.paint)
        };
        match event {
            Event::RunStarted { stages, .. } => {
                state.columns = Columns::of(stages);
                state.kinds = stages.iter().cloned().collect();
                Vec::new()
            }
            Event::StageStarted { stage, .. } => {
                state.last.insert(stage.clone(), Instant::now());
                vec![format!("{}{}", head(state, stage), frame.paint.dim("started"))]
            }
            Event::StageWaiting { stage, reason } => vec![format!("{}{reason}", head(state, stage))],
            Event::StageProgress { stage, progress } => {
                let now = Instant::now();
                match state.last.get(stage) {
                    Some(at) if now.duration_since(*at) >= INTERVAL => {
                        state.last.insert(stage.clone(), now);
                        vec![format!("{}{}", head(state, stage), progress_words(progress))]
                    }
                    _ => Vec::new(),
                }
            }
            Event::StageValues { .. } => Vec::new(),
            Event::StageNote { stage, message } => vec![format!("{}{message}", head(state, stage))],
            Event::StageWarning { stage, message } => {
                vec![format!("{}: stage `{stage}`: {message}", frame.paint.yellow("warning"))]
            }
            Event::StageDone { cached, .. } if *cached && !frame.verbose => Vec::new(),
            Event::StageDone { .. } => {
                words::done(state.columns, frame.paint, frame.width, event).into_iter().collect()
            }
            Event::StageFailed { stage, failure, .. } => {
                vec![words::failure(stage, failure, frame.paint).trim_end().to_owned()]
            }
            Event::StageSkipped { stage, reason } => {
                state.skipped.push((stage.clone(), reason.clone()));
                Vec::new()
            }
            Event::RunFinished { .. } => {
                let mut lines = words::skipped(&state.skipped, frame.paint);
                lines.extend(words::summary(event, frame.started.elapsed().as_secs_f64(), frame.paint));
                lines
            }
        }
    }
}

/// `45 % · epoch 7/10 · loss 0.041`, `1.2 MB of 3.1 MB`.
fn progress_words(progress: &StageProgress) -> String {
    let amount = |value: u64| match progress.unit.as_str() {
        "bytes" => numbers::bytes(value),
        _ => numbers::count(value),
    };
    let unit = if progress.unit == "bytes" { String::new() } else { format!(" {}s", progress.unit) };
    let mut parts = Vec::new();
    match progress.total {
        Some(total) if total > 0 => {
            parts.push(format!("{} %", progress.done * 100 / total));
            if progress.detail.is_empty() {
                parts.push(format!("{} of {}{unit}", amount(progress.done), amount(total)));
            }
        }
        _ if progress.done > 0 => parts.push(format!("{}{unit}", amount(progress.done))),
        _ => {}
    }
    if !progress.detail.is_empty() {
        parts.push(progress.detail.clone());
    }
    if parts.is_empty() { "running".to_owned() } else { parts.join(" · ") }
}

impl Reporter for Plain {
    fn event(&self, event: &Event) {
        let heard = matches!(event, Event::StageWarning { .. } | Event::StageFailed { .. });
        let lines = self.lines(event);
        if lines.is_empty() || (self.frame.quiet && !heard) {
            return;
        }
        self.say(&lines.join("\n"));
    }

    fn say(&self, line: &str) {
        // A log that cannot be written to must not stop the run.
        let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
    }

    fn tells_cached(&self) -> bool {
        self.frame.verbose
    }

    fn close(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Paint;

    fn plain() -> Plain {
        let paint = Paint::new(false);
        Plain::new(Frame { paint, width: 100, verbose: false, quiet: false, started: Instant::now() })
    }

    fn done(cached: bool) -> Event {
        Event::StageDone {
            stage: "raw".into(),
            kind: "fetch".into(),
            key: crate::digest::Digest::of(b"raw"),
            cached,
            seconds: 0.94,
            summary: "3.1 MB, sha256 verified".into(),
            metrics: BTreeMap::new(),
        }
    }

    #[test]
    fn finished_stages_stand_in_columns_and_cached_ones_are_not_shown() {
        let plain = plain();
        let stages = vec![("raw".into(), "fetch".into()), ("normalise".into(), "encode".into())];
        let (run, pipeline) = ("8f3a".into(), "digits".into());
        assert!(plain.lines(&Event::RunStarted { version: 1, run, pipeline, stages }).is_empty());
        let lines = plain.lines(&done(false));
        let ends = ("  fetch   raw        3.1 MB, sha256 verified  ", " 0.9 s");
        assert!(lines[0].starts_with(ends.0) && lines[0].ends_with(ends.1), "{lines:?}");
        assert_eq!(lines[0].len(), 100);
        assert!(plain.lines(&done(true)).is_empty());
    }

    #[test]
    fn progress_is_shown_rarely() {
        let plain = plain();
        let progress = StageProgress { done: 45, total: Some(100), unit: "step".into(), detail: "epoch 5/10".into() };
        assert_eq!(progress_words(&progress), "45 % · epoch 5/10");
        plain.lines(&Event::StageStarted { stage: "train".into(), kind: "train".into() });
        assert!(plain.lines(&Event::StageProgress { stage: "train".into(), progress }).is_empty());
        let bytes =
            StageProgress { done: 1_200_000, total: Some(3_100_000), unit: "bytes".into(), detail: String::new() };
        assert_eq!(progress_words(&bytes), "38 % · 1.2 MB of 3.1 MB");
    }
}
