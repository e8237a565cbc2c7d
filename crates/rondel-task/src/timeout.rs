//! `timeout`: a deadline for a block of code, by cancelling the task that runs it.
//!
//! # Invariants
//! - I1: A scope that is left has no timer any more, also when its coroutine is dropped.
//! - I2: Only a cancellation that the scope itself has asked for becomes a `TimeoutError`: on leaving it takes its request back,
//!   and one more than there were on entering is somebody else's.
//!
//! # asyncio
//! [`asyncio.timeout`](https://docs.python.org/3/library/asyncio-task.html#asyncio.timeout), `asyncio.timeout_at`,
//! `asyncio.Timeout`. An `async with` block is an async closure here.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use rondel_sched::{Handle, TimerHandle};

use crate::cancel::cancel_from;
use crate::cell::AnyFuture;
use crate::error::TimeoutError;
use crate::exception::{Exception, Result};
use crate::running;
use crate::shielded::Shields;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Expiring,
    Expired,
    Finished,
}

/// A deadline that is in force: what the block of [`timeout`] gets. Clones are the same.
///
/// Mirrors [`asyncio.Timeout`](https://docs.python.org/3/library/asyncio-task.html#asyncio.Timeout).
#[derive(Clone)]
pub struct Timeout(Rc<Scope>);

struct Scope {
    state: Cell<State>,
    when: Cell<Option<Duration>>,
    timer: RefCell<Option<Pending>>,
    task: AnyFuture,
    /// The open requests to cancel the task when the scope was entered.
    cancelling: u32,
    /// The shields that the task was behind then.
    shields: u32,
}

/// What will call `on_timeout`.
enum Pending {
    Soon(Handle),
    At(TimerHandle),
}

impl Timeout {
    fn enter(when: Option<Duration>) -> Result<Self> {
        let task = running::core().and_then(|core| core.current_task());
        let Some(task) = task else {
            return Err(Exception::runtime(
                "a timeout can be used inside a task only",
            ));
        };
        let (cancelling, shields) = task.task_state().map_or((0, 0), |state| {
            (state.cancelling(), state.with_shields(Shields::depth))
        });
        let scope = Self(Rc::new(Scope {
            state: Cell::new(State::Active),
            when: Cell::new(None),
            timer: RefCell::new(None),
            task,
            cancelling,
            shields,
        }));
        scope.reschedule(when)?;
        Ok(scope)
    }

    /// Returns the deadline, in the loop's time; `None` is none.
    pub fn when(&self) -> Option<Duration> {
        self.0.when.get()
    }

    /// Returns true once the deadline has passed while the block was running.
    pub fn expired(&self) -> bool {
        matches!(self.0.state.get(), State::Expiring | State::Expired)
    }

    /// Moves the deadline to `when`, in the loop's time ([`EventLoop::time`](rondel_reactor::EventLoop::time)); `None` lifts it.
    ///
    /// # Errors
    /// `RuntimeError` if the deadline has passed or the block was left; `ClosedError` if the loop is closed.
    pub fn reschedule(&self, when: Option<Duration>) -> Result<()> {
        if self.0.state.get() != State::Active {
            return Err(Exception::runtime(
                "cannot change a timeout that has expired or was left",
            ));
        }
        self.0.when.set(when);
        self.0.cancel_timer();
        let Some(when) = when else {
            return Ok(());
        };
        let scope = Rc::downgrade(&self.0);
        let on_timeout = move || {
            if let Some(scope) = scope.upgrade() {
                scope.on_timeout();
            }
        };
        let scheduler = self.0.task.core().scheduler();
        let pending = if when <= scheduler.time() {
            Pending::Soon(scheduler.call_soon(on_timeout)?)
        } else {
            Pending::At(scheduler.call_at(when, on_timeout)?)
        };
        *self.0.timer.borrow_mut() = Some(pending);
        Ok(())
    }

    /// Leaves the scope with what the block gave (I2).
    fn exit<T>(&self, outcome: Result<T>) -> Result<T> {
        let scope = &self.0;
        scope.cancel_timer();
        if scope.state.get() != State::Expiring {
            scope.state.set(State::Finished);
            return outcome;
        }
        scope.state.set(State::Expired);
        let left = scope.task.task_state().map_or(0, |state| state.uncancel());
        match outcome {
            Err(error) if error.is_cancelled() && left <= scope.cancelling => {
                Err(TimeoutError.into())
            }
            outcome => outcome,
        }
    }
}

impl Scope {
    fn on_timeout(&self) {
        let called = self.timer.take();
        drop(called);
        cancel_from(&self.task, self.shields, None);
        self.state.set(State::Expiring);
    }

    fn cancel_timer(&self) {
        match self.timer.take() {
            Some(Pending::Soon(handle)) => handle.cancel(),
            Some(Pending::At(timer)) => timer.cancel(),
            None => {}
        }
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("state", &self.0.state.get())
            .field("when", &self.0.when.get())
            .finish_non_exhaustive()
    }
}

/// Leaves the scope when its coroutine is dropped in the middle of it (I1).
struct LeaveOnDrop(Timeout);

impl Drop for LeaveOnDrop {
    fn drop(&mut self) {
        let scope = &self.0.0;
        if matches!(scope.state.get(), State::Active | State::Expiring) {
            // What it would have given interests nobody: only the request to cancel is taken back.
            let _ = self.0.exit(Ok(()));
        }
    }
}

/// Runs a block of code for at most `delay`; `None` sets no deadline, which [`Timeout::reschedule`] may do later.
///
/// At the deadline the task is cancelled, and the `CancelledError` that leaves the block becomes a [`TimeoutError`].
///
/// Mirrors [`asyncio.timeout`](https://docs.python.org/3/library/asyncio-task.html#asyncio.timeout).
///
/// # Errors
/// What the block gives; [`TimeoutError`] if the deadline ended it; `RuntimeError` outside of a task.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{run, sleep, timeout};
///
/// let late = run(timeout(Duration::from_millis(1), async |_scope| {
///     sleep(Duration::from_secs(3600)).await
/// }));
/// assert!(late.unwrap_err().is_timeout());
/// ```
pub async fn timeout<T>(
    delay: impl Into<Option<Duration>>,
    block: impl AsyncFnOnce(Timeout) -> Result<T>,
) -> Result<T> {
    let when = match delay.into() {
        Some(delay) => Some(
            running::running_core()?
                .scheduler()
                .time()
                .saturating_add(delay),
        ),
        None => None,
    };
    timeout_at(when, block).await
}

/// As [`timeout`], with a deadline in the loop's time ([`EventLoop::time`](rondel_reactor::EventLoop::time)).
///
/// Mirrors [`asyncio.timeout_at`](https://docs.python.org/3/library/asyncio-task.html#asyncio.timeout_at).
///
/// # Errors
/// As [`timeout`].
pub async fn timeout_at<T>(
    when: impl Into<Option<Duration>>,
    block: impl AsyncFnOnce(Timeout) -> Result<T>,
) -> Result<T> {
    let scope = Timeout::enter(when.into())?;
    let _leave = LeaveOnDrop(scope.clone());
    let outcome = block(scope.clone()).await;
    scope.exit(outcome)
}
