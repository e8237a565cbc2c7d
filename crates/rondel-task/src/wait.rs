//! `wait`: until some or all of several futures are done, or a time has passed.
//!
//! # asyncio
//! [`asyncio.wait`](https://docs.python.org/3/library/asyncio-task.html#asyncio.wait). It takes futures and tasks of one value
//! type ([`Task::erase`](crate::Task::erase) makes others alike) and gives the very handles back, in the order given, where
//! asyncio gives two sets.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::future::IntoFuture;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::awaiter::Awaiter;
use crate::callback::Awaiting;
use crate::cell::AnyFuture;
use crate::ensure_future::IsFuture;
use crate::error::ValueError;
use crate::exception::Result;
use crate::future::Future;
use crate::running;
use crate::sleep::CancelOnDrop;
use crate::watcher::{Watch, Watcher};

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

    #[track_caller]
    fn into_future(self) -> Waiting<H> {
        self.await_at(Location::caller())
    }
}

impl<H: IsFuture> Wait<H> {
    /// Waits in the line `at`.
    pub(crate) fn await_at(self, at: &'static Location<'static>) -> Waiting<H> {
        let mut seen = BTreeSet::new();
        let mut handles = self.futures;
        handles.retain(|handle| seen.insert(handle.as_future().any().address()));
        let futures = handles
            .iter()
            .map(|handle| handle.as_future().any().clone())
            .collect();
        Waiting {
            handles,
            enough: Box::pin(enough(futures, self.return_when, self.timeout, at)),
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

/// Suspends the coroutine, in the line `at`, until enough of the futures are done.
async fn enough(
    futures: Vec<AnyFuture>,
    return_when: ReturnWhen,
    timeout: Option<Duration>,
    at: &'static Location<'static>,
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
    let watcher = Watcher::new(Enough {
        waiter: waiter.clone(),
        left: Cell::new(futures.len()),
        return_when,
    });
    for future in &futures {
        watcher.watch(future)?;
    }
    let _watched = Watched { futures, watcher };
    Awaiter::new(waiter, at).await
}

/// The done callback of every future.
struct Enough {
    waiter: Future<()>,
    left: Cell<usize>,
    return_when: ReturnWhen,
}

impl Watch for Enough {
    const NAME: &'static str = "wait";

    fn future_done(&self, future: AnyFuture) {
        self.left.set(self.left.get() - 1);
        let is_enough = self.left.get() == 0
            || match self.return_when {
                ReturnWhen::AllCompleted => false,
                ReturnWhen::FirstCompleted => true,
                ReturnWhen::FirstException => future.exception().is_some(),
            };
        if is_enough {
            release(&self.waiter);
        }
    }

    fn awaiting(&self) -> Vec<Awaiting> {
        vec![Awaiting::Through(self.waiter.any().clone())]
    }
}

/// Takes the callbacks out again when the coroutine leaves the wait.
struct Watched {
    futures: Vec<AnyFuture>,
    watcher: Watcher<Enough>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        for future in &self.futures {
            self.watcher.unwatch(future);
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
