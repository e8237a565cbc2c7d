//! `to_thread`: a blocking call that a coroutine awaits; `ToThread`, the same with choices.
//!
//! # Invariants
//! - I1: A token of a limiter is borrowed until the call has ended in its thread, or will not begin: what the task does meanwhile
//!   does not matter.
//!
//! # asyncio
//! [`asyncio.to_thread`](https://docs.python.org/3/library/asyncio-task.html#asyncio.to_thread). The choices are those of
//! Trio's and AnyIO's `to_thread.run_sync`; what they call `abandon_on_cancel` is asyncio's way and so the default here.

use std::fmt;
use std::future::IntoFuture;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use crate::awaiter::Take;
use crate::cancel::throw_at_next_step;
use crate::exception::{Exception, Result};
use crate::running;
use crate::shield::shield;
use crate::threads::concurrent;
use crate::threads::executor::Executor;
use crate::threads::limiter::CapacityLimiter;

/// Calls `f` on a thread of the default executor, in a copy of the current context, and awaits what it gives.
///
/// As [`run_in_executor`](crate::EventLoop::run_in_executor) in all else: a call that has begun goes on when the task that awaits it
/// is cancelled. [`ToThread`] has it otherwise.
///
/// Mirrors [`asyncio.to_thread`](https://docs.python.org/3/library/asyncio-task.html#asyncio.to_thread).
///
/// # Errors
/// What `f` raises, or its panic; `CancelledError` if the task is cancelled; `NoRunningLoopError` if no loop is running;
/// `RuntimeError` after the executor's shutdown.
///
/// # Examples
/// ```
/// use std::thread;
/// use rondel_task::{run, to_thread};
///
/// let here = thread::current().id();
/// let elsewhere = run(to_thread(|| Ok(thread::current().id())));
/// assert_ne!(elsewhere.unwrap(), here);
/// ```
#[track_caller]
pub fn to_thread<T, F>(f: F) -> impl core::future::Future<Output = Result<T>> + use<T, F>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    let at = Location::caller();
    async move {
        let event_loop = running::get_running_loop()?;
        let future = event_loop.execute(None, f, rondel_context::capture())?;
        // Its awaiter need not keep the loop open.
        drop(event_loop);
        Take::new(future.into_any(), at).await
    }
}

/// What becomes of a call on a thread when the task that awaits it is cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCancel {
    /// The task goes on at once with its `CancelledError`, and nobody hears of the call's outcome.
    ///
    /// This is asyncio's way, and `abandon_on_cancel=True` of Trio and AnyIO.
    #[default]
    Abandon,
    /// The task waits until the call has ended, and goes on with its outcome. Unless that is the
    /// [`CancelledError`](crate::from_thread::check_cancelled) itself, the task gets it at its next await that suspends; if there is
    /// none, the task ends as cancelled.
    ///
    /// This is the default of Trio and AnyIO.
    Wait,
}

/// [`to_thread()`] with choices: awaiting it makes the call.
///
/// A call that has not begun when the task is cancelled is never made; one that has is told so by
/// [`check_cancelled`](crate::from_thread::check_cancelled).
///
/// Mirrors AnyIO's
/// [`to_thread.run_sync`](https://anyio.readthedocs.io/en/stable/api.html#anyio.to_thread.run_sync).
///
/// # Examples
/// ```
/// use rondel_task::{CapacityLimiter, OnCancel, ToThread, run};
///
/// let answer = run(async {
///     let one_at_a_time = CapacityLimiter::new(1);
///     ToThread::new(|| Ok(6 * 7))
///         .limiter(&one_at_a_time)
///         .on_cancel(OnCancel::Wait)
///         .await
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[must_use = "the call is made when this is awaited"]
pub struct ToThread<F> {
    f: F,
    executor: Option<Arc<dyn Executor>>,
    limiter: Option<CapacityLimiter>,
    on_cancel: OnCancel,
}

impl<F> ToThread<F> {
    /// Begins with a call of `f` as [`to_thread()`] makes it.
    pub fn new(f: F) -> Self {
        Self {
            f,
            executor: None,
            limiter: None,
            on_cancel: OnCancel::default(),
        }
    }

    /// Sets who makes the call; else it is the loop's default executor.
    pub fn executor(self, executor: &Arc<dyn Executor>) -> Self {
        Self {
            executor: Some(executor.clone()),
            ..self
        }
    }

    /// Sets a limiter, of which the call borrows a token before it is handed over, and until it has ended; also when nobody waits
    /// for it any more.
    pub fn limiter(self, limiter: &CapacityLimiter) -> Self {
        Self {
            limiter: Some(limiter.clone()),
            ..self
        }
    }

    /// Sets what happens when the task that awaits this is cancelled.
    pub fn on_cancel(self, on_cancel: OnCancel) -> Self {
        Self { on_cancel, ..self }
    }

    /// Makes the call, and waits for it in the line `at`.
    async fn call<T>(self, at: &'static Location<'static>) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        let mut token = match &self.limiter {
            Some(limiter) => Some(limiter.acquire_at(at).await?),
            None => None,
        };
        let event_loop = running::get_running_loop()?;
        let ended = event_loop.create_future::<()>();
        // Held by its completer until the call has ended (I1).
        ended.add_done_callback(move |_| drop(token.take()))?;
        let completer = ended.completer();
        let context = rondel_context::capture();
        let outcome = event_loop.submit(self.executor.as_ref(), self.f, context)?;
        outcome.add_done_callback(move |_| {
            // On a closed loop nobody waits.
            let _ = completer.set_result(());
        });
        drop(event_loop);
        let asked = CancelOnDrop(outcome);
        let mut cancelled = None;
        while let Err(error) = shield(&ended).future()?.await_at(at).await {
            asked.0.cancel();
            let waits = self.on_cancel == OnCancel::Wait && error.is_cancelled();
            if !waits || asked.0.cancelled() {
                return Err(error);
            }
            cancelled = Some(error);
        }
        let outcome = asked.0.take_result(None);
        match (outcome, cancelled) {
            (Err(noticed), Some(_)) if noticed.is_cancelled() => Err(noticed),
            (outcome, cancelled) => {
                cancelled.iter().for_each(throw_again);
                outcome
            }
        }
    }
}

/// Asks the call to end when the coroutine that waits for it leaves.
struct CancelOnDrop<T>(concurrent::Future<T>);

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The task was cancelled by `error` and has not heard of it: its next await that suspends tells it.
fn throw_again(error: &Exception) {
    let task = running::core().and_then(|core| core.current_task());
    if let Some(state) = task.as_ref().and_then(|task| task.task_state()) {
        let error = error.downcast_ref::<rondel_future::CancelledError>();
        let message = error.and_then(|error| error.message()).map(Arc::from);
        throw_at_next_step(state, &message);
    }
}

impl<T, F> IntoFuture for ToThread<F>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn core::future::Future<Output = Result<T>>>>;

    #[track_caller]
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.call(Location::caller()))
    }
}

impl<F> fmt::Debug for ToThread<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToThread")
            .field("limiter", &self.limiter)
            .field("on_cancel", &self.on_cancel)
            .finish_non_exhaustive()
    }
}
