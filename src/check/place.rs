//! A kind's findings, which speak of key paths, to diagnostics, which speak of spans.

use super::decode::with_params;
use crate::diag::{Diagnostic, Diagnostics};
use crate::manifest::{Manifest, ParamUse, StageEntry, Target, with_uses};
use crate::span::{SourceMap, Span};
use crate::stage::Finding;

/// Puts a stage's findings in their places.
pub(super) fn place_all(
    findings: Vec<Finding>,
    entry: &StageEntry,
    manifest: &Manifest,
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) {
    for finding in findings {
        diagnostics.push(place(finding, entry, manifest, sources));
    }
}

fn place(finding: Finding, entry: &StageEntry, manifest: &Manifest, sources: &SourceMap) -> Diagnostic {
    let span = match finding.part {
        Some(ref part) => entry.part_span(sources, &finding.path, part.clone()),
        None if finding.at_key => entry.key_span(sources, &finding.path),
        None => entry.value_span(sources, &finding.path),
    };
    let mut diagnostic = finding.diagnostic.at(span).label(finding.label);
    for (path, text) in finding.related {
        diagnostic = diagnostic.related(entry.value_span(sources, &path), text);
    }
    for (name, text) in finding.stages {
        if let Some(span) = stage_place(manifest, entry.scope, &name) {
            diagnostic = diagnostic.related(span, text);
        }
    }
    // A finding about a part of a text (a name in a query) came from a param only where that stands there.
    let text = sources.get(span.source).text.get(span.range()).unwrap_or_default();
    let counts = |used: &ParamUse| finding.part.is_none() || text.contains(&format!("${{{}}}", used.name));
    with_uses(with_params(entry, &finding.path, diagnostic, counts), &entry.uses)
}

/// Where what a name stands for begins.
fn stage_place(manifest: &Manifest, scope: usize, name: &str) -> Option<Span> {
    match manifest.scopes[scope].names.get(name)? {
        Target::Stage(index) => Some(manifest.stages[*index].header),
        Target::Points(members) => members.first().map(|index| manifest.stages[*index].header),
        Target::Module(inner) => manifest.scopes[*inner].uses.first().copied(),
        Target::Input { span, .. } => Some(*span),
        Target::OpenInput(_) | Target::Broken => None,
    }
}
