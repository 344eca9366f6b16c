//! Everything that kilter takes from its surroundings, read in one place: the clock, environment variables, cores,
//! the cancel flag. Other modules are handed what they need.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once when the run is interrupted; clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// The shared flag, for a signal handler.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// An environment variable's text; unset and not-Unicode are both `None`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where environment variables are read")]
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How many cores this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Seconds since 1970. For records that people read; never for keys.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// A time as people write it, in the local time zone: `2026-05-04 10:12`.
#[must_use]
pub fn local_time(unix_seconds: u64) -> String {
    let Ok(time) = libc::time_t::try_from(unix_seconds) else { return "?".to_owned() };
    // SAFETY: all-zero bytes are a valid `tm`; `localtime_r` fills it and keeps no pointer to it.
    let broken_down = unsafe {
        let mut parts: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&raw const time, &raw mut parts).is_null() { None } else { Some(parts) }
    };
    broken_down.map_or_else(
        || "?".to_owned(),
        |at| {
            let (year, month) = (at.tm_year + 1900, at.tm_mon + 1);
            format!("{year:04}-{month:02}-{:02} {:02}:{:02}", at.tm_mday, at.tm_hour, at.tm_min)
        },
    )
}

/// Limits the thread pools of the libraries to `threads`, unless the environment says otherwise. Pools are made when
/// they are first needed, so this must come before any work, and before the program has a second thread.
pub fn limit_threads(threads: usize) {
    for name in ["POLARS_MAX_THREADS", "RAYON_NUM_THREADS"] {
        if var(name).is_none() {
            // SAFETY: called at the start of `main`, while there is one thread; nothing else reads the environment then.
            unsafe { std::env::set_var(name, threads.to_string()) };
        }
    }
}

/// A path as messages show it: relative to the current folder where it lies below it.
#[must_use]
pub fn shown(path: &std::path::Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    match below {
        Some(below) if below.as_os_str().is_empty() => ".".to_owned(),
        Some(below) => below.display().to_string(),
        None => path.display().to_string(),
    }
}

/// Nanoseconds since 1970, to compare with the times of files; never for keys.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub fn unix_nanos() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

/// The folder of the running program, where the worker lies too.
#[must_use]
pub fn program_folder() -> Option<PathBuf> {
    std::env::current_exe().ok()?.parent().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_dates() {
        let text = local_time(1_777_888_999);
        assert!(text.starts_with("2026-05-0") && text.len() == 16, "{text}");
    }

    #[test]
    fn paths_below_the_current_folder_are_relative() {
        let here = std::env::current_dir().expect("a current folder");
        assert_eq!(shown(&here.join("a/b")), "a/b");
        assert_eq!(shown(std::path::Path::new("/nowhere/x")), "/nowhere/x");
        assert_eq!(shown(&here), ".");
    }
}
