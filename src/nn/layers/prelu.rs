//! `prelu`: a slope below 0 that is learned.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::types::Dim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = x` above 0, `weight · x` below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Prelu {
    /// How many slopes: 1 for all, or one for each channel.
    #[serde(default = "one")]
    pub num_parameters: u64,
    /// Where the slopes start.
    #[serde(default = "start")]
    pub init: f64,
}

fn one() -> u64 {
    1
}

fn start() -> f64 {
    0.25
}

impl Prelu {
    /// One slope for all, or as many as channels.
    fn check_channels(&self, input: &Signal) -> Result<(), ShapeError> {
        let (name, slopes) = (Self::INFO.name, self.num_parameters);
        if slopes == 1 {
            return Ok(());
        }
        let Some(channels) = input.shape.0.first() else {
            return Err(ShapeError::rank(name, "channels", &input.shape)
                .at("num_parameters")
                .hint("`num_parameters = 1` is one slope for all"));
        };
        match channels.size() {
            Some(channels) if channels != slopes => {
                let message = format!("{name} has {slopes} slopes, but receives {channels} channels");
                let error = ShapeError::new(codes::INDIVISIBLE, message)
                    .at("num_parameters")
                    .label(format!("receives {}", input.shape))
                    .recover(input.shape.clone());
                Err(match input.shape.0.last().and_then(Dim::size) {
                    Some(last) if last == slopes && input.shape.rank() == 2 => error.hint(
                        "channels are the first dimension: `\"transpose\"` before it and after it brings features there",
                    ),
                    _ => error.hint(format!("`num_parameters = {channels}` is one slope for each channel, 1 one for all")),
                })
            }
            _ => Ok(()),
        }
    }
}

impl Layer for Prelu {
    const INFO: LayerInfo = LayerInfo {
        name: "prelu",
        summary: "Each element, with a learned slope below 0.",
        docs: "`y = x` above 0 and `weight · x` below, element by element (He et al., 2015): PyTorch's `PReLU`. The slope is one for all, or with \
               `num_parameters` one for each channel, the first dimension: `{ prelu = 64 }` after 64 channels. The shape stays. A weight decay \
               pulls the slopes to 0, which makes a `relu` of it.",
        example: "{ prelu = { num_parameters = 64 } }",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        match short {
            Short::Bare => Some(Self { num_parameters: one(), init: start() }),
            Short::Int(num_parameters) => Some(Self { num_parameters, init: start() }),
            Short::Float(_) | Short::Text(_) => None,
        }
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "type": "integer", "minimum": 1 })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        if self.num_parameters == 0 {
            return Err(ShapeError::zero(Self::INFO.name, "num_parameters"));
        }
        if !self.init.is_finite() {
            return Err(ShapeError::new(codes::OUT_OF_RANGE, "`init` of prelu must be a number")
                .at("init")
                .label(format!("is {}", self.init)));
        }
        self.check_channels(input)?;
        Ok(input.clone())
    }

    fn parameters(&self, _: &Signal, _: &InferCx) -> Option<u64> {
        Some(self.num_parameters)
    }

    fn describe(&self) -> String {
        if self.num_parameters == 1 { String::new() } else { self.num_parameters.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use crate::diag::codes;
    use crate::nn::testing::{decode, infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn one_slope_for_all_or_one_for_each_channel() {
        assert_eq!(infer(r#""prelu""#, &[3, 4]), (Shape::fixed(&[3, 4]), Some(1)));
        assert_eq!(infer(r#"{"prelu":3}"#, &[3, 4, 4]), (Shape::fixed(&[3, 4, 4]), Some(3)));
        assert_eq!(decode(r#"{"prelu":3}"#), decode(r#"{"prelu":{"num_parameters":3,"init":0.25}}"#));
        assert_eq!(decode(r#"{"prelu":3}"#).text(), "prelu 3");
    }

    #[test]
    fn slopes_are_as_many_as_channels() {
        let error = infer_error(r#"{"prelu":4}"#, &[3, 5, 5]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (codes::INDIVISIBLE, "prelu has 4 slopes, but receives 3 channels")
        );
        assert_eq!(error.field, crate::path!["num_parameters"]);
        assert_eq!(error.hints, ["`num_parameters = 3` is one slope for each channel, 1 one for all"]);
        let features = infer_error(r#"{"prelu":8}"#, &[3, 8]);
        assert!(features.hints[0].starts_with("channels are the first dimension"), "{:?}", features.hints);
        assert_eq!(infer_error(r#"{"prelu":4}"#, &[]).code, codes::RANK);
        assert_eq!(infer_error(r#"{"prelu":0}"#, &[3]).message, "`num_parameters` of prelu must be at least 1");
    }
}
