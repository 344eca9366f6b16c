//! `kilter new`: a commented starter manifest for a data file.

mod data;
mod dialect;
mod guess;
mod manifest;

use super::{CommandError, Exit, Outcome, Output, args};
use crate::env;
use std::path::{Path, PathBuf};

pub(super) fn run(options: &args::New, output: Output) -> Outcome {
    let place = place(&options.data)?;
    let name = match &options.name {
        Some(name) => checked_name(name)?,
        None => name_of(&place),
    };
    let file = PathBuf::from(format!("{name}.toml"));
    if file.exists() && !options.force {
        return Err(CommandError::usage(format!("`{}` exists already", file.display()))
            .hint("`--force` overwrites it, `--name` takes another name"));
    }
    let data = data::read(&options.data)?;
    let guess = guess::guess(&data, options.target.as_deref())?;
    let text = manifest::text(&name, &place, &data, &guess);
    std::fs::write(&file, text).map_err(|error| CommandError::io("write", &file, &error))?;
    output.say(&format!(
        "{} written: it predicts `{}` from {}{}.\nRead it through, then `kilter run {}`",
        output.err.bold(file.display()),
        guess.target,
        crate::numbers::counted(guess.features(), "column"),
        if options.target.is_none() { "; `--target` names another" } else { "" },
        file.display()
    ));
    Ok(Exit::Done)
}

/// The data file as the manifest will name it: relative to the current folder, in which the manifest will lie.
fn place(data: &Path) -> Result<String, CommandError> {
    if data.is_dir() {
        return Err(CommandError::usage(format!("`{}` is a folder", data.display())).hint("name one data file"));
    }
    let full = data.canonicalize().map_err(|error| CommandError::io("read", data, &error))?;
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let here = here.map_err(|error| CommandError::io("find", Path::new("."), &error))?;
    let below = full.strip_prefix(&here).map_err(|_| {
        CommandError::usage(format!("`{}` is not in this folder", env::shown(&full)))
            .note("a manifest names files of its own workspace, so that it means the same elsewhere")
            .hint("copy the file here, or run `kilter new` in a folder above it")
    })?;
    Ok(below.display().to_string())
}

/// A name that the user chose.
pub(super) fn checked_name(name: &str) -> Result<String, CommandError> {
    let usable = tidy(name) == name && !name.is_empty();
    if usable {
        return Ok(name.to_owned());
    }
    Err(CommandError::usage(format!("`{name}` cannot be a pipeline's name"))
        .hint("names begin with a letter and consist of letters, digits, `_` and `-`"))
}

/// A name made of a file's: its first part, with `_` for what cannot stand in a name.
pub(super) fn name_of(place: &str) -> String {
    let file = Path::new(place).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = file.split('.').next().unwrap_or_default();
    match tidy(stem) {
        name if name.is_empty() => "pipeline".to_owned(),
        name => name,
    }
}

fn tidy(name: &str) -> String {
    let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = name.chars().map(|c| if usable(c) { c } else { '_' }).collect();
    name.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_files() {
        assert_eq!(name_of("data/penguins.csv"), "penguins");
        assert_eq!(name_of("2013 flights.csv.gz"), "flights");
        assert_eq!(name_of("77.csv"), "pipeline");
        assert!(checked_name("a b").is_err());
        assert_eq!(checked_name("a-b").expect("a name"), "a-b");
    }
}
