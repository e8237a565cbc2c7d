//! `Event`: a flag that tasks wait for.
//!
//! # asyncio
//! [`asyncio.Event`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Event).

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use rondel_task::Result;

use crate::loop_bound::LoopBound;
use crate::waiters::Waiters;

/// A flag that is set or not, and that tasks wait for: a handle, of which clones are the same event.
///
/// Mirrors [`asyncio.Event`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Event).
///
/// # Examples
/// ```
/// use rondel_sync::Event;
/// use rondel_task::{create_task, run};
///
/// run(async {
///     let ready = Event::new();
///     let waiting = create_task(ready.wait())?;
///     ready.set();
///     waiting.await
/// })?;
/// # Ok::<(), rondel_task::Exception>(())
/// ```
#[derive(Clone, Default)]
pub struct Event {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    value: Cell<bool>,
    waiters: Waiters,
    bound: LoopBound,
}

/// What [`Event::statistics`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventStatistics {
    /// How many tasks wait and have not been woken.
    pub tasks_waiting: usize,
}

impl Event {
    /// Makes an event that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns true if the flag is set.
    pub fn is_set(&self) -> bool {
        self.shared.value.get()
    }

    /// Sets the flag and wakes all tasks that wait for it, in the order in which they came.
    ///
    /// They return from [`wait`](Self::wait) also if the flag is cleared before they run.
    pub fn set(&self) {
        if !self.shared.value.replace(true) {
            self.shared.waiters.wake(usize::MAX);
        }
    }

    /// Clears the flag: from now on tasks wait until it is set again.
    pub fn clear(&self) {
        self.shared.value.set(false);
    }

    /// Waits until the flag is set; returns at once if it is.
    ///
    /// Mirrors [`Event.wait`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Event.wait), which returns true.
    ///
    /// # Errors
    /// `CancelledError` if the task is cancelled meanwhile. If the task has to wait: `RuntimeError` on another loop than the
    /// one the event is bound to, `NoRunningLoopError` on none.
    #[track_caller]
    pub fn wait(&self) -> impl core::future::Future<Output = Result<()>> + use<> {
        self.wait_at(Location::caller())
    }

    /// As `wait`, in the line `at`.
    pub(crate) fn wait_at(
        &self,
        at: &'static Location<'static>,
    ) -> impl core::future::Future<Output = Result<()>> + use<> {
        let event = self.clone();
        async move {
            if event.is_set() {
                return Ok(());
            }
            let waiter = event.shared.bound.create_waiter(&event)?;
            event.shared.waiters.enlist(waiter, at).await
        }
    }

    /// Returns how many tasks wait.
    pub fn statistics(&self) -> EventStatistics {
        EventStatistics {
            tasks_waiting: self.shared.waiters.pending(),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_set() { "set" } else { "unset" };
        self.shared.waiters.fmt(f, "Event", state)
    }
}
