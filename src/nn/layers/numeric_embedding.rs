//! `numeric_embedding`: a vector for each number, so that columns become tokens.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A vector for each number, by weights of the number's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct NumericEmbedding {
    /// The length of a vector.
    pub dim: u64,
    /// `"linear"` or `"periodic"`.
    #[serde(default)]
    pub kind: NumericEmbeddingKind,
    /// Of `"periodic"`: how many frequencies each number has.
    #[serde(default = "frequencies")]
    pub frequencies: u64,
    /// Of `"periodic"`: the standard deviation that frequencies start with. Worth a search between 0.01 and 1.
    #[serde(default = "sigma")]
    pub sigma: f64,
}

/// How a number becomes a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum NumericEmbeddingKind {
    /// The number times a vector, plus another.
    #[default]
    Linear,
    /// Cosines and sines of the number at trained frequencies, a matrix, and `relu`.
    Periodic,
}

fn frequencies() -> u64 {
    48
}

fn sigma() -> f64 {
    0.01
}

impl NumericEmbedding {
    /// How many numbers there are, and how many vectors' numbers.
    fn sizes(&self, input: &Signal) -> Option<(u64, u64)> {
        let count = input.shape.0.first()?.size()?;
        Some((count, count.checked_mul(self.dim)?))
    }
}

impl Layer for NumericEmbedding {
    const INFO: LayerInfo = LayerInfo {
        name: "numeric_embedding",
        summary: "A trained vector for each number of a row.",
        docs: "Numbers `[features]` give `[features, dim]`: tokens, for attention between columns (FT-Transformer; Gorishniy et al., 2021), or \
               flattened for a network that then fits steep functions better. `\"linear\"`: `y = x w + b`, with `w` and `b` for each \
               feature. `\"periodic\"`: `y = relu(W [cos(2π c x), sin(2π c x)] + b)`, with `frequencies` trained numbers `c`, `W` and `b` for each \
               feature (Gorishniy et al., 2022). The numbers should be standardised. Weights start as in rtdl_num_embeddings: uniform in \
               ±1/√dim, or ±1/√(2 frequencies), and `c` normal with `sigma`, cut off at 3 of it.",
        example: "{ numeric_embedding = { dim = 16, kind = \"periodic\" } }",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        let Short::Int(dim) = short else { return None };
        Some(Self { dim, kind: NumericEmbeddingKind::Linear, frequencies: frequencies(), sigma: sigma() })
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "type": "integer", "minimum": 1 })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let name = Self::INFO.name;
        let fields = [("dim", self.dim), ("frequencies", self.frequencies)];
        if let Some((field, _)) = fields.iter().find(|(_, value)| *value == 0) {
            return Err(ShapeError::zero(name, field));
        }
        if self.sigma <= 0.0 {
            let error = ShapeError::new(codes::OUT_OF_RANGE, format!("`sigma` of {name} must be above 0"));
            return Err(error.at("sigma").label(format!("is {}", self.sigma)));
        }
        let [features] = input.shape.0.as_slice() else {
            return Err(ShapeError::rank(name, "features", &input.shape));
        };
        Ok(Signal::numbers(Shape(vec![features.clone(), Dim::Fixed(self.dim)])))
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let (count, vectors) = self.sizes(input)?;
        match self.kind {
            NumericEmbeddingKind::Linear => vectors.checked_mul(2),
            NumericEmbeddingKind::Periodic => {
                let matrices = vectors.checked_mul(self.frequencies)?.checked_mul(2)?;
                count.checked_mul(self.frequencies)?.checked_add(matrices)?.checked_add(vectors)
            }
        }
    }

    fn flops(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let (_, vectors) = self.sizes(input)?;
        match self.kind {
            NumericEmbeddingKind::Linear => Some(0),
            NumericEmbeddingKind::Periodic => vectors.checked_mul(self.frequencies)?.checked_mul(4),
        }
    }

    /// The vectors; of waves the angles, and the cosines and sines too.
    fn activations(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let (count, vectors) = self.sizes(input)?;
        match self.kind {
            NumericEmbeddingKind::Linear => Some(vectors),
            NumericEmbeddingKind::Periodic => count.checked_mul(self.frequencies)?.checked_mul(3)?.checked_add(vectors),
        }
    }

    fn describe(&self) -> String {
        match self.kind {
            NumericEmbeddingKind::Linear => self.dim.to_string(),
            NumericEmbeddingKind::Periodic => format!("{}, periodic, {} frequencies", self.dim, self.frequencies),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{decode, infer, infer_error};

    #[test]
    fn numbers_become_tokens_and_parameters_are_counted_as_rtdl_does() {
        assert_eq!(infer(r#"{"numeric_embedding":8}"#, &[5]), (Shape::fixed(&[5, 8]), Some(80)));
        // rtdl_num_embeddings.PeriodicEmbeddings(5, 8, n_frequencies=6, lite=False): 5·6 + 5·12·8 + 5·8
        let periodic = r#"{"numeric_embedding":{"dim":8,"kind":"periodic","frequencies":6}}"#;
        assert_eq!(infer(periodic, &[5]), (Shape::fixed(&[5, 8]), Some(550)));
        assert_eq!(decode(periodic).text(), "numeric_embedding 8, periodic, 6 frequencies");
        let input = Signal::numbers(Shape::fixed(&[5]));
        assert_eq!(decode(periodic).flops(&input, &InferCx::default()), Some(2 * 5 * 12 * 8));
    }

    #[test]
    fn what_it_cannot_take() {
        let error = infer_error(r#"{"numeric_embedding":8}"#, &[5, 3]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (codes::RANK, "numeric_embedding takes [batch, features] but receives [batch, 5, 3]")
        );
        assert_eq!(infer_error(r#"{"numeric_embedding":0}"#, &[5]).code, codes::OUT_OF_RANGE);
        assert_eq!(infer_error(r#"{"numeric_embedding":{"dim":4,"sigma":0}}"#, &[5]).code, codes::OUT_OF_RANGE);
        assert_eq!(infer_error(r#"{"numeric_embedding":{"dim":4,"frequencies":0}}"#, &[5]).code, codes::OUT_OF_RANGE);
    }
}
