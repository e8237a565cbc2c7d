//! `wait`: until some or all of several futures are done, or a time has passed.
//!
//! # asyncio
//! [`asyncio.wait`](https://docs.python.org/3/library/asyncio-task.html#asyncio.wait). It takes futures and tasks of one value
//! type ([`Task::erase`](crate::Task::erase) makes others alike) and gives the very handles back, in the order given, where
//! asyncio gives two sets.

use std::collections::BTreeSet;
use std::fmt;
use std::future::IntoFuture;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::callback::CallbackKey;
use crate::ensure_future::IsFuture;
use crate::error::ValueError;
use crate::exception::Result;
use crate::future::Future;
use crate::running;
use crate::sleep::CancelOnDrop;

/// When [`wait`] returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When all futures are done.
    #[default]
    AllCompleted,
    /// When any future is done.
    FirstCompleted,
    /// When any future has raised an exception; if none does, when all are done.
    FirstException,
}

pub use ReturnWhen::{
    AllCompleted as ALL_COMPLETED, FirstCompleted as FIRST_COMPLETED,
    FirstException as FIRST_EXCEPTION,
};

/// Waits for futures or tasks, all of them unless [`return_when`](Wait::return_when) or [`timeout`](Wait::timeout) say else.
///
/// Gives those that are done and those that are pending, in the order given and each once. It cancels none of them, and a time
/// that has passed is no error.
///
/// Mirrors [`asyncio.wait`](https://docs.python.org/3/library/asyncio-task.html#asyncio.wait).
///
/// # Errors
/// Told when it is awaited: [`ValueError`] if there is no future; `NoRunningLoopError`; `CancelledError` if the task is
/// cancelled meanwhile.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{create_task, run, sleep_result, wait, FIRST_COMPLETED};
///
/// let first = run(async {
///     let quick = create_task(sleep_result(Duration::ZERO, "quick"))?;
///     let slow = create_task(sleep_result(Duration::from_secs(60), "slow"))?;
///     let (done, pending) = wait([&slow, &quick]).return_when(FIRST_COMPLETED).await?;
///     assert_eq!(pending.len(), 1);
///     done[0].result()
/// });
/// assert_eq!(first.unwrap(), "quick");
/// ```
pub fn wait<H: IsFuture>(futures: impl IntoIterator<Item = H>) -> Wait<H> {
    Wait {
        futures: futures.into_iter().collect(),
        return_when: ReturnWhen::AllCompleted,
        timeout: None,
    }
}

/// What [`wait`] gives, to be awaited.
#[derive(Debug)]
#[must_use = "it waits when it is awaited"]
pub struct Wait<H> {
    futures: Vec<H>,
    return_when: ReturnWhen,
    timeout: Option<Duration>,
}

impl<H> Wait<H> {
    /// Sets when to return.
    pub fn return_when(mut self, return_when: ReturnWhen) -> Self {
        self.return_when = return_when;
        self
    }

    /// Sets how long to wait at the most; `None` is for ever.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }
}

impl<H: IsFuture> IntoFuture for Wait<H> {
    type Output = Result<(Vec<H>, Vec<H>)>;
    type IntoFuture = Waiting<H>;

    fn into_future(self) -> Waiting<H> {
        let mut seen = BTreeSet::new();
        let mut handles = self.futures;
        handles.retain(|handle| seen.insert(handle.as_future().any().address()));
        let futures = handles
            .iter()
            .map(|handle| handle.as_future().clone())
            .collect();
        Waiting {
            handles,
            enough: Box::pin(enough(futures, self.return_when, self.timeout)),
        }
    }
}

/// The wait itself.
pub struct Waiting<H> {
    handles: Vec<H>,
    enough: Pin<Box<dyn core::future::Future<Output = Result<()>>>>,
}

impl<H: IsFuture> core::future::Future for Waiting<H> {
    type Output = Result<(Vec<H>, Vec<H>)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.enough.as_mut().poll(cx))?;
        let handles = std::mem::take(&mut self.handles);
        Poll::Ready(Ok(handles
            .into_iter()
            .partition(|handle| handle.as_future().done())))
    }
}

// Handles move freely, wherever this is pinned.
impl<H> Unpin for Waiting<H> {}

impl<H: fmt::Debug> fmt::Debug for Waiting<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("handles", &self.handles)
            .finish_non_exhaustive()
    }
}

/// Suspends the coroutine until enough of the futures are done.
async fn enough<T: 'static>(
    futures: Vec<Future<T>>,
    return_when: ReturnWhen,
    timeout: Option<Duration>,
) -> Result<()> {
    if futures.is_empty() {
        return Err(ValueError::new("wait() was given no futures").into());
    }
    let core = running::running_core()?;
    let waiter = Future::<()>::new(core.clone());
    let _timer = match timeout {
        None => None,
        Some(timeout) => {
            let waiter = waiter.clone();
            Some(CancelOnDrop(
                core.scheduler()
                    .call_later(timeout, move || release(&waiter))?,
            ))
        }
    };
    let mut left = futures.len();
    let released = waiter.clone();
    let on_completion = move |future: &Future<T>| {
        left -= 1;
        let is_enough = left == 0
            || match return_when {
                ReturnWhen::AllCompleted => false,
                ReturnWhen::FirstCompleted => true,
                ReturnWhen::FirstException => future.any().exception().is_some(),
            };
        if is_enough {
            release(&released);
        }
    };
    let on_completion = CallbackKey::new(on_completion, None, Location::caller());
    for future in &futures {
        future.any().add_callback(on_completion.callback())?;
    }
    let _watched = Watched {
        futures,
        on_completion,
    };
    waiter.await
}

/// Takes the callbacks out again when the coroutine leaves the wait.
struct Watched<T: 'static> {
    futures: Vec<Future<T>>,
    on_completion: CallbackKey<T>,
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        for future in &self.futures {
            future.remove_done_callback(&self.on_completion);
        }
    }
}

/// Completes a future that only says "go on".
pub(crate) fn release(waiter: &Future<()>) {
    if !waiter.done() {
        // It is pending and its loop runs: nothing can be refused.
        let _ = waiter.set_result(());
    }
}
