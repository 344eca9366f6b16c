//! `transformer_encoder` and `transformer_decoder`.

use super::attention::Attention;
use super::dropout::dropped;
use super::pass::Pass;
use super::{Module, Site, init, int};
use crate::{bfloat, kernels};
use kilter::nn::layers::{self, BlockActivation, NormPlace, Stack};
use tch::{TchError, Tensor, nn::Path};

/// Blocks one after another, under the names of PyTorch's `TransformerEncoder` and `TransformerDecoder`.
pub(super) struct Transformer {
    blocks: Vec<Block>,
}

impl Transformer {
    pub fn new(spec: &Stack, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let features = site.input_size(1)?;
        let block = |index| Block::new(spec, features, &vs.sub("layers").sub(index));
        Ok(Self { blocks: (0..spec.layers).map(block).collect::<Result<_, _>>()? })
    }
}

impl Module for Transformer {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        self.blocks.iter().try_fold(x, |x, block| block.forward(x, pass))
    }

    fn goes_on(&self) -> bool {
        self.blocks.iter().all(|block| block.other.is_none() && block.own.goes_on())
    }
}

struct Matrix {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Matrix {
    fn new(inputs: i64, out: i64, like: &layers::Attention, vs: &Path<'_>) -> Result<Self, String> {
        let declared = like.init.as_ref();
        let weight = init::weight(vs, &[out, inputs], inputs, declared)?;
        Ok(Self { weight, bias: init::bias(vs, like.bias, out, inputs, declared)? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        kernels::linear(x, &self.weight, self.bias.as_ref())
    }
}

struct Norm {
    weight: Tensor,
    bias: Option<Tensor>,
    eps: f64,
}

impl Norm {
    fn new(features: i64, bias: bool, eps: f64, vs: &Path<'_>) -> Result<Self, String> {
        let weight = vs.set_group(super::NORM).f_ones("weight", &[features]).map_err(super::words)?;
        let bias = bias.then(|| vs.f_zeros("bias", &[features]).map_err(super::words)).transpose()?;
        Ok(Self { weight, bias, eps })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        bfloat::layer_norm(x, &self.weight.size(), Some(&self.weight), self.bias.as_ref(), self.eps)
    }
}

struct Block {
    own: Attention,
    /// What it looks at besides itself.
    other: Option<(Attention, String)>,
    linear1: Matrix,
    linear2: Matrix,
    /// One for each part, in their order.
    norms: Vec<Norm>,
    activation: BlockActivation,
    place: NormPlace,
    dropout: f64,
}

/// What a block consists of.
#[derive(Clone, Copy)]
enum Part {
    Own,
    Other,
    FeedForward,
}

impl Block {
    fn new(spec: &Stack, features: i64, vs: &Path<'_>) -> Result<Self, String> {
        let bias = spec.attention.bias;
        let middle = int(spec.middle(features.unsigned_abs()))?;
        let own = Attention::new(&spec.attention, features, &vs.sub("self_attn"))?;
        let other = match &spec.memory {
            None => None,
            Some(name) => {
                let attention = layers::Attention { causal: false, rotary: None, ..spec.attention.clone() };
                Some((Attention::new(&attention, features, &vs.sub("multihead_attn"))?, name.clone()))
            }
        };
        let linear1 = Matrix::new(features, middle, &spec.attention, &vs.sub("linear1"))?;
        let linear2 = Matrix::new(middle, features, &spec.attention, &vs.sub("linear2"))?;
        let norms = (1..=2 + usize::from(other.is_some()))
            .map(|number| Norm::new(features, bias, spec.eps, &vs.sub(format!("norm{number}"))))
            .collect::<Result<_, _>>()?;
        let (activation, place, dropout) = (spec.activation, spec.norm, spec.dropout);
        Ok(Self { own, other, linear1, linear2, norms, activation, place, dropout })
    }

    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        let parts: &[Part] = match self.other {
            None => &[Part::Own, Part::FeedForward],
            Some(_) => &[Part::Own, Part::Other, Part::FeedForward],
        };
        parts.iter().zip(&self.norms).try_fold(x, |x, (part, norm)| match self.place {
            NormPlace::Pre => self.part(*part, &norm.forward(&x)?, pass)?.f_add_(&x),
            NormPlace::Post => norm.forward(&self.part(*part, &x, pass)?.f_add_(&x)?),
        })
    }

    fn part(&self, part: Part, x: &Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        let y = match (part, &self.other) {
            (Part::Own, _) => self.own.own(x, pass)?,
            (Part::Other, Some((attention, name))) => attention.other(x, name, pass)?,
            (Part::Other, None) => return Ok(x.shallow_clone()),
            (Part::FeedForward, _) => {
                let middle = self.activate(self.linear1.forward(x)?)?;
                // What relu gave is what its gradients are made of.
                let overwrite = self.activation != BlockActivation::Relu;
                self.linear2.forward(&self.drop(middle, overwrite, pass)?)?
            }
        };
        self.drop(y, true, pass)
    }

    fn activate(&self, mut x: Tensor) -> Result<Tensor, TchError> {
        match self.activation {
            BlockActivation::Relu => x.f_relu_(),
            BlockActivation::Gelu => x.f_gelu("none"),
            BlockActivation::GeluTanh => x.f_gelu("tanh"),
            BlockActivation::Silu => x.f_silu(),
        }
    }

    fn drop(&self, x: Tensor, overwrite: bool, pass: &Pass) -> Result<Tensor, TchError> {
        if pass.train { dropped(x, self.dropout, overwrite) } else { Ok(x) }
    }
}
