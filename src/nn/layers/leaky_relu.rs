//! `leaky_relu`: a small slope below 0.

use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = x` above 0, `negative_slope · x` below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct LeakyRelu {
    /// The slope below 0.
    #[serde(default = "slope")]
    pub negative_slope: f64,
}

fn slope() -> f64 {
    0.01
}

impl Layer for LeakyRelu {
    const INFO: LayerInfo = LayerInfo {
        name: "leaky_relu",
        summary: "Each element, with a small slope below 0.",
        docs: "`y = x` above 0 and `negative_slope · x` below, element by element (Maas et al., 2013). The shape stays. \
               `{ leaky_relu = 0.2 }` is short for `{ leaky_relu = { negative_slope = 0.2 } }`.",
        example: "\"leaky_relu\"",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        match short {
            Short::Bare => Some(Self { negative_slope: slope() }),
            Short::Float(negative_slope) => Some(Self { negative_slope }),
            Short::Int(_) | Short::Text(_) => None,
        }
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "type": "number" })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        Ok(input.clone())
    }

    fn describe(&self) -> String {
        if self.negative_slope == slope() { String::new() } else { self.negative_slope.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::testing::{decode, infer};
    use crate::types::Shape;

    #[test]
    fn a_slope_is_short_for_its_table() {
        assert_eq!(infer(r#""leaky_relu""#, &[3, 4]), (Shape::fixed(&[3, 4]), Some(0)));
        assert_eq!(decode(r#"{"leaky_relu":0.2}"#), decode(r#"{"leaky_relu":{"negative_slope":0.2}}"#));
        assert_eq!(decode(r#"{"leaky_relu":0.2}"#).text(), "leaky_relu 0.2");
    }
}
