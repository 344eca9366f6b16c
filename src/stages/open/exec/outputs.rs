//! Taking a program's outputs out of its folder.

use super::{OutputSpec, OutputType, Spec};
use crate::frame::file::{Format, Layout, read_file};
use crate::frame::{rows_by_columns, write_table};
use crate::numbers;
use crate::path;
use crate::stage::{ErrorKind, Produced, RunCx, StageError};
use crate::types::ArtifactType;
use std::collections::BTreeMap;
use std::path::Path;

/// Takes every declared output.
///
/// # Errors
/// When one is missing or something else than was declared.
pub(super) fn take(spec: &Spec, cx: &RunCx<'_>, work: &Path) -> Result<Produced, StageError> {
    let mut produced = Produced::default();
    let mut said = Vec::new();
    for (name, output) in &spec.outputs {
        let place = work.join(output.path.trim_end_matches('/'));
        let fail = |error: StageError| error.at(path!["outputs", name.as_str()]);
        let metadata = std::fs::symlink_metadata(&place).map_err(|_| fail(missing(name, output, work)))?;
        if metadata.is_symlink() {
            return Err(fail(
                StageError::data(format!("the output `{}` is a link", output.path))
                    .hint("write the file itself: what a link leads to may be gone tomorrow"),
            ));
        }
        let wanted = if output.ty == OutputType::Dir { "folder" } else { "file" };
        if metadata.is_dir() != (output.ty == OutputType::Dir) {
            let found = if metadata.is_dir() { "a folder" } else { "not a folder" };
            return Err(fail(
                StageError::data(format!("the output `{}` is {found}, not a {wanted}", output.path))
                    .hint(format!("declare it so: outputs.{name} = {{ path = \"{}\", type = \"dir\" }}", output.path)),
            ));
        }
        let line;
        (produced, line) = take_one(name, output, &place, produced, cx).map_err(fail)?;
        said.push(format!("{name} {line}"));
    }
    produced.summary = if said.is_empty() { "done".to_owned() } else { said.join(" · ") };
    Ok(produced)
}

fn take_one(
    name: &str,
    output: &OutputSpec,
    place: &Path,
    mut produced: Produced,
    cx: &RunCx<'_>,
) -> Result<(Produced, String), StageError> {
    match output.ty {
        OutputType::File => {
            let size = std::fs::metadata(place).map_err(|error| StageError::io("read", place, &error))?.len();
            let folder = cx.out(name)?;
            move_file(place, &folder.join(place.file_name().unwrap_or_default()))?;
            Ok((produced.port(name, ArtifactType::File), numbers::bytes(size)))
        }
        OutputType::Dir => {
            let (files, bytes) = move_folder(place, &cx.out(name)?)?;
            let line = format!("{}, {}", numbers::counted(files, "file"), numbers::bytes(bytes));
            Ok((produced.port(name, ArtifactType::Dir), line))
        }
        OutputType::Metrics => {
            let metrics = read_metrics(place)?;
            let line = metrics.iter().map(|(key, value)| format!("{key} {}", numbers::number(*value)));
            let line = line.take(4).collect::<Vec<_>>().join(", ");
            let to = cx.out(name)?.join("metrics.json");
            let text = serde_json::to_string_pretty(&metrics).map_err(|error| StageError::bug(error.to_string()))?;
            std::fs::write(&to, text + "\n").map_err(|error| StageError::io("write", &to, &error))?;
            produced.metrics.extend(metrics);
            Ok((produced.port(name, ArtifactType::Metrics), line))
        }
        OutputType::Table => take_table(name, place, produced, cx),
    }
}

fn missing(name: &str, output: &OutputSpec, work: &Path) -> StageError {
    let mut there = Vec::new();
    for entry in walkdir::WalkDir::new(work).sort_by_file_name().into_iter().flatten().take(500) {
        let Ok(below) = entry.path().strip_prefix(work) else { continue };
        if entry.file_type().is_file() && !below.starts_with("inputs") {
            there.push(below.to_string_lossy().into_owned());
        }
    }
    let error = StageError::new(
        ErrorKind::Process,
        format!("the program ended well, but its output `{name}` is missing: there is no `{}`", output.path),
    );
    let error = if there.is_empty() {
        error.note("it wrote no file below the folder that it started in")
    } else {
        error.note(format!("in its folder lie {}", crate::diag::list(there.iter().map(String::as_str), 8)))
    };
    match crate::diag::did_you_mean(&output.path, there.iter().map(String::as_str)) {
        Some(hint) => error.hint(hint),
        None => error.hint(format!("let the program write to `{{outputs.{name}}}`")),
    }
}

fn move_file(from: &Path, to: &Path) -> Result<(), StageError> {
    std::fs::rename(from, to)
        .or_else(|_| std::fs::copy(from, to).map(drop))
        .map_err(|error| StageError::io("keep", from, &error))
}

/// Moves a folder's files; gives their number and bytes.
fn move_folder(from: &Path, to: &Path) -> Result<(usize, u64), StageError> {
    let (mut files, mut bytes) = (0, 0);
    for entry in walkdir::WalkDir::new(from).sort_by_file_name() {
        let entry = entry.map_err(|error| StageError::io("read", from, &error.into()))?;
        let Ok(below) = entry.path().strip_prefix(from) else { continue };
        let target = to.join(below);
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&target).map_err(|error| StageError::io("make the folder", &target, &error))?;
        } else if entry.file_type().is_file() {
            bytes += entry.metadata().map_or(0, |metadata| metadata.len());
            files += 1;
            move_file(entry.path(), &target)?;
        } else {
            return Err(StageError::data(format!("`{}` in the output is neither file nor folder", below.display()))
                .hint("write files: a link, pipe or socket cannot be kept"));
        }
    }
    if files == 0 {
        return Err(StageError::data(format!("the output folder `{}` holds no files", from.display())));
    }
    Ok((files, bytes))
}

fn read_metrics(place: &Path) -> Result<BTreeMap<String, f64>, StageError> {
    let text = std::fs::read_to_string(place).map_err(|error| StageError::io("read", place, &error))?;
    let form = "metrics are one JSON object of numbers, such as {\"accuracy\": 0.97}";
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| StageError::data(format!("the metrics are not JSON: {error}")).hint(form))?;
    let table = value.as_object().ok_or_else(|| StageError::data("the metrics are not a JSON object").hint(form))?;
    let mut metrics = BTreeMap::new();
    flatten("", table, &mut metrics).map_err(|error| error.hint(form))?;
    Ok(metrics)
}

/// Adds the numbers of a table; those of tables in it under `table.name`.
fn flatten(
    before: &str,
    table: &serde_json::Map<String, serde_json::Value>,
    into: &mut BTreeMap<String, f64>,
) -> Result<(), StageError> {
    for (key, value) in table {
        let key = format!("{before}{key}");
        if let Some(inner) = value.as_object() {
            flatten(&format!("{key}."), inner, into)?;
            continue;
        }
        let number = value.as_f64().or_else(|| value.as_bool().map(f64::from));
        let wrong = || StageError::data(format!("the metric `{key}` is {value}, not a number"));
        into.insert(key.clone(), number.ok_or_else(wrong)?);
    }
    Ok(())
}

/// Reads a table that the program wrote, and stores it as kilter stores tables.
fn take_table(name: &str, place: &Path, produced: Produced, cx: &RunCx<'_>) -> Result<(Produced, String), StageError> {
    let file = place.to_string_lossy();
    let format = Format::of_name(&file).ok_or_else(|| StageError::bug(format!("the format of `{file}`")))?;
    let df = read_file(place, &Layout::new(format)).map_err(|bad| {
        let error = StageError::data(format!("the output `{name}` is no table: {}", bad.message));
        let error = bad.notes.into_iter().fold(error, StageError::note);
        bad.hints.into_iter().fold(error, StageError::hint)
    })?;
    let line = rows_by_columns(&df);
    Ok((write_table(cx, name, df, produced)?, line))
}
