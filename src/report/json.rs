//! Events for programs: one JSON object a line on stdout.

use super::Reporter;
use crate::event::Event;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Writes events to stdout, and what no event carries to stderr.
pub struct JsonLines<F: Fn() + Sync> {
    closed: AtomicBool,
    on_close: F,
}

impl<F: Fn() + Sync> JsonLines<F> {
    /// `on_close` is called once, when nobody reads stdout any more.
    pub fn new(on_close: F) -> Self {
        Self { closed: AtomicBool::new(false), on_close }
    }
}

impl<F: Fn() + Sync> Reporter for JsonLines<F> {
    fn event(&self, event: &Event) {
        if self.is_closed() {
            return;
        }
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(&line).and_then(|()| stdout.flush());
        if written.is_err() && !self.closed.swap(true, Ordering::SeqCst) {
            (self.on_close)();
        }
    }

    fn say(&self, line: &str) {
        let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
    }

    fn close(&self) {}

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}
