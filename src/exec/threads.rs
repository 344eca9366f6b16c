//! The threads that stages run in: as many as stages ran at once so far, each used again for stages that come after. What starting
//! a thread costs is much beside a stage of a millisecond. Whoever waits here sleeps, and leaves the cores to the stages' programs.

use super::failure::Trouble;
use super::run_stage::{Attempt, Task, run_stage};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

/// Stages run plans of the query engine, which are deep.
pub(super) const STACK: usize = 16 << 20;

/// What a thread sends back.
pub(super) struct Message {
    pub(super) stage: usize,
    pub(super) outcome: Result<Attempt, Box<Trouble>>,
}

/// Dropping it ends the threads, as soon as their stages have ended.
pub(super) struct Threads<'scope, 'a> {
    scope: &'scope Scope<'scope, 'a>,
    count: usize,
    orders: Arc<Queue<(usize, Task<'a>)>>,
    answers: Arc<Queue<Message>>,
}

impl<'scope, 'a: 'scope> Threads<'scope, 'a> {
    /// No threads yet.
    pub(super) fn new(scope: &'scope Scope<'scope, 'a>) -> Self {
        Self { scope, count: 0, orders: Arc::default(), answers: Arc::default() }
    }

    /// Runs a stage, one of `running` in all.
    pub(super) fn run(&mut self, stage: usize, task: Task<'a>, running: usize) -> std::io::Result<()> {
        while self.count < running {
            let (orders, answers) = (Arc::clone(&self.orders), Arc::clone(&self.answers));
            let work = move || {
                while let Some((stage, task)) = orders.take() {
                    answers.put(Message { stage, outcome: run_stage(&task) });
                }
            };
            Builder::new().name("stages".to_owned()).stack_size(STACK).spawn_scoped(self.scope, work)?;
            self.count += 1;
        }
        self.orders.put((stage, task));
        Ok(())
    }

    /// How a stage went that ended by now, or ends within such a time.
    pub(super) fn answer(&self, time: Duration) -> Option<Message> {
        self.answers.take_within(time)
    }
}

impl Drop for Threads<'_, '_> {
    fn drop(&mut self) {
        self.orders.close();
    }
}

/// A queue between threads.
struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { items: VecDeque::new(), closed: false }), changed: Condvar::new() }
    }
}

impl<T> Queue<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, item: T) {
        self.state().items.push_back(item);
        self.changed.notify_one();
    }

    /// Waits for an item; `None` once it is closed.
    fn take(&self) -> Option<T> {
        let waits = |state: &mut State<T>| state.items.is_empty() && !state.closed;
        self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner).items.pop_front()
    }

    fn take_within(&self, time: Duration) -> Option<T> {
        let waited = self.changed.wait_timeout_while(self.state(), time, |state| state.items.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.items.pop_front()
    }

    fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}
