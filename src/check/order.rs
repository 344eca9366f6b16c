//! The order of stages, and cycles. (`petgraph` serves planning, which comes after; here a heap is enough.)

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An order of nodes in which every edge goes forward, and the cycles that had to be cut for it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Order {
    /// All nodes.
    pub(super) order: Vec<usize>,
    /// Each cycle as its nodes, every one needing the next and the last needing the first.
    pub(super) cycles: Vec<Vec<usize>>,
}

/// Orders nodes so that what a node needs comes before it; ties by number. `needs[n]` lists what `n` needs. A cycle is
/// reported and cut before its smallest node, and the rest goes on.
pub(super) fn order(needs: &[Vec<usize>]) -> Order {
    let mut users = vec![Vec::new(); needs.len()];
    let mut waiting: Vec<usize> = vec![0; needs.len()];
    for (node, needed) in needs.iter().enumerate() {
        waiting[node] = needed.len();
        for on in needed {
            users[*on].push(node);
        }
    }
    let mut out = Order::default();
    let mut done = vec![false; needs.len()];
    let mut ready: BinaryHeap<Reverse<usize>> = (0..needs.len()).filter(|n| waiting[*n] == 0).map(Reverse).collect();
    let mut first = 0;
    loop {
        while let Some(Reverse(node)) = ready.pop() {
            done[node] = true;
            out.order.push(node);
            for user in &users[node] {
                waiting[*user] = waiting[*user].saturating_sub(1);
                if waiting[*user] == 0 && !done[*user] {
                    ready.push(Reverse(*user));
                }
            }
        }
        while first < needs.len() && done[first] {
            first += 1;
        }
        if first == needs.len() {
            return out;
        }
        let cycle = find_cycle(needs, &done, first);
        let cut = cycle[0];
        out.cycles.push(cycle);
        waiting[cut] = 0;
        ready.push(Reverse(cut));
    }
}

/// Follows needs that are not done from `start` until a node comes again. Every node that is not done has one.
fn find_cycle(needs: &[Vec<usize>], done: &[bool], start: usize) -> Vec<usize> {
    let mut position = vec![usize::MAX; needs.len()];
    let mut path = Vec::new();
    let mut node = start;
    while position[node] == usize::MAX {
        position[node] = path.len();
        path.push(node);
        match needs[node].iter().find(|on| !done[**on]) {
            Some(on) => node = *on,
            None => return path,
        }
    }
    let mut cycle = path.split_off(position[node]);
    let smallest = cycle.iter().enumerate().min_by_key(|(_, node)| **node).map_or(0, |(at, _)| at);
    cycle.rotate_left(smallest);
    cycle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_keep_the_order_of_the_manifest() {
        let found = order(&[vec![2], vec![], vec![], vec![0, 1]]);
        assert_eq!(found, Order { order: vec![1, 2, 0, 3], cycles: vec![] });
    }

    #[test]
    fn every_cycle_is_found_and_the_rest_is_ordered() {
        // 0 -> 1 -> 2 -> 1 (needs), 3 needs itself, 4 needs 3
        let found = order(&[vec![1], vec![2], vec![1], vec![3], vec![3]]);
        assert_eq!(found.cycles, [vec![1, 2], vec![3]]);
        assert_eq!(found.order.len(), 5);
        assert!(found.order.iter().position(|n| *n == 3) < found.order.iter().position(|n| *n == 4));
    }

    #[test]
    fn a_long_chain_and_many_cycles_are_fast() {
        let chain: Vec<Vec<usize>> = (0..20_000).map(|n| if n == 0 { vec![] } else { vec![n - 1] }).collect();
        assert_eq!(order(&chain).order.len(), 20_000);
        let pairs: Vec<Vec<usize>> = (0..2_000).map(|n| vec![n ^ 1]).collect();
        assert_eq!(order(&pairs).cycles.len(), 1_000);
    }
}
