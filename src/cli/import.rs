//! `kilter import`: a DVC project as a manifest.

use super::{CommandError, Exit, Outcome, Output, args};
use crate::import::{ImportError, Imported, import};
use crate::numbers;
use std::path::Path;

pub(super) fn run(options: &args::Import, output: Output) -> Outcome {
    let file = &options.file;
    if file.file_name().is_none_or(|name| name != "dvc.yaml") {
        return Err(CommandError::usage(format!("`{}` is not a `dvc.yaml`", file.display()))
            .hint("name the `dvc.yaml` of the project"));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = match &options.name {
        Some(name) => super::new::checked_name(name)?,
        None => {
            let full = folder.canonicalize().map_err(|error| CommandError::io("read", folder, &error))?;
            super::new::name_of(&full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
        }
    };
    let manifest = folder.join(format!("{name}.toml"));
    let shown = if folder == Path::new(".") { Path::new(manifest.file_name().unwrap_or_default()) } else { &manifest };
    if manifest.exists() && !options.force {
        return Err(CommandError::usage(format!("`{}` exists already", shown.display()))
            .hint("`--force` overwrites it, `--name` takes another name"));
    }
    let Imported { text, stages, notes } = import(file, &name)?;
    std::fs::write(&manifest, text).map_err(|error| CommandError::io("write", &manifest, &error))?;
    let paint = output.err;
    output.say(&format!("{} written: {}", paint.bold(shown.display()), numbers::counted(stages, "stage")));
    if !notes.is_empty() {
        output.say("what is not as in DVC:");
    }
    for note in &notes {
        let stage = note.stage.iter().map(|stage| format!("{}: ", paint.bold(stage))).collect::<String>();
        output.say(&format!("  {stage}{}", note.text));
    }
    output.say(&format!("Read it through, then `kilter check {}`", shown.display()));
    Ok(Exit::Done)
}

impl From<ImportError> for CommandError {
    fn from(error: ImportError) -> Self {
        Self::usage(error.message).maybe_hint(error.hint)
    }
}
