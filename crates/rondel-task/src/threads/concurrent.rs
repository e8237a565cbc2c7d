//! `concurrent::Future<T>`: a result that somebody will set, for threads: it belongs to no loop, and waiting for it blocks.
//!
//! Coroutines await it by [`wrap_future`](crate::wrap_future).
//!
//! # Invariants
//! - I1: No lock is held while code of the user runs: a value is lent out to be cloned, and callbacks, values and errors leave
//!   before they are called or dropped.
//! - I2: Whatever ends a thread's wait is followed by a notification.
//!
//! # asyncio
//! [`concurrent.futures.Future`](https://docs.python.org/3/library/concurrent.futures.html#future-objects). `result` clones the
//! value, where Python returns the same object; a value that cannot be cloned is moved out with `take_result`.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use rondel_future::{AddCallback, Callbacks, Cancel, Completion, InvalidStateError, Outcome};
use rondel_reactor::PanicError;

use crate::error::TimeoutError;
use crate::exception::{Exception, Result};

/// A result that is not there yet, for any thread: a handle, of which clones are the same future.
///
/// [`run_coroutine_threadsafe`](crate::run_coroutine_threadsafe) gives one; an executor of another kind may make its own.
///
/// Mirrors [`concurrent.futures.Future`](https://docs.python.org/3/library/concurrent.futures.html#future-objects).
///
/// # Examples
/// ```
/// use std::thread;
/// use rondel_task::concurrent;
///
/// let future = concurrent::Future::new();
/// let later = future.clone();
/// thread::spawn(move || later.set_result(42));
/// assert_eq!(future.result(None)?, 42);
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub struct Future<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    /// The future is done, or its value back in its place.
    changed: Condvar,
}

struct State<T> {
    completion: Completion<Callback<T>, Exception>,
    value: Value<T>,
    running: bool,
    /// Somebody wanted to cancel it while it was running.
    cancel_requested: bool,
}

type Callback<T> = Box<dyn FnOnce(&Future<T>) + Send>;

enum Value<T> {
    /// Not there yet, or taken.
    Absent,
    Here(T),
    /// This thread is cloning it (I1).
    Lent(ThreadId),
}

impl<T> Future<T> {
    /// Makes a pending future.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                completion: Completion::new(),
                value: Value::Absent,
                running: false,
                cancel_requested: false,
            }),
            changed: Condvar::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that can panic runs under the lock (I1).
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- completing ------------------------------------------------------------------------

    /// Marks the future as done and sets its result; the callbacks are called before this returns.
    ///
    /// # Errors
    /// [`InvalidStateError`] if it is done already; the value is dropped.
    pub fn set_result(&self, value: T) -> Result<(), InvalidStateError> {
        let callbacks = {
            let mut state = self.lock();
            // A value that is refused goes with the arguments, when the lock has been released (I1).
            let callbacks = state.completion.finish()?;
            state.value = Value::Here(value);
            callbacks
        };
        self.done_now(callbacks);
        Ok(())
    }

    /// Marks the future as done and sets an exception; the callbacks are called before this returns.
    ///
    /// # Errors
    /// As [`set_result`](Self::set_result).
    pub fn set_exception(&self, exception: impl Into<Exception>) -> Result<(), InvalidStateError> {
        let exception = exception.into();
        let changed = self.lock().completion.set_exception(exception);
        self.done_now(changed?);
        Ok(())
    }

    /// Cancels the future; false if it is [running](Self::set_running_or_notify_cancel) or has finished.
    pub fn cancel(&self) -> bool {
        let changed = {
            let mut state = self.lock();
            if state.running {
                state.cancel_requested = true;
                return false;
            }
            state.completion.cancel(None)
        };
        match changed {
            Cancel::Cancelled(callbacks) => {
                self.done_now(callbacks);
                true
            }
            Cancel::AlreadyDone => self.cancelled(),
        }
    }

    /// Says that whoever computes the result begins now, so that the future can no longer be cancelled; false if it is done: then
    /// nothing is to be computed.
    ///
    /// Mirrors `concurrent.futures.Future.set_running_or_notify_cancel`.
    #[must_use = "a future that is cancelled needs no result"]
    pub fn set_running_or_notify_cancel(&self) -> bool {
        let mut state = self.lock();
        state.running = !state.completion.done();
        state.running
    }

    /// Returns true if it was to be cancelled while it was running.
    pub(crate) fn cancel_requested(&self) -> bool {
        self.lock().cancel_requested
    }

    /// Sets the outcome, unless the future is done.
    pub(crate) fn complete(&self, outcome: Result<T>) {
        // It may have been cancelled meanwhile; nobody asks for the outcome then.
        let _ = match outcome {
            Ok(value) => self.set_result(value),
            Err(exception) => self.set_exception(exception),
        };
    }

    /// Wakes those who wait (I2) and calls the callbacks.
    fn done_now(&self, callbacks: Callbacks<Callback<T>>) {
        self.0.changed.notify_all();
        callbacks
            .into_iter()
            .for_each(|callback| self.call(callback));
    }

    fn call(&self, callback: Callback<T>) {
        let called = catch_unwind(AssertUnwindSafe(|| callback(self)));
        if let Err(payload) = called {
            // The panic hook has told the rest; the next callback is to be called all the same.
            tracing::error!(panic = %PanicError::new(payload), "exception in a callback of a concurrent future");
        }
    }

    // --- looking ---------------------------------------------------------------------------

    /// Returns true once there is a result or an exception, or the future is cancelled.
    pub fn done(&self) -> bool {
        self.lock().completion.done()
    }

    /// Returns true if the future was cancelled.
    pub fn cancelled(&self) -> bool {
        self.lock().completion.cancelled()
    }

    /// Returns true while the result is being computed and the future can no longer be cancelled.
    pub fn running(&self) -> bool {
        let state = self.lock();
        state.running && !state.completion.done()
    }

    /// Blocks this thread until the future is done, at most so long in real time, and returns a clone of the result.
    ///
    /// On a loop's own thread it keeps the loop from running, and so from ever completing the future.
    ///
    /// # Errors
    /// The exception that was set; `CancelledError` if the future was cancelled; [`TimeoutError`] if it is not done in time;
    /// [`InvalidStateError`] if the value was taken.
    pub fn result(&self, timeout: Option<Duration>) -> Result<T>
    where
        T: Clone,
    {
        let value = {
            let mut state = self.wait(timeout)?;
            let value = state.take_value()?;
            state.value = Value::Lent(thread::current().id());
            Some(value)
        };
        let loan = Loan {
            value,
            future: self,
        };
        let clone = loan.value.clone();
        drop(loan);
        Ok(clone.ok_or_else(InvalidStateError::result_taken)?)
    }

    /// As [`result`](Self::result), but moves the result out: later readers get an [`InvalidStateError`].
    ///
    /// # Errors
    /// As [`result`](Self::result).
    pub fn take_result(&self, timeout: Option<Duration>) -> Result<T> {
        self.wait(timeout)?.take_value()
    }

    /// Blocks as [`result`](Self::result) does, and returns the exception that was set, `None` if there is a result instead.
    ///
    /// # Errors
    /// `CancelledError` if the future was cancelled; [`TimeoutError`] if it is not done in time.
    pub fn exception(&self, timeout: Option<Duration>) -> Result<Option<Exception>> {
        let mut state = self.wait(timeout)?;
        match state.check() {
            Err(error) if state.completion.cancelled() => Err(error),
            outcome => Ok(outcome.err()),
        }
    }

    /// Waits until the future is done and its value in its place.
    fn wait(&self, timeout: Option<Duration>) -> Result<MutexGuard<'_, State<T>>> {
        let this_thread = thread::current().id();
        let waits = |state: &mut State<T>| match state.value {
            Value::Absent => !state.completion.done(),
            Value::Here(_) => false,
            // A `clone` that asks for its own value would wait for itself.
            Value::Lent(to) => to != this_thread,
        };
        let state = self.lock();
        let changed = &self.0.changed;
        let Some(timeout) = timeout else {
            let waited = changed.wait_while(state, waits);
            return Ok(waited.unwrap_or_else(PoisonError::into_inner));
        };
        let waited = changed.wait_timeout_while(state, timeout, waits);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(TimeoutError.into());
        }
        Ok(state)
    }

    /// Has `callback` called once the future is done, in the thread that completes it; at once in this one, if it is done already.
    ///
    /// Callbacks are called in the order in which they were added. One that panics is logged.
    pub fn add_done_callback(&self, callback: impl FnOnce(&Future<T>) + Send + 'static) {
        let added = self.lock().completion.add_callback(Box::new(callback));
        match added {
            AddCallback::Added => {}
            AddCallback::ScheduleNow(callback) => self.call(callback),
        }
    }
}

impl<T> State<T> {
    /// The outcome of a future that is done.
    fn check(&mut self) -> Result<()> {
        match self.completion.outcome() {
            Outcome::Value => Ok(()),
            Outcome::Exception(exception) => Err(exception.clone()),
            Outcome::Cancelled => Err(self.completion.cancelled_error().into()),
            Outcome::Pending => Err(InvalidStateError::result_not_ready().into()),
        }
    }

    fn take_value(&mut self) -> Result<T> {
        self.check()?;
        match std::mem::replace(&mut self.value, Value::Absent) {
            Value::Here(value) => Ok(value),
            absent => {
                self.value = absent;
                Err(InvalidStateError::result_taken().into())
            }
        }
    }
}

/// A value that is being cloned, put back when that ends, by a panic too.
struct Loan<'a, T> {
    value: Option<T>,
    future: &'a Future<T>,
}

impl<T> Drop for Loan<'_, T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.future.lock().value = Value::Here(value);
            self.future.0.changed.notify_all();
        }
    }
}

impl<T> Default for Future<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Future<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Shows the state, and not the value: another thread may be using that.
impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.running() {
            return f.write_str("<concurrent::Future running>");
        }
        let state = self.lock().completion.state();
        write!(f, "<concurrent::Future {state}>")
    }
}

/// Completes a future in the end: dropped before anybody has, it sets an exception, so that nobody is left waiting.
pub(crate) struct Promise<T> {
    pub(crate) future: Future<T>,
    pub(crate) broken: fn() -> Exception,
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.future.done() {
            self.future.complete(Err((self.broken)()));
        }
    }
}

/// Calls `f`; a panic is the exception.
pub(crate) fn call<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f))
        .unwrap_or_else(|payload| Err(Exception::new(PanicError::new(payload))))
}
