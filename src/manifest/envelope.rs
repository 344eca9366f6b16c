//! Everything in a manifest that is not a kind's own field: `[pipeline]`, `[params]`, `[inputs]`, `[outputs]` and the
//! names of stages.

use super::node::{Data, Node};
use super::params::{ParamDecl, ParamType, is_param_name};
use crate::diag::{Code, Diagnostic, Diagnostics, codes, did_you_mean, list, toml_key};
use crate::span::Span;

/// The editions of the language that this kilter knows.
pub const EDITIONS: &[&str] = &["2026"];

const TABLES: &[&str] = &["pipeline", "params", "stage", "inputs", "outputs"];
const PIPELINE_FIELDS: &[&str] = &["name", "about", "edition", "seed"];
const PARAM_FIELDS: &[&str] = &["type", "default", "min", "max", "choices", "about"];

/// The artefact types that `[inputs]` can name.
pub const ARTIFACTS: &[&str] =
    &["file", "dir", "table", "tokenizer", "encoder", "dataset", "model", "metrics", "report", "bundle"];

/// `[pipeline]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipeline {
    /// The name, which names the folder of its results.
    pub name: String,
    /// What it is for.
    pub about: Option<String>,
    /// The language version.
    pub edition: String,
    /// What every random choice derives from.
    pub seed: u64,
}

/// An entry of `[inputs]`.
#[derive(Clone, Debug)]
pub struct InputDecl {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// The artefact type, one of [`ARTIFACTS`].
    pub artifact: String,
    /// What it is for.
    pub about: Option<String>,
}

/// An entry of `[outputs]`.
#[derive(Clone, Debug)]
pub struct OutputDecl {
    /// Its name.
    pub name: String,
    /// Where the reference stands.
    pub span: Span,
    /// The stage's output that it names.
    pub text: String,
    /// What it is.
    pub about: Option<String>,
}

/// A manifest's tables, apart from each other; params are not filled in yet.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    pub(super) pipeline: Option<Node>,
    pub(super) params: Vec<ParamDecl>,
    pub(super) inputs: Vec<InputDecl>,
    pub(super) outputs: Vec<OutputDecl>,
    pub(super) stages: Vec<(String, Node)>,
}

/// Takes a document apart.
pub(super) fn split(mut root: Node, diagnostics: &mut Diagnostics) -> Envelope {
    for (name, node) in root.entries() {
        if !TABLES.contains(&name.as_str()) {
            diagnostics.push(
                Diagnostic::new(codes::UNKNOWN_TABLE, format!("`{name}` is not part of a manifest"))
                    .at(node.key_or_value())
                    .label(format!("the top level holds {}", list(TABLES.iter().copied(), 8)))
                    .maybe_hint(did_you_mean(name, TABLES.iter().copied()))
                    .maybe_hint(belongs(name, node)),
            );
        }
    }
    let mut table = |name: &str| {
        let node = root.take(name)?;
        expect_table(&node, name, diagnostics).then_some(node)
    };
    let (pipeline, params, inputs) = (table("pipeline"), table("params"), table("inputs"));
    let (outputs, stages) = (table("outputs"), table("stage"));
    Envelope {
        pipeline,
        params: entries(params).filter_map(|(name, node)| param(name, node, diagnostics)).collect(),
        inputs: entries(inputs).filter_map(|(name, node)| input(name, node, diagnostics)).collect(),
        outputs: entries(outputs).filter_map(|(name, node)| output(name, node, diagnostics)).collect(),
        stages: entries(stages).filter(|(name, node)| stage(name, node, diagnostics)).collect(),
    }
}

/// Where something belongs that stands outside of all tables: a stage, or a field of `[pipeline]`.
fn belongs(name: &str, node: &Node) -> Option<String> {
    let field = PIPELINE_FIELDS.contains(&name).then(|| format!("`{name}` stands below `[pipeline]`"));
    let stage = node.get("kind").or_else(|| node.get("use")).is_some();
    field.or_else(|| stage.then(|| format!("a stage of this name begins with `[stage.{}]`", toml_key(name))))
}

fn entries(node: Option<Node>) -> impl Iterator<Item = (String, Node)> {
    let entries = match node.map(|node| node.data) {
        Some(Data::Table(entries)) => entries,
        _ => Vec::new(),
    };
    entries.into_iter()
}

fn expect_table(node: &Node, name: &str, diagnostics: &mut Diagnostics) -> bool {
    let is_table = matches!(node.data, Data::Table(_));
    if !is_table {
        diagnostics.push(
            Diagnostic::new(codes::ENVELOPE, format!("`{name}` is a table, not {}", node.what()))
                .at(node.span)
                .label(format!("expected `[{name}]`")),
        );
    }
    is_table
}

/// Whether a name can be used; reports it where not.
fn usable(name: &str, what: &str, span: Span, diagnostics: &mut Diagnostics) -> bool {
    let usable = is_param_name(name) && !name.starts_with('_');
    if !usable {
        diagnostics.push(
            Diagnostic::new(codes::BAD_NAME, format!("{what} cannot be named `{name}`"))
                .at(span)
                .label("letters, digits, `_` and `-`, beginning with a letter"),
        );
    }
    usable
}

fn stage(name: &str, node: &Node, diagnostics: &mut Diagnostics) -> bool {
    let usable = usable(name, "a stage", node.key_or_value(), diagnostics);
    usable && expect_table(node, &format!("stage.{name}"), diagnostics)
}

fn wrong(code: Code, what: &str, node: &Node, expected: &str) -> Diagnostic {
    Diagnostic::new(code, format!("{what} must be {expected}, not {}", node.what()))
        .at(node.span)
        .label(format!("expected {expected}"))
}

fn unknown_field(what: &str, name: &str, node: &Node, known: &[&str]) -> Diagnostic {
    Diagnostic::new(codes::ENVELOPE, format!("{what} has no field `{name}`"))
        .at(node.key_or_value())
        .label(format!("the fields are {}", list(known.iter().copied(), 8)))
        .maybe_hint(did_you_mean(name, known.iter().copied()))
}

/// The text of a field, after reporting that it is something else.
fn text_field(table: &Node, field: &str, what: &str, diagnostics: &mut Diagnostics) -> Option<String> {
    let node = table.get(field)?;
    if let (None, false) = (node.as_str(), node.data == Data::Missing) {
        diagnostics.push(wrong(codes::ENVELOPE, &format!("`{field}` of {what}"), node, "a string"));
    }
    node.as_str().map(str::to_owned)
}

fn number_field(table: &Node, field: &str, what: &str, diagnostics: &mut Diagnostics) -> Option<f64> {
    let node = table.get(field)?;
    match node.data {
        Data::Int(value) => Some(value as f64),
        Data::Float(value) => Some(value),
        Data::Missing => None,
        _ => {
            diagnostics.push(wrong(codes::ENVELOPE, &format!("`{field}` of {what}"), node, "a number"));
            None
        }
    }
}

/// Reads `[pipeline]`, whose params are filled in already.
pub(super) fn pipeline(table: Option<&Node>, place: Span, diagnostics: &mut Diagnostics) -> Pipeline {
    let mut out = Pipeline { edition: EDITIONS[0].to_owned(), ..Pipeline::default() };
    let nameless = |span: Span| {
        Diagnostic::new(codes::NO_PIPELINE, "the pipeline has no name")
            .at(span)
            .label("needs a `name`")
            .hint("begin the manifest with `[pipeline]` and `name = \"…\"`")
    };
    let Some(table) = table else {
        diagnostics.push(nameless(place));
        return out;
    };
    for (name, node) in table.entries().iter().filter(|(name, _)| !PIPELINE_FIELDS.contains(&name.as_str())) {
        diagnostics.push(unknown_field("`[pipeline]`", name, node, PIPELINE_FIELDS));
    }
    match (text_field(table, "name", "`[pipeline]`", diagnostics), table.get("name")) {
        (Some(name), Some(node)) if usable(&name, "a pipeline", node.span, diagnostics) => out.name = name,
        (None, None) => diagnostics.push(nameless(table.span)),
        _ => {}
    }
    out.about = text_field(table, "about", "`[pipeline]`", diagnostics);
    if let Some(edition) = text_field(table, "edition", "`[pipeline]`", diagnostics) {
        check_edition(&edition, table, diagnostics);
        out.edition = edition;
    }
    out.seed = table.get("seed").map_or(0, |node| seed(node, diagnostics));
    out
}

fn check_edition(edition: &str, table: &Node, diagnostics: &mut Diagnostics) {
    if EDITIONS.contains(&edition) {
        return;
    }
    diagnostics.push(
        Diagnostic::new(codes::EDITION, format!("edition \"{edition}\" is not known to this kilter"))
            .at(table.get("edition").map_or(table.span, |node| node.span))
            .label(format!("known: {}", list(EDITIONS.iter().copied(), 4)))
            .hint("a newer kilter may know it"),
    );
}

fn seed(node: &Node, diagnostics: &mut Diagnostics) -> u64 {
    let value = if let Data::Int(value) = node.data { u64::try_from(value).ok() } else { None };
    if value.is_none() && node.data != Data::Missing {
        let message = format!("`seed` must be an integer, 0 or more, not {}", node.show());
        diagnostics.push(Diagnostic::new(codes::ENVELOPE, message).at(node.span).label("not a seed"));
    }
    value.unwrap_or_default()
}

fn param(name: String, node: Node, diagnostics: &mut Diagnostics) -> Option<ParamDecl> {
    let span = node.key_or_value();
    if !usable(&name, "a param", span, diagnostics) {
        return None;
    }
    let plain = ParamDecl {
        name,
        span,
        ty: ParamType::Str,
        default: None,
        min: None,
        max: None,
        choices: Vec::new(),
        about: None,
        broken: false,
    };
    if !matches!(node.data, Data::Table(_)) {
        let ty = ParamType::of(&node.data)?;
        return Some(ParamDecl { ty, default: Some(node), ..plain });
    }
    long_param(plain, &node, diagnostics)
}

/// `{ type = "float", default = 0.0, min = 0.0, about = "…" }`
fn long_param(plain: ParamDecl, table: &Node, diagnostics: &mut Diagnostics) -> Option<ParamDecl> {
    let what = format!("param `{}`", plain.name);
    for (name, node) in table.entries().iter().filter(|(name, _)| !PARAM_FIELDS.contains(&name.as_str())) {
        diagnostics.push(unknown_field(&what, name, node, PARAM_FIELDS));
    }
    let declared = text_field(table, "type", &what, diagnostics);
    let default = table.get("default").cloned();
    let own = default.as_ref().and_then(|default| ParamType::of(&default.data));
    let ty = match &declared {
        Some(name) => ParamType::parse(name),
        None => own,
    };
    if ty.is_none() && (declared.is_some() || (default.is_none() && table.get("type").is_none())) {
        diagnostics.push(without_type(&plain, table, declared.as_deref()));
    }
    let plain = ParamDecl { broken: ty.is_none(), ty: ty.or(own).unwrap_or(ParamType::Str), ..plain };
    let choices = match table.get("choices") {
        None => Vec::new(),
        Some(Node { data: Data::List(items), .. }) => items.clone(),
        Some(node) => {
            diagnostics.push(wrong(codes::ENVELOPE, &format!("`choices` of {what}"), node, "a list"));
            Vec::new()
        }
    };
    let mut decl = ParamDecl {
        choices,
        min: number_field(table, "min", &what, diagnostics),
        max: number_field(table, "max", &what, diagnostics),
        about: text_field(table, "about", &what, diagnostics),
        ..plain
    };
    if let Some(default) = default {
        match decl.admit(default.clone()) {
            Ok(admitted) => decl.default = Some(admitted),
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                decl.default = Some(default);
            }
        }
    }
    Some(decl)
}

/// A param whose `type` is none, or that tells neither a type nor a value.
fn without_type(param: &ParamDecl, table: &Node, declared: Option<&str>) -> Diagnostic {
    let Some(name) = declared else {
        let message = format!("param `{}` has neither a `type` nor a `default`", param.name);
        return Diagnostic::new(codes::ENVELOPE, message).at(param.span).label("what values it takes cannot be told");
    };
    let span = table.get("type").map_or(table.span, |node| node.span);
    Diagnostic::new(codes::ENVELOPE, format!("`{name}` is not a type of params"))
        .at(span)
        .label(format!("the types are {}", list(ParamType::names(), 8)))
        .maybe_hint(did_you_mean(name, ParamType::names()))
}

fn input(name: String, node: Node, diagnostics: &mut Diagnostics) -> Option<InputDecl> {
    let span = node.key_or_value();
    let what = format!("input `{name}`");
    if !usable(&name, "an input", span, diagnostics) {
        return None;
    }
    let (artifact, about) = short_or_long(&node, "type", &what, diagnostics)?;
    let place = node.get("type").map_or(node.span, |ty| ty.span);
    if !ARTIFACTS.contains(&artifact.as_str()) {
        diagnostics.push(
            Diagnostic::new(codes::ENVELOPE, format!("`{artifact}` is not a type of artefact"))
                .at(place)
                .label(format!("the types are {}", list(ARTIFACTS.iter().copied(), 12)))
                .maybe_hint(did_you_mean(&artifact, ARTIFACTS.iter().copied())),
        );
    }
    Some(InputDecl { name, span, artifact, about })
}

fn output(name: String, node: Node, diagnostics: &mut Diagnostics) -> Option<OutputDecl> {
    let what = format!("output `{name}`");
    if !usable(&name, "an output", node.key_or_value(), diagnostics) {
        return None;
    }
    let (text, about) = short_or_long(&node, "from", &what, diagnostics)?;
    let span = node.get("from").map_or(node.span, |from| from.span);
    Some(OutputDecl { name, span, text, about })
}

/// `"value"`, or `{ FIELD = "value", about = "…" }`.
fn short_or_long(
    node: &Node,
    field: &str,
    what: &str,
    diagnostics: &mut Diagnostics,
) -> Option<(String, Option<String>)> {
    if let Some(text) = node.as_str() {
        return Some((text.to_owned(), None));
    }
    if node.get(field).is_none() {
        let diagnostic = match node.data {
            Data::Table(_) => Diagnostic::new(codes::ENVELOPE, format!("{what} needs `{field}`"))
                .at(node.key_or_value())
                .label(format!("without `{field}`")),
            _ => wrong(codes::ENVELOPE, what, node, &format!("a string, or a table with `{field}`")),
        };
        diagnostics.push(diagnostic);
        return None;
    }
    let known = [field, "about"];
    for (name, entry) in node.entries().iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        diagnostics.push(unknown_field(what, name, entry, &known));
    }
    let about = text_field(node, "about", what, diagnostics);
    text_field(node, field, what, diagnostics).map(|text| (text, about))
}
