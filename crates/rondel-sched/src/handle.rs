//! A callback in a queue, and the handles that cancel it.
//!
//! A callback, its context, its place of origin and its cancelled flag share one allocation, the cell; the queue and the handles count references to it.
//! A cell never reaches back into the scheduler: cancelling empties it where it lies, and the ready queue drops the shell when it
//! comes by. A timer leaves the timers at once.
//!
//! # asyncio
//!
//! `Handle` and `TimerHandle` of `asyncio/events.py`.
//! Debug output names the type of the callback and the line that scheduled it, where CPython names the function and its line.

use std::{any::type_name, cell::Cell, fmt, panic::Location, rc::Rc, time::Duration};

use rondel_context::{Context, capture, run_in};
use rondel_shared::{Face, Shared, View};

use crate::timers::{TimerKey, TimerQueue};

/// Something that may stand in the ready queue: a callback, a step of a task, the completion of a future.
///
/// [`Scheduler::call_soon`](crate::Scheduler::call_soon) makes one of any closure.
/// A layer above implements it for its own types and gives them to [`Scheduler::schedule`](crate::Scheduler::schedule), which allocates nothing.
pub trait Runnable {
    /// Runs; called once for each time it was scheduled, with no borrow held, while somebody keeps it alive.
    ///
    /// Whoever was cancelled meanwhile does nothing here: the scheduler does not ask, because asking costs as much as doing.
    fn run(&self);

    /// Writes what a report calls it: `path::of::callback at file:line`.
    ///
    /// # Errors
    ///
    /// Only what writing to `f` gives.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A callback that was scheduled, and may still be cancelled.
///
/// Clones stand for the same callback.
/// Dropping a handle changes nothing: the callback runs all the same.
///
/// See [asyncio's `Handle`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.Handle).
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use rondel_sched::{Scheduler, VirtualClock};
///
/// let scheduler = Scheduler::new(Rc::new(VirtualClock::new()));
/// let handle = scheduler.call_soon(|| unreachable!("it is cancelled"))?;
/// handle.cancel();
/// assert!(handle.cancelled());
/// scheduler.run_ready(&());
/// # Ok::<(), rondel_sched::ClosedError>(())
/// ```
#[derive(Clone)]
pub struct Handle(Callback);

/// A callback in its allocation.
pub(crate) type Callback = Shared<(), dyn Cancellable>;

impl Handle {
    #[inline]
    pub(crate) fn new(callback: Callback) -> Self {
        Self(callback)
    }

    /// Makes a callback that stands in no queue yet, for whoever [schedules](crate::Scheduler::schedule_handle) it later.
    ///
    /// It runs in a copy of the current context of this moment.
    #[track_caller]
    #[must_use]
    pub fn unscheduled(callback: impl FnOnce() + 'static) -> Self {
        Self(HandleCell::allocate(
            callback,
            capture(),
            Location::caller(),
        ))
    }

    /// The callback, which the queue shares.
    pub(crate) fn callback(&self) -> &Callback {
        &self.0
    }

    /// Cancels the callback and drops it at once; does nothing when it has run already or is cancelled.
    pub fn cancel(&self) {
        self.0.body().cancel();
    }

    /// Says whether [`cancel`](Self::cancel) was called.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.0.body().is_cancelled()
    }

    /// Returns the context in which the callback runs; changes made in the one are seen in the other.
    ///
    /// While a callback runs that started with no variable set at all, its own context is not yet to be had: the answer is an empty one.
    #[must_use]
    pub fn get_context(&self) -> Context {
        self.0.body().get_context()
    }
}

impl fmt::Debug for Handle {
    /// Writes `<Handle path::of::callback at file:line>`, with `cancelled` after the first word where it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Handle ")?;
        self.0.body().describe_state(f)
    }
}

/// A timer that was set, and may still be cancelled: a handle that knows when.
///
/// Clones stand for the same timer.
/// Dropping a handle changes nothing: the callback runs all the same.
///
/// See [asyncio's `TimerHandle`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.TimerHandle).
#[derive(Clone)]
pub struct TimerHandle {
    handle: Handle,
    when: Duration,
    key: TimerKey,
    timers: Rc<TimerQueue>,
}

impl TimerHandle {
    #[inline]
    pub(crate) fn new(
        handle: Handle,
        when: Duration,
        key: TimerKey,
        timers: Rc<TimerQueue>,
    ) -> Self {
        Self {
            handle,
            when,
            key,
            timers,
        }
    }

    /// Returns the time for which the timer is set, on the clock of its scheduler.
    #[must_use]
    pub fn when(&self) -> Duration {
        self.when
    }

    /// Cancels the timer and drops its callback at once; does nothing when it has run already or is cancelled.
    pub fn cancel(&self) {
        let cancelled = self.timers.change(|timers| timers.cancel(self.key));
        drop(cancelled);
        self.handle.cancel();
    }

    /// Says whether [`cancel`](Self::cancel) was called.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.handle.cancelled()
    }

    /// Returns the context in which the callback runs, as [`Handle::get_context`] does.
    #[must_use]
    pub fn get_context(&self) -> Context {
        self.handle.get_context()
    }
}

impl fmt::Debug for TimerHandle {
    /// Writes `<TimerHandle when=1.5s path::of::callback at file:line>`, with `cancelled` after the first word where it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<TimerHandle when={:?} ", self.when)?;
        self.handle.0.body().describe_state(f)
    }
}

/// A [`Runnable`] of this crate: what a [`Handle`] needs of the cell that it points to.
pub(crate) trait Cancellable: Runnable {
    fn cancel(&self);
    fn is_cancelled(&self) -> bool;
    fn get_context(&self) -> Context;
}

impl Face for dyn Cancellable {
    type Part = ();
    type Argument<'a> = ();
    type Outcome = ();
}

impl<C: Cancellable + 'static> View<C> for dyn Cancellable {
    fn view(cell: &C) -> &(dyn Cancellable + 'static) {
        cell
    }

    #[inline]
    fn call(cell: &C, (): ()) {
        cell.run();
    }
}

/// Run through its pointer, which is one call where finding its body first makes two.
impl Runnable for Callback {
    #[inline]
    fn run(&self) {
        self.call(());
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body().describe(f)
    }
}

impl dyn Cancellable {
    /// Writes the rest of a handle's Debug output, behind its first word.
    fn describe_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_cancelled() {
            write!(f, "cancelled ")?;
        }
        self.describe(f)?;
        write!(f, ">")
    }
}

/// The allocation behind a [`Handle`].
pub(crate) struct HandleCell<F> {
    /// Taken out by whoever comes first: `run` to call it, `cancel` to drop it.
    callback: Cell<Option<F>>,
    /// None while no variable is set and nobody has asked for the context.
    context: Cell<Option<Context>>,
    cancelled: Cell<bool>,
    location: &'static Location<'static>,
}

impl<F> HandleCell<F> {
    /// The one allocation of a callback; it is put together in its place.
    #[inline]
    pub(crate) fn allocate(
        callback: F,
        context: Option<Context>,
        location: &'static Location<'static>,
    ) -> Callback
    where
        F: FnOnce() + 'static,
    {
        Shared::new_with(|| ((), Self::new(callback, context, location)))
    }

    /// As [`allocate`](Self::allocate), for the queue and for a handle.
    #[inline]
    pub(crate) fn allocate_two(
        callback: F,
        context: Option<Context>,
        location: &'static Location<'static>,
    ) -> (Callback, Callback)
    where
        F: FnOnce() + 'static,
    {
        Shared::two_with(|| ((), Self::new(callback, context, location)))
    }

    #[inline]
    fn new(callback: F, context: Option<Context>, location: &'static Location<'static>) -> Self {
        Self {
            callback: Cell::new(Some(callback)),
            context: Cell::new(context),
            cancelled: Cell::new(false),
            location,
        }
    }

    /// Another handle to the context, where there is one.
    #[inline]
    fn context(&self) -> Option<Context> {
        let context = self.context.take();
        self.context.set(context.clone());
        context
    }
}

impl<F: FnOnce() + 'static> Runnable for HandleCell<F> {
    #[inline]
    fn run(&self) {
        let mut context = self.context();
        // It is taken out where it is called, because every place on its way costs a copy.
        run_in(&mut context, || {
            if let Some(callback) = self.callback.take() {
                callback();
            }
        });
        if context.is_some() {
            self.context.set(context);
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe_callback::<F>(f, self.location)
    }
}

impl<F: FnOnce() + 'static> Cancellable for HandleCell<F> {
    fn cancel(&self) {
        self.cancelled.set(true);
        drop(self.callback.take());
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    fn get_context(&self) -> Context {
        let context = self.context().unwrap_or_default();
        self.context.set(Some(context.clone()));
        context
    }
}

/// Writes what a report calls a callback of type `F` that was handed over at `location`: `path::of::callback at file:line`.
///
/// For a [`Runnable`] of another layer, so that reports look the same everywhere; a closure is called by the function that it stands in.
///
/// # Errors
///
/// Only what writing to `f` gives.
pub fn describe_callback<F>(f: &mut fmt::Formatter<'_>, location: &Location<'_>) -> fmt::Result {
    write!(
        f,
        "{} at {}:{}",
        name_of(type_name::<F>()),
        location.file(),
        location.line()
    )
}

/// What a report calls a callback of the type that rustc calls `path`: a closure by the function that it stands in.
fn name_of(path: &str) -> &str {
    if path.starts_with("alloc::boxed::Box<dyn ") {
        return "boxed callback";
    }
    path.trim_end_matches("::{{closure}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closure_is_called_by_the_function_it_stands_in() {
        assert_eq!(
            name_of("game::main::{{closure}}::{{closure}}"),
            "game::main"
        );
        assert_eq!(name_of("game::tick"), "game::tick");
        assert_eq!(
            name_of(type_name::<Box<dyn FnOnce() + Send>>()),
            "boxed callback"
        );
    }

    #[test]
    fn one_word_of_context_and_one_of_location_is_all_that_a_cell_adds() {
        assert!(size_of::<HandleCell<fn()>>() <= 4 * size_of::<usize>());
    }
}
