//! `as_completed`: awaitables in the order in which they are done.
//!
//! # Invariants
//! - I1: Every future that is done, or at the deadline every one that is not, puts one item into the queue; nothing else does.
//!   So as many awaits are served as there are futures.
//! - I2: Who is woken and cannot take the item passes the wake-up on.
//! - I3: The futures that are not done are held weakly (see `watcher`), as is all of this by the timer.
//!
//! # asyncio
//! [`asyncio.as_completed`](https://docs.python.org/3/library/asyncio-task.html#asyncio.as_completed) and the `asyncio.Queue`
//! in its `_AsCompletedIterator`. It is iterated by `for` or as a stream, as there. Two iterators in one type would have
//! two methods of every name, so `for` gets one of its own. The wait of a stream that is cancelled takes no item away.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use rondel_sched::TimerHandle;

use crate::awaiter::Awaiter;
use crate::callback::Awaiting;
use crate::cell::{AnyFuture, WeakFuture};
use crate::core::Core;
use crate::ensure_future::EnsureFuture;
use crate::error::TimeoutError;
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::running;
use crate::wait::release;
use crate::watcher::{Watch, Watcher};

/// Runs awaitables concurrently and gives them in the order in which they are done.
///
/// Coroutines become tasks at once. A future that is given twice is given back once. With a
/// [`timeout`](AsCompleted::timeout) what is not done in time is a [`TimeoutError`] each; it is not cancelled.
///
/// As an iterator, in a `for` loop, it gives coroutines: the first that is awaited gives the outcome of the first future that is
/// done, and so on. As a [`Stream`], or by [`next`](AsCompleted::next), it gives the futures themselves, so that one can tell
/// which it is by [`Future::ptr_eq`].
///
/// Mirrors [`asyncio.as_completed`](https://docs.python.org/3/library/asyncio-task.html#asyncio.as_completed).
///
/// # Errors
/// Told when the first is awaited: `RuntimeError` if there is no loop, or a future belongs to another one than the running one.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{as_completed, run, sleep_result};
///
/// let order = run(async {
///     let mut order = Vec::new();
///     let lengths = [3, 1, 2].map(|ms| sleep_result(Duration::from_millis(ms), ms));
///     for next_done in as_completed(lengths) {
///         order.push(next_done.await?);
///     }
///     Ok(order)
/// });
/// assert_eq!(order.unwrap(), [1, 2, 3]);
/// ```
#[track_caller]
pub fn as_completed<A: EnsureFuture>(
    awaitables: impl IntoIterator<Item = A>,
) -> AsCompleted<A::Output> {
    let watching = watch_all(awaitables);
    let left = match &watching {
        Ok(completed) => completed.todo.borrow().len(),
        Err(_) => 1,
    };
    AsCompleted {
        watching,
        claim: A::claim,
        left,
        waiting: None,
    }
}

#[track_caller]
fn watch_all<A: EnsureFuture>(
    awaitables: impl IntoIterator<Item = A>,
) -> Result<Watcher<Completed<A::Output>>> {
    let event_loop = running::get_event_loop()?;
    let mut futures: Vec<AnyFuture> = Vec::new();
    for awaitable in awaitables {
        futures.push(awaitable.ensure_future_on(&event_loop)?.into_any());
    }
    let completed = Watcher::new(Completed {
        core: event_loop.core().clone(),
        at: Location::caller(),
        todo: RefCell::default(),
        done: RefCell::default(),
        getters: RefCell::default(),
        timer: Cell::new(None),
        _value: PhantomData,
    });
    for future in futures {
        let before = completed
            .todo
            .borrow_mut()
            .insert(future.address(), future.downgrade());
        if before.is_none() {
            completed.watch(&future)?;
        }
    }
    Ok(completed)
}

/// What has come of the futures, shared by the iterator and everybody who waits.
struct Completed<T> {
    core: Rc<Core>,
    /// The line that called `as_completed`.
    at: &'static Location<'static>,
    /// The futures that are not done, by their addresses (I3).
    todo: RefCell<BTreeMap<usize, WeakFuture>>,
    /// The queue: futures that are done, and `None` for each that was not in time (I1).
    done: RefCell<VecDeque<Option<AnyFuture>>>,
    /// Who waits for the next item, the first first.
    getters: RefCell<VecDeque<Future<()>>>,
    timer: Cell<Option<TimerHandle>>,
    _value: PhantomData<fn() -> T>,
}

impl<T: 'static> Watch for Completed<T> {
    const NAME: &'static str = "as_completed";

    fn future_done(&self, future: AnyFuture) {
        let watched = self.todo.borrow_mut().remove(&future.address());
        if watched.is_none() {
            return; // the deadline was first
        }
        self.put(Some(future));
        if self.todo.borrow().is_empty() {
            self.replace_timer(None);
        }
    }

    fn awaiting(&self) -> Vec<Awaiting> {
        let getters = self.getters.borrow();
        let waiting = getters.iter().map(|getter| getter.any().clone());
        waiting.map(Awaiting::Through).collect()
    }
}

impl<T: 'static> Completed<T> {
    fn replace_timer(&self, timer: Option<TimerHandle>) {
        if let Some(before) = self.timer.replace(timer) {
            before.cancel();
        }
    }

    fn put(&self, item: Option<AnyFuture>) {
        self.done.borrow_mut().push_back(item);
        self.wake_next();
    }

    fn wake_next(&self) {
        loop {
            let getter = self.getters.borrow_mut().pop_front();
            match getter {
                Some(getter) if getter.done() => {}
                Some(getter) => return release(&getter),
                None => return,
            }
        }
    }

    /// Waits for the next item and takes it.
    async fn get(&self) -> Result<Future<T>> {
        loop {
            let item = self.done.borrow_mut().pop_front();
            if let Some(item) = item {
                return Ok(Future::from_any(item.ok_or(TimeoutError)?));
            }
            let getter = Future::new(self.core.clone());
            self.getters.borrow_mut().push_back(getter.clone());
            let mut turn = Turn {
                completed: self,
                getter: &getter,
                missed: true,
            };
            Awaiter::new(getter.clone(), self.at).await?;
            turn.missed = false;
        }
    }
}

impl<T: 'static> Watcher<Completed<T>> {
    fn set_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        let timer = match timeout {
            Some(timeout) if !self.todo.borrow().is_empty() => {
                let this = self.downgrade();
                let on_timeout = move || {
                    if let Some(this) = this.upgrade() {
                        this.on_timeout();
                    }
                };
                Some(self.core.scheduler().call_later(timeout, on_timeout)?)
            }
            Some(_) | None => None,
        };
        self.replace_timer(timer);
        Ok(())
    }

    fn on_timeout(&self) {
        let todo = self.todo.take();
        for future in todo.values() {
            if let Some(future) = future.upgrade() {
                self.unwatch(&future);
            }
            self.put(None);
        }
    }
}

/// A place in the row of those who wait. One that is left by an error or by a drop passes on what it cannot take (I2).
struct Turn<'a, T: 'static> {
    completed: &'a Completed<T>,
    getter: &'a Future<()>,
    missed: bool,
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        if !self.missed {
            return;
        }
        self.getter.cancel();
        let left = {
            let mut getters = self.completed.getters.borrow_mut();
            let place = getters.iter().position(|getter| getter.ptr_eq(self.getter));
            place.and_then(|place| getters.remove(place))
        };
        drop(left);
        let is_empty = self.completed.done.borrow().is_empty();
        if !is_empty && !self.getter.cancelled() {
            self.completed.wake_next();
        }
    }
}

/// A wait for one item of the queue.
type Waiting<T> = Pin<Box<dyn core::future::Future<Output = Result<Future<T>>>>>;

/// Awaitables in the order in which they are done: what [`as_completed`] gives.
///
/// Dropping it cancels nothing: what was given to it runs on.
#[must_use = "it gives the outcomes when it is iterated"]
pub struct AsCompleted<T: 'static> {
    watching: Result<Watcher<Completed<T>>>,
    /// Reads the outcome of a future that is done.
    claim: fn(Future<T>) -> Result<T>,
    /// How many items are to be asked for.
    left: usize,
    /// The wait that the stream has begun.
    waiting: Option<Waiting<T>>,
}

impl<T> AsCompleted<T> {
    /// Sets how long to wait for all of them, from now on; `None` is for ever.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        if let Ok(completed) = &self.watching
            && let Err(error) = completed.set_timeout(timeout.into())
        {
            self.watching = Err(error);
        }
        self
    }

    /// Returns the next future that is done, `None` after the last: what a stream's `next` does.
    ///
    /// # Errors
    /// [`TimeoutError`] for each future that was not done in time; `CancelledError` if the task is cancelled meanwhile.
    ///
    /// # Examples
    /// ```
    /// use rondel_task::{as_completed, create_task, run};
    ///
    /// run(async {
    ///     let task = create_task(async { Ok("tea") })?;
    ///     let mut completed = as_completed([&task]);
    ///     while let Some(done) = completed.next().await {
    ///         let done = done?;
    ///         assert!(done.ptr_eq(&task));
    ///         assert_eq!(done.result()?, "tea");
    ///     }
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub async fn next(&mut self) -> Option<Result<Future<T>>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Asks for one item more, if there is one to come.
    fn ask(&mut self) -> Option<Waiting<T>> {
        self.left = self.left.checked_sub(1)?;
        let watching = self.watching.clone();
        Some(Box::pin(async move { watching?.get().await }))
    }
}

impl<T> Stream for AsCompleted<T> {
    type Item = Result<Future<T>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.waiting.is_none() {
            self.waiting = self.ask();
        }
        let Some(waiting) = &mut self.waiting else {
            return Poll::Ready(None);
        };
        let item = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        if item.as_ref().is_err_and(Exception::is_cancelled) {
            self.left += 1; // it is still to come
        }
        Poll::Ready(Some(item))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.left + usize::from(self.waiting.is_some());
        (left, Some(left))
    }
}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl<T> IntoIterator for AsCompleted<T> {
    type Item = NextDone<T>;
    type IntoIter = AsCompletedIter<T>;

    fn into_iter(self) -> AsCompletedIter<T> {
        AsCompletedIter(self)
    }
}

/// Gives a coroutine for each awaitable: what a `for` loop over [`AsCompleted`] uses.
#[derive(Debug)]
pub struct AsCompletedIter<T: 'static>(AsCompleted<T>);

impl<T> Iterator for AsCompletedIter<T> {
    type Item = NextDone<T>;

    fn next(&mut self) -> Option<NextDone<T>> {
        let waiting = self.0.ask()?;
        Some(NextDone {
            waiting,
            claim: self.0.claim,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left, Some(self.0.left))
    }
}

impl<T> ExactSizeIterator for AsCompletedIter<T> {}

impl<T> FusedIterator for AsCompletedIter<T> {}

/// Gives the outcome of the next future that is done, once it is awaited.
///
/// It may be awaited in any task. One that is dropped, or whose wait is cancelled, leaves its item to the others.
#[must_use = "it waits when it is awaited"]
pub struct NextDone<T: 'static> {
    waiting: Waiting<T>,
    claim: fn(Future<T>) -> Result<T>,
}

impl<T> core::future::Future for NextDone<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let future = ready!(self.waiting.as_mut().poll(cx))?;
        Poll::Ready((self.claim)(future))
    }
}

impl<T> fmt::Debug for NextDone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextDone").finish_non_exhaustive()
    }
}
