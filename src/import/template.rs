//! DVC's templating: where `${…}` takes its values from, and what becomes of it.
//!
//! A value out of a file (`params.yaml`, or one that `vars` names) or out of `vars` itself becomes a param of the manifest, so that
//! it can be set with `--set`. A value of a `foreach` or `matrix` is written down as it is.

use super::ImportError;
use super::paths::resolved;
use crate::yaml::Yaml;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// DVC reads it without being told.
pub(super) const DEFAULT_FILE: &str = "params.yaml";

/// What `${…}` can name.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    /// Values that become params.
    global: Yaml,
    /// Values that are written down: `item`, `key`.
    local: Vec<(String, Yaml)>,
    /// Paths of values that are written down too, because files are named by them: a command and its outputs must agree.
    pub(super) fixed: BTreeSet<String>,
    /// What was read: files, from the project's folder, and which of their keys.
    files: Vec<(String, String)>,
}

/// The params of the manifest, by name, with the path that they had.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(pub(super) BTreeMap<String, (String, Yaml)>);

impl Params {
    /// The param of a path; a new one where it has none yet.
    fn name(&mut self, path: &str, value: &Yaml) -> String {
        if let Some((name, _)) = self.0.iter().find(|(_, (known, old))| known == path && old == value) {
            return name.clone();
        }
        let base = super::write::tidy(path);
        let free = |name: &String| !self.0.contains_key(name);
        let mut names = std::iter::once(base.clone()).chain((2..).map(|number| format!("{base}_{number}")));
        let name = names.find(free).unwrap_or(base);
        self.0.insert(name.clone(), (path.to_owned(), value.clone()));
        name
    }
}

/// A text with its templates filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it stands.
    Text(String),
    /// A param of the manifest.
    Param(String),
}

impl Context {
    /// What a project's files and top-level `vars` give.
    pub(super) fn new(folder: &Path, vars: Option<&Yaml>) -> Result<Self, ImportError> {
        let mut context = Self { global: Yaml::Map(Vec::new()), ..Self::default() };
        if folder.join(DEFAULT_FILE).is_file() {
            context.load(folder, "", DEFAULT_FILE)?;
        }
        context.add(folder, "", vars).map_err(|error| error.at("vars"))?;
        Ok(context)
    }

    /// Adds `vars`: names of files as seen from `wdir` (with `:key,key` for some of their values), and tables.
    pub(super) fn add(&mut self, folder: &Path, wdir: &str, vars: Option<&Yaml>) -> Result<(), ImportError> {
        for item in vars.map(Yaml::items).unwrap_or_default() {
            match item {
                Yaml::Str(file) => self.load(folder, wdir, file)?,
                table => merge(&mut self.global, table),
            }
        }
        Ok(())
    }

    fn load(&mut self, folder: &Path, wdir: &str, spec: &str) -> Result<(), ImportError> {
        let (file, keys) = spec.split_once(':').unwrap_or((spec, ""));
        let file = resolved(wdir, file);
        // `params.yaml` of another folder is another file.
        let loaded = (file.clone(), keys.to_owned());
        if self.files.contains(&loaded) {
            return Ok(());
        }
        let tree = read(folder, &file)?;
        let keys: Vec<&str> = keys.split(',').map(str::trim).filter(|key| !key.is_empty()).collect();
        if keys.is_empty() {
            merge(&mut self.global, &tree);
        }
        for key in keys {
            let value = tree.at(key).ok_or_else(|| ImportError::new(format!("`{file}` has no `{key}`")))?;
            merge(&mut self.global, &Yaml::Map(vec![(key.to_owned(), value.clone())]));
        }
        self.files.push(loaded);
        Ok(())
    }

    /// With values that are written down, such as `item`.
    pub(super) fn with(&self, values: Vec<(String, Yaml)>) -> Self {
        let mut context = self.clone();
        context.local = values;
        context
    }

    /// Whether a path leads to a value that all stages can name.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.global.at(path).is_some()
    }

    /// Whether that value is a table or a list.
    pub(super) fn is_table(&self, path: &str) -> bool {
        self.global.at(path).is_some_and(|value| in_text(value).is_none())
    }

    /// The value of a path, and whether it is written down.
    fn lookup(&self, path: &str) -> Option<(&Yaml, bool)> {
        let head = path.split(['.', '[']).next().unwrap_or(path);
        match self.local.iter().find(|(name, _)| name == head) {
            Some((_, value)) => {
                let rest = path[head.len()..].trim_start_matches('.');
                Some((if rest.is_empty() { value } else { value.at(rest)? }, true))
            }
            None => Some((self.global.at(path)?, self.fixed.contains(path))),
        }
    }

    /// A text's pieces; `what` names it in errors.
    pub(super) fn pieces(&self, text: &str, what: &str, params: &mut Params) -> Result<Vec<Piece>, ImportError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if let Some(before) = rest[..at].strip_suffix('\\') {
                plain.push_str(before);
                plain.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            plain.push_str(&rest[..at]);
            let inner = &rest[at + 2..];
            let end = inner.find('}').ok_or_else(|| ImportError::new(format!("{what}: `${{` without a `}}`")))?;
            let path = inner[..end].trim();
            let (value, is_local) = self.lookup(path).ok_or_else(|| self.unknown(path, what))?;
            match in_text(value) {
                Some(text) if is_local => plain.push_str(&text),
                Some(_) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Param(params.name(path, value)));
                }
                None => plain.push_str(&as_options(value)),
            }
            rest = &inner[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(pieces)
    }

    /// A text with every template filled in by its value: for paths, which others must find.
    pub(super) fn text(&self, text: &str, what: &str) -> Result<String, ImportError> {
        let mut params = Params::default();
        let pieces = self.pieces(text, what, &mut params)?;
        let piece = |piece: Piece| match piece {
            Piece::Text(text) => text,
            Piece::Param(name) => params.0.get(&name).and_then(|(_, value)| in_text(value)).unwrap_or_default(),
        };
        Ok(pieces.into_iter().map(piece).collect())
    }

    /// A value with the templates in it filled in; a text that is one template is the value itself.
    pub(super) fn value(&self, value: &Yaml, what: &str) -> Result<Yaml, ImportError> {
        Ok(match value {
            Yaml::Str(text) => {
                let whole = text.trim().strip_prefix("${").and_then(|text| text.strip_suffix('}'));
                match whole.filter(|path| !path.contains(['{', '}'])) {
                    Some(path) => {
                        let found = self.lookup(path.trim()).ok_or_else(|| self.unknown(path.trim(), what))?;
                        found.0.clone()
                    }
                    None => Yaml::Str(self.text(text, what)?),
                }
            }
            Yaml::List(items) => Yaml::List(items.iter().map(|item| self.value(item, what)).collect::<Result<_, _>>()?),
            Yaml::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((self.text(key, what)?, self.value(value, what)?)));
                Yaml::Map(entries.collect::<Result<_, ImportError>>()?)
            }
            other => other.clone(),
        })
    }

    fn unknown(&self, path: &str, what: &str) -> ImportError {
        let mut error = ImportError::new(format!("{what}: `${{{path}}}` names nothing"));
        let known =
            self.local.iter().map(|(name, _)| name.as_str()).chain(self.global.entries().iter().map(|e| e.0.as_str()));
        error.hint = crate::diag::did_you_mean(path, known);
        error
    }
}

/// The paths that the templates in a value name.
pub(super) fn named(value: &Yaml, into: &mut BTreeSet<String>) {
    match value {
        Yaml::Str(text) => {
            let inner = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
            into.extend(inner.map(|(path, _)| path.trim().to_owned()));
        }
        Yaml::List(items) => items.iter().for_each(|item| named(item, into)),
        Yaml::Map(entries) => entries.iter().for_each(|(key, value)| {
            named(&Yaml::Str(key.clone()), into);
            named(value, into);
        }),
        _ => {}
    }
}

/// Reads a YAML, JSON or TOML file.
pub(super) fn read(folder: &Path, file: &str) -> Result<Yaml, ImportError> {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| ImportError::new(format!("cannot read `{file}`: {}", crate::stage::io_words(&error))))?;
    if file.ends_with(".py") {
        return Err(ImportError::new(format!("`{file}` is Python, from which values cannot be taken"))
            .with_hint("write them into a YAML or JSON file"));
    }
    if file.ends_with(".toml") {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| ImportError::new(format!("`{file}`: {}", error.message())))?;
        return Ok(of_toml(toml::Value::Table(table)));
    }
    Yaml::parse(&text).map_err(|why| ImportError::new(format!("`{file}`: {why}")))
}

fn of_toml(value: toml::Value) -> Yaml {
    match value {
        toml::Value::String(text) => Yaml::Str(text),
        toml::Value::Integer(value) => Yaml::Int(value),
        toml::Value::Float(value) => Yaml::Float(value),
        toml::Value::Boolean(value) => Yaml::Bool(value),
        toml::Value::Datetime(time) => Yaml::Str(time.to_string()),
        toml::Value::Array(items) => Yaml::List(items.into_iter().map(of_toml).collect()),
        toml::Value::Table(table) => Yaml::Map(table.into_iter().map(|(key, value)| (key, of_toml(value))).collect()),
    }
}

/// Puts the values of one table into another, table by table.
fn merge(into: &mut Yaml, from: &Yaml) {
    let Yaml::Map(entries) = into else {
        *into = from.clone();
        return;
    };
    for (key, value) in from.entries() {
        match entries.iter_mut().find(|(known, _)| known == key) {
            Some((_, old @ Yaml::Map(_))) if matches!(value, Yaml::Map(_)) => merge(old, value),
            Some((_, old)) => *old = value.clone(),
            None => entries.push((key.clone(), value.clone())),
        }
    }
}

/// A scalar as DVC puts it into a text, where files and stages are called by it: of nothing Python says `None`.
pub(super) fn in_text(value: &Yaml) -> Option<String> {
    match value {
        Yaml::Null => Some("None".to_owned()),
        Yaml::Float(value) => Some(float(*value)),
        value => value.plain(),
    }
}

/// A float as Python writes it: `0.0001`, but `1e-05`.
fn float(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string().to_lowercase();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        exponent @ ..-4 => format!("{digits}e-{:02}", -exponent),
        exponent @ 16.. => format!("{digits}e+{exponent}"),
        _ if value.fract() == 0.0 => format!("{value:.1}"),
        _ => value.to_string(),
    }
}

/// A table in a command: `--lr 0.1 --sizes 8 4 --verbose`. A false value is left out.
fn as_options(value: &Yaml) -> String {
    let mut words = Vec::new();
    options("", value, &mut words);
    words.join(" ")
}

fn options(prefix: &str, value: &Yaml, words: &mut Vec<String>) {
    match value {
        Yaml::Map(entries) => {
            for (key, value) in entries {
                let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                options(&name, value, words);
            }
        }
        Yaml::List(items) => {
            words.extend((!prefix.is_empty() && !items.is_empty()).then(|| format!("--{prefix}")));
            words.extend(items.iter().filter_map(in_text).map(|text| super::command::quoted(&text)));
        }
        Yaml::Bool(true) => words.push(format!("--{prefix}")),
        Yaml::Bool(false) => {}
        scalar => words.extend([format!("--{prefix}"), super::command::quoted(&in_text(scalar).unwrap_or_default())]),
    }
}
