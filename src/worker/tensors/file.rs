//! A safetensors file, mapped into memory; its tensors share the mapping.

use crate::failure::Failure;
use memmap2::{MmapMut, MmapOptions};
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// The tensors of a file. They share its mapping, so they must not outlive this; clones that must, are copied.
pub struct TensorFile {
    tensors: BTreeMap<String, Tensor>,
    // After the tensors, so that it is dropped last.
    _map: MmapMut,
}

impl TensorFile {
    /// Maps a file; nothing is read before it is used.
    ///
    /// # Errors
    /// When it cannot be read, is no safetensors file, or has a tensor of a type that kilter does not write.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let file = std::fs::File::open(path).map_err(|error| Failure::file("read", path, error))?;
        // SAFETY: objects of the store are never written again. The mapping is private, so that a write through a
        // tensor would stay in this process.
        let map = unsafe { MmapOptions::new().map_copy(&file) }.map_err(|error| Failure::file("map", path, error))?;
        let stored = SafeTensors::deserialize(&map).map_err(|error| Failure::file("read", path, error))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in stored.tensors() {
            let kind = kind_of(view.dtype())
                .ok_or_else(|| Failure::file("use", path, format!("`{name}` has type {:?}", view.dtype())))?;
            let shape: Vec<i64> = view.shape().iter().map(|size| size.cast_signed() as i64).collect();
            tensors.insert(name, tensor(view.data(), &shape, kind)?);
        }
        Ok(Self { tensors, _map: map })
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }
}

/// A tensor over these bytes, without a copy where they are aligned for it.
fn tensor(bytes: &[u8], shape: &[i64], kind: Kind) -> Result<Tensor, Failure> {
    if bytes.is_empty() || !(bytes.as_ptr() as usize).is_multiple_of(kind.elt_size_in_bytes()) {
        return Ok(Tensor::f_from_data_size(bytes, shape, kind)?);
    }
    let strides: Vec<i64> = (0..shape.len()).map(|dim| shape[dim + 1..].iter().product()).collect();
    // SAFETY: the bytes live as long as the mapping, which TensorFile drops after its tensors.
    Ok(unsafe { Tensor::f_from_blob(bytes.as_ptr(), shape, &strides, kind, Device::Cpu)? })
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::U8 => Some(Kind::Uint8),
        Dtype::F32 => Some(Kind::Float),
        Dtype::I32 => Some(Kind::Int),
        Dtype::I64 => Some(Kind::Int64),
        _ => None,
    }
}

/// A tensor to write.
struct Owned {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl safetensors::View for &Owned {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        (&self.bytes).into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes tensors. The format sorts by type and name, and the one entry of metadata is fixed, so equal tensors are equal
/// bytes.
///
/// # Errors
/// When a tensor has a type that kilter does not write, or the file cannot be written.
pub fn write(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<(), Failure> {
    let owned: Vec<(&String, Owned)> =
        tensors.iter().map(|(name, tensor)| Ok((name, own(tensor)?))).collect::<Result<_, Failure>>()?;
    // More than one entry would be written in the order of a hash map.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(owned.iter().map(|(name, tensor)| (name.as_str(), tensor)), Some(metadata))
        .map_err(|error| Failure::file("write", path, error))?;
    std::fs::write(path, bytes).map_err(|error| Failure::file("write", path, error))
}

fn own(tensor: &Tensor) -> Result<Owned, Failure> {
    let (dtype, kind) = match tensor.kind() {
        Kind::Uint8 => (Dtype::U8, Kind::Uint8),
        Kind::Float => (Dtype::F32, Kind::Float),
        Kind::Int64 => (Dtype::I64, Kind::Int64),
        other => return Err(Failure::new(format!("a tensor of type {other:?} cannot be written"))),
    };
    let local = tensor.detach().f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0; local.numel() * kind.elt_size_in_bytes()];
    local.f_copy_data_u8(&mut bytes, local.numel())?;
    Ok(Owned { dtype, shape: local.size().iter().map(|size| size.unsigned_abs() as usize).collect(), bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_is_written_the_same_again() {
        let folder = tempfile::tempdir().expect("folder");
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        let tensors = BTreeMap::from([
            ("conv.weight".to_owned(), Tensor::arange(12, (Kind::Float, Device::Cpu)).reshape([3, 4])),
            ("classes".to_owned(), Tensor::from_slice(&[3_i64, 1])),
            ("pixels".to_owned(), Tensor::from_slice(&[1_u8, 2, 3])),
            ("scalar".to_owned(), Tensor::from(1.5_f32)),
        ]);
        write(&first, &tensors).expect("written");
        let read = TensorFile::open(&first).expect("read");
        for (name, tensor) in &tensors {
            assert_eq!(tensor, &read.tensors()[name], "{name}");
        }
        write(&second, read.tensors()).expect("written");
        assert_eq!(std::fs::read(&first).expect("bytes"), std::fs::read(&second).expect("bytes"));
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, b"not tensors").expect("written");
        let failure = TensorFile::open(&path).err().expect("fails");
        assert!(failure.message.contains("x.safetensors"), "{failure}");
    }
}
