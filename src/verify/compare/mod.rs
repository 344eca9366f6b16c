//! Two artefacts side by side. They are known to have different digests; what is looked for is where.

mod files;
mod numbers;
mod tensors;

pub use files::FileDifference;
pub use numbers::NumberDifference;
pub use tensors::{TensorDifference, TensorRow};

use crate::frame::compare as tables;
use crate::job::{TRACE, TRACE_DIGEST};
use crate::manifest::Tolerance;
use crate::stage::{Input, StageError};
use crate::types::ArtifactType;
use serde::Serialize;

/// How two artefacts differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Tables: columns, rows, values.
    Table(tables::TableDifference),
    /// Models and datasets: tensors.
    Tensors(TensorDifference),
    /// Metrics.
    Numbers(Vec<NumberDifference>),
    /// Anything else: bytes.
    Files(FileDifference),
    /// They are artefacts of different types.
    Type {
        /// The type before.
        before: String,
        /// The type now.
        now: String,
    },
    /// There was no such output before.
    Added,
    /// There is no such output now.
    Removed,
    /// Only their digests are known.
    DigestsAlone {
        /// The digest before, shortened.
        before: String,
        /// The digest now.
        now: String,
    },
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Compared {
    /// They differ within a tolerance.
    Within {
        /// What was allowed.
        tolerance: Tolerance,
        /// The largest absolute difference; `None` where there are no numbers to compare.
        largest: Option<f64>,
    },
    /// They differ.
    Differs(Box<Shown>),
}

/// Compares two artefacts of different digests, outputs of the same name.
///
/// # Errors
/// When one cannot be read.
pub(super) fn compare(
    port: &str,
    before: &Input,
    now: &Input,
    tolerance: Option<Tolerance>,
) -> Result<Compared, StageError> {
    if before.ty.name() != now.ty.name() {
        let (before, now) = (before.ty.name().to_owned(), now.ty.name().to_owned());
        return Ok(Compared::Differs(Box::new(Shown::Type { before, now })));
    }
    if let (ArtifactType::Report | ArtifactType::State, Some(tolerance)) = (&now.ty, tolerance) {
        // A picture of the numbers in the other outputs; what they were made with on the way, digests among it.
        return Ok(Compared::Within { tolerance, largest: None });
    }
    let admits = tolerance.map(|tolerance| move |a: f64, b: f64| tolerance.admits(a, b));
    let admits: Option<tables::Admits<'_>> = admits.as_ref().map(|admits| admits as tables::Admits<'_>);
    // What is admitted, or what differs beyond it.
    let (shown, largest) = match &now.ty {
        ArtifactType::Table(_) => {
            // The trace's digests are of floats that may differ, and stand beside them.
            let counts = |column: &str| !(port == TRACE && column == TRACE_DIGEST && tolerance.is_some());
            let found = tables::compare(before, now, admits, &counts)?;
            let largest = found.admitted;
            ((!found.is_none()).then_some(Shown::Table(found)), largest)
        }
        ArtifactType::Dataset(_) | ArtifactType::Model(_) | ArtifactType::State => {
            let (found, largest) = tensors::compare(before, now, admits)?;
            (found.map(Shown::Tensors), largest)
        }
        ArtifactType::Metrics => {
            let (found, largest) = numbers::compare(before, now, admits)?;
            (found.map(Shown::Numbers), largest)
        }
        _ => (files::compare(before, now, &|_| true)?.map(Shown::Files), 0.0),
    };
    if let Some(shown) = shown {
        return Ok(Compared::Differs(Box::new(shown)));
    }
    // The values that were looked at are the same or admitted; the files beside them are not admitted anything.
    let rest =
        |name: &str| !(tensors::is_tensor_file(name) || numbers::is_number_file(name, &now.ty) || is_table(&now.ty));
    let others = files::compare(before, now, if tolerance.is_some() { &rest } else { &|_| true })?;
    Ok(match (others, tolerance) {
        (Some(found), _) => Compared::Differs(Box::new(Shown::Files(found))),
        (None, tolerance) => Compared::Within { tolerance: tolerance.unwrap_or_default(), largest: Some(largest) },
    })
}

fn is_table(ty: &ArtifactType) -> bool {
    matches!(ty, ArtifactType::Table(_))
}

#[cfg(test)]
pub(super) mod testing {
    //! Artefacts of files that a test writes.

    use crate::digest::Digest;
    use crate::stage::{Input, InputFile};
    use crate::types::ArtifactType;
    use std::path::Path;

    pub(in crate::verify) fn artefact(folder: &Path, ty: ArtifactType, files: &[(&str, &[u8])]) -> Input {
        let store = |(name, bytes): &(&str, &[u8])| {
            let digest = Digest::of(bytes);
            let path = folder.join(digest.to_string());
            std::fs::write(&path, bytes).unwrap();
            InputFile { name: (*name).to_owned(), path, size: bytes.len() as u64, digest }
        };
        Input::new(ty, Digest::of(b""), files.iter().map(store).collect())
    }
}
