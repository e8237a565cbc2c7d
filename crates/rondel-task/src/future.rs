//! `Future<T>`: a result that somebody will set, as a cheap handle on the loop's thread.
//!
//! Awaiting it is `awaiter`'s, cancelling it `cancel`'s business; here are the methods that asyncio's `Future` has.
//!
//! # asyncio
//! [`asyncio.Future`](https://docs.python.org/3/library/asyncio-future.html). `result` clones the value, where Python returns
//! the same object; a value that cannot be cloned is moved out with `take`.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use rondel_context::Context;
use rondel_future::InvalidStateError;
use rondel_sched::ClosedError;

use crate::awaiter::Take;
use crate::body;
use crate::callback::CallbackKey;
use crate::cancel::cancel;
use crate::cell::AnyFuture;
use crate::core::Core;
use crate::event_loop::EventLoop;
use crate::exception::{Exception, Result};
use crate::opaque::{self, Opaque};

/// A result that is not there yet, completed by hand: a handle, of which clones are the same future.
///
/// It is awaited with `.await` (`T: Clone`; the last handle moves the value instead) or [`take`](Future::take), any number of
/// times and by any number of coroutines. It belongs to one loop and one thread; [`completer`](Future::completer) completes it from
/// others.
///
/// Mirrors [`asyncio.Future`](https://docs.python.org/3/library/asyncio-future.html#asyncio.Future).
///
/// # Examples
/// ```
/// use rondel_task::{EventLoop, Result};
///
/// async fn answer(event_loop: EventLoop) -> Result<i32> {
///     let future = event_loop.create_future();
///     let later = future.clone();
///     event_loop.call_soon(move || later.set_result(42).unwrap())?;
///     future.await
/// }
///
/// let event_loop = EventLoop::new()?;
/// assert_eq!(event_loop.run_until_complete(answer(event_loop.clone()))?, 42);
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub struct Future<T: 'static> {
    any: AnyFuture,
    _value: PhantomData<fn() -> T>,
}

impl<T> Future<T> {
    #[inline]
    pub(crate) fn new(core: Rc<Core>) -> Self {
        Self::from_any(body::plain::<T>(core))
    }

    pub(crate) fn from_any(any: AnyFuture) -> Self {
        Self {
            any,
            _value: PhantomData,
        }
    }

    pub(crate) fn any(&self) -> &AnyFuture {
        &self.any
    }

    pub(crate) fn into_any(self) -> AnyFuture {
        self.any
    }

    // --- completing ------------------------------------------------------------------------

    /// Marks the future as done and sets its result.
    ///
    /// # Errors
    /// [`InvalidStateError`] if it is done already, `RuntimeError` for a task, of which only the coroutine sets the result, and
    /// for an [erased](Self::erase) future; the value is dropped and nothing has changed. `ClosedError` if the loop is closed and callbacks could not be
    /// scheduled; the result is set all the same.
    pub fn set_result(&self, value: T) -> Result<()> {
        // Neither a task nor an erased future takes the value.
        if self.any.done() || !opaque::put_value(&self.any, value) {
            self.check_can_set("set_result")?;
            return Err(Exception::runtime(
                "an erased future does not support set_result: its value is of another type",
            ));
        }
        self.any.finish()
    }

    /// Marks the future as done and sets an exception.
    ///
    /// If nobody ever reads it, the loop's exception handler is told so when the last handle is dropped.
    ///
    /// # Errors
    /// As [`set_result`](Self::set_result).
    pub fn set_exception(&self, exception: impl Into<Exception>) -> Result<()> {
        self.check_can_set("set_exception")?;
        self.any.set_exception(exception.into())
    }

    #[cold]
    fn check_can_set(&self, operation: &str) -> Result<()> {
        if self.any.task_state().is_some() {
            return Err(Exception::runtime(format!(
                "a task does not support {operation}"
            )));
        }
        match self.any.state() {
            rondel_future::State::Pending => Ok(()),
            state => Err(InvalidStateError::already_done(state).into()),
        }
    }

    /// Cancels the future, with no message; false if it is done already.
    ///
    /// A task is asked rather than told: see [`Task`](crate::Task). A gather asks its children.
    pub fn cancel(&self) -> bool {
        cancel(&self.any, None)
    }

    /// Cancels the future; the `CancelledError` that its awaiters get carries the message.
    pub fn cancel_with_message(&self, message: impl Into<Arc<str>>) -> bool {
        cancel(&self.any, Some(message.into()))
    }

    // --- looking ---------------------------------------------------------------------------

    /// Returns true once there is a result or an exception, or the future is cancelled.
    pub fn done(&self) -> bool {
        self.any.done()
    }

    /// Returns true if the future was cancelled.
    pub fn cancelled(&self) -> bool {
        self.any.cancelled()
    }

    /// Returns a clone of the result. It can be read again and again.
    ///
    /// # Errors
    /// The exception that was set; `CancelledError` if the future was cancelled; [`InvalidStateError`] if it is not done, or
    /// the value was taken.
    pub fn result(&self) -> Result<T>
    where
        T: Clone,
    {
        self.check_value()?;
        opaque::with_value(&self.any, T::clone)
    }

    /// Moves the result out: later readers get an [`InvalidStateError`].
    ///
    /// # Errors
    /// As [`result`](Self::result).
    pub fn take_result(&self) -> Result<T> {
        self.check_value()?;
        opaque::take_value(&self.any)
    }

    fn check_value(&self) -> Result<()> {
        self.any
            .outcome()
            .unwrap_or_else(|| Err(InvalidStateError::result_not_ready().into()))
    }

    /// Returns the exception that was set, `None` if there is a result instead.
    ///
    /// # Errors
    /// `CancelledError` if the future was cancelled; [`InvalidStateError`] if it is not done.
    pub fn exception(&self) -> Result<Option<Exception>> {
        match self.any.outcome() {
            None => Err(InvalidStateError::exception_not_set().into()),
            Some(Err(error)) if self.cancelled() => Err(error),
            Some(Err(exception)) => Ok(Some(exception)),
            Some(Ok(())) => Ok(None),
        }
    }

    /// Awaits the future and moves its value out: for values that cannot be cloned, or should not.
    ///
    /// # Examples
    /// ```
    /// # use rondel_task::{create_task, run};
    /// struct NotClone(i32);
    ///
    /// let value = run(async {
    ///     let task = create_task(async { Ok(NotClone(5)) })?;
    ///     Ok(task.take().await?.0)
    /// });
    /// assert_eq!(value.unwrap(), 5);
    /// ```
    #[track_caller]
    pub fn take(&self) -> Take<T> {
        Take::new(self.any.clone(), Location::caller())
    }

    /// Returns the loop that the future belongs to.
    pub fn get_loop(&self) -> EventLoop {
        EventLoop::from_core(self.any.core().clone())
    }

    /// Returns true if both are handles of the same future.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        self.any.ptr_eq(&other.any)
    }

    /// Returns the same future with the type of its value forgotten, to be listed with others.
    pub fn erase(&self) -> Future<Opaque> {
        Future::from_any(self.any.clone())
    }

    // --- callbacks ---------------------------------------------------------------------------

    /// Has the loop call `callback` once the future is done, in a copy of the current context; soon, if it is done already.
    ///
    /// Callbacks are called in the order in which they were added, never from within `set_result`. The key that this returns
    /// removes the callback, or adds it again.
    ///
    /// Mirrors
    /// [`Future.add_done_callback`](https://docs.python.org/3/library/asyncio-future.html#asyncio.Future.add_done_callback).
    ///
    /// # Errors
    /// `ClosedError` if the future is done and its loop closed: nobody could call it.
    #[track_caller]
    pub fn add_done_callback(
        &self,
        callback: impl FnMut(&Future<T>) + 'static,
    ) -> Result<CallbackKey<T>, ClosedError> {
        self.add_key(CallbackKey::new(
            callback,
            rondel_context::capture(),
            Location::caller(),
        ))
    }

    /// As [`add_done_callback`](Self::add_done_callback), in a context that the callback shares with whoever else has it.
    ///
    /// # Errors
    /// As [`add_done_callback`](Self::add_done_callback).
    #[track_caller]
    pub fn add_done_callback_in(
        &self,
        context: &Context,
        callback: impl FnMut(&Future<T>) + 'static,
    ) -> Result<CallbackKey<T>, ClosedError> {
        self.add_key(CallbackKey::new(
            callback,
            Some(context.clone()),
            Location::caller(),
        ))
    }

    fn add_key(&self, key: CallbackKey<T>) -> Result<CallbackKey<T>, ClosedError> {
        self.any.add_callback(key.callback())?;
        Ok(key)
    }

    /// Adds a callback once more, or one of another future: it is then called as often as it was added, each time in a copy
    /// of the context that was current when it was added.
    ///
    /// # Errors
    /// As [`add_done_callback`](Self::add_done_callback).
    pub fn add_callback_again(&self, key: &CallbackKey<T>) -> Result<(), ClosedError> {
        self.any
            .add_callback(key.repeated(rondel_context::capture()))
    }

    /// Takes the callback out of the list as often as it stands there, and returns how often that was.
    ///
    /// Mirrors
    /// [`Future.remove_done_callback`](https://docs.python.org/3/library/asyncio-future.html#asyncio.Future.remove_done_callback).
    pub fn remove_done_callback(&self, key: &CallbackKey<T>) -> usize {
        self.any.remove_callbacks(|callback| key.names(callback))
    }
}

impl<T> Clone for Future<T> {
    fn clone(&self) -> Self {
        Self::from_any(self.any.clone())
    }
}

impl<T> From<&Future<T>> for Future<T> {
    fn from(future: &Future<T>) -> Self {
        future.clone()
    }
}

/// Shows what asyncio's `repr` shows, with the result in Rust's own `Debug`.
impl<T: fmt::Debug> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = opaque::with_value(&self.any, |value: &T| self.any.fmt(f, Some(value)));
        shown.unwrap_or_else(|_| self.any.fmt(f, None))
    }
}
