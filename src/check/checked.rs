//! What checking gives, and what it asks of the store.

use super::names::{Found, Names};
use crate::diag::Diagnostics;
use crate::digest::{Digest, Segment};
use crate::manifest::{Common, Manifest, Point};
use crate::span::SourceMap;
use crate::stage::{Outputs, Seed, StageInfo, StageSpec};
use crate::types::ArtifactType;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A checked manifest: typed stages in topological order, and everything that is wrong.
pub struct Checked {
    /// The manifest; empty where its text could not be parsed, and then there are errors.
    pub manifest: Manifest,
    /// Every text that was read.
    pub sources: SourceMap,
    /// The stages in topological order, ties in the order of the manifest.
    pub stages: Vec<CheckedStage>,
    /// What is wrong, in the order of the text.
    pub diagnostics: Diagnostics,
    /// The workspace's root, absolute.
    pub workspace: PathBuf,
    /// Whether something is wrong that is not of single stages: the text, a param, stages in a circle. Then nothing holds of any stage.
    pub wrong_as_a_whole: bool,
}

impl Checked {
    /// The stage of this name: its index in [`Checked::stages`].
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.name == name)
    }

    /// What a stage takes from others, and what the tables among that are made of which are not kept.
    pub fn read_by(&self, stage: usize) -> Vec<&ResolvedRef> {
        let mut found: Vec<&ResolvedRef> = Vec::new();
        let mut open = vec![stage];
        while let Some(stage) = open.pop() {
            for used in &self.stages[stage].refs {
                found.push(used);
                if self.stages[used.stage].is_view() {
                    open.push(used.stage);
                }
            }
        }
        found
    }

    /// The stage that makes what a reference in the manifest would name, through modules too, and its output where one is
    /// said: `model.model` may be the output `model` of the stage `model/network`.
    #[must_use]
    pub fn named(&self, reference: &str) -> Option<(usize, Option<String>)> {
        let place = self.manifest.stages.first()?.header;
        let root = (0, &Point::default());
        match Names::default().resolve(&self.manifest, root, reference, place) {
            Ok(Found::Stage { index, port, .. }) => {
                self.stages.iter().position(|stage| stage.entry == index).map(|stage| (stage, port))
            }
            _ => None,
        }
    }
}

/// One stage after checking.
#[derive(Clone)]
pub struct CheckedStage {
    /// Its name; inside of modules with a prefix: `clean/dedupe`.
    pub name: String,
    /// Its index in [`Manifest::stages`], where its spans are.
    pub entry: usize,
    /// The kind as written; empty where the manifest gives none.
    pub kind: String,
    /// What is known of the kind; `None` where there is no such kind, which is among the diagnostics.
    pub info: Option<StageInfo>,
    /// The decoded fields; `None` after a mistake in them, which is among the diagnostics.
    pub spec: Option<Arc<dyn StageSpec>>,
    /// What it takes from other stages, in the order of the fields.
    pub refs: Vec<ResolvedRef>,
    /// What it gives, as far as that is known before it ran.
    pub outputs: Outputs,
    /// The fields that every stage may carry.
    pub common: Common,
    /// What its random choices derive from.
    pub seed: Seed,
    /// The folder that relative paths start from, absolute.
    pub base: PathBuf,
    /// Whose mistake keeps it from running; `None` where it is sound and all that it comes from.
    pub mistake: Option<Mistake>,
}

/// Whose mistake it is that a stage cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Its own.
    Own,
    /// That of a stage that it comes from.
    Before,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Own => "has a mistake, which `kilter check` shows",
            Self::Before => "comes from a stage with a mistake",
        })
    }
}

impl CheckedStage {
    /// Whether its table is not kept: see [`Kind::is_view`](crate::stage::Kind::is_view).
    #[must_use]
    pub fn is_view(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.is_view())
    }
}

impl std::fmt::Debug for CheckedStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckedStage")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("decoded", &self.spec.is_some())
            .field("refs", &self.refs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

/// A reference and what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRef {
    /// The field that it stands in.
    pub path: Vec<Segment>,
    /// The reference as written; the same text in one stage always names the same output.
    pub text: String,
    /// The stage: its index in [`Checked::stages`], smaller than the index of the stage that refers to it.
    pub stage: usize,
    /// The output.
    pub port: String,
}

/// A decoded stage, as [`Results`] sees it.
#[derive(Clone, Copy)]
pub struct StageView<'a> {
    /// What `refs` of stages after it will call it.
    pub index: usize,
    /// Its name.
    pub name: &'a str,
    /// Its decoded fields.
    pub spec: &'a dyn StageSpec,
    /// What it takes from other stages; their indices were looked up before.
    pub refs: &'a [ResolvedRef],
    /// What its random choices derive from.
    pub seed: Seed,
    /// The folder that relative paths start from.
    pub base: &'a Path,
    /// The fields that every stage may carry.
    pub common: &'a Common,
    /// The stages before it: those that it takes something from are among them.
    pub stages: &'a [CheckedStage],
}

/// What is known of a stage whose result is stored already.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The real type of each port.
    pub types: BTreeMap<String, ArtifactType>,
    /// The files of each port: name and place.
    pub files: BTreeMap<String, Vec<(String, PathBuf)>>,
}

/// What is stored already. Asked in topological order, once for every stage that was decoded and whose inputs all
/// resolved.
pub trait Results {
    /// The stored result of a stage with these fields and inputs, if there is one.
    fn lookup(&mut self, stage: &StageView<'_>) -> Option<Known>;

    /// What a stage's check found before by the same fields and types, where it found nothing wrong.
    fn found(&mut self, _check: Digest) -> Option<Outputs> {
        None
    }

    /// Notes what a check found that found nothing wrong.
    fn note(&mut self, _check: Digest, _outputs: &Outputs) {}
}

/// Nothing is stored: for checking alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoResults;

impl Results for NoResults {
    fn lookup(&mut self, _stage: &StageView<'_>) -> Option<Known> {
        None
    }
}
