//! Encoded rows in memory, and the files of a `dataset` artefact.

use super::Encoder;
use super::sparse::{Csr, stored};
use crate::stage::{Input, StageError};
use rayon::prelude::*;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// The file of a dataset's tensors: `feature.NAME` for every feature, or its compressed rows, and `target.NAME` for every target.
pub const DATA_FILE: &str = "data.safetensors";

/// The name of the tensor of [`Encoded::characters`], before that of the feature.
pub const CHARACTERS: &str = "characters.";

/// A tensor, outermost dimension (the rows) first.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The size of every dimension.
    pub shape: Vec<usize>,
    /// The elements, last dimension fastest.
    pub data: TensorData,
}

/// The elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorData {
    /// Bytes.
    U8(Vec<u8>),
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// 64-bit integers.
    I64(Vec<i64>),
    /// 32-bit floats, most of them 0: `[rows, columns]`. They are made dense when a batch is loaded.
    Csr(Csr),
}

impl Tensor {
    /// A tensor of so many rows, each of this shape.
    #[must_use]
    pub fn of_rows(rows: usize, row: &[u64], data: TensorData) -> Self {
        let shape = std::iter::once(rows).chain(row.iter().map(|size| *size as usize)).collect();
        Self { shape, data }
    }
}

/// Encoded rows: what the files of a dataset hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded {
    /// The features by name.
    pub features: BTreeMap<String, Tensor>,
    /// The targets by name, where the encoder has some and they were asked for.
    pub targets: BTreeMap<String, Tensor>,
    /// Of features that are their own targets: for each row the characters of text that its targets stand for, and those of them that
    /// the tokenizer did not know.
    pub characters: BTreeMap<String, Tensor>,
    /// Whether targets were asked for.
    pub with_target: bool,
    /// How many rows there are.
    pub rows: usize,
}

impl Encoded {
    /// Writes [`DATA_FILE`]: tensors sorted by type and name, no metadata, so equal rows are equal bytes.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_data(&self, path: &Path) -> Result<(), StageError> {
        let features = self.features.iter().flat_map(|(name, tensor)| stored(&format!("feature.{name}"), tensor));
        let targets = self.targets.iter().flat_map(|(name, tensor)| stored(&format!("target.{name}"), tensor));
        let characters =
            self.characters.iter().flat_map(|(name, tensor)| stored(&format!("{CHARACTERS}{name}"), tensor));
        safetensors::serialize_to_file(features.chain(targets).chain(characters), None, path).map_err(|error| {
            match error {
                safetensors::SafeTensorError::IoError(error) => StageError::io("write", path, &error),
                other => StageError::bug(format!("cannot write `{}`: {other}", path.display())),
            }
        })
    }

    /// Writes the files of a `dataset` artefact into `folder`: [`DATA_FILE`], `dataset.json`, `encoder.json`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, encoder: &Encoder, folder: &Path) -> Result<(), StageError> {
        self.write_data(&folder.join(DATA_FILE))?;
        let ty = encoder.dataset_type(Some(self.rows as u64), self.with_target);
        super::encoder::write_json(&ty, &folder.join("dataset.json"))?;
        encoder.write(folder)
    }
}

/// Puts columns side by side: element `column` of row `row` ends at `row * columns + column`. Works in blocks of rows
/// that fit the cache, in parallel; the result does not depend on how many threads there are.
pub fn interleave<T: Copy + Default + Send + Sync>(columns: &[&[T]], rows: usize) -> Vec<T> {
    const BLOCK: usize = 128;
    let width = columns.len();
    let mut out = vec![T::default(); rows * width];
    if width == 0 {
        return out;
    }
    out.par_chunks_mut(BLOCK * width).enumerate().for_each(|(block, chunk)| {
        let start = block * BLOCK;
        let height = chunk.len() / width;
        for (index, column) in columns.iter().enumerate() {
            let values = &column[start..start + height];
            for (place, value) in chunk[index..].iter_mut().step_by(width).zip(values) {
                *place = *value;
            }
        }
    });
    out
}

/// Reads a target of a `dataset` artefact as numbers: class indices, 0 and 1, or standardised numbers.
///
/// # Errors
/// When the file cannot be read or has no such target.
pub fn read_target(dataset: &Input, name: &str) -> Result<Vec<f64>, StageError> {
    let file = dataset.file(DATA_FILE).ok_or_else(|| StageError::bug(format!("a dataset without `{DATA_FILE}`")))?;
    read_tensor(&file.path, &format!("target.{name}")).map(|(_, values)| values)
}

/// Reads [`Encoded::characters`] of a `dataset` artefact: for each row two numbers.
///
/// # Errors
/// When the file cannot be read or has none.
pub fn read_characters(dataset: &Input, name: &str) -> Result<Vec<f64>, StageError> {
    let file = dataset.file(DATA_FILE).ok_or_else(|| StageError::bug(format!("a dataset without `{DATA_FILE}`")))?;
    read_tensor(&file.path, &format!("{CHARACTERS}{name}")).map(|(_, values)| values)
}

/// Reads one tensor of a safetensors file as `f64`, with its shape.
///
/// # Errors
/// When the file cannot be read, or has no tensor of this name.
pub fn read_tensor(path: &Path, name: &str) -> Result<(Vec<usize>, Vec<f64>), StageError> {
    let file = File::open(path).map_err(|error| StageError::io("open", path, &error))?;
    // SAFETY: the file lies in the store or in this attempt's scratch folder, where nothing writes while it is read.
    let bytes = unsafe { memmap2::Mmap::map(&file) }.map_err(|error| StageError::io("read", path, &error))?;
    let damaged = |error: safetensors::SafeTensorError| {
        StageError::data(format!("`{}` is not as it was written: {error}", path.display()))
            .hint("run again with `--force` to make it anew")
    };
    let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let tensor = tensors.tensor(name).map_err(damaged)?;
    let data = tensor.data();
    let values = match tensor.dtype() {
        Dtype::U8 => data.iter().map(|value| f64::from(*value)).collect(),
        Dtype::F32 => data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect(),
        Dtype::I32 => data.chunks_exact(4).map(|b| f64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect(),
        Dtype::I64 => data
            .chunks_exact(8)
            .map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f64)
            .collect(),
        other => return Err(StageError::bug(format!("tensor `{name}` of type {other:?}"))),
    };
    Ok((tensor.shape().to_vec(), values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaving_is_a_transpose() {
        let columns: Vec<Vec<i64>> = (0..7).map(|c| (0..1000).map(|r| r * 100 + c).collect()).collect();
        let slices: Vec<&[i64]> = columns.iter().map(Vec::as_slice).collect();
        let out = interleave(&slices, 1000);
        assert!((0..1000).all(|r| (0..7).all(|c| out[r * 7 + c] == (r * 100 + c) as i64)));
        assert!(interleave::<u8>(&[], 3).is_empty());
    }
}
