//! `EventLoop`: the reactor's loop with futures and tasks.
//!
//! Callbacks, timers, file descriptors, running and stopping are the reactor's, and reached through `Deref`; this adds what
//! makes and awaits futures.
//!
//! # asyncio
//! [Event loop](https://docs.python.org/3/library/asyncio-eventloop.html). A loop is closed when its last handle goes.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::panic::Location;
use std::rc::{Rc, Weak};

use rondel_context::Context;
use rondel_reactor::{ExceptionContext, ExceptionHandler};
use rondel_sched::{Clock, ClosedError};

use crate::body;
use crate::core::Core;
use crate::ensure_future::EnsureFuture;
use crate::exception::{Exception, Result};
use crate::flags::Flag;
use crate::future::Future;
use crate::task::Task;
use crate::task_options::TaskOptions;

/// An event loop: a cheap handle, of which clones are the same loop.
///
/// # Examples
/// ```
/// use rondel_task::EventLoop;
///
/// let event_loop = EventLoop::new()?;
/// let future = event_loop.create_future::<i32>();
/// let done = future.clone();
/// event_loop.call_soon(move || done.set_result(42).unwrap())?;
/// assert_eq!(event_loop.run_until_complete(&future)?, 42);
/// event_loop.close()?;
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub struct EventLoop {
    core: Rc<Core>,
}

impl EventLoop {
    /// Makes a loop with the monotonic clock and the platform's selector.
    ///
    /// # Errors
    /// When the operating system gives no file descriptors for the selector.
    #[track_caller]
    pub fn new() -> io::Result<Self> {
        Self::on(rondel_reactor::EventLoop::new()?)
    }

    /// Makes a loop that tells the time by `clock`, for instance a [`VirtualClock`](rondel_sched::VirtualClock) in a test.
    ///
    /// # Errors
    /// As [`EventLoop::new`].
    #[track_caller]
    pub fn with_clock(clock: impl Clock + 'static) -> io::Result<Self> {
        Self::on(rondel_reactor::EventLoop::builder().clock(clock).build()?)
    }

    /// Makes a loop with the choices of a builder: clock, way of waiting for descriptors, Ctrl-C.
    ///
    /// # Errors
    /// As [`EventLoop::new`].
    ///
    /// # Examples
    /// ```
    /// use rondel_reactor::{Backend, Builder};
    /// use rondel_task::EventLoop;
    ///
    /// let event_loop = EventLoop::build(Builder::new().backend(Backend::Polling).interruptible(false))?;
    /// assert_eq!(event_loop.run_until_complete(async { Ok(1) })?, 1);
    /// # Ok::<(), rondel_task::Exception>(())
    /// ```
    #[track_caller]
    pub fn build(builder: rondel_reactor::Builder) -> io::Result<Self> {
        Self::on(builder.build()?)
    }

    /// Adds futures and tasks to a reactor's loop.
    ///
    /// # Errors
    /// When 16,384 loops are open.
    pub fn on(reactor: rondel_reactor::EventLoop) -> io::Result<Self> {
        Ok(Self::from_core(Core::new(reactor)?))
    }

    pub(crate) fn from_core(core: Rc<Core>) -> Self {
        core.owners().set(core.owners().get() + 1);
        Self { core }
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    /// Returns true if both are handles of the same loop.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.core, &other.core)
    }

    /// Makes a pending future that belongs to this loop.
    ///
    /// Mirrors [`loop.create_future`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_future).
    ///
    /// In debug mode it shows where it was made.
    #[track_caller]
    pub fn create_future<T: 'static>(&self) -> Future<T> {
        let future = body::plain::<T>(self.core.clone());
        Future::from_any(future.made_at(Location::caller()))
    }

    /// Schedules a coroutine as a task, in a copy of the current context.
    ///
    /// Mirrors [`loop.create_task`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_task).
    ///
    /// # Errors
    /// `ClosedError` if the loop is closed; the coroutine is dropped.
    #[track_caller]
    pub fn create_task<T, C>(&self, coroutine: C) -> Result<Task<T>, ClosedError>
    where
        T: 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
    {
        let task = self
            .core
            .spawn(coroutine, rondel_context::capture(), Location::caller())?;
        Ok(Task::from_any(task))
    }

    /// As [`create_task`](Self::create_task), in a context that the task shares with whoever else has it.
    ///
    /// # Errors
    /// `ClosedError` if the loop is closed; the coroutine is dropped.
    #[track_caller]
    pub fn create_task_in<T, C>(
        &self,
        context: &Context,
        coroutine: C,
    ) -> Result<Task<T>, ClosedError>
    where
        T: 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
    {
        let task = self
            .core
            .spawn(coroutine, Some(context.clone()), Location::caller())?;
        Ok(Task::from_any(task))
    }

    /// As [`create_task`](Self::create_task), with a name, a context or a start of choice.
    ///
    /// # Errors
    /// `ClosedError` if the loop is closed; the coroutine is dropped.
    #[track_caller]
    pub fn create_task_with<T, C>(
        &self,
        options: TaskOptions,
        coroutine: C,
    ) -> Result<Task<T>, ClosedError>
    where
        T: 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
    {
        let options = options.or_current_context();
        let task = self
            .core
            .spawn_with(coroutine, options, Location::caller())?;
        Ok(Task::from_any(task))
    }

    /// Runs the loop until `future`, which may be a coroutine, is done, and gives its outcome.
    ///
    /// Mirrors
    /// [`loop.run_until_complete`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_until_complete).
    ///
    /// # Errors
    /// What the future raised. Besides: [`RunError`](rondel_reactor::RunError) if the loop is closed, runs already, another
    /// loop runs on this thread, a Ctrl-C came ([`Exception::is_interrupted`]), or nothing is left that could complete the
    /// future under a virtual clock; `RuntimeError` if the loop was stopped before the future was done.
    #[track_caller]
    pub fn run_until_complete<F: EnsureFuture>(&self, future: F) -> Result<F::Output> {
        self.check_can_run()?;
        let is_new_task = F::IS_COROUTINE;
        let future = future.ensure_future_on(self)?;
        if is_new_task && let Some(state) = future.any().task_state() {
            // What it comes to is returned, also where it did not complete.
            state.flags.clear(Flag::LogDestroyPending);
        }
        let ran = self.run_until_done(&future);
        if ran.is_err() && is_new_task {
            // Its caller hears of the failed run and has no handle of the task.
            future.any().retrieve();
        }
        ran?;
        F::claim(future)
    }

    /// Runs the loop until the future is done, whatever it comes to.
    pub(crate) fn run_until_done<T: 'static>(&self, future: &Future<T>) -> Result<()> {
        let stopping = self.downgrade();
        let failed = Rc::new(Cell::new(false));
        let has_failed = failed.clone();
        let stop = future.add_done_callback(move |_| {
            if let Some(event_loop) = stopping.upgrade().filter(|_| !has_failed.get()) {
                event_loop.stop();
            }
        })?;
        let ran = self.run_forever();
        future.remove_done_callback(&stop);
        // Where a Ctrl-C came in between it may be scheduled already, and is not to stop the next run.
        failed.set(ran.is_err());
        ran?;
        if !future.done() {
            return Err(Exception::runtime(
                "event loop stopped before the future completed",
            ));
        }
        Ok(())
    }

    /// Sets who hears of exceptions that nobody else handles; `None` sets the default, which logs them.
    ///
    /// The handler is called where the exception turns up, between or within callbacks, and not as a callback. It gets the loop
    /// as its argument; one that holds a handle of its own keeps the loop's memory.
    ///
    /// Mirrors
    /// [`loop.set_exception_handler`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.set_exception_handler).
    pub fn set_exception_handler(
        &self,
        handler: Option<impl Fn(&EventLoop, &ExceptionContext) + 'static>,
    ) {
        let this = self.downgrade();
        let handler = handler.map(|handler| -> ExceptionHandler {
            Rc::new(move |_, context| {
                if let Some(event_loop) = this.upgrade() {
                    handler(&event_loop, context);
                }
            })
        });
        self.core.reactor().set_exception_handler(handler);
    }

    /// Makes a handle that keeps neither the loop open nor its memory: for what the loop itself owns, such as its callbacks.
    #[must_use]
    pub fn downgrade(&self) -> WeakEventLoop {
        WeakEventLoop(Rc::downgrade(&self.core))
    }
}

/// A handle of an [`EventLoop`] that does not keep it open.
///
/// # Examples
/// ```
/// use rondel_task::EventLoop;
///
/// let event_loop = EventLoop::new()?;
/// let weak = event_loop.downgrade();
/// assert!(weak.is(&event_loop));
/// assert!(weak.upgrade().is_some_and(|same| same.ptr_eq(&event_loop)));
/// drop(event_loop);
/// assert!(weak.upgrade().is_none());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct WeakEventLoop(Weak<Core>);

impl WeakEventLoop {
    /// Gives the loop, for as long as somebody keeps its memory; it may be closed.
    #[must_use]
    pub fn upgrade(&self) -> Option<EventLoop> {
        self.0.upgrade().map(EventLoop::from_core)
    }

    /// Returns true if this is a handle of that loop.
    #[must_use]
    pub fn is(&self, event_loop: &EventLoop) -> bool {
        self.is_of(&event_loop.core)
    }

    /// As `is`, for what a handle of the loop holds.
    #[inline]
    pub(crate) fn is_of(&self, core: &Rc<Core>) -> bool {
        std::ptr::eq(self.0.as_ptr(), Rc::as_ptr(core))
    }
}

impl fmt::Debug for WeakEventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(WeakEventLoop)")
    }
}

impl Deref for EventLoop {
    type Target = rondel_reactor::EventLoop;

    fn deref(&self) -> &Self::Target {
        self.core.reactor()
    }
}

impl Clone for EventLoop {
    fn clone(&self) -> Self {
        Self::from_core(self.core.clone())
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        let owners = self.core.owners();
        owners.set(owners.get() - 1);
        if owners.get() == 0 && !self.core.is_closing() {
            // The only error is that it runs, and who runs it holds a handle.
            let _ = self.core.reactor().close_unowned();
        }
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.reactor().fmt(f)
    }
}

/// Makes a loop; the same as [`EventLoop::new`].
///
/// Mirrors [`asyncio.new_event_loop`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.new_event_loop).
///
/// # Errors
/// As [`EventLoop::new`].
#[track_caller]
pub fn new_event_loop() -> io::Result<EventLoop> {
    EventLoop::new()
}
