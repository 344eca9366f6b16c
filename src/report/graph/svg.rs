//! The graph as a picture: stages in layers from top to bottom, edges as curves that pass between them.
//!
//! A stage's layer is the length of the longest way to it. An edge over several layers gets a waypoint in each of them,
//! which takes part in the ordering, so that it does not run through boxes. Layers are ordered by the mean place of what
//! they are connected to, a few times down and up.

use super::Graph;
use crate::xml;
use std::fmt::Write;

const ROW: f64 = 96.0;
const BOX: f64 = 46.0;
const GAP: f64 = 28.0;
const MARGIN: f64 = 24.0;
const SWEEPS: usize = 8;

/// A box, or a waypoint of an edge.
struct Place {
    layer: usize,
    /// The stage; `None` for a waypoint.
    node: Option<usize>,
    width: f64,
    x: f64,
}

struct Layout {
    places: Vec<Place>,
    /// Pairs of places in neighbouring layers.
    links: Vec<(usize, usize)>,
    /// For every edge: the places along it, and its label.
    routes: Vec<(Vec<usize>, String)>,
    /// The places of each layer, from left to right.
    layers: Vec<Vec<usize>>,
}

/// The picture as SVG text.
pub(super) fn draw(graph: &Graph) -> String {
    let mut layout = Layout::new(graph);
    layout.order();
    layout.place();
    let width = layout.places.iter().map(|place| place.x + place.width / 2.0).fold(0.0, f64::max) + MARGIN;
    let height = layout.layers.len().max(1) as f64 * ROW - (ROW - BOX) + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\" aria-label=\"stages of {}\">\n<style>\n{STYLE}</style>\n",
        xml::text(&graph.name)
    );
    for (route, label) in &layout.routes {
        layout.edge(&mut out, route, label);
    }
    for place in &layout.places {
        if let Some(node) = place.node {
            let (x, y) = (place.x - place.width / 2.0, top(place.layer));
            let node = &graph.nodes[node];
            let (name, kind) = (xml::text(&node.name), xml::text(&node.about()));
            let colours = node.state.map_or_else(String::new, |state| {
                let [fill, stroke] = state.colours();
                format!(" style=\"fill:{fill};stroke:{stroke}\"")
            });
            let _ = writeln!(
                out,
                "<g><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BOX}\" rx=\"8\"{colours}/>\
                 <text class=\"n\" x=\"{cx:.1}\" y=\"{:.1}\">{name}</text>\
                 <text class=\"k\" x=\"{cx:.1}\" y=\"{:.1}\">{kind}</text></g>",
                place.width,
                y + 20.0,
                y + 36.0,
                cx = place.x
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

const STYLE: &str = "\
svg { background: #ffffff; font-family: system-ui, sans-serif; }
rect { fill: #f3f6fa; stroke: #5b7083; stroke-width: 1.2; }
text { text-anchor: middle; fill: #17212b; }
.n { font-size: 14px; font-weight: 600; } .k { font-size: 11px; fill: #5b7083; }
.p { font-size: 10px; fill: #5b7083; paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
path { fill: none; stroke: #8fa3b5; stroke-width: 1.4; } .a { fill: #8fa3b5; stroke: none; }
";

fn top(layer: usize) -> f64 {
    MARGIN + layer as f64 * ROW
}

impl Layout {
    fn new(graph: &Graph) -> Self {
        let mut layout = Self { places: Vec::new(), links: Vec::new(), routes: Vec::new(), layers: Vec::new() };
        let mut layer_of: Vec<usize> = Vec::new();
        for (at, node) in graph.nodes.iter().enumerate() {
            let layer = node.uses.iter().map(|(used, _)| layer_of[*used] + 1).max().unwrap_or(0);
            layer_of.push(layer);
            // The second line is written smaller.
            let letters = |text: &str, each: f64| text.chars().count() as f64 * each;
            let letters = letters(&node.name, 8.4).max(letters(&node.about(), 7.2));
            layout.add(Place { layer, node: Some(at), width: (letters + 28.0).max(76.0), x: 0.0 });
        }
        for node in 0..graph.nodes.len() {
            for (used, label) in graph.edges(node) {
                let mut route = vec![used];
                for layer in layer_of[used] + 1..layer_of[node] {
                    route.push(layout.add(Place { layer, node: None, width: 12.0, x: 0.0 }));
                }
                route.push(node);
                layout.links.extend(route.windows(2).map(|pair| (pair[0], pair[1])));
                layout.routes.push((route, label));
            }
        }
        layout
    }

    fn add(&mut self, place: Place) -> usize {
        let id = self.places.len();
        if self.layers.len() <= place.layer {
            self.layers.resize(place.layer + 1, Vec::new());
        }
        self.layers[place.layer].push(id);
        self.places.push(place);
        id
    }

    /// Sorts every layer by the mean position of its neighbours above (going down), then below (going up).
    fn order(&mut self) {
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            let mut layers: Vec<usize> = (0..self.layers.len()).collect();
            if !down {
                layers.reverse();
            }
            for layer in layers {
                let position = self.positions();
                let key = |place: usize| {
                    let near = self.neighbours(place, down).map(|other| position[other]);
                    mean(near).unwrap_or(position[place])
                };
                let mut keyed: Vec<(f64, usize)> =
                    self.layers[layer].iter().map(|place| (key(*place), *place)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.layers[layer] = keyed.into_iter().map(|(_, place)| place).collect();
            }
        }
    }

    /// The relative position of every place in its layer, from 0 to 1.
    fn positions(&self) -> Vec<f64> {
        let mut position = vec![0.0; self.places.len()];
        for layer in &self.layers {
            for (at, place) in layer.iter().enumerate() {
                position[*place] = (at as f64 + 0.5) / layer.len() as f64;
            }
        }
        position
    }

    fn neighbours(&self, place: usize, above: bool) -> impl Iterator<Item = usize> {
        self.links.iter().filter_map(move |(from, to)| match above {
            true => (*to == place).then_some(*from),
            false => (*from == place).then_some(*to),
        })
    }

    /// Gives every place its x: as near to the mean of its neighbours as the boxes beside it allow.
    fn place(&mut self) {
        for layer in 0..self.layers.len() {
            self.pack(layer, &|_| 0.0);
        }
        for sweep in 0..SWEEPS * 2 {
            let down = sweep % 2 == 0;
            for at in 0..self.layers.len() {
                let layer = if down { at } else { self.layers.len() - 1 - at };
                let wanted: Vec<f64> = (0..self.places.len())
                    .map(|place| {
                        let near = self.neighbours(place, down).map(|other| self.places[other].x);
                        mean(near).unwrap_or(self.places[place].x)
                    })
                    .collect();
                self.pack(layer, &|place| wanted[place]);
            }
        }
        let left = self.places.iter().map(|place| place.x - place.width / 2.0).fold(f64::INFINITY, f64::min);
        for place in &mut self.places {
            place.x += MARGIN - left;
        }
    }

    /// Places a layer's boxes without overlap, in order, each as near as may be to where it wants to be: neighbours that
    /// push each other form a block, which lies at the mean of its wishes.
    fn pack(&mut self, layer: usize, wanted: &dyn Fn(usize) -> f64) {
        // A block: its places, the sum of their wished left starts, how many, and where each starts within it.
        let mut blocks: Vec<(Vec<usize>, f64, f64)> = Vec::new();
        for place in &self.layers[layer] {
            let mut block = (vec![*place], wanted(*place), self.places[*place].width);
            while let Some(last) = blocks.last() {
                let start = |block: &(Vec<usize>, f64, f64)| block.1 - block.2 / 2.0;
                if start(last) + last.2 + GAP <= start(&block) {
                    break;
                }
                let Some((mut places, centre, width)) = blocks.pop() else { break };
                let (a, b) = (places.len() as f64, block.0.len() as f64);
                let joined = width + GAP + block.2;
                // Each part's wish, as a wish for the joined block's centre.
                let (wish_a, wish_b) = (centre + (joined - width) / 2.0, block.1 - (joined - block.2) / 2.0);
                places.extend(block.0);
                block = (places, (wish_a * a + wish_b * b) / (a + b), joined);
            }
            blocks.push(block);
        }
        for (places, centre, width) in blocks {
            let mut x = centre - width / 2.0;
            for place in places {
                let own = self.places[place].width;
                self.places[place].x = x + own / 2.0;
                x += own + GAP;
            }
        }
    }

    fn edge(&self, out: &mut String, route: &[usize], label: &str) {
        let Some((first, rest)) = route.split_first() else { return };
        let mut x = self.places[*first].x;
        let mut y = top(self.places[*first].layer) + BOX;
        let mut path = format!("M{x:.1} {y:.1}");
        for id in rest {
            let place = &self.places[*id];
            let end = if place.node.is_some() { top(place.layer) - 5.0 } else { top(place.layer) };
            let bend = (end - y) / 2.0;
            let _ = write!(path, " C{x:.1} {:.1} {:.1} {:.1} {:.1} {end:.1}", y + bend, place.x, end - bend, place.x);
            (x, y) = (place.x, end);
            if place.node.is_none() {
                y += BOX;
                let _ = write!(path, " L{x:.1} {y:.1}");
            }
        }
        let _ = write!(out, "<path d=\"{path}\"/>");
        let _ = write!(out, "<path class=\"a\" d=\"M{x:.1} {:.1} l-4 -7 h8 z\"/>", y + 5.0);
        if !label.is_empty() {
            let (from, to) = (&self.places[*first], &self.places[rest.first().copied().unwrap_or(*first)]);
            // Where the first curve is at 0.7 of its way: edges that begin together are apart by then.
            let height = ROW - BOX;
            let (lx, ly) = (from.x + (to.x - from.x) * 0.784, top(from.layer) + BOX + height * 0.658 + 3.0);
            let _ = write!(out, "<text class=\"p\" x=\"{lx:.1}\" y=\"{ly:.1}\">{}</text>", xml::text(label));
        }
        out.push('\n');
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::graph::tests::digits;

    #[test]
    fn boxes_of_a_layer_do_not_overlap() {
        let mut layout = Layout::new(&digits());
        layout.order();
        layout.place();
        for layer in &layout.layers {
            for pair in layer.windows(2) {
                let (a, b) = (&layout.places[pair[0]], &layout.places[pair[1]]);
                assert!(a.x + a.width / 2.0 <= b.x - b.width / 2.0 + 1e-6);
            }
        }
    }

    #[test]
    fn every_stage_and_port_is_drawn() {
        let svg = draw(&digits());
        assert_eq!(svg.matches("<rect").count(), 6);
        assert!(svg.contains(">train, val</text>"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
