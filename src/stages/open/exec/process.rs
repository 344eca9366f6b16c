//! Starting a program, waiting for it, and ending it with everything that it started.

use super::exit::Exit;
use super::strays;
use crate::env;
use crate::numbers;
use crate::stage::{ErrorKind, RunCx, StageError, io_words};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a program that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// How long a program's file may seem to be written to, and how often it is tried meanwhile.
const BUSY: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(2);

/// How often the cancel flag is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// Lines of a failed program's log that are shown.
const SHOWN_LINES: usize = 12;

/// Why waiting ended.
enum Ended {
    ByItself,
    Cancelled,
    TimedOut(Duration),
}

/// Runs a program to its end in the folder `work`.
///
/// # Errors
/// When it cannot be started, fails, takes too long, or the run is interrupted.
pub(super) fn run(
    cx: &RunCx<'_>,
    work: &Path,
    command: &[String],
    variables: &BTreeMap<&str, String>,
    limit: Option<Duration>,
) -> Result<(), StageError> {
    let [program, arguments @ ..] = command else { return Err(StageError::bug("an empty command was not refused")) };
    let path = variables.get("PATH").cloned().or_else(|| env::var("PATH")).unwrap_or_default();
    let place = find_program(program, &path).ok_or_else(|| not_found(program))?;
    let log = open_log(cx.log)?;
    let twin = log.try_clone().map_err(|error| StageError::io("write", cx.log, &error))?;
    let mut command = Command::new(&place);
    command
        .args(arguments)
        .current_dir(work)
        .env_clear()
        .env("PATH", &path)
        .env("HOME", cx.scratch)
        .env("TMPDIR", cx.scratch)
        .env("LANG", "C.UTF-8")
        .env("TZ", "UTC")
        .envs(budget(cx))
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(twin)
        .process_group(0);
    let mut child = start(&mut command).map_err(|error| cannot_start(program, &error))?;
    let ended = wait(cx, &child, limit)?;
    end_group(&child);
    if !matches!(ended, Ended::ByItself) {
        strays::end(cx.scratch);
    }
    let status = child.wait().map_err(|error| cannot_start(program, &error))?;
    match ended {
        Ended::ByItself if status.success() => Ok(()),
        Ended::ByItself => Err(failed(program, status, cx)),
        Ended::Cancelled => cx.check_cancelled(),
        Ended::TimedOut(limit) => Err(with_log(
            StageError::new(
                ErrorKind::Process,
                format!("`{program}` was stopped after {}", numbers::duration(limit.as_secs_f64())),
            )
            .hint("raise `timeout`, or find out what it waits for"),
            cx,
        )),
    }
}

/// Starts a program. Its file was written a moment ago, by this process: a child that another stage starts right then has that open
/// too until it becomes its own program, and so long the system refuses to run the file.
fn start(command: &mut Command) -> std::io::Result<Child> {
    let begun = Instant::now();
    loop {
        match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy && begun.elapsed() < BUSY => {
                std::thread::sleep(AGAIN);
            }
            started => return started,
        }
    }
}

/// The variables by which programs learn how many threads they may use, so that stages side by side do not take each
/// other's cores, and which GPUs are theirs.
fn budget(cx: &RunCx<'_>) -> Vec<(&'static str, String)> {
    let names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS"];
    let others = ["POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "JULIA_NUM_THREADS", "GOMAXPROCS"];
    let threads = names.into_iter().chain(others).map(|name| (name, cx.threads.to_string()));
    let gpus = (!cx.gpus.is_empty()).then(|| ("CUDA_VISIBLE_DEVICES", cx.gpus.join(",")));
    threads.chain(gpus).collect()
}

/// Where a program is: a path as it is, a name along `PATH`. Found here rather than by the system, so that the program
/// can be started without copying this process first. Where it was once it still is, as long as it is there.
fn find_program(program: &str, path: &str) -> Option<PathBuf> {
    static FOUND: Mutex<BTreeMap<(String, String), PathBuf>> = Mutex::new(BTreeMap::new());
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    let asked = (program.to_owned(), path.to_owned());
    let known = FOUND.lock().unwrap_or_else(PoisonError::into_inner).get(&asked).cloned();
    if let Some(place) = known.filter(|place| is_program(place)) {
        return Some(place);
    }
    let folders = path.split(':').filter(|folder| !folder.is_empty());
    let place = folders.map(|folder| Path::new(folder).join(program)).find(|place| is_program(place))?;
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).insert(asked, place.clone());
    Some(place)
}

fn is_program(place: &Path) -> bool {
    std::fs::metadata(place).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn not_found(program: &str) -> StageError {
    StageError::new(ErrorKind::Process, format!("there is no program `{program}` on this machine"))
        .note("it was looked for along PATH")
        .hint(format!("install it; where it is a file of the workspace, add it to `files` and call it `./{program}`"))
        .at(crate::path!["command", 0])
}

fn cannot_start(program: &str, error: &std::io::Error) -> StageError {
    let failure = StageError::new(ErrorKind::Process, format!("cannot start `{program}`: {}", io_words(error)))
        .at(crate::path!["command", 0]);
    match error.kind() {
        std::io::ErrorKind::NotFound if program.contains('/') => failure
            .hint("a workspace file must be among `files`; a script's first line must name a program that exists"),
        std::io::ErrorKind::PermissionDenied => {
            failure.hint(format!("call its interpreter: [\"sh\", \"{program}\"]"))
        }
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => failure.hint(format!(
            "begin it with a line that names its interpreter, such as `#!/bin/sh`, or call that: [\"sh\", \"{program}\"]"
        )),
        _ => failure,
    }
}

fn open_log(path: &Path) -> Result<File, StageError> {
    File::create(path)
        .or_else(|error| {
            let folder = path.parent().filter(|_| error.kind() == std::io::ErrorKind::NotFound);
            folder.map_or(Err(error), std::fs::create_dir_all)?;
            File::create(path)
        })
        .map_err(|error| StageError::io("write", path, &error))
}

/// Waits until the program has ended, or was told to. The ended program is not collected yet, so that its process
/// group cannot be taken for another's.
fn wait(cx: &RunCx<'_>, child: &Child, limit: Option<Duration>) -> Result<Ended, StageError> {
    let begun = Instant::now();
    let exit = Exit::of(child.id())
        .map_err(|error| StageError::new(ErrorKind::Process, format!("cannot wait for a program: {error}")))?;
    loop {
        let left = limit.map_or(GLANCE, |limit| limit.saturating_sub(begun.elapsed()).min(GLANCE));
        if exit.comes_within(left.max(Duration::from_millis(1))) {
            return Ok(Ended::ByItself);
        }
        let reason = if cx.cancel.is_set() {
            Ended::Cancelled
        } else {
            match limit.filter(|limit| begun.elapsed() >= *limit) {
                Some(limit) => Ended::TimedOut(limit),
                None => continue,
            }
        };
        stop(child.id(), &exit);
        return Ok(reason);
    }
}

/// Asks a process group to end, and insists.
fn stop(pid: u32, exit: &Exit) {
    signal_group(pid, libc::SIGTERM);
    if !exit.comes_within(GRACE) {
        signal_group(pid, libc::SIGKILL);
        // Nothing survives that signal, so this wait is short.
        while !exit.comes_within(GRACE) {}
    }
}

/// Ends what an ended program left running.
fn end_group(child: &Child) {
    signal_group(child.id(), libc::SIGKILL);
}

fn signal_group(pid: u32, signal: libc::c_int) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: sends a signal; the group is the child's own, which has not been collected yet.
    unsafe {
        libc::kill(-pid, signal);
    }
}

fn failed(program: &str, status: ExitStatus, cx: &RunCx<'_>) -> StageError {
    let error = match (status.code(), status.signal()) {
        (Some(code), _) => {
            let error = StageError::new(ErrorKind::Process, format!("`{program}` ended with exit code {code}"));
            match code {
                126 => error.note("126 commonly means that a program could not be executed"),
                127 => error.note("127 commonly means that a program was not found"),
                137 => error.note("137 commonly means that a program was killed, often for want of memory"),
                _ => error,
            }
        }
        (None, Some(signal)) => {
            let name = signal_name(signal).map_or_else(String::new, |name| format!(" ({name})"));
            let error = StageError::new(ErrorKind::Process, format!("`{program}` was killed by signal {signal}{name}"));
            match signal {
                libc::SIGKILL => error.hint("most likely the machine ran out of memory: give it less to do at once"),
                libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGABRT => {
                    error.hint("it crashed: the fault is in the program or in a library it uses")
                }
                _ => error,
            }
        }
        (None, None) => StageError::new(ErrorKind::Process, format!("`{program}` ended, nobody knows how")),
    };
    with_log(error, cx)
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGHUP => "hang-up",
        libc::SIGINT => "interrupted",
        libc::SIGQUIT => "quit",
        libc::SIGILL => "illegal instruction",
        libc::SIGABRT => "aborted",
        libc::SIGBUS => "bus error",
        libc::SIGFPE => "arithmetic error",
        libc::SIGKILL => "killed",
        libc::SIGSEGV => "segmentation fault",
        libc::SIGPIPE => "broken pipe",
        libc::SIGTERM => "terminated",
        _ => return None,
    })
}

/// Adds the last lines of the log to a failure.
fn with_log(error: StageError, cx: &RunCx<'_>) -> StageError {
    let text = tail(cx.log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let error = if lines.is_empty() {
        error.note("it printed nothing")
    } else {
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        shown.iter().fold(error.note("the last lines that it printed:"), |error, line| error.note(format!("  {line}")))
    };
    error.log(cx.log.to_owned())
}

/// The end of a file, from the start of a line.
fn tail(path: &Path) -> std::io::Result<String> {
    const MOST: u64 = 8 << 10;
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(MOST)))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let whole = if size > MOST { text.split_once('\n').map_or("", |(_, rest)| rest).to_owned() } else { text };
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_whose_file_somebody_has_open_yet_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        std::fs::write(&script, "#!/bin/sh\nexit 7\n").unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        let writer = File::options().append(true).open(&script).unwrap();
        let closes = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60));
            drop(writer);
        });
        let status = start(&mut Command::new(&script)).unwrap().wait().unwrap();
        closes.join().unwrap();
        assert_eq!(status.code(), Some(7));
    }
}
