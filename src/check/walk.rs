//! The walk: decodes every stage, orders them, and lets each say what it gives, with what is known of its inputs.

use super::axes::expand;
use super::checked::{Checked, CheckedStage, ResolvedRef, Results};
use super::decode::{Decoded, Decoder};
use super::names::{Found, Names, check_scopes, unknown_output, which_output};
use super::order::order;
use super::waves::{in_order, waves};
use crate::diag::{Diagnostic, Diagnostics, Severity, codes};
use crate::digest::Segment;
use crate::manifest::{Loaded, Manifest, Reference, StageEntry, Target, with_uses};
use crate::span::{SourceMap, Span};
use crate::stage::{CheckInput, Outputs, PortFiles, Stage, StageSpec};
use crate::types::{ArtifactType, TableSchema, TokenizerType};
use std::collections::BTreeMap;
use std::path::Path;

/// A reference of a stage, before its output is known.
pub(super) struct Edge {
    path: Vec<Segment>,
    text: String,
    /// Where it stands.
    span: Span,
    /// `None` after its name was reported.
    found: Option<Found>,
}

/// Checks a loaded manifest: every stage's fields, references, columns and shapes, as far as they are known before
/// anything runs. `results` says what is known of stages whose results are stored.
pub fn check(
    loaded: Loaded,
    registry: &'static [&'static dyn Stage],
    results: &mut dyn Results,
    workspace: &Path,
) -> Checked {
    let Loaded { sources, manifest, mut diagnostics } = loaded;
    let mut manifest = manifest.unwrap_or_default();
    let workspace = workspace.canonicalize().unwrap_or_else(|_| workspace.to_path_buf());
    let mut decoder = Decoder::new(registry, &sources);
    expand(&mut manifest, &sources, &mut decoder, &mut diagnostics);
    let mut names = Names::default();
    check_scopes(&mut names, &manifest, &mut diagnostics);
    let mut wrong_as_a_whole = diagnostics.has_errors();
    let decoded = decoder.decode_all(&manifest.stages, &mut diagnostics);
    let edges: Vec<Vec<Edge>> = manifest
        .stages
        .iter()
        .zip(&decoded)
        .map(|(entry, decoded)| edges_of(entry, decoded, &manifest, &sources, &mut names, &mut diagnostics))
        .collect();
    let needs: Vec<Vec<usize>> = edges.iter().map(|edges| edges.iter().filter_map(Edge::target).collect()).collect();
    let ordered = order(&needs);
    wrong_as_a_whole |= !ordered.cycles.is_empty();
    for cycle in &ordered.cycles {
        diagnostics.push(circle(cycle, &edges, &manifest));
    }
    let count = manifest.stages.len();
    let mut walk = Walk {
        manifest: &manifest,
        sources: &sources,
        workspace: &workspace,
        results,
        diagnostics: &mut diagnostics,
        stages: Vec::with_capacity(count),
        positions: vec![None; count],
        trusted: Vec::with_capacity(count),
        files: Vec::with_capacity(count),
    };
    for wave in waves(&ordered.order, &needs) {
        walk.visit(&wave, &decoded, &edges);
    }
    let errors = walk.diagnostics.count(Severity::Error);
    walk.check_outputs(&mut names);
    wrong_as_a_whole |= walk.diagnostics.count(Severity::Error) > errors;
    let stages = in_order(walk.stages, &walk.positions, &ordered.order);
    diagnostics.sort();
    Checked { manifest, sources, stages, diagnostics, workspace, wrong_as_a_whole }
}

impl Edge {
    fn target(&self) -> Option<usize> {
        match &self.found {
            Some(Found::Stage { index, .. }) => Some(*index),
            _ => None,
        }
    }

    /// A stage as this reference calls it, without axes that it need not say; in a module, where it has a name there, as it is.
    fn written<'a>(&'a self, stage: &'a str) -> &'a str {
        if stage.starts_with(Reference::parse(&self.text).name) { &self.text } else { stage }
    }

    /// The field that it stands in.
    fn field(&self) -> &str {
        let key = self.path.iter().rev().find_map(|segment| match segment {
            Segment::Key(key) => Some(key.as_str()),
            Segment::Index(_) => None,
        });
        key.unwrap_or_default()
    }
}

fn edges_of(
    entry: &StageEntry,
    decoded: &Decoded,
    manifest: &Manifest,
    sources: &SourceMap,
    names: &mut Names,
    diagnostics: &mut Diagnostics,
) -> Vec<Edge> {
    let mut edges = Vec::new();
    let Some(spec) = &decoded.spec else { return edges };
    spec.tree().visit_refs(&mut |path, text| {
        let span = entry.value_span(sources, path);
        let found = match names.resolve(manifest, (entry.scope, &entry.point), text, span) {
            Ok(found) => Some(found),
            Err(diagnostic) => {
                diagnostics.push(with_uses(*diagnostic, &entry.uses));
                None
            }
        };
        edges.push(Edge { path: path.to_vec(), text: text.to_owned(), span, found });
    });
    edges
}

/// A cycle as a path, with the place of every edge.
fn circle(cycle: &[usize], edges: &[Vec<Edge>], manifest: &Manifest) -> Diagnostic {
    let name = |index: usize| manifest.stages[index].name.as_str();
    let closed: Vec<usize> = cycle.iter().chain(cycle.first()).copied().collect();
    let path = closed.iter().map(|index| name(*index)).collect::<Vec<_>>().join(" -> ");
    let message = match cycle {
        [one] => format!("stage `{}` uses its own result", name(*one)),
        _ => format!("stages use each other in a circle: {path}"),
    };
    let mut diagnostic = Diagnostic::new(codes::CYCLE, message);
    for pair in closed.windows(2) {
        let &[user, used] = pair else { continue };
        let Some(edge) = edges[user].iter().find(|edge| edge.target() == Some(used)) else { continue };
        let text = if user == used { "itself".to_owned() } else { format!("`{}` uses `{}`", name(user), name(used)) };
        diagnostic = match diagnostic.primary {
            None => diagnostic.at(edge.span).label(text),
            Some(_) => diagnostic.related(edge.span, text),
        };
    }
    diagnostic
}

pub(super) struct Walk<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) sources: &'a SourceMap,
    pub(super) workspace: &'a Path,
    pub(super) results: &'a mut dyn Results,
    pub(super) diagnostics: &'a mut Diagnostics,
    pub(super) stages: Vec<CheckedStage>,
    /// From [`Manifest::stages`] to [`Checked::stages`].
    pub(super) positions: Vec<Option<usize>>,
    /// Whether a stage's outputs are all there are; not after a mistake in it.
    pub(super) trusted: Vec<bool>,
    pub(super) files: Vec<PortFiles>,
}

/// What a stage takes, as far as it is known.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) inputs: BTreeMap<String, CheckInput>,
    pub(super) refs: Vec<ResolvedRef>,
    /// Whether every reference led to an output.
    pub(super) complete: bool,
    /// Whether the stage itself is to blame for what its references led to.
    pub(super) wrong: bool,
}

impl Walk<'_> {
    /// Reports tolerances of outputs that are not there, or that no tolerance can be asked of. Whether there are such.
    pub(super) fn check_tolerances(&mut self, entry: &StageEntry, outputs: &Outputs) -> bool {
        use ArtifactType as A;
        let mut wrong = false;
        for (port, span) in entry.common.tolerance.named() {
            let ports = outputs.ports.iter().map(|(name, _)| name.as_str());
            let diagnostic = match outputs.get(port) {
                Some(A::Table(_) | A::Dataset(_) | A::Model(_) | A::Metrics | A::Unknown) => continue,
                Some(other) => Diagnostic::new(
                    codes::WRONG_ARTIFACT,
                    format!("a tolerance is for numbers, and `{port}` is a {}", other.name()),
                )
                .at(span)
                .label("compared byte by byte")
                .hint("tables, datasets, models and metrics can have a tolerance"),
                None => unknown_output(&entry.name, port, ports, span),
            };
            self.diagnostics.push(with_uses(diagnostic, &entry.uses));
            wrong = true;
        }
        wrong
    }

    pub(super) fn take(&mut self, entry: &StageEntry, decoded: &Decoded, edges: &[Edge]) -> Taken {
        let mut taken = Taken { complete: true, ..Taken::default() };
        for edge in edges {
            let unknown = CheckInput { ty: ArtifactType::Unknown, files: None };
            let input = match &edge.found {
                // A broken name was reported where it got its meaning.
                found @ (None | Some(Found::Broken)) => {
                    taken.complete = false;
                    taken.wrong |= found.is_none();
                    unknown
                }
                // `Names::resolve` gives single stages.
                Some(Found::Points { .. }) => {
                    taken.complete = false;
                    unknown
                }
                Some(Found::Open(artifact)) => {
                    taken.complete = false;
                    CheckInput { ty: open_type(artifact), files: None }
                }
                Some(Found::Stage { index, port, through_output }) => {
                    match self.output(entry, edge, (*index, port.as_deref()), *through_output, &mut taken) {
                        Some((stage, port)) => {
                            taken.wrong |= self.check_kept(entry, decoded, edge, stage);
                            let input = self.input(stage, &port);
                            let (path, text) = (edge.path.clone(), edge.text.clone());
                            taken.refs.push(ResolvedRef { path, text, stage, port });
                            self.declared(entry, edge, input, &mut taken)
                        }
                        None => {
                            taken.complete = false;
                            unknown
                        }
                    }
                }
            };
            taken.inputs.insert(edge.text.clone(), input);
        }
        taken
    }

    /// The stage and output that a reference names; `None` after reporting, or where it cannot be told.
    fn output(
        &mut self,
        entry: &StageEntry,
        edge: &Edge,
        (index, port): (usize, Option<&str>),
        through_output: bool,
        taken: &mut Taken,
    ) -> Option<(usize, String)> {
        let stage = self.positions[index]?;
        match choose(&self.stages[stage], self.trusted[stage], port, edge) {
            Ok(port) => port.map(|port| (stage, port)),
            Err(_) if through_output => None,
            Err(diagnostic) => {
                let header = self.manifest.stages[index].header;
                let diagnostic = diagnostic.related(header, "the stage");
                self.diagnostics.push(with_uses(diagnostic, &entry.uses));
                taken.wrong = true;
                None
            }
        }
    }

    /// Reports a table that is not kept where files of it are needed. Whether it is one.
    fn check_kept(&mut self, entry: &StageEntry, decoded: &Decoded, edge: &Edge, stage: usize) -> bool {
        let used = &self.stages[stage];
        let takes = decoded.spec.as_ref().is_none_or(|spec| spec.takes_views());
        if takes || !used.is_view() {
            return false;
        }
        let kind = entry.kind.as_ref().map(|(kind, _)| kind.as_str()).unwrap_or_default();
        let message = format!("the table of `{}` is not kept, and `{kind}` needs its file", used.name);
        let diagnostic = Diagnostic::new(codes::WRONG_ARTIFACT, message)
            .at(edge.span)
            .label("has no file")
            .related(self.manifest.stages[used.entry].header, "`keep = false` here")
            .hint(format!("remove `keep = false` from `{}`", used.name));
        self.diagnostics.push(with_uses(diagnostic, &entry.uses));
        true
    }

    fn input(&self, stage: usize, port: &str) -> CheckInput {
        let ty = self.stages[stage].outputs.get(port).cloned().unwrap_or(ArtifactType::Unknown);
        CheckInput { ty, files: self.files[stage].get(port).cloned() }
    }

    /// Compares what a module's input was given with what it declares.
    fn declared(&mut self, entry: &StageEntry, edge: &Edge, input: CheckInput, taken: &mut Taken) -> CheckInput {
        let name = Reference::parse(&edge.text).name;
        let scope = &self.manifest.scopes[entry.scope];
        let Some(Target::Input { text, span, artifact, scope: outer }) = scope.names.get(name) else { return input };
        if input.ty == ArtifactType::Unknown || input.ty.name() == artifact {
            return input;
        }
        let found = input.ty.name();
        let mut diagnostic = Diagnostic::new(
            codes::WRONG_ARTIFACT,
            format!("`{text}` is a {found}, but the module's input `{name}` is a {artifact}"),
        );
        diagnostic = diagnostic.at(*span).label(format!("a {found}"));
        if let Some(decl) = scope.inputs.iter().find(|decl| decl.name == name) {
            diagnostic = diagnostic.related(decl.span, "declared here");
        }
        self.diagnostics.push(with_uses(diagnostic, &self.manifest.scopes[*outer].uses));
        taken.wrong = true;
        CheckInput { ty: ArtifactType::Unknown, files: None }
    }

    /// Reports entries of `[outputs]` that name an output which the stage does not have.
    fn check_outputs(&mut self, names: &mut Names) {
        for (index, scope) in self.manifest.scopes.iter().enumerate() {
            for output in &scope.outputs {
                let found = names.look_up(self.manifest, index, &output.text, output.span);
                let Ok(Found::Stage { index, port, through_output: false }) = found else { continue };
                let Some(stage) = self.positions[index] else { continue };
                let stage = (&self.stages[stage], self.trusted[stage]);
                let path = vec![Segment::from(&output.name)];
                let edge = Edge { path, text: output.text.clone(), span: output.span, found: None };
                if let Err(found) = choose(stage.0, stage.1, port.as_deref(), &edge) {
                    let message = format!("output `{}` names nothing: {}", output.name, found.message);
                    let label = found.primary.as_ref().map(|label| label.text.clone()).unwrap_or_default();
                    let mut diagnostic = Diagnostic::new(codes::MODULE_OUTPUT, message).at(output.span).label(label);
                    diagnostic.hints = found.hints;
                    self.diagnostics.push(with_uses(diagnostic, &scope.uses));
                }
            }
        }
    }
}

/// Whether an output is called after something that is not there: `encode.vla` after a mistyped `split.vla`. Then what the
/// outputs would be called is not known, nor where names follow from all references together.
pub(super) fn named_after_nothing(spec: &dyn StageSpec, outputs: &Outputs, taken: &Taken) -> bool {
    let led_nowhere = |text: &&String| !taken.refs.iter().any(|found| found.text == **text);
    let name = |text: &String| text.rsplit(['.', '/']).next().is_some_and(|name| outputs.get(name).is_some());
    let mut lost = taken.inputs.keys().filter(led_nowhere);
    !taken.complete && if spec.names().is_empty() { lost.any(name) } else { lost.next().is_some() }
}

/// Which output is meant by a reference that says this one, or none. `Ok(None)`: it cannot be told after a mistake in the stage.
fn choose(stage: &CheckedStage, trusted: bool, port: Option<&str>, edge: &Edge) -> Result<Option<String>, Diagnostic> {
    let ports = || stage.outputs.ports.iter().map(|(name, _)| name.as_str());
    match port {
        Some(port) if stage.outputs.get(port).is_some() => Ok(Some(port.to_owned())),
        None if stage.outputs.ports.len() == 1 => Ok(ports().next().map(str::to_owned)),
        _ if !trusted => Ok(None),
        Some(port) => Err(unknown_output(&stage.name, port, ports(), edge.span)),
        None => Err(which_output(edge.written(&stage.name), edge.field(), ports(), edge.span)),
    }
}

/// What is known of an input of a module that is checked by itself.
fn open_type(artifact: &str) -> ArtifactType {
    match artifact {
        "file" => ArtifactType::File,
        "dir" => ArtifactType::Dir,
        "table" => ArtifactType::Table(TableSchema::unknown()),
        "tokenizer" => ArtifactType::Tokenizer(TokenizerType::default()),
        "encoder" => ArtifactType::Encoder,
        "metrics" => ArtifactType::Metrics,
        "report" => ArtifactType::Report,
        "bundle" => ArtifactType::Bundle,
        _ => ArtifactType::Unknown,
    }
}
