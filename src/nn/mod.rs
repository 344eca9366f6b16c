//! Networks as data: layers, losses, optimizers, schedules; their shape rules and costs. No tensors here.
//!
//! [`LayerSpec`] is one layer as a manifest writes it; [`LAYERS`] lists all there are; [`infer`] walks the shapes
//! through a network and says what is wrong with it; [`Architecture`] is a network that is right, as `architecture.json` holds it.

mod architecture;
pub mod choice;
pub mod init;
mod join;
mod layer;
pub mod layers;
pub mod losses;
pub mod optim;
pub mod schedule;
mod sequence;
mod spec;
#[cfg(test)]
mod testing;
mod values;

pub use architecture::{
    Architecture, Base, Inferred, LayerRow, NetworkError, Tower, infer, infer_cx, layers_with_weights,
};
pub use join::Join;
pub use layer::{Content, InferCx, Layer, LayerInfo, Saved, ShapeError, Short, Signal};
pub use spec::{LAYERS, LayerSpec};
pub use values::{Padding, Size, Width};

/// Whether more is better for a column of a training's history.
#[must_use]
pub fn higher_is_better(metric: &str) -> bool {
    !(metric.ends_with("loss") || ["val_rmse", "val_mae", "val_perplexity", "val_bits_per_token"].contains(&metric))
}
