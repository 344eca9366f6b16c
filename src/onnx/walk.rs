//! Through a network layer by layer, with what goes along: the mask of tokens, and what was saved.

use super::graph::{Attribute, Graph};
use super::message::{FLOAT, INT32, INT64};
use super::{Refusal, Weights, is_indices};
use crate::nn::layers::{Parallel, Residual};
use crate::nn::{InferCx, Join, LayerSpec, Signal};
use std::collections::BTreeMap;

/// What goes along on the way through a network, as in the worker's `Pass`.
pub(super) struct Flow<'a> {
    pub graph: Graph,
    pub weights: &'a Weights,
    cx: InferCx,
    /// Which places hold tokens, `[batch, seq]`, while tokens may be padding.
    pub mask: Option<String>,
    /// What `save` kept, with its mask.
    saved: BTreeMap<String, (String, Option<String>)>,
    /// The table of the first embedding, which a tied layer shares.
    pub embedding: Option<String>,
}

/// A layer at its place.
pub(super) struct Site<'a> {
    /// Where its weights lie: `layers.3`.
    pub path: String,
    /// The value that it takes.
    pub input: &'a str,
    pub before: &'a Signal,
    pub after: &'a Signal,
}

impl<'a> Flow<'a> {
    pub fn new(graph: Graph, weights: &'a Weights, cx: InferCx) -> Self {
        Self { graph, weights, cx, mask: None, saved: BTreeMap::new(), embedding: None }
    }

    /// Layers one after another: the value they give, and its shape. Their weights lie under `path`.
    pub fn walk(
        &mut self,
        specs: &[LayerSpec],
        path: &str,
        input: &str,
        signal: &Signal,
    ) -> Result<(String, Signal), Refusal> {
        let (mut value, mut before) = (input.to_owned(), signal.clone());
        for (index, spec) in specs.iter().enumerate() {
            let after = spec.infer_next(&before, &self.cx).map_err(|error| Refusal(error.message))?;
            let path = format!("{path}.{index}");
            let site = Site { path, input: &value, before: &before, after: &after };
            value = self.layer(&site, spec)?;
            if after.padding.is_none() {
                self.mask = None;
            }
            before = after;
        }
        Ok((value, before))
    }

    fn layer(&mut self, site: &Site<'_>, spec: &LayerSpec) -> Result<String, Refusal> {
        match spec {
            LayerSpec::Residual(spec) => self.residual(site, spec),
            LayerSpec::Parallel(spec) => self.parallel(site, spec),
            LayerSpec::Save(spec) => {
                self.saved.insert(spec.name.clone(), (site.input.to_owned(), self.mask.clone()));
                Ok(site.input.to_owned())
            }
            LayerSpec::Add(spec) => {
                let (kept, _) = self.saved(&spec.name)?;
                Ok(self.graph.op("Add", &[site.input, &kept]))
            }
            LayerSpec::Concat(spec) => {
                let (kept, _) = self.saved(&spec.name)?;
                Ok(self.graph.node("Concat", &[site.input, &kept], &[("axis", Attribute::Int(spec.dim))]))
            }
            other => site.build(other, self),
        }
    }

    /// What was saved under a name, and its mask.
    pub fn saved(&self, name: &str) -> Result<(String, Option<String>), Refusal> {
        self.saved.get(name).cloned().ok_or_else(|| Refusal(format!("nothing is saved under `{name}`")))
    }

    fn residual(&mut self, site: &Site<'_>, spec: &Residual) -> Result<String, Refusal> {
        if is_indices(site.before) && spec.shortcut.is_empty() {
            return Err(Refusal(format!("`residual` (`{}`) adds to category indices", site.path)));
        }
        let before = self.mask.clone();
        let part = |name: &str| format!("{}.{name}", site.path);
        let (body, _) = self.walk(&spec.layers, &part("layers"), site.input, site.before)?;
        let after = std::mem::replace(&mut self.mask, before);
        let (short, _) = self.walk(&spec.shortcut, &part("shortcut"), site.input, site.before)?;
        self.mask = after;
        Ok(self.graph.op("Add", &[&body, &short]))
    }

    fn parallel(&mut self, site: &Site<'_>, spec: &Parallel) -> Result<String, Refusal> {
        let before = self.mask.clone();
        let mut first = None;
        let mut results = Vec::new();
        for (index, branch) in spec.branches.iter().enumerate() {
            self.mask.clone_from(&before);
            let path = format!("{}.branches.{index}", site.path);
            results.push(self.walk(branch, &path, site.input, site.before)?);
            first.get_or_insert_with(|| self.mask.clone());
        }
        self.mask = first.flatten();
        self.joined(&results, spec.join)
    }

    /// One result out of several.
    pub fn joined(&mut self, results: &[(String, Signal)], join: Join) -> Result<String, Refusal> {
        let Some(((first, signal), others)) = results.split_first() else {
            return Err(Refusal("nothing is joined".to_owned()));
        };
        let mut all =
            |op: &str| others.iter().fold(first.clone(), |value, (other, _)| self.graph.op(op, &[&value, other]));
        Ok(match join {
            Join::Concat => {
                let parts: Vec<&str> = results.iter().map(|(value, _)| value.as_str()).collect();
                self.graph.node("Concat", &parts, &[("axis", Attribute::Int(1))])
            }
            Join::Sum => all("Add"),
            Join::Product => all("Mul"),
            Join::Dot => {
                let products = all("Mul");
                let flat = self.flat(&products, signal)?;
                self.graph.reduce("ReduceSum", &flat, &[1], true)
            }
        })
    }

    /// A vector per row.
    pub fn flat(&mut self, value: &str, signal: &Signal) -> Result<String, Refusal> {
        let width: u64 = super::sizes(signal)?.iter().product();
        Ok(self.graph.shaped(value, &[-1, width.cast_signed()]))
    }

    /// Notes which places of tokens `[batch, seq]` are none. The first counts as one, so that each row has something to look at.
    pub fn look_for(&mut self, padding: u64, tokens: &str, seq: u64) {
        let padding = self.graph.int(padding.cast_signed());
        let is_padding = self.graph.op("Equal", &[tokens, &padding]);
        let is_token = self.graph.op("Not", &[&is_padding]);
        let places: Vec<bool> = (0..seq).map(|place| place == 0).collect();
        let first = self.graph.bools(vec![1, seq.cast_signed()], &places);
        self.mask = Some(self.graph.op("Or", &[&is_token, &first]));
    }

    /// How many tokens each row has, `[batch]`.
    pub fn lengths(&mut self, mask: &str) -> String {
        let ones = self.graph.cast(mask, INT64);
        self.graph.reduce("ReduceSum", &ones, &[1], false)
    }

    /// The same as the 32 bits that recurrent operators take.
    pub fn short_lengths(&mut self, mask: &str) -> String {
        let lengths = self.lengths(mask);
        self.graph.cast(&lengths, INT32)
    }

    /// 1 and 0 beside the features: `[batch, seq, 1]`.
    pub fn factor(&mut self, mask: &str) -> String {
        let factor = self.graph.cast(mask, FLOAT);
        self.graph.unsqueeze(&factor, &[2])
    }
}

impl Site<'_> {
    /// One of its weights.
    pub fn weight(&self, name: &str, flow: &mut Flow<'_>) -> Result<String, Refusal> {
        flow.graph.weight(&format!("{}.{name}", self.path), flow.weights)
    }

    /// One of its weights, where it has it.
    pub fn optional(&self, name: &str, flow: &mut Flow<'_>) -> Result<Option<String>, Refusal> {
        flow.weights.contains_key(&format!("{}.{name}", self.path)).then(|| self.weight(name, flow)).transpose()
    }

    /// How many elements a dimension of its input has.
    pub fn size(&self, dim: usize) -> Result<i64, Refusal> {
        let sizes = super::sizes(self.before)?;
        sizes
            .get(dim)
            .map(|size| size.cast_signed())
            .ok_or_else(|| Refusal(format!("`{}` takes too little", self.path)))
    }
}
