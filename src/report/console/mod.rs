//! A run, as it happens: a live display on a terminal, plain lines elsewhere.

mod live;
mod plain;
mod words;

use super::Paint;
use crate::event::Event;
use std::time::Instant;

pub use live::Live;
pub use plain::Plain;
pub use words::{failure, summary};

/// Shows a run. Called from several threads.
pub trait Reporter: Sync {
    /// Shows that something happened.
    fn event(&self, event: &Event);

    /// Shows a line that no event carries, such as that the run is being stopped.
    fn say(&self, line: &str);

    /// Whether it tells of stages that are cached.
    fn tells_cached(&self) -> bool {
        true
    }

    /// Leaves the terminal as it was found. Called once, after the last event.
    fn close(&self);

    /// Whether nobody reads any more.
    fn is_closed(&self) -> bool {
        false
    }
}

/// What the displays need to know before the first event.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Colours of stderr.
    pub paint: Paint,
    /// Columns of the terminal.
    pub width: usize,
    /// Show cached stages too.
    pub verbose: bool,
    /// Show only failures and warnings.
    pub quiet: bool,
    /// When the program started; times in summaries count from here.
    pub started: Instant,
}

/// The columns in which stages are listed.
#[derive(Clone, Copy, Debug)]
struct Columns {
    kind: usize,
    stage: usize,
}

impl Columns {
    /// As wide as the widest kind and stage name, within limits.
    fn of(stages: &[(String, String)]) -> Self {
        let widest = |lengths: &mut dyn Iterator<Item = usize>, least: usize, most: usize| {
            lengths.max().unwrap_or(0).clamp(least, most)
        };
        Self {
            kind: widest(&mut stages.iter().map(|(_, kind)| kind.chars().count()), 6, 12),
            stage: widest(&mut stages.iter().map(|(stage, _)| stage.chars().count()), 6, 32),
        }
    }

    /// `  fetch     raw         `
    fn head(self, kind: &str, stage: &str, paint: Paint) -> String {
        let (kind, stage) =
            (format!("{kind:<width$}", width = self.kind), format!("{stage:<width$}", width = self.stage));
        format!("  {}  {}  ", paint.dim(kind), paint.bold(stage))
    }

    /// Columns that the head takes.
    fn width(self) -> usize {
        self.kind + self.stage + 6
    }
}
