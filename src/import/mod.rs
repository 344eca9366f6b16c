//! Turns a DVC project into a manifest of `exec` stages.
//!
//! | file | from | to |
//! |---|---|---|
//! | `template.rs` | `vars`, `params.yaml`, `${…}` | values filled in, and which of them became params |
//! | `paths.rs` | paths as dvc.yaml has them | paths from its folder |
//! | `dvc.rs` | the text of `dvc.yaml` | its stages |
//! | `opened.rs` | a `foreach` or a `matrix` | the stages that it stands for |
//! | `top.rs` | its other sections, `.dvcignore` | which outputs are metrics, and notes |
//! | `command.rs` | a command line | a program and its arguments, or `sh -c` where it needs a shell |
//! | `outs.rs` | an output's path, the workspace, `dvc.lock` | whether it is a file, a folder or metrics |
//! | `wire.rs` | those stages | kilter's: who makes what others read, what lies in the workspace |
//! | `write.rs` | those | the manifest's text |
//!
//! What cannot be carried over is listed, and nothing is dropped in silence.

mod command;
mod dvc;
mod opened;
mod outs;
mod paths;
mod template;
#[cfg(test)]
mod tests;
mod top;
mod wire;
mod write;

use crate::yaml::Yaml;
use std::path::Path;

/// What came of a project.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The manifest's text.
    pub text: String,
    /// How many stages it has.
    pub stages: usize,
    /// What is otherwise than in DVC, or could not be carried over; each with the stage that it is about, if any.
    pub notes: Vec<Note>,
}

/// Something that is otherwise than in DVC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The stage, by its name in DVC.
    pub stage: Option<String>,
    /// What.
    pub text: String,
}

/// Why a project cannot be imported.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ImportError {
    /// One line.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl ImportError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn expected(place: &str, wanted: &str, found: &Yaml) -> Self {
        let found = match found {
            Yaml::List(_) => "a list".to_owned(),
            Yaml::Map(_) => "a table".to_owned(),
            scalar => scalar.to_json().trim().to_owned(),
        };
        Self::new(format!("{place}: expected {wanted}, found {found}"))
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the place in front.
    fn at(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

/// Collects notes, each once.
#[derive(Default)]
struct Notes(Vec<Note>);

impl Notes {
    fn of(&mut self, stage: &str, text: impl Into<String>) {
        self.push(Note { stage: Some(stage.to_owned()), text: text.into() });
    }

    fn general(&mut self, text: impl Into<String>) {
        self.push(Note { stage: None, text: text.into() });
    }

    fn push(&mut self, note: Note) {
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }
}

/// Reads the `dvc.yaml` at `file`, and what of its project it needs, and gives the manifest of a pipeline of this name, to lie
/// in the same folder.
///
/// # Errors
/// When a file cannot be read or understood, or a template names nothing.
pub fn import(file: &Path, name: &str) -> Result<Imported, ImportError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut notes = Notes::default();
    let project = dvc::read(file, folder, &mut notes)?;
    let wired = wire::wire(&project, folder, &mut notes);
    let text = write::manifest(name, &file.display().to_string(), &project, &wired, &notes.0);
    Ok(Imported { text, stages: wired.stages.len() + wired.picks.len(), notes: notes.0 })
}
