//! How several results become one: of towers, and of the branches of `parallel`.

use super::layer::{Content, Saved, Signal};
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How several results become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Join {
    /// Side by side, along the first dimension.
    #[default]
    Concat,
    /// Added, element by element.
    Sum,
    /// Multiplied, element by element.
    Product,
    /// The sum of the products of their elements: one number a row. For two results, the match of a user and an item.
    Dot,
}

impl Join {
    /// Its name in a manifest.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Concat => "concat",
            Self::Sum => "sum",
            Self::Product => "product",
            Self::Dot => "dot",
        }
    }

    /// Whether it is the one that nothing has to be said for.
    #[must_use]
    pub fn is_concat(&self) -> bool {
        *self == Self::Concat
    }

    /// What the results give together, or which of them does not fit the first and the words for it.
    pub(crate) fn infer(self, results: &[Signal]) -> Result<Signal, (usize, String)> {
        let Some(first) = results.first() else { return Ok(Signal::numbers(Shape(vec![Dim::Unknown]))) };
        if let Some(index) = results.iter().position(|result| result.content != Content::Numbers) {
            return Err((index, "category indices are no numbers; begin with `{ embedding = 16 }`".to_owned()));
        }
        let free = usize::from(self == Self::Concat);
        for (index, other) in results.iter().enumerate().skip(1) {
            let same_rank = other.shape.rank() == first.shape.rank();
            let pairs = || first.shape.0.iter().zip(&other.shape.0).skip(free);
            if !same_rank || !pairs().all(|(a, b)| a.compatible(b)) {
                return Err((index, format!("{} and {}", first.shape, other.shape)));
            }
        }
        let mut shape = first.shape.clone();
        match self {
            Self::Concat => {
                let sizes = results.iter().map(|result| result.shape.0.first().map_or(Some(1), Dim::size));
                let total = sizes.sum::<Option<u64>>().map_or(Dim::Unknown, Dim::Fixed);
                match shape.0.first_mut() {
                    Some(dim) => *dim = total,
                    None => shape.0.push(total),
                }
            }
            Self::Sum | Self::Product => {}
            Self::Dot => shape = Shape::fixed(&[1]),
        }
        let padding = if matches!(self, Self::Sum | Self::Product) { first.padding } else { None };
        let saved: Saved = results.iter().flat_map(|result| result.saved.clone()).collect();
        Ok(Signal { padding, saved, ..Signal::numbers(shape) })
    }
}
