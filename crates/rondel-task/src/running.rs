//! Which loop runs on this thread, and which one was set for it.
//!
//! # asyncio
//! `events.get_running_loop`, `get_event_loop`, `set_event_loop`. There is no event loop policy: CPython 3.14 deprecates it.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::Waker;

use rondel_reactor::NoRunningLoopError;
use rondel_sched::Token;

use crate::awaiter::cancelled_error_of_current_task;
use crate::core::Core;
use crate::error::RuntimeError;
use crate::event_loop::EventLoop;
use crate::exception::Exception;
use crate::slab::loop_of;
use crate::waker;

thread_local! {
    /// Without a destructor, which would be asked for at every look: whoever ends a run takes its loop out.
    static RUNNING: RefCell<ManuallyDrop<Option<Rc<Core>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
    static EVENT_LOOP: RefCell<Option<EventLoop>> = const { RefCell::new(None) };
}

/// The loop that runs on this thread.
#[inline]
pub(crate) fn core() -> Option<Rc<Core>> {
    RUNNING.with(|running| running.borrow().as_ref().cloned())
}

/// Looks at the loop that runs on this thread; `f` runs no code of the user.
#[inline]
pub(crate) fn with_core<R>(f: impl FnOnce(&Core) -> Option<R>) -> Option<R> {
    RUNNING.with(|running| running.borrow().as_deref().and_then(f))
}

/// The error that the leaf being polled is to return, if there is one.
#[inline]
pub(crate) fn take_throw() -> Option<Exception> {
    with_core(|core| {
        core.take_throw()
            .then(|| cancelled_error_of_current_task(core))
    })
}

/// Has the task that `waker` wakes stepped once more in the next iteration; or gives the error that its leaf is to return.
#[inline]
pub(crate) fn yield_now(waker: &Waker) -> Option<Exception> {
    enum Done {
        Thrown(Exception),
        Scheduled,
    }
    let done = with_core(|core| {
        if core.take_throw() {
            return Some(Done::Thrown(cancelled_error_of_current_task(core)));
        }
        let token = waker::token(waker).filter(|token| core.is_current(*token))?;
        core.schedule(token);
        Some(Done::Scheduled)
    });
    match done {
        Some(Done::Thrown(error)) => Some(error),
        Some(Done::Scheduled) => None,
        None => {
            waker.wake_by_ref();
            None
        }
    }
}

/// Makes `core` the running loop, or none; gives the one before.
pub(crate) fn replace(core: Option<Rc<Core>>) -> Option<Rc<Core>> {
    ManuallyDrop::into_inner(RUNNING.replace(ManuallyDrop::new(core)))
}

/// Schedules the token's task if its loop runs on this thread; false if it does not.
#[inline]
pub(crate) fn schedule(token: Token) -> bool {
    RUNNING.with(|running| match &**running.borrow() {
        Some(core) if core.id() == loop_of(token) => {
            core.schedule(token);
            true
        }
        _ => false,
    })
}

#[inline]
pub(crate) fn running_core() -> Result<Rc<Core>, NoRunningLoopError> {
    core().ok_or(NoRunningLoopError)
}

/// Returns the loop that runs on this thread.
///
/// Mirrors [`asyncio.get_running_loop`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.get_running_loop).
///
/// # Errors
/// `NoRunningLoopError` outside of the coroutines and callbacks of a loop.
///
/// # Examples
/// ```
/// assert!(rondel_task::get_running_loop().is_err());
/// let in_coroutine = rondel_task::run(async { Ok(rondel_task::get_running_loop().is_ok()) });
/// assert!(in_coroutine.unwrap());
/// ```
pub fn get_running_loop() -> Result<EventLoop, NoRunningLoopError> {
    running_core().map(EventLoop::from_core)
}

/// Returns the running loop, or the one that [`set_event_loop`] has set for this thread.
///
/// Mirrors [`asyncio.get_event_loop`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.get_event_loop) as
/// CPython 3.14 has it: it never makes a loop.
///
/// # Errors
/// `RuntimeError` if there is neither.
pub fn get_event_loop() -> Result<EventLoop, RuntimeError> {
    if let Some(core) = core() {
        return Ok(EventLoop::from_core(core));
    }
    EVENT_LOOP
        .try_with(|set| set.borrow().clone())
        .ok()
        .flatten()
        .ok_or_else(|| RuntimeError::new("there is no current event loop in this thread"))
}

/// Sets the loop that [`get_event_loop`] returns on this thread while none runs; `None` unsets it.
///
/// The thread keeps the loop open until it ends or another one is set.
///
/// Mirrors [`asyncio.set_event_loop`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.set_event_loop).
pub fn set_event_loop(event_loop: Option<&EventLoop>) {
    let before = EVENT_LOOP.try_with(|set| set.replace(event_loop.cloned()));
    drop(before);
}
