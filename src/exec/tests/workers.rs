//! Workers that die, lie and hang: `worker.sh` does what its job's stage is called.

use crate::env::{self, Cancel};
use crate::exec::worker::{Order, Workers};
use crate::job::{Device, Job, JobResult, Numerics, PredictJob, Setting, WorkerEvent};
use crate::stage::{ErrorKind, StageError};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WORKSPACE: &str = "KILTER_TEST_WORKER_OF";

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/exec/tests/worker.sh")
}

fn job(threads: usize, numerics: Numerics) -> Job {
    Job::Predict(PredictJob {
        setting: Setting { threads, numerics, device: Device::Cpu },
        architecture: "a".into(),
        weights: "w".into(),
        data: "d".into(),
        batch_size: 1,
        tokens: None,
        out: "o".into(),
    })
}

struct Bench {
    folder: TempDir,
    workers: Workers,
    cancel: Cancel,
}

impl Bench {
    fn new() -> Self {
        let workers = Workers::of(Some(program()), 2);
        Self { folder: tempfile::tempdir().unwrap(), workers, cancel: Cancel::new() }
    }

    fn job(&self, stage: &str, job: &Job) -> Result<JobResult, StageError> {
        let (file, log) = (self.folder.path().join("job.json"), self.folder.path().join("log"));
        let order = Order { stage, job, file: &file, log: &log, gpus: &[] };
        self.workers.run_job(&order, &self.cancel, &mut |event| {
            if matches!(event, WorkerEvent::Hello { .. }) {
                panic!("a greeting is not an event of a job");
            }
        })
    }

    fn fails(&self, stage: &str) -> StageError {
        self.job(stage, &job(1, Numerics::Native)).unwrap_err()
    }
}

#[test]
fn a_worker_stays_warm_for_jobs_of_its_setting() {
    let bench = Bench::new();
    let pid = |job: &Job| bench.job("good", job).unwrap().values["pid"];
    let first = pid(&job(2, Numerics::Native));
    assert_eq!(pid(&job(2, Numerics::Native)), first);
    let portable = bench.job("good", &job(2, Numerics::Portable)).unwrap();
    assert_ne!(portable.values["pid"], first);
    assert_eq!(portable.environment["isa"], "avx2");
    assert_eq!(portable.values["threads"], 2.0);
    let failed = bench.fails("bad");
    assert_eq!((failed.message.as_str(), failed.hints[0].as_str()), ("the loss is NaN", "a smaller lr"));
}

#[test]
fn the_death_of_a_worker_says_how_where_and_in_which_log() {
    let bench = Bench::new();
    let killed = bench.fails("killed");
    assert_eq!(killed.message, "the worker for stage `killed` was killed by signal 9 (SIGKILL) at step 4,210 of 4,680");
    assert_eq!(killed.kind, ErrorKind::Process);
    assert!(killed.notes[0].starts_with("somebody killed it, or the system did for want of memory"), "{killed:?}");
    assert_eq!(std::fs::read_to_string(killed.log.unwrap()).unwrap(), "last words\n");
    let crash = bench.fails("crash");
    assert!(crash.message.contains("was killed by signal 11 (SIGSEGV) at step 4,210"), "{}", crash.message);
    assert_eq!(bench.fails("leaves").message, "the worker for stage `leaves` ended with exit code 3");
    assert_eq!(bench.fails("nonsense").notes, ["Segmentation fault (but politely)"]);
    assert!(bench.job("good", &job(1, Numerics::Native)).is_ok(), "the next job gets a new worker");
}

#[test]
fn a_worker_of_another_version_is_refused() {
    let error = Bench::new().job("good", &job(9, Numerics::Native)).unwrap_err();
    assert!(error.message.ends_with("is from another version of kilter"), "{}", error.message);
    assert_eq!(error.notes, ["protocol 99, libtorch 2.11.0+cpu; expected 3 and 2.11.0"]);
}

#[test]
fn an_interrupted_job_is_told_to_stop_and_killed_if_it_does_not() {
    for stage in ["patient", "stubborn"] {
        let bench = Bench::new();
        let cancel = bench.cancel.clone();
        let started = Instant::now();
        let error = std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                cancel.set();
            });
            bench.fails(stage)
        });
        assert_eq!(error.kind, ErrorKind::Cancelled, "{stage}");
        assert!(started.elapsed() < Duration::from_secs(60), "{stage}");
    }
}

#[test]
fn what_is_kept_of_a_job_that_had_to_be_killed_is_told() {
    let bench = Bench::new();
    let (file, log) = (bench.folder.path().join("job.json"), bench.folder.path().join("log"));
    let job = job(1, Numerics::Native);
    let order = Order { stage: "stubborn", job: &job, file: &file, log: &log, gpus: &[] };
    let stopped = bench.workers.run_job(&order, &bench.cancel, &mut |event| {
        if matches!(event, WorkerEvent::Checkpoint { .. }) {
            bench.cancel.set();
        }
    });
    let error = stopped.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!(error.notes, ["the checkpoint of step 4,000 is kept, and `kilter run` continues from it"]);
}

#[test]
fn a_job_that_found_the_disk_full_blames_the_disk_and_tells_what_is_kept() {
    let bench = Bench::new();
    let error = bench.fails("full");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::File, "cannot write `m`: the disk is full"));
    assert_eq!(error.notes, ["the checkpoint of step 4,000 is kept, and `kilter run` continues from it"]);
    assert_eq!(error.hints, ["free 3.1 MB"]);
    let error = bench.fails("bad");
    assert_eq!((error.kind, error.notes.len()), (ErrorKind::Data, 0));
}

/// Run in a child process by the test below; does nothing by itself.
#[test]
fn child_that_is_killed_while_its_worker_works() {
    let Some(folder) = env::var(WORKSPACE).map(PathBuf::from) else { return };
    let bench = Bench::new();
    let pid = bench.job("good", &job(1, Numerics::Native)).unwrap().values["pid"];
    std::fs::write(folder.join("pid.new"), pid.to_string()).unwrap();
    std::fs::rename(folder.join("pid.new"), folder.join("pid")).unwrap();
    let _ = bench.fails("stubborn");
}

#[test]
fn a_worker_does_not_outlive_a_killed_kilter() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "exec::tests::workers::child_that_is_killed_while_its_worker_works", "--quiet"])
        .env(WORKSPACE, folder.path())
        .spawn()
        .unwrap();
    let pid = loop {
        match std::fs::read_to_string(folder.path().join("pid")) {
            Ok(pid) => break pid,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    // Gone, or a zombie that nobody has waited for yet.
    let gone = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.is_empty() || status.contains("State:\tZ")
    };
    let until = Instant::now() + Duration::from_secs(20);
    while !gone() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(gone());
}
