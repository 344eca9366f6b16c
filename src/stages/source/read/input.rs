//! Which files a stage reads: one, or those of a folder.

use super::Spec;
use crate::diag::{codes, list};
use crate::frame::file::{Format, can_be_many, of_others};
use crate::path;
use crate::stage::{CheckCx, Input, StageError};
use crate::types::ArtifactType;
use globset::{GlobBuilder, GlobMatcher};
use std::path::PathBuf;

/// Files that are read, each with its name and place.
pub(super) type Files = Vec<(String, PathBuf)>;

/// Reports what cannot be about the files, and says which lie there already. `None` after a mistake.
pub(super) fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Option<Option<Files>> {
    let matcher = match spec.files.as_deref().map(pattern).transpose() {
        Ok(matcher) => matcher,
        Err(why) => {
            cx.error(path!["files"], codes::FIELD_TYPE, "`files` is not a pattern").label(why);
            return None;
        }
    };
    let lying = cx.files(&spec.from).map(<[_]>::to_vec);
    match cx.input(&spec.from) {
        ArtifactType::File if spec.files.is_some() => {
            cx.error(
                path!["files"],
                codes::CONFLICT,
                format!("`files` chooses in a folder, but `{}` is a file", spec.from),
            )
            .at_key()
            .label("there is nothing to choose")
            .hint("a stage of kind `fetch` gives a folder where its `path` or `member` is a pattern");
            None
        }
        ArtifactType::File | ArtifactType::Unknown => Some(lying),
        ArtifactType::Dir => {
            if spec.labels.is_some() {
                cx.error(path!["labels"], codes::CONFLICT, "`labels` goes with one file of images, not with a folder")
                    .at_key()
                    .label("the folder has many files");
                return None;
            }
            let chosen = lying.map(|files| choose(files, matcher.as_ref()));
            if let (Some(chosen), Some(text)) = (&chosen, &spec.files)
                && chosen.is_empty()
            {
                cx.error(path!["files"], codes::EMPTY_GLOB, format!("`{text}` matches no file of `{}`", spec.from))
                    .label("matches nothing")
                    .hint("`*` stays inside a folder, `**` does not");
                return None;
            }
            Some(chosen)
        }
        other => {
            cx.wrong_artifact(&spec.from, path!["from"], "file", other.name());
            None
        }
    }
}

/// The files of the input.
pub(super) fn of_run(spec: &Spec, input: &Input) -> Result<Files, StageError> {
    let matcher = spec.files.as_deref().map(pattern).transpose().map_err(StageError::data)?;
    let all: Files = input.files.iter().map(|file| (file.name.clone(), file.path.clone())).collect();
    let names: Vec<String> = all.iter().map(|(name, _)| name.clone()).collect();
    let chosen = choose(all, matcher.as_ref());
    if chosen.is_empty() {
        let what =
            spec.files.as_deref().map_or("there are no files".to_owned(), |text| format!("`{text}` matches no file"));
        return Err(StageError::data(what)
            .note(format!("`{}` has {}", spec.from, list(names.iter().map(String::as_str), 8)))
            .at(path![if spec.files.is_some() { "files" } else { "from" }]));
    }
    Ok(chosen)
}

/// How the files are laid out: as the manifest says, or as their names do.
pub(super) fn format(spec: &Spec, files: &Files) -> Result<Format, StageError> {
    let unknown = |name: &str| {
        StageError::data(format!("`{name}` does not say by its name what it is"))
            .hint(
                of_others(name)
                    .unwrap_or("say it: `format = \"csv\"` (or tsv, parquet, jsonl, json, arrow, arff, idx)"),
            )
            .at(path!["from"])
    };
    let mut found = spec.format;
    for (name, _) in files {
        let named = spec.format.or_else(|| Format::of_name(name)).ok_or_else(|| unknown(name))?;
        let first = *found.get_or_insert(named);
        if first != named {
            let message = format!("`{}` is {}, but `{name}` is {}", files[0].0, first.name(), named.name());
            return Err(StageError::data(message)
                .hint("choose files of one kind with `files = \"*.csv\"`, or say what all of them are with `format`")
                .at(path!["from"]));
        }
    }
    let format = found.ok_or_else(|| unknown(""))?;
    if files.len() > 1 && !can_be_many(format) {
        return Err(StageError::data(format!("several {} files are not put under each other", format.name()))
            .hint("read each in a stage of its own")
            .at(path!["from"]));
    }
    Ok(format)
}

fn choose(mut files: Files, matcher: Option<&GlobMatcher>) -> Files {
    files.retain(|(name, _)| matcher.is_none_or(|matcher| matcher.is_match(name)));
    files.sort();
    files
}

fn pattern(text: &str) -> Result<GlobMatcher, String> {
    let glob = GlobBuilder::new(text.trim_start_matches("./")).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}
