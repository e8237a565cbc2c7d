//! `gather`: many awaitables at once, their results in the order in which they were given.
//!
//! # Invariants
//! - I1: The outer future is the done callback of every child, so a child costs no allocation. It holds children that are done
//!   and watches the others through weak handles: whoever completes them holds them. So no outer -> child -> outer cycle keeps
//!   memory.
//! - I2: A child that is given twice is watched once.
//!
//! # asyncio
//! [`asyncio.gather`](https://docs.python.org/3/library/asyncio-task.html#asyncio.gather) and its `_GatheringFuture`. What it
//! cannot do for lack of a loop it says when it is awaited.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::vec;

use rondel_future::CancelledError;
use rondel_sched::{ClosedError, Runnable};

use crate::body::Slot;
use crate::callback::{Callback, DoneCallback};
use crate::cell::{AnyFuture, Body, Inner, Kind, WeakFuture};
use crate::ensure_future::EnsureFuture;
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::outer::Outer;
use crate::running;

/// What a gather has beyond a future, without the type of the value.
pub(crate) struct GatherState {
    /// All children, in the order given.
    children: RefCell<Vec<WeakFuture>>,
    /// The children that are done, to keep their outcomes until they are collected (I1).
    done: RefCell<Vec<AnyFuture>>,
    /// Done children whose turn in the ready queue has not come.
    scheduled: RefCell<VecDeque<AnyFuture>>,
    /// How many different children there are, and how many of them were heard of.
    watched: Cell<usize>,
    finished: Cell<usize>,
    return_exceptions: bool,
    cancel_requested: Cell<bool>,
}

impl GatherState {
    fn new(return_exceptions: bool) -> Self {
        Self {
            children: RefCell::default(),
            done: RefCell::default(),
            scheduled: RefCell::default(),
            watched: Cell::new(0),
            finished: Cell::new(0),
            return_exceptions,
            cancel_requested: Cell::new(false),
        }
    }

    /// The children that can still be cancelled.
    pub(crate) fn pending_children(&self) -> vec::IntoIter<AnyFuture> {
        let children: Vec<AnyFuture> = self
            .children
            .borrow()
            .iter()
            .filter_map(AnyFuture::upgrade)
            .collect();
        children.into_iter()
    }

    /// The outer future was cancelled and a child has accepted it.
    pub(crate) fn request_cancel(&self) {
        self.cancel_requested.set(true);
    }
}

struct GatherBody<O> {
    state: GatherState,
    slot: Slot<O>,
    /// Makes the value of the children's outcomes.
    collect: fn(vec::IntoIter<AnyFuture>) -> Result<O>,
}

impl<O: 'static> Body for GatherBody<O> {
    fn kind(&self) -> Kind<'_> {
        Kind::Gather(&self.state)
    }

    fn slot(&self) -> &dyn Any {
        &self.slot
    }

    fn drop_value(&self) {
        let value = self.slot.take();
        drop(value);
    }
}

type Gathering<O> = Inner<GatherBody<O>>;

/// A child is done and its turn has come.
fn child_done<O: 'static>(gather: &Rc<Gathering<O>>, child: AnyFuture) {
    let state = &gather.body.state;
    let outer = AnyFuture::from_inner(gather.clone());
    state.finished.set(state.finished.get() + 1);
    if outer.done() {
        child.retrieve();
        return;
    }
    if !state.return_exceptions {
        let failed = if child.cancelled() {
            Some(Exception::new(child.cancelled_error()))
        } else {
            child.exception()
        };
        if let Some(exception) = failed {
            // It is pending; a closed loop has nobody to tell.
            let _ = outer.set_exception(exception);
            return;
        }
    }
    state.done.borrow_mut().push(child);
    if state.finished.get() == state.watched.get() {
        all_done(gather, &outer);
    }
}

/// All children are done: makes the value.
fn all_done<O: 'static>(gather: &Rc<Gathering<O>>, outer: &AnyFuture) {
    let state = &gather.body.state;
    let weak = state.children.take();
    // Upgraded before the strong handles of `done` go.
    let children: Vec<AnyFuture> = weak.iter().filter_map(AnyFuture::upgrade).collect();
    let done = state.done.take();
    drop((weak, done));
    let last_error = state.cancel_requested.get().then(|| {
        children
            .last()
            .map_or_else(CancelledError::new, AnyFuture::cancelled_error)
    });
    let collected = (gather.body.collect)(children.into_iter());
    let _ = match (last_error, collected) {
        (Some(error), _) => outer.set_exception(Exception::new(error)),
        (None, Err(exception)) => outer.set_exception(exception),
        (None, Ok(value)) => {
            let before = gather.body.slot.replace(Some(value));
            drop(before);
            outer.finish()
        }
    };
}

/// `Inner` is the callback itself, so that a child needs none of its own (I1).
impl<O: 'static> DoneCallback for Gathering<O> {
    fn schedule(self: Rc<Self>, child: &AnyFuture) -> Result<(), ClosedError> {
        self.body
            .state
            .scheduled
            .borrow_mut()
            .push_back(child.clone());
        let scheduled = child.core().scheduler().schedule(self.clone());
        if scheduled.is_err() {
            let unheard = self.body.state.scheduled.borrow_mut().pop_back();
            drop(unheard);
        }
        scheduled
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gather()")
    }
}

impl<O: 'static> Runnable for Gathering<O> {
    fn run(self: Rc<Self>) {
        let child = self.body.state.scheduled.borrow_mut().pop_front();
        if let Some(child) = child {
            child_done(&self, child);
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gather()")
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
        let is_new_task = A::IS_COROUTINE;
        let event_loop = match &event_loop {
            Some(event_loop) => event_loop,
            None => event_loop.insert(match awaitable.bound_to() {
                Some(own) => own,
                None => running::get_event_loop()?,
            }),
        };
        let child = awaitable.ensure_future_on(event_loop)?.into_any();
        if is_new_task && let Some(state) = child.task_state() {
            // Only the outer future knows this task: that it is pending at the end is not its caller's mistake.
            state.log_destroy_pending.set(false);
        }
        children.push(child);
    }
    let event_loop = match event_loop {
        Some(event_loop) => event_loop,
        None => running::get_event_loop()?,
    };
    let body = GatherBody {
        state: GatherState::new(return_exceptions),
        slot: Slot::new(None),
        collect,
    };
    let gather = AnyFuture::inner(event_loop.core().clone(), body);
    watch(&gather, children);
    Ok(Future::from_any(AnyFuture::from_inner(gather)))
}

/// Adds the outer future as callback of every child that is pending, then hears of those that are done already.
fn watch<O: 'static>(gather: &Rc<Gathering<O>>, children: Vec<AnyFuture>) {
    let state = &gather.body.state;
    *state.children.borrow_mut() = children.iter().map(AnyFuture::downgrade).collect();
    let mut watched = 0;
    let mut done = Vec::new();
    for child in children {
        if child.done() {
            done.push(child);
        } else if child.has_callback(|callback| callback.is(gather)) {
            continue; // given twice (I2)
        } else {
            // It is pending, so nothing is scheduled that could be refused.
            let _ = child.add_callback(Callback::Done(gather.clone()));
        }
        watched += 1;
    }
    state.watched.set(watched);
    if watched == 0 {
        all_done(gather, &AnyFuture::from_inner(gather.clone()));
    }
    for child in done {
        child_done(gather, child);
    }
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
