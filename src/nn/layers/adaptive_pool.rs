//! `adaptive_avg_pool1d`, `adaptive_avg_pool2d`, `adaptive_max_pool1d`, `adaptive_max_pool2d`: pools of a given result.

use super::window::split;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::Size;
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::de::{SeqAccess, value::SeqAccessDeserializer};
use serde::{Deserialize, Serialize};

/// The mean (or with `MAX` the largest) value of each of a given number of windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct AdaptivePool<const N: usize, const MAX: bool> {
    /// The size of the result: one number, or one per dimension.
    pub size: Size<N>,
}

/// The mean value of each of a given number of windows.
pub type AdaptiveAvgPool<const N: usize> = AdaptivePool<N, false>;
/// The largest value of each of a given number of windows.
pub type AdaptiveMaxPool<const N: usize> = AdaptivePool<N, true>;

impl<const N: usize, const MAX: bool> Layer for AdaptivePool<N, MAX> {
    const INFO: LayerInfo = match (N, MAX) {
        (1, false) => LayerInfo {
            name: "adaptive_avg_pool1d",
            summary: "The mean value of each of a given number of windows of a sequence.",
            docs: "`[channels, length]` gives `[channels, size]`: window `i` reaches from `floor(i · length / size)` to `ceil((i + 1) · length / \
                   size)`, as in PyTorch.",
            example: "{ adaptive_avg_pool1d = 4 }",
            weights: false,
        },
        (1, true) => LayerInfo {
            name: "adaptive_max_pool1d",
            summary: "The largest value of each of a given number of windows of a sequence.",
            docs: "`[channels, length]` gives `[channels, size]`, with the windows of `adaptive_avg_pool1d`.",
            example: "{ adaptive_max_pool1d = 1 }",
            weights: false,
        },
        (_, false) => LayerInfo {
            name: "adaptive_avg_pool2d",
            summary: "The mean value of each of a given number of windows of an image.",
            docs: "`[channels, height, width]` gives `[channels, size, size]`: along each dimension window `i` reaches from `floor(i · length / \
                   size)` to `ceil((i + 1) · length / size)`, as in PyTorch. `\"global_avg_pool\"` is size 1, flattened.",
            example: "{ adaptive_avg_pool2d = [7, 7] }",
            weights: false,
        },
        (_, true) => LayerInfo {
            name: "adaptive_max_pool2d",
            summary: "The largest value of each of a given number of windows of an image.",
            docs: "`[channels, height, width]` gives `[channels, size, size]`, with the windows of `adaptive_avg_pool2d`.",
            example: "{ adaptive_max_pool2d = 2 }",
            weights: false,
        },
    };

    fn from_short(short: Short) -> Option<Self> {
        if let Short::Int(size) = short { Some(Self { size: Size::all(size) }) } else { None }
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Option<Result<Self, A::Error>> {
        Some(Size::deserialize(SeqAccessDeserializer::new(list)).map(|size| Self { size }))
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        super::pool::size_schemas::<N>()
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let (channels, _) = split::<N>(Self::INFO.name, &input.shape)?;
        if self.size.0.contains(&0) {
            return Err(ShapeError::zero(Self::INFO.name, "size"));
        }
        let mut shape = vec![channels.clone()];
        shape.extend(self.size.0.map(Dim::Fixed));
        Ok(input.with_shape(Shape(shape)))
    }

    fn describe(&self) -> String {
        self.size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use crate::diag::codes;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn the_result_is_as_large_as_asked() {
        assert_eq!(infer(r#"{"adaptive_avg_pool2d":[3,2]}"#, &[4, 11, 10]), (Shape::fixed(&[4, 3, 2]), Some(0)));
        assert_eq!(infer(r#"{"adaptive_max_pool1d":1}"#, &[4, 11]).0, Shape::fixed(&[4, 1]));
        assert_eq!(infer_error(r#"{"adaptive_max_pool2d":0}"#, &[4, 11, 10]).code, codes::OUT_OF_RANGE);
        assert_eq!(infer_error(r#"{"adaptive_avg_pool1d":2}"#, &[4]).code, codes::RANK);
    }
}
