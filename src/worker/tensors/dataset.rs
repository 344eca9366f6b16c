//! A dataset on a device: `feature.NAME` tensors and `target`, all with the rows as their first dimension.

use super::file::TensorFile;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, Tensor};

/// A dataset's tensors.
pub struct Dataset {
    /// The features by name.
    pub features: BTreeMap<String, Tensor>,
    /// The target, where there is one.
    pub target: Option<Tensor>,
    /// How many rows each has.
    pub rows: i64,
    // The mapping that the tensors share on the CPU; dropped last.
    _file: Option<TensorFile>,
}

impl Dataset {
    /// Opens `data.safetensors`. On the CPU nothing is copied.
    ///
    /// # Errors
    /// When it cannot be read, or its tensors differ in their rows.
    pub fn open(path: &Path, device: Device) -> Result<Self, Failure> {
        let file = TensorFile::open(path)?;
        let mut features = BTreeMap::new();
        let mut target = None;
        for (name, tensor) in file.tensors() {
            let tensor = tensor.f_to_device(device)?;
            if let Some(feature) = name.strip_prefix("feature.") {
                features.insert(feature.to_owned(), tensor);
            } else if name == "target" {
                target = Some(tensor);
            }
        }
        let file = (device == Device::Cpu).then_some(file);
        Self::of(features, target, file).map_err(|failure| Failure::file("use", path, failure))
    }

    /// A dataset of tensors in memory.
    ///
    /// # Errors
    /// When they differ in their rows, or there is no feature.
    pub fn of(
        features: BTreeMap<String, Tensor>,
        target: Option<Tensor>,
        file: Option<TensorFile>,
    ) -> Result<Self, Failure> {
        let mut sizes = features.values().chain(&target).map(|tensor| tensor.size().first().copied().unwrap_or(0));
        let rows = sizes.next().ok_or_else(|| Failure::new("the dataset has no feature"))?;
        if sizes.any(|size| size != rows) {
            return Err(Failure::new("the dataset's tensors differ in their rows"));
        }
        drop(sizes);
        Ok(Self { features, target, rows, _file: file })
    }

    /// Bytes of one row of all tensors together.
    pub fn row_bytes(&self) -> i64 {
        let total: usize = self
            .features
            .values()
            .chain(&self.target)
            .map(|tensor| tensor.numel() * tensor.kind().elt_size_in_bytes())
            .sum();
        (total as i64) / self.rows.max(1)
    }
}
