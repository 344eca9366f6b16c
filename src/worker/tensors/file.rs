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

/// The types that can be written, in both languages.
const KINDS: &[(Dtype, Kind)] = &[
    (Dtype::U8, Kind::Uint8),
    (Dtype::F32, Kind::Float),
    (Dtype::I32, Kind::Int),
    (Dtype::I64, Kind::Int64),
    (Dtype::F64, Kind::Double),
    (Dtype::F16, Kind::Half),
    (Dtype::BF16, Kind::BFloat16),
    (Dtype::BOOL, Kind::Bool),
];

fn kind_of(dtype: Dtype) -> Option<Kind> {
    KINDS.iter().find(|(known, _)| *known == dtype).map(|(_, kind)| *kind)
}

/// A tensor as it is written: contiguous and on the CPU.
struct Local {
    dtype: Dtype,
    shape: Vec<usize>,
    tensor: Tensor,
}

impl Local {
    /// Shares the tensor's memory where it is contiguous and on the CPU already.
    fn of(tensor: &Tensor) -> Result<Self, Failure> {
        let kind = tensor.kind();
        let dtype = KINDS.iter().find(|(_, known)| *known == kind).map(|(dtype, _)| *dtype);
        let dtype = dtype.ok_or_else(|| Failure::new(format!("a tensor of type {kind:?} cannot be written")))?;
        let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
        let shape = tensor.size().iter().map(|size| size.unsigned_abs() as usize).collect();
        Ok(Self { dtype, shape, tensor })
    }
}

impl safetensors::View for &Local {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        if self.data_len() == 0 {
            return [].as_slice().into();
        }
        // SAFETY: contiguous on the CPU, and alive as long as this is; an empty one may have no memory.
        unsafe { std::slice::from_raw_parts(self.tensor.data_ptr().cast::<u8>(), self.data_len()) }.into()
    }

    fn data_len(&self) -> usize {
        self.tensor.numel() * self.tensor.kind().elt_size_in_bytes()
    }
}

/// How many bytes tensors take in a file.
pub fn bytes_of<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> u64 {
    tensors.into_iter().map(|tensor| (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64).sum()
}

/// Writes tensors. The format sorts by type and name, and the one entry of metadata is fixed, so equal tensors are equal
/// bytes.
///
/// # Errors
/// When a tensor has a type that kilter does not write, or the file cannot be written.
pub fn write(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<(), Failure> {
    let local = local(tensors)?;
    let views = local.iter().map(|(name, tensor)| (*name, tensor));
    let bytes = safetensors::serialize(views, metadata()).map_err(|error| Failure::file("write", path, error))?;
    std::fs::write(path, bytes).map_err(|error| Failure::io("write", path, &error))
}

/// Writes the same bytes as [`write()`] into a new file, without holding them in memory.
///
/// # Errors
/// As [`write()`].
pub fn write_new(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<(), Failure> {
    let local = local(tensors)?;
    let views = local.iter().map(|(name, tensor)| (*name, tensor));
    safetensors::serialize_to_file(views, metadata(), path).map_err(|error| match error {
        safetensors::SafeTensorError::IoError(error) => Failure::io("write", path, &error),
        other => Failure::file("write", path, other),
    })
}

fn local(tensors: &BTreeMap<String, Tensor>) -> Result<Vec<(&str, Local)>, Failure> {
    tensors.iter().map(|(name, tensor)| Ok((name.as_str(), Local::of(tensor)?))).collect()
}

/// More than one entry would be written in the order of a hash map.
fn metadata() -> Option<HashMap<String, String>> {
    Some(HashMap::from([("format".to_owned(), "pt".to_owned())]))
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
            ("half".to_owned(), Tensor::from_slice(&[1.5_f32, -2.0]).to_kind(Kind::BFloat16)),
            ("nothing".to_owned(), Tensor::zeros([0, 3], (Kind::Double, Device::Cpu))),
        ]);
        write(&first, &tensors).expect("written");
        let read = TensorFile::open(&first).expect("read");
        for (name, tensor) in &tensors {
            assert_eq!(tensor, &read.tensors()[name], "{name}");
        }
        write(&second, read.tensors()).expect("written");
        assert_eq!(std::fs::read(&first).expect("bytes"), std::fs::read(&second).expect("bytes"));
        let third = folder.path().join("c");
        write_new(&third, read.tensors()).expect("written");
        assert_eq!(std::fs::read(&first).expect("bytes"), std::fs::read(&third).expect("bytes"));
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
