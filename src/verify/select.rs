//! Which stages are run again.

use crate::check::Checked;
use crate::plan::{UnknownTarget, named};
use std::collections::BTreeSet;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Which {
    /// Stages or modules; empty for all.
    pub stages: Vec<String>,
    /// A share of them, chosen by the seed.
    pub sample: Option<f64>,
    /// Chooses the sample.
    pub seed: u64,
}

/// The stages that are meant, by index, in topological order.
///
/// # Errors
/// When a name is that of no stage and no module.
pub fn stages(checked: &Checked, which: &Which) -> Result<Vec<usize>, UnknownTarget> {
    let all = named(checked, &which.stages)?;
    let Some(share) = which.sample else { return Ok(all) };
    Ok(sample(&all, share, &|index| rank(which.seed, &checked.stages[index].name)))
}

/// A share of the stages: those of the lowest ranks, at least one.
fn sample(all: &[usize], share: f64, rank: &dyn Fn(usize) -> [u8; 32]) -> Vec<usize> {
    let count = ((all.len() as f64 * share).ceil() as usize).clamp(1, all.len().max(1));
    let mut ranked: Vec<usize> = all.to_vec();
    ranked.sort_by_cached_key(|index| rank(*index));
    ranked.truncate(count);
    ranked.sort_unstable();
    ranked
}

/// Where a stage stands in the order of a seed. It depends on nothing but the two, so a sample is the same on every machine.
fn rank(seed: u64, name: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 verify sample");
    hasher.update(&seed.to_le_bytes()).update(name.as_bytes());
    *hasher.finalize().as_bytes()
}

/// The wanted stages and those whose results they need and nobody has, in topological order.
pub(super) fn with_missing(checked: &Checked, wanted: &[usize], has: &dyn Fn(usize) -> bool) -> BTreeSet<usize> {
    let mut found: BTreeSet<usize> = wanted.iter().copied().collect();
    let mut open: Vec<usize> = wanted.to_vec();
    while let Some(stage) = open.pop() {
        for used in checked.read_by(stage) {
            if !has(used.stage) && found.insert(used.stage) {
                open.push(used.stage);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_follows_from_its_seed() {
        let all: Vec<usize> = (0..10).collect();
        let of = |seed: u64, share: f64| sample(&all, share, &|index| rank(seed, &format!("stage{index}")));
        assert_eq!(of(1, 0.2), of(1, 0.2));
        assert_eq!(of(1, 0.2).len(), 2);
        assert_eq!(of(1, 0.01).len(), 1);
        assert_eq!(of(1, 1.0), all);
        assert!((0..20).any(|seed| of(seed, 0.2) != of(1, 0.2)));
        let drawn: BTreeSet<usize> = (0..100).flat_map(|seed| of(seed, 0.2)).collect();
        assert_eq!(drawn.len(), 10, "every stage is drawn at times");
    }
}
