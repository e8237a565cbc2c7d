//! `EnsureFuture`: what can be made a future of a loop: a coroutine becomes a task, a future stays itself.
//!
//! # asyncio
//! [`asyncio.ensure_future`](https://docs.python.org/3/library/asyncio-future.html#asyncio.ensure_future), and
//! [`asyncio.isfuture`](https://docs.python.org/3/library/asyncio-future.html#asyncio.isfuture) as a trait.

use std::panic::Location;
use std::rc::Rc;

use crate::core::Core;
use crate::event_loop::EventLoop;
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::running;
use crate::task::Task;

/// What a combinator accepts: a coroutine, a [`Future`], a [`Task`], or a reference to one of the latter two.
pub trait EnsureFuture: Sized {
    /// The type of the value.
    type Output: 'static;

    /// True for a coroutine, of which a new task is made.
    const IS_COROUTINE: bool;

    /// Makes the future, on `event_loop` if a task is to be made.
    ///
    /// # Errors
    /// `RuntimeError` if this is a future of another loop, `ClosedError` if the loop is closed.
    #[track_caller]
    fn ensure_future_on(self, event_loop: &EventLoop) -> Result<Future<Self::Output>>;

    /// The loop that this is bound to, if it is a future already.
    fn bound_to(&self) -> Option<EventLoop> {
        None
    }

    /// Reads the outcome of the future once it is done: moved out where nobody else can have it, else cloned.
    ///
    /// # Errors
    /// As [`Future::result`].
    fn claim(future: Future<Self::Output>) -> Result<Self::Output>;
}

/// A future or task, not a coroutine: what [`wait`](crate::wait) accepts.
///
/// Mirrors [`asyncio.isfuture`](https://docs.python.org/3/library/asyncio-future.html#asyncio.isfuture).
pub trait IsFuture {
    /// The type of the value.
    type Output: 'static;

    /// Returns it as a future.
    fn as_future(&self) -> &Future<Self::Output>;
}

impl<T: 'static> IsFuture for Future<T> {
    type Output = T;

    fn as_future(&self) -> &Future<T> {
        self
    }
}

impl<T: 'static> IsFuture for Task<T> {
    type Output = T;

    fn as_future(&self) -> &Future<T> {
        self
    }
}

impl<F: IsFuture> IsFuture for &F {
    type Output = F::Output;

    fn as_future(&self) -> &Future<F::Output> {
        (*self).as_future()
    }
}

impl<T, C> EnsureFuture for C
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    type Output = T;

    const IS_COROUTINE: bool = true;

    #[track_caller]
    fn ensure_future_on(self, event_loop: &EventLoop) -> Result<Future<T>> {
        let context = rondel_context::capture();
        let task = event_loop.core().spawn(self, context, Location::caller())?;
        Ok(Future::from_any(task))
    }

    fn claim(future: Future<T>) -> Result<T> {
        future.take_result()
    }
}

/// The impls for what is a future already.
macro_rules! is_future {
    ($($handle:ty),+) => { $(
        impl<T: Clone + 'static> EnsureFuture for $handle {
            type Output = T;

            const IS_COROUTINE: bool = false;

            fn ensure_future_on(self, event_loop: &EventLoop) -> Result<Future<T>> {
                let future = Future::from(self);
                check_loop(&future, event_loop.core())?;
                Ok(future)
            }

            fn bound_to(&self) -> Option<EventLoop> {
                Some(self.get_loop())
            }

            fn claim(future: Future<T>) -> Result<T> {
                if future.any().is_last_handle() { future.take_result() } else { future.result() }
            }
        }
    )+ };
}

is_future!(Future<T>, &Future<T>, Task<T>, &Task<T>);

fn check_loop<T>(future: &Future<T>, core: &Rc<Core>) -> Result<()> {
    if Rc::ptr_eq(future.any().core(), core) {
        return Ok(());
    }
    Err(Exception::runtime(
        "the future belongs to a different loop than the one it is used on",
    ))
}

/// Returns `awaitable` if it is a future or task; makes a task of it if it is a coroutine.
///
/// Mirrors [`asyncio.ensure_future`](https://docs.python.org/3/library/asyncio-future.html#asyncio.ensure_future).
///
/// # Errors
/// `RuntimeError` if a task is to be made and there is no loop, neither running nor set for this thread; `ClosedError` if it
/// is closed.
#[track_caller]
pub fn ensure_future<A: EnsureFuture>(awaitable: A) -> Result<Future<A::Output>> {
    let event_loop = match awaitable.bound_to() {
        Some(event_loop) => event_loop,
        None => running::get_event_loop()?,
    };
    awaitable.ensure_future_on(&event_loop)
}
