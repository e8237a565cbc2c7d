//! `gather`: many awaitables at once, their results in the order in which they were given.
//!
//! # Invariants
//! - I1: One watcher is the done callback of every child, so a child costs no allocation; one that is given twice is watched
//!   once.
//! - I2: The children, through the watcher, hold the outer future. It holds those that are done and knows the others by weak
//!   handles, as whoever completes a future holds it: so no cycle keeps memory.
//! - I3: A pending child that has gone could not have been completed any more, only cancelled. It counts as cancelled when the
//!   outer future is.
//!
//! # asyncio
//! [`asyncio.gather`](https://docs.python.org/3/library/asyncio-task.html#asyncio.gather) and its `_GatheringFuture`. What it
//! cannot do for lack of a loop it says when it is awaited.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::vec;

use rondel_future::CancelledError;

use crate::awaited::Awaited;
use crate::body::{Body, Slot};
use crate::callback::Awaiting;
use crate::cell::{AnyFuture, WeakFuture};
use crate::ensure_future::EnsureFuture;
use crate::event_loop::EventLoop;
use crate::exception::{Exception, Result};
use crate::flags::Flag;
use crate::future::Future;
use crate::opaque;
use crate::outer::Outer;
use crate::running;
use crate::watcher::{Watch, Watcher};

/// What the outer future of a gather has beyond a future.
pub(crate) struct GatherState {
    /// In the order given, until they are all done (I2).
    children: RefCell<Vec<WeakFuture>>,
    /// Those that were heard of, to keep their outcomes.
    done: RefCell<Vec<AnyFuture>>,
    /// How many different children there are, and how many of them were heard of.
    watched: Cell<usize>,
    finished: Cell<usize>,
    return_exceptions: bool,
    cancel_requested: Cell<bool>,
    pub(crate) visiting: Cell<bool>,
}

impl GatherState {
    /// The children that are there, to be cancelled.
    pub(crate) fn children(&self) -> vec::IntoIter<Awaited> {
        let children: Vec<Awaited> = self
            .children
            .borrow()
            .iter()
            .filter_map(WeakFuture::upgrade)
            .map(Awaited::Future)
            .collect();
        children.into_iter()
    }

    /// The children have been asked to cancel; says whether the outer future accepts, for which one of them has to.
    pub(crate) fn cancel(
        &self,
        outer: &AnyFuture,
        accepted: bool,
        message: Option<Arc<str>>,
    ) -> bool {
        let gone = self.forget_gone();
        let accepted = accepted || gone > 0;
        if accepted {
            // From now on the outer future ends by the error, whatever it does with exceptions.
            self.cancel_requested.set(true);
        }
        if gone > 0 && (!self.return_exceptions || self.finished.get() == self.watched.get()) {
            self.fail(outer, Exception::new(CancelledError::from_message(message)));
        }
        accepted
    }

    /// Forgets the children that have gone (I3), and says how many different ones that were.
    fn forget_gone(&self) -> usize {
        let mut gone = BTreeSet::new();
        self.children.borrow_mut().retain(|child| {
            let is_gone = child.is_gone();
            if is_gone {
                gone.insert(child.address());
            }
            !is_gone
        });
        self.watched.set(self.watched.get() - gone.len());
        gone.len()
    }

    /// Ends the outer future by an exception, and lets go of the children.
    fn fail(&self, outer: &AnyFuture, exception: Exception) {
        // It is pending; a closed loop has nobody to tell.
        let _ = outer.set_exception(exception);
        let (children, done) = (self.children.take(), self.done.take());
        drop((children, done));
    }
}

struct GatherBody<O> {
    state: GatherState,
    slot: Slot<O>,
}

impl<O: 'static> Body for GatherBody<O> {
    fn gather(&self) -> Option<&GatherState> {
        Some(&self.state)
    }

    fn slot(&self) -> Option<&dyn Any> {
        Some(&self.slot)
    }
}

/// The done callback of every child.
struct Gathering<O> {
    outer: AnyFuture,
    /// Makes the value of the children's outcomes.
    collect: fn(vec::IntoIter<AnyFuture>) -> Result<O>,
}

impl<O: 'static> Watch for Gathering<O> {
    const NAME: &'static str = "gather";

    fn future_done(&self, child: AnyFuture) {
        let Some(state) = self.outer.body().gather() else {
            return;
        };
        state.finished.set(state.finished.get() + 1);
        if self.outer.done() {
            child.retrieve();
            return;
        }
        if !state.return_exceptions
            && let Some(exception) = failure(&child)
        {
            return state.fail(&self.outer, exception);
        }
        state.done.borrow_mut().push(child);
        if state.finished.get() == state.watched.get() {
            self.all_done(state);
        }
    }

    fn awaiting(&self) -> Vec<Awaiting> {
        vec![Awaiting::Future(self.outer.clone())]
    }
}

/// The exception, or the cancellation, that a child ended by.
fn failure(child: &AnyFuture) -> Option<Exception> {
    if child.cancelled() {
        return Some(Exception::new(child.cancelled_error()));
    }
    child.exception()
}

impl<O: 'static> Gathering<O> {
    fn all_done(&self, state: &GatherState) {
        let (weak, done) = (state.children.take(), state.done.take());
        let children: Vec<AnyFuture> = weak.iter().filter_map(WeakFuture::upgrade).collect();
        // Whoever collects is to find the children's last handles.
        drop((weak, done));
        let error = state.cancel_requested.get().then(|| {
            // CPython's choice: the last child, however it ended.
            children
                .last()
                .map_or_else(CancelledError::new, AnyFuture::cancelled_error)
        });
        let collected = (self.collect)(children.into_iter());
        // It is pending; a closed loop has nobody to tell.
        let _ = match (error, collected) {
            (Some(error), _) => self.outer.set_exception(Exception::new(error)),
            (None, Err(exception)) => self.outer.set_exception(exception),
            (None, Ok(value)) => {
                opaque::put_value(&self.outer, value);
                self.outer.finish()
            }
        };
    }
}

/// A gather that is being put together: each awaitable is watched before the next one is made a future, which may complete it.
pub(crate) struct Gatherer<O> {
    return_exceptions: bool,
    collect: fn(vec::IntoIter<AnyFuture>) -> Result<O>,
    /// Begun with the first awaitable, on its loop.
    begun: Option<(EventLoop, Watcher<Gathering<O>>)>,
    /// Children that were done when they came.
    done: Vec<AnyFuture>,
}

impl<O: 'static> Gatherer<O> {
    pub(crate) fn new(
        return_exceptions: bool,
        collect: fn(vec::IntoIter<AnyFuture>) -> Result<O>,
    ) -> Self {
        Self {
            return_exceptions,
            collect,
            begun: None,
            done: Vec::new(),
        }
    }

    /// Makes a future of `awaitable`, on the loop of those before, and watches it if it is pending.
    #[track_caller]
    pub(crate) fn add<A: EnsureFuture>(&mut self, awaitable: A) -> Result<()> {
        let own = awaitable.bound_to();
        let (event_loop, watcher) = self.begin(own)?;
        let child = awaitable.ensure_future_on(&event_loop)?.into_any();
        if A::IS_COROUTINE
            && let Some(state) = child.task_state()
        {
            // Only the outer future knows this task: that it is pending at the end is not its caller's mistake.
            state.flags.clear(Flag::LogDestroyPending);
        }
        let Some(state) = watcher.outer.body().gather() else {
            return Ok(());
        };
        state.children.borrow_mut().push(child.downgrade());
        if child.done() {
            self.done.push(child);
        } else if watcher.watches(&child) {
            return Ok(()); // given twice (I1)
        } else {
            watcher.watch(&child)?;
        }
        state.watched.set(state.watched.get() + 1);
        Ok(())
    }

    /// The outer future: hears of those that were done already, and of nobody if there are none.
    pub(crate) fn finish(mut self) -> Result<Future<O>> {
        let (_, watcher) = self.begin(None)?;
        let Some(state) = watcher.outer.body().gather() else {
            return Ok(Future::from_any(watcher.outer.clone()));
        };
        if state.watched.get() == 0 {
            watcher.all_done(state);
        }
        for child in std::mem::take(&mut self.done) {
            watcher.future_done(child);
        }
        self.begun = None;
        Ok(Future::from_any(watcher.outer.clone()))
    }

    /// The loop and the watcher, made when they are first needed.
    fn begin(
        &mut self,
        event_loop: Option<EventLoop>,
    ) -> Result<(EventLoop, Watcher<Gathering<O>>)> {
        if let Some(begun) = &self.begun {
            return Ok(begun.clone());
        }
        let event_loop = match event_loop {
            Some(own) => own,
            None => running::get_event_loop()?,
        };
        let state = GatherState {
            children: RefCell::default(),
            done: RefCell::default(),
            watched: Cell::new(0),
            finished: Cell::new(0),
            return_exceptions: self.return_exceptions,
            cancel_requested: Cell::new(false),
            visiting: Cell::new(false),
        };
        let outer = AnyFuture::new(event_loop.core().clone(), || GatherBody::<O> {
            state,
            slot: Slot::new(),
        });
        let watcher = Watcher::new(Gathering {
            outer,
            collect: self.collect,
        });
        Ok(self.begun.insert((event_loop, watcher)).clone())
    }
}

/// An awaitable was refused: nobody gets the outer future, and what the others come to is heard by nobody.
impl<O> Drop for Gatherer<O> {
    fn drop(&mut self) {
        if let Some((_, watcher)) = &self.begun {
            watcher.outer.cancel_plain(None);
        }
    }
}

#[track_caller]
fn gather_all<A: EnsureFuture, O: 'static>(
    mut gatherer: Gatherer<O>,
    awaitables: impl IntoIterator<Item = A>,
) -> Result<Future<O>> {
    for awaitable in awaitables {
        gatherer.add(awaitable)?;
    }
    gatherer.finish()
}

/// Runs awaitables concurrently and gives their results in the order given.
///
/// Coroutines become tasks at once, before this is awaited. The first exception is the outer future's; the others run on. If
/// the outer future is cancelled, all children that are not done are; a child that is cancelled counts as one that raised.
/// A future that is given twice gives its result twice.
///
/// Mirrors [`asyncio.gather`](https://docs.python.org/3/library/asyncio-task.html#asyncio.gather);
/// [`gather_return_exceptions`] is the one with `return_exceptions=True`.
///
/// # Errors
/// Told when it is awaited: the first exception; `RuntimeError` if there is no loop, or the futures are of different loops.
///
/// # Examples
/// ```
/// use rondel_task::{gather, run, Result};
///
/// async fn double(n: i32) -> Result<i32> {
///     Ok(2 * n)
/// }
///
/// let doubled = run(async { gather([double(1), double(2)]).await });
/// assert_eq!(doubled.unwrap(), [2, 4]);
/// ```
#[track_caller]
pub fn gather<A: EnsureFuture>(awaitables: impl IntoIterator<Item = A>) -> Outer<Vec<A::Output>> {
    let gatherer = Gatherer::new(false, |children| children.map(claim::<A>).collect());
    Outer::new(gather_all(gatherer, awaitables))
}

/// As [`gather()`], but gives every outcome, exceptions too, once all are done.
///
/// # Errors
/// Told when it is awaited: `CancelledError` if the outer future was cancelled; `RuntimeError` as for [`gather()`].
///
/// # Examples
/// ```
/// use rondel_task::{gather_return_exceptions, run, Exception, Result};
///
/// async fn half(n: i32) -> Result<i32> {
///     if n % 2 == 0 { Ok(n / 2) } else { Err(Exception::msg("odd")) }
/// }
///
/// let halves = run(async { gather_return_exceptions([half(4), half(5)]).await }).unwrap();
/// assert_eq!(halves[0].as_ref().unwrap(), &2);
/// assert_eq!(halves[1].as_ref().unwrap_err().to_string(), "odd");
/// ```
#[track_caller]
pub fn gather_return_exceptions<A: EnsureFuture>(
    awaitables: impl IntoIterator<Item = A>,
) -> Outer<Vec<Result<A::Output>>> {
    let gatherer = Gatherer::new(true, |children| Ok(children.map(outcome::<A>).collect()));
    Outer::new(gather_all(gatherer, awaitables))
}

/// The outcome of a child that is done.
pub(crate) fn claim<A: EnsureFuture>(child: AnyFuture) -> Result<A::Output> {
    A::claim(Future::from_any(child))
}

/// The outcome of a child, where an exception is as good as a value.
fn outcome<A: EnsureFuture>(child: AnyFuture) -> Result<A::Output> {
    if child.cancelled() {
        return Err(Exception::new(CancelledError::from_message(
            child.cancel_message(),
        )));
    }
    claim::<A>(child)
}
