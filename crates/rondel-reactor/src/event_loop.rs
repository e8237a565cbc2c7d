//! The event loop as its users see it.
//!
//! What an iteration does is in [`iteration`](crate::iteration); the queue and the timers are the [`Scheduler`]'s.
//!
//! # asyncio
//!
//! `AbstractEventLoop`, less what needs futures.
//! A loop closes when its last owner lets go of it; in debug mode it warns of that, as asyncio does.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    os::fd::AsFd,
    panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind},
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use rondel_context::Context;
use rondel_sched::{ClosedError, Handle, Scheduler, TimerHandle};

use crate::{
    Builder, ExceptionContext, ExceptionHandler, Extension, InFlight, LoopHandle, RunError,
    exceptions, handle::Entrance, idle::Idle, inspect::Inspection, pace::Pace, running::Stopping,
    selector::Direction, signals::Signals, waiting::Waiting, watchers::Watchers,
};

/// An event loop: callbacks, timers, file descriptors and messages from other threads, one after another on one thread.
///
/// The value is an owner: clones are the same loop, and it closes when the last of them goes.
/// A callback that owns a clone keeps the loop alive until [`close`](Self::close); inside a callback, [`get_running_loop`](crate::get_running_loop) needs none.
///
/// See [asyncio's event loop](https://docs.python.org/3/library/asyncio-eventloop.html).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use rondel_reactor::{EventLoop, get_running_loop};
///
/// let event_loop = EventLoop::new()?;
/// event_loop.call_later(Duration::from_millis(1), || {
///     get_running_loop().expect("it runs this callback").stop();
/// })?;
/// event_loop.run_forever()?;
/// event_loop.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EventLoop(Rc<Shared>);

/// A handle that keeps the loop neither open nor in memory.
pub(crate) struct WeakEventLoop(Weak<Shared>);

/// What the owners of a loop share.
struct Shared {
    scheduler: Scheduler,
    watchers: Watchers,
    pace: Pace,
    entrance: Arc<Entrance>,
    running: Cell<bool>,
    stopping: Stopping,
    closing: Cell<bool>,
    extension: RefCell<Option<Weak<dyn Extension>>>,
    exception_handler: RefCell<Option<ExceptionHandler>>,
    interruptible: Cell<bool>,
    waiting: Waiting,
    signals: Rc<Signals>,
    inspection: Inspection,
    idle: Idle,
}

impl EventLoop {
    /// Makes a loop with the machine's clock and the platform's best selector.
    ///
    /// # Errors
    ///
    /// What the operating system says when it gives no descriptor for the selector.
    #[track_caller]
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// Begins to choose what a loop is made with.
    pub fn builder() -> Builder {
        Builder::new()
    }

    #[track_caller]
    pub(crate) fn from_builder(builder: Builder) -> io::Result<Self> {
        let Builder {
            clock,
            backend,
            interruptible,
            waiting,
            debug,
        } = builder;
        let watchers = Watchers::open(backend)?;
        let notifier = watchers.notifier()?;
        // The selector is gone once the loop is closed; whoever sends after that is refused anyway.
        let notify = move || {
            notifier
                .upgrade()
                .into_iter()
                .for_each(|selector| selector.notify())
        };
        let awaits_last_handle = clock.is_virtual();
        let scheduler = Scheduler::with_notify(clock, Box::new(notify));
        Ok(Self(Rc::new(Shared {
            entrance: Entrance::new(scheduler.injector(), awaits_last_handle),
            scheduler,
            watchers,
            pace: Pace::new(),
            running: Cell::new(false),
            stopping: Stopping::default(),
            closing: Cell::new(false),
            extension: RefCell::new(None),
            exception_handler: RefCell::new(None),
            interruptible: Cell::new(interruptible),
            waiting,
            signals: Rc::default(),
            inspection: Inspection::new(debug, Location::caller()),
            idle: Idle::default(),
        })))
    }

    /// Returns the scheduler: the ready queue, the timers and the clock.
    #[must_use]
    #[inline]
    pub fn scheduler(&self) -> &Scheduler {
        &self.0.scheduler
    }

    /// Returns the time since the epoch of the loop's clock.
    #[must_use]
    #[inline]
    pub fn time(&self) -> Duration {
        self.scheduler().time()
    }

    /// Runs `callback` in the next iteration, in a copy of the current context.
    ///
    /// See [asyncio's `call_soon`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_soon).
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed.
    #[track_caller]
    #[inline]
    pub fn call_soon(&self, callback: impl FnOnce() + 'static) -> Result<Handle, ClosedError> {
        self.scheduler().call_soon(callback)
    }

    /// Runs `callback` in the next iteration, in `context` itself.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed.
    #[track_caller]
    #[inline]
    pub fn call_soon_in(
        &self,
        context: &Context,
        callback: impl FnOnce() + 'static,
    ) -> Result<Handle, ClosedError> {
        self.scheduler().call_soon_in(context, callback)
    }

    /// Runs `callback` after `delay`, in a copy of the current context.
    ///
    /// See [asyncio's `call_later`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_later).
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed.
    #[track_caller]
    #[inline]
    pub fn call_later(
        &self,
        delay: Duration,
        callback: impl FnOnce() + 'static,
    ) -> Result<TimerHandle, ClosedError> {
        self.scheduler().call_later(delay, callback)
    }

    /// Runs `callback` after `delay`, in `context` itself.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed.
    #[track_caller]
    #[inline]
    pub fn call_later_in(
        &self,
        context: &Context,
        delay: Duration,
        callback: impl FnOnce() + 'static,
    ) -> Result<TimerHandle, ClosedError> {
        self.scheduler().call_later_in(context, delay, callback)
    }

    /// Runs `callback` at `when` on the loop's clock, in a copy of the current context.
    ///
    /// See [asyncio's `call_at`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_at).
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed.
    #[track_caller]
    #[inline]
    pub fn call_at(
        &self,
        when: Duration,
        callback: impl FnOnce() + 'static,
    ) -> Result<TimerHandle, ClosedError> {
        self.scheduler().call_at(when, callback)
    }

    /// Runs `callback` at `when` on the loop's clock, in `context` itself.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed.
    #[track_caller]
    #[inline]
    pub fn call_at_in(
        &self,
        context: &Context,
        when: Duration,
        callback: impl FnOnce() + 'static,
    ) -> Result<TimerHandle, ClosedError> {
        self.scheduler().call_at_in(context, when, callback)
    }

    /// Returns a handle to this loop for other threads.
    #[must_use]
    pub fn handle(&self) -> LoopHandle {
        LoopHandle::new(self.entrance())
    }

    /// Counts work that another thread does for this loop, until the guard is dropped: a virtual clock stands still meanwhile.
    pub fn in_flight(&self) -> InFlight {
        InFlight::new(self.handle())
    }

    /// Runs `callback` in the next iteration, behind whatever other threads have sent: [`LoopHandle::call_soon_threadsafe`] for the loop's own thread.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed.
    #[track_caller]
    pub fn call_soon_threadsafe(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<(), ClosedError> {
        self.scheduler().receive();
        self.call_soon(callback).map(drop)
    }

    /// Runs `callback` whenever `fd` is readable, in place of an earlier reader of the same descriptor.
    ///
    /// Level-triggered: it runs in every iteration for as long as there is something to read, or a hang-up or an error to be seen.
    /// It runs in a copy of the current context, which it keeps from one run to the next.
    ///
    /// The loop owns `fd` until the reader is removed, so that the descriptor cannot be closed meanwhile; share it with an `Rc` or an `Arc`.
    ///
    /// See [asyncio's `add_reader`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_reader).
    ///
    /// # Errors
    ///
    /// What the operating system says, for instance that a file on disk cannot be watched; or a [`ClosedError`] when the loop is closed.
    #[track_caller]
    pub fn add_reader(
        &self,
        fd: impl AsFd + 'static,
        callback: impl FnMut() + 'static,
    ) -> io::Result<()> {
        self.add_watcher(Direction::Read, fd, callback)
    }

    /// Runs `callback` whenever `fd` is writable; as [`add_reader`](Self::add_reader) in all else.
    ///
    /// # Errors
    ///
    /// As [`add_reader`](Self::add_reader).
    #[track_caller]
    pub fn add_writer(
        &self,
        fd: impl AsFd + 'static,
        callback: impl FnMut() + 'static,
    ) -> io::Result<()> {
        self.add_watcher(Direction::Write, fd, callback)
    }

    /// Removes the reader of `fd`, and says whether there was one; from here on it does not run, even if it was due.
    pub fn remove_reader(&self, fd: impl AsFd) -> bool {
        self.watchers().remove(Direction::Read, fd)
    }

    /// Removes the writer of `fd`, and says whether there was one; from here on it does not run, even if it was due.
    pub fn remove_writer(&self, fd: impl AsFd) -> bool {
        self.watchers().remove(Direction::Write, fd)
    }

    /// Closes the loop: drops its callbacks, timers and watchers, closes its descriptors and refuses whatever comes later.
    ///
    /// Closing a closed loop does nothing.
    ///
    /// # Errors
    ///
    /// An error that [`is_running`](RunError::is_running) while the loop runs.
    pub fn close(&self) -> Result<(), RunError> {
        if self.is_running() {
            return Err(RunError::CLOSE_RUNNING);
        }
        self.0.close();
        Ok(())
    }

    /// Says whether the loop is running, or inside a single step.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.0.running.get()
    }

    /// Says whether the loop is closed.
    #[must_use]
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.scheduler().is_closed()
    }

    /// Sets who is told of errors that nobody can be given; none means the default handler.
    ///
    /// See [asyncio's `set_exception_handler`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.set_exception_handler).
    pub fn set_exception_handler(&self, handler: Option<ExceptionHandler>) {
        let replaced = self.0.exception_handler.replace(handler);
        drop(replaced);
    }

    /// Returns the handler that was set.
    #[must_use]
    pub fn get_exception_handler(&self) -> Option<ExceptionHandler> {
        self.0.exception_handler.borrow().clone()
    }

    /// Gives a report to the exception handler; one that panics is itself reported, to the default handler.
    pub fn call_exception_handler(&self, context: &ExceptionContext) {
        exceptions::call(self.get_exception_handler(), self, context);
    }

    /// Logs a report as an error to `tracing`, or to standard error where no subscriber was ever set.
    pub fn default_exception_handler(&self, context: &ExceptionContext) {
        exceptions::report(context);
    }

    /// Hangs a layer above into the loop; one that comes while the loop runs is told at once that it has started.
    ///
    /// A loop has one extension: a second one takes the place of the first, from the next run on.
    pub fn set_extension(&self, extension: Weak<dyn Extension>) {
        let replaced = self.0.extension.replace(Some(extension));
        drop(replaced);
        if self.is_running()
            && let Some(extension) = self.extension()
        {
            extension.started();
        }
    }

    #[track_caller]
    fn add_watcher(
        &self,
        direction: Direction,
        fd: impl AsFd + 'static,
        callback: impl FnMut() + 'static,
    ) -> io::Result<()> {
        self.watchers().add(direction, fd, callback)?;
        self.pace().hurry();
        Ok(())
    }
}

/// What the other modules of this crate need of a loop.
impl EventLoop {
    pub(crate) fn watchers(&self) -> &Watchers {
        &self.0.watchers
    }

    pub(crate) fn downgrade(&self) -> WeakEventLoop {
        WeakEventLoop(Rc::downgrade(&self.0))
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    pub(crate) fn idle(&self) -> &Idle {
        &self.0.idle
    }

    pub(crate) fn entrance(&self) -> &Arc<Entrance> {
        &self.0.entrance
    }

    pub(crate) fn extension(&self) -> Option<Rc<dyn Extension>> {
        self.0.extension()
    }

    pub(crate) fn interruptible(&self) -> &Cell<bool> {
        &self.0.interruptible
    }

    pub(crate) fn waiting(&self) -> Waiting {
        self.0.waiting
    }

    pub(crate) fn signals(&self) -> &Rc<Signals> {
        &self.0.signals
    }

    #[inline]
    pub(crate) fn inspection(&self) -> &Inspection {
        &self.0.inspection
    }

    pub(crate) fn stopping(&self) -> &Stopping {
        &self.0.stopping
    }

    /// A run begins or ends.
    pub(crate) fn set_running(&self, running: bool) {
        self.0.running.set(running);
        match running {
            true => self.stopping().begin(),
            false => self.stopping().end(),
        }
    }
}

impl WeakEventLoop {
    pub(crate) fn upgrade(&self) -> Option<EventLoop> {
        self.0.upgrade().map(EventLoop)
    }
}

impl Shared {
    fn extension(&self) -> Option<Rc<dyn Extension>> {
        self.extension.borrow().as_ref().and_then(Weak::upgrade)
    }

    /// Lets the layer above drop what it owns, then drops what is left.
    fn close(&self) {
        if self.closing.replace(true) {
            return;
        }
        if let Some(extension) = self.extension() {
            extension.closing();
        }
        // A destructor that panics is heard of when all is closed.
        let closed = catch_unwind(AssertUnwindSafe(|| self.scheduler.close()));
        self.idle.close();
        self.watchers.close();
        self.signals.close();
        closed.unwrap_or_else(|payload| resume_unwind(payload));
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if !self.closing.get() {
            self.inspection.warn_unclosed_loop();
        }
        self.close();
    }
}

impl PartialEq for EventLoop {
    /// Says whether both own the same loop.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for EventLoop {}

impl fmt::Debug for EventLoop {
    /// Writes `<EventLoop running=false closed=false>`, in debug mode with `debug=true` behind it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let debug = if self.get_debug() { " debug=true" } else { "" };
        write!(
            f,
            "<EventLoop running={} closed={}{debug}>",
            self.is_running(),
            self.is_closed()
        )
    }
}
