//! `config.json` of a bundle: everything that turns raw rows into answers, besides the weights.

use crate::nn::Architecture;
use crate::stage::StageError;
use crate::stages::encode::Encoder;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file's name.
pub const CONFIG_FILE: &str = "config.json";
/// Its version; raised when its form changes so that an older kilter would misread it.
pub const CONFIG_VERSION: u32 = 1;
/// What `format` says.
const FORMAT: &str = "kilter-model";

/// A bundle's description.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BundleConfig {
    /// `kilter-model`
    pub format: String,
    /// [`CONFIG_VERSION`] of the kilter that wrote it.
    pub version: u32,
    /// What the model is called.
    pub title: String,
    /// Its SPDX licence identifier.
    pub license: String,
    /// How many parameters the network has.
    pub parameters: Option<u64>,
    /// How many of its layers have weights.
    pub layers: u64,
    /// The network.
    pub architecture: Architecture,
    /// What turns raw rows into its inputs.
    pub encoder: Encoder,
}

impl BundleConfig {
    /// A description in the current version.
    #[must_use]
    pub fn new(
        title: String,
        license: String,
        sizes: (Option<u64>, u64),
        architecture: Architecture,
        encoder: Encoder,
    ) -> Self {
        let (parameters, layers) = sizes;
        Self {
            format: FORMAT.to_owned(),
            version: CONFIG_VERSION,
            title,
            license,
            parameters,
            layers,
            architecture,
            encoder,
        }
    }

    /// Reads a bundle's description.
    ///
    /// # Errors
    /// When it is missing, is none, or of a newer version.
    pub fn read(path: &Path) -> Result<Self, StageError> {
        let text = std::fs::read_to_string(path).map_err(|error| StageError::io("read", path, &error))?;
        let value: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| StageError::data(format!("`{CONFIG_FILE}` is not JSON: {error}")))?;
        if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            return Err(StageError::data(format!("`{CONFIG_FILE}` does not describe a kilter model"))
                .hint("a bundle is the folder that a `release` stage wrote"));
        }
        let version = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if version > u64::from(CONFIG_VERSION) {
            return Err(StageError::data(format!(
                "the bundle has version {version}, this kilter knows bundles up to version {CONFIG_VERSION}"
            ))
            .hint("use a newer kilter"));
        }
        serde_json::from_value(value).map_err(|error| StageError::data(format!("`{CONFIG_FILE}` is damaged: {error}")))
    }
}
