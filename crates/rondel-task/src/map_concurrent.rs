//! `map_concurrent` and `map_unordered`: a coroutine for each of many inputs, at most so many at a time.
//!
//! # Invariants
//! - I1: At most `limit` coroutines run or have a value that was not taken yet; the next input is asked for when one of them is
//!   taken.
//! - I2: When the first exception is given, all other coroutines have ended: they are cancelled and awaited.
//! - I3: Dropped in the middle, it cancels what runs.
//!
//! # asyncio
//! It has none: a semaphore around each of a `gather` makes a task for every input at once. The names are those of the field:
//! `concurrent` for "with a limit" is the word of `for_each_concurrent` in the `futures` crate, `unordered` that of its
//! `buffer_unordered`; `buffered` would say that futures wait in a buffer, and here they are tasks that have not begun.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::awaiter::Awaiter;
use crate::callback::Awaiting;
use crate::cell::AnyFuture;
use crate::crew::Crew;
use crate::error::ValueError;
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::running;
use crate::wait::release;
use crate::watcher::{Watch, Watcher};

/// Calls `f` with each of the inputs and runs the coroutines as tasks, at most `limit` at a time; gives the values in the order
/// of the inputs.
///
/// Inputs are asked for one by one, as coroutines end. `f` is cloned for each: an async closure owns what it has captured.
///
/// If a coroutine raises, no more are started, the others are cancelled, and when they have ended its exception is raised; what
/// the others come to is nobody's concern. The same goes for a cancellation of the calling task.
///
/// # Errors
/// Told when it is awaited: what the first coroutine raised; [`ValueError`] if `limit` is 0; `CancelledError` if the task is
/// cancelled meanwhile; `NoRunningLoopError`.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{map_concurrent, run_virtual, sleep_result};
///
/// let lengths = run_virtual(map_concurrent(["a", "bc", "def"], 2, async |word: &'static str| {
///     sleep_result(Duration::from_secs(1), word.len()).await
/// }));
/// assert_eq!(lengths.unwrap(), [1, 2, 3]);
/// ```
#[track_caller]
pub fn map_concurrent<In, I, F, T>(
    inputs: I,
    limit: usize,
    f: F,
) -> impl core::future::Future<Output = Result<Vec<T>>> + use<In, I, F, T>
where
    In: 'static,
    I: IntoIterator<Item = In>,
    F: AsyncFnOnce(In) -> Result<T> + Clone + 'static,
    T: 'static,
{
    let mut mapping = map_unordered(inputs, limit, f);
    async move {
        let mut values: Vec<Option<T>> = Vec::new();
        while let Some(outcome) = poll_fn(|cx| mapping.poll_outcome(cx)).await {
            match outcome {
                Ok((place, value)) => {
                    if values.len() <= place {
                        values.resize_with(place + 1, || None);
                    }
                    values[place] = Some(value);
                }
                Err(error) => {
                    // After the exception of a coroutine nothing is left to end.
                    let cancelled_again = mapping.crew.end().await;
                    return Err(cancelled_again.err().unwrap_or(error));
                }
            }
        }
        Ok(values.into_iter().flatten().collect())
    }
}

/// As [`map_concurrent`], as a stream of the values in the order in which they come.
///
/// It runs while somebody asks for the next value: `limit` counts those that run and those of which the value was not taken.
/// After an exception, for which the others are cancelled and awaited, the stream ends. A cancelled wait for the next value loses
/// nothing, and the stream goes on; when it is dropped, what runs is cancelled.
///
/// # Errors
/// Told as an item: those of `map_concurrent`.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{map_unordered, run_virtual, sleep_result};
///
/// let order = run_virtual(async {
///     let mut sleepers = map_unordered([3, 2, 1], 2, async |seconds| {
///         sleep_result(Duration::from_secs(seconds), seconds).await
///     });
///     let mut order = Vec::new();
///     while let Some(seconds) = sleepers.next().await {
///         order.push(seconds?);
///     }
///     Ok(order)
/// });
/// assert_eq!(order.unwrap(), [2, 3, 1]);
/// ```
#[track_caller]
pub fn map_unordered<In, I, F, T>(inputs: I, limit: usize, f: F) -> MapUnordered<I::IntoIter, F, T>
where
    In: 'static,
    I: IntoIterator<Item = In>,
    F: AsyncFnOnce(In) -> Result<T> + Clone + 'static,
    T: 'static,
{
    MapUnordered {
        inputs: Some(inputs.into_iter()),
        f,
        limit,
        started: 0,
        crew: Crew::new(Location::caller()),
        ended: Watcher::new(Ended::default()),
        waiting: None,
        ending: None,
        created_at: Location::caller(),
    }
}

/// The values of a mapping as they come: what [`map_unordered`] gives.
#[must_use = "it runs while it is asked for values"]
pub struct MapUnordered<I, F, T: 'static> {
    /// None once they are exhausted, or no more are to be started.
    inputs: Option<I>,
    f: F,
    limit: usize,
    started: usize,
    /// The tasks of which the value was not taken, by the place of their input.
    crew: Crew<(usize, T)>,
    ended: Watcher<Ended>,
    /// The wait for one of them.
    waiting: Option<Awaiter<()>>,
    /// The exception that is to be given when all have ended.
    ending: Option<(Exception, EndOfAll)>,
    created_at: &'static Location<'static>,
}

type EndOfAll = Pin<Box<dyn core::future::Future<Output = Result<()>>>>;

impl<In, I, F, T> MapUnordered<I, F, T>
where
    In: 'static,
    I: Iterator<Item = In>,
    F: AsyncFnOnce(In) -> Result<T> + Clone + 'static,
{
    /// Returns the next value that there is, `None` after the last: what a stream's `next` does.
    ///
    /// # Errors
    /// As [`map_unordered`].
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(usize, T)>>> {
        loop {
            if let Some((_, ending)) = &mut self.ending {
                let ended = ready!(ending.as_mut().poll(cx));
                self.crew.clear();
                let error = self.ending.take().map(|(error, _)| error);
                return Poll::Ready(ended.err().or(error).map(Err));
            }
            if let Some(waiting) = &mut self.waiting {
                let woken = ready!(Pin::new(waiting).poll(cx));
                self.waiting = None;
                if let Err(error) = woken {
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match self.next_outcome() {
                Ok(Some(outcome)) => return Poll::Ready(Some(Ok(outcome))),
                Ok(None) if self.crew.len() == 0 => return Poll::Ready(None),
                Ok(None) => match self.ended.next() {
                    Ok(next) => self.waiting = Some(next.await_at(self.created_at)),
                    Err(error) => self.end(error),
                },
                Err(error) => self.end(error),
            }
        }
    }

    /// Starts as many as may run, and takes a value if there is one.
    fn next_outcome(&mut self) -> Result<Option<(usize, T)>> {
        while self.crew.len() < self.limit.max(1) {
            let Some(input) = self.inputs.as_mut().and_then(Iterator::next) else {
                self.inputs = None;
                break;
            };
            if self.limit == 0 {
                return Err(
                    ValueError::new("the limit of a concurrent map must be at least 1").into(),
                );
            }
            self.start(input)?;
        }
        if self.crew.len() == 0 {
            // What is heard of after an exception is not asked for.
            return Ok(None);
        }
        let ended = self.ended.done.borrow_mut().pop_front();
        let Some(ended) = ended else {
            return Ok(None);
        };
        let outcome = Future::<(usize, T)>::from_any(ended).take_result()?;
        let taken = self.crew.remove(outcome.0);
        drop(taken);
        Ok(Some(outcome))
    }

    fn start(&mut self, input: In) -> Result<()> {
        let place = self.started;
        let f = self.f.clone();
        let coroutine = async move { Ok((place, f(input).await?)) };
        let context = rondel_context::capture();
        let task = running::running_core()?.spawn(coroutine, context, self.created_at)?;
        self.started += 1;
        self.ended.watch(&task)?;
        self.crew.add(place, Future::from_any(task));
        Ok(())
    }

    /// Starts no more and ends what runs, to give `error` afterwards.
    fn end(&mut self, error: Exception) {
        self.inputs = None;
        let crew = self.crew.roll().clone();
        self.ending = Some((error, Box::pin(async move { crew.end().await })));
    }
}

impl<In, I, F, T> Stream for MapUnordered<I, F, T>
where
    In: 'static,
    I: Iterator<Item = In>,
    F: AsyncFnOnce(In) -> Result<T> + Clone + 'static,
{
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let outcome = ready!(self.poll_outcome(cx));
        Poll::Ready(outcome.map(|outcome| outcome.map(|(_, value)| value)))
    }
}

// None of the fields is polled in its place, wherever this is pinned.
impl<I, F, T> Unpin for MapUnordered<I, F, T> {}

impl<I, F, T> fmt::Debug for MapUnordered<I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapUnordered")
            .field("limit", &self.limit)
            .field("started", &self.started)
            .field("running", &self.crew.len())
            .finish_non_exhaustive()
    }
}

/// The tasks that have ended, in that order.
#[derive(Default)]
struct Ended {
    done: RefCell<VecDeque<AnyFuture>>,
    /// Who waits for one.
    waiter: Cell<Option<Future<()>>>,
}

impl Ended {
    /// A future that is done when a task ends.
    fn next(&self) -> Result<Future<()>> {
        let waiter = Future::new(running::running_core()?);
        let before = self.waiter.replace(Some(waiter.clone()));
        drop(before);
        Ok(waiter)
    }
}

impl Watch for Ended {
    const NAME: &'static str = "map_concurrent";

    fn future_done(&self, task: AnyFuture) {
        self.done.borrow_mut().push_back(task);
        if let Some(waiter) = self.waiter.take() {
            release(&waiter);
        }
    }

    fn awaiting(&self) -> Vec<Awaiting> {
        let waiter = self.waiter.take();
        self.waiter.set(waiter.clone());
        let waiter = waiter.map(Future::into_any);
        waiter.map(Awaiting::Through).into_iter().collect()
    }
}
