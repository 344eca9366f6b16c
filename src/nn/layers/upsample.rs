//! `upsample`: an image or a sequence with more places, filled in from those that there are.

use super::window::split;
use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::Size;
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::de::{SeqAccess, value::SeqAccessDeserializer};
use serde::{Deserialize, Serialize};

/// More places: `scale_factor` times as many, or `size` in all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Upsample {
    /// How many times as many places: one number, or one for the height and one for the width.
    #[serde(default)]
    pub scale_factor: Option<Size<2>>,
    /// How many places, instead: one number, or `[height, width]`.
    #[serde(default)]
    pub size: Option<Size<2>>,
    /// What stands at the new places.
    #[serde(default)]
    pub mode: UpsampleMode,
    /// Whether the outermost places lie upon each other, not the edges of the whole; not for `"nearest"`.
    #[serde(default)]
    pub align_corners: bool,
}

/// What stands at the new places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum UpsampleMode {
    /// The value of the place that lies there.
    #[default]
    Nearest,
    /// A straight line between the two nearest places of a sequence.
    Linear,
    /// The same along the height and the width of an image.
    Bilinear,
}

impl UpsampleMode {
    /// Its word in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Linear => "linear",
            Self::Bilinear => "bilinear",
        }
    }
}

impl Upsample {
    fn by(scale_factor: Size<2>) -> Self {
        Self { scale_factor: Some(scale_factor), size: None, mode: UpsampleMode::default(), align_corners: false }
    }

    /// The field that says how many places there will be, and its numbers.
    fn places(&self) -> Result<(&'static str, Size<2>), ShapeError> {
        let name = Self::INFO.name;
        let (field, numbers) = match (self.scale_factor, self.size) {
            (Some(factor), None) => ("scale_factor", factor),
            (None, Some(size)) => ("size", size),
            (None, None) => {
                let message = format!("{name} needs `scale_factor` or `size`");
                return Err(ShapeError::new(codes::MISSING_FIELD, message).hint("`{ upsample = 2 }` doubles each side"));
            }
            (Some(_), Some(_)) => {
                let message = format!("{name} has both `scale_factor` and `size`");
                return Err(ShapeError::new(codes::CONFLICT, message).at("size").label("one of them says it all"));
            }
        };
        if numbers.0.contains(&0) { Err(ShapeError::zero(name, field)) } else { Ok((field, numbers)) }
    }

    /// `[channels, length]` for a sequence, `[channels, height, width]` for an image, as the mode wants it.
    fn check_mode(&self, input: &Shape) -> Result<(), ShapeError> {
        let named = format!("{} with mode \"{}\"", Self::INFO.name, self.mode.name());
        match (self.mode, input.rank()) {
            (UpsampleMode::Nearest, _) if self.align_corners => {
                let message = format!("{named} takes each value from one place; it has no corners to align");
                Err(ShapeError::new(codes::CONFLICT, message)
                    .at("align_corners")
                    .label("does nothing here")
                    .hint("`mode = \"bilinear\"` for an image, `\"linear\"` for a sequence"))
            }
            (UpsampleMode::Bilinear, 2) => Err(ShapeError::rank(&named, "channels, height, width", input)
                .at("mode")
                .hint("`mode = \"linear\"` is for sequences")),
            (UpsampleMode::Linear, 3) => Err(ShapeError::rank(&named, "channels, length", input)
                .at("mode")
                .hint("`mode = \"bilinear\"` is for images")),
            _ => Ok(()),
        }
    }
}

impl Layer for Upsample {
    const INFO: LayerInfo = LayerInfo {
        name: "upsample",
        summary: "An image or a sequence with more places, filled in from those that there are.",
        docs: "`[channels, height, width]` gives `scale_factor` times the height and the width, or those of `size`; `[channels, length]` the same \
               of its length: PyTorch's `Upsample`. `\"nearest\"` repeats values; `\"bilinear\"` (`\"linear\"` for a sequence) lays straight lines \
               between them, from edge to edge, or with `align_corners` from the middle of the first place to the middle of the last. \
               `scale_factor` takes whole numbers; `size` takes any, smaller ones too. `{ upsample = 2 }` and a convolution after it do what \
               `conv_transpose2d` does, without its pattern of squares. On a GPU the gradients of straight lines are not reproducible, and \
               training with them needs `deterministic = false`.",
        example: "{ upsample = { scale_factor = 2, mode = \"bilinear\" } }",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        if let Short::Int(factor) = short { Some(Self::by(Size::all(factor))) } else { None }
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Option<Result<Self, A::Error>> {
        Some(Size::deserialize(SeqAccessDeserializer::new(list)).map(Self::by))
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        super::pool::size_schemas::<2>()
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let (field, numbers) = self.places()?;
        if input.shape.rank() != 2 {
            split::<2>(Self::INFO.name, &input.shape)?;
        }
        self.check_mode(&input.shape)?;
        let (channels, spatial) = (&input.shape.0[0], &input.shape.0[1..]);
        if spatial.len() == 1 && numbers.0[0] != numbers.0[1] {
            let message = format!("`{field}` of upsample is one number for a sequence, which has a length alone");
            let error = ShapeError::new(codes::CONFLICT, message).at(field);
            return Err(error.label(format!("is {numbers}, and receives {}", input.shape)));
        }
        let along = |(dim, number): (&Dim, u64)| match (dim.size(), self.size) {
            (_, Some(_)) => Dim::Fixed(number),
            (Some(places), None) => Dim::Fixed(places.saturating_mul(number)),
            (None, None) => Dim::Unknown,
        };
        let mut shape = vec![channels.clone()];
        shape.extend(spatial.iter().zip(numbers.0).map(along));
        Ok(input.with_shape(Shape(shape)))
    }

    fn describe(&self) -> String {
        let mut text = match (self.scale_factor, self.size) {
            (Some(factor), _) => factor.to_string(),
            (None, Some(size)) => format!("to {size}"),
            (None, None) => String::new(),
        };
        if self.mode != UpsampleMode::Nearest {
            text.push_str(&format!(", {}", self.mode.name()));
        }
        if self.align_corners {
            text.push_str(", corners aligned");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{decode, infer, infer_error};

    #[test]
    fn sides_are_multiplied_or_given() {
        assert_eq!(infer(r#"{"upsample":2}"#, &[3, 4, 5]), (Shape::fixed(&[3, 8, 10]), Some(0)));
        assert_eq!(infer(r#"{"upsample":[2,3]}"#, &[3, 4, 5]).0, Shape::fixed(&[3, 8, 15]));
        assert_eq!(infer(r#"{"upsample":{"size":[7,3],"mode":"bilinear"}}"#, &[3, 4, 5]).0, Shape::fixed(&[3, 7, 3]));
        assert_eq!(infer(r#"{"upsample":{"scale_factor":3,"mode":"linear"}}"#, &[3, 4]).0, Shape::fixed(&[3, 12]));
        let half = Signal::numbers(Shape(vec![Dim::Fixed(3), Dim::Unknown, Dim::Fixed(5)]));
        let output = decode(r#"{"upsample":2}"#).infer(&half, &InferCx::default()).expect("a shape");
        assert_eq!(output.shape, Shape(vec![Dim::Fixed(3), Dim::Unknown, Dim::Fixed(10)]));
    }

    #[test]
    fn it_is_told_in_a_few_words() {
        assert_eq!(decode(r#"{"upsample":2}"#).text(), "upsample 2");
        let layer = decode(r#"{"upsample":{"size":[7,3],"mode":"bilinear","align_corners":true}}"#);
        assert_eq!(layer.text(), "upsample to 7 x 3, bilinear, corners aligned");
    }

    #[test]
    fn what_says_too_little_or_too_much() {
        let error = infer_error(r#"{"upsample":{"mode":"bilinear"}}"#, &[3, 4, 5]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (codes::MISSING_FIELD, "upsample needs `scale_factor` or `size`")
        );
        let error = infer_error(r#"{"upsample":{"scale_factor":2,"size":8}}"#, &[3, 4, 5]);
        assert_eq!((error.code, error.field), (codes::CONFLICT, crate::path!["size"]));
        assert_eq!(infer_error(r#"{"upsample":0}"#, &[3, 4, 5]).code, codes::OUT_OF_RANGE);
        let error = infer_error(r#"{"upsample":{"scale_factor":2,"align_corners":true}}"#, &[3, 4, 5]);
        assert_eq!((error.code, error.field), (codes::CONFLICT, crate::path!["align_corners"]));
    }

    #[test]
    fn a_mode_is_for_images_or_for_sequences() {
        let error = infer_error(r#"{"upsample":{"scale_factor":2,"mode":"bilinear"}}"#, &[3, 4]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (
                codes::RANK,
                "upsample with mode \"bilinear\" takes [batch, channels, height, width] but receives [batch, 3, 4]"
            )
        );
        let error = infer_error(r#"{"upsample":{"scale_factor":2,"mode":"linear"}}"#, &[3, 4, 5]);
        assert_eq!((error.code, error.field), (codes::RANK, crate::path!["mode"]));
        assert_eq!(infer_error(r#"{"upsample":2}"#, &[3]).code, codes::RANK);
        let error = infer_error(r#"{"upsample":{"size":[7,3]}}"#, &[3, 4]);
        assert_eq!((error.code, error.label.as_str()), (codes::CONFLICT, "is 7 x 3, and receives [batch, 3, 4]"));
    }
}
