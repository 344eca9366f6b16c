//! Models and datasets: safetensors files, tensor by tensor.

use crate::frame::compare::Admits;
use crate::numbers::{ulps, ulps_f32};
use crate::stage::{Input, InputFile, StageError};
use memmap2::Mmap;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;

/// How two files of tensors differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TensorDifference {
    /// Tensors in all.
    pub tensors: usize,
    /// Tensors whose values differ.
    pub differing: usize,
    /// The first of them by name.
    pub first: Option<TensorRow>,
    /// The one with the largest absolute difference, where that is another.
    pub worst: Option<TensorRow>,
    /// Tensors that only one has, or that have another shape or type.
    pub reshaped: Vec<String>,
}

/// How the values of a tensor differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorRow {
    /// Its name.
    pub tensor: String,
    /// Values in all, and those that differ.
    pub values: (usize, usize),
    /// The largest absolute difference.
    pub largest: f64,
    /// The largest difference in floats between; `None` for integers and where one is not a number.
    pub ulps: Option<u64>,
    /// The first value that differs: its index, before, now.
    pub at: (usize, String, String),
}

/// Whether a file holds tensors.
pub(super) fn is_tensor_file(name: &str) -> bool {
    name.ends_with(".safetensors")
}

/// Compares the files of tensors that both have; gives what differs beyond `admits`, and the largest difference that was admitted.
pub(super) fn compare(
    before: &Input,
    now: &Input,
    admits: Option<Admits<'_>>,
) -> Result<(Option<TensorDifference>, f64), StageError> {
    let (mut found, mut admitted) = (TensorDifference::default(), 0.0);
    for file in before.files.iter().filter(|file| is_tensor_file(&file.name)) {
        let Some(other) = now.file(&file.name).filter(|other| other.digest != file.digest) else { continue };
        let (one, other) = (map(file)?, map(other)?);
        // What is no safetensors file is compared byte by byte instead.
        if let (Ok(one), Ok(other)) = (SafeTensors::deserialize(&one), SafeTensors::deserialize(&other)) {
            compare_files(&one, &other, admits, &mut found, &mut admitted);
        }
    }
    let same = found.differing == 0 && found.reshaped.is_empty();
    if found.worst.as_ref().map(|row| &row.tensor) == found.first.as_ref().map(|row| &row.tensor) {
        found.worst = None;
    }
    Ok(((!same).then_some(found), admitted))
}

fn map(file: &InputFile) -> Result<Mmap, StageError> {
    let failed = |error: std::io::Error| StageError::io("read", &file.path, &error);
    let opened = File::open(&file.path).map_err(failed)?;
    // SAFETY: objects of a store are read-only and never written again.
    unsafe { Mmap::map(&opened) }.map_err(failed)
}

fn compare_files(
    one: &SafeTensors<'_>,
    other: &SafeTensors<'_>,
    admits: Option<Admits<'_>>,
    found: &mut TensorDifference,
    admitted: &mut f64,
) {
    let old: BTreeMap<String, TensorView<'_>> = one.tensors().into_iter().collect();
    let new: BTreeMap<String, TensorView<'_>> = other.tensors().into_iter().collect();
    found.tensors += old.len();
    found.reshaped.extend(new.keys().filter(|name| !old.contains_key(*name)).cloned());
    for (name, view) in &old {
        match new.get(name) {
            Some(other) if other.dtype() == view.dtype() && other.shape() == view.shape() => {
                if view.data() == other.data() {
                    continue;
                }
                let Some(row) = values(name, view, other, admits, admitted) else { continue };
                found.differing += 1;
                if found.worst.as_ref().is_none_or(|worst| row.largest > worst.largest) {
                    found.worst = Some(row.clone());
                }
                found.first.get_or_insert(row);
            }
            _ => found.reshaped.push(name.clone()),
        }
    }
}

/// A number of a tensor.
#[derive(Clone, Copy)]
enum Number {
    F32(f32),
    F64(f64),
    Int(i64),
}

impl Number {
    fn value(self) -> f64 {
        match self {
            Self::F32(value) => f64::from(value),
            Self::F64(value) => value,
            Self::Int(value) => value as f64,
        }
    }

    fn text(self) -> String {
        match self {
            Self::F32(value) => format!("{value:?}"),
            Self::F64(value) => format!("{value:?}"),
            Self::Int(value) => value.to_string(),
        }
    }

    fn ulps(self, other: Self) -> Option<u64> {
        match (self, other) {
            (Self::F32(a), Self::F32(b)) => ulps_f32(a, b),
            (Self::F64(a), Self::F64(b)) => ulps(a, b),
            _ => None,
        }
    }
}

/// The numbers of a tensor; of a type that kilter does not write, its bytes.
fn numbers<'a>(view: &TensorView<'a>) -> Box<dyn Iterator<Item = Number> + 'a> {
    fn chunks<const SIZE: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; SIZE]> {
        bytes.as_chunks::<SIZE>().0.iter().copied()
    }
    let data: &'a [u8] = view.data();
    match view.dtype() {
        Dtype::F32 => Box::new(chunks::<4>(data).map(|bytes| Number::F32(f32::from_le_bytes(bytes)))),
        Dtype::F64 => Box::new(chunks::<8>(data).map(|bytes| Number::F64(f64::from_le_bytes(bytes)))),
        Dtype::I64 => Box::new(chunks::<8>(data).map(|bytes| Number::Int(i64::from_le_bytes(bytes)))),
        _ => Box::new(data.iter().map(|byte| Number::Int(i64::from(*byte)))),
    }
}

fn values(
    name: &str,
    one: &TensorView<'_>,
    other: &TensorView<'_>,
    admits: Option<Admits<'_>>,
    admitted: &mut f64,
) -> Option<TensorRow> {
    let floats = matches!(one.dtype(), Dtype::F32 | Dtype::F64);
    let (mut count, mut differing, mut largest, mut most, mut first) = (0, 0, 0.0_f64, Some(0_u64), None);
    for (index, (a, b)) in numbers(one).zip(numbers(other)).enumerate() {
        count += 1;
        let (x, y) = (a.value(), b.value());
        if x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan()) {
            continue;
        }
        let apart = (x - y).abs();
        if floats && admits.is_some_and(|admits| admits(x, y)) {
            *admitted = admitted.max(apart);
            continue;
        }
        differing += 1;
        largest = if apart.is_nan() { f64::INFINITY } else { largest.max(apart) };
        most = most.zip(a.ulps(b)).map(|(most, ulps)| most.max(ulps));
        first.get_or_insert_with(|| (index, a.text(), b.text()));
    }
    first.map(|at| TensorRow {
        tensor: name.to_owned(),
        values: (count, differing),
        largest,
        ulps: most.filter(|_| floats),
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::artefact;
    use super::*;
    use crate::types::ArtifactType;

    fn file(tensors: &[(&str, &[f32])]) -> Vec<u8> {
        let bytes: Vec<(String, Vec<u8>, usize)> = tensors
            .iter()
            .map(|(name, values)| {
                ((*name).to_owned(), values.iter().flat_map(|value| value.to_le_bytes()).collect(), values.len())
            })
            .collect();
        let views: Vec<(String, TensorView<'_>)> = bytes
            .iter()
            .map(|(name, bytes, count)| (name.clone(), TensorView::new(Dtype::F32, vec![*count], bytes).unwrap()))
            .collect();
        safetensors::serialize(views, None).unwrap()
    }

    fn compared(
        one: &[(&str, &[f32])],
        other: &[(&str, &[f32])],
        admits: Option<Admits<'_>>,
    ) -> (Option<TensorDifference>, f64) {
        let folder = tempfile::tempdir().unwrap();
        let of = |tensors| artefact(folder.path(), ArtifactType::Encoder, &[("model.safetensors", &file(tensors))]);
        compare(&of(one), &of(other), admits).unwrap()
    }

    #[test]
    fn the_first_and_the_worst_tensor_are_shown() {
        let next = 1.0_f32.next_up();
        let (found, _) = compared(
            &[("a", &[1.0, 2.0]), ("b", &[1.0, 2.0]), ("c", &[1.0, 2.0])],
            &[("a", &[1.0, 2.0]), ("b", &[next, 2.0]), ("c", &[1.0, 2.5])],
            None,
        );
        let found = found.unwrap();
        assert_eq!((found.tensors, found.differing), (3, 2));
        let first = found.first.unwrap();
        assert_eq!((first.tensor.as_str(), first.values, first.ulps), ("b", (2, 1), Some(1)));
        assert_eq!(first.at, (0, "1.0".to_owned(), "1.0000001".to_owned()));
        let worst = found.worst.unwrap();
        assert_eq!((worst.tensor.as_str(), worst.largest), ("c", 0.5));
    }

    #[test]
    fn a_tolerance_admits_and_other_shapes_are_named() {
        let near: Admits<'_> = &|a, b| (a - b).abs() < 0.1;
        assert_eq!(compared(&[("a", &[1.0])], &[("a", &[1.0625])], Some(near)), (None, 0.0625));
        let (found, _) = compared(&[("a", &[1.0]), ("b", &[1.0])], &[("a", &[1.0, 2.0]), ("d", &[1.0])], Some(near));
        assert_eq!(found.unwrap().reshaped, ["d", "a", "b"]);
    }
}
