//! What a bug in kilter looks like from outside: a short report instead of a panic's text.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::PanicHookInfo;

/// From now on a panic prints a short report. Whoever catches it decides how kilter ends; on the main thread that is
/// exit code 70. What polars panics with while a plan is only tried is an answer, and is told as one.
pub(super) fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        if info.location().is_some_and(|place| crate::frame::is_tried_for(place.file())) {
            return;
        }
        let report = report(info);
        let _ = std::io::stderr().lock().write_all(report.as_bytes());
    }));
}

fn report(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = format!(
        "error: this is a bug in kilter {}: {message}\n  at {place}\n  while running `kilter {}`\n",
        env!("CARGO_PKG_VERSION"),
        arguments.join(" ")
    );
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => out.push_str(&format!("{trace}\n")),
        _ => {
            out.push_str("  = RUST_BACKTRACE=1 shows how it came there; a report with the manifest helps to mend it\n")
        }
    }
    out
}
