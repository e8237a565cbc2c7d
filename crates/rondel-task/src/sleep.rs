//! `sleep`: suspends a coroutine for a time, or for one iteration of the loop.
//!
//! # asyncio
//! [`asyncio.sleep`](https://docs.python.org/3/library/asyncio-task.html#asyncio.sleep). A delay of zero yields once without
//! a timer. Otherwise the timer completes a future, so that the coroutine goes on in the iteration after.

use std::convert::Infallible;
use std::future::IntoFuture;
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
pub fn sleep(delay: Duration) -> Sleep {
    Sleep(match delay {
        Duration::ZERO => Stage::Yield { done: false },
        delay => Stage::Begin(delay),
    })
}

/// What [`sleep`] gives, to be awaited.
#[must_use = "it sleeps when it is awaited"]
#[derive(Debug)]
pub struct Sleep(Stage);

#[derive(Debug)]
enum Stage {
    /// The bare `yield` of `asyncio.sleep(0)`.
    Yield {
        done: bool,
    },
    Begin(Duration),
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
        if let Self::Begin(delay) = *self {
            let (awaiter, _timer) = set_timer(delay)?;
            *self = Self::Waiting { awaiter, _timer };
        }
        match self {
            Self::Waiting { awaiter, .. } => Pin::new(awaiter).poll(cx),
            Self::Yield { .. } | Self::Begin(_) => Poll::Pending,
        }
    }
}

/// Makes a future that a timer completes.
fn set_timer(delay: Duration) -> Result<(Awaiter<()>, CancelOnDrop)> {
    let core = running::running_core()?;
    let future = Future::<()>::new(core.clone());
    let waiter = future.clone();
    let timer = core
        .scheduler()
        .call_later(delay, move || release(&waiter))?;
    Ok((future.into_future(), CancelOnDrop(timer)))
}

/// As [`sleep`], and gives `result`.
///
/// # Errors
/// As [`sleep`].
pub async fn sleep_result<T>(delay: Duration, result: T) -> Result<T> {
    sleep(delay).await?;
    Ok(result)
}

/// Suspends the coroutine until the loop's time is `when` ([`EventLoop::time`](rondel_reactor::EventLoop::time)); yields once if
/// that has passed.
///
/// # Errors
/// As [`sleep`].
pub async fn sleep_until(when: Duration) -> Result<()> {
    let core = running::running_core()?;
    sleep(when.saturating_sub(core.scheduler().time())).await
}

/// Suspends the coroutine until its task is cancelled.
///
/// # Errors
/// Always: `CancelledError`, or `NoRunningLoopError` if no loop is running.
pub async fn sleep_forever() -> Result<Infallible> {
    let core = running::running_core()?;
    Future::<Infallible>::new(core).await
}

/// Cancels a timer when the coroutine leaves the place that needs it.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(pub(crate) TimerHandle);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
