//! `elu`: an exponential below 0.

use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = x` above 0, `alpha (eˣ − 1)` below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Elu {
    /// What it goes to, with a minus, far below 0.
    #[serde(default = "alpha")]
    pub alpha: f64,
}

fn alpha() -> f64 {
    1.0
}

impl Layer for Elu {
    const INFO: LayerInfo = LayerInfo {
        name: "elu",
        summary: "Each element, with an exponential below 0.",
        docs: "`y = x` above 0 and `alpha (eˣ − 1)` below, element by element (Clevert et al., 2015). The shape stays.",
        example: "\"elu\"",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then_some(Self { alpha: alpha() })
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        Ok(input.clone())
    }

    fn describe(&self) -> String {
        if self.alpha == alpha() { String::new() } else { format!("alpha {}", self.alpha) }
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::testing::{decode, infer};
    use crate::types::Shape;

    #[test]
    fn the_shape_stays() {
        assert_eq!(infer(r#""elu""#, &[3, 4]), (Shape::fixed(&[3, 4]), Some(0)));
        assert_eq!(decode(r#"{"elu":{"alpha":0.5}}"#).text(), "elu alpha 0.5");
    }
}
