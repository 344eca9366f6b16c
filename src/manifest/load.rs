//! From a file and `--set` values to a [`Loaded`] manifest.

use super::common::Common;
use super::document;
use super::entry::{Loaded, Manifest, Param, Scope, Target, beginning};
use super::envelope;
use super::module::{Expander, Instance, near_file, read_source, tidy, workspace_name};
use super::overrides;
use super::params::{Params, fill};
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::span::{Source, SourceMap};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What to load.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions<'a> {
    /// The manifest's file.
    pub path: &'a Path,
    /// The workspace's root: the manifest lies in it, and paths may not leave it.
    pub workspace: &'a Path,
    /// `name=value` of every `--set`, in order.
    pub set: &'a [String],
}

/// Loads a manifest: parses it, fills params in, opens modules. Goes on after mistakes.
#[must_use]
pub fn load(options: &LoadOptions<'_>) -> Loaded {
    let path = absolute(options.path);
    match read_source(&path, workspace_name(&path, &absolute(options.workspace))) {
        Ok(source) => load_source(options, source),
        Err(message) => {
            let code = if path.exists() { codes::SYNTAX } else { codes::NO_FILE };
            let mut diagnostics = Diagnostics::default();
            diagnostics.push(Diagnostic::new(code, message).maybe_hint(near_file(&path).filter(|_| !path.exists())));
            Loaded { sources: SourceMap::default(), manifest: None, diagnostics }
        }
    }
}

/// Loads a manifest whose text is at hand, as if it stood at `options.path`.
#[must_use]
pub fn load_text(options: &LoadOptions<'_>, text: &str) -> Loaded {
    let path = absolute(options.path);
    let name = workspace_name(&path, &absolute(options.workspace));
    load_source(options, Source { name, path: Some(path), text: text.to_owned() })
}

/// An absolute path without links where it exists.
fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).map_or_else(|_| path.to_path_buf(), |path| tidy(&path))
}

fn load_source(options: &LoadOptions<'_>, source: Source) -> Loaded {
    let workspace = absolute(options.workspace);
    let path = source.path.clone().unwrap_or_default();
    let name = source.name.clone();
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let id = sources.add(source);
    let Some(root) = document::parse(&sources, id, &mut diagnostics) else {
        return Loaded { sources, manifest: None, diagnostics };
    };
    let mut envelope = envelope::split(root, &mut diagnostics);
    let mut params = Params::new(std::mem::take(&mut envelope.params));
    overrides::apply(options.set, &mut params, &mut sources, &mut diagnostics);
    if let Some(table) = &mut envelope.pipeline {
        fill(table, &mut params, &sources, &mut diagnostics);
    }
    let pipeline = envelope::pipeline(envelope.pipeline.as_ref(), beginning(id), &mut diagnostics);
    let open = |input: &envelope::InputDecl| (input.name.clone(), Target::OpenInput(input.artifact.clone()));
    let root = Scope {
        names: envelope.inputs.iter().map(open).collect(),
        inputs: envelope.inputs,
        outputs: envelope.outputs,
        ..Scope::default()
    };
    let base = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let mut instance = Instance { params, base: base.clone(), scope: 0, common: Common::default(), stack: vec![name] };
    let mut expander = Expander {
        sources: &mut sources,
        diagnostics: &mut diagnostics,
        workspace: &workspace,
        stages: Vec::new(),
        scopes: vec![root],
        read: BTreeMap::new(),
    };
    expander.open(envelope.stages, &mut instance);
    let (stages, scopes) = (expander.stages, expander.scopes);
    let mut manifest = Manifest { pipeline, path, base, params: Vec::new(), set: options.set.to_vec(), stages, scopes };
    report_params(&instance.params, manifest.is_module(), &mut diagnostics);
    manifest.params = list_params(&instance.params);
    Loaded { sources, manifest: Some(manifest), diagnostics }
}

fn report_params(params: &Params, is_module: bool, diagnostics: &mut Diagnostics) {
    for decl in params.without_value().filter(|_| !is_module) {
        diagnostics.push(
            Diagnostic::new(codes::PARAM_VALUE, format!("param `{}` has no value", decl.name))
                .at(decl.span)
                .label("no `default`")
                .hint(format!("give it a `default`, or run with `--set {}=…`", decl.name)),
        );
    }
    for decl in params.unused() {
        diagnostics.push(
            Diagnostic::new(codes::UNUSED_PARAM, format!("param `{}` is not used", decl.name))
                .at(decl.span)
                .label("nothing mentions it")
                .hint(format!("use it as `\"${{{}}}\"`, or remove it", decl.name)),
        );
    }
}

fn list_params(params: &Params) -> Vec<Param> {
    let show = params.values().map(|(decl, value, set)| Param {
        name: decl.name.clone(),
        ty: decl.ty,
        value: value.map(super::node::Node::to_json),
        about: decl.about.clone(),
        set: set.is_some(),
        span: decl.span,
    });
    show.collect()
}
