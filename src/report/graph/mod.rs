//! The stages and what they use, as tree, Mermaid, DOT or SVG.

mod svg;

use super::Paint;
use crate::xml;

/// Whether a stage's result is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    Cached,
    /// It is not: the stage would run.
    Runs,
    /// That is known only after others have run.
    Unknown,
}

impl State {
    const ALL: [Self; 3] = [Self::Cached, Self::Runs, Self::Unknown];

    fn name(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Runs => "runs",
            Self::Unknown => "unknown",
        }
    }

    /// Fill and border; the names tell the same to those who do not see colours.
    fn colours(self) -> [&'static str; 2] {
        match self {
            Self::Cached => ["#e3f4e6", "#2e7d43"],
            Self::Runs => ["#fff1d6", "#b26a00"],
            Self::Unknown => ["#eceff1", "#78909c"],
        }
    }
}

/// A stage.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Whether its result is there, where that is to be shown.
    pub state: Option<State>,
    /// What it uses: the index of a node before it, and the reference as it is written.
    pub uses: Vec<(usize, String)>,
}

/// The stages in topological order.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The pipeline's name.
    pub name: String,
    /// The stages; each uses only stages before it.
    pub nodes: Vec<Node>,
}

/// The ways to draw a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawing {
    /// Lines for a terminal: every stage once, under the last of those that it uses.
    Tree,
    /// A Mermaid flowchart.
    Mermaid,
    /// Graphviz.
    Dot,
    /// A picture.
    Svg,
}

impl Node {
    /// Its kind, and whether its result is there.
    fn about(&self) -> String {
        match self.state {
            None => self.kind.clone(),
            Some(state) => format!("{} · {}", self.kind, state.name()),
        }
    }
}

impl Graph {
    /// The states that there are.
    fn states(&self) -> impl Iterator<Item = State> {
        State::ALL.into_iter().filter(|state| self.nodes.iter().any(|node| node.state == Some(*state)))
    }

    /// Draws it. Without states only the tree has colours.
    #[must_use]
    pub fn draw(&self, drawing: Drawing, paint: Paint) -> String {
        match drawing {
            Drawing::Tree => self.tree(paint),
            Drawing::Mermaid => self.mermaid(),
            Drawing::Dot => self.dot(),
            Drawing::Svg => svg::draw(self),
        }
    }

    /// The nodes that each node uses, each once, in order, with the ports used: `train, val`.
    fn edges(&self, node: usize) -> Vec<(usize, String)> {
        let mut edges: Vec<(usize, Vec<&str>)> = Vec::new();
        for (used, reference) in &self.nodes[node].uses {
            let port = reference.split_once('.').map_or("", |(_, port)| port);
            match edges.iter_mut().find(|(known, _)| known == used) {
                Some((_, ports)) if ports.contains(&port) => {}
                Some((_, ports)) => ports.push(port),
                None => edges.push((*used, vec![port])),
            }
        }
        edges
            .into_iter()
            .map(|(used, ports)| {
                (used, ports.into_iter().filter(|port| !port.is_empty()).collect::<Vec<_>>().join(", "))
            })
            .collect()
    }

    fn tree(&self, paint: Paint) -> String {
        let parents: Vec<Option<usize>> =
            self.nodes.iter().map(|node| node.uses.iter().map(|(used, _)| *used).max()).collect();
        let mut children = vec![Vec::new(); self.nodes.len()];
        for (node, parent) in parents.iter().enumerate() {
            parent.iter().for_each(|parent| children[*parent].push(node));
        }
        let mut out = String::new();
        // A stack of its own: a chain may be longer than the program's.
        let roots = (0..self.nodes.len()).rev().filter(|node| parents[*node].is_none());
        let mut open: Vec<(usize, String, String)> = roots.map(|root| (root, String::new(), String::new())).collect();
        while let Some((node, lead, below)) = open.pop() {
            self.branch(&mut out, node, parents[node], &lead, paint);
            for (at, child) in children[node].iter().enumerate().rev() {
                let (mark, more) =
                    if at + 1 == children[node].len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                open.push((*child, format!("{below}{mark}"), format!("{below}{more}")));
            }
        }
        out
    }

    fn branch(&self, out: &mut String, node: usize, parent: Option<usize>, lead: &str, paint: Paint) {
        let Node { name, kind, state, uses } = &self.nodes[node];
        let mut others: Vec<&str> =
            uses.iter().filter(|(used, _)| Some(*used) != parent).map(|(_, text)| text.as_str()).collect();
        others.dedup();
        let also = match others.as_slice() {
            [] => String::new(),
            others => paint.dim(format!("  also uses {}", others.join(", "))),
        };
        let state = match state {
            None => String::new(),
            Some(State::Cached) => format!("  {}", paint.green("cached")),
            Some(other) => format!("  {}", paint.yellow(other.name())),
        };
        out.push_str(&format!("{}{}  {}{state}{also}\n", paint.dim(lead), paint.bold(name), paint.dim(kind)));
    }

    fn mermaid(&self) -> String {
        let mut out = "flowchart TD\n".to_owned();
        for (at, node) in self.nodes.iter().enumerate() {
            let class = node.state.map_or_else(String::new, |state| format!(":::{}", state.name()));
            let (name, about) = (xml::attribute(&node.name), xml::attribute(&node.about()));
            out.push_str(&format!("  s{at}[\"{name}<br><small>{about}</small>\"]{class}\n"));
        }
        for state in self.states() {
            let ([fill, stroke], name) = (state.colours(), state.name());
            out.push_str(&format!("  classDef {name} fill:{fill},stroke:{stroke},color:#17212b\n"));
        }
        for node in 0..self.nodes.len() {
            for (used, ports) in self.edges(node) {
                let label = if ports.is_empty() { String::new() } else { format!("|{}|", xml::attribute(&ports)) };
                out.push_str(&format!("  s{used} -->{label} s{node}\n"));
            }
        }
        out
    }

    fn dot(&self) -> String {
        let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let mut out = format!("digraph {} {{\n", quote(&self.name));
        out.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n");
        for node in &self.nodes {
            let label = format!("{}\\n{}", node.name.replace('"', "\\\""), node.about());
            let colours = node.state.map_or_else(String::new, |state| {
                let [fill, stroke] = state.colours();
                format!(", style=\"rounded,filled\", fillcolor=\"{fill}\", color=\"{stroke}\"")
            });
            out.push_str(&format!("  {} [label=\"{label}\"{colours}];\n", quote(&node.name)));
        }
        for node in 0..self.nodes.len() {
            for (used, ports) in self.edges(node) {
                let label = if ports.is_empty() { String::new() } else { format!(" [label={}]", quote(&ports)) };
                let (from, to) = (quote(&self.nodes[used].name), quote(&self.nodes[node].name));
                out.push_str(&format!("  {from} -> {to}{label};\n"));
            }
        }
        out.push_str("}\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn digits() -> Graph {
        let node = |name: &str, kind: &str, uses: &[(usize, &str)]| Node {
            name: name.to_owned(),
            kind: kind.to_owned(),
            state: None,
            uses: uses.iter().map(|(used, text)| (*used, (*text).to_owned())).collect(),
        };
        Graph {
            name: "digits".to_owned(),
            nodes: vec![
                node("raw", "fetch", &[]),
                node("split", "split", &[(0, "raw")]),
                node("encode", "encode", &[(1, "split.train"), (1, "split.val")]),
                node("model", "model", &[(2, "encode.train")]),
                node("train", "train", &[(3, "model"), (2, "encode.train"), (2, "encode.val")]),
                node("evaluate", "evaluate", &[(4, "train.model"), (2, "encode.test")]),
            ],
        }
    }

    #[test]
    fn a_tree_shows_every_stage_once() {
        let expected = "\
raw  fetch
└─ split  split
   └─ encode  encode
      └─ model  model
         └─ train  train  also uses encode.train, encode.val
            └─ evaluate  evaluate  also uses encode.test
";
        assert_eq!(digits().draw(Drawing::Tree, Paint::new(false)), expected);
    }

    #[test]
    fn edges_carry_the_ports_that_are_used() {
        let mermaid = digits().draw(Drawing::Mermaid, Paint::new(true));
        assert!(mermaid.contains("  s1 -->|train, val| s2\n"), "{mermaid}");
        assert!(mermaid.contains("  s0 --> s1\n"), "{mermaid}");
        let dot = digits().draw(Drawing::Dot, Paint::new(true));
        assert!(dot.contains("  \"encode\" -> \"train\" [label=\"train, val\"];\n"), "{dot}");
    }

    #[test]
    fn states_are_named_and_coloured() {
        let mut graph = digits();
        for (at, node) in graph.nodes.iter_mut().enumerate() {
            node.state = Some([State::Cached, State::Runs][usize::from(at > 2)]);
        }
        let tree = graph.draw(Drawing::Tree, Paint::new(false));
        assert!(tree.contains("encode  encode  cached\n") && tree.contains("train  train  runs  also"), "{tree}");
        let mermaid = graph.draw(Drawing::Mermaid, Paint::new(false));
        assert!(mermaid.contains("<small>encode · cached</small>\"]:::cached\n"), "{mermaid}");
        assert!(mermaid.contains("classDef runs ") && !mermaid.contains("classDef unknown"), "{mermaid}");
        let svg = graph.draw(Drawing::Svg, Paint::new(false));
        assert!(svg.contains(">model · runs<") && svg.contains("fill:#fff1d6"), "{svg}");
    }
}
