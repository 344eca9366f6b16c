//! Where a stage is, and what may happen to it.

use super::failure::Trouble;
use super::run_stage::Made;
use super::slots::{Grant, Need};
use crate::digest::Digest;
use crate::plan::Key;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest pause before another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Where a stage is.
#[derive(Debug)]
pub(super) enum State {
    /// Not looked at: inputs are missing.
    Waiting,
    /// Its inputs and key are known, and there is no result; waits for slots.
    Ready(Turn),
    /// An attempt is in a thread.
    Running { turn: Turn, grant: Grant, started: Instant },
    /// Another process, or another stage of this run, makes the same result.
    Elsewhere(Turn),
    /// An attempt failed; the next may begin at this time.
    Resting { turn: Turn, until: Instant },
    /// It has a result, and its gates hold.
    Done,
    /// It failed, or a gate does not hold.
    Failed,
    /// It will not run.
    Skipped,
}

/// What a stage's next attempt begins with.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) key: Arc<Key>,
    pub(super) need: Need,
    /// 1 for the first attempt.
    pub(super) attempt: u32,
}

/// What happened to a stage: what the loop's `set` is told.
pub(super) enum Step {
    Ready(Turn),
    Start(Turn, Grant),
    /// Somebody else makes its result: who.
    Elsewhere(Turn, String),
    Rest(Turn, Duration),
    Done(Made, Digest),
    Fail(Box<Trouble>),
    Skip(String),
}

/// How long to wait after an attempt: the first pause, doubled with every attempt.
pub(super) fn pause(first: Duration, attempt: u32) -> Duration {
    first.saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let seconds = |attempt| pause(Duration::from_secs(2), attempt).as_secs();
        assert_eq!([seconds(1), seconds(2), seconds(5), seconds(40)], [2, 4, 32, 600]);
        assert_eq!(pause(Duration::ZERO, 3), Duration::ZERO);
    }
}
