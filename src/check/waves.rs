//! Stages that take nothing from each other are checked side by side.

use super::checked::{CheckedStage, Mistake, StageView};
use super::decode::Decoded;
use super::files::check_files;
use super::place::place_all;
use super::walk::{Edge, Taken, Walk, named_after_nothing};
use crate::diag::Severity;
use crate::digest::Digest;
use crate::manifest::StageEntry;
use crate::stage::{CheckCx, CheckInput, Finding, Outputs, PortFiles, Seed, StageSpec};
use crate::types::ArtifactType;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

/// With fewer checks, starting threads takes longer than checking.
const MANY_CHECKS: usize = 8;

/// The threads that check: plans are deep, and what threads mostly have is too little for them.
static THREADS: LazyLock<Option<ThreadPool>> =
    LazyLock::new(|| ThreadPoolBuilder::new().stack_size(STACK).build().ok());

const STACK: usize = 16 << 20;

/// What a stage outputs, as far as it is known.
#[derive(Default)]
struct FoundOutputs {
    outputs: Outputs,
    /// Whether these are all there are; not after a mistake in the stage.
    trusted: bool,
    /// Whether its check found a mistake in it.
    wrong: bool,
    files: PortFiles,
}

/// What a check found.
type Ran = (Outputs, Vec<Finding>);

/// A stage whose inputs are known.
struct Prepared<'a> {
    index: usize,
    entry: &'a StageEntry,
    decoded: &'a Decoded,
    taken: Taken,
    seed: Seed,
    /// What its check depends on, if that looks at types alone.
    digest: Option<Digest>,
    /// What is known from before.
    known: Option<FoundOutputs>,
}

/// Nodes in groups: what a node needs is in a group before its own, unless a cycle was cut between them.
pub(super) fn waves(order: &[usize], needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut wave_of: Vec<Option<usize>> = vec![None; needs.len()];
    let mut waves: Vec<Vec<usize>> = Vec::new();
    for node in order {
        let wave = needs[*node].iter().filter_map(|need| wave_of[*need]).max().map_or(0, |last| last + 1);
        wave_of[*node] = Some(wave);
        match waves.get_mut(wave) {
            Some(nodes) => nodes.push(*node),
            None => waves.push(vec![*node]),
        }
    }
    waves
}

/// The stages in another order. `positions` has where each stands now, by what `order` calls it.
pub(super) fn in_order(stages: Vec<CheckedStage>, positions: &[Option<usize>], order: &[usize]) -> Vec<CheckedStage> {
    let mut moved = vec![0; stages.len()];
    for (to, index) in order.iter().enumerate() {
        positions[*index].into_iter().for_each(|from| moved[from] = to);
    }
    let mut stages: Vec<(usize, CheckedStage)> = moved.iter().copied().zip(stages).collect();
    stages.sort_by_key(|(to, _)| *to);
    stages
        .into_iter()
        .map(|(_, mut stage)| {
            stage.refs.iter_mut().for_each(|used| used.stage = moved[used.stage]);
            stage
        })
        .collect()
}

impl Prepared<'_> {
    fn check(&self, workspace: &Path) -> Option<Ran> {
        let spec = self.decoded.spec.as_ref().filter(|_| self.known.is_none())?;
        Some(run_check(spec.as_ref(), &self.taken.inputs, &self.entry.base, workspace))
    }
}

impl<'a> Walk<'a> {
    /// Checks stages that take nothing from each other, on all cores where there is much to check.
    pub(super) fn visit(&mut self, wave: &[usize], decoded: &'a [Decoded], edges: &[Vec<Edge>]) {
        let prepared: Vec<Prepared<'a>> = (self.stages.len()..)
            .zip(wave)
            .map(|(position, index)| self.prepare(position, *index, &decoded[*index], &edges[*index]))
            .collect();
        let workspace = self.workspace;
        let many = prepared.iter().filter(|stage| stage.known.is_none()).count() >= MANY_CHECKS;
        let ran: Vec<Option<Ran>> = match many.then(|| THREADS.as_ref()).flatten() {
            Some(threads) => threads.install(|| prepared.par_iter().map(|stage| stage.check(workspace)).collect()),
            None => prepared.iter().map(|stage| stage.check(workspace)).collect(),
        };
        for (mut stage, ran) in prepared.into_iter().zip(ran) {
            let found =
                stage.known.take().unwrap_or_else(|| ran.map(|ran| self.settle(&stage, ran)).unwrap_or_default());
            self.push(stage, found);
        }
    }

    /// What a stage takes, and what it will output if that is known from before. Where its result is in the store already, that is
    /// what it *did* output: the same key means the same fields and the same inputs, and those were checked before it
    /// ran. So nothing is probed again.
    fn prepare(&mut self, position: usize, index: usize, decoded: &'a Decoded, edges: &[Edge]) -> Prepared<'a> {
        let entry = &self.manifest.stages[index];
        let taken = self.take(entry, decoded, edges);
        let seed = Seed::derive(self.manifest.pipeline.seed, &entry.seed_name());
        let mut prepared = Prepared { index, entry, decoded, taken, seed, digest: None, known: None };
        let Some(spec) = decoded.spec.as_deref() else { return prepared };
        let view = StageView {
            index: position,
            name: &entry.name,
            spec,
            refs: &prepared.taken.refs,
            seed,
            base: &entry.base,
            common: &entry.common,
            stages: &self.stages,
        };
        if let Some(known) = prepared.taken.complete.then(|| self.results.lookup(&view)).flatten() {
            let outputs = Outputs { ports: known.types.into_iter().collect(), files: PortFiles::new() };
            prepared.known = Some(FoundOutputs { outputs, trusted: true, wrong: false, files: known.files });
            return prepared;
        }
        prepared.digest = digest_of_check(spec, &prepared.taken.inputs);
        if let Some(outputs) = prepared.digest.and_then(|check| self.results.found(check)) {
            let trusted = !named_after_nothing(spec, &outputs, &prepared.taken);
            prepared.known = Some(FoundOutputs { outputs, trusted, wrong: false, files: PortFiles::new() });
        }
        prepared
    }

    /// What a check found, in words and places.
    fn settle(&mut self, stage: &Prepared<'_>, (outputs, findings): Ran) -> FoundOutputs {
        if let Some(check) = stage.digest.filter(|_| findings.is_empty()) {
            self.results.note(check, &outputs);
        }
        let wrong = findings.iter().any(|finding| finding.diagnostic.severity == Severity::Error);
        let named_after_nothing = |spec: &dyn StageSpec| named_after_nothing(spec, &outputs, &stage.taken);
        let trusted = !wrong && !stage.decoded.spec.as_deref().is_some_and(named_after_nothing);
        place_all(findings, stage.entry, self.manifest, self.sources, self.diagnostics);
        let files = outputs.files.clone();
        FoundOutputs { outputs, trusted, wrong, files }
    }

    fn push(&mut self, stage: Prepared<'_>, found: FoundOutputs) {
        let Prepared { index, entry, decoded, taken, seed, .. } = stage;
        let intolerant = found.trusted && self.check_tolerances(entry, &found.outputs);
        let own = decoded.wrong || decoded.spec.is_none() || taken.wrong || found.wrong || intolerant;
        let before = !taken.complete || taken.refs.iter().any(|used| self.stages[used.stage].mistake.is_some());
        let mistake = if own { Some(Mistake::Own) } else { before.then_some(Mistake::Before) };
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
            mistake,
        });
    }
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
) -> Ran {
    let mut cx = CheckCx::new(inputs, base, workspace);
    let outputs = spec.check(&mut cx);
    let mut findings = cx.finish();
    let mut cx = CheckCx::new(inputs, base, workspace);
    check_files(spec.tree(), &mut cx, &findings);
    findings.extend(cx.finish());
    (outputs, findings)
}

#[cfg(test)]
mod tests {
    use super::waves;

    #[test]
    fn what_a_node_needs_is_in_a_wave_before_its_own() {
        let needs = [vec![], vec![0], vec![], vec![1, 2], vec![2]];
        assert_eq!(waves(&[0, 1, 2, 3, 4], &needs), [vec![0, 2], vec![1, 4], vec![3]]);
        // A cycle that was cut before 0.
        assert_eq!(waves(&[0, 1, 2], &[vec![2], vec![0], vec![1]]), [vec![0], vec![1], vec![2]]);
        assert!(waves(&[], &[]).is_empty());
    }
}
