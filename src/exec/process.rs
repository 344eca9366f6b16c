//! One worker process: starting it so that it cannot outlive us, talking to it, and telling how it died.

use crate::env::die_with_parent;
use crate::job::{CLEARED, Setting, WorkerEvent};
use crossbeam_channel::{Receiver, Sender};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long to wait for what a dead worker has written.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What a worker's standard output brought.
pub(super) enum Said {
    /// An event.
    Event(Box<WorkerEvent>),
    /// A line that is none.
    Nonsense(String),
}

/// Where a worker's standard error goes: the log of the stage that it works for.
type Log = Arc<Mutex<Option<File>>>;

/// A running worker process. Dropping it kills it.
pub(super) struct Process {
    pub(super) setting: Setting,
    /// The GPUs that it sees, where they were chosen for it.
    pub(super) gpus: Vec<String>,
    /// Its events; disconnected when it has closed its output.
    pub(super) said: Receiver<Said>,
    child: Child,
    stdin: Option<ChildStdin>,
    log: Log,
    /// The most memory that it was seen to hold, in bytes.
    peak: u64,
    /// It has been waited for, so its id is no longer its own.
    ended: bool,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `program` for a setting. Must be called from a thread that lives as long as the process is to live: the
    /// system kills it when the thread that started it ends (that is how it cannot outlive a killed kilter).
    pub(super) fn start(program: &Path, setting: Setting, gpus: Vec<String>) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        for name in CLEARED {
            command.env_remove(name);
        }
        command.envs(setting.environment());
        if !gpus.is_empty() {
            command.env("CUDA_VISIBLE_DEVICES", gpus.join(","));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // An interrupt from the terminal goes to us alone; we tell the worker.
        command.process_group(0);
        die_with_parent(&mut command);
        let mut child = command.spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let log = Log::default();
        let (send, said) = crossbeam_channel::unbounded();
        let mut readers = Vec::new();
        if let Some(stdout) = stdout {
            readers
                .push(std::thread::Builder::new().name("worker events".into()).spawn(move || listen(stdout, &send))?);
        }
        if let Some(stderr) = stderr {
            let log = Arc::clone(&log);
            readers.push(std::thread::Builder::new().name("worker log".into()).spawn(move || keep(stderr, &log))?);
        }
        Ok(Self { setting, gpus, said, child, stdin, log, peak: 0, ended: false, readers })
    }

    /// Sends its standard error to a file from now on.
    pub(super) fn log_to(&self, path: &Path) -> std::io::Result<()> {
        let file = File::options().create(true).append(true).open(path)?;
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(())
    }

    /// Sends a line: a job file's path, or `cancel`.
    pub(super) fn send(&mut self, line: &str) -> std::io::Result<()> {
        let Some(stdin) = &mut self.stdin else { return Err(std::io::ErrorKind::BrokenPipe.into()) };
        writeln!(stdin, "{line}")?;
        stdin.flush()
    }

    /// Looks at how much memory it holds.
    pub(super) fn sample(&mut self) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        self.peak = self.peak.max(peak.and_then(kibibytes).unwrap_or(0));
    }

    /// The most memory that it was seen to hold, in bytes; 0 where that could not be seen.
    pub(super) fn peak(&self) -> u64 {
        self.peak
    }

    /// Kills it and whatever it has started.
    fn kill_group(&self) {
        if let Ok(id) = libc::pid_t::try_from(self.child.id()) {
            // SAFETY: signalling has no preconditions. The process has not been waited for, so its id, which is its
            // group's too, is still its own.
            unsafe { libc::kill(-id, libc::SIGKILL) };
        }
    }

    /// Waits for its end, if need be by force, and gives how it ended.
    pub(super) fn end(&mut self, force: bool) -> std::io::Result<ExitStatus> {
        self.stdin = None;
        if force {
            self.kill_group();
        }
        let status = self.child.wait()?;
        self.ended = true;
        // Its last words. Something that it has started may hold its output open for longer.
        let until = Instant::now() + LAST_WORDS;
        while self.readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A worker without a job has nothing to lose, and waiting for libtorch to unload would hold up the end of a run.
        self.stdin = None;
        if !self.ended {
            self.kill_group();
            let _ = self.child.wait();
        }
    }
}

fn listen(stdout: impl Read, send: &Sender<Said>) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { return };
        let said = match serde_json::from_str(&line) {
            Ok(event) => Said::Event(Box::new(event)),
            Err(_) => Said::Nonsense(line),
        };
        if send.send(said).is_err() {
            return;
        }
    }
}

/// Copies the standard error to whatever the log is at the time.
fn keep(mut stderr: impl Read, log: &Log) {
    let mut piece = vec![0; 16 << 10];
    while let Ok(count @ 1..) = stderr.read(&mut piece) {
        if let Some(file) = log.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // A log that cannot be written must not stop the work.
            let _ = file.write_all(&piece[..count]);
        }
    }
}

/// `  1234 kB` in bytes.
fn kibibytes(text: &str) -> Option<u64> {
    Some(text.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// How much memory this process and its children may use, in bytes: the machine's, or the control group's limit.
pub(super) fn memory_limit() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| text.lines().find_map(|line| kibibytes(line.strip_prefix("MemTotal:")?)));
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    match (machine, group) {
        (Some(a), Some(b)) => Some(std::cmp::min::<u64>(a, b)),
        (a, b) => a.or(b),
    }
}

/// `was killed by signal 9 (SIGKILL)`, `ended with exit code 1`.
pub(super) fn how_it_ended(status: ExitStatus) -> String {
    let name = |signal| match signal {
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGTERM => " (SIGTERM)",
        _ => "",
    };
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by signal {signal}{}", name(signal)),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => "ended".to_owned(),
    }
}
