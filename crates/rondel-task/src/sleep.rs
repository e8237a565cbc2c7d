//! `sleep`: suspends a coroutine for a time, or for one iteration of the loop.
//!
//! # asyncio
//! [`asyncio.sleep`](https://docs.python.org/3/library/asyncio-task.html#asyncio.sleep). A delay of zero yields once without
//! a timer. Otherwise the timer completes a future, so that the coroutine goes on in the iteration after.

use std::convert::Infallible;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rondel_sched::TimerHandle;

use crate::awaiter::Awaiter;
use crate::exception::Result;
use crate::future::Future;
use crate::running;
use crate::wait::release;

/// Suspends the coroutine for `delay`; zero lets every other callback that is ready run first.
///
/// Mirrors [`asyncio.sleep`](https://docs.python.org/3/library/asyncio-task.html#asyncio.sleep).
///
/// # Errors
/// `CancelledError` if the task is cancelled meanwhile; `NoRunningLoopError` if no loop is running.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{run, sleep};
///
/// run(async {
///     sleep(Duration::from_millis(1)).await?;
///     Ok(())
/// })?;
/// # Ok::<(), rondel_task::Exception>(())
/// ```
#[inline]
#[track_caller]
pub fn sleep(delay: Duration) -> Sleep {
    sleep_at(delay, Location::caller())
}

/// As `sleep`, in the line `at`.
#[inline]
fn sleep_at(delay: Duration, at: &'static Location<'static>) -> Sleep {
    Sleep(match delay {
        Duration::ZERO => Stage::Yield { done: false },
        delay => Stage::Begin { delay, at },
    })
}

/// What [`sleep`] gives, to be awaited.
#[must_use = "it sleeps when it is awaited"]
#[derive(Debug)]
pub struct Sleep(Stage);

#[derive(Debug)]
enum Stage {
    /// The bare `yield` of `asyncio.sleep(0)`.
    Yield { done: bool },
    Begin {
        delay: Duration,
        at: &'static Location<'static>,
    },
    Waiting {
        awaiter: Awaiter<()>,
        _timer: CancelOnDrop,
    },
}

impl core::future::Future for Sleep {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.0 {
            Stage::Yield { done: true } => Poll::Ready(running::take_throw().map_or(Ok(()), Err)),
            Stage::Yield { done } => match running::yield_now(cx.waker()) {
                Some(error) => Poll::Ready(Err(error)),
                None => {
                    *done = true;
                    Poll::Pending
                }
            },
            stage => stage.poll_timer(cx),
        }
    }
}

impl Stage {
    /// Out of line, as a coroutine that only yields has no use for it.
    #[inline(never)]
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Self::Begin { delay, at } = *self {
            let (awaiter, _timer) = set_timer(delay, at)?;
            *self = Self::Waiting { awaiter, _timer };
        }
        match self {
            Self::Waiting { awaiter, .. } => Pin::new(awaiter).poll(cx),
            Self::Yield { .. } | Self::Begin { .. } => Poll::Pending,
        }
    }
}

/// Makes a future that a timer completes.
fn set_timer(
    delay: Duration,
    at: &'static Location<'static>,
) -> Result<(Awaiter<()>, CancelOnDrop)> {
    let core = running::running_core()?;
    let future = Future::<()>::new(core.clone());
    let waiter = future.clone();
    let timer = core
        .scheduler()
        .call_later(delay, move || release(&waiter))?;
    Ok((Awaiter::new(future, at), CancelOnDrop(timer)))
}

/// As [`sleep`], and gives `result`.
///
/// # Errors
/// As [`sleep`].
#[track_caller]
pub fn sleep_result<T>(
    delay: Duration,
    result: T,
) -> impl core::future::Future<Output = Result<T>> + use<T> {
    let sleep = sleep(delay);
    async move {
        sleep.await?;
        Ok(result)
    }
}

/// Suspends the coroutine until the loop's time is `when` ([`EventLoop::time`](rondel_reactor::EventLoop::time)); yields once if
/// that has passed.
///
/// # Errors
/// As [`sleep`].
#[track_caller]
pub fn sleep_until(when: Duration) -> impl core::future::Future<Output = Result<()>> + use<> {
    let at = Location::caller();
    async move {
        let core = running::running_core()?;
        sleep_at(when.saturating_sub(core.scheduler().time()), at).await
    }
}

/// Lets every other callback that is ready run first, and notices a cancellation: `sleep` with no delay, by the name that Trio
/// and AnyIO have for it.
///
/// A coroutine that computes for long calls it now and then.
///
/// # Errors
/// As [`sleep`].
pub async fn checkpoint() -> Result<()> {
    sleep(Duration::ZERO).await
}

/// Suspends the coroutine until its task is cancelled.
///
/// # Errors
/// Always: `CancelledError`, or `NoRunningLoopError` if no loop is running.
#[track_caller]
pub fn sleep_forever() -> impl core::future::Future<Output = Result<Infallible>> + use<> {
    let at = Location::caller();
    async move {
        let core = running::running_core()?;
        Awaiter::new(Future::<Infallible>::new(core), at).await
    }
}

/// Cancels a timer when the coroutine leaves the place that needs it.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(pub(crate) TimerHandle);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
