//! Losses that rank: the item of a row that is yes shall score above the items of other rows. The network gives a score for a
//! row; for the others the features of items change places with those of the rows that follow in the batch.

use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bayesian personalised ranking: a row's item against others, one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Bpr {
    /// The features that describe the item; all others describe who it is ranked for.
    pub items: Vec<String>,
    /// With how many other items of its batch each is compared.
    pub negatives: u64,
}

/// Which of some items belongs to the row: a softmax over its own and others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SampledSoftmax {
    /// The features that describe the item; all others describe who it is ranked for.
    pub items: Vec<String>,
    /// How many other items of its batch each stands among.
    pub negatives: u64,
    /// What scores are divided by.
    pub temperature: f64,
}

/// What ranking losses have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranking<'a> {
    /// The features that describe the item.
    pub items: &'a [String],
    /// How many other items there are to each.
    pub negatives: u64,
}

impl Default for Bpr {
    fn default() -> Self {
        Self { items: Vec::new(), negatives: 4 }
    }
}

impl Default for SampledSoftmax {
    fn default() -> Self {
        Self { items: Vec::new(), negatives: 31, temperature: 1.0 }
    }
}

impl Bpr {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "bpr",
        summary: "For rankings, such as two towers: the item of a row that is yes scores above items of other rows.",
        formula: "mean over rows that are yes and over negatives of -log sigmoid(s - s'); s is the row's score, s' that of the same row with the item of one of the next rows of the batch, pairs of equal items left out",
        source: "Rendle et al., BPR: Bayesian Personalized Ranking from Implicit Feedback (2009), negatives from the batch",
        example: "loss.bpr = { items = [\"item\"], negatives = 4 }",
        schema: |generator| generator.subschema_for::<Bpr>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        negatives_problem(self.negatives).into_iter().collect()
    }
}

impl SampledSoftmax {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "sampled_softmax",
        summary: "For rankings, such as two towers: the item of a row that is yes is the one among items of other rows.",
        formula: "mean over rows that are yes of -log(exp(s / temperature) / sum of exp(s' / temperature) over its own item and negatives, which are the items of the next rows of the batch, equal ones left out)",
        source: "Jean et al., On Using Very Large Target Vocabulary (2015); negatives from the batch as Yi et al. (2019), without their correction",
        example: "loss.sampled_softmax = { items = [\"item\"], negatives = 31 }",
        schema: |generator| generator.subschema_for::<SampledSoftmax>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        let temperature = self.temperature;
        let cold = Problem::unless(temperature > 0.0 && temperature.is_finite(), "temperature", || {
            format!("temperature is above 0, found {temperature}")
        });
        negatives_problem(self.negatives).into_iter().chain(cold).collect()
    }
}

fn negatives_problem(negatives: u64) -> Option<Problem> {
    Problem::unless(negatives > 0, "negatives", || "negatives is at least 1, found 0".to_owned())
}
