//! A run on a terminal: finished stages scroll up, running ones stay at the bottom with their bars.
//!
//! Everything below the last finished line is drawn anew at most ten times a second, in one write, each line cut to the
//! terminal's width so that the cursor is where it is believed to be.

use super::{Columns, Frame, Reporter, words};
use crate::event::{Event, StageProgress};
use crate::numbers;
use console::{measure_text_width, truncate_str};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(100);
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// What a percentage takes, where there is no room for a bar: ` 12 % `.
const PERCENT: usize = 6;
/// More running stages than this are counted, not listed.
const MOST_LINES: usize = 12;

/// Draws on stderr.
pub struct Live {
    shared: Arc<Shared>,
    ticker: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    screen: Mutex<Screen>,
    wake: Condvar,
}

/// What is on the terminal and what should be.
struct Screen {
    frame: Frame,
    columns: Columns,
    /// The kinds of all stages, by name.
    kinds: BTreeMap<String, String>,
    total: usize,
    done: usize,
    cached: usize,
    failed: usize,
    skipped: Vec<(String, String)>,
    running: Vec<Running>,
    /// Lines that will scroll up at the next drawing.
    pending: Vec<String>,
    /// Lines that the next drawing replaces.
    drawn: usize,
    ticks: usize,
    open: bool,
}

/// A running stage.
struct Running {
    stage: String,
    kind: String,
    started: Instant,
    progress: Option<StageProgress>,
    /// Where its progress began to count; earlier units (a continued download) must not enter the estimate.
    first: Option<(Instant, u64)>,
    waits: Option<String>,
}

impl Live {
    /// A display that has shown nothing yet.
    #[must_use]
    pub fn new(frame: Frame) -> Self {
        let screen = Screen {
            frame,
            columns: Columns::of(&[]),
            kinds: BTreeMap::new(),
            total: 0,
            done: 0,
            cached: 0,
            failed: 0,
            skipped: Vec::new(),
            running: Vec::new(),
            pending: Vec::new(),
            drawn: 0,
            ticks: 0,
            open: true,
        };
        Self { shared: Arc::new(Shared { screen: Mutex::new(screen), wake: Condvar::new() }), ticker: Mutex::new(None) }
    }

    /// Starts the thread that draws, once there is something to watch. A run that finds all cached never needs it.
    fn tick(&self) {
        let mut ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner);
        if ticker.is_none() {
            let shared = Arc::clone(&self.shared);
            *ticker = std::thread::Builder::new().name("display".to_owned()).spawn(move || shared.run()).ok();
        }
    }
}

impl Reporter for Live {
    fn event(&self, event: &Event) {
        if matches!(event, Event::StageStarted { .. } | Event::StageWaiting { .. }) {
            self.tick();
        }
        let mut screen = self.shared.screen();
        screen.take(event);
        if !screen.pending.is_empty() {
            screen.draw();
        }
    }

    fn say(&self, line: &str) {
        let mut screen = self.shared.screen();
        screen.pending.push(line.to_owned());
        screen.draw();
    }

    fn tells_cached(&self) -> bool {
        self.shared.screen().frame.verbose
    }

    fn close(&self) {
        {
            let mut screen = self.shared.screen();
            screen.running.clear();
            screen.open = false;
            screen.draw();
        }
        self.shared.wake.notify_all();
        if let Some(ticker) = self.ticker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = ticker.join();
        }
    }
}

impl Shared {
    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut screen = self.screen();
        while screen.open {
            screen = self.wake.wait_timeout(screen, TICK).unwrap_or_else(PoisonError::into_inner).0;
            if screen.open {
                screen.ticks += 1;
                screen.draw();
            }
        }
    }
}

impl Screen {
    fn take(&mut self, event: &Event) {
        match event {
            Event::RunStarted { stages, .. } => {
                self.columns = Columns::of(stages);
                self.kinds = stages.iter().cloned().collect();
                self.total = stages.len();
            }
            Event::StageWaiting { stage, reason } => match self.find(stage) {
                Some(running) => running.waits = Some(reason.clone()),
                None => {
                    let kind = self.kinds.get(stage).cloned().unwrap_or_default();
                    self.start(stage, &kind, Some(reason.clone()));
                }
            },
            Event::StageStarted { stage, kind } => {
                self.running.retain(|running| running.stage != *stage);
                self.start(stage, kind, None);
            }
            Event::StageProgress { stage, progress } => {
                if let Some(running) = self.find(stage) {
                    running.first.get_or_insert((Instant::now(), progress.done));
                    running.progress = Some(progress.clone());
                }
            }
            Event::StageValues { .. } => {}
            Event::StageNote { stage, message } => {
                let kind = self.find(stage).map_or(String::new(), |running| running.kind.clone());
                self.pending.push(format!("{}{message}", self.columns.head(&kind, stage, self.frame.paint)));
            }
            Event::StageWarning { stage, message } => {
                let warning = self.frame.paint.yellow("warning");
                self.pending.push(format!("{warning}: stage `{stage}`: {message}"));
            }
            Event::StageDone { stage, cached, .. } => {
                self.end(stage);
                self.done += usize::from(!cached);
                self.cached += usize::from(*cached);
                if !cached || self.frame.verbose {
                    self.pending.extend(words::done(self.columns, self.frame.paint, self.frame.width, event));
                }
            }
            Event::StageFailed { stage, failure, .. } => {
                self.end(stage);
                self.failed += 1;
                self.pending.push(words::failure(stage, failure, self.frame.paint).trim_end().to_owned());
            }
            Event::StageSkipped { stage, reason } => self.skipped.push((stage.clone(), reason.clone())),
            Event::RunFinished { .. } => self.finish(event),
        }
    }

    fn finish(&mut self, event: &Event) {
        self.running.clear();
        self.open = false;
        let paint = self.frame.paint;
        self.pending.extend(words::skipped(&self.skipped, paint));
        if self.done + self.failed > 0 {
            self.pending.push(String::new());
        }
        self.pending.extend(words::summary(event, self.frame.started.elapsed().as_secs_f64(), paint));
    }

    fn start(&mut self, stage: &str, kind: &str, waits: Option<String>) {
        let (stage, kind) = (stage.to_owned(), kind.to_owned());
        self.running.push(Running { stage, kind, started: Instant::now(), progress: None, first: None, waits });
    }

    fn end(&mut self, stage: &str) {
        self.running.retain(|running| running.stage != stage);
    }

    fn find(&mut self, stage: &str) -> Option<&mut Running> {
        self.running.iter_mut().find(|running| running.stage == stage)
    }

    /// Writes everything that changed, in one go.
    fn draw(&mut self) {
        if let Some((_, columns)) = console::Term::stderr().size_checked() {
            self.frame.width = usize::from(columns).max(20);
        }
        let lines = if self.open { self.lines() } else { Vec::new() };
        let mut out = String::from("\x1b[?2026h\x1b[?25l");
        if self.drawn > 0 {
            out.push_str(&format!("\r\x1b[{}A\x1b[J", self.drawn));
        }
        for line in self.pending.drain(..) {
            out.push_str(&line);
            out.push('\n');
        }
        for line in &lines {
            out.push_str(&truncate_str(line, self.frame.width.saturating_sub(1), "…"));
            out.push('\n');
        }
        if lines.is_empty() {
            out.push_str("\x1b[?25h");
        }
        out.push_str("\x1b[?2026l");
        self.drawn = lines.len();
        // A terminal that went away must not stop the run.
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(out.as_bytes()).and_then(|()| stderr.flush());
    }

    /// The lines of the running stages and the counts below them.
    fn lines(&self) -> Vec<String> {
        if self.running.is_empty() && self.done + self.failed == 0 {
            return Vec::new();
        }
        let spinner = SPINNER[self.ticks % SPINNER.len()];
        let (held, running): (Vec<_>, Vec<_>) = self.running.iter().partition(|running| running.waits.is_some());
        let listed = running.into_iter().chain(held).take(MOST_LINES);
        let mut lines: Vec<String> = listed.map(|running| self.line(running, spinner)).collect();
        let paint = self.frame.paint;
        let ended = self.done + self.cached + self.failed + self.skipped.len();
        let waiting = self.total.saturating_sub(ended + self.running.len());
        let count = |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}"));
        let held = self.running.iter().filter(|running| running.waits.is_some()).count();
        let parts = [
            count(self.failed, "failed").map(|text| paint.red(text)),
            count(self.done, "done"),
            count(self.cached, "cached"),
            count(self.running.len() - held, "running"),
            count(held, "waiting"),
            count(waiting, "to go"),
            Some(numbers::duration(self.frame.started.elapsed().as_secs_f64().max(0.1))),
        ];
        lines.push(String::new());
        lines.push(format!("  {}", parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")));
        lines
    }

    /// `  train     train  ━━━━━━━╸━━━  epoch 7/10 · 1,940 rows/s · 9 s left`
    fn line(&self, running: &Running, spinner: char) -> String {
        let paint = self.frame.paint;
        let head = self.columns.head(&running.kind, &running.stage, paint);
        let elapsed = running.started.elapsed();
        let time = numbers::duration((elapsed.as_secs_f64() * 10.0).round().max(1.0) / 10.0);
        if let Some(reason) = &running.waits {
            return format!("{head}{} {reason} · {time}", paint.dim(spinner));
        }
        let Some(progress) = &running.progress else {
            return format!("{head}{} {time}", paint.cyan(spinner));
        };
        let room = self.frame.width.saturating_sub(self.columns.width() + 1);
        let words = joined(&progress_parts(progress, running), room.saturating_sub(PERCENT));
        match progress.total {
            Some(total) if total > 0 => {
                let free = room.saturating_sub(measure_text_width(&words) + 2);
                let fraction = progress.done as f64 / total as f64;
                match free.min(30) {
                    free if free >= 8 => format!("{head}{}  {words}", bar(fraction, free, paint)),
                    _ => format!("{head}{:>3.0} % {words}", fraction * 100.0),
                }
            }
            _ => format!("{head}{} {words}{}{time}", paint.cyan(spinner), if words.is_empty() { "" } else { " · " }),
        }
    }
}

/// In one line. Where there is no room for all of them the first, which are the stage's own, are cut short: the time that is left is
/// behind them.
fn joined(parts: &[String], room: usize) -> String {
    let Some((first, rest)) = parts.split_first() else { return String::new() };
    let rest: String = rest.iter().map(|part| format!(" · {part}")).collect();
    let free = room.saturating_sub(measure_text_width(&rest));
    format!("{}{rest}", truncate_str(first, free, "…"))
}

/// The words beside a bar: amounts where they say more than the bar, the stage's own words, rate, time left.
fn progress_parts(progress: &StageProgress, running: &Running) -> Vec<String> {
    let mut parts = Vec::new();
    let since = running.first.map(|(at, done)| (at.elapsed().as_secs_f64(), progress.done.saturating_sub(done)));
    if progress.detail.is_empty() {
        let bytes = progress.unit == "bytes";
        let amount = |value: u64| if bytes { numbers::bytes(value) } else { numbers::count(value) };
        let unit = if bytes { String::new() } else { format!(" {}s", progress.unit) };
        parts.push(match progress.total {
            Some(total) => format!("{}/{}{unit}", amount(progress.done), amount(total)),
            None => format!("{}{unit}", amount(progress.done)),
        });
        if let Some((seconds, done)) = since.filter(|(seconds, done)| *seconds > 0.5 && *done > 0) {
            let unit = if bytes { "bytes".to_owned() } else { format!("{}s", progress.unit) };
            parts.push(numbers::rate(done as f64 / seconds, &unit));
        }
    } else {
        parts.push(progress.detail.clone());
    }
    if let (Some(total), Some((seconds, done))) = (progress.total, since)
        && seconds > 1.0
        && done > 0
        && progress.done < total
    {
        let left = (total - progress.done) as f64 * seconds / done as f64;
        parts.push(format!("{} left", numbers::about(left)));
    }
    parts
}

/// A bar of `width` cells, resolved to half cells.
fn bar(fraction: f64, width: usize, paint: crate::report::Paint) -> String {
    let halves = (fraction.clamp(0.0, 1.0) * width as f64 * 2.0).floor() as usize;
    let (full, half) = (halves / 2, halves % 2);
    let mut done = "━".repeat(full);
    if half == 1 {
        done.push('╸');
    }
    let rest = if paint.is_on() { "━" } else { "─" }.repeat(width - full - half);
    format!("{}{}", paint.cyan(done), paint.dim(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Paint;

    #[test]
    fn bars_fill_by_half_cells() {
        let draw = |fraction| bar(fraction, 4, Paint::new(false));
        assert_eq!(draw(0.0), "────");
        assert_eq!(draw(0.4), "━╸──");
        assert_eq!(draw(1.0), "━━━━");
        assert_eq!(draw(7.0), "━━━━");
    }

    #[test]
    fn colours_take_no_room() {
        let coloured = bar(0.4, 4, Paint::new(true));
        assert_eq!(measure_text_width(&coloured), 4);
        assert_eq!(truncate_str(&coloured, 4, "…"), coloured);
    }

    #[test]
    fn the_time_left_is_shown_also_where_room_is_scarce() {
        let parts = ["epoch 3/25 · 841 rows/s · loss 0.879".to_owned(), "9 s left".to_owned()];
        assert_eq!(joined(&parts, 80), "epoch 3/25 · 841 rows/s · loss 0.879 · 9 s left");
        let narrow = joined(&parts, 32);
        assert_eq!((measure_text_width(&narrow), narrow.as_str()), (32, "epoch 3/25 · 841 row… · 9 s left"));
    }

    #[test]
    fn a_running_stage_shows_its_own_words_or_amounts() {
        let running = |progress: StageProgress| Running {
            stage: "raw".into(),
            kind: "fetch".into(),
            started: Instant::now(),
            progress: Some(progress),
            first: Some((Instant::now(), 0)),
            waits: None,
        };
        let parts = |progress: StageProgress| progress_parts(&progress, &running(progress.clone()));
        let bytes =
            StageProgress { done: 1_200_000, total: Some(3_100_000), unit: "bytes".into(), detail: String::new() };
        assert_eq!(parts(bytes), ["1.2 MB/3.1 MB"]);
        let words = StageProgress { done: 3, total: Some(9), unit: "step".into(), detail: "epoch 1/3".into() };
        assert_eq!(parts(words), ["epoch 1/3"]);
    }
}
