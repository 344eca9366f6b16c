//! Opens modules: a stage with `use` becomes the stages of the module it names, under its own name as prefix.

use super::common::{self, Common};
use super::document;
use super::entry::{Scope, StageEntry, Target, with_uses};
use super::envelope::{self, Envelope};
use super::node::{Data, Node};
use super::params::{Params, fill};
use super::reference::Point;
use super::stdlib;
use crate::diag::{Diagnostic, Diagnostics, codes, did_you_mean, list};
use crate::span::{Source, SourceMap, Span};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// More stages than this come only from modules that multiply each other.
const MOST_STAGES: usize = 200_000;

/// Opens a manifest into stages and scopes.
pub(super) struct Expander<'a> {
    pub(super) sources: &'a mut SourceMap,
    pub(super) diagnostics: &'a mut Diagnostics,
    pub(super) workspace: &'a Path,
    pub(super) stages: Vec<StageEntry>,
    pub(super) scopes: Vec<Scope>,
    /// Modules that were read already; `None` after a mistake in them.
    pub(super) read: BTreeMap<String, Option<Envelope>>,
}

/// One use of a file: the manifest itself, or a module.
pub(super) struct Instance {
    pub(super) params: Params,
    pub(super) base: PathBuf,
    /// Index of its scope, which exists already.
    pub(super) scope: usize,
    /// What stages take over from the stage that used the module.
    pub(super) common: Common,
    /// The files that are being opened, outermost first, to find a module that uses itself.
    pub(super) stack: Vec<String>,
}

/// A stage with `use`, its parts taken apart.
struct Use {
    name: String,
    header: Span,
    module: String,
    place: Span,
    with: Option<Node>,
    common: Common,
    /// What is left: the inputs.
    node: Node,
}

impl Expander<'_> {
    /// Opens every stage of a file.
    pub(super) fn open(&mut self, stages: Vec<(String, Node)>, instance: &mut Instance) {
        self.stages.reserve(stages.len());
        for (name, mut node) in stages {
            if self.stages.len() >= MOST_STAGES {
                return;
            }
            let matrix = node.take("matrix");
            if matrix.is_none() {
                let mut found = Diagnostics::default();
                fill(&mut node, &mut instance.params, self.sources, &mut found);
                self.report(found, instance);
            }
            if self.scopes[instance.scope].names.contains_key(&name) {
                let message = format!("`{name}` is both an input and a stage");
                let diagnostic = Diagnostic::new(codes::BAD_NAME, message).at(node.key_or_value());
                self.push(diagnostic.label("taken by an entry of `[inputs]`"), instance);
                continue;
            }
            let target = match matrix {
                Some(matrix) => self.open_points(&name, matrix, &node, instance),
                None if node.get("use").is_some() => self.open_use(name.clone(), node, instance),
                None => self.stage(&name, node, instance),
            };
            self.scopes[instance.scope].names.insert(name, target);
        }
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic, instance: &Instance) {
        let uses = &self.scopes[instance.scope].uses;
        self.diagnostics.push(with_uses(diagnostic, uses));
    }

    pub(super) fn report(&mut self, found: Diagnostics, instance: &Instance) {
        for diagnostic in &found {
            self.push(diagnostic.clone(), instance);
        }
    }

    fn header(&self, node: &Node) -> Span {
        let text = &self.sources.get(node.span.source).text;
        let is_header = text.get(node.span.range()).is_some_and(|text| text.starts_with('['));
        if is_header { node.span } else { node.key_or_value() }
    }

    pub(super) fn stage(&mut self, name: &str, mut node: Node, instance: &Instance) -> Target {
        let header = self.header(&node);
        let mut found = Diagnostics::default();
        let common = common::take(&mut node, &instance.common, &mut found);
        let kind = kind_of(&mut node, name, header, &mut found);
        self.report(found, instance);
        let holed = node.entries().iter().filter(|(_, value)| value.has_holes());
        let dropped = holed.map(|(key, _)| key.clone()).collect();
        let scope = &self.scopes[instance.scope];
        let name = format!("{}{name}", scope.prefix);
        self.stages.push(StageEntry {
            family: name.clone(),
            point: Point::default(),
            name,
            kind,
            header,
            common,
            base: instance.base.clone(),
            scope: instance.scope,
            uses: scope.uses.clone(),
            node,
            dropped,
        });
        Target::Stage(self.stages.len() - 1)
    }

    fn open_use(&mut self, name: String, mut node: Node, instance: &Instance) -> Target {
        let header = self.header(&node);
        let mut found = Diagnostics::default();
        let common = common::take(&mut node, &instance.common, &mut found);
        let with = node.take("with");
        if let Some(kind) = node.take("kind") {
            let message = format!("stage `{name}` has both `kind` and `use`");
            found.push(Diagnostic::new(codes::CONFLICT, message).at(kind.key_or_value()).label("one of them"));
        }
        let module = node.take("use");
        let place = module.as_ref().map_or(header, |module| module.span);
        let text = module.as_ref().and_then(|module| module.as_str().map(str::to_owned));
        if let (None, Some(module)) = (&text, module.filter(|module| module.data != Data::Missing)) {
            let message = format!("`use` names a module by a string, not {}", module.what());
            found.push(Diagnostic::new(codes::NO_MODULE, message).at(place).label("expected a string"));
        }
        self.report(found, instance);
        let Some(module) = text else { return Target::Broken };
        let used = Use { name, header, module, place, with, common, node };
        self.open_module(used, instance).unwrap_or(Target::Broken)
    }

    fn open_module(&mut self, used: Use, instance: &Instance) -> Option<Target> {
        let (id, base) = self.find(&used, instance)?;
        if let Some(at) = instance.stack.iter().position(|open| *open == id) {
            let mut chain = instance.stack[at..].to_vec();
            chain.push(id);
            let message = format!("module `{}` uses itself", used.module);
            let diagnostic = Diagnostic::new(codes::MODULE_RECURSION, message).at(used.place);
            self.push(diagnostic.label(chain.join(" -> ")), instance);
            return None;
        }
        let envelope = self.read(&id, &used, instance)?;
        let mut found = Diagnostics::default();
        let mut params = Params::new(envelope.params.clone());
        bind_with(&used, &mut params, &mut found);
        let names = bind_inputs(&used, &envelope, &params, instance.scope, &mut found);
        self.report(found, instance);
        let outer = &self.scopes[instance.scope];
        let scope = Scope {
            prefix: format!("{}{}/", outer.prefix, used.name),
            names,
            inputs: envelope.inputs,
            outputs: envelope.outputs,
            uses: std::iter::once(used.place).chain(outer.uses.iter().copied()).collect(),
        };
        self.scopes.push(scope);
        let scope = self.scopes.len() - 1;
        let stack = instance.stack.iter().cloned().chain([id]).collect();
        let mut inner = Instance { params, base, scope, common: used.common, stack };
        self.open(envelope.stages, &mut inner);
        Some(Target::Module(scope))
    }

    /// The id of a module (its name in `std/`, or its place) and the folder that its paths start from.
    fn find(&mut self, used: &Use, instance: &Instance) -> Option<(String, PathBuf)> {
        let module = used.module.as_str();
        let missing = |message: String| Diagnostic::new(codes::NO_MODULE, message).at(used.place);
        if module.starts_with("std/") {
            if stdlib::find(module).is_some() {
                return Some((module.to_owned(), instance.base.clone()));
            }
            let names = || stdlib::MODULES.iter().map(|module| module.name);
            let diagnostic = missing(format!("the standard library has no module `{module}`"))
                .label(format!("it has {}", list(names(), 8)))
                .maybe_hint(did_you_mean(module, names()));
            self.push(diagnostic, instance);
            return None;
        }
        if !module.starts_with("./") && !module.starts_with("../") {
            let names = || stdlib::MODULES.iter().map(|module| module.name);
            let diagnostic = missing(format!("`{module}` is not a module's name"))
                .label("expected `std/…` or `./….toml`")
                .maybe_hint(did_you_mean(&format!("std/{module}"), names()))
                .hint("a module in a file is named by its path, beginning with `./` or `../`");
            self.push(diagnostic, instance);
            return None;
        }
        let path = tidy(&instance.base.join(module));
        if !path.starts_with(self.workspace) {
            let message = format!("`{module}` is not inside the workspace");
            let diagnostic = Diagnostic::new(codes::OUTSIDE_WORKSPACE, message).at(used.place);
            self.push(diagnostic.label("leads out of the workspace"), instance);
            return None;
        }
        if !path.is_file() {
            let diagnostic = missing(format!("module `{module}` does not exist"))
                .label("no such file")
                .maybe_hint(near_file(&path))
                .hint("paths are relative to the manifest's folder");
            self.push(diagnostic, instance);
            return None;
        }
        let base = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        Some((workspace_name(&path, self.workspace), base))
    }

    /// Reads a module's text once.
    fn read(&mut self, id: &str, used: &Use, instance: &Instance) -> Option<Envelope> {
        if let Some(read) = self.read.get(id) {
            return read.clone();
        }
        let mut found = Diagnostics::default();
        let source = match stdlib::find(id) {
            Some(module) => Ok(Source { name: id.to_owned(), path: None, text: module.text.to_owned() }),
            None => read_source(&self.workspace.join(id), id.to_owned()),
        };
        let envelope = match source {
            Ok(source) => {
                let id = self.sources.add(source);
                document::parse(self.sources, id, &mut found).map(|root| envelope::split(root, &mut found))
            }
            Err(message) => {
                found.push(Diagnostic::new(codes::NO_MODULE, message).at(used.place));
                None
            }
        };
        for diagnostic in &found {
            let diagnostic = match diagnostic.primary.as_ref().is_some_and(|label| label.span == used.place) {
                true => diagnostic.clone(),
                false => with_uses(diagnostic.clone(), &[used.place]),
            };
            self.push(diagnostic, instance);
        }
        self.read.insert(id.to_owned(), envelope.clone());
        envelope
    }
}

fn kind_of(node: &mut Node, name: &str, header: Span, diagnostics: &mut Diagnostics) -> Option<(String, Span)> {
    let Some(kind) = node.take("kind") else {
        let near = did_you_mean("kind", node.entries().iter().map(|(key, _)| key.as_str()).filter(|key| key.len() > 2));
        let hint = near.and_then(|hint| hint.split('`').nth(1).map(|key| format!("is `{key}` meant to be `kind`?")));
        diagnostics.push(
            Diagnostic::new(codes::NO_KIND, format!("stage `{name}` has no `kind`"))
                .at(header)
                .label("what it does is not said")
                .maybe_hint(hint)
                .hint("a stage has `kind = \"…\"`, or `use = \"…\"` for a module"),
        );
        return None;
    };
    match &kind.data {
        Data::Str(text) => Some((text.clone(), kind.span)),
        Data::Missing => None,
        _ => {
            let message = format!("`kind` names a kind by a string, not {}", kind.what());
            diagnostics.push(Diagnostic::new(codes::NO_KIND, message).at(kind.span).label("expected a string"));
            None
        }
    }
}

/// Gives the params of a module the values of `with`.
fn bind_with(used: &Use, params: &mut Params, diagnostics: &mut Diagnostics) {
    let entries = match used.with.as_ref() {
        None | Some(Node { data: Data::Missing, .. }) => Vec::new(),
        Some(Node { data: Data::Table(entries), .. }) => entries.clone(),
        Some(node) => {
            let message = format!("`with` is a table, not {}", node.what());
            let diagnostic = Diagnostic::new(codes::MODULE_UNKNOWN_KEY, message).at(node.span);
            diagnostics.push(diagnostic.label("expected `{ param = value }`"));
            Vec::new()
        }
    };
    for (name, value) in entries {
        if params.contains(&name) {
            if value.data != Data::Missing {
                params.bind(&name, value, None, diagnostics);
            }
            continue;
        }
        let label = match params.names().next() {
            None => "it has no params".to_owned(),
            Some(_) => format!("its params are {}", list(params.names(), 8)),
        };
        diagnostics.push(
            Diagnostic::new(codes::MODULE_UNKNOWN_KEY, format!("module `{}` has no param `{name}`", used.module))
                .at(value.key_or_value())
                .label(label)
                .maybe_hint(did_you_mean(&name, params.names())),
        );
    }
    let given = |name: &str| used.with.as_ref().is_some_and(|with| with.get(name).is_some());
    for decl in params.without_value().filter(|decl| !given(&decl.name)) {
        diagnostics.push(
            Diagnostic::new(
                codes::MODULE_INPUT_MISSING,
                format!("module `{}` needs param `{}`", used.module, decl.name),
            )
            .at(used.header)
            .label("has no value here")
            .related(decl.span, "declared here, without a default")
            .hint(format!("add `with = {{ {} = … }}`", decl.name)),
        );
    }
}

/// Gives the inputs of a module the references that stand beside `use`.
fn bind_inputs(
    used: &Use,
    envelope: &Envelope,
    params: &Params,
    scope: usize,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Target> {
    let mut names = BTreeMap::new();
    let known = || envelope.inputs.iter().map(|input| input.name.as_str());
    for (name, _) in used.node.entries().iter().filter(|(name, _)| known().all(|known| known != name)) {
        let hint = match params.contains(name) {
            true => Some(format!("`{name}` is a param: write `with = {{ {name} = … }}`")),
            false => did_you_mean(name, known()),
        };
        let label = match envelope.inputs.is_empty() {
            true => "it has no inputs".to_owned(),
            false => format!("its inputs are {}", list(known(), 8)),
        };
        let place = used.node.get(name).map_or(used.header, Node::key_or_value);
        diagnostics.push(
            Diagnostic::new(codes::MODULE_UNKNOWN_KEY, format!("module `{}` has no input `{name}`", used.module))
                .at(place)
                .label(label)
                .maybe_hint(hint),
        );
    }
    for input in &envelope.inputs {
        let target = match used.node.get(&input.name) {
            Some(Node { data: Data::Str(text), span, .. }) => {
                Target::Input { text: text.clone(), span: *span, scope, artifact: input.artifact.clone() }
            }
            Some(Node { data: Data::Missing, .. }) => Target::Broken,
            Some(node) => {
                let message = format!("input `{}` takes a reference, not {}", input.name, node.what());
                let diagnostic = Diagnostic::new(codes::FIELD_TYPE, message).at(node.span);
                diagnostics.push(diagnostic.label("expected `\"stage.output\"`"));
                Target::Broken
            }
            None => {
                let message = format!("module `{}` needs input `{}`", used.module, input.name);
                diagnostics.push(
                    Diagnostic::new(codes::MODULE_INPUT_MISSING, message)
                        .at(used.header)
                        .label(format!("needs `{} = \"…\"`, a {}", input.name, input.artifact))
                        .related(input.span, "declared here"),
                );
                Target::Broken
            }
        };
        names.insert(input.name.clone(), target);
    }
    names
}

/// Reads a file as a source; says in words why not.
pub(super) fn read_source(path: &Path, name: String) -> Result<Source, String> {
    let bytes = std::fs::read(path).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
            kind => kind.to_string(),
        };
        format!("cannot read `{name}`: {why}")
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("cannot read `{name}`: line {line} is not UTF-8 text")
    })?;
    Ok(Source { name, path: Some(path.to_path_buf()), text })
}

/// A path of the workspace, from its root, with `/`.
pub(super) fn workspace_name(path: &Path, workspace: &Path) -> String {
    let relative = path.strip_prefix(workspace).unwrap_or(path);
    relative.to_string_lossy().replace('\\', "/")
}

/// "Did you mean" over the files beside a missing one.
pub(super) fn near_file(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let entries = std::fs::read_dir(path.parent()?).ok()?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    names.sort();
    did_you_mean(&name, names.iter().map(String::as_str))
}

/// A path without `.` and `..`, without asking the file system.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
