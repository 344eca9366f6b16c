//! `parallel`: several ways through the network side by side.

use crate::diag::codes;
use crate::digest::Segment;
use crate::nn::join::Join;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::sequence;
use crate::nn::spec::LayerSpec;
use schemars::JsonSchema;
use serde::de::{SeqAccess, value::SeqAccessDeserializer};
use serde::{Deserialize, Serialize};

/// Several lists of layers over one input, whose results are joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Parallel {
    /// The lists of layers; an empty one passes the input on.
    pub branches: Vec<Vec<LayerSpec>>,
    /// How their results become one.
    #[serde(default)]
    pub join: Join,
}

impl Parallel {
    fn sum(&self, input: &Signal, cx: &InferCx, of: fn(&LayerSpec, &Signal, &InferCx) -> Option<u64>) -> Option<u64> {
        let each = |branch: &Vec<LayerSpec>| sequence::sum(branch, input, cx, of);
        self.branches.iter().try_fold(0_u64, |total, branch| total.checked_add(each(branch)?))
    }
}

impl Layer for Parallel {
    const INFO: LayerInfo = LayerInfo {
        name: "parallel",
        summary: "Several lists of layers over one input, whose results are joined.",
        docs: "Each of `branches` gets the input. `join = \"concat\"` puts the results side by side along their first dimension (the channels \
               of images, the elements of vectors); `\"sum\"`, `\"product\"` and `\"dot\"` take results of one shape. \
               `{ parallel = [[…], […]] }` is short for `{ parallel = { branches = [[…], […]] } }`.",
        example: "{ parallel = [[{ linear = 8 }, \"relu\"], [{ linear = 4 }, \"tanh\"]] }",
        weights: false,
    };

    fn from_short(_: Short) -> Option<Self> {
        None
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Option<Result<Self, A::Error>> {
        let branches = Vec::deserialize(SeqAccessDeserializer::new(list));
        Some(branches.map(|branches| Self { branches, join: Join::Concat }))
    }

    fn short_schemas(generator: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        let layer = generator.subschema_for::<LayerSpec>();
        let branch = schemars::json_schema!({ "type": "array", "items": layer });
        vec![schemars::json_schema!({ "type": "array", "items": branch, "minItems": 1 })]
    }

    fn infer(&self, input: &Signal, cx: &InferCx) -> Result<Signal, ShapeError> {
        let mut results = Vec::with_capacity(self.branches.len());
        for (index, branch) in self.branches.iter().enumerate() {
            let place: [Segment; 2] = ["branches".into(), Segment::Index(index)];
            results.push(sequence::infer(branch, input, cx).map_err(|error| error.nest(&place))?);
        }
        if results.is_empty() {
            let error = ShapeError::new(codes::EMPTY_MODEL, "parallel has at least one list of layers");
            return Err(error.at("branches"));
        }
        self.join.infer(&results).map_err(|(index, message)| {
            let error = ShapeError::new(codes::RESIDUAL, format!("the branches of parallel do not join: {message}"));
            let at = |index| vec!["branches".into(), Segment::Index(index)];
            let given_by = Some((at(0), format!("gives {}", results[0].shape)));
            ShapeError { field: at(index), given_by, ..error }.label(format!("gives {}", results[index].shape))
        })
    }

    fn parameters(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        self.sum(input, cx, LayerSpec::parameters)
    }

    fn flops(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        self.sum(input, cx, LayerSpec::flops)
    }

    fn activations(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        let joined = self.infer(input, cx).ok()?.shape.elements()?;
        self.sum(input, cx, LayerSpec::activations)?.checked_add(joined)
    }

    fn resolved(&self, input: &Signal, cx: &InferCx) -> Self {
        let branches = self.branches.iter().map(|branch| sequence::resolved(branch, input, cx)).collect();
        Self { branches, join: self.join }
    }

    fn describe(&self) -> String {
        format!("{} branches, {}", self.branches.len(), self.join.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};
    use crate::path;
    use crate::types::Shape;

    #[test]
    fn results_are_joined() {
        let side = r#"{"parallel":[[{"linear":8},"relu"],[{"linear":4}],[]]}"#;
        assert_eq!(infer(side, &[6]), (Shape::fixed(&[18]), Some(56 + 28)));
        let images =
            r#"{"parallel":[[{"conv2d":{"out":5,"kernel":3,"padding":1}}],[{"conv2d":{"out":3,"kernel":1}}]]}"#;
        assert_eq!(infer(images, &[2, 7, 7]).0, Shape::fixed(&[8, 7, 7]));
        let gate = r#"{"parallel":{"branches":[[{"linear":6},"sigmoid"],[]],"join":"product"}}"#;
        assert_eq!(infer(gate, &[6]).0, Shape::fixed(&[6]));
        let dot = r#"{"parallel":{"branches":[[{"linear":4}],[{"linear":4}]],"join":"dot"}}"#;
        assert_eq!(infer(dot, &[6]).0, Shape::fixed(&[1]));
    }

    #[test]
    fn what_does_not_join_shows_both_shapes() {
        let error = infer_error(r#"{"parallel":{"branches":[[{"linear":6}],[{"linear":4}]],"join":"sum"}}"#, &[6]);
        assert_eq!(error.message, "the branches of parallel do not join: [batch, 6] and [batch, 4]");
        assert_eq!(error.field, path!["branches", 1]);
        assert_eq!(error.given_by, Some((path!["branches", 0], "gives [batch, 6]".to_owned())));
        let error = infer_error(r#"{"parallel":[[{"conv2d":{"out":5,"kernel":3}}],[]]}"#, &[2, 7, 7]);
        assert_eq!(error.message, "the branches of parallel do not join: [batch, 5, 5, 5] and [batch, 2, 7, 7]");
        let error = infer_error(r#"{"parallel":[["relu"],[{"linear":{"in":5,"out":2}}]]}"#, &[6]);
        assert_eq!(error.field, path!["branches", 1, 0, "linear", "in"]);
        assert_eq!(infer_error(r#"{"parallel":[]}"#, &[6]).code, codes::EMPTY_MODEL);
    }
}
