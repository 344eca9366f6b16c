//! Activations without fields: `silu`, `hardswish`, `hardsigmoid`, `mish`, `selu`.

use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Defines layers that map each element for itself and have nothing to choose.
macro_rules! activations {
    ($($(#[$meta:meta])* $Name:ident = $name:literal, $summary:literal, $docs:literal;)*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
            #[schemars(inline)]
            pub struct $Name {}

            impl Layer for $Name {
                const INFO: LayerInfo = LayerInfo {
                    name: $name,
                    summary: $summary,
                    docs: $docs,
                    example: concat!("\"", $name, "\""),
                    weights: false,
                };

                fn from_short(short: Short) -> Option<Self> {
                    (short == Short::Bare).then_some(Self {})
                }

                fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
                    Ok(input.clone())
                }
            }
        )*
    };
}

activations! {
    /// `y = x σ(x)`, element by element.
    Silu = "silu", "Each element times the logistic function of it.",
        "`y = x σ(x)`, element by element (Elfwing et al., 2017; also called swish). The shape stays.";
    /// `y = x · min(max(x + 3, 0), 6) / 6`, element by element.
    Hardswish = "hardswish", "`silu` out of straight pieces.",
        "`y = x · min(max(x + 3, 0), 6) / 6`, element by element (Howard et al., 2019). The shape stays.";
    /// `y = min(max(x + 3, 0), 6) / 6`, element by element.
    Hardsigmoid = "hardsigmoid", "The logistic function out of straight pieces.",
        "`y = min(max(x + 3, 0), 6) / 6`, element by element. The shape stays.";
    /// `y = x tanh(ln(1 + eˣ))`, element by element.
    Mish = "mish", "Each element times the hyperbolic tangent of its softplus.",
        "`y = x tanh(ln(1 + eˣ))`, element by element (Misra, 2019). The shape stays.";
    /// A scaled `elu` that keeps mean 0 and variance 1.
    Selu = "selu", "A scaled `elu` that keeps mean and variance.",
        "`y = 1.0507 x` above 0, `1.0507 · 1.6733 (eˣ − 1)` below, element by element (Klambauer et al., 2017). The shape stays.";
}

#[cfg(test)]
mod tests {
    use crate::nn::testing::infer;
    use crate::types::Shape;

    #[test]
    fn the_shape_stays() {
        for name in ["silu", "hardswish", "hardsigmoid", "mish", "selu"] {
            assert_eq!(infer(&format!("\"{name}\""), &[3, 4]), (Shape::fixed(&[3, 4]), Some(0)));
        }
    }
}
