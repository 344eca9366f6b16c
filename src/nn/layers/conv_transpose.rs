//! `conv_transpose1d` and `conv_transpose2d`: convolutions the other way round, which make images larger.

use super::window::split;
use crate::diag::codes;
use crate::nn::init::{self, Init};
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::{Size, yes};
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The transpose of a convolution over `N` spatial dimensions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct ConvTranspose<const N: usize> {
    /// How many channels it gives.
    pub out: u64,
    /// The window that each input element writes into: one number, or one per dimension.
    pub kernel: Size<N>,
    /// How far apart the windows of two neighbours begin; 2 doubles the size.
    #[serde(default = "all::<N, 1>")]
    pub stride: Size<N>,
    /// What is cut off at both sides of the result.
    #[serde(default = "all::<N, 0>")]
    pub padding: Size<N>,
    /// What is added at the end of the result; less than `stride` or `dilation`.
    #[serde(default = "all::<N, 0>")]
    pub output_padding: Size<N>,
    /// The distance between two elements of the window.
    #[serde(default = "all::<N, 1>")]
    pub dilation: Size<N>,
    /// Into how many groups the channels are divided.
    #[serde(default = "one_group")]
    pub groups: u64,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weights start; as in PyTorch where it is left away. With it, biases start at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

fn all<const N: usize, const VALUE: u64>() -> Size<N> {
    Size::all(VALUE)
}

fn one_group() -> u64 {
    1
}

impl<const N: usize> ConvTranspose<N> {
    fn check(&self, channels: &Dim) -> Result<(), ShapeError> {
        let name = Self::INFO.name;
        let positive = [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)];
        if let Some((field, _)) = positive.iter().find(|(_, size)| size.0.contains(&0)) {
            return Err(ShapeError::zero(name, field));
        }
        let counts = [("out", self.out), ("groups", self.groups)];
        if let Some((field, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(ShapeError::zero(name, field));
        }
        let divided = [channels.size().unwrap_or(self.groups), self.out];
        if let Some(count) = divided.iter().find(|count| !count.is_multiple_of(self.groups)) {
            let message = format!("{name} has {} groups, which do not divide {count} channels", self.groups);
            return Err(ShapeError::new(codes::INDIVISIBLE, message)
                .at("groups")
                .label(format!("{count} is not a multiple of {}", self.groups)));
        }
        let most = |axis: usize| self.stride.0[axis].max(self.dilation.0[axis]);
        if let Some(axis) = (0..N).find(|axis| self.output_padding.0[*axis] >= most(*axis)) {
            let message = format!("`output_padding` of {name} is less than its stride or its dilation");
            return Err(ShapeError::new(codes::OUT_OF_RANGE, message)
                .at("output_padding")
                .label(format!("at most {}", most(axis) - 1)));
        }
        init::check(name, self.init.as_ref())
    }

    /// `(size − 1) stride − 2 padding + dilation (kernel − 1) + output_padding + 1`.
    fn along(&self, axis: usize, dim: &Dim, input: &Shape) -> Result<Dim, ShapeError> {
        let Some(size) = dim.size() else { return Ok(Dim::Unknown) };
        let spread = size.saturating_sub(1).saturating_mul(self.stride.0[axis]);
        let window = self.dilation.0[axis].saturating_mul(self.kernel.0[axis] - 1);
        let grown = spread.saturating_add(window).saturating_add(self.output_padding.0[axis]).saturating_add(1);
        let cut = self.padding.0[axis].saturating_mul(2);
        if cut >= grown {
            let message = format!("{} cuts {cut} off what is {grown} long", Self::INFO.name);
            return Err(ShapeError::new(codes::KERNEL, message).at("padding").label(format!("receives {input}")));
        }
        Ok(Dim::Fixed(grown - cut))
    }

    /// One input element's products.
    fn window(&self, input: &Signal) -> Option<u64> {
        let channels = input.shape.0.first()?.size()?;
        let per_group = self.out.checked_div(self.groups)?;
        self.kernel.0.iter().try_fold(channels.checked_mul(per_group)?, |product, size| product.checked_mul(*size))
    }
}

impl<const N: usize> Layer for ConvTranspose<N> {
    const INFO: LayerInfo = if N == 1 {
        LayerInfo {
            name: "conv_transpose1d",
            summary: "A convolution the other way round, which makes a sequence longer.",
            docs: "`[channels, length]` gives `[out, (length − 1) stride − 2 padding + dilation (kernel − 1) + output_padding + 1]`: the shape that \
                   a `conv1d` with the same fields takes back. Weights start as in PyTorch.",
            example: "{ conv_transpose1d = { out = 16, kernel = 2, stride = 2 } }",
            weights: true,
        }
    } else {
        LayerInfo {
            name: "conv_transpose2d",
            summary: "A convolution the other way round, which makes an image larger.",
            docs: "`[channels, height, width]` gives `(size − 1) stride − 2 padding + dilation (kernel − 1) + output_padding + 1` of height and \
                   width: the shape that a `conv2d` with the same fields takes back. `kernel = 2, stride = 2` doubles both. Weights start as in PyTorch.",
            example: "{ conv_transpose2d = { out = 16, kernel = 2, stride = 2 } }",
            weights: true,
        }
    };

    fn from_short(_: Short) -> Option<Self> {
        None
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let (channels, spatial) = split::<N>(Self::INFO.name, &input.shape)?;
        self.check(channels)?;
        let mut shape = vec![Dim::Fixed(self.out)];
        for (axis, dim) in spatial.iter().enumerate() {
            shape.push(self.along(axis, dim, &input.shape)?);
        }
        Ok(Signal::numbers(Shape(shape)))
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        self.window(input)?.checked_add(if self.bias { self.out } else { 0 })
    }

    fn flops(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let places = Shape(input.shape.0.get(1..)?.to_vec()).elements()?;
        places.checked_mul(self.window(input)?)?.checked_mul(2)
    }

    fn describe(&self) -> String {
        let mut text = format!("{}, kernel {}", self.out, self.kernel);
        if !self.stride.is_all(1) {
            text.push_str(&format!(", stride {}", self.stride));
        }
        if !self.padding.is_all(0) {
            text.push_str(&format!(", padding {}", self.padding));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};

    #[test]
    fn sizes_follow_pytorch() {
        let double = r#"{"conv_transpose2d":{"out":6,"kernel":2,"stride":2}}"#;
        assert_eq!(infer(double, &[4, 7, 5]), (Shape::fixed(&[6, 14, 10]), Some(4 * 6 * 4 + 6)));
        let all = r#"{"conv_transpose1d":{"out":6,"kernel":3,"stride":3,"padding":1,"output_padding":1,"dilation":2,"groups":2,"bias":false}}"#;
        // torch.nn.ConvTranspose1d(4, 6, 3, 3, 1, 1, 2, False, 2): (9 − 1)·3 − 2 + 2·2 + 1 + 1
        assert_eq!(infer(all, &[4, 9]), (Shape::fixed(&[6, 28]), Some(36)));
    }

    #[test]
    fn what_it_cannot_take() {
        let groups = infer_error(r#"{"conv_transpose2d":{"out":6,"kernel":2,"groups":3}}"#, &[4, 7, 5]);
        assert_eq!(groups.message, "conv_transpose2d has 3 groups, which do not divide 4 channels");
        let late = infer_error(r#"{"conv_transpose1d":{"out":6,"kernel":2,"output_padding":1}}"#, &[4, 7]);
        assert_eq!(late.label, "at most 0");
        let cut = infer_error(r#"{"conv_transpose1d":{"out":6,"kernel":2,"padding":4}}"#, &[4, 7]);
        assert_eq!((cut.code, cut.message.as_str()), (codes::KERNEL, "conv_transpose1d cuts 8 off what is 8 long"));
        assert_eq!(infer_error(r#"{"conv_transpose1d":{"out":6,"kernel":2}}"#, &[4]).code, codes::RANK);
    }
}
