//! A stage's table to its spec, and decoding mistakes to diagnostics.

use super::instead::{instead, keyed};
use super::schema::FieldSchema;
use super::words::{NAME_AS_KEY, NAME_OR_KEY, ONE_KEY, Said, read};
use crate::diag::{Code, Diagnostic, Diagnostics, codes, did_you_mean, list};
use crate::digest::{Segment, dotted};
use crate::manifest::{COMMON_FIELDS, Data, Node, ParamUse, StageEntry, with_uses};
use crate::span::{SourceMap, Span};
use crate::stage::{DecodeError, Stage, StageInfo, StageSpec};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// More names than this are not listed in a label.
const MOST_NAMES: usize = 16;

/// What became of a stage's table.
pub(super) struct Decoded {
    pub(super) info: Option<StageInfo>,
    pub(super) spec: Option<Arc<dyn StageSpec>>,
    /// Whether it has mistakes, with a spec or without.
    pub(super) wrong: bool,
}

/// A decoded stage with its kind and its mistakes.
type Raw = Option<(&'static dyn Stage, Decoded, Vec<DecodeError>)>;

/// With fewer stages, starting threads takes longer than decoding.
const MANY_STAGES: usize = 400;

/// Decodes stages, each by itself.
pub(super) struct Decoder<'a> {
    sources: &'a SourceMap,
    registry: BTreeMap<&'static str, &'static dyn Stage>,
    /// Made when a mistake first asks for them.
    schemas: BTreeMap<&'static str, FieldSchema>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(registry: &'static [&'static dyn Stage], sources: &'a SourceMap) -> Self {
        let registry = registry.iter().map(|stage| (stage.info().name, *stage)).collect();
        Self { sources, registry, schemas: BTreeMap::new() }
    }

    /// Decodes every stage, on all cores where there are many; the diagnostics come in the order of the stages.
    pub(super) fn decode_all(&mut self, entries: &[StageEntry], diagnostics: &mut Diagnostics) -> Vec<Decoded> {
        let raw: Vec<Raw> = match entries.len() {
            0..MANY_STAGES => entries.iter().map(|entry| self.raw(entry)).collect(),
            _ => entries.par_iter().map(|entry| self.raw(entry)).collect(),
        };
        let told = |(entry, raw)| self.tell(entry, raw, diagnostics);
        entries.iter().zip(raw).map(told).collect()
    }

    /// Decodes a stage; its mistakes are not put in words yet. `None` where there is no such kind.
    fn raw(&self, entry: &StageEntry) -> Raw {
        let (kind, _) = entry.kind.as_ref()?;
        let stage = self.registry.get(kind.as_str()).copied()?;
        let mut fields = entry.fields();
        let (mut spec, mut errors) = stage.decode(&fields);
        // serde tells of one wrong value in each field, so this may take several turns; each changes one value at least.
        while errors.iter().filter(|error| as_text(entry, error, &mut fields)).count() > 0 {
            (spec, errors) = stage.decode(&fields);
        }
        let spec = spec.filter(|_| entry.dropped.is_empty()).map(Arc::from);
        Some((stage, Decoded { info: Some(stage.info()), spec, wrong: !errors.is_empty() }, errors))
    }

    fn tell(&mut self, entry: &StageEntry, raw: Raw, diagnostics: &mut Diagnostics) -> Decoded {
        let Some((stage, decoded, errors)) = raw else {
            if let Some((kind, place)) = &entry.kind {
                diagnostics.push(with_uses(self.unknown_kind(kind, *place), &entry.uses));
            }
            return Decoded { info: None, spec: None, wrong: true };
        };
        let meant = only_missing(&errors);
        for error in errors {
            let unknown = matches!(&error, DecodeError::UnknownField { path } if path.len() == 1);
            for diagnostic in self.explain(entry, stage, error) {
                let guess = meant.as_ref().filter(|_| unknown && diagnostic.hints.is_empty());
                let hint = guess.map(|field| format!("is it meant to be `{field}`?"));
                diagnostics.push(with_uses(diagnostic.maybe_hint(hint), &entry.uses));
            }
        }
        decoded
    }

    fn unknown_kind(&self, kind: &str, place: Span) -> Diagnostic {
        let names = || self.registry.keys().copied();
        let module = kind.starts_with("std/") || kind.ends_with(".toml");
        Diagnostic::new(codes::UNKNOWN_KIND, format!("there is no kind `{kind}`"))
            .at(place)
            .label("no such kind")
            .maybe_hint(did_you_mean(kind, names()))
            .maybe_hint(module.then(|| format!("a module is used: `use = \"{kind}\"` in the place of `kind`")))
            .hint(format!("the kinds are {}", list(names(), 24)))
    }

    fn schema(&mut self, stage: &'static dyn Stage) -> &FieldSchema {
        self.schemas.entry(stage.info().name).or_insert_with(|| FieldSchema::of(stage))
    }

    /// A mistake in words. What follows from a value that is not there, which was reported, is not told.
    fn explain(&mut self, entry: &StageEntry, stage: &'static dyn Stage, error: DecodeError) -> Vec<Diagnostic> {
        match error {
            DecodeError::UnknownField { path } => vec![self.unknown_field(entry, stage, &path)],
            DecodeError::MissingField { path, field } if is_hole(entry, &path, &field) => {
                self.unknown_beside(entry, stage, &path)
            }
            DecodeError::MissingField { path, field } => {
                let missing = self.missing_field(entry, stage, &path, &field);
                std::iter::once(missing).chain(self.unknown_beside(entry, stage, &path)).collect()
            }
            DecodeError::Invalid { path, message } if follows_from_hole(entry, &path, &message) => Vec::new(),
            DecodeError::Invalid { path, message } => {
                let hint = self.instead(entry, stage, &path, &message);
                let hint = hint.or_else(|| self.choice(stage, &entry.node.real_path(&path), &message));
                vec![invalid(entry, self.sources, &path, &message).maybe_hint(hint)]
            }
        }
    }

    /// What to write in the place of a value of the wrong type.
    fn instead(
        &mut self,
        entry: &StageEntry,
        stage: &'static dyn Stage,
        path: &[Segment],
        message: &str,
    ) -> Option<String> {
        let Said::Type { expected, .. } = read(message) else { return None };
        let located = entry.locate(path);
        let real = entry.node.real_path(path);
        let Some(Segment::Key(key)) = real.last().filter(|_| located.exact) else { return None };
        let fields = if expected == "a table" { self.schema(stage).fields(&real) } else { Vec::new() };
        instead(located.node, key, &expected, &fields)
    }

    /// How a field is written that has one of several keys and has none of them, or too many; of a list every entry has one.
    fn choice(&mut self, stage: &'static dyn Stage, path: &[Segment], message: &str) -> Option<String> {
        let (Said::Type { expected, .. } | Said::Value { expected, .. }) = read(message) else { return None };
        let keys = path.iter().all(|segment| matches!(segment, Segment::Key(_)));
        let of_key = keys && [ONE_KEY, NAME_OR_KEY, NAME_AS_KEY].contains(&expected.as_str());
        let Some(Segment::Key(field)) = path.first().filter(|_| of_key) else { return None };
        let about = self.schema(stage).fields(&[]).into_iter().find(|known| known.name == *field)?.about?;
        Some(format!("`{field}`: {}", first_sentence(&about)))
    }

    /// The unknown fields of an inner table that was not decoded, because a field that it needs is not there, or has no value.
    fn unknown_beside(&mut self, entry: &StageEntry, stage: &'static dyn Stage, path: &[Segment]) -> Vec<Diagnostic> {
        let known = self.schema(stage).fields(&entry.node.real_path(path));
        if path.is_empty() || known.is_empty() {
            return Vec::new();
        }
        let here = entry.locate(path).node.entries();
        let unknown = here.iter().filter(|(key, _)| known.iter().all(|field| field.name != *key));
        let path_of = |(key, _): &(String, Node)| [path, &[Segment::from(key)]].concat();
        unknown.map(|entry_of| self.unknown_field(entry, stage, &path_of(entry_of))).collect()
    }

    fn unknown_field(&mut self, entry: &StageEntry, stage: &'static dyn Stage, path: &[Segment]) -> Diagnostic {
        let place = entry.key_span(self.sources, path);
        let real = entry.node.real_path(path);
        let (last, parent) = real
            .split_last()
            .map_or((String::new(), &[][..]), |(last, parent)| (dotted(std::slice::from_ref(last)), parent));
        let mut names: Vec<String> = self.schema(stage).fields(parent).into_iter().map(|field| field.name).collect();
        let listed = list(names.iter().map(String::as_str), MOST_NAMES);
        let what = match parent {
            [] => format!("kind `{}`", stage.info().name),
            _ => format!("`{}`", dotted(parent)),
        };
        if parent.is_empty() {
            names.extend(COMMON_FIELDS.iter().map(|name| (*name).to_owned()));
        }
        let hint = did_you_mean(&last, names.iter().map(String::as_str));
        let label = match names.len() {
            _ if hint.is_some() => "no such field".to_owned(),
            0 => "takes no fields".to_owned(),
            _ => format!("the fields are {listed}"),
        };
        Diagnostic::new(codes::UNKNOWN_FIELD, format!("{what} has no field `{last}`"))
            .at(place)
            .label(label)
            .maybe_hint(hint)
    }

    fn missing_field(
        &mut self,
        entry: &StageEntry,
        stage: &'static dyn Stage,
        path: &[Segment],
        field: &str,
    ) -> Diagnostic {
        let what = match path {
            [] => format!("stage `{}` of kind `{}`", entry.name, stage.info().name),
            _ => format!("`{}`", dotted(&entry.node.real_path(path))),
        };
        let place = if path.is_empty() { entry.header } else { entry.key_span(self.sources, path) };
        let fields = self.schema(stage).fields(&entry.node.real_path(path));
        let about = fields.into_iter().find(|known| known.name == field).and_then(|known| known.about);
        let hint = about.map(|about| format!("`{field}`: {}", first_sentence(&about)));
        Diagnostic::new(codes::MISSING_FIELD, format!("{what} needs `{field}`"))
            .at(place)
            .label(format!("without `{field}`"))
            .maybe_hint(hint)
    }
}

/// The field that is missing, where that is one, and one stands there that is not known: `input` for `from`.
fn only_missing(errors: &[DecodeError]) -> Option<String> {
    let missing: Vec<&String> = errors
        .iter()
        .filter_map(|error| match error {
            DecodeError::MissingField { path, field } if path.is_empty() => Some(field),
            _ => None,
        })
        .collect();
    let is_unknown = |error: &&DecodeError| matches!(error, DecodeError::UnknownField { path } if path.len() == 1);
    match missing.as_slice() {
        [field] if errors.iter().filter(is_unknown).count() == 1 => Some((*field).clone()),
        _ => None,
    }
}

/// Whether a field stands there, and has no value.
fn is_hole(entry: &StageEntry, path: &[Segment], field: &str) -> bool {
    let node = if path.is_empty() { &entry.node } else { entry.locate(path).node };
    node.get(field).is_some_and(|value| value.data == Data::Missing)
}

/// Whether a mistake may be one only because a value is not there. A name that nothing has is wrong whatever stands below it.
fn follows_from_hole(entry: &StageEntry, path: &[Segment], message: &str) -> bool {
    let node = entry.locate(path).node;
    node.data == Data::Missing || (node.has_holes() && !message.starts_with("unknown "))
}

fn first_sentence(text: &str) -> String {
    let text = text.split("\n\n").next().unwrap_or(text).replace('\n', " ");
    match text.find(". ") {
        Some(end) => text[..end].to_owned(),
        None => text.trim_end_matches('.').to_owned(),
    }
}

/// Where a text is wanted and a param gave a number or a boolean as the whole value, its text is taken. Whether that is so.
fn as_text(entry: &StageEntry, error: &DecodeError, fields: &mut serde_json::Value) -> bool {
    let DecodeError::Invalid { path, message } = error else { return false };
    let Said::Type { expected, .. } = read(message) else { return false };
    let node = entry.locate(path).node;
    let scalar = matches!(node.data, Data::Bool(_) | Data::Int(_) | Data::Float(_));
    if expected != "a string" || !scalar || node.origin.is_none() {
        return false;
    }
    let mut place = Some(fields);
    for segment in entry.node.real_path(path) {
        place = place.and_then(|value| match &segment {
            Segment::Key(key) => value.get_mut(key),
            Segment::Index(index) => value.get_mut(index),
        });
    }
    match place.filter(|value| !value.is_string()) {
        Some(value) => *value = node.plain().into(),
        None => return false,
    }
    true
}

/// A value of the wrong type or form. A kind's own message may begin with the code it wants: `E0222: …`.
fn invalid(entry: &StageEntry, sources: &SourceMap, path: &[Segment], message: &str) -> Diagnostic {
    let field = dotted(&entry.node.real_path(path));
    let place = entry.value_span(sources, path);
    let about = |text: String| if field.is_empty() { text } else { format!("`{field}` {text}") };
    let diagnostic = match read(message) {
        Said::NotOneOf { found, expected } => {
            let (code, message) = match is_layer(path) {
                true => (codes::UNKNOWN_LAYER, format!("there is no layer `{found}`")),
                false => (codes::FIELD_TYPE, about(format!("cannot be `{found}`"))),
            };
            let names = || expected.iter().map(String::as_str);
            let hint = did_you_mean(&found, names());
            let label = match hint {
                Some(_) => format!("not one of the {} names that may stand here", expected.len()),
                None => format!("expected {}", one_of(names())),
            };
            let place = name_place(entry, path, &found).unwrap_or(place);
            Diagnostic::new(code, message).at(place).label(label).maybe_hint(hint)
        }
        Said::Type { found, expected } => {
            Diagnostic::new(codes::FIELD_TYPE, about(format!("must be {expected}, not {found}")))
                .at(place)
                .label(format!("expected {expected}"))
        }
        Said::Value { found, expected } => {
            let number = found.starts_with(|c: char| c.is_ascii_digit() || c == '-');
            let code = if number { codes::OUT_OF_RANGE } else { codes::FIELD_TYPE };
            let of_list = matches!(path.last(), Some(Segment::Index(_)));
            let apart = "each of several is a table of its own, one after the other: `{ … }, { … }`";
            Diagnostic::new(code, about(format!("must be {expected}, not {found}")))
                .at(place)
                .label(format!("expected {expected}"))
                .maybe_hint((expected == ONE_KEY && of_list).then(|| apart.to_owned()))
        }
        Said::Own(message) => {
            let named = message.split('`').nth(1).and_then(|name| name_place(entry, path, name));
            own(&message, &about, named.unwrap_or(place)).maybe_hint(choice_form(entry, path, &message))
        }
    };
    with_params(entry, path, diagnostic, |_| true)
}

fn own(message: &str, about: &dyn Fn(String) -> String, place: Span) -> Diagnostic {
    let wanted: Option<(Code, &str)> = message
        .split_once(": ")
        .and_then(|(id, rest)| Some((codes::CODES.iter().copied().find(|code| code.id == id)?, rest)));
    let layer = message.starts_with("unknown layer `");
    let (code, message) = wanted.unwrap_or((if layer { codes::UNKNOWN_LAYER } else { codes::FIELD_TYPE }, message));
    // nn's messages go on with a suggestion or with the names there are.
    let (message, tail) = match message.split_once("; ") {
        Some((message, tail)) => (message, tail),
        None => (message, ""),
    };
    let diagnostic = match message.strip_prefix("unknown ") {
        Some(unknown) => Diagnostic::new(code, format!("there is no {unknown}")),
        None if code == codes::FIELD_TYPE => Diagnostic::new(code, about(format!("cannot be read: {message}"))),
        None => Diagnostic::new(code, message),
    };
    let diagnostic = diagnostic.at(place);
    match tail.starts_with("did you mean ") {
        true => diagnostic.label("no such name").hint(tail),
        false => diagnostic.label(tail),
    }
}

/// How a choice is written whose name stands as a value of its table: `optimizer = { name = "adam" }`.
fn choice_form(entry: &StageEntry, path: &[Segment], message: &str) -> Option<String> {
    let unknown = message.strip_prefix("unknown ")?;
    let key = unknown.split('`').nth(1)?;
    // A mistake in a table is told of the table or of its entry.
    let table = match path.split_last()? {
        (Segment::Key(last), parent) if last == key => parent,
        _ => path,
    };
    let node = entry.locate(table).node;
    node.get(key)?;
    let field = match table.last()? {
        Segment::Key(_) => Some(dotted(&entry.node.real_path(table))),
        Segment::Index(_) => None,
    };
    let names: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
    keyed(node, field.as_deref(), &names)
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names = list(names, MOST_NAMES);
    if names.contains(' ') { format!("one of {names}") } else { names }
}

/// Whether a path leads to a network's layer: the item of a list named `layers`.
fn is_layer(path: &[Segment]) -> bool {
    let key = path.iter().rev().find_map(|segment| match segment {
        Segment::Key(key) => Some(key.as_str()),
        Segment::Index(_) => None,
    });
    key == Some("layers")
}

/// Where a name that stands as a text, or as the key of a table, stands itself.
fn name_place(entry: &StageEntry, path: &[Segment], name: &str) -> Option<Span> {
    let node = entry.locate(path).node;
    if matches!(path.last(), Some(Segment::Key(key)) if key == name) {
        return node.key;
    }
    match &node.data {
        Data::Table(_) => node.get(name)?.key,
        _ => None,
    }
}

/// Shows where the params that a value came from have theirs, each once, of those that `counts` accepts.
pub(super) fn with_params(
    entry: &StageEntry,
    path: &[Segment],
    mut diagnostic: Diagnostic,
    counts: impl Fn(&ParamUse) -> bool,
) -> Diagnostic {
    let uses: Vec<&ParamUse> = entry.params_at(path).iter().filter(|used| counts(used)).collect();
    let is_first =
        |at: usize| uses[..at].iter().all(|used| (&used.name, used.value) != (&uses[at].name, uses[at].value));
    for used in (0..uses.len()).filter(|at| is_first(*at)).map(|at| uses[at]) {
        diagnostic = diagnostic.related(used.value, format!("`{}` is given here", used.name));
    }
    diagnostic
}
