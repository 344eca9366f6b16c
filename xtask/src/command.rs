//! Running other programs, and failing in words.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Why a chore did not work.
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// Prints the message, if there is one left to say, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("xtask: {}", self.message);
        }
        ExitCode::from(self.code)
    }
}

/// The workspace's root: the folder above this package. Cargo tells where that is now; it may have built this program in another
/// checkout that shares its target folder and is gone.
pub fn root() -> PathBuf {
    let now = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let mut folder = now.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    folder.pop();
    folder
}

/// A command in the workspace's root, without what cargo told *this* program of its package: some build scripts watch
/// such variables (`CARGO_MANIFEST_DIR`), and a cargo that inherits ours would compile half of everything again,
/// differently from a cargo that the user starts.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") || told == "OUT_DIR" {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a program to its end, with its output shown. Its exit code becomes ours; it has said why itself.
pub fn run<A: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = A>,
    env: &[(&str, &str)],
) -> Result<(), Failure> {
    let mut command = command(program);
    command.args(args).envs(env.iter().copied());
    let status = command.status().map_err(|error| Failure::new(format!("cannot start `{program}`: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure { message: String::new(), code })
}

/// What a program prints on its standard output, trimmed.
pub fn output<A: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = A>) -> Result<String, Failure> {
    let out = command(program)
        .args(args)
        .output()
        .map_err(|error| Failure::new(format!("cannot start `{program}`: {error}")))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    Err(Failure::new(format!("`{program}` failed ({})\n{}", out.status, said.trim_end())))
}
