//! Starting the `git` program.

use super::Git;
use std::io::Write;
use std::process::{Command, Stdio};

/// What git printed.
pub(super) struct Printed {
    pub(super) bytes: Vec<u8>,
    /// Warnings, as git words them.
    pub(super) warnings: String,
}

impl Git {
    /// What git prints as text; `None` where it fails.
    pub(super) fn text(&self, arguments: &[&str]) -> Option<String> {
        String::from_utf8(self.run(arguments, &[]).ok()?.bytes).ok()
    }

    /// What git prints when it is given `input`; why not, where it cannot be started or fails.
    pub(super) fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Printed, String> {
        let unusable = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => "there is no program `git`".to_owned(),
            _ => format!("the program `git` cannot be run: {error}"),
        };
        let mut child = Command::new("git")
            // Locks would get into the way of a git that the user runs at the same time.
            .args(["--no-optional-locks", "--literal-pathspecs", "-C"])
            .arg(&self.folder)
            .args(arguments)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(unusable)?;
        let stdin = child.stdin.take();
        let input = input.to_vec();
        // In a thread of its own, as git may answer before it has read everything.
        let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
        let output = child.wait_with_output().map_err(unusable)?;
        let _ = writer.join();
        let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            return Ok(Printed { bytes: output.stdout, warnings });
        }
        let first = warnings.lines().find(|line| !line.trim().is_empty()).unwrap_or("it failed without a word");
        Err(first.trim_start_matches("fatal: ").to_owned())
    }
}
