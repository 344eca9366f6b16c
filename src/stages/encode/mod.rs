//! The kind that turns tables into tensors: [`Encode`] fits an [`Encoder`] on one table and applies it to others.
//!
//! ```toml
//! [stage.encode]
//! kind = "encode"
//! fit = "split.train"                     # statistics and vocabularies come from here and from nowhere else
//! apply = ["split.val", "split.test"]
//! features.image = { image = [1, 28, 28], columns = "pixel_*", scale = 255 }
//! features.sizes = { numeric = ["bill_*", "body_mass_g"], scale = "standard", impute = "median" }
//! features.island = "category"            # the column of the feature's name
//! target.label = "category"
//! ```
//!
//! A feature is a table with one key that says what it is (`numeric`, `category`, `image`) and keys that say how, or
//! the bare name of the encoding. The outputs are one dataset per table and the port `encoder`; see [`ports`] for
//! their names. The fitted encoder travels with every model, so [`apply`](Encoder::apply) gives raw rows the same
//! tensors when the model is used.

mod classes;
mod encoder;
mod exact;
mod features;
mod kind;
mod labels;
mod leaks;
mod multi_label;
mod names;
mod order;
pub mod ports;
mod reads;
#[cfg(test)]
mod sklearn_tests;
mod sparse;
mod spec;
mod target;
mod target_form;
mod tensor;
#[cfg(test)]
mod tests;
mod token_targets;

pub use encoder::{ENCODER_FILE, ENCODER_VERSION, Encoder, write_json};
pub use features::{Feature, FittedFeature, FittedTokens};
pub use kind::Encode;
pub use labels::column;
pub use names::{Names, check_names};
pub use reads::{ordered, patterns};
pub use sparse::{CSR_COLUMNS, CSR_INDICES, CSR_INDPTR, CSR_VALUES, Csr};
pub use spec::EncodeSpec;
pub use target::{FittedTarget, Target};
pub use tensor::{DATA_FILE, Encoded, Tensor, TensorData, read_characters, read_target, read_tensor};
