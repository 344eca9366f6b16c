//! `max_pool1d`, `max_pool2d`, `avg_pool1d`, `avg_pool2d`: the largest or the mean value of a window.

use super::window::{Window, split};
use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::{Padding, Size, yes};
use crate::types::Shape;
use schemars::JsonSchema;
use serde::de::{SeqAccess, value::SeqAccessDeserializer};
use serde::{Deserialize, Serialize};

/// The largest value of each window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct MaxPool<const N: usize> {
    /// The window: one number, or one per dimension.
    pub kernel: Size<N>,
    /// The step between two places of the window; the window itself where it is left away.
    #[serde(default)]
    pub stride: Option<Size<N>>,
    /// What is added at both sides, never chosen; at most half the window.
    #[serde(default = "none::<N>")]
    pub padding: Size<N>,
    /// The distance between two elements of the window.
    #[serde(default = "one::<N>")]
    pub dilation: Size<N>,
    /// Whether what is left over at the end is a window too, a smaller one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ceil_mode: bool,
}

/// The mean value of each window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct AvgPool<const N: usize> {
    /// The window: one number, or one per dimension.
    pub kernel: Size<N>,
    /// The step between two places of the window; the window itself where it is left away.
    #[serde(default)]
    pub stride: Option<Size<N>>,
    /// Zeros at both sides; at most half the window.
    #[serde(default = "none::<N>")]
    pub padding: Size<N>,
    /// Whether those zeros count in the mean.
    #[serde(default = "yes")]
    pub count_include_pad: bool,
    /// Whether what is left over at the end is a window too, a smaller one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ceil_mode: bool,
}

fn none<const N: usize>() -> Size<N> {
    Size::all(0)
}

fn one<const N: usize>() -> Size<N> {
    Size::all(1)
}

fn infer<const N: usize>(window: &Window<'_, N>, padding: Size<N>, input: &Signal) -> Result<Signal, ShapeError> {
    let (channels, spatial) = split::<N>(window.layer, &input.shape)?;
    for axis in 0..N {
        if padding.0[axis] > window.kernel.0[axis] / 2 {
            let message =
                format!("{} has a padding of {padding}, more than half its window of {}", window.layer, window.kernel);
            return Err(ShapeError::new(codes::OUT_OF_RANGE, message)
                .at("padding")
                .label(format!("at most {}", window.kernel.0[axis] / 2)));
        }
    }
    let mut shape = vec![channels.clone()];
    shape.extend(window.infer(spatial, &input.shape)?);
    Ok(input.with_shape(Shape(shape)))
}

fn describe<const N: usize>(window: &Window<'_, N>) -> String {
    let mut text = window.kernel.to_string();
    if window.stride != window.kernel {
        text.push_str(&format!(", stride {}", window.stride));
    }
    if window.padding != Padding::default() {
        text.push_str(&format!(", padding {}", window.padding));
    }
    if window.ceil {
        text.push_str(", rounded up");
    }
    text
}

pub(super) fn size_schemas<const N: usize>() -> Vec<schemars::Schema> {
    let number = schemars::json_schema!({ "type": "integer", "minimum": 1 });
    let list =
        schemars::json_schema!({ "type": "array", "items": { "type": "integer" }, "minItems": N, "maxItems": N });
    if N == 1 { vec![number] } else { vec![number, list] }
}

impl<const N: usize> MaxPool<N> {
    fn with_kernel(kernel: Size<N>) -> Self {
        Self { kernel, stride: None, padding: none(), dilation: one(), ceil_mode: false }
    }

    fn window(&self) -> Window<'static, N> {
        Window {
            layer: Self::INFO.name,
            kernel: self.kernel,
            stride: self.stride.unwrap_or(self.kernel),
            padding: Padding::Size(self.padding),
            dilation: self.dilation,
            ceil: self.ceil_mode,
        }
    }
}

impl<const N: usize> Layer for MaxPool<N> {
    const INFO: LayerInfo = if N == 1 {
        LayerInfo {
            name: "max_pool1d",
            summary: "The largest value of each window of a sequence.",
            docs: "`[channels, length]` gives `[channels, floor((length + 2 padding − dilation (kernel − 1) − 1) / stride) + 1]`; what is \
                   left over at the end is dropped, or with `ceil_mode` a window too. `{ max_pool1d = 2 }` halves the length.",
            example: "{ max_pool1d = 2 }",
            weights: false,
        }
    } else {
        LayerInfo {
            name: "max_pool2d",
            summary: "The largest value of each window of an image.",
            docs: "`[channels, height, width]` gives `floor((size + 2 padding − dilation (kernel − 1) − 1) / stride) + 1` of height and \
                   width; what is left over at the edge is dropped, or with `ceil_mode` a window too, if it begins within the image or the padding before \
                   it. `{ max_pool2d = 2 }` halves both.",
            example: "{ max_pool2d = 2 }",
            weights: false,
        }
    };

    fn from_short(short: Short) -> Option<Self> {
        if let Short::Int(kernel) = short { Some(Self::with_kernel(Size::all(kernel))) } else { None }
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Option<Result<Self, A::Error>> {
        Some(Size::deserialize(SeqAccessDeserializer::new(list)).map(Self::with_kernel))
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        size_schemas::<N>()
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        infer(&self.window(), self.padding, input)
    }

    fn describe(&self) -> String {
        describe(&self.window())
    }
}

impl<const N: usize> AvgPool<N> {
    fn with_kernel(kernel: Size<N>) -> Self {
        Self { kernel, stride: None, padding: none(), count_include_pad: true, ceil_mode: false }
    }

    fn window(&self) -> Window<'static, N> {
        Window {
            layer: Self::INFO.name,
            kernel: self.kernel,
            stride: self.stride.unwrap_or(self.kernel),
            padding: Padding::Size(self.padding),
            dilation: one(),
            ceil: self.ceil_mode,
        }
    }
}

impl<const N: usize> Layer for AvgPool<N> {
    const INFO: LayerInfo = if N == 1 {
        LayerInfo {
            name: "avg_pool1d",
            summary: "The mean value of each window of a sequence.",
            docs: "`[channels, length]` gives `[channels, floor((length + 2 padding − kernel) / stride) + 1]`; what is left over at the end \
                   is dropped, or with `ceil_mode` a window too, whose mean is that of what it holds.",
            example: "{ avg_pool1d = 2 }",
            weights: false,
        }
    } else {
        LayerInfo {
            name: "avg_pool2d",
            summary: "The mean value of each window of an image.",
            docs: "`[channels, height, width]` gives `floor((size + 2 padding − kernel) / stride) + 1` of height and width; what is left \
                   over at the edge is dropped, or with `ceil_mode` a window too, whose mean is that of what it holds.",
            example: "{ avg_pool2d = 2 }",
            weights: false,
        }
    };

    fn from_short(short: Short) -> Option<Self> {
        if let Short::Int(kernel) = short { Some(Self::with_kernel(Size::all(kernel))) } else { None }
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Option<Result<Self, A::Error>> {
        Some(Size::deserialize(SeqAccessDeserializer::new(list)).map(Self::with_kernel))
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        size_schemas::<N>()
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        infer(&self.window(), self.padding, input)
    }

    fn describe(&self) -> String {
        describe(&self.window())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{decode, infer, infer_error};

    #[test]
    fn what_is_left_over_is_dropped() {
        assert_eq!(infer(r#"{"max_pool2d":2}"#, &[64, 11, 10]).0, Shape::fixed(&[64, 5, 5]));
        assert_eq!(infer(r#"{"avg_pool1d":3}"#, &[2, 8]).0, Shape::fixed(&[2, 2]));
        assert_eq!(
            infer(r#"{"max_pool2d":{"kernel":3,"stride":2,"padding":1}}"#, &[8, 28, 28]).0,
            Shape::fixed(&[8, 14, 14])
        );
        assert_eq!(infer(r#"{"avg_pool2d":[2,5]}"#, &[1, 4, 5]).0, Shape::fixed(&[1, 2, 1]));
    }

    #[test]
    fn what_is_left_over_is_a_window_where_that_is_asked_for() {
        let sizes = |fields: &str, size: u64| {
            infer(&format!(r#"{{"max_pool1d":{{"ceil_mode":true,{fields}}}}}"#), &[2, size]).0
        };
        assert_eq!(sizes(r#""kernel":2"#, 5), Shape::fixed(&[2, 3]));
        assert_eq!(sizes(r#""kernel":2"#, 6), Shape::fixed(&[2, 3]));
        assert_eq!(sizes(r#""kernel":3,"stride":2"#, 2), Shape::fixed(&[2, 1]));
        // The last would begin in the padding behind the input.
        assert_eq!(sizes(r#""kernel":2,"padding":1"#, 5), Shape::fixed(&[2, 3]));
        assert_eq!(sizes(r#""kernel":3,"stride":4,"padding":1"#, 7), Shape::fixed(&[2, 2]));
        let both = r#"{"avg_pool2d":{"kernel":[2,3],"ceil_mode":true}}"#;
        assert_eq!(infer(both, &[1, 5, 7]).0, Shape::fixed(&[1, 3, 3]));
        assert_eq!(decode(both).text(), "avg_pool2d 2 x 3, rounded up");
        let error = infer_error(r#"{"max_pool1d":{"kernel":4,"stride":2,"ceil_mode":true}}"#, &[2, 2]);
        assert_eq!(
            error.message,
            "max_pool1d has a window of 4, but the length it receives is 2, 3 with padding and `ceil_mode`"
        );
    }

    /// A field that a manifest leaves out is not written, so that it changes no key of a model from before there was one.
    #[test]
    fn a_pool_that_drops_what_is_left_over_is_written_as_ever() {
        let written = |json: &str| serde_json::to_string(&decode(json)).expect("json");
        assert_eq!(
            written(r#"{"max_pool2d":2}"#),
            r#"{"max_pool2d":{"kernel":2,"stride":null,"padding":0,"dilation":1}}"#
        );
        assert_eq!(
            written(r#"{"avg_pool1d":{"kernel":2,"ceil_mode":false}}"#),
            r#"{"avg_pool1d":{"kernel":2,"stride":null,"padding":0,"count_include_pad":true}}"#
        );
    }

    #[test]
    fn a_pool_that_does_not_fit() {
        let error = infer_error(r#"{"max_pool2d":2}"#, &[64, 1, 1]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (codes::KERNEL, "max_pool2d has a window of 2, but the height it receives is 1")
        );
        assert_eq!(infer_error(r#"{"max_pool2d":{"kernel":2,"padding":2}}"#, &[4, 8, 8]).code, codes::OUT_OF_RANGE);
        assert_eq!(infer_error(r#"{"max_pool1d":2}"#, &[4, 8, 8]).code, codes::RANK);
    }
}
