//! Queries that end when the run does, also while they give no rows.

use crossbeam_channel::{RecvTimeoutError, bounded};
use std::time::Duration;

/// So often it is looked whether a query is to end.
const LOOK: Duration = Duration::from_millis(50);

/// So long it is waited before it is told to end again: a server that is told before the query is there forgets it.
const AGAIN: Duration = Duration::from_secs(1);

/// Asks a query on this thread; when it `is_over` before there is an answer, another thread tells it to `end`.
pub(super) fn ended_when<T>(
    is_over: impl Fn() -> bool + Send,
    mut end: impl FnMut() + Send,
    ask: impl FnOnce() -> T,
) -> T {
    let (answered, waiting) = bounded::<()>(0);
    // `answered` goes away with the answer, and where there is none because of a panic.
    std::thread::scope(move |scope| {
        scope.spawn(move || {
            let mut wait = LOOK;
            while waiting.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                if is_over() {
                    end();
                    wait = AGAIN;
                }
            }
        });
        let answer = ask();
        drop(answered);
        answer
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn what_waits_is_told_to_end_and_an_answer_is_not_waited_for() {
        let (end, ended) = bounded(1);
        let told = ended_when(|| true, move || end.send(()).unwrap_or_default(), || ended.recv().is_ok());
        assert!(told);
        let begin = Instant::now();
        let mut called = false;
        assert_eq!(ended_when(|| false, || called = true, || 7), 7);
        assert!(!called && begin.elapsed() < Duration::from_secs(30));
    }
}
