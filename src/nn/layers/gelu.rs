//! `gelu`: each element times the normal distribution function of it.

use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = x Φ(x)`, element by element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Gelu {
    /// `"none"` for the exact function, `"tanh"` for an approximation of it.
    #[serde(default)]
    pub approximate: Approximate,
}

/// How gelu is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Approximate {
    /// By the error function.
    #[default]
    None,
    /// By `0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    Tanh,
}

impl Layer for Gelu {
    const INFO: LayerInfo = LayerInfo {
        name: "gelu",
        summary: "Each element times the normal distribution function of it.",
        docs: "`y = x Φ(x)`, element by element (Hendrycks and Gimpel, 2016). The shape stays.",
        example: "\"gelu\"",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then_some(Self { approximate: Approximate::None })
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        Ok(input.clone())
    }

    fn describe(&self) -> String {
        if self.approximate == Approximate::Tanh { "tanh".to_owned() } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::testing::infer;
    use crate::types::Shape;

    #[test]
    fn the_shape_stays() {
        assert_eq!(infer(r#""gelu""#, &[3, 4]), (Shape::fixed(&[3, 4]), Some(0)));
        assert_eq!(infer(r#"{"gelu":{"approximate":"tanh"}}"#, &[3]).0, Shape::fixed(&[3]));
    }
}
