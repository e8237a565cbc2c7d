//! `wait_for`: awaits something for a limited time and cancels it at the end of that.
//!
//! # asyncio
//! [`asyncio.wait_for`](https://docs.python.org/3/library/asyncio-task.html#asyncio.wait_for) since CPython 3.12: a coroutine
//! is awaited by the calling task itself, under a timeout. Without any time a coroutine does not start.

use std::future::IntoFuture;
use std::time::Duration;

use crate::cancel::cancel;
use crate::ensure_future::{EnsureFuture, ensure_future};
use crate::error::TimeoutError;
use crate::exception::Result;
use crate::future::Future;
use crate::timeout::timeout;
use crate::wait::release;

/// Awaits `awaitable` for at most `limit`, then cancels it; `None` waits for ever.
///
/// It is waited for until it has really ended, so the whole may take longer than `limit`. If it swallows the cancellation and
/// gives a value, that is the outcome. With [`shield`](crate::shield) it is not cancelled.
///
/// Mirrors [`asyncio.wait_for`](https://docs.python.org/3/library/asyncio-task.html#asyncio.wait_for).
///
/// # Errors
/// [`TimeoutError`] when the time is over; what `awaitable` raises; `CancelledError` if the task is cancelled.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{run, sleep, wait_for};
///
/// let late = run(wait_for(sleep(Duration::from_secs(3600)), Duration::from_millis(1)));
/// assert!(late.unwrap_err().is_timeout());
/// ```
#[track_caller]
pub fn wait_for<A, T>(
    awaitable: A,
    limit: impl Into<Option<Duration>>,
) -> impl core::future::Future<Output = Result<T>>
where
    A: EnsureFuture<Output = T> + IntoFuture<Output = Result<T>>,
    T: 'static,
{
    let limit = limit.into();
    let has_time = limit.is_none_or(|limit| !limit.is_zero());
    // Made here, so that a future is awaited in the caller's line.
    let awaitable = match has_time {
        true => Ok(awaitable.into_future()),
        false => Err(awaitable),
    };
    async move {
        match awaitable {
            Ok(awaiting) => timeout(limit, async |_| awaiting.await).await,
            Err(awaitable) => without_time(awaitable).await,
        }
    }
}

/// Takes the outcome if it is there already.
async fn without_time<A: EnsureFuture>(awaitable: A) -> Result<A::Output> {
    let future = ensure_future(awaitable)?;
    if future.done() {
        return A::claim(future);
    }
    cancel_and_wait(&future).await?;
    match A::claim(future) {
        Err(error) if error.is_cancelled() => Err(TimeoutError.into()),
        outcome => outcome,
    }
}

/// Cancels a future or task and waits until it has ended, clean-up and all.
///
/// What it came to can be read of it afterwards, and an exception that nobody reads is reported as ever: it may have given a value
/// all the same, or raised something else than the `CancelledError`.
///
/// # Errors
/// `CancelledError` if the calling task is cancelled meanwhile; `ClosedError` if the loop is closed.
///
/// # Examples
/// ```
/// use rondel_task::{cancel_and_wait, checkpoint, create_task, run, sleep_forever};
///
/// let cancelled = run(async {
///     let server = create_task(async { sleep_forever().await.map(drop) })?;
///     checkpoint().await?; // it serves
///     cancel_and_wait(&server).await?;
///     Ok(server.cancelled())
/// });
/// assert!(cancelled.unwrap());
/// ```
pub async fn cancel_and_wait<T: 'static>(future: &Future<T>) -> Result<()> {
    let waiter = future.get_loop().create_future::<()>();
    let released = waiter.clone();
    let key = future.add_done_callback(move |_| release(&released))?;
    cancel(future.any(), None);
    let ended = waiter.await;
    future.remove_done_callback(&key);
    ended
}
