//! TensorBoard's event files, written while a run goes on: `FOLDER/RUN/STAGE/events.out.tfevents.…`, so that runs and stages
//! can be looked at side by side.

mod message;
mod record;

use crate::env;
use crate::event;
use message::{Event, Summary, Value, What};
use prost::Message;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Writes the values that stages tell of.
pub struct TensorBoard {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    run: String,
    files: BTreeMap<String, File>,
    /// The first thing that went wrong; nothing is written after it.
    failed: Option<String>,
}

impl TensorBoard {
    /// Files below this folder, which is made when there is something to write.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), state: Mutex::default() }
    }

    /// Hears of an event.
    pub fn event(&self, event: &event::Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            event::Event::RunStarted { run, .. } => state.run.clone_from(run),
            event::Event::StageValues { stage, step, values } if state.failed.is_none() => {
                state.failed = self.write(&mut state, stage, *step, values).err();
            }
            event::Event::StageDone { stage, .. } | event::Event::StageFailed { stage, .. } => {
                state.files.remove(stage);
            }
            _ => {}
        }
    }

    /// What went wrong, in words, where something did.
    pub fn failed(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failed.clone()
    }

    fn write(&self, state: &mut State, stage: &str, step: u64, values: &BTreeMap<String, f64>) -> Result<(), String> {
        if !state.files.contains_key(stage) {
            let file = self.begin(&state.run, stage)?;
            state.files.insert(stage.to_owned(), file);
        }
        let Some(file) = state.files.get_mut(stage) else { return Ok(()) };
        let value = values.iter().map(|(tag, value)| Value { tag: tag.clone(), simple_value: *value as f32 }).collect();
        append(file, step, What::Summary(Summary { value })).map_err(|error| self.words(&error))
    }

    /// A new file of a stage, with the event that says its version.
    fn begin(&self, run: &str, stage: &str) -> Result<File, String> {
        let folder = self.folder.join(run).join(stage.replace('/', "_"));
        let name = format!("events.out.tfevents.{}.kilter.{}.v2", env::unix_seconds(), std::process::id());
        let make = || {
            std::fs::create_dir_all(&folder)?;
            let mut file = File::create(folder.join(name))?;
            append(&mut file, 0, What::FileVersion("brain.Event:2".to_owned()))?;
            Ok(file)
        };
        make().map_err(|error: std::io::Error| self.words(&error))
    }

    fn words(&self, error: &std::io::Error) -> String {
        let what = crate::stage::io_words(error);
        format!("cannot write TensorBoard's files below `{}`: {what}", self.folder.display())
    }
}

/// Writes an event in one piece, so that a reader never waits for the rest of one.
fn append(file: &mut File, step: u64, what: What) -> std::io::Result<()> {
    let event = Event { wall_time: env::unix_nanos() as f64 / 1e9, step: step.cast_signed(), what: Some(what) };
    file.write_all(&record::record(&event.encode_to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_records_below_the_run_and_the_stage() {
        let folder = tempfile::tempdir().expect("folder");
        let board = TensorBoard::new(&folder.path().join("board"));
        let (run, stages) = ("r1".to_owned(), Vec::new());
        board.event(&event::Event::RunStarted { version: 1, run, pipeline: "p".into(), stages });
        for step in [10, 20] {
            let values = BTreeMap::from([("train/loss".to_owned(), 1.0 / step as f64)]);
            board.event(&event::Event::StageValues { stage: "train".into(), step, values });
        }
        let files: Vec<_> = std::fs::read_dir(folder.path().join("board/r1/train")).expect("made").collect();
        assert_eq!(files.len(), 1);
        let bytes = std::fs::read(files[0].as_ref().expect("a file").path()).expect("readable");
        let (mut rest, mut events) = (bytes.as_slice(), Vec::new());
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().expect("eight bytes")) as usize;
            events.push(Event::decode(&rest[12..12 + length]).expect("an event"));
            rest = &rest[16 + length..];
        }
        assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".into())));
        let last = Summary { value: vec![Value { tag: "train/loss".into(), simple_value: 0.05 }] };
        assert_eq!((events.len(), events[2].step, &events[2].what), (3, 20, &Some(What::Summary(last))));
        assert_eq!(board.failed(), None);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_once() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("written");
        let board = TensorBoard::new(&file);
        board.event(&event::Event::StageValues { stage: "train".into(), step: 1, values: BTreeMap::new() });
        assert!(board.failed().expect("failed").starts_with("cannot write TensorBoard's files below"));
    }
}
