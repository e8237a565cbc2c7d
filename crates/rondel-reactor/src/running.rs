//! Which loop runs on this thread.
//!
//! At most one does: a run, or a single step, holds a [`Running`], and a second one is refused.
//!
//! # asyncio
//!
//! `_run_forever_setup`, `_run_forever_cleanup` and `get_running_loop`.

use std::cell::{Cell, RefCell};

use crate::{EventLoop, NoRunningLoopError, RunError};

thread_local! {
    static RUNNING: RefCell<Option<EventLoop>> = const { RefCell::new(None) };
}

/// Whether a run is to end, and whether the last one ended for that.
#[derive(Default)]
pub(crate) struct Stopping {
    requested: Cell<bool>,
    fulfilled: Cell<bool>,
}

impl Stopping {
    /// A run begins.
    pub(crate) fn begin(&self) {
        self.fulfilled.set(false);
    }

    /// A run has ended, and with it a request is fulfilled.
    pub(crate) fn end(&self) {
        self.fulfilled.set(self.requested.take());
    }
}

/// Returns the event loop that runs on this thread.
///
/// See [asyncio's `get_running_loop`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.get_running_loop).
///
/// # Errors
///
/// [`NoRunningLoopError`] outside of callbacks, on another thread, and while the thread's locals are torn down.
///
/// # Examples
///
/// ```
/// use rondel_reactor::{EventLoop, get_running_loop};
///
/// assert!(get_running_loop().is_err());
/// let event_loop = EventLoop::new()?;
/// event_loop.call_soon(|| get_running_loop().expect("it runs this callback").stop())?;
/// event_loop.run_forever()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn get_running_loop() -> Result<EventLoop, NoRunningLoopError> {
    let running = RUNNING.try_with(|running| running.borrow().clone());
    running.ok().flatten().ok_or(NoRunningLoopError)
}

impl EventLoop {
    /// Ends the run after the current iteration; when none is running, the next run ends after its first iteration.
    ///
    /// See [asyncio's `stop`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.stop).
    pub fn stop(&self) {
        self.stopping().requested.set(true);
    }

    /// Says whether [`stop`](Self::stop) has ended the last run or step: for a foreign loop that steps this one.
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        self.stopping().fulfilled.get()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping().requested.get()
    }

    /// Tells whether a run could begin now, as [`run_forever`](EventLoop::run_forever) does before anything else.
    ///
    /// # Errors
    ///
    /// That the loop is closed, is running, or that another loop runs on this thread.
    pub fn check_can_run(&self) -> Result<(), RunError> {
        if self.is_closed() {
            return Err(RunError::CLOSED);
        }
        if self.is_running() {
            return Err(RunError::RUNNING);
        }
        match get_running_loop() {
            Ok(_) => Err(RunError::NESTED),
            Err(NoRunningLoopError) => Ok(()),
        }
    }
}

/// The right to iterate; dropping it restores what was before, on unwinding too (I5).
pub(crate) struct Running<'a>(&'a EventLoop);

impl<'a> Running<'a> {
    pub(crate) fn enter(event_loop: &'a EventLoop) -> Result<Self, RunError> {
        event_loop.check_can_run()?;
        make_current(Some(event_loop.clone()));
        event_loop.set_running(true);
        let running = Self(event_loop);
        if let Some(extension) = event_loop.extension() {
            extension.started();
        }
        event_loop.call_instruments(|instrument| instrument.before_run());
        Ok(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set_running(false);
        make_current(None);
        if let Some(extension) = self.0.extension() {
            extension.stopped();
        }
        self.0.call_instruments(|instrument| instrument.after_run());
    }
}

/// Does nothing while the thread's locals are torn down: nobody can ask any more.
fn make_current(event_loop: Option<EventLoop>) {
    let previous = RUNNING.try_with(|running| running.replace(event_loop));
    drop(previous);
}
