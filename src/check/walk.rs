//! The walk: decodes every stage, orders them, and lets each say what it gives, with what is known of its inputs.

use super::axes::expand;
use super::checked::{Checked, CheckedStage, ResolvedRef, Results, StageView};
use super::decode::{Decoded, Decoder};
use super::files::check_files;
use super::names::{Found, Names, check_scopes, unknown_output, which_output};
use super::order::order;
use super::place::place_all;
use crate::diag::{Diagnostic, Diagnostics, Severity, codes};
use crate::digest::{Digest, Segment};
use crate::manifest::{Loaded, Manifest, Reference, StageEntry, Target, with_uses};
use crate::span::{SourceMap, Span};
use crate::stage::{CheckCx, CheckInput, Outputs, Seed, Stage, StageSpec};
use crate::types::{ArtifactType, TableSchema, TokenizerType};
use std::collections::BTreeMap;
use std::path::Path;

/// A reference of a stage, before its output is known.
struct Edge {
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
    let decoded = decoder.decode_all(&manifest.stages, &mut diagnostics);
    let mut names = Names::default();
    check_scopes(&mut names, &manifest, &mut diagnostics);
    let edges: Vec<Vec<Edge>> = manifest
        .stages
        .iter()
        .zip(&decoded)
        .map(|(entry, decoded)| edges_of(entry, decoded, &manifest, &sources, &mut names, &mut diagnostics))
        .collect();
    let needs: Vec<Vec<usize>> = edges.iter().map(|edges| edges.iter().filter_map(Edge::target).collect()).collect();
    let ordered = order(&needs);
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
    for index in ordered.order {
        walk.visit(index, &decoded[index], &edges[index]);
    }
    walk.check_outputs(&mut names);
    let stages = walk.stages;
    diagnostics.sort();
    Checked { manifest, sources, stages, diagnostics, workspace }
}

impl Edge {
    fn target(&self) -> Option<usize> {
        match &self.found {
            Some(Found::Stage { index, .. }) => Some(*index),
            _ => None,
        }
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

/// The files of a stage's ports: name and place, by port.
type PortFiles = BTreeMap<String, Vec<(String, std::path::PathBuf)>>;

struct Walk<'a> {
    manifest: &'a Manifest,
    sources: &'a SourceMap,
    workspace: &'a Path,
    results: &'a mut dyn Results,
    diagnostics: &'a mut Diagnostics,
    stages: Vec<CheckedStage>,
    /// From [`Manifest::stages`] to [`Checked::stages`].
    positions: Vec<Option<usize>>,
    /// Whether a stage's outputs are all there are; not after a mistake in it.
    trusted: Vec<bool>,
    files: Vec<PortFiles>,
}

/// What a stage outputs, as far as it is known.
#[derive(Default)]
struct FoundOutputs {
    outputs: Outputs,
    /// Whether these are all there are; not after a mistake in the stage.
    trusted: bool,
    files: PortFiles,
}

/// What a stage takes, as far as it is known.
#[derive(Default)]
struct Taken {
    inputs: BTreeMap<String, CheckInput>,
    refs: Vec<ResolvedRef>,
    /// Whether every reference led to an output.
    complete: bool,
}

impl Walk<'_> {
    fn visit(&mut self, index: usize, decoded: &Decoded, edges: &[Edge]) {
        let entry = &self.manifest.stages[index];
        let taken = self.take(entry, decoded, edges);
        let seed = Seed::derive(self.manifest.pipeline.seed, &entry.seed_name());
        let found = match &decoded.spec {
            Some(spec) => self.outputs_of(entry, spec.as_ref(), &taken, seed),
            None => FoundOutputs::default(),
        };
        if found.trusted {
            self.check_tolerances(entry, &found.outputs);
        }
        self.positions[index] = Some(self.stages.len());
        self.trusted.push(found.trusted);
        self.files.push(found.files);
        self.stages.push(CheckedStage {
            name: entry.name.clone(),
            entry: index,
            kind: entry.kind.as_ref().map(|(kind, _)| kind.clone()).unwrap_or_default(),
            info: decoded.info,
            spec: decoded.spec.clone(),
            refs: taken.refs,
            outputs: found.outputs,
            common: entry.common.clone(),
            seed,
            base: entry.base.clone(),
        });
    }

    /// Reports tolerances of outputs that are not there, or that no tolerance can be asked of.
    fn check_tolerances(&mut self, entry: &StageEntry, outputs: &Outputs) {
        use ArtifactType as A;
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
        }
    }

    /// What a stage will output. Where its result is in the store already, that is what it *did* output: the same key
    /// means the same fields and the same inputs, and those were checked before it ran. So nothing is probed again.
    fn outputs_of(&mut self, entry: &StageEntry, spec: &dyn StageSpec, taken: &Taken, seed: Seed) -> FoundOutputs {
        let view = StageView {
            index: self.stages.len(),
            name: &entry.name,
            spec,
            refs: &taken.refs,
            seed,
            base: &entry.base,
            common: &entry.common,
            stages: &self.stages,
        };
        if let Some(known) = taken.complete.then(|| self.results.lookup(&view)).flatten() {
            let outputs = Outputs { ports: known.types.into_iter().collect(), files: Vec::new() };
            return FoundOutputs { outputs, trusted: true, files: known.files };
        }
        let check = digest_of_check(spec, &taken.inputs);
        if let Some(outputs) = check.and_then(|check| self.results.found(check)) {
            let trusted = !named_after_nothing(spec, &outputs, taken);
            return FoundOutputs { outputs, trusted, files: PortFiles::new() };
        }
        let (outputs, findings) = run_check(spec, &taken.inputs, &entry.base, self.workspace);
        if let Some(check) = check.filter(|_| findings.is_empty()) {
            self.results.note(check, &outputs);
        }
        let wrong = findings.iter().any(|finding| finding.diagnostic.severity == Severity::Error);
        let trusted = !wrong && !named_after_nothing(spec, &outputs, taken);
        place_all(findings, entry, self.manifest, self.sources, self.diagnostics);
        let files = files_lying(&outputs);
        FoundOutputs { outputs, trusted, files }
    }

    fn take(&mut self, entry: &StageEntry, decoded: &Decoded, edges: &[Edge]) -> Taken {
        let mut taken = Taken { complete: true, ..Taken::default() };
        for edge in edges {
            let unknown = CheckInput { ty: ArtifactType::Unknown, files: None };
            let input = match &edge.found {
                None | Some(Found::Broken) => {
                    taken.complete = false;
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
                    match self.output(entry, edge, *index, port.as_deref(), *through_output) {
                        Some((stage, port)) => {
                            self.check_kept(entry, decoded, edge, stage);
                            let input = self.input(stage, &port);
                            let (path, text) = (edge.path.clone(), edge.text.clone());
                            taken.refs.push(ResolvedRef { path, text, stage, port });
                            self.declared(entry, edge, input)
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
        index: usize,
        port: Option<&str>,
        through_output: bool,
    ) -> Option<(usize, String)> {
        let stage = self.positions[index]?;
        match choose(&self.stages[stage], self.trusted[stage], port, edge.span) {
            Ok(port) => port.map(|port| (stage, port)),
            Err(_) if through_output => None,
            Err(diagnostic) => {
                let header = self.manifest.stages[index].header;
                let diagnostic = diagnostic.related(header, "the stage");
                self.diagnostics.push(with_uses(diagnostic, &entry.uses));
                None
            }
        }
    }

    /// Reports a table that is not kept where files of it are needed.
    fn check_kept(&mut self, entry: &StageEntry, decoded: &Decoded, edge: &Edge, stage: usize) {
        let used = &self.stages[stage];
        let takes = decoded.spec.as_ref().is_none_or(|spec| spec.takes_views());
        if takes || !used.is_view() {
            return;
        }
        let kind = entry.kind.as_ref().map(|(kind, _)| kind.as_str()).unwrap_or_default();
        let message = format!("the table of `{}` is not kept, and `{kind}` needs its file", used.name);
        let diagnostic = Diagnostic::new(codes::WRONG_ARTIFACT, message)
            .at(edge.span)
            .label("has no file")
            .related(self.manifest.stages[used.entry].header, "`keep = false` here")
            .hint(format!("remove `keep = false` from `{}`", used.name));
        self.diagnostics.push(with_uses(diagnostic, &entry.uses));
    }

    fn input(&self, stage: usize, port: &str) -> CheckInput {
        let ty = self.stages[stage].outputs.get(port).cloned().unwrap_or(ArtifactType::Unknown);
        CheckInput { ty, files: self.files[stage].get(port).cloned() }
    }

    /// Compares what a module's input was given with what it declares.
    fn declared(&mut self, entry: &StageEntry, edge: &Edge, input: CheckInput) -> CheckInput {
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
                if let Err(found) = choose(stage.0, stage.1, port.as_deref(), output.span) {
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
fn named_after_nothing(spec: &dyn StageSpec, outputs: &Outputs, taken: &Taken) -> bool {
    let led_nowhere = |text: &&String| !taken.refs.iter().any(|found| found.text == **text);
    let name = |text: &String| text.rsplit(['.', '/']).next().is_some_and(|name| outputs.get(name).is_some());
    let mut lost = taken.inputs.keys().filter(led_nowhere);
    !taken.complete && if spec.names().is_empty() { lost.any(name) } else { lost.next().is_some() }
}

/// Which output a reference means. `Ok(None)`: it cannot be told after a mistake in the stage.
fn choose(stage: &CheckedStage, trusted: bool, port: Option<&str>, place: Span) -> Result<Option<String>, Diagnostic> {
    let ports = || stage.outputs.ports.iter().map(|(name, _)| name.as_str());
    match port {
        Some(port) if stage.outputs.get(port).is_some() => Ok(Some(port.to_owned())),
        None if stage.outputs.ports.len() == 1 => Ok(ports().next().map(str::to_owned)),
        _ if !trusted => Ok(None),
        Some(port) => Err(unknown_output(&stage.name, port, ports(), place)),
        None => Err(which_output(&stage.name, ports(), place)),
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

fn files_lying(outputs: &Outputs) -> PortFiles {
    let mut files = PortFiles::new();
    for (port, path) in &outputs.files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files.entry(port.clone()).or_default().push((name, path.clone()));
    }
    files
}

/// All that a check depends on that looks at types alone.
fn digest_of_check(spec: &dyn StageSpec, inputs: &BTreeMap<String, CheckInput>) -> Option<Digest> {
    if !spec.checks_by_types() {
        return None;
    }
    let info = spec.info();
    let types: Vec<(&str, &ArtifactType)> = inputs.iter().map(|(text, input)| (text.as_str(), &input.ty)).collect();
    let all = rmp_serde::to_vec(&(info.name, info.version, spec.tree().digest(), types)).ok()?;
    Some(Digest::of(&all))
}

/// Lets a spec check itself, then looks for files that it forgot.
pub(super) fn run_check(
    spec: &dyn StageSpec,
    inputs: &BTreeMap<String, CheckInput>,
    base: &Path,
    workspace: &Path,
) -> (Outputs, Vec<crate::stage::Finding>) {
    let mut cx = CheckCx::new(inputs, base, workspace);
    let outputs = spec.check(&mut cx);
    let mut findings = cx.finish();
    let mut cx = CheckCx::new(inputs, base, workspace);
    check_files(spec.tree(), &mut cx, &findings);
    findings.extend(cx.finish());
    (outputs, findings)
}
