//! Starting the `git` program.

use super::Git;
use std::io::Write;
use std::process::{Command, Stdio};

impl Git {
    /// What git prints as text; `None` where it fails.
    pub(super) fn text(&self, arguments: &[&str]) -> Option<String> {
        String::from_utf8(self.bytes(arguments, &[])?).ok()
    }

    /// What git prints when it is given `input`; `None` where it cannot be started or fails.
    pub(super) fn bytes(&self, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
        let mut child = Command::new("git")
            // Locks would get into the way of a git that the user runs at the same time.
            .args(["--no-optional-locks", "--literal-pathspecs", "-C"])
            .arg(&self.folder)
            .args(arguments)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut stdin = child.stdin.take()?;
        let input = input.to_vec();
        // In a thread of its own, as git may answer before it has read everything.
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().ok()?;
        let _ = writer.join();
        output.status.success().then_some(output.stdout)
    }
}
