//! `--set name=value`: each is a small source of its own, so that mistakes in it are shown like any other.

use super::document;
use super::node::{Data, Node};
use super::params::{ParamType, Params};
use crate::diag::{Diagnostic, Diagnostics, codes, did_you_mean, list};
use crate::span::{Source, SourceMap, Span};

/// Binds every `--set` to its param; of two for one param the later counts.
pub(super) fn apply(set: &[String], params: &mut Params, sources: &mut SourceMap, diagnostics: &mut Diagnostics) {
    for text in set {
        if let Err(diagnostic) = apply_one(text, params, sources, diagnostics) {
            diagnostics.push(diagnostic);
        }
    }
}

fn apply_one(
    text: &str,
    params: &mut Params,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Result<(), Diagnostic> {
    let name = text.split_once('=').map_or(text, |(name, _)| name).trim();
    let source = Source { name: format!("--set {name}"), path: None, text: text.to_owned() };
    let id = sources.add(source);
    let bad = |label: &str| {
        Diagnostic::new(codes::BAD_SET, format!("`--set {text}` gives no value"))
            .at(Span::new(id, 0..text.len()))
            .label(label.to_owned())
            .hint("write `--set name=value`, as in `--set lr=3e-4`")
    };
    let Some((_, value)) = text.split_once('=') else { return Err(bad("no `=`")) };
    if name.is_empty() {
        return Err(bad("no name before the `=`"));
    }
    let place = Span::new(id, text.len() - value.len()..text.len());
    let Some(decl) = params.decl(name) else {
        let hint = did_you_mean(name, params.names());
        let at = text.find(name).unwrap_or(0);
        let names = match params.names().next() {
            None => "the manifest has no `[params]`".to_owned(),
            Some(_) => format!("the params are {}", list(params.names(), 8)),
        };
        return Err(Diagnostic::new(codes::UNKNOWN_SET, format!("there is no param `{name}` to set"))
            .at(Span::new(id, at..at + name.len()))
            .label(names)
            .maybe_hint(hint));
    };
    let shift = text.len() - value.trim_start().len();
    let value = value.trim();
    if value.is_empty() && decl.ty != ParamType::Str {
        return Err(bad("nothing after the `=`"));
    }
    let node = match document::parse_value(value, id, shift, diagnostics) {
        // A text param takes what was typed, also where it looks like a number or a date.
        Some(node) if decl.ty != ParamType::Str || node.as_str().is_some() => node,
        None if value.starts_with(['[', '{', '"', '\'']) => return Err(bad("not a TOML value")),
        _ => Node::new(place, Data::Str(value.to_owned())),
    };
    params.bind(name, node, Some(name.to_owned()), diagnostics);
    Ok(())
}
