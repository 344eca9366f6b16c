//! The workers of a run: started on first need, one job at a time each, warm until the run ends.

use super::process::{Process, Said, how_it_ended, memory_limit};
use crate::env::{self, Cancel};
use crate::job::{Job, JobFile, JobResult, LIBTORCH, PROTOCOL, Setting, Start, WorkerEvent};
use crate::numbers;
use crate::stage::{ErrorKind, StageError, tells_of_a_full_disk};
use crossbeam_channel::{RecvTimeoutError, Sender};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The worker's file name.
const PROGRAM: &str = "kilter-torch";
/// The environment variable that names another.
const VARIABLE: &str = "KILTER_TORCH";
/// How often the cancel flag and the worker's memory are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How long a worker may take to load libtorch.
const HELLO: Duration = Duration::from_secs(180);
/// How long a cancelled job may take to stop.
const GRACE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 5 });

type Started = std::io::Result<Process>;

/// A request to the thread that starts processes.
type Request = (PathBuf, Setting, Vec<String>, Sender<Started>);

/// A job, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) stage: &'a str,
    pub(super) job: &'a Job,
    /// Where the job file is written.
    pub(super) file: &'a Path,
    pub(super) log: &'a Path,
    /// The GPUs that the stage was granted; without one the worker sees all.
    pub(super) gpus: &'a [String],
}

/// The workers of a run.
pub(super) struct Workers {
    /// Workers without a job, the longest idle first.
    idle: Mutex<Vec<Process>>,
    /// The thread that starts them. It must live as long as they do.
    starter: Mutex<Option<Sender<Request>>>,
    /// The worker's program, where it is not to be looked for.
    program: Option<PathBuf>,
    most_idle: usize,
}

/// What is known of a job while it runs.
#[derive(Default)]
struct Course {
    /// Step, and steps in all.
    step: Option<(u64, u64)>,
    /// The step of the last checkpoint.
    checkpoint: Option<u64>,
    cancelled: Option<Instant>,
}

impl Course {
    /// What is kept of it if it ends now.
    fn kept(&self) -> Option<String> {
        let step = numbers::count(self.checkpoint?);
        Some(format!("the checkpoint of step {step} is kept, and `kilter run` continues from it"))
    }
}

impl Workers {
    /// None yet; at most `slots` are kept without a job.
    pub(super) fn new(slots: usize) -> Self {
        Self::of(None, slots)
    }

    /// Workers that run `program`.
    pub(super) fn of(program: Option<PathBuf>, slots: usize) -> Self {
        Self { idle: Mutex::default(), starter: Mutex::default(), program, most_idle: slots.max(1) }
    }

    /// Runs a job in a worker of its setting and waits for it.
    pub(super) fn run_job(
        &self,
        order: &Order<'_>,
        cancel: &Cancel,
        watch: &mut dyn FnMut(&WorkerEvent),
    ) -> Result<JobResult, StageError> {
        let Order { stage, job, file, log, gpus } = *order;
        let mut worker = match self.take_idle(job.setting(), gpus) {
            Some(worker) => worker,
            None => self.start(order, cancel)?,
        };
        worker.log_to(log).map_err(|error| StageError::io("write the log", log, &error))?;
        write_job(stage, job, file)?;
        let sent = worker.send(&file.display().to_string());
        let mut course = Course::default();
        if sent.is_err() {
            return Err(died(&mut worker, stage, log, &course));
        }
        let result = follow(&mut worker, stage, log, cancel, watch, &mut course)?;
        if course.cancelled.is_none() {
            self.give_back(worker);
        }
        result
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Process>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self, setting: Setting, gpus: &[String]) -> Option<Process> {
        let mut idle = self.idle();
        let at = idle.iter().position(|worker| worker.setting == setting && worker.gpus == gpus)?;
        Some(idle.remove(at))
    }

    fn give_back(&self, worker: Process) {
        let mut idle = self.idle();
        idle.push(worker);
        if idle.len() > self.most_idle {
            let oldest = idle.remove(0);
            drop(idle);
            drop(oldest);
        }
    }

    /// Starts a worker and waits until it says that it is ready.
    fn start(&self, order: &Order<'_>, cancel: &Cancel) -> Result<Process, StageError> {
        let Order { stage, job, log, gpus, .. } = *order;
        let program = self.program.clone().map_or_else(find, Ok)?;
        let failed = |error: std::io::Error| {
            let what = format!("cannot start the worker `{}`: {}", program.display(), crate::stage::io_words(&error));
            StageError::new(ErrorKind::Process, what)
        };
        let mut worker = self.start_process(&program, job.setting(), gpus).map_err(failed)?;
        worker.log_to(log).map_err(|error| StageError::io("write the log", log, &error))?;
        let started = Instant::now();
        loop {
            match worker.said.recv_timeout(TICK) {
                Ok(Said::Event(event)) => {
                    if let WorkerEvent::Hello { protocol, libtorch, .. } = *event {
                        return greet(worker, protocol, &libtorch, &program);
                    }
                }
                Ok(Said::Nonsense(_)) => {}
                Err(RecvTimeoutError::Timeout) if cancel.is_set() => return Err(interrupted()),
                Err(RecvTimeoutError::Timeout) if started.elapsed() < HELLO => {}
                Err(RecvTimeoutError::Timeout) => {
                    let what = format!("the worker said nothing for {}", numbers::duration(HELLO.as_secs_f64()));
                    return Err(StageError::new(ErrorKind::Process, what).log(log.to_owned()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(died(&mut worker, stage, log, &Course::default()));
                }
            }
        }
    }

    fn start_process(&self, program: &Path, setting: Setting, gpus: &[String]) -> Started {
        let mut starter = self.starter.lock().unwrap_or_else(PoisonError::into_inner);
        let request = match &*starter {
            Some(request) => request.clone(),
            None => {
                let (request, requests) = crossbeam_channel::unbounded::<Request>();
                std::thread::Builder::new().name("worker starter".into()).spawn(move || {
                    for (program, setting, gpus, answer) in requests {
                        let _ = answer.send(Process::start(&program, setting, gpus));
                    }
                })?;
                starter.insert(request).clone()
            }
        };
        drop(starter);
        let (answer, started) = crossbeam_channel::bounded(1);
        let gone = || std::io::Error::other("the thread that starts workers is gone");
        request.send((program.to_owned(), setting, gpus.to_vec(), answer)).map_err(|_| gone())?;
        started.recv().map_err(|_| gone())?
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Before the thread that started them ends.
        self.idle().clear();
    }
}

/// The worker's program: named by the environment, or beside this one.
fn find() -> Result<PathBuf, StageError> {
    if let Some(named) = env::var(VARIABLE) {
        let named = PathBuf::from(named);
        if named.is_file() {
            return Ok(named);
        }
        let what = format!("{VARIABLE} names `{}`, which does not exist", named.display());
        return Err(StageError::new(ErrorKind::Process, what));
    }
    let folder = env::program_folder().unwrap_or_default();
    // Tests run from a folder below the programs'.
    let beside = [folder.join(PROGRAM), folder.join("..").join(PROGRAM)];
    beside.iter().find(|path| path.is_file()).cloned().ok_or_else(|| missing(&beside[0]))
}

fn missing(looked_for: &Path) -> StageError {
    StageError::new(ErrorKind::Process, format!("the worker `{PROGRAM}` is not beside this program"))
        .note(format!("looked for {}", looked_for.display()))
        .hint("build it with `cargo build` (its feature `torch` is on by default)")
        .hint(format!("or name it with the environment variable {VARIABLE}"))
}

/// The worker and we must speak the same language, and results are keyed by its libtorch.
fn greet(worker: Process, protocol: u32, libtorch: &str, program: &Path) -> Result<Process, StageError> {
    let same_torch = libtorch.split('+').next() == Some(LIBTORCH);
    if protocol == PROTOCOL && same_torch {
        return Ok(worker);
    }
    let what = format!("the worker `{}` is from another version of kilter", program.display());
    Err(StageError::new(ErrorKind::Process, what)
        .note(format!("protocol {protocol}, libtorch {libtorch}; expected {PROTOCOL} and {LIBTORCH}"))
        .hint("build both together with `cargo build`"))
}

fn write_job(stage: &str, job: &Job, path: &Path) -> Result<(), StageError> {
    let file = JobFile { protocol: PROTOCOL, stage: stage.to_owned(), job: job.clone() };
    let text = serde_json::to_vec_pretty(&file).map_err(|error| StageError::bug(format!("the job file: {error}")))?;
    std::fs::write(path, text).map_err(|error| StageError::io("write the job file", path, &error))
}

fn interrupted() -> StageError {
    StageError::new(ErrorKind::Cancelled, "interrupted")
}

/// The same of a job under way, with what is kept of it.
fn interrupted_at(course: &Course) -> StageError {
    let mut error = interrupted();
    error.notes.extend(course.kept());
    error
}

/// Waits for a job's end. The outer error: the worker is gone. The inner: the job failed and the worker goes on.
fn follow(
    worker: &mut Process,
    stage: &str,
    log: &Path,
    cancel: &Cancel,
    watch: &mut dyn FnMut(&WorkerEvent),
    course: &mut Course,
) -> Result<Result<JobResult, StageError>, StageError> {
    let mut sampled = Instant::now();
    worker.sample();
    loop {
        let said = worker.said.recv_timeout(TICK);
        if sampled.elapsed() > TICK {
            worker.sample();
            sampled = Instant::now();
        }
        look_at_cancel(worker, cancel, course)?;
        let event = match said {
            Ok(Said::Event(event)) => event,
            Ok(Said::Nonsense(line)) => {
                let _ = worker.end(true);
                let error = StageError::new(ErrorKind::Process, "the worker said something that is not an event");
                return Err(error.note(line.chars().take(200).collect::<String>()).log(log.to_owned()));
            }
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) if course.cancelled.is_some() => return Err(interrupted_at(course)),
            Err(RecvTimeoutError::Disconnected) => return Err(died(worker, stage, log, course)),
        };
        match &*event {
            WorkerEvent::Step { step, steps, .. } => course.step = Some((*step, *steps)),
            WorkerEvent::Checkpoint { step } => course.checkpoint = Some(*step),
            WorkerEvent::Continues { step, steps, from, .. } => {
                course.step = Some((*step, *steps));
                course.checkpoint = (*from == Start::Checkpoint).then_some(*step);
            }
            _ => {}
        }
        watch(&event);
        match *event {
            WorkerEvent::Done(result) => return Ok(Ok(result)),
            WorkerEvent::Failed { .. } if course.cancelled.is_some() => {
                return Ok(Err(interrupted_at(course)));
            }
            WorkerEvent::Failed { message, hints } => {
                let mut error = failed(message, course).log(log.to_owned());
                error.hints = hints;
                return Ok(Err(error));
            }
            _ => {}
        }
    }
}

/// The error for a job that failed. Where the disk is full neither the data nor the job is to blame, and it can go on from what is kept.
fn failed(message: String, course: &Course) -> StageError {
    if !tells_of_a_full_disk(&message) {
        return StageError::new(ErrorKind::Data, message);
    }
    let mut error = StageError::new(ErrorKind::File, message);
    error.notes.extend(course.kept());
    error
}

/// An interrupted job is told to stop, and killed when it does not.
fn look_at_cancel(worker: &mut Process, cancel: &Cancel, course: &mut Course) -> Result<(), StageError> {
    match course.cancelled {
        None if cancel.is_set() => {
            course.cancelled = Some(Instant::now());
            let _ = worker.send("cancel");
        }
        Some(since) if since.elapsed() > GRACE => {
            let _ = worker.end(true);
            return Err(interrupted_at(course));
        }
        _ => {}
    }
    Ok(())
}

/// The error for a worker that is gone: which stage, how, at which step, and why that may be.
fn died(worker: &mut Process, stage: &str, log: &Path, course: &Course) -> StageError {
    worker.sample();
    let status = worker.end(false);
    let how = status.as_ref().map_or_else(|_| "is gone".to_owned(), |status| how_it_ended(*status));
    let at = course.step.map(|(step, steps)| format!(" at step {} of {}", numbers::count(step), numbers::count(steps)));
    let message = format!("the worker for stage `{stage}` {how}{}", at.unwrap_or_default());
    let mut error = StageError::new(ErrorKind::Process, message).log(log.to_owned());
    error.notes.extend(course.kept());
    let killed = status.is_ok_and(|status| status.signal() == Some(libc::SIGKILL));
    let held = numbers::bytes(worker.peak());
    let of = memory_limit().map_or_else(String::new, |limit| format!(" of {}", numbers::bytes(limit)));
    match (killed, worker.peak()) {
        (false, _) => error.hint("its log says what it said last"),
        (true, 0) => error.note("somebody killed it, or the system did for want of memory"),
        (true, peak) if memory_limit().is_some_and(|limit| peak > limit / 10 * 7) => error
            .note(format!("most likely out of memory: it held {held}{of}"))
            .hint("to use less: a smaller `batch_size`, or fewer stages at a time with `--jobs`"),
        (true, _) => {
            error.note(format!("somebody killed it, or the system did for want of memory: it held {held}{of}"))
        }
    }
}
