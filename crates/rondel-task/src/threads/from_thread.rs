//! `from_thread`: what a call on another thread may ask of the loop that has it called.
//!
//! A call is what [`to_thread`](crate::to_thread()), [`ToThread`](crate::ToThread) or
//! [`run_in_executor`](crate::EventLoop::run_in_executor) hands to a thread. Other threads use a
//! [`LoopHandle`](rondel_reactor::LoopHandle) or a [`BlockingPortal`](crate::BlockingPortal).
//!
//! # Invariants
//! - I1: While a call waits for its loop it does not count as work in flight, so that a virtual clock may go on; the loop counts
//!   it again before it answers.
//!
//! # asyncio
//! It has none. These are `trio.from_thread` and `anyio.from_thread`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rondel_future::CancelledError;
use rondel_reactor::{InFlight, LoopHandle};

use crate::exception::{Exception, Result};
use crate::running;
use crate::task_group::caught;
use crate::threads::chain::run_coroutine_threadsafe;

thread_local! {
    /// Whose call this thread is running.
    static HOST: RefCell<Option<Rc<Host>>> = const { RefCell::new(None) };
}

/// The loop that waits for a call, as seen from the thread that runs it.
struct Host {
    event_loop: LoopHandle,
    is_cancelled: Box<dyn Fn() -> bool>,
    in_flight: Cell<Option<InFlight>>,
}

/// Calls `f` as a call of `event_loop`; gives the work in flight back.
pub(crate) fn hosted<R>(
    event_loop: LoopHandle,
    in_flight: InFlight,
    is_cancelled: impl Fn() -> bool + 'static,
    f: impl FnOnce() -> R,
) -> (R, Option<InFlight>) {
    let host = Rc::new(Host {
        event_loop,
        is_cancelled: Box::new(is_cancelled),
        in_flight: Cell::new(Some(in_flight)),
    });
    let outside = replace(Some(host.clone()));
    let returned = f();
    drop(replace(outside));
    (returned, host.in_flight.take())
}

/// Nobody asks any more while the thread's locals are torn down.
fn replace(host: Option<Rc<Host>>) -> Option<Rc<Host>> {
    HOST.try_with(|current| current.replace(host))
        .ok()
        .flatten()
}

fn host() -> Result<Rc<Host>> {
    let host = HOST.try_with(|host| host.borrow().clone()).ok().flatten();
    host.ok_or_else(|| Exception::runtime("this thread runs no call of an event loop"))
}

/// Tells a call on another thread whether it was cancelled: because the task that waits for it was, or has left.
///
/// Work that takes long asks now and then and lets the error end it.
///
/// Mirrors AnyIO's
/// [`from_thread.check_cancelled`](https://anyio.readthedocs.io/en/stable/api.html#anyio.from_thread.check_cancelled).
///
/// # Errors
/// `CancelledError` if it was; `RuntimeError` in a thread that runs no call of a loop.
///
/// # Examples
/// ```
/// use rondel_task::{from_thread, run, to_thread};
///
/// run(to_thread(|| {
///     for _chunk in 0..3 {
///         from_thread::check_cancelled()?;
///     }
///     Ok(())
/// })).unwrap();
/// assert!(from_thread::check_cancelled().is_err());
/// ```
pub fn check_cancelled() -> Result<()> {
    match (host()?.is_cancelled)() {
        true => Err(CancelledError::new().into()),
        false => Ok(()),
    }
}

/// Runs a coroutine as a task of the loop that waits for this call, and blocks this thread until it has ended.
///
/// The time of a virtual clock goes on meanwhile. Once it has begun, the coroutine runs to its end, also if the call is cancelled.
///
/// Mirrors AnyIO's [`from_thread.run`](https://anyio.readthedocs.io/en/stable/api.html#anyio.from_thread.run).
///
/// # Errors
/// What the coroutine raised, or its panic; `CancelledError` if the call is [cancelled](check_cancelled) already; `ClosedError` if
/// the loop is closed, before or meanwhile; `RuntimeError` in a thread that runs no call of a loop.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{from_thread, run_virtual, sleep_result, to_thread};
///
/// let answer = run_virtual(to_thread(|| {
///     from_thread::run(|| sleep_result(Duration::from_secs(3600), 42))
/// }));
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[track_caller]
pub fn run<T, C, F>(make: F) -> Result<T>
where
    T: Send + 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
    F: FnOnce() -> C + Send + 'static,
{
    let host = host()?;
    check_cancelled()?;
    let counted_again = move || {
        let coroutine = make();
        async move {
            let outcome = caught(coroutine).await;
            let in_flight = running::running_core()?.reactor().in_flight();
            Ok((outcome, in_flight))
        }
    };
    let answer = run_coroutine_threadsafe(counted_again, &host.event_loop)?;
    // Behind what was sent (I1).
    drop(host.in_flight.take());
    let (outcome, in_flight) = answer.take_result(None)?;
    host.in_flight.set(Some(in_flight));
    outcome
}

/// Calls a function on the thread of the loop that waits for this call, and blocks this thread until it has returned.
///
/// Mirrors AnyIO's [`from_thread.run_sync`](https://anyio.readthedocs.io/en/stable/api.html#anyio.from_thread.run_sync).
///
/// # Errors
/// As [`run`].
#[track_caller]
pub fn run_sync<T, F>(f: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    run(move || async move { f() })
}
