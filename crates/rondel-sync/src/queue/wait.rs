//! `Wait`: a task's wait in one of the two lines of a queue, for a value or for room.
//!
//! What comes after it, to put or to get, is the queue's business.
//!
//! # Invariants
//! - I1: Who is woken has left its line. A task that was woken and goes away all the same wakes the next, if there still is
//!   something to be had.
//!
//! # asyncio
//! The loops of `Queue.get` and `Queue.put`, with what they do where they are cancelled.

use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rondel_task::{Result, Woken};

use super::{BaseQueue, QueueShutDown, Shared, Storage};
use crate::waiters::Waiters;

/// What a task waits for.
pub(super) trait Line {
    /// Those who wait for it.
    fn waiters<S>(queue: &Shared<S>) -> &Waiters;

    /// Whether there is some.
    fn is_ready<S: Storage>(queue: &BaseQueue<S>) -> bool;
}

/// For a value.
pub(super) struct Getters;

/// For room.
pub(super) struct Putters;

impl Line for Getters {
    #[inline]
    fn waiters<S>(queue: &Shared<S>) -> &Waiters {
        &queue.getters
    }

    #[inline]
    fn is_ready<S: Storage>(queue: &BaseQueue<S>) -> bool {
        !queue.empty()
    }
}

impl Line for Putters {
    #[inline]
    fn waiters<S>(queue: &Shared<S>) -> &Waiters {
        &queue.putters
    }

    #[inline]
    fn is_ready<S: Storage>(queue: &BaseQueue<S>) -> bool {
        !queue.full()
    }
}

/// A wait in a line.
///
/// A poll that finds something is compiled into its coroutine, one that has to wait is not.
pub(super) struct Wait<S: Storage, L: Line> {
    pub(super) queue: BaseQueue<S>,
    at: &'static Location<'static>,
    /// The place in the line, while it has one.
    woken: Option<Woken>,
    _line: PhantomData<L>,
}

impl<S: Storage, L: Line> Wait<S, L> {
    #[inline]
    pub(super) fn new(queue: &BaseQueue<S>, at: &'static Location<'static>) -> Self {
        Self {
            queue: queue.clone(),
            at,
            woken: None,
            _line: PhantomData,
        }
    }

    /// Ready when there is something; it is to be taken at once.
    #[inline(always)]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_woken(cx))?;
        if L::is_ready(&self.queue) {
            return Poll::Ready(Ok(()));
        }
        self.wait(cx)
    }

    #[inline(never)]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !L::is_ready(&self.queue) {
            self.begin()?;
            ready!(self.poll_woken(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a place at the end of the line.
    #[inline(always)]
    fn begin(&mut self) -> Result<()> {
        let queue = &*self.queue.shared;
        if queue.is_shut_down.get() {
            return Err(QueueShutDown.into());
        }
        let waiter = queue.bound.create_waiter(&self.queue)?;
        L::waiters(queue).push(waiter.clone());
        self.woken = Some(waiter.woken_at(self.at));
        Ok(())
    }

    /// Waits until woken, and leaves the line.
    #[inline(always)]
    fn poll_woken(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(woken) = &mut self.woken else {
            return Poll::Ready(Ok(()));
        };
        let outcome = ready!(Pin::new(woken).poll(cx));
        match outcome {
            Ok(()) => self.woken = None,
            Err(_) => self.give_up(),
        }
        Poll::Ready(outcome)
    }

    /// Gives up the place in the line (I1).
    #[cold]
    fn give_up(&mut self) {
        let Some(woken) = self.woken.take() else {
            return;
        };
        let waiters = L::waiters(&self.queue.shared);
        if !woken.is_woken() {
            waiters.remove(|waiter| woken.is_for(waiter));
        } else if L::is_ready(&self.queue) {
            wake_next(waiters);
        }
    }
}

impl<S: Storage, L: Line> Drop for Wait<S, L> {
    #[inline]
    fn drop(&mut self) {
        if self.woken.is_some() {
            self.give_up();
        }
    }
}

/// Wakes the first task in the line that is not cancelled.
#[inline]
pub(super) fn wake_next(waiters: &Waiters) {
    if !waiters.is_empty() {
        wake_first(waiters);
    }
}

#[inline(never)]
fn wake_first(waiters: &Waiters) {
    while let Some(next) = waiters.pop() {
        if next.wake() {
            return;
        }
    }
}

pub(super) fn wake_all(waiters: &Waiters) {
    while let Some(next) = waiters.pop() {
        next.wake();
    }
}
