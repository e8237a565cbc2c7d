//! `shielded`: a block of code that a cancellation from outside does not reach before it has ended.
//!
//! What is asked of the task meanwhile is held back in its `Shields`; `cancel` looks there.
//!
//! # Invariants
//! - I1: A request is held back if it comes from outside of the innermost shield: from a timeout or task group that was entered
//!   behind fewer shields, or from whoever has the task. Those that were entered behind the shield work as ever.
//! - I2: A request that is held back counts in [`Task::cancelling`](crate::Task::cancelling), but not for the scopes behind the
//!   shield, which tell their own cancellations from others by counting.
//! - I3: Whichever way a shield is left, what it has held back is asked again: now, or by the next shield further out.
//!
//! # asyncio
//! It has `shield` for a future, which runs as another task; this is the shielded scope of Trio and AnyIO, in the same task.

use std::future::IntoFuture;
use std::sync::Arc;

use crate::cancel::cancel_from;
use crate::cell::AnyFuture;
use crate::exception::{Exception, Result};
use crate::running;

/// Awaits `body` to its end although the task may be cancelled meanwhile; the cancellation comes after it.
///
/// What the body gives is given on, and a request to cancel the task that came in the meantime is felt at its next await that
/// suspends; if there is none, the task ends as cancelled. Timeouts and task groups around the shield wait for its end, too;
/// those in the body work as ever, so that clean-up can be given a limit.
///
/// The shield is the task's: what runs in the same task beside the body, in a `join!`, is behind it as well.
///
/// # Errors
/// What the body raises; `RuntimeError` outside of a task.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{create_task, run_virtual, shielded, sleep};
///
/// let cancelled = run_virtual(async {
///     let task = create_task(async {
///         shielded(async {
///             sleep(Duration::from_secs(2)).await?; // writes a file that must be whole
///             Ok(())
///         })
///         .await?;
///         sleep(Duration::from_secs(60)).await // this is where the cancellation comes
///     })?;
///     sleep(Duration::from_secs(1)).await?;
///     task.cancel();
///     Ok(task.await.unwrap_err().is_cancelled())
/// });
/// assert!(cancelled.unwrap());
/// ```
pub async fn shielded<T>(body: impl IntoFuture<Output = Result<T>>) -> Result<T> {
    let _shield = Shield::enter()?;
    body.await
}

/// A shield that the current task is behind.
struct Shield {
    task: AnyFuture,
}

impl Shield {
    fn enter() -> Result<Self> {
        let task = running::core().and_then(|core| core.current_task());
        let Some(task) = task else {
            return Err(Exception::runtime(
                "a shielded scope can be used inside a task only",
            ));
        };
        if let Some(state) = task.task_state() {
            state.enter_shield(running::take_throw().is_some());
        }
        Ok(Self { task })
    }
}

impl Drop for Shield {
    /// Asks again for what was held back (I3).
    fn drop(&mut self) {
        let state = self.task.task_state();
        let held_back = state.map(|state| state.with_shields(Shields::leave));
        for request in held_back.into_iter().flatten() {
            cancel_from(&self.task, request.shields, request.message);
        }
    }
}

/// How many shields a task is behind, and what they hold back.
#[derive(Default)]
pub(crate) struct Shields {
    depth: u32,
    held_back: Vec<Request>,
}

/// A request to cancel the task.
pub(crate) struct Request {
    /// Behind how many shields it was made.
    shields: u32,
    message: Option<Arc<str>>,
}

impl Shields {
    pub(crate) fn depth(&mut self) -> u32 {
        self.depth
    }

    /// How many requests are held back.
    pub(crate) fn held_back(&mut self) -> u32 {
        u32::try_from(self.held_back.len()).unwrap_or(u32::MAX)
    }

    /// Goes behind one more, with a request that was not delivered yet, if there is one.
    pub(crate) fn enter(&mut self, undelivered: Option<Option<Arc<str>>>) {
        if let Some(message) = undelivered {
            let shields = self.depth;
            self.held_back.push(Request { shields, message });
        }
        self.depth += 1;
    }

    fn leave(&mut self) -> Vec<Request> {
        self.depth -= 1;
        std::mem::take(&mut self.held_back)
    }

    /// Holds a request back if there is a shield between where it was made and the coroutine (I1).
    pub(crate) fn hold_back(&mut self, shields: u32, message: &Option<Arc<str>>) -> bool {
        let is_shielded = shields < self.depth;
        if is_shielded {
            let message = message.clone();
            self.held_back.push(Request { shields, message });
        }
        is_shielded
    }

    pub(crate) fn take_last(&mut self) -> Option<Request> {
        self.held_back.pop()
    }
}
