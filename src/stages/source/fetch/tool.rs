//! Runs a package client and waits for it, without waiting through an interruption.

use crate::stage::{ErrorKind, RunCx, StageError};
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a tool answered.
pub(super) struct Answer {
    /// Whether it exited with 0.
    pub(super) ok: bool,
    /// Its standard output.
    pub(super) out: String,
    /// Its standard error.
    pub(super) err: String,
}

impl Answer {
    /// The lines of its standard error that say something, the last ones.
    pub(super) fn last_lines(&self, most: usize) -> Vec<String> {
        let lines: Vec<&str> = self.err.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(most)..].iter().map(|line| (*line).to_owned()).collect()
    }
}

/// Runs a tool to its end; `None` where there is no such program.
///
/// # Errors
/// When it cannot be started or the run is interrupted.
pub(super) fn run(cx: &RunCx<'_>, command: &mut Command) -> Result<Option<Answer>, StageError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let fail = |error: &std::io::Error| {
        StageError::new(ErrorKind::Process, format!("cannot run `{name}`: {}", crate::stage::io_words(error)))
    };
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(&error)),
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let out = scope.spawn(|| read_all(out));
        let err = scope.spawn(|| read_all(err));
        let status = loop {
            match child.try_wait().map_err(|error| fail(&error))? {
                Some(status) => break status,
                None if cx.cancel.is_set() => {
                    // It may have ended by itself meanwhile; either way it is gone afterwards.
                    drop(child.kill());
                    drop(child.wait());
                    cx.check_cancelled()?;
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
        Ok(Some(Answer { ok: status.success(), out: text(out), err: text(err) }))
    })
}

fn read_all(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What came before a broken pipe is still worth reading.
        drop(stream.read_to_end(&mut bytes));
    }
    bytes
}
