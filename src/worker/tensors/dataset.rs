//! A dataset on a device: `feature.NAME` tensors and one `target.NAME`, all with the rows as their first dimension. What is too
//! large for a GPU stays on the CPU, and so do sparse features and all that is beside them: a batch at a time goes there.

use super::Sparse;
use super::file::TensorFile;
use super::place;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, Tensor};

/// A dataset's tensors.
pub struct Dataset {
    /// The dense features by name.
    pub features: BTreeMap<String, Tensor>,
    /// The sparse features by name.
    pub sparse: BTreeMap<String, Sparse>,
    /// The target, where there is one.
    pub target: Option<Tensor>,
    /// How many rows each has.
    pub rows: i64,
    /// Where its batches are needed.
    pub device: Device,
    // The mapping that the tensors share on the CPU; dropped last.
    _file: Option<TensorFile>,
}

impl Dataset {
    /// Opens `data.safetensors`, of its targets the one of this name. On the CPU nothing is copied.
    ///
    /// # Errors
    /// When it cannot be read, or its tensors differ in their rows.
    pub fn open(path: &Path, wanted: Option<&str>, device: Device) -> Result<Self, Failure> {
        let file = TensorFile::open(path)?;
        let wrong = |failure| Failure::file("use", path, failure);
        let sparse = Sparse::of(file.tensors()).map_err(wrong)?;
        let home = if sparse.is_empty() { place::home(path, device) } else { Device::Cpu };
        let mut features = BTreeMap::new();
        let mut target = None;
        for (name, tensor) in file.tensors() {
            if let Some(feature) = name.strip_prefix("feature.") {
                features.insert(feature.to_owned(), tensor.f_to_device(home)?);
            } else if wanted.is_some() && name.strip_prefix("target.") == wanted {
                target = Some(tensor.f_to_device(home)?);
            }
        }
        let file = (home == Device::Cpu).then_some(file);
        Ok(Self { device, ..Self::with_sparse(features, sparse, target, file).map_err(wrong)? })
    }

    /// A dataset of dense tensors in memory.
    ///
    /// # Errors
    /// When they differ in their rows, or there is no feature.
    #[cfg(test)]
    pub fn of(features: BTreeMap<String, Tensor>, target: Option<Tensor>) -> Result<Self, Failure> {
        Self::with_sparse(features, BTreeMap::new(), target, None)
    }

    /// A dataset of dense and sparse tensors, which may share the mapping of a file.
    ///
    /// # Errors
    /// When they differ in their rows, or there is no feature.
    pub fn with_sparse(
        features: BTreeMap<String, Tensor>,
        sparse: BTreeMap<String, Sparse>,
        target: Option<Tensor>,
        file: Option<TensorFile>,
    ) -> Result<Self, Failure> {
        let dense = features.values().chain(&target).map(|tensor| tensor.size().first().copied().unwrap_or(0));
        let mut sizes = sparse.values().map(Sparse::rows).chain(dense);
        let rows = sizes.next().ok_or_else(|| Failure::new("the dataset has no feature"))?;
        if sizes.any(|size| size != rows) {
            return Err(Failure::new("the dataset's tensors differ in their rows"));
        }
        drop(sizes);
        Ok(Self { features, sparse, target, rows, device: Device::Cpu, _file: file })
    }

    /// Where its tensors lie.
    pub fn home(&self) -> Device {
        self.features.values().chain(&self.target).next().map_or(Device::Cpu, Tensor::device)
    }

    /// Whether its batches are no views: sparse rows become dense, and what does not lie on its device goes there.
    pub fn is_put_together(&self) -> bool {
        !self.sparse.is_empty() || self.home() != self.device
    }

    /// Bytes of one row of a batch: of all dense tensors, and of the sparse ones as they are once they are dense.
    pub fn row_bytes(&self) -> i64 {
        let total: usize = self
            .features
            .values()
            .chain(&self.target)
            .map(|tensor| tensor.numel() * tensor.kind().elt_size_in_bytes())
            .sum();
        self.sparse.values().map(Sparse::row_bytes).fold((total as i64) / self.rows.max(1), i64::saturating_add)
    }
}
