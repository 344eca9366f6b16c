//! What a verification shows while it runs: a line that changes on a terminal, a line per stage elsewhere.

use crate::cli::{Level, Output};
use crate::event::Event;
use crate::verify::Told;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

pub(super) struct Progress {
    output: Output,
    /// `verifying train (3 of 9)`
    head: Mutex<String>,
}

impl Progress {
    pub(super) fn new(output: Output) -> Self {
        Self { output, head: Mutex::default() }
    }

    pub(super) fn tell(&self, told: Told) {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        match told {
            Told::Stage(stage, at, of) => {
                *head = format!("verifying {stage} ({at} of {of})");
                if self.output.live { self.line(&head) } else { self.output.say(&head) }
            }
            Told::Event(event) => self.tell_event(&event, &head),
        }
    }

    fn tell_event(&self, event: &Event, head: &str) {
        match event {
            Event::StageProgress { progress, .. } if self.output.live && !progress.detail.is_empty() => {
                self.line(&format!("{head}  {}", progress.detail));
            }
            Event::StageWarning { stage, message } => {
                self.clear();
                self.output.warn(&format!("{}: stage `{stage}`: {message}", self.output.err.yellow("warning")));
            }
            Event::StageWaiting { stage, reason } => self.output.say(&format!("{stage}: {reason}")),
            _ => {}
        }
    }

    /// Leaves the terminal as it was found.
    pub(super) fn close(&self) {
        self.clear();
    }

    fn clear(&self) {
        if self.output.live {
            self.line("");
        }
    }

    fn line(&self, text: &str) {
        if self.output.level == Level::Quiet {
            return;
        }
        let cut: String = text.chars().take(self.output.width.saturating_sub(1)).collect();
        // A terminal that cannot be written to must not stop the verification.
        let _ = std::io::stderr().lock().write_all(format!("\r\x1b[2K{cut}").as_bytes());
    }
}
