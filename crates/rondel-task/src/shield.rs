//! `shield`: waits for a future so that cancelling the wait does not cancel the future.
//!
//! # Invariants
//! - I1: The inner future's callback holds the outer one, and the outer one's callback only weak handles of the inner one and of
//!   that callback: no cycle keeps memory.
//!
//! # asyncio
//! [`asyncio.shield`](https://docs.python.org/3/library/asyncio-task.html#asyncio.shield).

use crate::callback::Awaiting;
use crate::cell::AnyFuture;
use crate::ensure_future::{EnsureFuture, ensure_future};
use crate::exception::Result;
use crate::future::Future;
use crate::outer::Outer;
use crate::watcher::{Watch, Watcher};

/// Waits for `awaitable`, shielding it from cancellation.
///
/// If the outer future is cancelled, because the coroutine that awaits it is, the inner one runs on. If the inner one is
/// cancelled by other means, so is the outer.
///
/// Mirrors [`asyncio.shield`](https://docs.python.org/3/library/asyncio-task.html#asyncio.shield).
///
/// # Errors
/// Told when it is awaited: what the inner future raised; `RuntimeError` if there is no loop for a new task.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{create_task, run, shield, sleep, wait_for};
///
/// let saved = run(async {
///     let save = create_task(async {
///         sleep(Duration::from_millis(2)).await?;
///         Ok("saved")
///     })?;
///     let impatient = wait_for(shield(&save), Duration::from_millis(1)).await;
///     assert!(impatient.unwrap_err().is_timeout());
///     save.await
/// });
/// assert_eq!(saved.unwrap(), "saved");
/// ```
#[track_caller]
pub fn shield<A: EnsureFuture>(awaitable: A) -> Outer<A::Output> {
    Outer::new(ensure_future(awaitable).and_then(|inner| shielded(inner, A::claim)))
}

/// Makes the outer future; `claim` reads the inner one's outcome.
fn shielded<T: 'static>(inner: Future<T>, claim: fn(Future<T>) -> Result<T>) -> Result<Future<T>> {
    if inner.done() {
        return Ok(inner);
    }
    let outer = Future::new(inner.any().core().clone());
    let told = outer.clone();
    let watcher = Watcher::new(Shielding { told, claim });
    watcher.watch(inner.any())?;
    let (inner, watcher) = (inner.any().downgrade(), watcher.downgrade());
    outer.add_done_callback(move |_| {
        if let Some(inner) = inner.upgrade()
            && let Some(watcher) = watcher.upgrade()
        {
            // Of one that is done the list is empty.
            watcher.unwatch(&inner);
        }
    })?;
    Ok(outer)
}

/// The done callback of the inner future.
struct Shielding<T: 'static> {
    told: Future<T>,
    claim: fn(Future<T>) -> Result<T>,
}

impl<T> Watch for Shielding<T> {
    const NAME: &'static str = "shield";

    /// The outer future becomes what the inner one is.
    fn future_done(&self, inner: AnyFuture) {
        let outer = &self.told;
        if outer.done() {
            inner.retrieve();
        } else if inner.cancelled() {
            outer.cancel();
        } else {
            // It is pending and its loop runs: nothing can be refused.
            let _ = match (self.claim)(Future::from_any(inner)) {
                Ok(value) => outer.set_result(value),
                Err(exception) => outer.set_exception(exception),
            };
        }
    }

    fn awaiting(&self) -> Vec<Awaiting> {
        vec![Awaiting::Future(self.told.any().clone())]
    }
}
