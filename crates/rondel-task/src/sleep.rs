//! `sleep`: suspends a coroutine for a time, or for one iteration of the loop.
//!
//! # asyncio
//! [`asyncio.sleep`](https://docs.python.org/3/library/asyncio-task.html#asyncio.sleep). A delay of zero yields once without
//! a timer. Otherwise the timer completes a future, so that the coroutine goes on in the iteration after.

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
    Sleep(Stage::Begin(delay))
}

/// What [`sleep`] gives, to be awaited.
#[must_use = "it sleeps when it is awaited"]
#[derive(Debug)]
pub struct Sleep(Stage);

#[derive(Debug)]
enum Stage {
    Begin(Duration),
    /// The bare `yield` of `asyncio.sleep(0)` was done.
    Yielded,
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
            Stage::Begin(Duration::ZERO) => match running::yield_now(cx.waker()) {
                Some(error) => Poll::Ready(Err(error)),
                None => {
                    self.0 = Stage::Yielded;
                    Poll::Pending
                }
            },
            Stage::Yielded => Poll::Ready(running::take_throw().map_or(Ok(()), Err)),
            Stage::Begin(delay) => {
                let (awaiter, _timer) = set_timer(*delay)?;
                self.0 = Stage::Waiting { awaiter, _timer };
                self.poll(cx)
            }
            Stage::Waiting { awaiter, .. } => Pin::new(awaiter).poll(cx),
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

/// Cancels a timer when the coroutine leaves the place that needs it.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(pub(crate) TimerHandle);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
