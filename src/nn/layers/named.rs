//! `save`, `add`, `concat`: skips by name.

use crate::diag::{codes, did_you_mean};
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Keeps its input under a name, and passes it on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Save {
    /// The name, for `add`, `concat` and `memory` after it.
    pub name: String,
}

/// Adds what was saved to its input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Add {
    /// The name of a `save` before it.
    pub name: String,
}

/// Puts what was saved beside its input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Concat {
    /// The name of a `save` before it.
    pub name: String,
    /// Along which dimension, the batch being 0: 1 for vectors and channels, -1 for the features of tokens.
    #[serde(default = "one")]
    pub dim: i64,
}

fn one() -> i64 {
    1
}

fn name_schema() -> Vec<schemars::Schema> {
    vec![schemars::json_schema!({ "type": "string" })]
}

/// What was saved under a name that the field of a layer says.
pub(super) fn saved<'a>(layer: &str, field: &str, name: &str, input: &'a Signal) -> Result<&'a Signal, ShapeError> {
    input.saved.get(name).ok_or_else(|| {
        let error = ShapeError::new(codes::NOT_SAVED, format!("{layer} takes `{name}`, which is not saved before it"))
            .at(field);
        let hint = did_you_mean(name, input.saved.keys().map(String::as_str));
        error.label("nothing of this name").hint(
            hint.unwrap_or_else(|| format!("`{{ save = \"{name}\" }}` before it keeps what the layer there gives")),
        )
    })
}

impl Layer for Save {
    const INFO: LayerInfo = LayerInfo {
        name: "save",
        summary: "Keeps its input under a name, for later layers.",
        docs: "The input goes on unchanged; `{ add = \"x\" }`, `{ concat = \"x\" }` and the `memory` of attention take what `{ save = \"x\" }` \
               kept. Saving under the same name again replaces it. Towers come before `layers`, in the order of their names.",
        example: "{ save = \"skip\" }",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        if let Short::Text(name) = short { Some(Self { name }) } else { None }
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        name_schema()
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let mut output = input.clone();
        let kept = Signal { saved: crate::nn::Saved::new(), ..input.clone() };
        output.saved.insert(self.name.clone(), kept);
        Ok(output)
    }

    fn activations(&self, _: &Signal, _: &InferCx) -> Option<u64> {
        Some(0)
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

impl Layer for Add {
    const INFO: LayerInfo = LayerInfo {
        name: "add",
        summary: "Adds what was saved under a name.",
        docs: "`y = x + saved`, both of one shape. `{ save = \"x\" }` keeps what is added. A `residual` block does the same without a name.",
        example: "{ add = \"skip\" }",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        if let Short::Text(name) = short { Some(Self { name }) } else { None }
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        name_schema()
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let kept = saved(Self::INFO.name, "name", &self.name, input)?;
        let same_rank = kept.shape.rank() == input.shape.rank();
        if same_rank && kept.shape.0.iter().zip(&input.shape.0).all(|(a, b)| a.compatible(b)) {
            return Ok(input.clone());
        }
        let message = format!("add receives {}, but `{}` holds {}", input.shape, self.name, kept.shape);
        Err(ShapeError::new(codes::RESIDUAL, message)
            .at("name")
            .label(format!("holds {}", kept.shape))
            .hint("let both have one shape, or put them side by side with `concat`")
            .recover(input.shape.clone()))
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

impl Concat {
    /// The dimension among those of a row, from 0.
    #[must_use]
    pub fn axis(&self, input: &Signal) -> Option<usize> {
        let rank = i64::try_from(input.shape.rank()).ok()?;
        let axis = if self.dim < 0 { rank + self.dim } else { self.dim - 1 };
        usize::try_from(axis).ok().filter(|axis| *axis < input.shape.rank())
    }
}

impl Layer for Concat {
    const INFO: LayerInfo = LayerInfo {
        name: "concat",
        summary: "Puts what was saved under a name beside its input.",
        docs: "The input comes first, then what `{ save = … }` kept, along the dimension `dim`: 1 (the channels of images, the elements of \
               vectors), or -1 for the features of tokens. All other dimensions are equal.",
        example: "{ concat = \"skip\" }",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        if let Short::Text(name) = short { Some(Self { name, dim: one() }) } else { None }
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        name_schema()
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let kept = saved(Self::INFO.name, "name", &self.name, input)?;
        let Some(axis) = self.axis(input) else {
            let message = format!("concat along dimension {} cannot take {}", self.dim, input.shape);
            let label = format!("1 to {}, or -1 for the last", input.shape.rank());
            return Err(ShapeError::new(codes::RANK, message).at("dim").label(label));
        };
        let others = |(index, (a, b)): (usize, (&Dim, &Dim))| index == axis || a.compatible(b);
        let same_rank = kept.shape.rank() == input.shape.rank();
        if !same_rank || !input.shape.0.iter().zip(&kept.shape.0).enumerate().all(others) {
            let message = format!("concat receives {}, but `{}` holds {}", input.shape, self.name, kept.shape);
            return Err(ShapeError::new(codes::RESIDUAL, message)
                .at("name")
                .label(format!("holds {}", kept.shape))
                .hint(format!("they may differ in dimension {} alone", axis + 1)));
        }
        let mut shape: Vec<Dim> = input.shape.0.clone();
        let sum = input.shape.0[axis].size().zip(kept.shape.0[axis].size());
        shape[axis] = sum.map_or(Dim::Unknown, |(a, b)| Dim::Fixed(a.saturating_add(b)));
        // Along the tokens, the mask of the one would not be that of both.
        let padding = if axis == 0 { None } else { input.padding };
        Ok(Signal { padding, ..Signal::numbers(Shape(shape)) })
    }

    fn describe(&self) -> String {
        if self.dim == 1 { self.name.clone() } else { format!("{}, dimension {}", self.name, self.dim) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};

    #[test]
    fn what_is_saved_is_added_or_put_beside() {
        let block = r#"{"residual":[{"save":"x"},{"linear":8},"relu",{"linear":6},{"add":"x"}]}"#;
        assert_eq!(infer(block, &[6]), (Shape::fixed(&[6]), Some(56 + 54)));
        let wide = r#"{"residual":{"layers":[{"save":"x"},{"linear":8},{"concat":"x"}],"shortcut":[{"linear":14}]}}"#;
        assert_eq!(infer(wide, &[6]).0, Shape::fixed(&[14]));
        let tokens = r#"{"residual":{"layers":[{"save":"x"},{"linear":8},{"concat":{"name":"x","dim":-1}}],"shortcut":[{"linear":14}]}}"#;
        assert_eq!(infer(tokens, &[5, 6]).0, Shape::fixed(&[5, 14]));
    }

    #[test]
    fn what_does_not_fit_shows_both_shapes() {
        let error = infer_error(r#"{"residual":[{"save":"x"},{"linear":8},{"add":"x"}]}"#, &[6]);
        assert_eq!(error.message, "add receives [batch, 8], but `x` holds [batch, 6]");
        let error = infer_error(r#"{"residual":[{"save":"left"},{"add":"lefd"}]}"#, &[6]);
        assert_eq!((error.code, error.hints), (codes::NOT_SAVED, vec!["did you mean `left`?".to_owned()]));
        let error = infer_error(r#"{"residual":[{"save":"x"},{"linear":8},{"concat":{"name":"x","dim":1}}]}"#, &[5, 6]);
        assert_eq!(error.message, "concat receives [batch, 5, 8], but `x` holds [batch, 5, 6]");
        assert_eq!(infer_error(r#"{"concat":{"name":"x","dim":3}}"#, &[6]).code, codes::NOT_SAVED);
    }
}
