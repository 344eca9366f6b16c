//! `position`: what tells tokens their places.

use super::attention::split;
use crate::diag::codes;
use crate::nn::init::{self, Init};
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A vector for each place, added to the token there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Position {
    /// `"learned"` or `"sinusoidal"`.
    pub kind: PositionKind,
    /// How many places there are; as many as the input has where it is left away.
    #[serde(default)]
    pub count: Option<u64>,
    /// How learned vectors start; normal with a standard deviation of 0.02 where it is left away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

/// Where the vectors come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum PositionKind {
    /// A trained vector for each place.
    Learned,
    /// Sines and cosines of fixed wavelengths.
    Sinusoidal,
}

impl Position {
    /// How many places it knows, where that is bounded and known.
    #[must_use]
    pub fn places(&self, input: &Signal) -> Option<u64> {
        self.count.or_else(|| input.shape.0.first()?.size())
    }
}

impl Layer for Position {
    const INFO: LayerInfo = LayerInfo {
        name: "position",
        summary: "Adds to each token a vector that says where it stands.",
        docs: "`y = x + p[place]`: `[seq, features]` stays. `\"learned\"`: a trained vector for each place, which starts normal with a standard deviation of 0.02 \
               (as in BERT and GPT-2); no sequence can be longer than there are places. `\"sinusoidal\"`: `p[t, 2i] = sin(t / 10000^(2i / \
               features))`, `p[t, 2i + 1] = cos` of the same (Vaswani et al., 2017). Rotary positions are a field of attention.",
        example: "{ position = \"learned\" }",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        let kind = match short {
            Short::Text(text) if text == "learned" => PositionKind::Learned,
            Short::Text(text) if text == "sinusoidal" => PositionKind::Sinusoidal,
            _ => return None,
        };
        Some(Self { kind, count: None, init: None })
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "enum": ["learned", "sinusoidal"] })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let (seq, features) = split(Self::INFO.name, input)?;
        if self.count == Some(0) {
            return Err(ShapeError::zero(Self::INFO.name, "count"));
        }
        init::check(Self::INFO.name, self.init.as_ref())?;
        if let (Some(count), Some(seq)) = (self.count, seq.size())
            && count < seq
        {
            let message = format!("position knows {count} places, but receives sequences of {seq}");
            return Err(ShapeError::new(codes::OUT_OF_RANGE, message)
                .at("count")
                .label(format!("at least {seq}"))
                .hint("leave out `count`: kilter works it out")
                .recover(input.shape.clone()));
        }
        let odd = features.size().is_some_and(|features| features % 2 == 1);
        if odd && self.kind == PositionKind::Sinusoidal {
            let message =
                format!("sinusoidal positions are pairs of sine and cosine, but there are {features} features");
            return Err(ShapeError::new(codes::INDIVISIBLE, message)
                .at("kind")
                .label(format!("receives {}", input.shape))
                .recover(input.shape.clone()));
        }
        Ok(input.clone())
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        match self.kind {
            PositionKind::Sinusoidal => Some(0),
            PositionKind::Learned => self.places(input)?.checked_mul(input.shape.0.get(1)?.size()?),
        }
    }

    fn resolved(&self, input: &Signal, _: &InferCx) -> Self {
        Self { count: self.places(input), ..self.clone() }
    }

    fn describe(&self) -> String {
        match self.kind {
            PositionKind::Learned => "learned".to_owned(),
            PositionKind::Sinusoidal => "sinusoidal".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn a_vector_for_each_place() {
        assert_eq!(infer(r#"{"position":"learned"}"#, &[5, 8]), (Shape::fixed(&[5, 8]), Some(40)));
        assert_eq!(infer(r#"{"position":{"kind":"learned","count":9}}"#, &[5, 8]).1, Some(72));
        assert_eq!(infer(r#"{"position":"sinusoidal"}"#, &[5, 8]).1, Some(0));
    }

    #[test]
    fn a_sequence_longer_than_the_places() {
        let error = infer_error(r#"{"position":{"kind":"learned","count":4}}"#, &[5, 8]);
        assert_eq!(error.message, "position knows 4 places, but receives sequences of 5");
        assert_eq!(infer_error(r#"{"position":"sinusoidal"}"#, &[5, 7]).code, codes::INDIVISIBLE);
        assert_eq!(infer_error(r#"{"position":"learned"}"#, &[5]).code, codes::RANK);
    }
}
