//! `embedding`: a vector for each index.

use crate::diag::codes;
use crate::nn::init::{self, Init};
use crate::nn::layer::{Content, InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Row `i` of a table of vectors for index `i`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Embedding {
    /// The length of a vector.
    pub dim: u64,
    /// How many vectors there are; as many as the feature has values where it is left away.
    #[serde(default)]
    pub count: Option<u64>,
    /// How the weights start; as in PyTorch where it is left away. With it, biases start at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

impl Embedding {
    /// How many vectors the table holds for this input, where that is known.
    #[must_use]
    pub fn vectors(&self, input: &Signal) -> Option<u64> {
        match (&self.count, &input.content) {
            (Some(count), _) => Some(*count),
            (None, Content::Indices(cardinality)) => cardinality.size(),
            (None, Content::Numbers) => None,
        }
    }
}

impl Layer for Embedding {
    const INFO: LayerInfo = LayerInfo {
        name: "embedding",
        summary: "A trained vector for each category index.",
        docs: "Indices `[…]` give `[…, dim]`. It takes a category feature that is encoded as indices, and as many vectors as the feature has \
               values unless `count` is given. Vectors start as normal random numbers, as in PyTorch; that of padding is and stays zero, unless \
               a `linear` layer is tied to them.",
        example: "{ embedding = 16 }",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        if let Short::Int(dim) = short { Some(Self { dim, count: None, init: None }) } else { None }
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "type": "integer", "minimum": 1 })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        if self.dim == 0 {
            return Err(ShapeError::zero(Self::INFO.name, "dim"));
        }
        init::check(Self::INFO.name, self.init.as_ref())?;
        let shape = Shape([input.shape.0.as_slice(), &[Dim::Fixed(self.dim)]].concat());
        let Content::Indices(cardinality) = &input.content else {
            let message = "embedding takes category indices but receives numbers";
            return Err(ShapeError::new(codes::NEEDS_INDICES, message)
                .label(format!("receives {}", input.shape))
                .hint("encode the column as category indices, or use `linear` on numbers")
                .recover(shape));
        };
        match (self.count, cardinality.size()) {
            (Some(count), Some(values)) if count < values => {
                let message = format!("embedding holds {count} vectors, but the feature has {values} values");
                Err(ShapeError::new(codes::OUT_OF_RANGE, message)
                    .at("count")
                    .label(format!("at least {values}"))
                    .hint("leave out `count`: kilter works it out")
                    .recover(shape))
            }
            _ => Ok(Signal { padding: input.padding, ..Signal::numbers(shape) }),
        }
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        self.vectors(input)?.checked_mul(self.dim)
    }

    fn resolved(&self, input: &Signal, _: &InferCx) -> Self {
        Self { count: self.vectors(input), ..self.clone() }
    }

    fn describe(&self) -> String {
        self.count.map_or_else(|| self.dim.to_string(), |count| format!("{}, {count} vectors", self.dim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{decode, infer_error};

    #[test]
    fn indices_become_vectors() {
        let cx = InferCx::default();
        let signal = |shape: &[u64], count| Signal {
            content: Content::Indices(Dim::Fixed(count)),
            ..Signal::numbers(Shape::fixed(shape))
        };
        let layer = decode(r#"{"embedding":4}"#);
        assert_eq!(layer.infer(&signal(&[], 16), &cx), Ok(Signal::numbers(Shape::fixed(&[4]))));
        assert_eq!(layer.infer(&signal(&[3], 16), &cx), Ok(Signal::numbers(Shape::fixed(&[3, 4]))));
        assert_eq!(layer.parameters(&signal(&[], 16), &cx), Some(64));
        let small = decode(r#"{"embedding":{"dim":4,"count":10}}"#);
        let error = small.infer(&signal(&[], 16), &cx).expect_err("too few vectors");
        assert_eq!(error.message, "embedding holds 10 vectors, but the feature has 16 values");
    }

    #[test]
    fn numbers_and_indices_do_not_mix() {
        assert_eq!(infer_error(r#"{"embedding":4}"#, &[3]).code, codes::NEEDS_INDICES);
        let indices = Signal { content: Content::Indices(Dim::Unknown), ..Signal::numbers(Shape::fixed(&[])) };
        let error = decode(r#"{"linear":4}"#).infer(&indices, &InferCx::default()).expect_err("indices");
        assert_eq!(error.code, codes::NEEDS_INDICES);
    }
}
