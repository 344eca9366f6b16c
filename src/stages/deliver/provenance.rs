//! `provenance.json` of a bundle: where the model comes from, every input by its digest. No times, hosts or paths, so a
//! release has the same bytes whenever and wherever it is made.

use crate::digest::Digest;
use crate::stage::{Ancestor, Ref, RunCx, StageError};
use serde::Serialize;
use std::collections::BTreeMap;

/// Where a bundle comes from.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// The version of this form.
    version: u32,
    /// How digests are taken.
    digests: &'static str,
    /// The kilter that wrote it.
    kilter: &'static str,
    /// What tensors were computed with.
    libtorch: &'static str,
    /// The release's own inputs.
    inputs: BTreeMap<String, InputProvenance>,
    /// Every stage that these come from, in the order of the pipeline.
    stages: Vec<Ancestor>,
}

/// One input of the release.
#[derive(Clone, Debug, Serialize)]
struct InputProvenance {
    /// Its artefact type.
    artifact: &'static str,
    /// The digest of its content.
    digest: Digest,
    /// The digests of its files.
    files: BTreeMap<String, Digest>,
}

/// Collects where the inputs of a release come from.
///
/// # Errors
/// A bug, where an input was not prepared.
pub fn collect(references: &[&Ref], cx: &RunCx<'_>) -> Result<Provenance, StageError> {
    let mut inputs = BTreeMap::new();
    for reference in references {
        let input = cx.input(reference)?;
        let files = input.files.iter().map(|file| (file.name.clone(), file.digest)).collect();
        inputs.insert(reference.0.clone(), InputProvenance { artifact: input.ty.name(), digest: input.digest, files });
    }
    Ok(Provenance {
        version: 1,
        digests: "BLAKE3 of the content, 64 hexadecimal digits",
        kilter: env!("CARGO_PKG_VERSION"),
        libtorch: crate::job::LIBTORCH,
        inputs,
        stages: cx.services.provenance(),
    })
}

/// What was fetched: where from, and the sha256 that pinned it.
pub fn sources(ancestors: &[Ancestor]) -> Vec<String> {
    let text = |fields: &serde_json::Value, key: &str| fields.get(key)?.as_str().map(str::to_owned);
    ancestors
        .iter()
        .filter(|ancestor| ancestor.kind == "fetch")
        .filter_map(|ancestor| {
            let fields = &ancestor.fields;
            let from = ["package", "url", "path"].iter().find_map(|key| text(fields, key))?;
            let pin = text(fields, "sha256").map(|sum| format!(", sha256 `{sum}`")).unwrap_or_default();
            Some(format!("`{from}`{pin}"))
        })
        .collect()
}
