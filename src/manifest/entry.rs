//! A manifest after params were filled in and modules opened: stages, each with its own table and the spans in it.

use super::common::Common;
use super::envelope::{InputDecl, OutputDecl, Pipeline};
use super::node::{Data, Located, Node, ParamUse};
use super::params::ParamType;
use super::reference::Point;
use super::text::part_of;
use crate::diag::{Diagnostic, Diagnostics};
use crate::digest::Segment;
use crate::span::{SourceId, SourceMap, Span};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// What [`super::load`] gives: as much of a manifest as could be read, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Every text that was read.
    pub sources: SourceMap,
    /// The manifest; `None` where its text could not be read or parsed, which then is among the diagnostics.
    pub manifest: Option<Manifest>,
    /// What is wrong.
    pub diagnostics: Diagnostics,
}

/// A manifest with its modules opened.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// `[pipeline]`.
    pub pipeline: Pipeline,
    /// The manifest's file.
    pub path: PathBuf,
    /// The manifest's folder, absolute.
    pub base: PathBuf,
    /// The params of the manifest itself, by name.
    pub params: Vec<Param>,
    /// `name=value` of every `--set` that it was loaded with.
    pub set: Vec<String>,
    /// Every stage, modules opened, in the order of the text.
    pub stages: Vec<StageEntry>,
    /// Where names are looked up: the manifest itself first, then every use of a module.
    pub scopes: Vec<Scope>,
}

impl Manifest {
    /// Whether it declares `[inputs]`: it can be checked, and used by others, but not run by itself.
    #[must_use]
    pub fn is_module(&self) -> bool {
        self.scopes.first().is_some_and(|root| !root.inputs.is_empty())
    }
}

/// A param with its value.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ParamType,
    /// Its value, if it has one.
    pub value: Option<serde_json::Value>,
    /// What it is for.
    pub about: Option<String>,
    /// Whether `--set` gave the value.
    pub set: bool,
    /// Where its name stands.
    pub span: Span,
}

/// One stage.
#[derive(Clone, Debug)]
pub struct StageEntry {
    /// Its name; inside of modules with a prefix, and with its axes: `clean/dedupe`, `train[lr=0.1]`.
    pub name: String,
    /// Its name without axes.
    pub family: String,
    /// Its values on the axes that it has.
    pub point: Point,
    /// The kind as written, and where; `None` after its lack was reported.
    pub kind: Option<(String, Span)>,
    /// Where the stage begins: `[stage.NAME]`.
    pub header: Span,
    /// The fields that every stage may carry.
    pub common: Common,
    /// The folder that relative paths start from.
    pub base: PathBuf,
    /// Index into [`Manifest::scopes`]: where its references are looked up.
    pub scope: usize,
    /// The module uses that it stands in, innermost first: where they stand.
    pub uses: Vec<Span>,
    /// The kind's own fields with their places; see [`StageEntry::fields`].
    pub node: Node,
    /// Top-level fields that are not whole in [`StageEntry::fields`], because of a mistake that was reported, or because
    /// a module's param has no value while it is checked by itself.
    pub dropped: Vec<String>,
}

impl StageEntry {
    /// The kind's own fields, for decoding: params filled in, common fields taken out. What has no value is left out.
    #[must_use]
    pub fn fields(&self) -> serde_json::Value {
        self.node.to_json()
    }

    /// Puts it at a point of its axes, which its name then says.
    pub fn stand_at(&mut self, point: Point) {
        self.name = format!("{}{point}", self.family);
        self.point = point;
    }

    /// What its random choices derive from beside the pipeline's seed: its name, and its value on an axis called `seed`.
    /// Not its other axes: the folds of one split have to be dealt alike, and trials that differ in a setting alone are
    /// compared best with the same random numbers.
    #[must_use]
    pub fn seed_name(&self) -> String {
        match self.point.get("seed") {
            Some(seed) => format!("{}[seed={seed}]", self.family),
            None => self.family.clone(),
        }
    }

    /// The node that a key path leads to, or the deepest one on the way.
    #[must_use]
    pub fn locate(&self, path: &[Segment]) -> Located<'_> {
        self.node.locate(path)
    }

    /// Where the value of a key path stands. A path that goes on where the text does not gives the place of its last
    /// known part; the empty path gives the header; a value of several lines gives its key.
    #[must_use]
    pub fn value_span(&self, sources: &SourceMap, path: &[Segment]) -> Span {
        let found = self.locate(path);
        if std::ptr::eq(found.node, &self.node) {
            return self.header;
        }
        let long =
            sources.get(found.node.span.source).text.get(found.node.span.range()).is_some_and(|t| t.contains('\n'));
        let container = matches!(found.node.data, Data::Table(_) | Data::List(_));
        if long || (!found.exact && container) { found.node.key_or_value() } else { found.node.span }
    }

    /// Where the key of a key path stands, or else the value.
    #[must_use]
    pub fn key_span(&self, sources: &SourceMap, path: &[Segment]) -> Span {
        let found = self.locate(path);
        match found.node.key {
            Some(key) if found.exact && !std::ptr::eq(found.node, &self.node) => key,
            _ => self.value_span(sources, path),
        }
    }

    /// Where some bytes of a string value stand.
    #[must_use]
    pub fn part_span(&self, sources: &SourceMap, path: &[Segment], part: Range<usize>) -> Span {
        let found = self.locate(path);
        if found.exact { part_of(sources, found.node, part) } else { self.value_span(sources, path) }
    }

    /// The params that a value, or the whole that it stands in, came from.
    #[must_use]
    pub fn params_at(&self, path: &[Segment]) -> &[ParamUse] {
        (0..=path.len())
            .rev()
            .find_map(|length| {
                let found = self.locate(&path[..length]);
                found.node.origin.as_ref().filter(|origin| found.exact && !origin.params.is_empty())
            })
            .map_or(&[], |origin| origin.params.as_slice())
    }

    /// Every value that came from params, by key path.
    #[must_use]
    pub fn param_uses(&self) -> Vec<(Vec<Segment>, ParamUse)> {
        let mut out = Vec::new();
        self.node.walk(&mut |path, node| {
            let params = node.origin.iter().flat_map(|origin| &origin.params);
            out.extend(params.map(|used| (path.to_vec(), used.clone())));
        });
        out
    }
}

/// Where the names of one file in one use are looked up.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// What its stages' names begin with: `clean/`, or nothing.
    pub prefix: String,
    /// What its names stand for.
    pub names: BTreeMap<String, Target>,
    /// The artefacts that it takes.
    pub inputs: Vec<InputDecl>,
    /// The artefacts that it gives, for those who use it.
    pub outputs: Vec<OutputDecl>,
    /// The module uses that it stands in, innermost first.
    pub uses: Vec<Span>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Target {
    /// A stage: index into [`Manifest::stages`].
    Stage(usize),
    /// A stage with axes, one stage for every point: indices into [`Manifest::stages`].
    Points(Vec<usize>),
    /// A use of a module: index into [`Manifest::scopes`].
    Module(usize),
    /// An input that the user of the module gave.
    Input {
        /// The reference, as written there.
        text: String,
        /// Where it stands.
        span: Span,
        /// The scope that it is looked up in.
        scope: usize,
        /// The declared artefact type.
        artifact: String,
    },
    /// An input of a module that is checked by itself; the name of its artefact type.
    OpenInput(String),
    /// Something that could not be opened, which was reported.
    Broken,
}

/// Adds the places of use to a diagnostic that lies in a module.
#[must_use]
pub fn with_uses(mut diagnostic: Diagnostic, uses: &[Span]) -> Diagnostic {
    for span in uses {
        diagnostic = diagnostic.related(*span, "used here");
    }
    diagnostic
}

/// The empty span at the begin of a source: the place of what is not there.
pub(super) fn beginning(id: SourceId) -> Span {
    Span::new(id, 0..0)
}
