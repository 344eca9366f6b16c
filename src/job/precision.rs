//! In how many bits a training computes.

use serde::{Deserialize, Serialize};

/// In how many bits a training computes. Weights, optimizer and losses have 32 whatever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// On a GPU matrix products and convolutions round their inputs to 10 bits of mantissa; a processor computes in 32 bits.
    Tf32,
    /// Matrix products, convolutions and attention in bfloat16, as `torch.autocast`.
    Bf16,
    /// The same in float16, whose small range is made up for by scaling the loss; steps whose gradients overflow are skipped.
    F16,
}
