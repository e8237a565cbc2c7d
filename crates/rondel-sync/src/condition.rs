//! `Condition`: tasks that hold a lock wait until another one tells them that something has changed.
//!
//! # Invariants
//! - I1: A wait that ends with an error may have been notified before, so it notifies another task.
//! - I2: A wait that ends, however it ends, holds the lock again, under the number under which it was held before. The one
//!   exception is a wait that is dropped in the middle, as it cannot wait for the lock: the guard of its caller then knows that
//!   its acquisition is over.
//!
//! # asyncio
//! [`asyncio.Condition`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Condition).

use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use rondel_task::{Result, RuntimeError};

use crate::lock::{Hold, Lock, LockGuard, LockStatistics};
use crate::loop_bound::LoopBound;
use crate::waiters::Waiters;

/// A lock, and tasks that wait for something to change: a handle, of which clones are the same condition.
///
/// Mirrors [`asyncio.Condition`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Condition).
///
/// # Examples
/// ```
/// use rondel_sync::Condition;
/// use rondel_task::{create_task, run};
/// use std::{cell::Cell, rc::Rc};
///
/// let seen = run(async {
///     let level = Rc::new(Cell::new(0));
///     let changed = Condition::new();
///     let (shown, risen) = (level.clone(), changed.clone());
///     let watcher = create_task(async move {
///         let _guard = risen.acquire().await?;
///         risen.wait_for(|| shown.get() > 2).await?;
///         Ok(shown.get())
///     })?;
///     while !watcher.done() {
///         let _guard = changed.acquire().await?;
///         level.set(level.get() + 1);
///         changed.notify(1)?;
///         rondel_task::sleep(std::time::Duration::ZERO).await?;
///     }
///     watcher.await
/// });
/// assert!(seen.unwrap() > 2);
/// ```
#[derive(Clone, Default)]
pub struct Condition {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    lock: Lock,
    waiters: Waiters,
    bound: LoopBound,
}

/// What [`Condition::statistics`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConditionStatistics {
    /// How many tasks wait and have not been notified.
    pub tasks_waiting: usize,
    /// The state of the lock.
    pub lock: LockStatistics,
}

impl Condition {
    /// Makes a condition with a lock of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a condition on a lock, which it may share with others.
    pub fn with_lock(lock: Lock) -> Self {
        Self {
            shared: Rc::new(Shared {
                lock,
                ..Shared::default()
            }),
        }
    }

    /// Waits until the lock is free, and holds it until the guard is dropped.
    ///
    /// # Errors
    /// As [`Lock::acquire`].
    #[track_caller]
    pub fn acquire(&self) -> impl core::future::Future<Output = Result<LockGuard>> + use<> {
        self.shared.lock.acquire()
    }

    /// Frees the lock; see [`Lock::release`].
    ///
    /// # Errors
    /// `RuntimeError` if nobody holds the lock.
    pub fn release(&self) -> Result<(), RuntimeError> {
        self.shared.lock.release()
    }

    /// Returns true while somebody holds the lock.
    pub fn locked(&self) -> bool {
        self.shared.lock.locked()
    }

    /// Frees the lock, waits for a notification, and waits for the lock again.
    ///
    /// It may return although nothing has changed: [`wait_for`](Self::wait_for) looks and waits again. The caller's guard goes
    /// on holding the lock afterwards, also after an error. Dropped in the middle it cannot wait for the lock: the guard then
    /// holds nothing any more.
    ///
    /// Mirrors [`Condition.wait`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Condition.wait), which returns
    /// true.
    ///
    /// # Errors
    /// `RuntimeError` if nobody holds the lock, or on another loop than the one the condition is bound to;
    /// `NoRunningLoopError` on none; `CancelledError` if the task is cancelled meanwhile, told when the lock is held again.
    #[track_caller]
    pub fn wait(&self) -> impl core::future::Future<Output = Result<()>> + use<> {
        self.wait_at(Location::caller())
    }

    fn wait_at(
        &self,
        at: &'static Location<'static>,
    ) -> impl core::future::Future<Output = Result<()>> + use<> {
        let condition = self.clone();
        async move {
            let lock = &condition.shared.lock;
            let Some(hold) = lock.holder() else {
                return Err(RuntimeError::new("cannot wait on un-acquired lock").into());
            };
            let waiter = condition.shared.bound.create_waiter(&condition)?;
            lock.unlock();
            let mut notified = Notified {
                condition: &condition,
                pass_on: true,
            };
            let woken = condition.shared.waiters.enlist(waiter, at).await;
            hold_again(lock, hold, woken, at).await?;
            notified.pass_on = false;
            Ok(())
        }
    }

    /// Waits until `predicate` is true, which is asked at once and after each notification, always with the lock held.
    ///
    /// Mirrors [`Condition.wait_for`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Condition.wait_for), which
    /// returns what the predicate did.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), unless the predicate is true at once.
    #[track_caller]
    pub fn wait_for<P: FnMut() -> bool>(
        &self,
        predicate: P,
    ) -> impl core::future::Future<Output = Result<()>> + use<P> {
        self.wait_for_at(Location::caller(), predicate)
    }

    /// As `wait_for`, in the line `at`.
    pub(crate) fn wait_for_at<P: FnMut() -> bool>(
        &self,
        at: &'static Location<'static>,
        mut predicate: P,
    ) -> impl core::future::Future<Output = Result<()>> + use<P> {
        let condition = self.clone();
        async move {
            while !predicate() {
                condition.wait_at(at).await?;
            }
            Ok(())
        }
    }

    /// Wakes the `count` tasks that have waited longest, or as many as there are.
    ///
    /// They go on once they have the lock, so not before the caller frees it.
    ///
    /// Mirrors [`Condition.notify`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Condition.notify), where the
    /// count is 1 unless given.
    ///
    /// # Errors
    /// `RuntimeError` if nobody holds the lock.
    pub fn notify(&self, count: usize) -> Result<(), RuntimeError> {
        if !self.locked() {
            return Err(RuntimeError::new("cannot notify on un-acquired lock"));
        }
        self.wake(count);
        Ok(())
    }

    /// Wakes all tasks that wait.
    ///
    /// # Errors
    /// As [`notify`](Self::notify).
    pub fn notify_all(&self) -> Result<(), RuntimeError> {
        self.notify(usize::MAX)
    }

    /// Returns how many tasks wait for a notification, and the state of the lock.
    pub fn statistics(&self) -> ConditionStatistics {
        ConditionStatistics {
            tasks_waiting: self.shared.waiters.pending(),
            lock: self.shared.lock.statistics(),
        }
    }

    /// As `notify`, whoever holds the lock.
    pub(crate) fn wake(&self, count: usize) {
        self.shared.waiters.wake(count);
    }
}

/// Waits for the lock until it is had, whatever cancellations come meanwhile (I2); gives the latest error.
async fn hold_again(
    lock: &Lock,
    hold: Hold,
    mut outcome: Result<()>,
    at: &'static Location<'static>,
) -> Result<()> {
    loop {
        match lock.hold(hold, at).await {
            Ok(()) => return outcome,
            Err(error) if error.is_cancelled() => outcome = Err(error),
            Err(error) => return Err(error),
        }
    }
}

/// A wait that may have been notified, and passes that on where it does not end well (I1).
struct Notified<'a> {
    condition: &'a Condition,
    pass_on: bool,
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        if self.pass_on {
            self.condition.wake(1);
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.locked() { "locked" } else { "unlocked" };
        self.shared.waiters.fmt(f, "Condition", state)
    }
}
