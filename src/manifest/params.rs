//! Params: their declarations, their values, and `${name}` in the values of a manifest.

use super::node::{Data, Node, Origin, ParamUse, Piece};
use super::text::part_of;
use crate::diag::{Diagnostic, Diagnostics, codes, did_you_mean, list};
use crate::span::{SourceMap, Span};
use std::collections::BTreeMap;

/// The type of a param.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// `true` or `false`
    Bool,
    /// An integer
    Int,
    /// A number; integers are taken too
    Float,
    /// Text
    Str,
    /// A list
    List,
    /// A table
    Table,
}

const TYPES: &[(&str, ParamType)] = &[
    ("bool", ParamType::Bool),
    ("int", ParamType::Int),
    ("float", ParamType::Float),
    ("str", ParamType::Str),
    ("list", ParamType::List),
    ("table", ParamType::Table),
];

impl ParamType {
    /// `bool`, `int`, `float`, `str`, `list` or `table`.
    #[must_use]
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|(_, ty)| *ty == self).map_or("", |(name, _)| name)
    }

    /// The type of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        TYPES.iter().find(|(known, _)| *known == name).map(|(_, ty)| *ty)
    }

    /// The names of all types.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TYPES.iter().map(|(name, _)| *name)
    }

    /// The type that a value has by itself.
    #[must_use]
    pub fn of(data: &Data) -> Option<Self> {
        match data {
            Data::Bool(_) => Some(Self::Bool),
            Data::Int(_) => Some(Self::Int),
            Data::Float(_) => Some(Self::Float),
            Data::Str(_) | Data::Date(_) => Some(Self::Str),
            Data::List(_) => Some(Self::List),
            Data::Table(_) => Some(Self::Table),
            Data::Missing => None,
        }
    }
}

/// One entry of `[params]`.
#[derive(Clone, Debug)]
pub struct ParamDecl {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Its type.
    pub ty: ParamType,
    /// Its value unless something else gives one.
    pub default: Option<Node>,
    /// The least that is allowed.
    pub min: Option<f64>,
    /// The most that is allowed.
    pub max: Option<f64>,
    /// The only values that are allowed; empty where any is.
    pub choices: Vec<Node>,
    /// What it is for.
    pub about: Option<String>,
    /// What it takes could not be read, which was reported: any value will do, and none is missed.
    pub broken: bool,
}

impl ParamDecl {
    /// Checks a value against the declaration, turns an integer into a float where one is wanted.
    ///
    /// # Errors
    /// A diagnostic at the value.
    pub fn admit(&self, mut node: Node) -> Result<Node, Diagnostic> {
        // What could not be read was reported.
        if self.broken || node.data == Data::Missing {
            return Ok(node);
        }
        if let (ParamType::Float, Data::Int(value)) = (self.ty, &node.data) {
            node.data = Data::Float(*value as f64);
        }
        let wrong = |label: String| {
            let message = format!("param `{}` cannot be {}", self.name, node.show());
            let diagnostic = Diagnostic::new(codes::PARAM_VALUE, message).at(node.span).label(label);
            let declared = self.span != node.key_or_value();
            if declared { diagnostic.related(self.span, "declared here") } else { diagnostic }
        };
        if ParamType::of(&node.data) != Some(self.ty) {
            return Err(wrong(format!("{}, but the param is of type {}", node.what(), self.ty.name())));
        }
        if !self.choices.is_empty() && !self.choices.contains(&node) {
            let choices: Vec<String> = self.choices.iter().map(Node::plain).collect();
            let hint = did_you_mean(&node.plain(), choices.iter().map(String::as_str));
            let choices = list(choices.iter().map(String::as_str), 12);
            return Err(wrong(format!("not one of {choices}")).maybe_hint(hint));
        }
        let number = match node.data {
            Data::Int(value) => value as f64,
            Data::Float(value) => value,
            _ => return Ok(node),
        };
        match (self.min, self.max) {
            (Some(min), _) if number < min => Err(wrong(format!("less than its `min` of {min}"))),
            (_, Some(max)) if number > max => Err(wrong(format!("more than its `max` of {max}"))),
            _ => Ok(node),
        }
    }
}

/// A param with its value in one use of its file.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    decl: ParamDecl,
    value: Option<Node>,
    set: Option<String>,
    used: bool,
    /// It was given a value that it does not allow, which was reported.
    refused: bool,
}

/// The params of one file in one use, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Params {
    bound: BTreeMap<String, Bound>,
}

impl Params {
    /// Params with their defaults.
    pub(super) fn new(decls: Vec<ParamDecl>) -> Self {
        let bound = decls.into_iter().map(|decl| {
            let (value, refused) = (decl.default.clone(), decl.broken);
            (decl.name.clone(), Bound { decl, value, set: None, used: false, refused })
        });
        Self { bound: bound.collect() }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.bound.contains_key(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.bound.keys().map(String::as_str)
    }

    pub(super) fn decl(&self, name: &str) -> Option<&ParamDecl> {
        self.bound.get(name).map(|bound| &bound.decl)
    }

    /// Gives a param a value after checking it; `set` names the `--set` that it came from.
    pub(super) fn bind(&mut self, name: &str, value: Node, set: Option<String>, diagnostics: &mut Diagnostics) {
        let Some(bound) = self.bound.get_mut(name) else { return };
        match bound.decl.admit(value) {
            Ok(value) => bound.value = Some(value),
            Err(diagnostic) => {
                bound.value = None;
                bound.refused = true;
                diagnostics.push(diagnostic);
            }
        }
        bound.set = set;
    }

    /// Gives an axis' value for one stage, in the place of a param of the same name, whose declaration then holds. Gives
    /// what was there before, for [`Params::unshadow`].
    pub(super) fn shadow(&mut self, name: &str, value: Node, diagnostics: &mut Diagnostics) -> Option<Bound> {
        let before = self.bound.get(name).cloned();
        let decl = before.as_ref().map(|bound| bound.decl.clone());
        let decl = decl.unwrap_or_else(|| ParamDecl {
            name: name.to_owned(),
            span: value.span,
            ty: ParamType::of(&value.data).unwrap_or(ParamType::Str),
            default: None,
            min: None,
            max: None,
            choices: Vec::new(),
            about: None,
            broken: false,
        });
        let admitted = decl.admit(value).map_err(|diagnostic| diagnostics.push(diagnostic)).ok();
        let refused = admitted.is_none();
        self.bound.insert(name.to_owned(), Bound { decl, value: admitted, set: None, used: false, refused });
        before
    }

    /// Ends [`Params::shadow`]; whether the value was used.
    pub(super) fn unshadow(&mut self, name: &str, before: Option<Bound>) -> bool {
        let used = self.bound.remove(name).is_some_and(|bound| bound.used);
        if let Some(mut before) = before {
            before.used |= used;
            self.bound.insert(name.to_owned(), before);
        }
        used
    }

    /// Params that nothing gave a value, in order of their names.
    pub(super) fn without_value(&self) -> impl Iterator<Item = &ParamDecl> {
        self.bound.values().filter(|bound| bound.value.is_none() && !bound.refused).map(|bound| &bound.decl)
    }

    /// Params that nothing used, in order of their names.
    pub(super) fn unused(&self) -> impl Iterator<Item = &ParamDecl> {
        self.bound.values().filter(|bound| !bound.used).map(|bound| &bound.decl)
    }

    /// Every param with its value and the `--set` that gave it.
    pub(super) fn values(&self) -> impl Iterator<Item = (&ParamDecl, Option<&Node>, Option<&str>)> {
        self.bound.values().map(|bound| (&bound.decl, bound.value.as_ref(), bound.set.as_deref()))
    }

    fn use_of(&mut self, name: &str) -> Option<(Option<Node>, ParamUse)> {
        let bound = self.bound.get_mut(name)?;
        bound.used = true;
        let value = bound.value.clone();
        let outer = value.as_ref().and_then(|node| node.origin.as_ref()?.params.iter().find_map(|p| p.set.clone()));
        let span = value.as_ref().map_or(bound.decl.span, |node| node.span);
        Some((value, ParamUse { name: name.to_owned(), set: bound.set.clone().or(outer), value: span }))
    }
}

/// One part of a text.
#[derive(Debug, PartialEq)]
enum Token {
    /// Bytes as they stand.
    Plain(std::ops::Range<usize>),
    /// `$$`
    Dollar(std::ops::Range<usize>),
    /// `${name}`
    Param(std::ops::Range<usize>, String),
    /// `${` without a name and `}` behind it.
    Broken(std::ops::Range<usize>),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut plain = 0;
    let mut at = 0;
    while let Some(offset) = text[at..].find('$') {
        let start = at + offset;
        let rest = &text[start..];
        let token = if rest.starts_with("$$") {
            Token::Dollar(start..start + 2)
        } else if let Some(inner) = rest.strip_prefix("${") {
            match inner.split_once('}') {
                Some((name, _)) if is_param_name(name.trim()) => {
                    Token::Param(start..start + name.len() + 3, name.trim().to_owned())
                }
                Some((name, _)) if !name.contains(['$', '\n']) => Token::Broken(start..start + name.len() + 3),
                _ => Token::Broken(start..start + 2),
            }
        } else {
            at = start + 1;
            continue;
        };
        let (Token::Plain(range) | Token::Dollar(range) | Token::Param(range, _) | Token::Broken(range)) = &token;
        at = range.end;
        if plain < start {
            out.push(Token::Plain(plain..start));
        }
        plain = at;
        out.push(token);
    }
    if plain < text.len() {
        out.push(Token::Plain(plain..text.len()));
    }
    out
}

/// Whether a text could be a name: a letter first, then letters, digits, `_` and `-`.
pub(super) fn is_param_name(name: &str) -> bool {
    name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Fills `${name}` into every string of a value. What cannot be filled becomes [`Data::Missing`].
pub(super) fn fill(node: &mut Node, params: &mut Params, sources: &SourceMap, diagnostics: &mut Diagnostics) {
    match &mut node.data {
        Data::List(items) => items.iter_mut().for_each(|item| fill(item, params, sources, diagnostics)),
        Data::Table(entries) => entries.iter_mut().for_each(|(_, item)| fill(item, params, sources, diagnostics)),
        Data::Str(text) if text.contains('$') => {
            let text = std::mem::take(text);
            fill_text(node, text, params, sources, diagnostics);
        }
        _ => {}
    }
}

fn fill_text(node: &mut Node, text: String, params: &mut Params, sources: &SourceMap, diagnostics: &mut Diagnostics) {
    let tokens = tokens(&text);
    node.data = Data::Str(text.clone());
    if let [Token::Param(range, name)] = tokens.as_slice() {
        return fill_whole(node, range.clone(), name, params, sources, diagnostics);
    }
    let mut origin = Origin::default();
    let mut out = String::with_capacity(text.len());
    let mut missing = false;
    for token in tokens {
        let (from, param) = (out.len(), matches!(token, Token::Param(..)));
        let range = match token {
            Token::Plain(range) => {
                out.push_str(&text[range.clone()]);
                range
            }
            Token::Dollar(range) => {
                out.push('$');
                range
            }
            Token::Param(range, name) => {
                match params.use_of(&name) {
                    Some((Some(value), used)) => {
                        out.push_str(&value.plain());
                        origin.params.push(used);
                    }
                    Some((None, _)) => missing = true,
                    None => {
                        missing = true;
                        diagnostics.push(unknown(&name, params, part_of(sources, node, range.clone())));
                    }
                }
                range
            }
            Token::Broken(range) => {
                missing = true;
                diagnostics.push(broken(part_of(sources, node, range.clone())));
                range
            }
        };
        origin.pieces.push(Piece { value: from..out.len(), text: range, param });
    }
    node.data = if missing { Data::Missing } else { Data::Str(out) };
    node.origin = Some(Box::new(origin));
}

/// A text that is one param: the value takes its place, with its type.
fn fill_whole(
    node: &mut Node,
    range: std::ops::Range<usize>,
    name: &str,
    params: &mut Params,
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) {
    let Some((value, used)) = params.use_of(name) else {
        diagnostics.push(unknown(name, params, part_of(sources, node, range)));
        node.data = Data::Missing;
        return;
    };
    let inner = value.as_ref().and_then(|value| value.origin.clone());
    node.data = value.map_or(Data::Missing, |value| value.data);
    let uses = std::iter::once(used).chain(inner.into_iter().flat_map(|origin| origin.params)).collect();
    node.origin = Some(Box::new(Origin { params: uses, pieces: Vec::new() }));
}

fn unknown(name: &str, params: &Params, place: Span) -> Diagnostic {
    let hint = did_you_mean(name, params.names());
    let label = match params.bound.len() {
        0 => "there is no `[params]`".to_owned(),
        _ if hint.is_some() => "no param of this name".to_owned(),
        _ => format!("the params are {}", list(params.names(), 8)),
    };
    Diagnostic::new(codes::UNKNOWN_PARAM, format!("param `{name}` does not exist"))
        .at(place)
        .label(label)
        .maybe_hint(hint)
}

fn broken(place: Span) -> Diagnostic {
    Diagnostic::new(codes::BAD_REFERENCE_SYNTAX, "`${` begins a param, but no name and `}` follow")
        .at(place)
        .label("expected `${name}`")
        .hint("a dollar sign that is only a dollar sign is written `$$`")
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;
    use crate::span::Source;

    fn filled(text: &str, values: &[(&str, Data)]) -> (Node, Vec<String>) {
        let mut sources = SourceMap::default();
        let id = sources.add(Source { name: "a.toml".into(), path: None, text: text.into() });
        let span = Span::new(id, 0..0);
        let decls = values.iter().map(|(name, data)| ParamDecl {
            name: (*name).to_owned(),
            span,
            ty: ParamType::of(data).expect("a type"),
            default: Some(Node::new(span, data.clone())),
            min: None,
            max: None,
            choices: Vec::new(),
            about: None,
            broken: false,
        });
        let mut params = Params::new(decls.collect());
        let mut diagnostics = Diagnostics::default();
        let mut node = document::parse(&sources, id, &mut diagnostics).expect("parses");
        fill(&mut node, &mut params, &sources, &mut diagnostics);
        let place = |d: &Diagnostic| text[d.primary.as_ref().expect("a place").span.range()].to_owned();
        (node, diagnostics.iter().map(place).collect())
    }

    #[test]
    fn a_whole_value_keeps_its_type_and_a_longer_text_is_formatted() {
        let values = [("lr", Data::Float(0.5)), ("n", Data::Int(3)), ("s", Data::Str("x".into()))];
        let (node, errors) = filled("a = '${lr}'\nb = 'n=${n}, ${s}$$'\nc = ['${ n }', '$5']\n", &values);
        assert!(errors.is_empty());
        assert_eq!(node.to_json(), serde_json::json!({ "a": 0.5, "b": "n=3, x$", "c": [3, "$5"] }));
        let origin = node.get("b").and_then(|b| b.origin.as_ref()).expect("an origin");
        assert_eq!(origin.params.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["n", "s"]);
    }

    #[test]
    fn unknown_and_broken_params_are_reported_at_their_place() {
        let (node, errors) = filled("a = 'x ${nn} y'\nb = '${'\nc = \"${1x}\"\n", &[("n", Data::Int(3))]);
        assert_eq!(errors, ["${nn}", "${", "${1x}"]);
        assert!(node.has_holes());
        assert_eq!(node.to_json(), serde_json::json!({}));
    }
}
