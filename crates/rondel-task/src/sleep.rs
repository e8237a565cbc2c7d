//! `sleep`: suspends a coroutine for a time, or for one iteration of the loop.
//!
//! # asyncio
//! [`asyncio.sleep`](https://docs.python.org/3/library/asyncio-task.html#asyncio.sleep). A delay of zero yields once without
//! a timer. Otherwise the timer completes a future, so that the coroutine goes on in the iteration after.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rondel_sched::TimerHandle;

use crate::awaiter::cancelled_error_of_current_task;
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
pub async fn sleep(delay: Duration) -> Result<()> {
    if delay.is_zero() {
        return YieldNow { yielded: false }.await;
    }
    let core = running::running_core()?;
    let future = Future::<()>::new(core.clone());
    let wake = future.clone();
    let _timer = CancelOnDrop(core.scheduler().call_later(delay, move || release(&wake))?);
    future.await
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
pub(crate) struct CancelOnDrop(pub(crate) TimerHandle);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The bare `yield` of `asyncio.sleep(0)`: a leaf that is done at its second poll.
struct YieldNow {
    yielded: bool,
}

impl core::future::Future for YieldNow {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(error) = running::with_core(|core| {
            core.take_throw()
                .then(|| cancelled_error_of_current_task(core))
        }) {
            return Poll::Ready(Err(error));
        }
        if self.yielded {
            return Poll::Ready(Ok(()));
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
