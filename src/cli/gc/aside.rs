//! What lies beside the results and goes by its age: checkpoints of stages that have no result yet, and damaged files.

use crate::store::{Limits, Quarantined, Store, StoreError, Unfinished};
use crate::{env, numbers};
use serde_json::{Value, json};

/// Checkpoints that were written within so many seconds stay: a week. Their stage may be run again.
const CHECKPOINTS_STAY: u64 = 7 * 24 * 3600;

/// Damaged files stay for so many seconds after they were found: 30 days.
const DAMAGED_STAY: u64 = 30 * 24 * 3600;

/// What lies beside the results, as far as it goes and as far as it stays.
#[derive(Default)]
pub(super) struct Aside {
    checkpoints: Aged<Unfinished>,
    damaged: Aged<Quarantined>,
}

/// Those that are old enough to go, and the others.
struct Aged<T> {
    go: Vec<T>,
    stay: Vec<T>,
}

impl<T> Default for Aged<T> {
    fn default() -> Self {
        Self { go: Vec::new(), stay: Vec::new() }
    }
}

impl<T> Aged<T> {
    /// What is from within the last seconds stays, or from within the time of `--older-than`.
    fn of(all: Vec<T>, limits: Limits, seconds: u64, time: fn(&T) -> u64) -> Self {
        let before = limits.before.unwrap_or_else(|| env::unix_seconds().saturating_sub(seconds));
        let (go, stay) = all.into_iter().partition(|one| time(one) < before);
        Self { go, stay }
    }

    fn json(&self, bytes: fn(&[T]) -> u64) -> Value {
        json!({ "freed_bytes": bytes(&self.go), "stays_bytes": bytes(&self.stay) })
    }
}

impl Aside {
    pub(super) fn of(store: &Store, limits: Limits) -> Self {
        Self {
            checkpoints: Aged::of(store.unfinished(), limits, CHECKPOINTS_STAY, |unfinished| unfinished.written),
            damaged: Aged::of(store.quarantined(), limits, DAMAGED_STAY, |damaged| damaged.since),
        }
    }

    /// The bytes of what goes.
    pub(super) fn freed(&self) -> u64 {
        of_checkpoints(&self.checkpoints.go) + of_damaged(&self.damaged.go)
    }

    pub(super) fn remove(&self, store: &Store) -> Result<(), StoreError> {
        for gone in &self.checkpoints.go {
            store.forget_checkpoints(gone.series, gone.key);
        }
        self.damaged.go.iter().try_for_each(|gone| store.discard(&gone.path))
    }

    /// `checkpoints of 1 unfinished stage go, 3.1 MB`; `1 damaged file stays in quarantine, 228 kB`
    pub(super) fn lines(&self) -> Vec<String> {
        let checkpoints = |all: &[Unfinished], verb: &str| {
            let (stages, bytes) = (numbers::counted(all.len(), "unfinished stage"), of_checkpoints(all));
            (!all.is_empty()).then(|| format!("checkpoints of {stages} {verb}, {}", numbers::bytes(bytes)))
        };
        let damaged = |all: &[Quarantined], one: &str, several: &str| {
            let (files, bytes) = (numbers::counted(all.len(), "damaged file"), of_damaged(all));
            let verb = if all.len() == 1 { one } else { several };
            (!all.is_empty()).then(|| format!("{files} {verb} quarantine, {}", numbers::bytes(bytes)))
        };
        let lines = [
            checkpoints(&self.checkpoints.go, "go"),
            checkpoints(&self.checkpoints.stay, "stay"),
            damaged(&self.damaged.go, "goes out of", "go out of"),
            damaged(&self.damaged.stay, "stays in", "stay in"),
        ];
        lines.into_iter().flatten().collect()
    }

    pub(super) fn checkpoints_json(&self) -> Value {
        self.checkpoints.json(of_checkpoints)
    }

    pub(super) fn quarantine_json(&self) -> Value {
        self.damaged.json(of_damaged)
    }
}

fn of_checkpoints(all: &[Unfinished]) -> u64 {
    all.iter().map(|unfinished| unfinished.bytes).sum()
}

fn of_damaged(all: &[Quarantined]) -> u64 {
    all.iter().map(|damaged| damaged.bytes).sum()
}
