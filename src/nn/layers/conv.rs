//! `conv1d` and `conv2d`: convolutions over `[channels, length]` and `[channels, height, width]`.

use super::window::{Window, split};
use crate::diag::codes;
use crate::nn::init::{self, Init};
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::{Padding, Size, yes};
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A convolution over `N` spatial dimensions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Conv<const N: usize> {
    /// How many channels it gives.
    pub out: u64,
    /// The window: one number, or one per dimension.
    pub kernel: Size<N>,
    /// The step between two places of the window.
    #[serde(default = "Conv::<N>::one")]
    pub stride: Size<N>,
    /// Zeros at both sides: a number, one per dimension, `"same"` (the size stays, for stride 1) or `"valid"` (none).
    #[serde(default)]
    pub padding: Padding<N>,
    /// The distance between two elements of the window.
    #[serde(default = "Conv::<N>::one")]
    pub dilation: Size<N>,
    /// Into how many groups the channels are divided; the number of channels makes it depthwise.
    #[serde(default = "one_group")]
    pub groups: u64,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weights start; as in PyTorch where it is left away. With it, biases start at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

fn one_group() -> u64 {
    1
}

impl<const N: usize> Conv<N> {
    fn one() -> Size<N> {
        Size::all(1)
    }

    fn window(&self) -> Window<'static, N> {
        Window {
            layer: Self::INFO.name,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            ceil: false,
        }
    }

    fn check_groups(&self, channels: &Dim) -> Result<(), ShapeError> {
        let error = |count: u64, what: &str| {
            let message = format!(
                "{} has {} groups, which do not divide its {count} {what} channels",
                Self::INFO.name,
                self.groups
            );
            ShapeError::new(codes::INDIVISIBLE, message)
                .at("groups")
                .label(format!("{count} is not a multiple of {}", self.groups))
        };
        match channels.size() {
            _ if self.groups == 0 => Err(ShapeError::zero(Self::INFO.name, "groups")),
            _ if self.out == 0 => Err(ShapeError::zero(Self::INFO.name, "out")),
            Some(channels) if !channels.is_multiple_of(self.groups) => Err(error(channels, "input")),
            _ if !self.out.is_multiple_of(self.groups) => Err(error(self.out, "output")),
            _ => Ok(()),
        }
    }
}

impl<const N: usize> Layer for Conv<N> {
    const INFO: LayerInfo = if N == 1 {
        LayerInfo {
            name: "conv1d",
            summary: "A convolution over one dimension.",
            docs: "`[channels, length]` gives `[out, length']` with `length' = floor((length + 2 padding − dilation (kernel − 1) − 1) \
                   / stride) + 1`. A sequence of vectors is `[length, features]`, which `\"transpose\"` turns around. Weights start uniform in ±1/√(in / groups × kernel), as in PyTorch.",
            example: "{ conv1d = { out = 32, kernel = 5, padding = 2 } }",
            weights: true,
        }
    } else {
        LayerInfo {
            name: "conv2d",
            summary: "A convolution over images.",
            docs: "`[channels, height, width]` gives `[out, height', width']` with `height' = floor((height + 2 padding − dilation (kernel \
                   − 1) − 1) / stride) + 1`, and `width'` alike. `kernel`, `stride`, `padding` and `dilation` take one number or `[height, \
                   width]`. Weights start uniform in ±1/√(in / groups × kernel²), as in PyTorch. Before `batch_norm` a bias does nothing: \
                   `bias = false`.",
            example: "{ conv2d = { out = 32, kernel = 3, padding = 1 } }",
            weights: true,
        }
    };

    fn from_short(_: Short) -> Option<Self> {
        None
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let (channels, spatial) = split::<N>(Self::INFO.name, &input.shape)?;
        self.check_groups(channels)?;
        init::check(Self::INFO.name, self.init.as_ref())?;
        let mut shape = vec![Dim::Fixed(self.out)];
        shape.extend(self.window().infer(spatial, &input.shape)?);
        Ok(Signal::numbers(Shape(shape)))
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let channels = input.shape.0.first()?.size()?.checked_div(self.groups)?;
        let window = self.kernel.0.iter().try_fold(1_u64, |product, size| product.checked_mul(*size))?;
        let weights = self.out.checked_mul(channels)?.checked_mul(window)?;
        weights.checked_add(if self.bias { self.out } else { 0 })
    }

    fn flops(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        let channels = input.shape.0.first()?.size()?.checked_div(self.groups)?;
        let window = self.kernel.0.iter().try_fold(channels, |product, size| product.checked_mul(*size))?;
        self.infer(input, cx).ok()?.shape.elements()?.checked_mul(window)?.checked_mul(2)
    }

    fn describe(&self) -> String {
        let mut text = format!("{}, kernel {}", self.out, self.kernel);
        let mut add = |shown: bool, part: String| {
            if shown {
                text.push_str(", ");
                text.push_str(&part);
            }
        };
        add(!self.stride.is_all(1), format!("stride {}", self.stride));
        add(self.padding != Padding::default(), format!("padding {}", self.padding));
        add(!self.dilation.is_all(1), format!("dilation {}", self.dilation));
        add(self.groups != 1, format!("groups {}", self.groups));
        add(!self.bias, "no bias".to_owned());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};

    #[test]
    fn sizes_follow_pytorch() {
        assert_eq!(
            infer(r#"{"conv2d":{"out":64,"kernel":3}}"#, &[32, 14, 14]),
            (Shape::fixed(&[64, 12, 12]), Some(18_496))
        );
        let strided = r#"{"conv2d":{"out":8,"kernel":[3,5],"stride":2,"padding":[1,2],"bias":false}}"#;
        assert_eq!(infer(strided, &[3, 28, 27]), (Shape::fixed(&[8, 14, 14]), Some(360)));
        let dilated = r#"{"conv1d":{"out":4,"kernel":3,"dilation":4}}"#;
        assert_eq!(infer(dilated, &[2, 20]), (Shape::fixed(&[4, 12]), Some(28)));
        let same = r#"{"conv2d":{"out":6,"kernel":4,"padding":"same","groups":3}}"#;
        assert_eq!(infer(same, &[3, 9, 9]), (Shape::fixed(&[6, 9, 9]), Some(102)));
    }

    #[test]
    fn a_kernel_larger_than_its_input() {
        let error = infer_error(r#"{"conv2d":{"out":8,"kernel":7}}"#, &[3, 5, 5]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (codes::KERNEL, "conv2d has a window of 7, but the height it receives is 5")
        );
        let error = infer_error(r#"{"conv1d":{"out":8,"kernel":3,"dilation":4,"padding":1}}"#, &[3, 5]);
        assert_eq!(error.message, "conv1d has a window of 9, but the length it receives is 5, 7 with padding");
    }

    #[test]
    fn what_a_convolution_cannot_take() {
        assert_eq!(infer_error(r#"{"conv2d":{"out":8,"kernel":3}}"#, &[784]).code, codes::RANK);
        assert_eq!(infer_error(r#"{"conv2d":{"out":8,"kernel":3,"groups":3}}"#, &[4, 9, 9]).code, codes::INDIVISIBLE);
        assert_eq!(infer_error(r#"{"conv2d":{"out":8,"kernel":0}}"#, &[4, 9, 9]).code, codes::OUT_OF_RANGE);
        let same = infer_error(r#"{"conv2d":{"out":8,"kernel":3,"padding":"same","stride":2}}"#, &[4, 9, 9]);
        assert_eq!(same.code, codes::CONFLICT);
    }
}
