//! What stands for a stage's inputs in its key: of a table the columns that the stage reads, of one that is not kept what is
//! behind those, of everything else the whole.

use super::key::{KeyParts, NoKey, key_tree};
use super::resolved::{Content, Resolved, as_json, encode};
use crate::check::{CheckedStage, ResolvedRef};
use crate::digest::Digest;
use crate::stage::{ArtifactRecord, Columns, Input, InputTypes, Reads, StageResult};
use crate::types::{ArtifactType, Column, TableSchema};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many hexadecimal digits of a column's digest are kept to tell later which columns changed.
const COLUMN_DIGITS: usize = 16;

/// An input as a stage takes it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The reference as written.
    pub(super) text: String,
    /// The digest of all that is read.
    pub(super) digest: Digest,
    /// Where the input comes from, and the output.
    result: Arc<StageResult>,
    port: String,
    /// What is seen of a table, where that is not all of it.
    columns: Option<Columns>,
    /// What a table is made of that is not kept.
    made_of: Option<MadeOf>,
}

/// What a table is made of that is not kept: the stage that would make it, by index, and what of its inputs is read.
#[derive(Clone, Debug)]
struct MadeOf {
    stage: usize,
    inputs: Resolved,
}

type ResultOf<'a> = &'a dyn Fn(usize) -> Option<Arc<StageResult>>;

/// What a stage takes. Of the columns of its own table only `wanted` are used, where that is said: then it is a table that is not
/// kept.
pub(super) fn take(parts: KeyParts<'_>, wanted: Option<&[String]>, result_of: ResultOf<'_>) -> Result<Resolved, NoKey> {
    let mut found: BTreeMap<&str, (&ResolvedRef, Arc<StageResult>)> = BTreeMap::new();
    let mut waits = Vec::new();
    for reference in parts.refs {
        match result_of(reference.stage).filter(|result| result.outputs.contains_key(&reference.port)) {
            Some(result) => {
                found.insert(&reference.text, (reference, result));
            }
            None => waits.push(reference.stage),
        }
    }
    if !waits.is_empty() {
        waits.sort_unstable();
        waits.dedup();
        return Err(NoKey::Waits(waits));
    }
    let artifacts = found.iter().filter_map(|(text, (used, result))| Some((*text, result.outputs.get(&used.port)?)));
    let reads = believed(parts, wanted, &artifacts.collect());
    let mut resolved = Resolved::default();
    for (text, (used, result)) in found {
        let taken = Taken::of(used, result, reads.of(text), parts.stages, result_of)?;
        resolved.insert(true, text, Content::Input(taken));
    }
    Ok(resolved)
}

/// What a stage reads of these inputs. A kind's answer counts only where the table has those columns.
fn believed(parts: KeyParts<'_>, wanted: Option<&[String]>, artifacts: &BTreeMap<&str, &ArtifactRecord>) -> Reads {
    let narrows = |artifact: &&ArtifactRecord| matches!(artifact.ty, ArtifactType::Table(_));
    if !artifacts.values().any(narrows) {
        return Reads::everything();
    }
    let types: InputTypes<'_> = artifacts.iter().map(|(text, artifact)| (*text, &artifact.ty)).collect();
    let mut reads = match wanted {
        Some(columns) => parts.spec.reads_for(&types, columns),
        None => parts.spec.reads(&types),
    };
    let is_view = |text: &str| {
        let maker = parts.refs.iter().find(|used| used.text == text).and_then(|used| parts.stages.get(used.stage));
        maker.is_some_and(CheckedStage::is_view)
    };
    reads.retain(|text, columns| {
        let artifact = artifacts.get(text);
        artifact.is_some_and(|artifact| match is_view(text) {
            true => artifact.schema_of(columns).is_some(),
            false => artifact.digest_of(columns).is_some(),
        })
    });
    reads
}

impl Taken {
    fn of(
        used: &ResolvedRef,
        result: Arc<StageResult>,
        columns: Option<&Columns>,
        stages: &[CheckedStage],
        result_of: ResultOf<'_>,
    ) -> Result<Self, NoKey> {
        let no_output = || NoKey::Waits(vec![used.stage]);
        let artifact = result.outputs.get(&used.port).ok_or_else(no_output)?;
        let view = stages.get(used.stage).filter(|maker| maker.is_view());
        let (digest, made_of) = match view.and_then(|maker| KeyParts::of(maker, stages)) {
            Some(parts) => {
                let wanted: Option<Vec<String>> = columns.map(|columns| columns.read().map(str::to_owned).collect());
                let inputs = take(parts, wanted.as_deref(), result_of)?;
                let digest = digest_of_view(parts, &inputs, artifact, columns)?;
                (digest, Some(MadeOf { stage: used.stage, inputs }))
            }
            None => (columns.and_then(|columns| artifact.digest_of(columns)).unwrap_or(artifact.digest), None),
        };
        let (text, port) = (used.text.clone(), used.port.clone());
        Ok(Self { text, digest, port, columns: columns.cloned(), made_of, result })
    }

    /// The whole artefact.
    pub(super) fn artifact(&self) -> Option<&ArtifactRecord> {
        self.result.outputs.get(&self.port)
    }

    /// What tells it from everything else that can be taken of one stage's output.
    #[must_use]
    pub fn identity(&self) -> (Digest, bool) {
        (self.digest, self.columns.as_ref().is_some_and(Columns::counts))
    }

    /// What is seen of a table, where that is not all of it.
    pub(super) fn columns(&self) -> Option<&Columns> {
        self.columns.as_ref()
    }

    /// The inputs of the stage that would make the table, where it is not kept.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Self> {
        self.made_of.iter().flat_map(|made_of| made_of.inputs.inputs())
    }

    /// What is read of one of them.
    #[must_use]
    pub fn input(&self, reference: &str) -> Option<&Self> {
        self.made_of.as_ref()?.inputs.input(reference)
    }

    /// What the stage sees of the input, given all of it.
    #[must_use]
    pub fn seen(&self, input: Input) -> Input {
        let schema = |columns: &Columns| self.artifact()?.schema_of(columns);
        match self.columns.as_ref().and_then(|columns| Some((columns.clone(), schema(columns)?))) {
            Some((columns, schema)) => input.narrowed(columns, schema, self.digest),
            None => input.as_digested(self.digest),
        }
    }

    /// For people, and for `why` weeks later: the reference, the digest of what is read, and of a table its rows, the
    /// columns that are read with their digests, and where its bytes lie; of one that is not kept what it is made of.
    pub(super) fn json(&self, stages: &[CheckedStage]) -> Value {
        let mut shown = json!({ "ref": self.text, "digest": self.digest });
        let Some(artifact) = self.artifact() else { return shown };
        let ArtifactType::Table(TableSchema { rows, columns, .. }) = &artifact.ty else { return shown };
        shown["rows"] = json!(rows);
        shown["columns"] = self.read_columns(artifact, columns);
        shown["width"] = json!(columns.len());
        shown["whole"] = json!(artifact.digest);
        if let Some(seen) = self.columns.as_ref().filter(|seen| seen.unread().next().is_some()) {
            let named = columns.iter().filter(|column| seen.unread().any(|name| name == column.name));
            shown["named"] = named.map(|column| (column.name.clone(), json!(column.dtype.to_string()))).collect();
        }
        match self.made_of.as_ref().and_then(|made_of| made_of.json(stages)) {
            Some(made_of) => shown["made_of"] = made_of,
            None => shown["bytes"] = json!(artifact.files.first().map(|file| file.digest)),
        }
        shown
    }

    /// The columns that are read, each with the first digits of its digest.
    fn read_columns(&self, artifact: &ArtifactRecord, all: &[Column]) -> Value {
        let digests: BTreeMap<&str, Digest> =
            artifact.columns().map(|(column, digest)| (column.name.as_str(), digest)).collect();
        let pair = |name: &str| {
            let digest = digests.get(name).map(ToString::to_string).unwrap_or_default();
            json!([name, digest.get(..COLUMN_DIGITS).unwrap_or_default()])
        };
        match &self.columns {
            Some(columns) => columns.read().map(pair).collect(),
            None => all.iter().map(|column| pair(&column.name)).collect(),
        }
    }
}

impl MadeOf {
    fn json(&self, stages: &[CheckedStage]) -> Option<Value> {
        let parts = KeyParts::of(stages.get(self.stage)?, stages)?;
        Some(as_json(&key_tree(parts), &self.inputs, stages))
    }
}

/// What stands for a table that is not kept, where this is seen of it: equal digests make equal tables. What its stage is called
/// does not enter.
fn digest_of_view(
    parts: KeyParts<'_>,
    inputs: &Resolved,
    artifact: &ArtifactRecord,
    columns: Option<&Columns>,
) -> Result<Digest, NoKey> {
    let made_of = encode(&key_tree(parts), "kilter 2026 what a table that is not kept is made of", inputs)?;
    let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 table that is not kept, as it is used");
    hasher.update(made_of.as_bytes());
    let Some(columns) = columns else { return Ok(Digest::from_bytes(*hasher.finalize().as_bytes())) };
    let schema = artifact.schema_of(columns).unwrap_or_else(TableSchema::unknown);
    hasher.update(&(schema.columns.len() as u64).to_le_bytes());
    for Column { name, dtype } in &schema.columns {
        for text in [name.as_str(), &dtype.to_string()] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        hasher.update(&[u8::from(columns.reads(name))]);
    }
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}
