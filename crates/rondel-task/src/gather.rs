//! `gather`: many awaitables at once, their results in the order in which they were given.
//!
//! # Invariants
//! - I1: One watcher is the done callback of every child, so a child costs no allocation; one that is given twice is watched
//!   once.
//! - I2: The outer future holds its children and they, through the watcher, hold it, as in CPython. The cycle ends when the
//!   children are done; or when the await of the outer future is dropped and nobody else has it or listens to it: then nobody
//!   can hear of it any more, and the children are let go.
//!
//! # asyncio
//! [`asyncio.gather`](https://docs.python.org/3/library/asyncio-task.html#asyncio.gather) and its `_GatheringFuture`. What it
//! cannot do for lack of a loop it says when it is awaited.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::vec;

use rondel_future::CancelledError;

use crate::body::Slot;
use crate::callback::DoneCallback;
use crate::cell::{AnyFuture, Body, Kind};
use crate::ensure_future::EnsureFuture;
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::opaque;
use crate::outer::Outer;
use crate::running;
use crate::watcher::{Watch, Watcher};

/// What the outer future of a gather has beyond a future.
pub(crate) struct GatherState {
    /// In the order given, until they are all done.
    children: RefCell<Vec<AnyFuture>>,
    cancel_requested: Cell<bool>,
    watcher: RefCell<Option<Weak<dyn DoneCallback>>>,
}

impl GatherState {
    /// The children, to be cancelled.
    pub(crate) fn children(&self) -> vec::IntoIter<AnyFuture> {
        self.children.borrow().clone().into_iter()
    }

    /// The outer future was cancelled and a child has accepted it.
    pub(crate) fn request_cancel(&self) {
        self.cancel_requested.set(true);
    }

    /// Lets the children go if nobody has the outer future but the watcher and who calls this, and nobody listens (I2).
    pub(crate) fn abandon(&self, outer: &AnyFuture) {
        if outer.done() || outer.handles() > 2 || outer.has_callback(|_| true) {
            return;
        }
        let watcher = self.watcher.take().and_then(|watcher| watcher.upgrade());
        let children = self.children.take();
        if let Some(watcher) = watcher {
            for child in &children {
                child.remove_callbacks(|callback| callback.is(&watcher));
            }
        }
    }
}

struct GatherBody<O> {
    state: GatherState,
    slot: Slot<O>,
}

impl<O: 'static> Body for GatherBody<O> {
    fn kind(&self) -> Kind<'_> {
        Kind::Gather(&self.state)
    }

    fn put(&self, value: &mut dyn Any) {
        self.slot.put(value);
    }

    fn take(&self, into: &mut dyn Any) {
        self.slot.take(into);
    }

    fn look(&self, f: &mut dyn FnMut(&dyn Any)) {
        self.slot.look(f);
    }
}

/// The done callback of every child.
struct Gathering<O> {
    outer: AnyFuture,
    return_exceptions: bool,
    /// Makes the value of the children's outcomes.
    collect: fn(vec::IntoIter<AnyFuture>) -> Result<O>,
    /// How many different children there are, and how many of them were heard of.
    watched: Cell<usize>,
    finished: Cell<usize>,
}

impl<O: 'static> Watch for Gathering<O> {
    const NAME: &'static str = "gather";

    fn future_done(&self, child: AnyFuture) {
        self.finished.set(self.finished.get() + 1);
        if self.outer.done() {
            child.retrieve();
            return;
        }
        if !self.return_exceptions
            && let Some(exception) = failure(&child)
        {
            // It is pending; a closed loop has nobody to tell.
            let _ = self.outer.set_exception(exception);
            return;
        }
        drop(child);
        if self.finished.get() == self.watched.get() {
            self.all_done();
        }
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
    fn all_done(&self) {
        let Kind::Gather(state) = self.outer.kind() else {
            return;
        };
        let children = state.children.take();
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

/// Makes the outer future of `awaitables`.
#[track_caller]
fn gathering<A: EnsureFuture, O: 'static>(
    awaitables: impl IntoIterator<Item = A>,
    return_exceptions: bool,
    collect: fn(vec::IntoIter<AnyFuture>) -> Result<O>,
) -> Result<Future<O>> {
    let mut event_loop = None;
    let mut children: Vec<AnyFuture> = Vec::new();
    for awaitable in awaitables {
        let event_loop = match &event_loop {
            Some(event_loop) => event_loop,
            None => event_loop.insert(match awaitable.bound_to() {
                Some(own) => own,
                None => running::get_event_loop()?,
            }),
        };
        let child = awaitable.ensure_future_on(event_loop)?.into_any();
        if A::IS_COROUTINE && let Some(state) = child.task_state() {
            // Only the outer future knows this task: that it is pending at the end is not its caller's mistake.
            state.log_destroy_pending.set(false);
        }
        children.push(child);
    }
    let event_loop = match event_loop {
        Some(event_loop) => event_loop,
        None => running::get_event_loop()?,
    };
    let state = GatherState {
        children: RefCell::new(children.clone()),
        cancel_requested: Cell::new(false),
        watcher: RefCell::new(None),
    };
    let body = GatherBody::<O> { state, slot: Slot::new() };
    let outer = AnyFuture::new(event_loop.core().clone(), body);
    let watcher = Watcher::new(Gathering {
        outer: outer.clone(),
        return_exceptions,
        collect,
        watched: Cell::new(0),
        finished: Cell::new(0),
    });
    watch(&watcher, children)?;
    Ok(Future::from_any(outer))
}

/// Watches every child that is pending, then hears of those that are done already.
fn watch<O: 'static>(watcher: &Rc<Watcher<Gathering<O>>>, children: Vec<AnyFuture>) -> Result<()> {
    if let Kind::Gather(state) = watcher.outer.kind() {
        let callback: Rc<dyn DoneCallback> = watcher.clone();
        state.watcher.replace(Some(Rc::downgrade(&callback)));
    }
    let mut done = Vec::new();
    let mut watched = 0;
    for child in children {
        if child.done() {
            done.push(child);
        } else if child.has_callback(|callback| callback.is(watcher)) {
            continue; // given twice (I1)
        } else {
            watcher.watch(&child)?;
        }
        watched += 1;
    }
    watcher.watched.set(watched);
    if watched == 0 {
        watcher.all_done();
    }
    for child in done {
        watcher.future_done(child);
    }
    Ok(())
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
    Outer::new(gathering::<A, _>(awaitables, false, |children| {
        children
            .map(|child| A::claim(Future::from_any(child)))
            .collect()
    }))
}

/// As [`gather`], but gives every outcome, exceptions too, once all are done.
///
/// # Errors
/// Told when it is awaited: `CancelledError` if the outer future was cancelled; `RuntimeError` as for [`gather`].
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
    Outer::new(gathering::<A, _>(awaitables, true, |children| {
        Ok(children.map(outcome::<A>).collect())
    }))
}

/// The outcome of a child, where an exception is as good as a value.
fn outcome<A: EnsureFuture>(child: AnyFuture) -> Result<A::Output> {
    if child.cancelled() {
        return Err(Exception::new(CancelledError::from_message(
            child.cancel_message(),
        )));
    }
    A::claim(Future::from_any(child))
}
