//! When checkpoints are written, and the thread that writes them.
//!
//! The job copies its state; everything else (files, digests, waiting for the disk) is the thread's. While it writes, no further
//! state is copied. A checkpoint gets its name when it is whole and on the disk, and then those before the last two go.
//! What cannot be written is a warning: a full disk must not end a training.

use super::folder::write_folder;
use super::state::State;
use crate::failure::Failure;
use kilter::job::{Checkpoints, WorkerEvent};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often by default.
const EVERY: Duration = Duration::from_secs(60);
/// By default at most one part in so many of the time is spent on copying and writing: where all cores compute, who writes takes from
/// them too.
const PART: u32 = 100;
/// So many stay: should the last be damaged, there is the one before.
const KEPT: usize = 2;
/// What is being written lies under a name that begins so.
const UNFINISHED: &str = ".new-";

/// A job whose state is kept.
pub trait Kept {
    /// The step that it is at.
    fn step(&self) -> u64;

    /// A copy of all that changes.
    ///
    /// # Errors
    /// When it cannot be copied, or is not worth keeping.
    fn state(&mut self) -> Result<State, Failure>;

    /// Tells an event.
    fn tell(&mut self, event: WorkerEvent);
}

/// What became of a state that was to be written.
struct Written {
    step: u64,
    outcome: Result<(), Failure>,
    took: Duration,
}

/// Writes checkpoints of a job now and then.
pub struct Keeper {
    /// What the manifest asked for.
    asked: Option<Duration>,
    every: Duration,
    /// When a state was last copied, or the job began.
    last: Instant,
    /// The last step of which a state was handed over, or the job went on from.
    step: u64,
    /// The last step of which a checkpoint is there.
    kept: Option<u64>,
    copying: Duration,
    busy: bool,
    states: Option<SyncSender<State>>,
    written: Receiver<Written>,
    thread: Option<JoinHandle<()>>,
    /// What was warned of last.
    warned: Option<String>,
}

impl Keeper {
    /// A keeper for a job that begins behind `step`, with or without a checkpoint of that; `None` where none are wanted.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(spec: Option<&Checkpoints>, step: u64, is_kept: bool) -> Result<Option<Self>, Failure> {
        let Some(spec) = spec else { return Ok(None) };
        let (states, take) = sync_channel::<State>(1);
        let (tell, written) = channel();
        let folder = spec.folder.clone();
        let write = move || {
            for state in take {
                let began = Instant::now();
                let outcome = keep(&folder, &state);
                let answer = Written { step: state.at.step, outcome, took: began.elapsed() };
                drop(state);
                if tell.send(answer).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("checkpoints".into()).spawn(write);
        let thread = thread.map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
        let asked = spec.every.map(Duration::from_secs_f64);
        Ok(Some(Self {
            asked,
            every: asked.unwrap_or(EVERY),
            last: Instant::now(),
            step,
            kept: is_kept.then_some(step),
            copying: Duration::ZERO,
            busy: false,
            states: Some(states),
            written,
            thread: Some(thread),
            warned: None,
        }))
    }

    /// Tells of a checkpoint once it is written, and hands a state over where it is time for one.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn consider(&mut self, job: &mut impl Kept) -> Result<(), Failure> {
        self.hear(job);
        if self.busy || self.last.elapsed() < self.every { Ok(()) } else { self.take(job) }
    }

    fn take(&mut self, job: &mut impl Kept) -> Result<(), Failure> {
        let began = Instant::now();
        let state = job.state()?;
        self.copying = began.elapsed();
        self.last = Instant::now();
        self.step = state.at.step;
        // The thread is gone only when it panicked; then there are no more checkpoints.
        self.busy = self.states.as_ref().is_some_and(|states| states.send(state).is_ok());
        Ok(())
    }

    /// Writes a last state, unless it is written already, and waits for that. The job is about to stop.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn take_last(mut self, job: &mut impl Kept) -> Result<(), Failure> {
        if self.step != job.step() {
            self.take(job)?;
        }
        self.states = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by it.
            let _ = thread.join();
        }
        self.hear(job);
        Ok(())
    }

    /// Tells what became of the states that were handed over.
    fn hear(&mut self, job: &mut impl Kept) {
        loop {
            match self.written.try_recv() {
                Ok(Written { step, outcome: Ok(()), took }) => {
                    self.busy = false;
                    self.kept = Some(step);
                    self.warned = None;
                    if self.asked.is_none() {
                        self.every = usual(self.copying + took);
                    }
                    job.tell(WorkerEvent::Checkpoint { step });
                }
                Ok(Written { step, outcome: Err(failure), .. }) => {
                    self.busy = false;
                    self.warn(step, &failure, job);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    /// The same trouble is told once, until a checkpoint succeeds.
    fn warn(&mut self, step: u64, failure: &Failure, job: &mut impl Kept) {
        if self.warned.as_ref() == Some(&failure.message) {
            return;
        }
        self.warned = Some(failure.message.clone());
        let before = match self.kept {
            Some(kept) => format!("that of step {} stays", kilter::numbers::count(kept)),
            None => "there is none before it".to_owned(),
        };
        let step = kilter::numbers::count(step);
        let message = format!("no checkpoint of step {step}: {}; training goes on, and {before}", failure.message);
        job.tell(WorkerEvent::Warning { message });
    }
}

/// How often where nothing was asked for, and a checkpoint takes so long.
fn usual(takes: Duration) -> Duration {
    EVERY.max(takes * PART)
}

/// Dropping it waits for what is being written.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.states = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes a checkpoint, so that it has its name only when all of it is on the disk; removes those before the last two, and what
/// killed processes left half-written.
fn keep(folder: &Path, state: &State) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, &error))?;
    clear(folder);
    let unfinished = folder.join(format!("{UNFINISHED}{}", std::process::id()));
    let outcome = write_whole(folder, &unfinished, state);
    if outcome.is_err() {
        let _ = std::fs::remove_dir_all(&unfinished);
    }
    outcome?;
    let mut all = numbered(folder);
    all.truncate(all.len().saturating_sub(KEPT));
    for (_, old) in all {
        let _ = std::fs::remove_dir_all(old);
    }
    Ok(())
}

fn write_whole(folder: &Path, unfinished: &Path, state: &State) -> Result<(), Failure> {
    std::fs::create_dir(unfinished).map_err(|error| Failure::io("make the folder", unfinished, &error))?;
    write_folder(unfinished, state)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| Failure::io("write", &path, &error)
    };
    let entries = std::fs::read_dir(unfinished).map_err(failed(unfinished))?;
    for entry in entries {
        let path = entry.map_err(failed(unfinished))?.path();
        sync(&path).map_err(failed(&path))?;
    }
    sync(unfinished).map_err(failed(unfinished))?;
    let name = folder.join(format!("{:012}", state.at.step));
    // Of the same step: the same bytes, or damaged ones that were not gone on from.
    let _ = std::fs::remove_dir_all(&name);
    std::fs::rename(unfinished, &name).map_err(failed(&name))?;
    sync(folder).map_err(failed(folder))
}

fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// The checkpoints of a folder with their steps, the earliest first.
pub fn numbered(folder: &Path) -> Vec<(u64, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut all: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(_, path)| path.is_dir())
        .collect();
    all.sort();
    all
}

/// Removes what is half-written. The folder is this process's alone: the engine holds the lock of the stage's key.
fn clear(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
        let _ = std::fs::remove_dir_all(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::tests::state;
    use super::*;

    fn spec(folder: &Path) -> Checkpoints {
        Checkpoints { folder: folder.to_owned(), readable: Vec::new(), every: Some(0.0) }
    }

    /// A job that is nothing but its steps.
    #[derive(Default)]
    struct Steps {
        step: u64,
        told: Vec<WorkerEvent>,
    }

    impl Kept for Steps {
        fn step(&self) -> u64 {
            self.step
        }

        fn state(&mut self) -> Result<State, Failure> {
            Ok(state(self.step))
        }

        fn tell(&mut self, event: WorkerEvent) {
            self.told.push(event);
        }
    }

    /// Hands over states of these steps, one after the other; gives what was told.
    fn told(folder: &Path, steps: &[u64]) -> Vec<WorkerEvent> {
        let mut job = Steps::default();
        let mut keeper = Keeper::start(Some(&spec(folder)), 0, false).expect("started").expect("wanted");
        for step in steps {
            job.step = *step;
            while keeper.step != *step {
                keeper.consider(&mut job).expect("taken");
            }
        }
        keeper.take_last(&mut job).expect("written");
        job.told
    }

    #[test]
    fn checkpoints_take_a_hundredth_of_the_time_at_most() {
        assert_eq!(usual(Duration::from_millis(50)), Duration::from_secs(60));
        assert_eq!(usual(Duration::from_secs(3)), Duration::from_secs(300));
    }

    #[test]
    fn the_last_two_stay_and_nothing_half_written() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join(".new-1")).expect("litter");
        let events = told(folder.path(), &[5, 10, 15]);
        assert_eq!(events, [5, 10, 15].map(|step| WorkerEvent::Checkpoint { step }));
        let names: Vec<u64> = numbered(folder.path()).into_iter().map(|(step, _)| step).collect();
        assert_eq!(names, [10, 15]);
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 2);
    }

    #[test]
    fn a_checkpoint_is_told_of_once_it_is_written_and_not_when_the_next_is_due() {
        let folder = tempfile::tempdir().expect("folder");
        let spec = Checkpoints { every: Some(3600.0), ..spec(folder.path()) };
        let mut job = Steps { step: 5, ..Steps::default() };
        let mut keeper = Keeper::start(Some(&spec), 0, false).expect("started").expect("wanted");
        keeper.take(&mut job).expect("taken");
        for _ in 0..5000 {
            keeper.consider(&mut job).expect("heard");
            if !job.told.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(job.told, [WorkerEvent::Checkpoint { step: 5 }]);
    }

    #[test]
    fn what_cannot_be_written_is_told_once_and_the_one_before_stays() {
        let folder = tempfile::tempdir().expect("folder");
        let place = folder.path().join("file/below");
        std::fs::write(folder.path().join("file"), "in the way").expect("written");
        let events = told(&place, &[5, 10]);
        let [WorkerEvent::Warning { message }] = events.as_slice() else { panic!("{events:?}") };
        assert!(message.starts_with("no checkpoint of step 5: cannot make the folder `"), "{message}");
        assert!(message.ends_with("training goes on, and there is none before it"), "{message}");
    }
}
