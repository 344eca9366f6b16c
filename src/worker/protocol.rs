//! The worker's side of the conversation: job files in, events out.

use crate::failure::Failure;
use crate::{jobs, numerics, shim};
use kilter::env::Cancel;
use kilter::job::{JobFile, LIBTORCH, PROTOCOL, WorkerEvent};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Speaks over the process's standard streams until the input ends.
///
/// # Errors
/// When nobody listens any more.
pub fn serve() -> std::io::Result<()> {
    // Events go to a copy of standard output, and standard output itself becomes standard error: what a library prints
    // lands in the log and cannot come between two events.
    let events = take_stdout()?;
    converse(std::io::stdin(), events)
}

/// Speaks over any two streams until the input ends.
fn converse(input: impl Read + Send + 'static, output: impl Write) -> std::io::Result<()> {
    let (jobs, current) = (channel(), std::sync::Arc::new(Mutex::new(Cancel::new())));
    let (sender, receiver): (Sender<(String, Cancel)>, Receiver<_>) = jobs;
    let watched = std::sync::Arc::clone(&current);
    // Reads on while a job runs, so that `cancel` and the input's end are heard.
    std::thread::spawn(move || listen(BufReader::new(input), &sender, &watched));
    let mut speaker = Speaker(output);
    speaker.say(&hello())?;
    for (path, cancel) in receiver {
        let answer = answer(Path::new(&path), &mut speaker, &cancel);
        speaker.say(&answer)?;
    }
    Ok(())
}

fn listen(input: impl BufRead, jobs: &Sender<(String, Cancel)>, current: &Mutex<Cancel>) {
    for line in input.lines().map_while(Result::ok) {
        let mut current = current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match line.trim() {
            "" => {}
            "cancel" => current.set(),
            path => {
                *current = Cancel::new();
                if jobs.send((path.to_owned(), current.clone())).is_err() {
                    return;
                }
            }
        }
    }
    current.lock().unwrap_or_else(std::sync::PoisonError::into_inner).set();
}

fn hello() -> WorkerEvent {
    WorkerEvent::Hello {
        protocol: PROTOCOL,
        libtorch: LIBTORCH.to_owned(),
        cpu_capability: shim::cpu_capability(),
        cuda: numerics::cuda_devices(),
    }
}

fn answer<W: Write>(path: &Path, speaker: &mut Speaker<W>, cancel: &Cancel) -> WorkerEvent {
    let result = read(path).and_then(|file| {
        // An event that cannot be said is not worth a job: the next answer finds out too.
        jobs::run(&file.job, &mut |event| drop(speaker.say(&event)), cancel)
    });
    match result {
        Ok(result) => WorkerEvent::Done(result),
        Err(Failure { message, hints }) => WorkerEvent::Failed { message, hints },
    }
}

fn read(path: &Path) -> Result<JobFile, Failure> {
    #[derive(serde::Deserialize)]
    struct Version {
        protocol: u32,
    }
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, error))?;
    let Version { protocol } =
        serde_json::from_slice(&bytes).map_err(|error| Failure::file("understand", path, error))?;
    if protocol != PROTOCOL {
        return Err(Failure::new(format!("the job speaks protocol {protocol}, this worker {PROTOCOL}"))
            .hint("kilter and kilter-torch come from different builds; build both again"));
    }
    serde_json::from_slice(&bytes).map_err(|error| Failure::file("understand", path, error))
}

/// Writes an event a line.
struct Speaker<W>(W);

impl<W: Write> Speaker<W> {
    fn say(&mut self, event: &WorkerEvent) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.0.write_all(&line)?;
        self.0.flush()
    }
}

/// A copy of standard output that children do not inherit; standard output then leads to standard error.
fn take_stdout() -> std::io::Result<File> {
    let stdout = std::io::stdout();
    // SAFETY: plain duplication of descriptors that are open for the process's whole life.
    unsafe {
        let copy = libc::fcntl(stdout.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3);
        if copy < 0 {
            return Err(std::io::Error::last_os_error());
        }
        let copy = OwnedFd::from_raw_fd(copy);
        if libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) < 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(File::from(copy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(lines: &str) -> Vec<WorkerEvent> {
        let mut output = Vec::new();
        converse(std::io::Cursor::new(lines.to_owned()), &mut output).expect("spoken");
        String::from_utf8(output)
            .expect("text")
            .lines()
            .map(|line| serde_json::from_str(line).expect("an event"))
            .collect()
    }

    #[test]
    fn a_job_that_cannot_be_read_is_an_answer_and_the_next_is_taken() {
        let folder = tempfile::tempdir().expect("folder");
        let old = folder.path().join("old.json");
        std::fs::write(&old, r#"{ "protocol": 0, "stage": "x", "job": {} }"#).expect("written");
        let events = conversation(&format!("/no/such/job.json\n\n{}\n", old.display()));
        assert!(matches!(&events[0], WorkerEvent::Hello { protocol: PROTOCOL, libtorch, .. } if libtorch == LIBTORCH));
        assert!(matches!(&events[1], WorkerEvent::Failed { message, .. } if message.contains("/no/such/job.json")));
        assert!(matches!(&events[2], WorkerEvent::Failed { message, .. } if message.contains("protocol 0")));
        assert_eq!(events.len(), 3);
    }
}
