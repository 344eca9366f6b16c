//! The graph of stages. The only file that knows petgraph.

use crate::check::Checked;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed};

/// The stages and who uses whom, by their index in [`Checked::stages`], which is a topological order.
#[derive(Clone, Debug)]
pub struct Dag {
    graph: DiGraph<(), ()>,
}

impl Dag {
    /// The graph of a checked manifest.
    #[must_use]
    pub fn new(checked: &Checked) -> Self {
        let edges = checked.stages.iter().enumerate();
        let edges = edges.flat_map(|(to, stage)| stage.refs.iter().map(move |reference| (reference.stage, to)));
        Self::from_edges(checked.stages.len(), edges)
    }

    /// The graph of `count` stages with edges from an input to its user; repeated edges count once.
    #[must_use]
    pub fn from_edges(count: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut graph = DiGraph::with_capacity(count, count);
        for _ in 0..count {
            graph.add_node(());
        }
        let mut edges: Vec<(usize, usize)> = edges.into_iter().collect();
        edges.sort_unstable();
        edges.dedup();
        for (from, to) in edges {
            graph.add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
        }
        Self { graph }
    }

    /// The stages whose results a stage uses, in order.
    #[must_use]
    pub fn inputs(&self, stage: usize) -> Vec<usize> {
        self.neighbours(stage, Direction::Incoming)
    }

    /// The stages that use a stage's results, in order.
    #[must_use]
    pub fn users(&self, stage: usize) -> Vec<usize> {
        self.neighbours(stage, Direction::Outgoing)
    }

    /// These stages and everything that they come from, in order.
    #[must_use]
    pub fn with_ancestors(&self, stages: &[usize]) -> Vec<usize> {
        let mut seen = vec![false; self.graph.node_count()];
        let reversed = Reversed(&self.graph);
        // One walk for all: a walk of its own for each would be quadratic.
        let mut walk = Dfs::empty(reversed);
        for stage in stages {
            walk.move_to(NodeIndex::new(*stage));
            while let Some(node) = walk.next(reversed) {
                seen[node.index()] = true;
            }
        }
        (0..seen.len()).filter(|index| seen[*index]).collect()
    }

    fn neighbours(&self, stage: usize, direction: Direction) -> Vec<usize> {
        let found = self.graph.neighbors_directed(NodeIndex::new(stage), direction);
        let mut found: Vec<usize> = found.map(NodeIndex::index).collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_are_in_topological_order() {
        let dag = Dag::from_edges(6, [(0, 2), (1, 2), (2, 4), (2, 4), (3, 5)]);
        assert_eq!(dag.with_ancestors(&[4]), [0, 1, 2, 4]);
        assert_eq!(dag.with_ancestors(&[5, 2]), [0, 1, 2, 3, 5]);
        assert_eq!(dag.inputs(2), [0, 1]);
        assert_eq!(dag.users(2), [4]);
    }
}
