//! What goes along with a batch on its way through a network.

use super::past::Past;
use std::collections::BTreeMap;
use tch::{Kind, TchError, Tensor};

/// What goes along with a batch: whether it trains, which of its places are tokens, what was saved.
pub(super) struct Pass {
    /// Whether dropout is on and batch norms note statistics.
    pub train: bool,
    /// Which places of the tokens are none, while the second dimension is that of tokens that may be padding.
    pub mask: Option<Mask>,
    /// What `save` kept.
    pub saved: BTreeMap<String, (Tensor, Option<Mask>)>,
    /// What layers kept of the tokens before these, where these only go on.
    pub past: Option<Past>,
}

impl Pass {
    pub fn new(train: bool) -> Self {
        Self { train, mask: None, saved: BTreeMap::new(), past: None }
    }
}

/// Which places hold tokens: true, and false where there is padding. `[batch, seq]`.
pub(super) struct Mask(Tensor);

impl Clone for Mask {
    fn clone(&self) -> Self {
        Self(self.0.shallow_clone())
    }
}

impl Mask {
    /// Of tokens `[batch, seq]`. Something to look at is needed in every row, so that a row of padding alone counts as one token.
    pub fn of(tokens: &Tensor, padding: i64) -> Result<Self, TchError> {
        let mask = tokens.f_ne(padding)?;
        let _ = mask.f_narrow(1, 0, 1.min(mask.size()[1]))?.f_fill_(1)?;
        Ok(Self(mask))
    }

    /// `[batch, seq]`.
    pub fn tokens(&self) -> &Tensor {
        &self.0
    }

    /// `[batch, 1, 1, seq]`, for every head and every token that looks.
    pub fn seen(&self) -> Result<Tensor, TchError> {
        self.0.f_unsqueeze(1)?.f_unsqueeze(1)
    }

    /// 1 and 0 beside the features: `[batch, seq, 1]`.
    pub fn factor(&self, like: &Tensor) -> Result<Tensor, TchError> {
        self.0.f_unsqueeze(-1)?.f_to_kind(like.kind())
    }

    /// How many tokens each row has, `[batch]`. Padding is at the end, so this is where it begins.
    pub fn lengths(&self) -> Result<Tensor, TchError> {
        self.0.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Int64)
    }

    /// For each place the one that stands there when the tokens of a row are turned around and its padding stays, `[batch, seq]`.
    pub fn turned(&self) -> Result<Tensor, TchError> {
        let places = Tensor::f_arange(self.0.size()[1], (Kind::Int64, self.0.device()))?.f_unsqueeze(0)?;
        let mirrored = self.lengths()?.f_sub_scalar(1)?.f_unsqueeze(1)?.f_sub(&places)?;
        mirrored.f_where_self(&self.0, &places)
    }
}

/// Of each row of `[batch, seq, features]` the vector at one place, `places` being `[batch]`.
pub(super) fn at(x: &Tensor, places: &Tensor) -> Result<Tensor, TchError> {
    let features = x.size().last().copied().unwrap_or(0);
    let index = places.f_view([-1, 1, 1])?.f_expand([-1, 1, features], false)?;
    x.f_gather(1, &index, false)?.f_squeeze_dim(1)
}

/// Of each row of `[batch, seq, features]` the vectors at places `[batch, seq]`.
pub(super) fn at_each(x: &Tensor, places: &Tensor) -> Result<Tensor, TchError> {
    let features = x.size().last().copied().unwrap_or(0);
    x.f_gather(1, &places.f_unsqueeze(-1)?.f_expand([-1, -1, features], false)?, false)
}
