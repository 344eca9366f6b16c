//! What stands for a stage's inputs in its key: of a table the columns that the stage reads, of everything else the whole.

use crate::check::ResolvedRef;
use crate::digest::Digest;
use crate::stage::{ArtifactRecord, InputTypes, Reads, StageResult, StageSpec};
use crate::types::{ArtifactType, TableSchema};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many hexadecimal digits of a column's digest are kept to tell later which columns changed.
const COLUMN_DIGITS: usize = 16;

/// An input as a stage takes it.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The reference as written.
    pub(super) text: String,
    /// The digest of all that is read.
    pub(super) digest: Digest,
    /// Where the input comes from, and the output.
    result: Arc<StageResult>,
    port: String,
    /// The columns that are read, where those are not all.
    columns: Option<Vec<String>>,
}

/// What a stage takes, and what it reads of it. `Err`: the stages (by index) whose results are not known.
pub(super) fn take(
    spec: &dyn StageSpec,
    refs: &[ResolvedRef],
    result_of: &dyn Fn(usize) -> Option<Arc<StageResult>>,
) -> Result<(Vec<Taken>, Reads), Vec<usize>> {
    let mut found: BTreeMap<&str, (Arc<StageResult>, &str)> = BTreeMap::new();
    let mut waits = Vec::new();
    for reference in refs {
        match result_of(reference.stage).filter(|result| result.outputs.contains_key(&reference.port)) {
            Some(result) => {
                found.insert(&reference.text, (result, &reference.port));
            }
            None => waits.push(reference.stage),
        }
    }
    if !waits.is_empty() {
        waits.sort_unstable();
        waits.dedup();
        return Err(waits);
    }
    let artifact = |text: &str| found.get(text).and_then(|(result, port)| result.outputs.get(port));
    let reads = believed(spec, &found.keys().filter_map(|text| Some((*text, artifact(text)?))).collect());
    let taken = |text: &str, result: &Arc<StageResult>, port: &str| {
        let artifact = result.outputs.get(port)?;
        let columns = reads.of(text).map(<[String]>::to_vec);
        let part = columns.as_ref().and_then(|columns| artifact.part(columns));
        let digest = part.map_or(artifact.digest, |(_, digest)| digest);
        Some(Taken { text: text.to_owned(), digest, result: Arc::clone(result), port: port.to_owned(), columns })
    };
    let all = found.iter().filter_map(|(text, (result, port))| taken(text, result, port)).collect();
    Ok((all, reads))
}

/// What a stage reads of its inputs, where their results are known.
#[must_use]
pub fn reads_of(
    spec: &dyn StageSpec,
    refs: &[ResolvedRef],
    result_of: &dyn Fn(usize) -> Option<Arc<StageResult>>,
) -> Option<Reads> {
    take(spec, refs, result_of).ok().map(|(_, reads)| reads)
}

/// What a stage reads of these inputs. A kind's answer counts only where the table has those columns.
fn believed(spec: &dyn StageSpec, artifacts: &BTreeMap<&str, &ArtifactRecord>) -> Reads {
    if artifacts.values().all(|artifact| artifact.columns.is_empty()) {
        return Reads::everything();
    }
    let types: InputTypes<'_> = artifacts.iter().map(|(text, artifact)| (*text, &artifact.ty)).collect();
    let mut reads = spec.reads(&types);
    reads.retain(|text, columns| artifacts.get(text).is_some_and(|artifact| artifact.part(columns).is_some()));
    reads
}

impl Taken {
    /// The whole artefact.
    pub(super) fn artifact(&self) -> Option<&ArtifactRecord> {
        self.result.outputs.get(&self.port)
    }

    /// For people, and for `why` weeks later: the reference, the digest of what is read, and of a table its rows, the
    /// columns that are read with their digests, and where its bytes lie.
    pub(super) fn json(&self) -> Value {
        let mut shown = json!({ "ref": self.text, "digest": self.digest });
        let Some(artifact) = self.artifact() else { return shown };
        let ArtifactType::Table(TableSchema { rows, columns, .. }) = &artifact.ty else { return shown };
        let digests: BTreeMap<&str, Digest> =
            artifact.columns().map(|(column, digest)| (column.name.as_str(), digest)).collect();
        let pair = |name: &str| {
            let digest = digests.get(name).map(ToString::to_string).unwrap_or_default();
            json!([name, digest.get(..COLUMN_DIGITS).unwrap_or_default()])
        };
        let read: Vec<Value> = match &self.columns {
            Some(columns) => columns.iter().map(|name| pair(name)).collect(),
            None => columns.iter().map(|column| pair(&column.name)).collect(),
        };
        shown["rows"] = json!(rows);
        shown["columns"] = json!(read);
        shown["width"] = json!(columns.len());
        shown["whole"] = json!(artifact.digest);
        shown["bytes"] = json!(artifact.files.first().map(|file| file.digest));
        shown
    }
}
