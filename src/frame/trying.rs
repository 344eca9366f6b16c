//! Plans that are tried to see what is wrong with them. polars panics where it was not built for a combination of types: there that is an
//! answer, and no bug in kilter.

use super::unpanicked;
use polars::prelude::PolarsResult;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many are being tried.
static TRYING: AtomicUsize = AtomicUsize::new(0);

struct Trying;

impl Drop for Trying {
    fn drop(&mut self) {
        TRYING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Tries it; a panic in it is an error.
///
/// # Errors
/// Those of `work`, or what it panicked with.
pub fn trying<T>(work: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
    TRYING.fetch_add(1, Ordering::SeqCst);
    let _trying = Trying;
    unpanicked(work)
}

/// Whether a panic in this file of source code is one that is tried for. polars works in threads of its own, so that the thread does not tell.
#[must_use]
pub fn is_tried_for(file: &str) -> bool {
    file.contains("polars-") && TRYING.load(Ordering::SeqCst) > 0
}

#[cfg(test)]
mod tests {
    use super::{is_tried_for, trying};
    use polars::prelude::PolarsResult;

    #[test]
    fn a_panic_of_polars_is_an_answer_while_something_is_tried() {
        let found = trying(|| Ok(is_tried_for("/registry/polars-core-0.1/src/lib.rs")));
        assert!(found.is_ok_and(|tried| tried));
        assert!(trying(|| Ok(is_tried_for("src/cli/mod.rs"))).is_ok_and(|tried| !tried), "ours stay bugs");
        let error = trying(|| -> PolarsResult<()> { panic!("no such feature") }).expect_err("a panic");
        assert!(error.to_string().contains("no such feature"), "{error}");
    }
}
