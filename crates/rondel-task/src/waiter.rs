//! `Waiter`: a future without a value, by which locks, queues and the like wake a task.
//!
//! In which order tasks wait, and what they are woken for, is the business of whoever makes it. A [`Future<()>`](crate::Future)
//! would do as well, but it keeps its `()` behind a vtable, as any value: to be put there, found there and taken out again.
//!
//! # asyncio
//! The futures in the `_waiters`, `_getters` and `_putters` of its primitives, of which nobody reads the result.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use rondel_future::State;
use rondel_reactor::NoRunningLoopError;

use crate::awaiter::Leaf;
use crate::body;
use crate::cell::AnyFuture;
use crate::core::Core;
use crate::event_loop::{EventLoop, WeakEventLoop};
use crate::exception::{Exception, Result};
use crate::running;

/// Wakes a task that waits for something other than a value: a handle, of which clones are the same waiter.
///
/// For libraries: what is waited for is kept elsewhere, and the waiter only stands for the task in some list. To the task it is a
/// [`Future`](crate::Future) as any other: a cancellation of the task cancels it.
///
/// # Examples
/// A gate for one task:
/// ```
/// use rondel_task::{Waiter, create_task, run};
/// use std::panic::Location;
///
/// run(async {
///     let gate = Waiter::new()?;
///     let passing = create_task(gate.clone().woken_at(Location::caller()))?;
///     assert!(gate.wake());
///     passing.await
/// })?;
/// # Ok::<(), rondel_task::Exception>(())
/// ```
#[derive(Clone)]
pub struct Waiter(AnyFuture);

impl Waiter {
    /// Makes a waiter of the loop that runs on this thread.
    ///
    /// # Errors
    /// `NoRunningLoopError` outside of the coroutines and callbacks of a loop.
    #[track_caller]
    #[inline(always)]
    pub fn new() -> Result<Self, NoRunningLoopError> {
        let core = running::running_core()?;
        Ok(Self(body::valueless(core).made_at(Location::caller())))
    }

    /// Makes a waiter of that loop.
    #[track_caller]
    pub(crate) fn of(core: &Rc<Core>) -> Self {
        Self(body::valueless(core.clone()).made_at(Location::caller()))
    }

    /// Gives the task an error instead; false if the waiter was woken or cancelled before.
    pub(crate) fn fail(&self, exception: Exception) -> bool {
        self.0.set_exception(exception).is_ok()
    }

    /// The error that it was failed by, of which somebody hears now.
    pub(crate) fn error(&self) -> Option<Exception> {
        self.0.outcome()?.err()
    }

    /// Wakes the task, which runs in the next iteration; false if the waiter was woken or cancelled before.
    #[inline]
    pub fn wake(&self) -> bool {
        self.0.finish_pending()
    }

    /// Returns true if it was neither woken nor cancelled.
    #[inline]
    pub fn is_pending(&self) -> bool {
        !self.0.done()
    }

    /// Returns true if it was woken.
    #[inline]
    pub fn is_woken(&self) -> bool {
        self.0.state() == State::Finished
    }

    /// Returns true if it was cancelled before anybody woke it.
    pub fn cancelled(&self) -> bool {
        self.0.cancelled()
    }

    /// Returns the loop that the waiter belongs to.
    pub fn get_loop(&self) -> EventLoop {
        EventLoop::from_core(self.0.core().clone())
    }

    /// Returns true if the waiter belongs to that loop.
    #[inline]
    pub fn belongs_to(&self, event_loop: &WeakEventLoop) -> bool {
        event_loop.is_of(self.0.core())
    }

    /// Waits until woken, as if it were awaited in the line `at`.
    #[inline]
    pub fn woken_at(self, at: &'static Location<'static>) -> Woken {
        Woken(Leaf::new(self.0, at))
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f, None)
    }
}

/// The wait of a task until it is woken: what [`Waiter::woken_at`] gives, to be awaited.
///
/// Its error is the `CancelledError` of the task, or of the waiter.
#[must_use = "it waits when it is awaited"]
pub struct Woken(Leaf);

impl Woken {
    /// Returns true if the waiter was woken, whether or not the wait has gone on since.
    #[inline]
    pub fn is_woken(&self) -> bool {
        self.0.future().state() == State::Finished
    }

    /// Returns true if this is a wait for that waiter.
    #[inline]
    pub fn is_for(&self, waiter: &Waiter) -> bool {
        self.0.future().ptr_eq(&waiter.0)
    }
}

impl Future for Woken {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll(cx)
    }
}

impl fmt::Debug for Woken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Woken").field(self.0.future()).finish()
    }
}
