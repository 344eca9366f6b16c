//! Which stages should start first: those with the longest way to go behind them, by what stages took before.

use crate::check::Checked;
use crate::plan::Dag;
use crate::store::LastKeys;
use std::collections::BTreeMap;

/// Seconds that are assumed where nothing is known of any stage.
const UNKNOWN: f64 = 1.0;

/// For every stage, the microseconds from its start to the end of the pipeline if everything behind it ran, each stage as
/// long as it last took. A stage that never ran counts like the mean of its kind.
pub(super) fn urgencies(checked: &Checked, dag: &Dag, last: &LastKeys) -> Vec<u64> {
    let known: Vec<Option<f64>> = checked
        .stages
        .iter()
        .map(|stage| last.get(&stage.name).map(|last| last.seconds).filter(|seconds| *seconds > 0.0))
        .collect();
    let mut kinds: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (stage, seconds) in checked.stages.iter().zip(&known) {
        if let Some(seconds) = seconds {
            let (sum, count) = kinds.entry(&stage.kind).or_default();
            (*sum, *count) = (*sum + seconds, *count + 1.0);
        }
    }
    let assumed = |kind: &str| kinds.get(kind).map_or(UNKNOWN, |(sum, count)| sum / count);
    let own = known.iter().zip(&checked.stages).map(|(known, stage)| known.unwrap_or_else(|| assumed(&stage.kind)));
    longest_ways(&own.map(|seconds| (seconds * 1e6) as u64).collect::<Vec<_>>(), &|stage| dag.users(stage))
}

/// For every node its own length and the longest way behind it. Users come after what they use.
fn longest_ways(own: &[u64], users: &dyn Fn(usize) -> Vec<usize>) -> Vec<u64> {
    let mut ways = vec![0_u64; own.len()];
    for node in (0..own.len()).rev() {
        let behind = users(node).into_iter().map(|user| ways[user]).max().unwrap_or(0);
        ways[node] = own[node].saturating_add(behind);
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_chain_is_more_urgent_than_a_short_one() {
        // 0 -> 2 -> 3, 1 -> 3, 4 alone
        let users = |node: usize| match node {
            0 => vec![2],
            1 | 2 => vec![3],
            _ => Vec::new(),
        };
        assert_eq!(longest_ways(&[1, 1, 10, 5, 7], &users), [16, 6, 15, 5, 7]);
    }
}
