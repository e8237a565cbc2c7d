//! `Waiters`: the tasks that wait for a primitive, in the order of their arrival.
//!
//! Who is woken when, and what a task does when it has been woken or cancelled, is the primitive's business.
//!
//! # Invariants
//! - I1: No borrow of the list is held while a waiter is woken or dropped: either may run wakers of other executors.
//!
//! # asyncio
//! The `_waiters`, `_getters` and `_putters` of its primitives.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use rondel_task::{Result, Waiter, Woken};

/// The line of those who wait, each of which is a `W`.
pub(crate) struct Waiters<W = Waiter> {
    line: RefCell<VecDeque<W>>,
}

/// What stands in the line: a waiter, with what else there is of it.
pub(crate) trait InLine {
    /// Whether it has been neither woken nor cancelled.
    fn is_pending(&self) -> bool;
}

impl InLine for Waiter {
    fn is_pending(&self) -> bool {
        self.is_pending()
    }
}

impl<T: 'static> InLine for rondel_task::Future<T> {
    fn is_pending(&self) -> bool {
        !self.done()
    }
}

impl<W> Waiters<W> {
    #[inline]
    pub(crate) fn push(&self, waiter: W) {
        self.line.borrow_mut().push_back(waiter);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.line.borrow().is_empty()
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<W> {
        self.line.borrow_mut().pop_front()
    }

    /// Takes the first that matches out.
    pub(crate) fn remove(&self, matches: impl FnMut(&W) -> bool) {
        let mut line = self.line.borrow_mut();
        let place = line.iter().position(matches);
        let removed = place.and_then(|place| line.remove(place));
        drop(line);
        drop(removed);
    }
}

impl<W: InLine> Waiters<W> {
    /// Takes out the first that has not been woken, and those before it.
    pub(crate) fn pop_pending(&self) -> Option<W> {
        std::iter::from_fn(|| self.pop()).find(W::is_pending)
    }

    /// How many have not been woken.
    pub(crate) fn pending(&self) -> usize {
        let line = self.line.borrow();
        line.iter().filter(|waiter| waiter.is_pending()).count()
    }

    /// Whether any has not been woken.
    pub(crate) fn any_pending(&self) -> bool {
        self.line.borrow().iter().any(W::is_pending)
    }
}

impl Waiters {
    /// Puts a waiter at the end of the line, for as long as what this returns lives: the wait itself, in the line `at`.
    #[inline]
    pub(crate) fn enlist(&self, waiter: Waiter, at: &'static Location<'static>) -> Enlisted<'_> {
        self.push(waiter.clone());
        Enlisted {
            waiters: self,
            woken: waiter.woken_at(at),
        }
    }

    pub(crate) fn first(&self) -> Option<Waiter> {
        self.line.borrow().front().cloned()
    }

    pub(crate) fn first_pending(&self) -> Option<Waiter> {
        let line = self.line.borrow();
        line.iter().find(|waiter| waiter.is_pending()).cloned()
    }

    /// Wakes the first `count` of those that have not been woken.
    pub(crate) fn wake(&self, count: usize) {
        let line = self.line.borrow();
        let pending = line.iter().filter(|waiter| waiter.is_pending());
        let mut pending = pending.take(count).cloned();
        // One alone, which is the rule, needs no list.
        let first = pending.next();
        let others: Vec<Waiter> = pending.collect();
        drop(line);
        first.iter().chain(&others).for_each(|waiter| {
            waiter.wake();
        });
    }

    pub(crate) fn all_cancelled(&self) -> bool {
        self.line.borrow().iter().all(Waiter::cancelled)
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
            line: RefCell::default(),
        }
    }
}

/// A wait in the line, which is left on drop.
pub(crate) struct Enlisted<'a> {
    waiters: &'a Waiters,
    woken: Woken,
}

impl Future for Enlisted<'_> {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.woken).poll(cx)
    }
}

impl Drop for Enlisted<'_> {
    fn drop(&mut self) {
        self.waiters.remove(|waiter| self.woken.is_for(waiter));
    }
}
