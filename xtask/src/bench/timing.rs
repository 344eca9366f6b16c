//! Timing whole processes.

use crate::command::Failure;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Seconds of several runs.
pub struct Times(Vec<f64>);

impl Times {
    pub fn new(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Self(seconds)
    }

    pub fn median(&self) -> f64 {
        let (count, middle) = (self.0.len(), self.0.len() / 2);
        match count {
            0 => f64::NAN,
            _ if count % 2 == 1 => self.0[middle],
            _ => f64::midpoint(self.0[middle - 1], self.0[middle]),
        }
    }

    /// `min / median / max`, in milliseconds or seconds.
    pub fn show(&self) -> String {
        let (min, max) = (self.0.first().copied().unwrap_or(f64::NAN), self.0.last().copied().unwrap_or(f64::NAN));
        let (factor, unit, digits) = if self.median() < 1.0 { (1000.0, "ms", 1) } else { (1.0, "s", 2) };
        format!("{:.digits$} / {:.digits$} / {:.digits$} {unit}", min * factor, self.median() * factor, max * factor)
    }
}

/// Runs a command to its end, output read and thrown away, and gives its wall time in seconds.
pub fn time(make: &dyn Fn() -> Command) -> Result<f64, Failure> {
    let mut command = make();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let out = command.output().map_err(|error| Failure::new(format!("cannot start {command:?}: {error}")))?;
    let seconds = start.elapsed().as_secs_f64();
    if out.status.success() {
        return Ok(seconds);
    }
    let said = String::from_utf8_lossy(&out.stderr);
    Err(Failure::new(format!("{command:?} failed ({})\n{}", out.status, said.trim_end())))
}

/// The same command several times, after one run that does not count.
pub fn repeat(runs: usize, make: &dyn Fn() -> Command) -> Result<Times, Failure> {
    time(make)?;
    (0..runs).map(|_| time(make)).collect::<Result<Vec<_>, _>>().map(Times::new)
}

/// Prints a row: a name and its times.
pub fn row(name: &str, times: &Times) {
    println!("  {name:<42} {:>34}", times.show());
}
