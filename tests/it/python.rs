//! Python programs that look at what kilter wrote, with packages that pip fetches once.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of these packages, installed at first need; it lies in cargo's target folder, outside of any Python.
fn packages(wanted: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}", wanted.join("-").replace("==", "-")));
    if !folder.is_dir() {
        let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"];
        let mut pip = Command::new("python3");
        let done = pip.args(options).arg(fresh.path()).args(wanted).output().expect("python3 with pip");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        // Another test may have been faster.
        let _ = std::fs::rename(fresh.path(), &folder);
    }
    folder
}

/// Runs a program with these packages and arguments; gives what it printed. It must end well.
pub fn python<S: AsRef<OsStr>>(wanted: &[&str], program: &str, arguments: &[S]) -> String {
    let mut command = Command::new("python3");
    command.args(["-c", program]).args(arguments).env("PYTHONPATH", packages(wanted)).env("OMP_NUM_THREADS", "1");
    let done = command.output().expect("python3");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}
