//! `pool`: one vector for all tokens.

use super::attention::split;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::types::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One vector for all tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Pool {
    /// `"cls"`, `"mean"`, `"max"` or `"last"`.
    pub over: PoolOver,
}

/// How many vectors become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum PoolOver {
    /// The first token's.
    Cls,
    /// Their mean.
    Mean,
    /// The largest of each feature.
    Max,
    /// The last token's.
    Last,
}

impl Layer for Pool {
    const INFO: LayerInfo = LayerInfo {
        name: "pool",
        summary: "One vector for all tokens.",
        docs: "`[seq, features]` gives `[features]`: `\"cls\"` takes the first token, `\"last\"` the last one, `\"mean\"` and `\"max\"` all of them. \
               Padding counts in none; a row of padding alone counts as one token.",
        example: "{ pool = \"mean\" }",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        let Short::Text(text) = short else { return None };
        let over = match text.as_str() {
            "cls" => PoolOver::Cls,
            "mean" => PoolOver::Mean,
            "max" => PoolOver::Max,
            "last" => PoolOver::Last,
            _ => return None,
        };
        Some(Self { over })
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "enum": ["cls", "mean", "max", "last"] })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let (_, features) = split(Self::INFO.name, input)?;
        Ok(Signal::numbers(Shape(vec![features.clone()])))
    }

    fn describe(&self) -> String {
        match self.over {
            PoolOver::Cls => "cls",
            PoolOver::Mean => "mean",
            PoolOver::Max => "max",
            PoolOver::Last => "last",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{decode, infer, infer_error};

    #[test]
    fn the_tokens_go() {
        assert_eq!(infer(r#"{"pool":"mean"}"#, &[5, 8]), (Shape::fixed(&[8]), Some(0)));
        assert_eq!(decode(r#"{"pool":{"over":"last"}}"#), decode(r#"{"pool":"last"}"#));
        let error = infer_error(r#"{"pool":"cls"}"#, &[8]);
        assert_eq!(error.message, "pool takes [batch, seq, features] but receives [batch, 8]");
    }
}
