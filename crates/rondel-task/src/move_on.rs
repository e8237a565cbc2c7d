//! `move_on_after`: a deadline for a block of code that is no error.
//!
//! The deadline itself is that of `timeout`.
//!
//! # asyncio
//! It has none: `asyncio.timeout` with an `except TimeoutError`, which a `TimeoutError` of the block itself meets as well. The
//! name is Trio's and AnyIO's, whose `fail_after` is [`timeout`].

use std::time::Duration;

use crate::exception::Result;
use crate::timeout::{Timeout, timeout, timeout_at};

/// Runs a block of code for at most `delay`, and gives its value, or `None` if the deadline has ended it; `None` as the delay
/// sets no deadline, which [`Timeout::reschedule`] may do later.
///
/// # Errors
/// What the block raises, also a [`TimeoutError`](crate::TimeoutError) of its own; `RuntimeError` outside of a task.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{move_on_after, run_virtual, sleep_result};
///
/// let answer = run_virtual(move_on_after(Duration::from_secs(1), async |_scope| {
///     sleep_result(Duration::from_secs(60), "yes").await
/// }));
/// assert_eq!(answer.unwrap(), None);
/// ```
pub async fn move_on_after<T>(
    delay: impl Into<Option<Duration>>,
    block: impl AsyncFnOnce(Timeout) -> Result<T>,
) -> Result<Option<T>> {
    let mut was_cancelled = false;
    let outcome = timeout(delay, noting_cancellation(block, &mut was_cancelled)).await;
    moved_on(outcome, was_cancelled)
}

/// As [`move_on_after`], with a deadline in the loop's time ([`EventLoop::time`](rondel_reactor::EventLoop::time)).
///
/// # Errors
/// As [`move_on_after`].
pub async fn move_on_at<T>(
    when: impl Into<Option<Duration>>,
    block: impl AsyncFnOnce(Timeout) -> Result<T>,
) -> Result<Option<T>> {
    let mut was_cancelled = false;
    let outcome = timeout_at(when, noting_cancellation(block, &mut was_cancelled)).await;
    moved_on(outcome, was_cancelled)
}

/// The block, which notes whether a `CancelledError` has left it.
fn noting_cancellation<T>(
    block: impl AsyncFnOnce(Timeout) -> Result<T>,
    was_cancelled: &mut bool,
) -> impl AsyncFnOnce(Timeout) -> Result<T> {
    async move |scope| {
        let outcome = block(scope).await;
        *was_cancelled = outcome.as_ref().is_err_and(|error| error.is_cancelled());
        outcome
    }
}

/// A cancellation that has become a `TimeoutError` was the deadline's.
fn moved_on<T>(outcome: Result<T>, was_cancelled: bool) -> Result<Option<T>> {
    match outcome {
        Err(error) if was_cancelled && error.is_timeout() => Ok(None),
        outcome => outcome.map(Some),
    }
}
