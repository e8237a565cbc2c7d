//! `Semaphore` and `BoundedSemaphore`: so many tasks at a time, in the order in which they asked.
//!
//! # Invariants
//! - I1: Who is woken has its unit already: the value is counted down by the waker. A task that is woken and then cancelled
//!   gives the unit back, and whoever leaves the list wakes as many as there are units.
//!
//! # asyncio
//! [`asyncio.Semaphore`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Semaphore) and
//! [`asyncio.BoundedSemaphore`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.BoundedSemaphore). `async with` is
//! a guard here; a value below zero cannot be written.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use rondel_task::{Result, ValueError, Waiter};

use crate::loop_bound::LoopBound;
use crate::waiters::Waiters;

/// A counter of units that tasks take and give back: a handle, of which clones are the same semaphore.
///
/// Mirrors [`asyncio.Semaphore`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Semaphore).
///
/// # Examples
/// ```
/// use rondel_sync::Semaphore;
/// use rondel_task::run;
///
/// run(async {
///     let connections = Semaphore::new(2);
///     let first = connections.acquire().await?;
///     let second = connections.acquire().await?;
///     assert!(connections.locked());
///     drop(first);
///     assert!(!connections.locked());
///     drop(second);
///     Ok(())
/// })?;
/// # Ok::<(), rondel_task::Exception>(())
/// ```
#[derive(Clone)]
pub struct Semaphore {
    shared: Rc<Shared>,
}

/// A [`Semaphore`] that refuses to be given more units than it was made with.
///
/// Mirrors [`asyncio.BoundedSemaphore`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.BoundedSemaphore).
///
/// # Examples
/// ```
/// use rondel_sync::BoundedSemaphore;
///
/// let semaphore = BoundedSemaphore::new(1);
/// assert!(semaphore.release().is_err());
/// ```
#[derive(Clone)]
pub struct BoundedSemaphore {
    semaphore: Semaphore,
}

struct Shared {
    value: Cell<usize>,
    bound: usize,
    waiters: Waiters,
    bound_to: LoopBound,
}

/// What [`Semaphore::statistics`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemaphoreStatistics {
    /// How many units are left to be taken.
    pub value: usize,
    /// How many tasks wait and have not been given a unit.
    pub tasks_waiting: usize,
}

impl Semaphore {
    /// Makes a semaphore of `value` units.
    pub fn new(value: usize) -> Self {
        Self::bounded(value, usize::MAX)
    }

    fn bounded(value: usize, bound: usize) -> Self {
        Self {
            shared: Rc::new(Shared {
                value: Cell::new(value),
                bound,
                waiters: Waiters::default(),
                bound_to: LoopBound::default(),
            }),
        }
    }

    /// Waits for a unit and takes it, until the guard is dropped.
    ///
    /// If a unit is left and nobody waits it is had at once, without letting other tasks run.
    ///
    /// Mirrors [`Semaphore.acquire`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Semaphore.acquire); a program
    /// that gives the unit back by [`release`](Self::release) instead [forgets](SemaphoreGuard::forget) the guard.
    ///
    /// # Errors
    /// `CancelledError` if the task is cancelled meanwhile. If the task has to wait: `RuntimeError` on another loop than the
    /// one the semaphore is bound to, `NoRunningLoopError` on none.
    #[track_caller]
    pub fn acquire(&self) -> impl core::future::Future<Output = Result<SemaphoreGuard>> + use<> {
        let (semaphore, at) = (self.clone(), Location::caller());
        async move {
            semaphore.take_unit(at).await?;
            Ok(SemaphoreGuard {
                semaphore,
                holds: true,
            })
        }
    }

    /// Adds a unit, or gives it to the task that has waited longest.
    ///
    /// Mirrors [`Semaphore.release`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Semaphore.release).
    pub fn release(&self) {
        let value = &self.shared.value;
        value.set(value.get().saturating_add(1));
        self.wake_next();
    }

    /// Returns true if a task would have to wait for a unit: none is left, or others wait.
    pub fn locked(&self) -> bool {
        self.shared.value.get() == 0 || !self.shared.waiters.all_cancelled()
    }

    /// Returns how many units are left and how many tasks wait.
    pub fn statistics(&self) -> SemaphoreStatistics {
        SemaphoreStatistics {
            value: self.shared.value.get(),
            tasks_waiting: self.shared.waiters.pending(),
        }
    }

    async fn take_unit(&self, at: &'static Location<'static>) -> Result<()> {
        let value = &self.shared.value;
        if !self.locked() {
            value.set(value.get() - 1);
            return Ok(());
        }
        let waiter = self.shared.bound_to.create_waiter(self)?;
        let mut unit = PassOn {
            semaphore: self,
            waiter: waiter.clone(),
            taken: false,
        };
        self.shared.waiters.enlist(waiter, at).await?;
        unit.taken = true;
        Ok(())
    }

    fn try_release(&self) -> Result<(), ValueError> {
        if self.shared.value.get() >= self.shared.bound {
            return Err(ValueError::new("semaphore released too many times"));
        }
        self.release();
        Ok(())
    }

    /// Gives a unit to the first task that has none; false if there is no such task.
    fn wake_next(&self) -> bool {
        let Some(next) = self.shared.waiters.first_pending() else {
            return false;
        };
        let value = &self.shared.value;
        value.set(value.get() - 1);
        next.wake();
        true
    }

    fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { value, waiters, .. } = &*self.shared;
        if self.locked() {
            waiters.fmt(f, name, "locked")
        } else {
            waiters.fmt(f, name, format_args!("unlocked, value:{}", value.get()))
        }
    }
}

impl BoundedSemaphore {
    /// Makes a semaphore of `value` units, which are never more.
    pub fn new(value: usize) -> Self {
        Self {
            semaphore: Semaphore::bounded(value, value),
        }
    }

    /// Waits for a unit and takes it; see [`Semaphore::acquire`].
    ///
    /// # Errors
    /// As [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire(&self) -> impl core::future::Future<Output = Result<SemaphoreGuard>> + use<> {
        self.semaphore.acquire()
    }

    /// Adds a unit, or gives it to the task that has waited longest.
    ///
    /// # Errors
    /// [`ValueError`] if all units are there already.
    pub fn release(&self) -> Result<(), ValueError> {
        self.semaphore.try_release()
    }

    /// Returns true if a task would have to wait for a unit: none is left, or others wait.
    pub fn locked(&self) -> bool {
        self.semaphore.locked()
    }

    /// Returns how many units are left and how many tasks wait.
    pub fn statistics(&self) -> SemaphoreStatistics {
        self.semaphore.statistics()
    }
}

/// A task that waited leaves the list, with its unit or without (I1).
struct PassOn<'a> {
    semaphore: &'a Semaphore,
    waiter: Waiter,
    taken: bool,
}

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        let value = &self.semaphore.shared.value;
        if !self.taken && self.waiter.is_woken() {
            value.set(value.get().saturating_add(1));
        }
        while value.get() > 0 && self.semaphore.wake_next() {}
    }
}

/// Holds a unit of a [`Semaphore`] or [`BoundedSemaphore`] and gives it back when dropped.
#[must_use = "the unit is given back when the guard is dropped"]
pub struct SemaphoreGuard {
    semaphore: Semaphore,
    holds: bool,
}

impl SemaphoreGuard {
    /// Drops the guard and keeps the unit, until somebody calls [`Semaphore::release`].
    pub fn forget(mut self) {
        self.holds = false;
    }
}

impl Drop for SemaphoreGuard {
    fn drop(&mut self) {
        if self.holds {
            // Refused only if somebody has released more than was taken: then the unit is back already.
            let _ = self.semaphore.try_release();
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as("Semaphore", f)
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.semaphore.fmt_as("BoundedSemaphore", f)
    }
}

impl fmt::Debug for SemaphoreGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SemaphoreGuard")
            .field(&self.semaphore)
            .finish()
    }
}
