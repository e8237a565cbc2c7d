//! `sleep`: suspends a coroutine for a time, or for one iteration of the loop.
//!
//! # asyncio
//! [`asyncio.sleep`](https://docs.python.org/3/library/asyncio-task.html#asyncio.sleep). A delay of zero yields once without
//! a timer. Otherwise the coroutine goes on in the iteration after that of the timer, which completes a future there. Here a task
//! that awaits a sleep is `asleep` and needs none; a sleep that is polled in other ways, by `FuturesUnordered` for one, has the
//! future, and so has every sleep while somebody watches the loop, who is told of the timer's callback then.

use std::convert::Infallible;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use rondel_sched::TimerHandle;

use crate::asleep::{Asleep, Polled};
use crate::awaiter::Awaiter;
use crate::core::Core;
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
        Duration::ZERO => Stage::Yield,
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
    Yield,
    Begin {
        delay: Duration,
        at: &'static Location<'static>,
    },
    Asleep(Asleep),
    Waiting(Box<Waiting>),
    Over,
}

/// A future, and the timer that completes it.
#[derive(Debug)]
struct Waiting {
    awaiter: Awaiter<()>,
    _timer: CancelOnDrop,
}

impl core::future::Future for Sleep {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.0 {
            Stage::Over => Poll::Ready(running::take_throw().map_or(Ok(()), Err)),
            Stage::Yield => match running::yield_now(cx.waker()) {
                Some(error) => Poll::Ready(Err(error)),
                None => {
                    // There is nothing in what it was to be dropped.
                    mem::forget(mem::replace(&mut self.0, Stage::Over));
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
        match self {
            Self::Begin { delay, at } => {
                let (delay, at) = (*delay, *at);
                self.begin(delay, at, cx)
            }
            Self::Asleep(asleep) => match asleep.poll(cx) {
                Polled::Asleep => Poll::Pending,
                Polled::Over(outcome) => {
                    *self = Self::Over;
                    Poll::Ready(outcome)
                }
                Polled::Elsewhere { core, when, at } => self.wait_until(&core, when, at, cx),
            },
            Self::Waiting(waiting) => Pin::new(&mut waiting.awaiter).poll(cx),
            Self::Yield | Self::Over => Poll::Pending,
        }
    }

    fn begin(
        &mut self,
        delay: Duration,
        at: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        let core = running::running_core()?;
        let when = core.scheduler().time().saturating_add(delay);
        match Asleep::begin(&core, when, at, cx)? {
            Some(asleep) => {
                *self = Self::Asleep(asleep);
                Poll::Pending
            }
            None => self.wait_until(&core, when, at, cx),
        }
    }

    /// Waits for a future that a timer completes.
    #[cold]
    fn wait_until(
        &mut self,
        core: &Rc<Core>,
        when: Duration,
        at: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        let future = Future::<()>::new(core.clone());
        let waiter = future.clone();
        let timer = core.scheduler().call_at(when, move || release(&waiter))?;
        let mut waiting = Box::new(Waiting {
            awaiter: Awaiter::new(future, at),
            _timer: CancelOnDrop(timer),
        });
        let polled = Pin::new(&mut waiting.awaiter).poll(cx);
        *self = Self::Waiting(waiting);
        polled
    }
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
