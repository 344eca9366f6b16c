//! Artefacts as they are stored and as a stage receives them.

use super::{ByPort, Columns, KeyText, View};
use crate::digest::{Digest, TableDigest};
use crate::types::{ArtifactType, Column, TableSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// By so many seconds the clocks of machines that share a store may differ.
const CLOCKS_DIFFER: u64 = 300;

/// One file of a stored artefact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its path inside the artefact, with `/`.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes, which names its object in the store.
    pub digest: Digest,
}

/// A stored artefact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// Its type, as it was produced.
    pub ty: ArtifactType,
    /// The digest of its content: what stands for it in the keys of stages that use it.
    pub digest: Digest,
    /// The digests of its columns, in order, where it is a table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Digest>,
    /// Its files, sorted by name.
    pub files: Vec<FileRecord>,
}

impl ArtifactRecord {
    /// A table's columns, each with its digest.
    pub fn columns(&self) -> impl Iterator<Item = (&Column, Digest)> {
        let columns = match &self.ty {
            ArtifactType::Table(schema) => schema.columns.as_slice(),
            _ => &[],
        };
        columns.iter().zip(self.columns.iter().copied())
    }

    /// The table of some of its columns, in this order; `None` where it is no table, or has no such columns.
    #[must_use]
    pub fn schema_of(&self, columns: &Columns) -> Option<TableSchema> {
        let ArtifactType::Table(whole) = &self.ty else { return None };
        let all: BTreeMap<&str, &Column> = whole.columns.iter().map(|column| (column.name.as_str(), column)).collect();
        let found = columns.names().iter().map(|name| all.get(name.as_str()).copied().cloned());
        Some(TableSchema { rows: whole.rows, ..TableSchema::new(found.collect::<Option<_>>()?) })
    }

    /// The digest of the content of that table: of columns that are not read it covers name and type. `None` where its rows
    /// or the digests of its columns are not known, too.
    #[must_use]
    pub fn digest_of(&self, columns: &Columns) -> Option<Digest> {
        let schema = self.schema_of(columns)?;
        let all: BTreeMap<&str, Digest> =
            self.columns().map(|(column, digest)| (column.name.as_str(), digest)).collect();
        let digest = |column: &Column| match columns.reads(&column.name) {
            true => all.get(column.name.as_str()).copied(),
            false => Some(TableDigest::unread(&column.name, &column.dtype.to_string())),
        };
        let digests = schema.columns.iter().map(digest).collect::<Option<_>>()?;
        Some(TableDigest::new(schema.rows?, digests).whole)
    }
}

/// A demand on a metric, and whether it holds. Kept beside the result, so that a cached result fails its gate again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// The metric's name.
    pub metric: String,
    /// What it came out as.
    pub value: f64,
    /// The least that is allowed.
    pub min: Option<f64>,
    /// The most that is allowed.
    pub max: Option<f64>,
    /// Whether it holds.
    pub holds: bool,
}

/// A stage's stored result: its outputs, what is worth saying of them, and the key that they were made for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageResult {
    /// The kind.
    pub kind: String,
    /// The kind's implementation version.
    pub version: u32,
    /// The outputs by port.
    pub outputs: ByPort<ArtifactRecord>,
    /// A line for people.
    pub summary: String,
    /// Numbers for history and comparison.
    pub metrics: BTreeMap<String, f64>,
    /// Demands on them.
    pub gates: Vec<GateResult>,
    /// Seconds that it took to make.
    pub seconds: f64,
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// Facts about the environment it was made in; none of them is in the key.
    pub environment: BTreeMap<String, String>,
    /// Everything that entered the key, for `why`: see `plan/key.rs`.
    pub key: KeyText,
}

impl StageResult {
    /// How old the result is, in seconds, where that is more than its stage believes: see [`Kind::refresh`](super::Kind::refresh). 0 where
    /// it was made later than now: then a clock was or is wrong, and nobody knows how old it is.
    #[must_use]
    pub fn outdated(&self, refresh: Option<u64>) -> Option<u64> {
        self.outdated_at(crate::env::unix_seconds(), refresh?)
    }

    fn outdated_at(&self, now: u64, refresh: u64) -> Option<u64> {
        match now.checked_sub(self.made) {
            Some(age) => (age > refresh).then_some(age),
            None => (self.made - now > CLOCKS_DIFFER).then_some(0),
        }
    }

    /// The gates that do not hold.
    pub fn broken_gates(&self) -> impl Iterator<Item = &GateResult> {
        self.gates.iter().filter(|gate| !gate.holds)
    }
}

/// One file of an input.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// Its path inside the artefact.
    pub name: String,
    /// Where it can be read; never to be written.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// An artefact as a stage receives it.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its type.
    pub ty: ArtifactType,
    /// The digest of its content.
    pub digest: Digest,
    /// Its files, sorted by name. A table of which the stage sees only some columns has none.
    pub files: Vec<InputFile>,
    /// Of such a table what the stage sees, and the files that hold it.
    narrowed: Option<(Columns, Vec<InputFile>)>,
    /// What makes the table, where it is not kept.
    view: Option<Arc<View>>,
}

impl Input {
    /// An artefact of which the stage sees everything.
    #[must_use]
    pub fn new(ty: ArtifactType, digest: Digest, files: Vec<InputFile>) -> Self {
        Self { ty, digest, files, narrowed: None, view: None }
    }

    /// The same artefact, for which this digest stands: of a table that is not kept it covers what it is made of.
    #[must_use]
    pub fn as_digested(self, digest: Digest) -> Self {
        Self { digest, ..self }
    }

    /// The same table, which is not kept, with what makes it.
    #[must_use]
    pub fn made_by(self, view: View) -> Self {
        Self { view: Some(Arc::new(view)), ..self }
    }

    /// What makes the table, where it is not kept.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.view.as_deref()
    }

    /// Every table that is not kept among what it is made of, itself last.
    #[must_use]
    pub fn views(&self) -> Vec<&Self> {
        let behind = self.view().into_iter().flat_map(View::inputs).flat_map(Self::views);
        behind.chain(self.view.is_some().then_some(self)).collect()
    }

    /// The same table, of which the stage sees these columns alone, in this order: see [`ArtifactRecord::schema_of`].
    #[must_use]
    pub fn narrowed(self, columns: Columns, schema: TableSchema, digest: Digest) -> Self {
        let narrowed = Some((columns, self.files));
        Self { ty: ArtifactType::Table(schema), digest, files: Vec::new(), narrowed, ..self }
    }

    /// The files that hold the table, and what to take out of them where that is not all. For [`crate::frame`] alone, which
    /// gives a stage nothing else.
    #[must_use]
    pub fn stored_table(&self) -> (&[InputFile], Option<(&TableSchema, &Columns)>) {
        match (&self.narrowed, &self.ty) {
            (Some((columns, files)), ArtifactType::Table(schema)) => (files, Some((schema, columns))),
            _ => (&self.files, None),
        }
    }

    /// The file of this name.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&InputFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_of_a_clock_that_went_wrong_is_not_believed_until_that_time_comes() {
        let result = StageResult {
            kind: "database".to_owned(),
            version: 1,
            outputs: ByPort::new(),
            summary: String::new(),
            metrics: BTreeMap::new(),
            gates: Vec::new(),
            seconds: 0.0,
            made: 10_000,
            environment: BTreeMap::new(),
            key: KeyText::of(&serde_json::Value::Null),
        };
        let at = |now: u64| result.outdated_at(now, 60);
        assert_eq!([at(10_060), at(10_061), at(9_990), at(9_000)], [None, Some(61), None, Some(0)]);
    }
}
