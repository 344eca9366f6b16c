//! Which manifest is meant, and which stages.

use super::exit::CommandError;
use crate::diag::{did_you_mean, list};
use std::path::{Path, PathBuf};

/// What the words of a command line name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// The manifest.
    pub(super) manifest: PathBuf,
    /// What follows it: stages, or outputs of stages.
    pub(super) names: Vec<String>,
}

/// The manifest (the first word, where it ends in `.toml`, or else the one of this folder) and the names behind it.
pub(super) fn words(words: &[String]) -> Result<Words, CommandError> {
    let (manifest, names) = match words.split_first() {
        Some((first, rest)) if first.ends_with(".toml") => (existing(Path::new(first))?, rest),
        _ => (only_one(Path::new("."), words.first())?, words),
    };
    Ok(Words { manifest, names: names.to_vec() })
}

/// The manifest, where nothing may follow it.
pub(super) fn manifest(given: &[String]) -> Result<PathBuf, CommandError> {
    match given {
        [word, ..] if !word.ends_with(".toml") => Err(not_a_manifest(word)),
        [_, extra, ..] => Err(CommandError::usage(format!("unexpected `{extra}`: this command takes one manifest"))),
        given => Ok(words(given)?.manifest),
    }
}

/// The manifest and the one name behind it.
pub(super) fn manifest_and_name(given: &[String], what: &str) -> Result<(PathBuf, String), CommandError> {
    let Words { manifest, names } = words(given)?;
    match names.as_slice() {
        [name] => Ok((manifest, name.clone())),
        [] => Err(CommandError::usage(format!("which {what}?"))
            .hint(format!("name it behind the manifest: `{} {}`", manifest.display(), what.to_uppercase()))
            .hint(format!("`kilter status {}` lists them", manifest.display()))),
        [_, extra, ..] => Err(CommandError::usage(format!("unexpected `{extra}`: this command takes one {what}"))),
    }
}

fn existing(path: &Path) -> Result<PathBuf, CommandError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let known = file_names(folder);
    Err(CommandError::usage(format!("the manifest `{}` does not exist", path.display()))
        .maybe_hint(did_you_mean(&file, known.iter().map(String::as_str))))
}

fn not_a_manifest(word: &str) -> CommandError {
    let error = CommandError::usage(format!("`{word}` is not a manifest: its name would end in `.toml`"));
    let path = format!("{word}.toml");
    error.maybe_hint(Path::new(&path).is_file().then(|| format!("did you mean `{path}`?")))
}

/// The only manifest of a folder.
fn only_one(folder: &Path, instead: Option<&String>) -> Result<PathBuf, CommandError> {
    let found = manifests(folder);
    match found.as_slice() {
        [one] => Ok(PathBuf::from(one)),
        [] => {
            let below: Vec<String> =
                manifests(&folder.join("pipelines")).iter().map(|name| format!("pipelines/{name}")).collect();
            let hint = match below.as_slice() {
                [] => "give its path, or write one for a data file with `kilter new data.csv`".to_owned(),
                below => format!("give its path: {}", list(below.iter().map(String::as_str), 6)),
            };
            let message = match instead {
                Some(word) => format!("there is no manifest in this folder to look `{word}` up in"),
                None => "there is no manifest in this folder".to_owned(),
            };
            Err(CommandError::usage(message).note("a manifest is a `.toml` file with a `[pipeline]`").hint(hint))
        }
        several => {
            let names = list(several.iter().map(String::as_str), 6);
            Err(CommandError::usage(format!("this folder has several manifests: {names}"))
                .hint("put the one that is meant right behind the command"))
        }
    }
}

/// The names of the files of a folder that are manifests, sorted.
fn manifests(folder: &Path) -> Vec<String> {
    let mut names = file_names(folder);
    names.retain(|name| {
        let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        text.lines().any(begins_pipeline)
    });
    names
}

/// Whether a line of TOML begins the pipeline: `[pipeline]`, or `pipeline = { name = "a", edition = "2026" }`.
fn begins_pipeline(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("[pipeline]")
        || line.strip_prefix("pipeline").is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
}

/// The names of a folder's `.toml` files, sorted.
fn file_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_with_a_pipeline_are_manifests() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("kilter.toml", "store = \"x\"\n");
        assert!(only_one(folder.path(), None).is_err());
        write("a.toml", "# about\n[pipeline]\nname = \"a\"\n");
        assert_eq!(only_one(folder.path(), None).expect("one"), Path::new("a.toml"));
        write("other.toml", "pipelines = 2\n");
        assert!(only_one(folder.path(), None).is_ok());
        write("b.toml", "pipeline = { name = \"b\", edition = \"2026\" }\n");
        let error = only_one(folder.path(), None).expect_err("two");
        assert!(error.message.ends_with("`a.toml` and `b.toml`"), "{}", error.message);
    }

    #[test]
    fn a_misspelt_path_is_answered_with_its_neighbour() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("digits.toml"), "").expect("written");
        let error = existing(&folder.path().join("digist.toml")).expect_err("missing");
        assert_eq!(error.hints, ["did you mean `digits.toml`?"]);
        assert_eq!(error.exit, super::super::Exit::Usage);
    }
}
