//! `Waiters`: the futures of the tasks that wait for a primitive, in the order of their arrival.
//!
//! Who is woken when, and what a task does when it has been woken or cancelled, is the primitive's business.
//!
//! # Invariants
//! - I1: No borrow of the list is held while a future is completed or dropped: either may run wakers of other executors.
//!
//! # asyncio
//! The `_waiters`, `_getters` and `_putters` of its primitives.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;

use rondel_task::{Awaiter, Future};

pub(crate) struct Waiters<W = Future<()>> {
    futures: RefCell<VecDeque<W>>,
}

/// What stands in the list: a future that a task waits for, with what else there is of it.
pub(crate) trait Waiter {
    /// What the future brings.
    type Outcome: 'static;

    fn future(&self) -> &Future<Self::Outcome>;
}

impl<T: 'static> Waiter for Future<T> {
    type Outcome = T;

    fn future(&self) -> &Self {
        self
    }
}

impl<W: Waiter> Waiters<W> {
    pub(crate) fn push(&self, waiter: W) {
        self.futures.borrow_mut().push_back(waiter);
    }

    pub(crate) fn remove(&self, future: &Future<W::Outcome>) {
        let mut futures = self.futures.borrow_mut();
        let place = futures
            .iter()
            .position(|other| other.future().ptr_eq(future));
        let removed = place.and_then(|place| futures.remove(place));
        drop(futures);
        drop(removed);
    }

    pub(crate) fn pop(&self) -> Option<W> {
        self.futures.borrow_mut().pop_front()
    }

    /// Takes out the first that has not been woken, and those before it.
    pub(crate) fn pop_pending(&self) -> Option<W> {
        std::iter::from_fn(|| self.pop()).find(|waiter| !waiter.future().done())
    }

    /// How many have not been woken.
    pub(crate) fn pending(&self) -> usize {
        let futures = self.futures.borrow();
        let pending = futures.iter().filter(|waiter| !waiter.future().done());
        pending.count()
    }

    /// Whether any has not been woken.
    pub(crate) fn any_pending(&self) -> bool {
        let futures = self.futures.borrow();
        futures.iter().any(|waiter| !waiter.future().done())
    }
}

impl Waiters {
    /// Puts a future at the end of the list, for as long as what this returns lives.
    pub(crate) fn enlist(&self, future: Future<()>) -> Enlisted<'_> {
        self.push(future.clone());
        Enlisted {
            waiters: self,
            future,
        }
    }

    pub(crate) fn first(&self) -> Option<Future<()>> {
        self.futures.borrow().front().cloned()
    }

    pub(crate) fn first_pending(&self) -> Option<Future<()>> {
        let futures = self.futures.borrow();
        futures.iter().find(|future| !future.done()).cloned()
    }

    /// Wakes the first `count` of those that have not been woken.
    pub(crate) fn wake(&self, count: usize) {
        let futures = self.futures.borrow();
        let pending = futures.iter().filter(|future| !future.done());
        let pending: Vec<_> = pending.take(count).cloned().collect();
        drop(futures);
        pending.iter().for_each(wake);
    }

    pub(crate) fn all_cancelled(&self) -> bool {
        self.futures.borrow().iter().all(Future::cancelled)
    }

    /// Writes the `Debug` text of a primitive: its name, its state, and how many wait.
    pub(crate) fn fmt(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        state: impl fmt::Display,
    ) -> fmt::Result {
        match self.pending() {
            0 => write!(f, "<{name} [{state}]>"),
            waiting => write!(f, "<{name} [{state}, waiters:{waiting}]>"),
        }
    }
}

impl<W> Default for Waiters<W> {
    fn default() -> Self {
        Self {
            futures: RefCell::default(),
        }
    }
}

/// Completes a future that a task waits for, if it is not done.
pub(crate) fn wake(future: &Future<()>) {
    // The task of a future that is done needs no waking, and that of a closed loop is gone.
    let _ = future.set_result(());
}

/// True if the future was completed rather than cancelled.
pub(crate) fn is_woken(future: &Future<()>) -> bool {
    future.done() && !future.cancelled()
}

/// A place in the list, left on drop.
pub(crate) struct Enlisted<'a> {
    waiters: &'a Waiters,
    future: Future<()>,
}

impl Enlisted<'_> {
    /// The wait itself, in the line `at`.
    pub(crate) fn woken(&self, at: &'static Location<'static>) -> Awaiter<()> {
        self.future.clone().await_at(at)
    }
}

impl Drop for Enlisted<'_> {
    fn drop(&mut self) {
        self.waiters.remove(&self.future);
    }
}
