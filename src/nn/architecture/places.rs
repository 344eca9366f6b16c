//! Layers over channels that are given tokens: every shape fits, and something else is computed than is meant.

use crate::diag::codes;
use crate::digest::Segment;
use crate::nn::layer::{Content, ShapeError, Signal};
use crate::nn::spec::LayerSpec;

/// Follows the dimension of tokens through a list of layers.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Whether the first dimension is that of tokens: what an embedding makes of a row of indices, until something turns it around.
    first: bool,
    /// The layers that take it for channels, with paths below the list.
    pub(super) warnings: Vec<ShapeError>,
}

impl Places {
    /// Sees the next layer.
    pub(super) fn visit(&mut self, index: usize, layer: &LayerSpec, before: &Signal, after: &Signal) {
        if self.first && over_channels(layer) {
            self.warnings.push(warning(index, layer, before));
        }
        self.first = match layer {
            LayerSpec::Embedding(_) => matches!(before.content, Content::Indices(_)) && before.shape.rank() == 1,
            LayerSpec::Transpose(_)
            | LayerSpec::Reshape(_)
            | LayerSpec::Flatten(_)
            | LayerSpec::Parallel(_)
            | LayerSpec::Residual(_) => false,
            other => self.first && !over_channels(other) && after.shape.rank() == 2,
        };
    }
}

fn over_channels(layer: &LayerSpec) -> bool {
    matches!(
        layer,
        LayerSpec::Conv1d(_)
            | LayerSpec::MaxPool1d(_)
            | LayerSpec::AvgPool1d(_)
            | LayerSpec::AdaptiveAvgPool1d(_)
            | LayerSpec::AdaptiveMaxPool1d(_)
            | LayerSpec::GlobalAvgPool(_)
            | LayerSpec::BatchNorm(_)
    )
}

fn warning(index: usize, layer: &LayerSpec, before: &Signal) -> ShapeError {
    let name = layer.name();
    let hint = match layer {
        LayerSpec::GlobalAvgPool(_) => "`{ pool = \"mean\" }` makes one vector of all tokens",
        _ => "`\"transpose\"` before it makes channels of the features",
    };
    let error = ShapeError::new(codes::TOKENS_AS_CHANNELS, format!("{name} takes tokens for channels"))
        .label(format!("receives {}: the first is that of the tokens", before.shape))
        .hint(hint);
    ShapeError { field: vec![Segment::Index(index)], ..error }
}
