//! A whole network.

use super::Shared;
use super::parallel::joined;
use super::pass::{Mask, Pass};
use super::past::Past;
use super::sequence::Sequence;
use kilter::nn::{Architecture, Content, Join, Signal};
use kilter::types::{FeatureType, TensorType};
use std::cell::RefCell;
use std::collections::BTreeMap;
use tch::{Kind, TchError, Tensor, nn::Path};

/// A network with its parameters.
pub struct Network {
    inputs: Vec<FeatureType>,
    towers: Vec<(String, Sequence)>,
    join: Join,
    layers: Sequence,
    /// How many of the layers are frozen, with the towers: they compute as in prediction while the others train.
    frozen: Option<usize>,
}

impl Network {
    /// Builds the network, its parameters under `vs`, under the names of PyTorch's `state_dict`: `layers.0.weight`,
    /// `towers.NAME.0.weight`. They are drawn from libtorch's generator in the order of towers and layers: seed it before
    /// (`tch::manual_seed`), or overwrite them after.
    ///
    /// # Errors
    /// When a width is not filled in, or libtorch cannot make a parameter.
    pub fn build(architecture: &Architecture, vs: &Path<'_>) -> Result<Self, String> {
        let shared = Shared { cx: architecture.cx(), embedding: RefCell::new(None) };
        let mut towers = Vec::new();
        for (tower, input) in architecture.towers.iter().zip(architecture.tower_inputs()) {
            let path = vs.sub("towers").sub(&tower.name);
            let layers = Sequence::new(&tower.layers, &input, &path, &shared)
                .map_err(|message| format!("tower `{}`, {message}", tower.name))?;
            towers.push((tower.input.clone(), layers));
        }
        let layers = Sequence::new(&architecture.layers, &architecture.joined(), &vs.sub("layers"), &shared)?;
        let frozen = architecture.base.filter(|base| base.frozen).map(|base| base.layers as usize);
        Ok(Self { inputs: architecture.inputs.clone(), towers, join: architecture.join, layers, frozen })
    }

    /// The outputs for a batch of rows. `inputs` holds every feature as it is stored, the batch first: `u8` is divided by
    /// its scale here, `i64` goes to embeddings. For a category the result is `[batch, classes]` of logits; for a binary target or a
    /// number it is `[batch, 1]`, which is left to the caller to squeeze. With `train`, dropout is on and batch
    /// norms use and note the batch's statistics.
    ///
    /// # Errors
    /// When an input is missing or has another shape, or libtorch runs out of memory.
    pub fn forward(&self, inputs: &BTreeMap<String, Tensor>, train: bool) -> Result<Tensor, TchError> {
        self.pass(inputs, Pass::new(train && self.frozen.is_none()), train).map(|(outputs, _)| outputs)
    }

    /// Whether it can be given sequences of tokens bit by bit.
    pub fn goes_on(&self) -> bool {
        self.towers.is_empty() && self.inputs.len() == 1 && self.layers.goes_on()
    }

    /// The outputs for tokens that follow those of a past, which has them then too; `new` says how many of each row do, the others
    /// fill the row up. Only for a network that [goes on](Self::goes_on).
    ///
    /// # Errors
    /// Those of [`Self::forward`].
    pub fn go_on(&self, tokens: &Tensor, new: &[i64], mut past: Past) -> Result<(Tensor, Past), TchError> {
        let inputs = self.inputs.iter().map(|feature| (feature.name.clone(), tokens.shallow_clone())).collect();
        past.begin(new);
        let (outputs, past) = self.pass(&inputs, Pass { past: Some(past), ..Pass::new(false) }, false)?;
        let mut past = past.ok_or_else(|| TchError::Shape("the past of a sequence is lost".to_owned()))?;
        past.end();
        Ok((outputs, past))
    }

    fn pass(
        &self,
        inputs: &BTreeMap<String, Tensor>,
        mut pass: Pass,
        train: bool,
    ) -> Result<(Tensor, Option<Past>), TchError> {
        let joined = match (self.inputs.as_slice(), self.towers.as_slice()) {
            ([only], []) => {
                let x = numbers(only, inputs)?;
                if pass.past.is_none() {
                    pass.mask = mask(only, &x)?;
                }
                x
            }
            (features, []) => {
                let parts = features.iter().map(|feature| flat(numbers(feature, inputs)?));
                Tensor::f_cat(&parts.collect::<Result<Vec<_>, TchError>>()?, 1)?
            }
            (_, towers) => {
                let parts = towers.iter().map(|(input, layers)| {
                    let feature = self.feature(input)?;
                    let x = numbers(feature, inputs)?;
                    pass.mask = mask(feature, &x)?;
                    flat(layers.forward(x, &mut pass)?)
                });
                let joined = joined(&parts.collect::<Result<Vec<_>, TchError>>()?, self.join);
                pass.mask = None;
                joined?
            }
        };
        let (first, last) = self.layers.split_at(self.frozen.unwrap_or(0));
        let taken = Sequence::through(first, joined, &mut pass)?;
        pass.train = train;
        let outputs = Sequence::through(last, taken, &mut pass)?;
        Ok((outputs, pass.past))
    }

    fn feature(&self, name: &str) -> Result<&FeatureType, TchError> {
        self.inputs.iter().find(|feature| feature.name == name).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> TchError {
    TchError::Shape(format!("the batch has no feature `{name}`"))
}

/// A feature as its layers take it: numbers as `f32`, indices as `i64`.
fn numbers(feature: &FeatureType, inputs: &BTreeMap<String, Tensor>) -> Result<Tensor, TchError> {
    let stored = inputs.get(&feature.name).ok_or_else(|| missing(&feature.name))?;
    if matches!(Signal::of(feature).content, Content::Indices(_)) {
        return stored.f_to_kind(Kind::Int64);
    }
    // A conversion gives a fresh tensor; the same kind gives the stored one, which stays as it is.
    match (feature.dtype, feature.scale) {
        (TensorType::U8, Some(scale)) if stored.kind() == Kind::Uint8 => {
            stored.f_to_kind(Kind::Float)?.f_div_scalar_(scale)
        }
        // Rows that were mixed are no bytes any more.
        (TensorType::U8, Some(scale)) => stored.f_div_scalar(scale),
        _ if stored.kind() == Kind::Uint8 => stored.f_to_kind(Kind::Float),
        _ => Ok(stored.shallow_clone()),
    }
}

/// Which places of a feature of tokens are none.
fn mask(feature: &FeatureType, tokens: &Tensor) -> Result<Option<Mask>, TchError> {
    match feature.padding {
        Some(padding) if tokens.dim() == 2 => Mask::of(tokens, padding.cast_signed()).map(Some),
        _ => Ok(None),
    }
}

/// A vector per row.
fn flat(x: Tensor) -> Result<Tensor, TchError> {
    match x.dim() {
        1 => x.f_unsqueeze(1),
        2 => Ok(x),
        _ => x.f_flatten(1, -1),
    }
}
