//! `multi_head_attention`, and what blocks have of it.

use super::pass::{Mask, Pass};
use super::table::Table;
use super::{Module, Site, init, int, words};
use kilter::nn::init::{Init, XavierUniform};
use kilter::nn::layers;
use tch::nn::Path;
use tch::{Device, Kind, TchError, Tensor};

/// Projections into queries, keys and values, the fused kernel, and a projection back.
pub(super) struct Attention {
    in_weight: Tensor,
    in_bias: Option<Tensor>,
    out_weight: Tensor,
    out_bias: Option<Tensor>,
    features: i64,
    heads: i64,
    causal: bool,
    dropout: f64,
    rotary: Option<Table>,
}

impl Attention {
    /// Drawn in the order of PyTorch's `MultiheadAttention`: the way back first, whose bias then becomes zero.
    pub fn new(spec: &layers::Attention, features: i64, vs: &Path<'_>) -> Result<Self, String> {
        let heads = int(spec.heads)?;
        let out = vs.sub("out_proj");
        let declared = spec.init.as_ref();
        let out_weight = init::weight(&out, &[features, features], features, declared)?;
        let out_bias = init::bias(&out, spec.bias, features, features, declared)?;
        if let Some(bias) = &out_bias {
            let _ = tch::no_grad(|| bias.shallow_clone().f_zero_()).map_err(words)?;
        }
        let xavier = Init::XavierUniform(XavierUniform::default());
        let dims = [3 * features, features];
        let in_weight = init::declared(vs, "in_proj_weight", &dims, declared.unwrap_or(&xavier))?;
        let in_bias = spec.bias.then(|| vs.f_zeros("in_proj_bias", &[3 * features]).map_err(words)).transpose()?;
        let rotary = spec.rotary.map(|base| rotations(base, features / heads));
        let (causal, dropout) = (spec.causal, spec.dropout);
        Ok(Self { in_weight, in_bias, out_weight, out_bias, features, heads, causal, dropout, rotary })
    }

    /// Tokens that look at themselves. `[batch, seq, features]` stays.
    pub fn own(&self, x: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        let parts = x.f_linear(&self.in_weight, self.in_bias.as_ref())?.f_chunk(3, -1)?;
        let [query, key, value] = [&parts[0], &parts[1], &parts[2]].map(|part| self.heads_of(part));
        let (query, key) = match &self.rotary {
            None => (query?, key?),
            Some(table) => (turned(&query?, table)?, turned(&key?, table)?),
        };
        // Padding is at the end: a token that looks back does not meet it.
        let mask = if self.causal { None } else { pass.mask.as_ref() };
        self.mix(&query, &key, &value?, mask, pass.train)
    }

    /// Tokens that look at a memory `[batch, seen, features]`.
    pub fn other(&self, x: &Tensor, name: &str, pass: &Pass) -> Result<Tensor, TchError> {
        let (memory, mask) = saved(pass, name)?;
        let rows = [self.features, 2 * self.features];
        let weights = self.in_weight.f_split_with_sizes(rows, 0)?;
        let biases = self.in_bias.as_ref().map(|bias| bias.f_split_with_sizes(rows, 0)).transpose()?;
        let bias = |index: usize| biases.as_ref().map(|biases| &biases[index]);
        let query = self.heads_of(&x.f_linear(&weights[0], bias(0))?)?;
        let parts = memory.f_linear(&weights[1], bias(1))?.f_chunk(2, -1)?;
        self.mix(&query, &self.heads_of(&parts[0])?, &self.heads_of(&parts[1])?, mask.as_ref(), pass.train)
    }

    /// `[batch, seq, features]` as `[batch, heads, seq, features / heads]`.
    fn heads_of(&self, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_unflatten(-1, [self.heads, self.features / self.heads])?.f_transpose(1, 2)
    }

    fn mix(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        mask: Option<&Mask>,
        train: bool,
    ) -> Result<Tensor, TchError> {
        let seen = mask.map(Mask::seen).transpose()?;
        let dropout = if train { self.dropout } else { 0.0 };
        let mixed = Tensor::f_scaled_dot_product_attention(query, key, value, seen, dropout, self.causal, None, false)?;
        mixed.f_transpose(1, 2)?.f_flatten(2, -1)?.f_linear(&self.out_weight, self.out_bias.as_ref())
    }
}

/// What was saved under a name, with its mask.
pub(super) fn saved<'a>(pass: &'a Pass, name: &str) -> Result<&'a (Tensor, Option<Mask>), TchError> {
    pass.saved.get(name).ok_or_else(|| TchError::Shape(format!("nothing is saved under `{name}`")))
}

/// Cosines and sines of each place, `[2, places, head / 2]`: place times `base^(−2i / head)`.
fn rotations(base: f64, head: i64) -> Table {
    Table::new(1, move |places| {
        let double = (Kind::Double, Device::Cpu);
        let exponents = Tensor::f_arange(head / 2, double)?.f_mul_scalar(-2.0 / head as f64)?;
        let rates = exponents.f_mul_scalar(base.ln())?.f_exp()?;
        let angles = Tensor::f_arange(places, double)?.f_outer(&rates)?;
        Tensor::f_stack(&[angles.f_cos()?, angles.f_sin()?], 0)
    })
}

/// The halves of each head turned by the angle of its place.
fn turned(x: &Tensor, table: &Table) -> Result<Tensor, TchError> {
    let angles = table.rows(x.size()[2], x)?;
    let (cos, sin) = (angles.f_select(0, 0)?, angles.f_select(0, 1)?);
    let halves = x.f_chunk(2, -1)?;
    let first = halves[0].f_mul(&cos)?.f_sub(&halves[1].f_mul(&sin)?)?;
    let second = halves[1].f_mul(&cos)?.f_add(&halves[0].f_mul(&sin)?)?;
    Tensor::f_cat(&[first, second], -1)
}

pub(super) struct MultiHeadAttention {
    attention: Attention,
    memory: Option<String>,
}

impl MultiHeadAttention {
    pub fn new(spec: &layers::MultiHeadAttention, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let attention = Attention::new(&spec.attention(), site.input_size(1)?, vs)?;
        Ok(Self { attention, memory: spec.memory.clone() })
    }
}

impl Module for MultiHeadAttention {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        match &self.memory {
            None => self.attention.own(&x, pass),
            Some(name) => self.attention.other(&x, name, pass),
        }
    }
}
