//! `reshape`: a row's elements in another shape.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::de::{SeqAccess, value::SeqAccessDeserializer};
use serde::{Deserialize, Serialize};

/// A row's elements in another shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Reshape {
    /// The new shape without the batch; one dimension may be -1, which is worked out.
    pub shape: Vec<i64>,
}

impl Reshape {
    fn open(&self) -> Option<usize> {
        self.shape.iter().position(|size| *size == -1)
    }

    fn text(&self) -> String {
        format!("{:?}", self.shape)
    }

    /// The product of the sizes that are given.
    fn given(&self) -> Option<u64> {
        self.shape
            .iter()
            .filter(|size| **size != -1)
            .try_fold(1_u64, |product, size| product.checked_mul(u64::try_from(*size).ok()?))
    }

    fn check_sizes(&self) -> Result<(), ShapeError> {
        let error = |message| Err(ShapeError::new(codes::OUT_OF_RANGE, message).label("not a shape"));
        if self.shape.is_empty() {
            return error("reshape needs at least one dimension");
        }
        if self.shape.iter().any(|size| *size == 0 || *size < -1) {
            return error("the dimensions of reshape are positive, or -1 for the one to be worked out");
        }
        if self.shape.iter().filter(|size| **size == -1).count() > 1 {
            return error("only one dimension of reshape can be -1");
        }
        Ok(())
    }
}

impl Layer for Reshape {
    const INFO: LayerInfo = LayerInfo {
        name: "reshape",
        summary: "A row's elements in another shape.",
        docs: "`{ reshape = [1, 28, 28] }` makes an image of 784 numbers. One dimension may be -1: it is what is left. Elements keep their \
               order; the batch is not counted.",
        example: "{ reshape = [1, 28, 28] }",
        weights: false,
    };

    fn from_short(_: Short) -> Option<Self> {
        None
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Option<Result<Self, A::Error>> {
        Some(Vec::deserialize(SeqAccessDeserializer::new(list)).map(|shape| Self { shape }))
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "type": "array", "items": { "type": "integer", "minimum": -1 }, "minItems": 1 })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        self.check_sizes()?;
        let mut shape: Vec<Dim> =
            self.shape.iter().map(|size| u64::try_from(*size).map_or(Dim::Unknown, Dim::Fixed)).collect();
        let (Some(elements), Some(given)) = (input.shape.elements(), self.given()) else {
            return Ok(input.with_shape(Shape(shape)));
        };
        let fits = match self.open() {
            Some(open) => {
                shape[open] = Dim::Fixed(elements / given);
                elements % given == 0
            }
            None => elements == given,
        };
        if fits {
            return Ok(input.with_shape(Shape(shape)));
        }
        let message = format!("reshape to {} does not hold the {elements} elements it receives", self.text());
        let error = ShapeError::new(codes::INDIVISIBLE, message).label(format!("receives {}", input.shape));
        Err(if self.open().is_none() { error.recover(Shape(shape)) } else { error })
    }

    fn activations(&self, _: &Signal, _: &InferCx) -> Option<u64> {
        Some(0)
    }

    fn describe(&self) -> String {
        self.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};

    #[test]
    fn elements_are_kept() {
        assert_eq!(infer(r#"{"reshape":[1,28,28]}"#, &[784]).0, Shape::fixed(&[1, 28, 28]));
        assert_eq!(infer(r#"{"reshape":[4,-1]}"#, &[2, 6]).0, Shape::fixed(&[4, 3]));
        assert_eq!(infer(r#"{"reshape":{"shape":[12]}}"#, &[2, 6]).0, Shape::fixed(&[12]));
        assert_eq!(infer_error(r#"{"reshape":[5,-1]}"#, &[12]).code, codes::INDIVISIBLE);
        assert_eq!(infer_error(r#"{"reshape":[13]}"#, &[12]).code, codes::INDIVISIBLE);
        assert_eq!(infer_error(r#"{"reshape":[-1,-1]}"#, &[12]).code, codes::OUT_OF_RANGE);
    }
}
