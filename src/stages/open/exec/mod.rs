//! `exec`: runs any program, with declared inputs, files and outputs, without a shell.
//!
//! The program runs in an empty folder of its own. In it lie the declared files under their own paths and the inputs
//! under `inputs/NAME/`, as copies that belong to the program; afterwards the declared outputs are taken out of it.
//! It sees no other environment than `PATH`, `HOME` and `TMPDIR` (a scratch folder), `LANG=C.UTF-8`, `TZ=UTC`, its thread budget
//! (`OMP_NUM_THREADS` and its like: `needs.cpus`, else 1), its GPUs where it asked for some, and what `env` says. What it
//! prints goes to the stage's log.

mod command;
mod exit;
mod outputs;
mod process;
mod spec;
mod strays;

pub use spec::{DeclaredFile, InputSpec, OutputSpec, OutputType, Spec, Taken};

use crate::diag::codes;
use crate::env;
use crate::frame::file::Format;
use crate::path;
use crate::stage::{
    CheckCx, ErrorKind, Family, Input, Kind, Outputs, Port, Produced, RunCx, StageError, StageInfo, files,
};
use crate::types::{ArtifactType, TableSchema};
use command::Places;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// The kind.
pub struct Exec;

impl Kind for Exec {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "exec",
        family: Family::Open,
        version: 4,
        summary: "Runs any program, with declared inputs, files and outputs.",
        ports: &[Port { name: "*", about: "one for each entry of `outputs`" }],
        example: r#"[stage.count]
kind = "exec"
command = ["python3", "count.py", "{inputs.rows}", "{outputs.counts}"]
inputs.rows = "raw"
files = ["count.py"]
outputs.counts = "counts.json"
"#,
        seeded: false,
        numeric: false,
    };

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        check_command(spec, cx);
        let mut taken = check_files(spec, cx);
        check_names(spec, cx);
        check_places(spec, &mut taken, cx);
        check_outputs(spec, &taken, cx);
        check_undeclared(spec, &taken, cx);
        spec.outputs.iter().fold(Outputs::none(), |outputs, (name, output)| outputs.and(name, output.ty.artifact()))
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let work = cx.scratch.join("work");
        make_folder(&work)?;
        place_files(spec, cx, &work)?;
        cx.services.files_are_taken()?;
        let places = place_inputs(spec, cx, &work)?;
        for output in spec.outputs.values() {
            if let Some(folder) = Path::new(&output.path).parent().filter(|folder| !folder.as_os_str().is_empty()) {
                make_folder(&work.join(folder))?;
            }
        }
        let words = spec.command.iter().map(|text| places.words(text)).collect::<Result<Vec<_>, _>>();
        let arguments = words.map_err(|name| StageError::bug(format!("`{name}` was not refused")))?.concat();
        let mut variables = BTreeMap::new();
        for (name, text) in &spec.env {
            let value = places.fill(text).map_err(|name| StageError::bug(format!("`{name}` was not refused")))?;
            variables.insert(name.as_str(), value);
        }
        process::run(cx, &work, &arguments, &variables, spec.timeout.map(|limit| limit.0))
            .map_err(|error| with_undeclared(error, spec, cx, &work))?;
        outputs::take(spec, cx, &work)
    }
}

impl OutputType {
    fn artifact(self) -> ArtifactType {
        match self {
            Self::File => ArtifactType::File,
            Self::Dir => ArtifactType::Dir,
            Self::Table => ArtifactType::Table(TableSchema::unknown()),
            Self::Metrics => ArtifactType::Metrics,
        }
    }
}

fn check_command(spec: &Spec, cx: &mut CheckCx<'_>) {
    if spec.command.first().is_none_or(|program| program.trim().is_empty()) {
        cx.error(path!["command"], codes::EXEC_COMMAND, "this stage does not say which program to run")
            .label("no program")
            .hint("for example `command = [\"python3\", \"train.py\", \"{inputs.data}\"]`");
    } else if spec.command.len() == 1 && spec.command[0].contains(char::is_whitespace) {
        let parts: Vec<String> = spec.command[0].split_whitespace().map(|part| format!("\"{part}\"")).collect();
        cx.error(path!["command", 0], codes::EXEC_COMMAND, "there is no shell that would take this apart")
            .label("one word is one argument")
            .hint(format!("write `command = [{}]`", parts.join(", ")));
    }
    let texts = spec.command.iter().enumerate().map(|(index, text)| (path!["command", index], text));
    let variables = spec.env.iter().map(|(name, text)| (path!["env", name.as_str()], text));
    for (at, text) in texts.chain(variables) {
        for found in command::placeholders(text) {
            let known = command::known(spec);
            if known.iter().any(|known| known == found.name) {
                continue;
            }
            cx.error(at.clone(), codes::EXEC_PLACEHOLDER, format!("`{{{}}}` names nothing", found.name))
                .part(found.range.clone())
                .label("no such input or output")
                .maybe_hint(command::meant(found.name, &known))
                .hint(format!("where the text itself is meant, write `{{{{{}}}}}`", found.name));
        }
    }
}

/// Reports what is wrong with `files`; gives the paths that they take in the program's folder.
fn check_files(spec: &Spec, cx: &mut CheckCx<'_>) -> Vec<String> {
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for (index, file) in spec.files.iter().enumerate() {
        let found = cx.workspace_files(&file.0, path!["files", index]).unwrap_or_default();
        for (name, _) in found {
            let (place, name) = (command::inside(&name), command::plain(&name));
            match taken.get(&place).filter(|other| **other != name) {
                // The program would see the first alone.
                Some(other) => {
                    let message = format!("`{other}` and `{name}` would lie at one place");
                    cx.error(path!["files", index], codes::EXEC_INPUT, message)
                        .label(format!("`{place}` in the program's folder"))
                        .hint("give one of them another name or folder");
                }
                None => drop(taken.insert(place, name)),
            }
        }
    }
    taken.into_keys().collect()
}

fn check_names(spec: &Spec, cx: &mut CheckCx<'_>) {
    let named = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    let inputs = spec.inputs.keys().map(|name| ("inputs", name));
    for (field, name) in inputs.chain(spec.outputs.keys().map(|name| ("outputs", name))) {
        if !named(name) {
            cx.error(path![field, name.as_str()], codes::BAD_NAME, format!("`{name}` cannot be a name here"))
                .at_key()
                .label("letters, digits, `_` and `-`, a letter first");
        }
    }
    for name in spec.env.keys().filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
        cx.error(path!["env", name.as_str()], codes::BAD_NAME, format!("`{name}` cannot name an environment variable"))
            .at_key()
            .label("empty, or with a `=`");
    }
}

/// Why a path cannot be below the program's folder.
fn not_below(path: &str) -> Option<&'static str> {
    if path.is_empty() || path == "." {
        Some("the whole folder")
    } else if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        Some("leads out of the program's folder")
    } else if path == "inputs" || path.starts_with("inputs/") {
        Some("the inputs lie in `inputs/`")
    } else {
        None
    }
}

/// Reports inputs at places that cannot be; adds those places to what is taken.
fn check_places(spec: &Spec, taken: &mut Vec<String>, cx: &mut CheckCx<'_>) {
    for (name, input) in &spec.inputs {
        let Some(at) = &input.at else { continue };
        let path = at.trim_end_matches('/');
        let lies = |there: &&String| **there == path || Path::new(path).starts_with(there);
        let reason = not_below(path).map(str::to_owned);
        let reason = reason.or_else(|| taken.iter().find(lies).map(|there| format!("`{there}` lies there")));
        if let Some(reason) = reason {
            cx.error(
                path!["inputs", name.as_str(), "at"],
                codes::EXEC_INPUT,
                format!("`{at}` cannot be the place of an input"),
            )
            .label(reason)
            .hint("name a path below the folder that the program starts in, such as `data/train.csv`");
        }
        taken.push(path.to_owned());
    }
}

fn check_outputs(spec: &Spec, taken: &[String], cx: &mut CheckCx<'_>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (name, output) in &spec.outputs {
        let path = output.path.trim_end_matches('/');
        let at = || path!["outputs", name.as_str()];
        let reason = if let Some(reason) = not_below(path) {
            Some(reason.to_owned())
        } else if let Some(file) = taken.iter().find(|file| overlaps(file, path)) {
            Some(format!("the file `{file}` lies there"))
        } else {
            seen.iter().find(|(_, other)| overlaps(other, path)).map(|(other, _)| format!("`{other}` is there already"))
        };
        if let Some(reason) = reason {
            cx.error(at(), codes::EXEC_OUTPUT, format!("`{}` cannot be the place of an output", output.path))
                .label(reason)
                .hint("name a path below the folder that the program starts in, such as `out/model.bin`");
        }
        if output.ty == OutputType::Table && Format::of_name(path).is_none() {
            cx.error(at(), codes::EXEC_OUTPUT, format!("`{}` is not a table that kilter can read", output.path))
                .label("an unknown ending")
                .hint("a table's name ends in `.parquet`, `.csv`, `.tsv`, `.jsonl` or `.arrow`");
        }
        seen.push((name, path));
    }
}

/// Warns of the first workspace file that the command names and the program will not find.
fn check_undeclared(spec: &Spec, taken: &[String], cx: &mut CheckCx<'_>) {
    let outputs = spec.outputs.values().map(|output| output.path.trim_end_matches('/'));
    let declared: Vec<&str> = taken.iter().map(String::as_str).chain(outputs).collect();
    let undeclared = |(_, word): &(usize, &String)| {
        let place = command::inside(word);
        not_below(word).is_none()
            && !declared.iter().any(|declared| overlaps(declared, &place))
            && cx.is_workspace_file(word)
    };
    let Some((index, word)) = spec.command.iter().enumerate().find(undeclared) else { return };
    cx.error(path!["command", index], codes::UNDECLARED_FILE, format!("the program starts without `{word}`"))
        .label("a file of the workspace")
        .hint(format!("name it among `files`: `files = [\"{}\"]`", command::plain(word)));
}

/// Whether two relative paths are one, or one lies in the other.
fn overlaps(a: &str, b: &str) -> bool {
    Path::new(a).starts_with(b) || Path::new(b).starts_with(a)
}

/// With the file of the workspace that the command names and that was not there for the program, because it is not declared.
fn with_undeclared(error: StageError, spec: &Spec, cx: &RunCx<'_>, work: &Path) -> StageError {
    let undeclared = |word: &&String| {
        not_below(word).is_none() && cx.base.join(word).is_file() && !work.join(command::inside(word)).exists()
    };
    match spec.command.iter().find(undeclared) {
        Some(word) if error.kind == ErrorKind::Process => {
            error.hint(format!("the program starts without `{word}` of the workspace: name it among `files`"))
        }
        _ => error,
    }
}

fn make_folder(folder: &Path) -> Result<(), StageError> {
    std::fs::create_dir_all(folder).map_err(|error| StageError::io("make the folder", folder, &error))
}

/// Copies the declared workspace files to where they are relative to the manifest.
fn place_files(spec: &Spec, cx: &RunCx<'_>, work: &Path) -> Result<(), StageError> {
    let mut placed = BTreeSet::new();
    for (index, file) in spec.files.iter().enumerate() {
        let pattern = &file.0.0;
        let fail = |error: std::io::Error| {
            StageError::io("find the files", &cx.base.join(pattern), &error).at(path!["files", index])
        };
        for (name, place) in files::expand(cx.base, pattern).map_err(fail)? {
            cx.check_cancelled()?;
            // Patterns may name a file twice.
            let name = command::inside(&name);
            if placed.insert(name.clone()) {
                copy(&place, work, &name)?;
            }
        }
    }
    Ok(())
}

/// Copies the inputs to `inputs/NAME/`; gives what stands for them in the command.
fn place_inputs(spec: &Spec, cx: &RunCx<'_>, work: &Path) -> Result<Places, StageError> {
    let mut places = Places::new(spec, cx.threads);
    for (name, InputSpec { from, at }) in &spec.inputs {
        let folder = at.as_ref().map_or_else(|| format!("inputs/{name}"), |at| at.trim_end_matches('/').to_owned());
        let paths = match from {
            Taken::One(from) => vec![place_input(cx, work, cx.input(from)?, &folder, at.is_some())?],
            Taken::All(all) => {
                // As wide as the last, so that a pattern of the shell gives them in order.
                let width = all.len().to_string().len();
                let numbered = all.iter().enumerate().map(|(index, from)| {
                    place_input(cx, work, cx.input(from)?, &format!("{folder}/{:0width$}", index + 1), false)
                });
                numbered.collect::<Result<_, _>>()?
            }
        };
        places.input(name, paths);
    }
    Ok(places)
}

/// Copies an input to a folder, or where it is one file and `exactly` is said, to just that path. Gives what stands for it.
fn place_input(cx: &RunCx<'_>, work: &Path, input: &Input, folder: &str, exactly: bool) -> Result<String, StageError> {
    let exactly = exactly && only_file(input).is_some();
    for file in &input.files {
        cx.check_cancelled()?;
        match exactly {
            true => copy(&file.path, work, folder)?,
            false => copy(&file.path, work, &format!("{folder}/{}", file.name))?,
        }
    }
    Ok(if exactly { folder.to_owned() } else { input_path(folder, input) })
}

/// The file of an artefact that is one file, else its folder.
fn input_path(folder: &str, input: &Input) -> String {
    only_file(input).map_or_else(|| folder.to_owned(), |name| format!("{folder}/{name}"))
}

/// The name of the file of an artefact that is one file.
fn only_file(input: &Input) -> Option<&str> {
    match (&input.ty, input.files.as_slice()) {
        (ArtifactType::File | ArtifactType::Table(_) | ArtifactType::Metrics, [file]) => Some(&file.name),
        _ => None,
    }
}

/// A copy (a clone where the file system has those) at a place in the program's folder.
fn copy(from: &Path, work: &Path, place: &str) -> Result<(), StageError> {
    use std::io::ErrorKind as K;
    let to = work.join(place);
    let copied = copy_new(from, &to).or_else(|error| match (error.kind(), to.parent()) {
        // Mostly the folder is there.
        (K::NotFound, Some(folder)) => {
            std::fs::create_dir_all(folder)?;
            copy_new(from, &to)
        }
        _ => Err(error),
    });
    copied.map_err(|error| match error.kind() {
        // What lies there is another file, or a folder of others.
        K::AlreadyExists | K::IsADirectory | K::NotADirectory if from.is_file() => {
            StageError::new(ErrorKind::File, format!("two files would lie at `{place}` in the program's folder"))
                .hint("give one of them another place: the `at` of an input, or another name among `files`")
        }
        _ => StageError::io("copy", from, &error),
    })
}

/// Every copy can be read and executed, whatever the original's mode: that is in no key, and is another where a file system has
/// no modes.
const MODE: u32 = 0o555;

/// So much is copied by way of this process, which for a small file is the least work.
const SMALL: u64 = 64 << 10;

fn copy_new(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut source = File::open(from)?;
    let metadata = source.metadata()?;
    let permissions = Permissions::from_mode(MODE);
    if env::clone_file(from, to, metadata.dev())? {
        return std::fs::set_permissions(to, permissions);
    }
    let mut copy = File::options().write(true).create_new(true).open(to)?;
    let mut start = Vec::new();
    (&source).take(SMALL).read_to_end(&mut start)?;
    copy.write_all(&start)?;
    if start.len() as u64 == SMALL {
        std::io::copy(&mut source, &mut copy)?;
    }
    copy.set_permissions(permissions)
}

#[cfg(test)]
mod tests;
