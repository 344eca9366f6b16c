//! The queue of stages that could start: the most urgent one whose need can be met goes first. A stage with a large need
//! is passed by smaller ones only so often; then what it lacks is kept for it.

use super::slots::{Need, Slots};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// How often a stage may be passed by less urgent ones.
const PATIENCE: u32 = 8;

/// How urgent a stage is (more is sooner), and its place in the order of the pipeline.
type Place = (Reverse<u64>, usize);

/// Stages that could start, by what they need: there are few different needs, so looking is quick however many stages
/// there are.
#[derive(Debug, Default)]
pub(super) struct Ready {
    by_need: BTreeMap<Need, BTreeSet<Place>>,
    /// How often a stage was passed.
    passed: BTreeMap<usize, u32>,
}

impl Ready {
    /// Adds a stage.
    pub(super) fn insert(&mut self, stage: usize, need: Need, urgency: u64) {
        self.by_need.entry(need).or_default().insert((Reverse(urgency), stage));
    }

    /// Takes a stage out.
    pub(super) fn remove(&mut self, stage: usize, need: Need, urgency: u64) {
        self.passed.remove(&stage);
        if let Some(places) = self.by_need.get_mut(&need) {
            places.remove(&(Reverse(urgency), stage));
            if places.is_empty() {
                self.by_need.remove(&need);
            }
        }
    }

    /// The stage to start now, which stays in the queue.
    pub(super) fn next(&mut self, slots: &Slots) -> Option<usize> {
        if slots.is_full() {
            return None;
        }
        let mut heads: Vec<(Place, Need)> =
            self.by_need.iter().filter_map(|(need, places)| Some((*places.first()?, *need))).collect();
        heads.sort_unstable();
        let mut kept = Need::default();
        let mut waiting = Vec::new();
        for ((_, stage), need) in heads {
            if need.touches(&kept) {
                continue;
            }
            let Some(lacking) = slots.lacking(&need) else {
                for passed in waiting {
                    *self.passed.entry(passed).or_default() += 1;
                }
                return Some(stage);
            };
            if self.passed.get(&stage).is_some_and(|times| *times >= PATIENCE) {
                kept = kept.and(lacking);
            }
            waiting.push(stage);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Need = Need { cpus: 1, gpus: 0, gpu: None, memory: 0 };
    const LARGE: Need = Need { cpus: 4, gpus: 0, gpu: None, memory: 0 };
    const GPU: Need = Need { cpus: 1, gpus: 1, gpu: None, memory: 0 };

    #[test]
    fn the_most_urgent_goes_first_and_ties_follow_the_pipeline() {
        let mut ready = Ready::default();
        let slots = Slots::new(1, &[], None);
        for (stage, urgency) in [(3, 5), (1, 5), (2, 9)] {
            ready.insert(stage, SMALL, urgency);
        }
        let mut order = Vec::new();
        while let Some(stage) = ready.next(&slots) {
            order.push(stage);
            ready.remove(stage, SMALL, if stage == 2 { 9 } else { 5 });
        }
        assert_eq!(order, [2, 1, 3]);
    }

    #[test]
    fn a_large_stage_is_passed_only_so_often() {
        let mut ready = Ready::default();
        let mut slots = Slots::new(4, &[], None);
        ready.insert(0, LARGE, 100);
        (1..100).for_each(|stage| ready.insert(stage, SMALL, 1));
        let running = slots.take(SMALL);
        let mut passed = 0;
        while let Some(stage) = ready.next(&slots) {
            assert_ne!(stage, 0, "it does not fit");
            ready.remove(stage, SMALL, 1);
            passed += 1;
        }
        assert_eq!(passed, PATIENCE);
        slots.give(running);
        assert_eq!(ready.next(&slots), Some(0));
    }

    #[test]
    fn waiting_for_a_gpu_does_not_hold_up_what_needs_none() {
        let mut ready = Ready::default();
        let mut slots = Slots::new(4, &["0".into()], None);
        let _held = slots.take(GPU);
        ready.insert(0, GPU, 100);
        for stage in 1..50 {
            ready.insert(stage, SMALL, 1);
            assert_eq!(ready.next(&slots), Some(stage));
            ready.remove(stage, SMALL, 1);
        }
    }
}
