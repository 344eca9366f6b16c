//! A worker process, and a folder for its files.

use super::Place;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A worker process.
pub struct Worker {
    process: Child,
    input: ChildStdin,
    events: BufReader<ChildStdout>,
    pub folder: PathBuf,
    pub device: &'static str,
    jobs: usize,
}

/// What a job came to: its events, one JSON object each.
pub struct Told {
    lines: Vec<String>,
}

impl Worker {
    pub fn start(place: &Place) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("kilter-gpu-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let mut command = Command::new(&place.worker);
        command.env("CUBLAS_WORKSPACE_CONFIG", ":4096:8").env("CUDA_MODULE_LOADING", "LAZY");
        if let Some(libtorch) = &place.libtorch {
            command.env("LD_LIBRARY_PATH", libtorch);
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", place.worker.display()))?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let (Some(input), Some(output)) = (input, output) else { return Err("no pipes".to_owned()) };
        let mut worker = Self { process, input, events: BufReader::new(output), folder, device: place.device, jobs: 0 };
        worker.line()?;
        Ok(worker)
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.events.read_line(&mut line) {
            Ok(0) => Err("the worker is gone".to_owned()),
            Ok(_) => Ok(line),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Runs a job, given as JSON, to its answer.
    pub fn run(&mut self, job: &str) -> Result<Told, String> {
        self.follow(job, false)
    }

    /// The same, but the job is told to stop once its first epoch has ended.
    pub fn run_and_stop(&mut self, job: &str) -> Result<Told, String> {
        self.follow(job, true)
    }

    fn follow(&mut self, job: &str, mut stops: bool) -> Result<Told, String> {
        self.jobs += 1;
        let path = self.folder.join(format!("job-{}.json", self.jobs));
        let text = format!(r#"{{"protocol": {}, "stage": "check", "job": {job}}}"#, super::job::PROTOCOL);
        std::fs::write(&path, text).map_err(|error| error.to_string())?;
        writeln!(self.input, "{}", path.display()).map_err(|error| error.to_string())?;
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if stops && line.starts_with(r#"{"event":"epoch""#) {
                writeln!(self.input, "cancel").map_err(|error| error.to_string())?;
                stops = false;
            }
            let ended = [r#"{"event":"done""#, r#"{"event":"failed""#].iter().any(|start| line.starts_with(start));
            lines.push(line);
            if ended {
                return Ok(Told { lines });
            }
        }
    }

    /// Runs a job that must go well.
    pub fn done(&mut self, job: &str) -> Result<Told, String> {
        let told = self.run(job)?;
        match told.failure() {
            None => Ok(told),
            Some(words) => Err(words.to_owned()),
        }
    }
}

impl Told {
    /// The last event, where the job failed.
    pub fn failure(&self) -> Option<&str> {
        self.lines.last().filter(|line| line.starts_with(r#"{"event":"failed""#)).map(|line| line.trim())
    }

    /// A number of the last event of a kind that has it.
    pub fn number(&self, event: &str, name: &str) -> Result<f64, String> {
        let start = format!(r#"{{"event":"{event}""#);
        let key = format!(r#""{name}":"#);
        let found = self.lines.iter().rev().filter(|line| line.starts_with(&start)).find_map(|line| {
            let rest = &line[line.find(&key)? + key.len()..];
            rest[..rest.find([',', '}'])?].parse().ok()
        });
        found.ok_or_else(|| format!("no `{name}` in the events `{event}`"))
    }

    /// A text of the last event.
    pub fn text(&self, name: &str) -> Result<&str, String> {
        let key = format!(r#""{name}":""#);
        let found = self.lines.last().and_then(|line| line[line.find(&key)? + key.len()..].split('"').next());
        found.ok_or_else(|| format!("no `{name}` in the answer"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
