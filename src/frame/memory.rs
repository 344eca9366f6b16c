//! How much memory the streaming engine may hold before it moves to disk what waits: rows of a join's or a group's other
//! half, and what is read twice. The engine asks the program's allocator how much there is, which only the program
//! `kilter` has; elsewhere nothing is moved.

use std::sync::{Mutex, PoisonError};

/// The variable that the engine reads, in megabytes.
const VARIABLE: &str = "POLARS_OOC_MEMORY_BUDGET_MB";

/// Of what a stage may use, the engine gets so much: the rest is for what it does not count, which is mostly memory that the
/// allocator keeps, and pieces on their way through.
const SHARE: f64 = 0.55;

/// Where no stage says what it may use, nothing is moved to disk.
const UNLIMITED: u64 = 1 << 40;

/// Megabytes of the stages that run now; `None` where the user has set the variable.
static HELD: Mutex<Option<u64>> = Mutex::new(None);

/// So many row groups of a parquet file the engine reads ahead, at least; it would take 512, whatever they hold.
const LEAST_AHEAD: usize = 4;

/// The variable that says so to it.
const AHEAD: &str = "POLARS_ROW_GROUP_PREFETCH_SIZE";

/// Lets stages limit the engine. For the beginning of the program, while there is one thread.
pub(super) fn limit_memory() {
    if crate::env::var(AHEAD).is_none() {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        crate::env::set_at_start(AHEAD, &LEAST_AHEAD.max(2 * threads).to_string());
    }
    crate::env::keep_freed_memory(true);
    if crate::env::var(VARIABLE).is_none() {
        crate::env::set_at_start(VARIABLE, &UNLIMITED.to_string());
        *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(0);
    }
}

/// A part of the memory, until it is dropped.
pub(super) struct Held(u64);

impl Held {
    /// So many bytes for a plan.
    pub(super) fn new(bytes: u64) -> Self {
        let held = Self((bytes as f64 * SHARE / 1e6) as u64);
        change(|sum| sum + held.0);
        held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        change(|sum| sum.saturating_sub(self.0));
    }
}

fn change(to: impl FnOnce(u64) -> u64) {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(sum) = *held else { return };
    let sum = to(sum);
    *held = Some(sum);
    crate::env::keep_freed_memory(sum == 0);
    let megabytes = if sum == 0 { UNLIMITED } else { sum };
    crate::env::set_again(VARIABLE, &megabytes.to_string());
    polars_config::config().reload_env_var(VARIABLE);
}
