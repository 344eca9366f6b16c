//! Attention and transformer blocks as ONNX operators.

use super::layers::product;
use super::norms::normalised;
use super::walk::{Flow, Site};
use super::{Refusal, activations};
use crate::nn::layers::{Attention, MultiHeadAttention, NormPlace, Stack};

/// Attention at a place in a network: where its weights lie, how it is made, and how wide its tokens are.
struct Heads<'a> {
    path: String,
    spec: &'a Attention,
    seq: i64,
    features: i64,
}

/// `multi_head_attention`
pub(super) fn layer(site: &Site<'_>, spec: &MultiHeadAttention, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let attention = spec.attention();
    let (seq, features) = (site.size(0)?, site.size(1)?);
    let heads = Heads { path: site.path.clone(), spec: &attention, seq, features };
    match &spec.memory {
        None => heads.own(site.input, flow),
        Some(name) => heads.other(site.input, name, flow),
    }
}

impl Heads<'_> {
    /// Tokens that look at themselves.
    fn own(&self, x: &str, flow: &mut Flow<'_>) -> Result<String, Refusal> {
        let weight = flow.graph.weight(&self.name("in_proj_weight"), flow.weights)?;
        let bias = self.bias("in_proj_bias", flow)?;
        let all = product(x, &weight, bias.as_deref(), flow);
        let parts = self.parts(&all, flow)?;
        let [mut query, mut key, value] = self.divided([&parts[0], &parts[1], &parts[2]], flow);
        if let Some(base) = self.spec.rotary {
            let angles = self.rotations(base, flow);
            [query, key] = [query, key].map(|part| turned(&part, &angles, flow));
        }
        // Padding is at the end: a token that looks back does not meet it.
        let hidden = match flow.mask.clone() {
            _ if self.spec.causal => Some(self.behind(flow)),
            Some(mask) => Some(unseen(&mask, flow)),
            None => None,
        };
        self.mix([&query, &key, &value], hidden.as_deref(), flow)
    }

    /// Tokens that look at a memory.
    fn other(&self, x: &str, memory: &str, flow: &mut Flow<'_>) -> Result<String, Refusal> {
        let (memory, mask) = flow.saved(memory)?;
        let width = self.features.unsigned_abs() as usize;
        let all = width + 2 * self.kv_width()?.unsigned_abs() as usize;
        let part = |name: &str, from: usize, to: usize, flow: &mut Flow<'_>| {
            flow.graph.rows(&self.name(name), from, to, flow.weights)
        };
        let bias = |from: usize, to: usize, flow: &mut Flow<'_>| {
            self.spec.bias.then(|| part("in_proj_bias", from, to, flow)).transpose()
        };
        let (weight, own) = (part("in_proj_weight", 0, width, flow)?, bias(0, width, flow)?);
        let query = product(x, &weight, own.as_deref(), flow);
        let (weight, theirs) = (part("in_proj_weight", width, all, flow)?, bias(width, all, flow)?);
        let both = product(&memory, &weight, theirs.as_deref(), flow);
        let parts = flow.graph.chunks(&both, 2);
        let [query, key, value] = self.divided([&query, &parts[0], &parts[1]], flow);
        let hidden = mask.map(|mask| unseen(&mask, flow));
        self.mix([&query, &key, &value], hidden.as_deref(), flow)
    }

    fn name(&self, weight: &str) -> String {
        format!("{}.{weight}", self.path)
    }

    fn bias(&self, name: &str, flow: &mut Flow<'_>) -> Result<Option<String>, Refusal> {
        self.spec.bias.then(|| flow.graph.weight(&self.name(name), flow.weights)).transpose()
    }

    fn head(&self) -> i64 {
        self.features / self.spec.heads.cast_signed().max(1)
    }

    /// How many numbers wide all keys of a token are, and all its values.
    fn kv_width(&self) -> Result<i64, Refusal> {
        let width = self.spec.kv_width(self.features.unsigned_abs()).map(u64::cast_signed);
        width.ok_or_else(|| Refusal(format!("`{}` has too many heads", self.path)))
    }

    /// Queries, keys and values side by side taken apart.
    fn parts(&self, all: &str, flow: &mut Flow<'_>) -> Result<Vec<String>, Refusal> {
        let (width, narrow) = (self.features, self.kv_width()?);
        if width == narrow {
            return Ok(flow.graph.chunks(all, 3));
        }
        let ends = [(0, width), (width, width + narrow), (width + narrow, width + 2 * narrow)];
        Ok(ends.map(|(from, to)| flow.graph.slice(all, 2, from, to)).into())
    }

    /// Queries, keys and values `[batch, seq, width]` as `[batch, heads, seq, features / heads]`, each of its heads.
    fn divided(&self, parts: [&String; 3], flow: &mut Flow<'_>) -> [String; 3] {
        let few = self.kv_heads();
        let mut heads = [self.spec.heads.cast_signed(), few, few].into_iter();
        parts.map(|part| {
            let divided = flow.graph.shaped(part, &[0, 0, heads.next().unwrap_or(few), self.head()]);
            flow.graph.turn(&divided, &[0, 2, 1, 3])
        })
    }

    fn kv_heads(&self) -> i64 {
        self.spec.kv_heads.unwrap_or(self.spec.heads).cast_signed()
    }

    /// Keys or values as each head of queries sees them: each as many times one after another as heads share it.
    fn shared(&self, x: &str, flow: &mut Flow<'_>) -> String {
        let (heads, few) = (self.spec.heads.cast_signed(), self.kv_heads());
        if few == heads {
            return x.to_owned();
        }
        let apart = flow.graph.unsqueeze(x, &[2]);
        let times = flow.graph.ints(&[1, 1, heads / few.max(1), 1, 1]);
        let repeated = flow.graph.op("Expand", &[&apart, &times]);
        flow.graph.shaped(&repeated, &[0, heads, -1, self.head()])
    }

    /// Each query's mean of the values, weighted by how its key matches; projected back. `hidden` is added to the scores.
    fn mix(
        &self,
        [query, key, value]: [&str; 3],
        hidden: Option<&str>,
        flow: &mut Flow<'_>,
    ) -> Result<String, Refusal> {
        let weight = flow.graph.weight(&self.name("out_proj.weight"), flow.weights)?;
        let bias = self.bias("out_proj.bias", flow)?;
        let (key, value) = (self.shared(key, flow), self.shared(value, flow));
        let graph = &mut flow.graph;
        let scale = graph.number(1.0 / (self.head() as f64).sqrt());
        let query = graph.op("Mul", &[query, &scale]);
        let key = graph.turn(&key, &[0, 1, 3, 2]);
        let mut scores = graph.op("MatMul", &[&query, &key]);
        if let Some(hidden) = hidden {
            scores = graph.op("Add", &[&scores, hidden]);
        }
        let shares = graph.op("Softmax", &[&scores]);
        let mixed = graph.op("MatMul", &[&shares, &value]);
        let mixed = graph.turn(&mixed, &[0, 2, 1, 3]);
        let mixed = graph.shaped(&mixed, &[0, 0, self.features]);
        Ok(product(&mixed, &weight, bias.as_deref(), flow))
    }

    /// What is added to the scores so that a token sees itself and what is before it: `[seq, seq]`.
    fn behind(&self, flow: &mut Flow<'_>) -> String {
        let score = |place: i64| if place % self.seq > place / self.seq { f32::NEG_INFINITY } else { 0.0 };
        let scores: Vec<f32> = (0..self.seq * self.seq).map(score).collect();
        flow.graph.constant(vec![self.seq, self.seq], &scores)
    }

    /// Cosines and sines of each place, `[seq, head / 2]`.
    fn rotations(&self, base: f64, flow: &mut Flow<'_>) -> [String; 2] {
        let (head, pairs) = (self.head(), self.head() / 2);
        let rate = |pair: i64| (pair as f64 * (-2.0 / head as f64) * base.ln()).exp();
        let angles: Vec<f64> =
            (0..self.seq).flat_map(|place| (0..pairs).map(move |pair| place as f64 * rate(pair))).collect();
        [f64::cos, f64::sin].map(|of| {
            let values: Vec<f32> = angles.iter().map(|angle| of(*angle) as f32).collect();
            flow.graph.constant(vec![self.seq, pairs], &values)
        })
    }
}

/// The halves of each head turned by the angle of its place.
fn turned(x: &str, [cos, sin]: &[String; 2], flow: &mut Flow<'_>) -> String {
    let graph = &mut flow.graph;
    let halves = graph.chunks(x, 2);
    let mut product = |half: usize, by: &str| graph.op("Mul", &[&halves[half], by]);
    let [first_cos, first_sin, second_cos, second_sin] =
        [product(0, cos), product(0, sin), product(1, cos), product(1, sin)];
    let first = graph.op("Sub", &[&first_cos, &second_sin]);
    let second = graph.op("Add", &[&second_cos, &first_sin]);
    graph.node("Concat", &[&first, &second], &[("axis", super::graph::Attribute::Int(-1))])
}

/// What is added to the scores so that padding is not seen: `[batch, 1, 1, seq]`.
fn unseen(mask: &str, flow: &mut Flow<'_>) -> String {
    let (seen, unseen) = (flow.graph.number(0.0), flow.graph.number(f64::NEG_INFINITY));
    let scores = flow.graph.op("Where", &[mask, &seen, &unseen]);
    flow.graph.unsqueeze(&scores, &[1, 2])
}

/// `transformer_encoder` and `transformer_decoder`: blocks one after another.
pub(super) fn transformer(site: &Site<'_>, spec: &Stack, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let (seq, features) = (site.size(0)?, site.size(1)?);
    let attention = Attention { causal: false, rotary: None, ..spec.attention.clone() };
    let mut x = site.input.to_owned();
    for index in 0..spec.layers {
        let path = format!("{}.layers.{index}", site.path);
        let heads = |name: &str, spec| Heads { path: format!("{path}.{name}"), spec, seq, features };
        let block = Block { path: &path, spec, eps: spec.eps };
        x = block.part(1, x, flow, |x, flow| heads("self_attn", &spec.attention).own(x, flow))?;
        let mut last = 2;
        if let Some(memory) = &spec.memory {
            x = block.part(2, x, flow, |x, flow| heads("multihead_attn", &attention).other(x, memory, flow))?;
            last = 3;
        }
        x = block.part(last, x, flow, |x, flow| block.feed_forward(x, flow))?;
    }
    Ok(x)
}

/// One of the blocks.
struct Block<'a> {
    path: &'a str,
    spec: &'a Stack,
    eps: f64,
}

impl Block<'_> {
    /// A part with the sum around it, and the norm of its number.
    fn part(
        &self,
        number: usize,
        x: String,
        flow: &mut Flow<'_>,
        of: impl FnOnce(&str, &mut Flow<'_>) -> Result<String, Refusal>,
    ) -> Result<String, Refusal> {
        match self.spec.norm {
            NormPlace::Pre => {
                let before = self.norm(number, &x, flow)?;
                let y = of(&before, flow)?;
                Ok(flow.graph.op("Add", &[&y, &x]))
            }
            NormPlace::Post => {
                let y = of(&x, flow)?;
                let sum = flow.graph.op("Add", &[&y, &x]);
                self.norm(number, &sum, flow)
            }
        }
    }

    fn weight(&self, name: &str, flow: &mut Flow<'_>) -> Result<String, Refusal> {
        flow.graph.weight(&format!("{}.{name}", self.path), flow.weights)
    }

    fn bias(&self, name: &str, flow: &mut Flow<'_>) -> Result<Option<String>, Refusal> {
        self.spec.attention.bias.then(|| self.weight(name, flow)).transpose()
    }

    fn norm(&self, number: usize, x: &str, flow: &mut Flow<'_>) -> Result<String, Refusal> {
        let weight = self.weight(&format!("norm{number}.weight"), flow)?;
        let bias = self.bias(&format!("norm{number}.bias"), flow)?;
        Ok(normalised(x, &weight, bias.as_deref(), (-1, self.eps), flow))
    }

    fn feed_forward(&self, x: &str, flow: &mut Flow<'_>) -> Result<String, Refusal> {
        let linear = |name: &str, x: &str, flow: &mut Flow<'_>| {
            let weight = self.weight(&format!("{name}.weight"), flow)?;
            let bias = self.bias(&format!("{name}.bias"), flow)?;
            Ok(product(x, &weight, bias.as_deref(), flow))
        };
        let middle = linear("linear1", x, flow)?;
        let bent = activations::of_block(self.spec.activation, &middle, &mut flow.graph);
        linear("linear2", &bent, flow)
    }
}
