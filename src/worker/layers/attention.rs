//! `multi_head_attention`, and what blocks have of it.

use super::dropout::dropped;
use super::pass::{Mask, Pass};
use super::past::Past;
use super::table::Table;
use super::{Module, Site, init, int, words};
use crate::kernels;
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
    /// Heads of keys and values, which divide the others.
    kv_heads: i64,
    causal: bool,
    dropout: f64,
    rotary: Option<Table>,
}

impl Attention {
    /// Drawn in the order of PyTorch's `MultiheadAttention`: the way back first, whose bias then becomes zero.
    pub fn new(spec: &layers::Attention, features: i64, vs: &Path<'_>) -> Result<Self, String> {
        let heads = int(spec.heads)?;
        let kv_heads = spec.kv_heads.map_or(Ok(heads), int)?;
        let out = vs.sub("out_proj");
        let declared = spec.init.as_ref();
        let out_weight = init::weight(&out, &[features, features], features, declared)?;
        let out_bias = init::bias(&out, spec.bias, features, features, declared)?;
        if let Some(bias) = &out_bias {
            let _ = tch::no_grad(|| bias.shallow_clone().f_zero_()).map_err(words)?;
        }
        let xavier = Init::XavierUniform(XavierUniform::default());
        let rows = features + 2 * (features / heads * kv_heads);
        let in_weight = init::declared(vs, "in_proj_weight", &[rows, features], declared.unwrap_or(&xavier))?;
        let in_bias = spec.bias.then(|| vs.f_zeros("in_proj_bias", &[rows]).map_err(words)).transpose()?;
        let rotary = spec.rotary.map(|base| rotations(base, features / heads));
        let (causal, dropout) = (spec.causal, spec.dropout);
        Ok(Self { in_weight, in_bias, out_weight, out_bias, features, heads, kv_heads, causal, dropout, rotary })
    }

    /// Whether sequences can go on: no token looks ahead.
    pub fn goes_on(&self) -> bool {
        self.causal
    }

    /// Tokens that look at themselves. `[batch, seq, features]` stays.
    pub fn own(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        let all = kernels::linear(x, &self.in_weight, self.in_bias.as_ref())?;
        let parts = all.f_split_with_sizes([self.features, self.kv_width(), self.kv_width()], -1)?;
        let [query, key, value] = [&parts[0], &parts[1], &parts[2]].map(|part| self.heads_of(part));
        let (query, key) = match &self.rotary {
            None => (query?, key?),
            Some(table) => {
                let query = query?;
                let angles = angles(table, &query, pass.past.as_ref())?;
                (turned(&query, &angles)?, turned(&key?, &angles)?)
            }
        };
        if let Some(past) = &mut pass.past {
            return self.further(&query, key, value?, past);
        }
        // Padding is at the end: a token that looks back does not meet it.
        let mask = if self.causal { None } else { pass.mask.as_ref() };
        self.mix(&query, &key, &value?, mask.map(Mask::seen).transpose()?.as_ref(), self.causal, pass.train)
    }

    /// Tokens that look at a memory `[batch, seen, features]`.
    pub fn other(&self, x: &Tensor, name: &str, pass: &Pass) -> Result<Tensor, TchError> {
        let (memory, mask) = saved(pass, name)?;
        let rows = [self.features, 2 * self.kv_width()];
        let weights = self.in_weight.f_split_with_sizes(rows, 0)?;
        let biases = self.in_bias.as_ref().map(|bias| bias.f_split_with_sizes(rows, 0)).transpose()?;
        let bias = |index: usize| biases.as_ref().map(|biases| &biases[index]);
        let query = self.heads_of(&kernels::linear(x, &weights[0], bias(0))?)?;
        let parts = kernels::linear(memory, &weights[1], bias(1))?.f_chunk(2, -1)?;
        let (key, value) = (self.heads_of(&parts[0])?, self.heads_of(&parts[1])?);
        self.mix(&query, &key, &value, mask.as_ref().map(Mask::seen).transpose()?.as_ref(), self.causal, pass.train)
    }

    /// How many numbers wide all keys of a token are, and all its values.
    fn kv_width(&self) -> i64 {
        self.features / self.heads * self.kv_heads
    }

    /// `[batch, seq, width]` as `[batch, heads, seq, features / heads]`, of as many heads as there are in it.
    fn heads_of(&self, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_unflatten(-1, [-1, self.features / self.heads])?.f_transpose(1, 2)
    }

    /// Keys or values `[batch, kv_heads, seen, head]` as each head of queries sees them, `[batch, heads, seen, head]`: each as many times
    /// one after another as heads share it. The kernels that could do without the copies are not on every device and in all bits.
    fn shared(&self, x: &Tensor) -> Result<Tensor, TchError> {
        if self.kv_heads == self.heads {
            return Ok(x.shallow_clone());
        }
        x.f_unsqueeze(2)?.f_expand([-1, -1, self.heads / self.kv_heads, -1, -1], false)?.f_flatten(1, 2)
    }

    /// Goes on with sequences: new tokens look at those that were seen too, whose keys and values are kept.
    fn further(&self, query: &Tensor, key: Tensor, value: Tensor, past: &mut Past) -> Result<Tensor, TchError> {
        let tokens = query.size()[2];
        let (slot, mut kept) = past.take();
        if past.same() == Some(0) {
            let mixed = self.mix(query, &key, &value, None, true, false);
            past.put(slot, vec![key, value]);
            return mixed;
        }
        let width = past.width(tokens);
        let places = past.places(tokens, query.device())?;
        for (kept, new) in kept.iter_mut().zip([key, value]) {
            *kept = with_places(kept, &new, &places, width)?;
        }
        let seen = match (past.same(), tokens) {
            (Some(_), 1) => None,
            _ => {
                let all = Tensor::f_arange(width, (Kind::Int64, query.device()))?;
                Some(all.f_le_tensor(&places.f_unsqueeze(-1)?)?.f_unsqueeze(1)?)
            }
        };
        let [key, value] = [&kept[0], &kept[1]].map(|kept| kept.f_narrow(2, 0, width));
        let mixed = self.mix(query, &key?, &value?, seen.as_ref(), false, false);
        past.put(slot, kept);
        mixed
    }

    fn mix(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        seen: Option<&Tensor>,
        causal: bool,
        train: bool,
    ) -> Result<Tensor, TchError> {
        let (key, value) = (&self.shared(key)?, &self.shared(value)?);
        let mixed = match train && self.dropout > 0.0 && query.device() == Device::Cpu {
            true => self.spelt_out(query, key, value, seen, causal)?,
            false => {
                let dropout = if train { self.dropout } else { 0.0 };
                Tensor::f_scaled_dot_product_attention(query, key, value, seen, dropout, causal, None, false)?
            }
        };
        kernels::linear(&mixed.f_transpose(1, 2)?.f_flatten(2, -1)?, &self.out_weight, self.out_bias.as_ref())
    }

    /// The formula written out: libtorch does the same where weights are dropped, with a slower `dropout`.
    fn spelt_out(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        seen: Option<&Tensor>,
        causal: bool,
    ) -> Result<Tensor, TchError> {
        let head = (self.features / self.heads) as f64;
        let mut scores = query.f_mul_scalar(head.sqrt().recip())?.f_matmul(&key.f_transpose(-2, -1)?)?;
        let hidden = match seen {
            Some(seen) => Some(seen.f_logical_not()?),
            None if causal => {
                let square = [query.size()[2], key.size()[2]];
                Some(Tensor::f_ones(square, (Kind::Bool, query.device()))?.f_triu(1)?)
            }
            None => None,
        };
        if let Some(hidden) = hidden {
            scores = scores.f_masked_fill(&hidden, f64::NEG_INFINITY)?;
        }
        // What softmax gave is what its gradients are made of.
        dropped(scores.f_softmax(-1, None::<Kind>)?, self.dropout, false)?.f_matmul(value)
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

/// Cosines and sines for every token of `[batch, heads, seq, head]`: `[2, seq, head / 2]`, or where sequences go on
/// `[2, batch, 1, seq, head / 2]`.
fn angles(table: &Table, x: &Tensor, past: Option<&Past>) -> Result<Tensor, TchError> {
    let tokens = x.size()[2];
    let Some(past) = past else { return table.rows(tokens, x) };
    let places = past.places(tokens, x.device())?;
    let rows = table.rows(past.width(tokens), x)?.f_index_select(1, &places.f_flatten(0, -1)?)?;
    rows.f_view([2, places.size()[0], 1, tokens, -1])
}

/// The halves of each head turned by the angle of its place.
fn turned(x: &Tensor, angles: &Tensor) -> Result<Tensor, TchError> {
    let (cos, sin) = (angles.f_select(0, 0)?, angles.f_select(0, 1)?);
    let halves = x.f_chunk(2, -1)?;
    let first = halves[0].f_mul(&cos)?.f_sub(&halves[1].f_mul(&sin)?)?;
    let second = halves[1].f_mul(&cos)?.f_add(&halves[0].f_mul(&sin)?)?;
    Tensor::f_cat(&[first, second], -1)
}

/// Keys or values `[batch, heads, places, head]` with new ones at their places, in memory for `width` places and some more.
fn with_places(kept: &Tensor, new: &Tensor, places: &Tensor, width: i64) -> Result<Tensor, TchError> {
    let mut size = kept.size();
    let mut all = kept.shallow_clone();
    if size[2] < width {
        let before = std::mem::replace(&mut size[2], (width + 63) / 64 * 64);
        all = Tensor::f_zeros(&size, (kept.kind(), kept.device()))?;
        all.f_narrow(2, 0, before)?.f_copy_(kept)?;
    }
    let index = places.f_unsqueeze(1)?.f_unsqueeze(-1)?.f_expand_as(new)?;
    all.f_scatter_(2, &index, new)
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

    fn goes_on(&self) -> bool {
        self.memory.is_none() && self.attention.goes_on()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::seeded;
    use tch::nn::VarStore;

    fn spec(kv_heads: Option<u64>, causal: bool) -> layers::Attention {
        layers::Attention { heads: 4, kv_heads, causal, dropout: 0.0, bias: true, rotary: None, init: None }
    }

    #[test]
    fn heads_that_share_keys_see_what_libtorch_repeats_for_them() {
        let _turn = seeded(22);
        let draw = |heads: i64| Tensor::randn([2, heads, 5, 3], (Kind::Float, Device::Cpu));
        let (query, key, value) = (draw(4), draw(2), draw(2));
        let store = VarStore::new(Device::Cpu);
        let attention = Attention::new(&spec(Some(2), true), 12, &store.root()).expect("built");
        let (shared, repeated) = (attention.shared(&key).expect("shared"), key.repeat_interleave_self_int(2, 1, None));
        assert!(shared.equal(&repeated));
        let values = attention.shared(&value).expect("shared");
        let none: Option<&Tensor> = None;
        let found = Tensor::scaled_dot_product_attention(&query, &shared, &values, none, 0.0, true, None, false);
        let wanted = Tensor::scaled_dot_product_attention(&query, &key, &value, none, 0.0, true, None, true);
        assert!(found.allclose(&wanted, 1e-5, 1e-6, false));
    }

    /// As many heads of keys and values as of queries are what they are without the field, down to the bits that are drawn.
    #[test]
    fn heads_that_share_nothing_are_those_without_the_field() {
        let build = |kv_heads| {
            let _turn = seeded(23);
            let store = VarStore::new(Device::Cpu);
            let attention = Attention::new(&spec(kv_heads, true), 12, &store.root()).expect("built");
            let x = Tensor::arange(60_i64, (Kind::Float, Device::Cpu)).view([1, 5, 12]).sin();
            attention.own(&x, &mut Pass::new(false)).expect("computed")
        };
        assert!(build(None).equal(&build(Some(4))));
    }

    #[test]
    fn written_out_attention_is_the_kernels() {
        let _turn = seeded(8);
        let draw = || Tensor::randn([2, 4, 5, 3], (Kind::Float, Device::Cpu));
        let (query, key, value) = (draw(), draw(), draw());
        let seen = Mask::of(&Tensor::from_slice(&[7, 7, 0, 0, 0, 1, 2, 3, 4, 0]).view([2, 5]), 0).expect("a mask");
        let seen = seen.seen().expect("broadcast");
        for (seen, causal) in [(None, false), (None, true), (Some(&seen), false)] {
            let store = VarStore::new(Device::Cpu);
            let attention = Attention::new(&spec(None, causal), 12, &store.root()).expect("built");
            let found = attention.spelt_out(&query, &key, &value, seen, causal).expect("computed");
            let wanted = Tensor::scaled_dot_product_attention(&query, &key, &value, seen, 0.0, causal, None, false);
            assert!(found.allclose(&wanted, 1e-5, 1e-6, false), "{causal}");
        }
    }
}
