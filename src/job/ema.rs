//! Averages of weights.

use serde::{Deserialize, Serialize};

/// An exponential moving average of the weights, which are judged and become the result in the place of the last ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Ema {
    /// After each step: average = decay average + (1 - decay) weights. The first step's weights begin it.
    pub decay: f64,
}

impl Default for Ema {
    fn default() -> Self {
        Self { decay: 0.999 }
    }
}
