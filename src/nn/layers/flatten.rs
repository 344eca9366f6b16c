//! `flatten`: all dimensions of a row become one.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The dimensions from `start_dim` on become one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Flatten {
    /// The first dimension that is joined; the batch is 0.
    #[serde(default = "one")]
    pub start_dim: u64,
}

fn one() -> u64 {
    1
}

impl Layer for Flatten {
    const INFO: LayerInfo = LayerInfo {
        name: "flatten",
        summary: "All dimensions of a row become one.",
        docs: "`[64, 5, 5]` gives `[1600]`. With `start_dim = 2` the first dimension stays: `[64, 25]`. Elements keep their order.",
        example: "\"flatten\"",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then_some(Self { start_dim: 1 })
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        if self.start_dim == 0 {
            let error = ShapeError::new(codes::OUT_OF_RANGE, "flatten cannot join the batch with a row's dimensions");
            return Err(error.at("start_dim").label("the batch is 0").hint("leave out `start_dim`: it is 1"));
        }
        let keep = usize::try_from(self.start_dim - 1).unwrap_or(usize::MAX);
        if keep > 0 && keep >= input.shape.rank() {
            let message = format!("flatten begins at dimension {} but receives {}", self.start_dim, input.shape);
            return Err(ShapeError::new(codes::RANK, message)
                .at("start_dim")
                .label(format!("receives {}", input.shape)));
        }
        let (kept, joined) = input.shape.0.split_at(keep);
        let size = Shape(joined.to_vec()).elements().map_or(Dim::Unknown, Dim::Fixed);
        // A single unknown dimension keeps its name.
        let size = if let [only] = joined { only.clone() } else { size };
        Ok(input.with_shape(Shape([kept, &[size]].concat())))
    }

    fn activations(&self, _: &Signal, _: &InferCx) -> Option<u64> {
        Some(0)
    }

    fn describe(&self) -> String {
        if self.start_dim == 1 { String::new() } else { format!("from dimension {}", self.start_dim) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};

    #[test]
    fn dimensions_multiply() {
        assert_eq!(infer(r#""flatten""#, &[64, 5, 5]).0, Shape::fixed(&[1600]));
        assert_eq!(infer(r#""flatten""#, &[7]).0, Shape::fixed(&[7]));
        assert_eq!(infer(r#""flatten""#, &[]).0, Shape::fixed(&[1]));
        assert_eq!(infer(r#"{"flatten":{"start_dim":2}}"#, &[64, 5, 5]).0, Shape::fixed(&[64, 25]));
        assert_eq!(infer_error(r#"{"flatten":{"start_dim":2}}"#, &[64]).code, codes::RANK);
    }
}
