//! The manifest's text.

use super::Note;
use super::command::PARAM;
use super::dvc::Project;
use super::template::in_text;
use super::wire::{Exec, Wired};
use crate::yaml::Yaml;
use std::fmt::Write;

/// A manifest that `kilter check` takes, with what is otherwise than in DVC as comments.
pub(super) fn manifest(name: &str, file: &str, project: &Project, wired: &Wired, notes: &[Note]) -> String {
    let mut out = format!("# Written by `kilter import {file}`. What is not as in DVC:\n");
    for note in notes {
        let stage = note.stage.iter().map(|stage| format!("{stage}: ")).collect::<String>();
        let _ = writeln!(out, "# - {stage}{}", note.text.replace('\n', " "));
    }
    let _ = writeln!(out, "\n[pipeline]\nname = {}\nedition = \"2026\"", string(name));
    let params = wired.used(&project.params);
    if !params.is_empty() {
        out.push_str("\n[params]\n");
        for (param, path, value) in params {
            let from = if param == path { String::new() } else { format!("   # {path}") };
            let _ = writeln!(out, "{param} = {}{from}", scalar(value));
        }
    }
    for pick in &wired.picks {
        let keys: Vec<String> = pick.keys.iter().map(|key| string(key)).collect();
        let _ = writeln!(
            out,
            "\n[stage.{}]\nkind = \"pick\"\nfile = {}\nkeys = [{}]",
            pick.name,
            string(&pick.file),
            keys.join(", ")
        );
    }
    for stage in &wired.stages {
        exec(&mut out, stage);
    }
    out
}

fn exec(out: &mut String, stage: &Exec) {
    let _ = writeln!(out, "\n[stage.{}]\nkind = \"exec\"", stage.name);
    if let Some(about) = &stage.about {
        let _ = writeln!(out, "about = {}", string(about));
    }
    let words: Vec<String> = stage.command.words.iter().map(|word| argument(word)).collect();
    let _ = writeln!(out, "command = [{}]", words.join(", "));
    for (name, reference, at) in &stage.inputs {
        let _ = writeln!(out, "inputs.{name} = {{ from = {}, at = {} }}", string(reference), string(at));
    }
    if !stage.files.is_empty() {
        let files: Vec<String> = stage.files.iter().map(|file| string(file)).collect();
        let _ = writeln!(out, "files = [{}]", files.join(", "));
    }
    for (port, path, ty) in &stage.outputs {
        let _ = match ty {
            None => writeln!(out, "outputs.{port} = {}", string(path)),
            Some(ty) => writeln!(out, "outputs.{port} = {{ path = {}, type = \"{ty}\" }}", string(path)),
        };
    }
    if !stage.cached {
        out.push_str("cache = false   # it always runs in DVC\n");
    }
}

/// A word of a command: `{word}` is doubled, as it would be a placeholder, and params are put in.
fn argument(word: &str) -> String {
    let text = string(&double_braces(word));
    text.replace(PARAM.0, "${").replace(PARAM.1, "}")
}

/// `{word}` as `{{word}}`, which stands for the text `{word}`.
fn double_braces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 1..];
        let end =
            inner.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(inner.len());
        let word = &inner[..end];
        let named = word.starts_with(|c: char| c.is_ascii_alphabetic()) && inner[end..].starts_with('}');
        if named {
            let _ = write!(out, "{{{{{word}}}}}");
            rest = &inner[end + 1..];
        } else {
            out.push('{');
            rest = inner;
        }
    }
    out + rest
}

/// A TOML string; a dollar sign before a brace is doubled, as it would begin a param.
fn string(text: &str) -> String {
    toml::Value::String(text.replace("${", "$${")).to_string()
}

fn scalar(value: &Yaml) -> String {
    match value {
        Yaml::Bool(value) => value.to_string(),
        Yaml::Int(value) => value.to_string(),
        Yaml::Float(value) => toml::Value::Float(*value).to_string(),
        other => string(&in_text(other).unwrap_or_default()),
    }
}

/// A name as manifests have them: letters, digits, `_` and `-`, a letter first.
pub(super) fn tidy(name: &str) -> String {
    let usable = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    let name: String = name.chars().map(usable).collect();
    let name = name.trim_matches('_');
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name.to_owned() } else { format!("x{name}") }
}
