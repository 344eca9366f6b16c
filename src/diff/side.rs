//! One side of a comparison.

use crate::digest::Digest;
use crate::history::Member;
use crate::stage::{ArtifactRecord, StageResult};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One side of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// What it is, for people: `run 8f3a12bc`, `main (1a2b3c4)`, `workspace`.
    pub label: String,
    /// Every param, where they are known: the file of a lock does not tell them.
    pub params: Option<BTreeMap<String, Value>>,
    /// The stages.
    pub stages: Vec<SideStage>,
    /// Where these are not all stages that there were: why one is not among them.
    pub partial: Option<String>,
}

impl Side {
    /// Its stages by name, and those of another side that it can say nothing of.
    pub(super) fn beside<'a>(&'a self, other: &'a Self) -> BTreeMap<&'a str, Cow<'a, SideStage>> {
        let mut stages: BTreeMap<_, _> =
            self.stages.iter().map(|stage| (stage.name.as_str(), Cow::Borrowed(stage))).collect();
        if let Some(why) = &self.partial {
            for stage in &other.stages {
                let open = || Cow::Owned(SideStage::open(&stage.name, &stage.kind, why));
                stages.entry(&stage.name).or_insert_with(open);
            }
        }
        stages
    }
}

/// A stage of a side.
#[derive(Clone, Debug, Default)]
pub struct SideStage {
    /// Its name.
    pub name: String,
    /// Its kind, where that is known.
    pub kind: String,
    /// The key of its result, or of the result that it would have.
    pub key: Option<Digest>,
    /// Everything that entered the key, where that is known.
    pub fields: Option<Value>,
    /// Why there is no result, where there is none: `would run`, `failed`.
    pub open: Option<String>,
    /// The outputs, by port.
    pub outputs: BTreeMap<String, SideOutput>,
    /// The metrics.
    pub metrics: BTreeMap<String, f64>,
    /// How long it took to make, in seconds, where that is known.
    pub seconds: Option<f64>,
}

/// An output of a side.
#[derive(Clone, Debug)]
pub struct SideOutput {
    /// The digest of its content.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// All that is known of it, where more than that is.
    pub record: Option<ArtifactRecord>,
}

impl From<&ArtifactRecord> for SideOutput {
    fn from(record: &ArtifactRecord) -> Self {
        let bytes = record.files.iter().map(|file| file.size).sum();
        Self { digest: record.digest, bytes, record: Some(record.clone()) }
    }
}

impl SideStage {
    /// A stage with a result.
    #[must_use]
    pub fn of_result(name: &str, key: Digest, result: &StageResult) -> Self {
        Self {
            name: name.to_owned(),
            kind: result.kind.clone(),
            key: Some(key),
            fields: Some(result.key.json()),
            open: None,
            outputs: result.outputs.iter().map(|(port, record)| (port.clone(), record.into())).collect(),
            metrics: result.metrics.clone(),
            seconds: Some(result.seconds),
        }
    }

    /// Whether its outputs are those of another stage, to the bit.
    pub(super) fn has_outputs_of(&self, other: &Self) -> bool {
        let digests = |stage: &Self| -> Vec<(String, Digest)> {
            stage.outputs.iter().map(|(port, output)| (port.clone(), output.digest)).collect()
        };
        digests(self) == digests(other)
    }

    /// A stage without a result.
    #[must_use]
    pub fn open(name: &str, kind: &str, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), kind: kind.to_owned(), open: Some(why.into()), ..Self::default() }
    }
}

impl From<&Member> for SideStage {
    fn from(member: &Member) -> Self {
        Self::of_result(&member.stage, member.key, &member.result)
    }
}
