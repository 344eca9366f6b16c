//! Runs and their results, out of the database.

use super::db::{History, HistoryError};
use crate::digest::Digest;
use crate::env;
use crate::stage::StageResult;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;
use std::collections::BTreeMap;

/// How a run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It is going on.
    Running,
    /// Every stage has a result, and every gate holds.
    Done,
    /// A stage failed, or a gate does not hold.
    Failed,
    /// Somebody stopped it.
    Interrupted,
    /// Its process is gone, and had no time to say so.
    Killed,
}

impl RunState {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Killed => "killed",
        }
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The manifest, relative to the workspace.
    pub manifest: String,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// How long it took, in seconds; `None` while it runs, or where it was killed.
    pub seconds: Option<f64>,
    /// How it went.
    pub state: RunState,
    /// Every param with its value.
    pub params: BTreeMap<String, Value>,
    /// The stages that were asked for; empty for all.
    pub targets: Vec<String>,
    /// The git commit, where the workspace is in a repository.
    pub revision: Option<String>,
    /// The git branch.
    pub branch: Option<String>,
    /// Whether tracked files differed from the commit.
    pub dirty: Option<bool>,
    /// Stages that ran.
    pub ran: u64,
    /// Stages whose result was in the store.
    pub cached: u64,
    /// Stages that failed, or whose gate does not hold.
    pub failed: u64,
    /// Stages that were not run.
    pub skipped: u64,
    pub(super) snapshot: Option<i64>,
}

/// What a stage did in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Its name.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// `ran`, `failed`, `gate`, `refused` (by the lock) or `skipped`.
    pub state: String,
    /// How long, in seconds.
    pub seconds: f64,
    /// The result in a line, or why there is none.
    pub message: String,
}

/// A stage's result in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The stage's name.
    pub stage: String,
    /// The key that the result was made for.
    pub key: Digest,
    /// The result; its bytes may have left the store.
    pub result: StageResult,
}

impl History {
    /// The newest `most` runs, newest first; of one pipeline where one is named.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn runs(&self, pipeline: Option<&str>, boot: &str, most: usize) -> Result<Vec<Run>, HistoryError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = self.db.prepare_cached(
            "SELECT * FROM runs WHERE ?1 IS NULL OR pipeline = ?1 ORDER BY started DESC, rowid DESC LIMIT ?2",
        )?;
        let runs = rows.query_map(params![pipeline, most], |row| run(row, boot))?;
        Ok(runs.collect::<Result<_, _>>()?)
    }

    /// The runs whose id begins with `prefix`, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn runs_of(&self, prefix: &str, boot: &str) -> Result<Vec<Run>, HistoryError> {
        let mut rows = self.db.prepare_cached(
            "SELECT * FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY started DESC, rowid DESC",
        )?;
        let runs = rows.query_map([prefix], |row| run(row, boot))?;
        Ok(runs.collect::<Result<_, _>>()?)
    }

    /// What stages did in a run, by name; cached ones did nothing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn attempts(&self, run: &Run) -> Result<Vec<Attempt>, HistoryError> {
        let mut rows = self.db.prepare_cached(
            "SELECT stage, kind, state, seconds, message FROM attempts WHERE run = ?1 ORDER BY stage",
        )?;
        let attempts = rows.query_map([&run.id], |row| {
            Ok(Attempt {
                stage: row.get(0)?,
                kind: row.get(1)?,
                state: row.get(2)?,
                seconds: row.get(3)?,
                message: row.get(4)?,
            })
        })?;
        Ok(attempts.collect::<Result<_, _>>()?)
    }

    /// The stages that failed in a run, by name, with the reason.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn failures(&self, run: &Run) -> Result<Vec<(String, String)>, HistoryError> {
        let mut rows = self
            .db
            .prepare_cached("SELECT stage, message FROM attempts WHERE run = ?1 AND state = 'failed' ORDER BY stage")?;
        let failures = rows.query_map([&run.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(failures.collect::<Result<_, _>>()?)
    }

    /// Whether a stage ran in a run, and got a result.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ran(&self, run: &Run, stage: &str) -> Result<bool, HistoryError> {
        let mut rows =
            self.db.prepare_cached("SELECT 1 FROM attempts WHERE run = ?1 AND stage = ?2 AND state = 'ran'")?;
        Ok(rows.exists(params![run.id, stage])?)
    }

    /// The results of a run's stages, cached ones included, in topological order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn results(&self, run: &Run) -> Result<Vec<Member>, HistoryError> {
        let mut rows = self.db.prepare_cached("SELECT key, json FROM results WHERE id = ?1")?;
        let mut members = Vec::new();
        for (stage, id) in self.snapshot(run)? {
            let found =
                rows.query_row([id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()?;
            let Some((key, json)) = found else { continue };
            let key = key.parse().map_err(|error| HistoryError::Entry(format!("{error}")))?;
            members.push(Member { stage, key, result: unpack(&json)? });
        }
        Ok(members)
    }

    /// The results that were made for a key, the last one first; several where its stage was made to run again.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn made_for(&self, key: Digest) -> Result<Vec<StageResult>, HistoryError> {
        let mut rows = self.db.prepare_cached("SELECT json FROM results WHERE key = ?1 ORDER BY made DESC, id DESC")?;
        let packed = rows.query_map([key.to_string()], |row| row.get::<_, Vec<u8>>(0))?;
        packed.map(|packed| unpack(&packed?)).collect()
    }

    /// The keys of a run's results: what the run needs of the store.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn keys(&self, run: &Run) -> Result<Vec<Digest>, HistoryError> {
        let mut rows = self.db.prepare_cached("SELECT key FROM results WHERE id = ?1")?;
        let mut keys = Vec::new();
        for (_, id) in self.snapshot(run)? {
            let key: Option<String> = rows.query_row([id], |row| row.get(0)).optional()?;
            keys.extend(key.and_then(|key| key.parse::<Digest>().ok()));
        }
        Ok(keys)
    }

    fn snapshot(&self, run: &Run) -> Result<Vec<(String, i64)>, HistoryError> {
        let packed: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT stages FROM snapshots WHERE id = ?1")?
            .query_row([run.snapshot], |row| row.get(0))
            .optional()?;
        packed.map_or(Ok(Vec::new()), |packed| unpack(&packed))
    }
}

pub(super) fn unpack<T: serde::de::DeserializeOwned>(packed: &[u8]) -> Result<T, HistoryError> {
    let text = zstd::stream::decode_all(packed).map_err(|error| HistoryError::Entry(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| HistoryError::Entry(error.to_string()))
}

fn run(row: &Row<'_>, boot: &str) -> rusqlite::Result<Run> {
    let count = |name: &str| row.get::<_, i64>(name).map(|count| u64::try_from(count).unwrap_or(0));
    let state = match row.get::<_, String>("state")?.as_str() {
        "done" => RunState::Done,
        "failed" => RunState::Failed,
        "interrupted" => RunState::Interrupted,
        _ if row.get::<_, String>("boot")? == boot && env::process_lives(row.get("process")?) => RunState::Running,
        _ => RunState::Killed,
    };
    Ok(Run {
        id: row.get("id")?,
        pipeline: row.get("pipeline")?,
        manifest: row.get("manifest")?,
        started: count("started")?,
        seconds: row.get("seconds")?,
        state,
        params: serde_json::from_str(&row.get::<_, String>("params")?).unwrap_or_default(),
        targets: serde_json::from_str(&row.get::<_, String>("targets")?).unwrap_or_default(),
        revision: row.get("revision")?,
        branch: row.get("branch")?,
        dirty: row.get("dirty")?,
        ran: count("ran")?,
        cached: count("cached")?,
        failed: count("failed")?,
        skipped: count("skipped")?,
        snapshot: row.get("snapshot")?,
    })
}
