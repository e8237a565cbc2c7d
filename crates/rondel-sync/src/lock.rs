//! `Lock`: one task at a time, in the order in which they asked.
//!
//! # Invariants
//! - I1: Each acquisition has a number, and a guard releases the lock only while it is held by the guard's own. So a guard may
//!   outlive its acquisition: after an explicit `release`, or where the wait of a `Condition` was dropped in the middle.
//! - I2: While the lock is free and tasks wait, the first of them has been woken. Who takes itself out of the list sees to that.
//!
//! # asyncio
//! [`asyncio.Lock`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Lock). `async with lock` is a guard here.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use rondel_task::{Result, RuntimeError};

use crate::loop_bound::LoopBound;
use crate::waiters::Waiters;

/// A lock that one task holds at a time: a handle, of which clones are the same lock.
///
/// Tasks get it in the order in which they asked for it. It is not reentrant: a task that waits for a lock it holds waits for
/// ever.
///
/// Mirrors [`asyncio.Lock`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Lock).
///
/// # Examples
/// ```
/// use rondel_sync::Lock;
/// use rondel_task::{gather, run, sleep, Result};
/// use std::{cell::Cell, rc::Rc, time::Duration};
///
/// async fn add_one(lock: Lock, total: Rc<Cell<u32>>) -> Result<()> {
///     let _guard = lock.acquire().await?;
///     let before = total.get();
///     sleep(Duration::ZERO).await?; // nobody else gets in between
///     total.set(before + 1);
///     Ok(())
/// }
///
/// let total = Rc::new(Cell::new(0));
/// let counted = total.clone();
/// run(async move {
///     let lock = Lock::new();
///     gather([add_one(lock.clone(), counted.clone()), add_one(lock, counted)]).await
/// })?;
/// assert_eq!(total.get(), 2);
/// # Ok::<(), rondel_task::Exception>(())
/// ```
#[derive(Clone, Default)]
pub struct Lock {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    holder: Cell<Option<Hold>>,
    holds: Cell<u64>,
    waiters: Waiters,
    bound: LoopBound,
}

/// The number of an acquisition (I1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold(u64);

/// What [`Lock::statistics`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockStatistics {
    /// Whether the lock is held.
    pub locked: bool,
    /// How many tasks wait for the lock and have not been woken.
    pub tasks_waiting: usize,
}

impl Lock {
    /// Makes a lock that nobody holds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until the lock is free, and holds it until the guard is dropped.
    ///
    /// A lock that is free is had at once, without letting other tasks run.
    ///
    /// Mirrors [`Lock.acquire`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Lock.acquire); a program that
    /// releases by [`release`](Self::release) instead [forgets](LockGuard::forget) the guard.
    ///
    /// # Errors
    /// `CancelledError` if the task is cancelled meanwhile. If the task has to wait: `RuntimeError` on another loop than the
    /// one the lock is bound to, `NoRunningLoopError` on none.
    #[track_caller]
    pub fn acquire(&self) -> impl core::future::Future<Output = Result<LockGuard>> + use<> {
        let (lock, at) = (self.clone(), Location::caller());
        async move {
            let hold = lock.next_hold();
            lock.hold(hold, at).await?;
            Ok(LockGuard {
                lock,
                hold: Some(hold),
            })
        }
    }

    /// Frees the lock and wakes the task that has waited longest.
    ///
    /// The guard of whoever held it releases nothing any more.
    ///
    /// Mirrors [`Lock.release`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Lock.release).
    ///
    /// # Errors
    /// `RuntimeError` if nobody holds the lock.
    pub fn release(&self) -> Result<(), RuntimeError> {
        if !self.locked() {
            return Err(RuntimeError::new("lock is not acquired"));
        }
        self.unlock();
        Ok(())
    }

    /// Returns true while somebody holds the lock.
    pub fn locked(&self) -> bool {
        self.shared.holder.get().is_some()
    }

    /// Returns whether the lock is held and how many tasks wait for it.
    pub fn statistics(&self) -> LockStatistics {
        LockStatistics {
            locked: self.locked(),
            tasks_waiting: self.shared.waiters.pending(),
        }
    }

    /// The acquisition that the lock is held by.
    pub(crate) fn holder(&self) -> Option<Hold> {
        self.shared.holder.get()
    }

    fn next_hold(&self) -> Hold {
        let number = self.shared.holds.get();
        self.shared.holds.set(number + 1);
        Hold(number)
    }

    /// Waits for the lock, in the line `at`, and holds it under this number.
    pub(crate) async fn hold(&self, hold: Hold, at: &'static Location<'static>) -> Result<()> {
        let Shared {
            holder,
            waiters,
            bound,
            ..
        } = &*self.shared;
        if !self.locked() && waiters.all_cancelled() {
            holder.set(Some(hold));
            return Ok(());
        }
        let waiter = bound.create_waiter(self)?;
        let _pass_on = PassOn(self);
        waiters.enlist(waiter, at).await?;
        holder.set(Some(hold));
        Ok(())
    }

    /// Frees a lock that is held.
    pub(crate) fn unlock(&self) {
        self.shared.holder.set(None);
        self.wake_first();
    }

    /// Wakes the first task in the list; one that is done already is about to run.
    fn wake_first(&self) {
        if let Some(first) = self.shared.waiters.first() {
            first.wake();
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.locked() { "locked" } else { "unlocked" };
        self.shared.waiters.fmt(f, "Lock", state)
    }
}

/// A task that waited has left the list: if neither it nor anybody else holds the lock, the next is to run (I2).
struct PassOn<'a>(&'a Lock);

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        if !self.0.locked() {
            self.0.wake_first();
        }
    }
}

/// Holds a [`Lock`] and releases it when dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard {
    lock: Lock,
    hold: Option<Hold>,
}

impl LockGuard {
    /// Drops the guard and leaves the lock locked, until somebody calls [`Lock::release`].
    pub fn forget(mut self) {
        self.hold = None;
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if self.hold.is_some() && self.hold == self.lock.holder() {
            self.lock.unlock();
        }
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockGuard").field(&self.lock).finish()
    }
}
