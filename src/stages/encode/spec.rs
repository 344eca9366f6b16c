//! What the manifest says of an `encode` stage.

use super::features::{Feature, named};
use super::target::Target;
use crate::stage::Ref;
use crate::stages::table::split::Leaks;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The fields of an `encode` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EncodeSpec {
    /// The training table. Means, categories and classes are learnt from it and from nothing else. It is encoded too.
    pub fit: Ref,
    /// Further tables to encode in the same way, such as those for validation and test.
    #[serde(default)]
    pub apply: Vec<Ref>,
    /// What the model sees: a name for each feature, and how it is made of columns. `age = "numeric"`,
    /// `sizes = { numeric = ["bill_*"], impute = "mean" }`, `island = { category = "island", unknown = "other" }`,
    /// `image = { image = [1, 28, 28], columns = "pixel_*", scale = 255 }`.
    #[serde(deserialize_with = "named")]
    pub features: BTreeMap<String, Feature>,
    /// What models are to predict: a column, and `"category"`, `"binary"` or `"number"`; or a feature of tokens, and `"next_token"`
    /// or `"masked_token"`. Where there are several, each
    /// `model` stage says which is its `target`.
    #[serde(default)]
    pub target: BTreeMap<String, Target>,
    /// What to do about a column of the features that determines a target in the training table (each of its values, which
    /// repeat, always has the same target; one value, or none, stands in all rows of a class and in no other; or the rows of
    /// each class follow each other in its order): `"warn"`, `"error"`, or `"ignore"`, which does not look. `"warn"` where
    /// nothing else is said.
    pub leaks: Option<Leaks>,
}

impl EncodeSpec {
    /// The tables in port order, the training table first.
    pub fn tables(&self) -> Vec<&Ref> {
        std::iter::once(&self.fit).chain(&self.apply).collect()
    }
}
