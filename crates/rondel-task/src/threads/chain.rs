//! What ties a loop's future to one for threads: `run_coroutine_threadsafe` and `wrap_future`.
//!
//! The loop's future stays on its thread: a [`Completer`](crate::Completer) carries the outcome or the cancellation to it.
//!
//! # Invariants
//! - I1: A thread that waits for a coroutine is not left waiting: if the coroutine is dropped, that is the outcome.
//!
//! # asyncio
//! `futures._chain_future`, with the same order of events. A coroutine need not be `Send`, so it is made on the loop's thread;
//! and a loop that is closed before a coroutine ends gives `ClosedError`, where a Python thread waits for ever.

use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use rondel_reactor::LoopHandle;
use rondel_sched::ClosedError;

use crate::core::Core;
use crate::event_loop::EventLoop;
use crate::exception::Result;
use crate::future::Future;
use crate::running;
use crate::threads::concurrent::{self, Promise};

/// Runs a coroutine as a task of a loop in another thread, and returns a future that this thread can wait for.
///
/// `make` is called on the loop's thread, in a copy of the current context, and so is the coroutine that it gives. Cancelling the
/// future cancels the task; a task that is cancelled cancels the future.
///
/// Mirrors
/// [`asyncio.run_coroutine_threadsafe`](https://docs.python.org/3/library/asyncio-task.html#asyncio.run_coroutine_threadsafe).
///
/// # Errors
/// `ClosedError` if the loop is closed. The future ends with it if the loop is closed before the coroutine has ended.
///
/// # Examples
/// ```
/// use std::thread;
/// use std::time::Duration;
/// use rondel_task::{get_running_loop, run, run_coroutine_threadsafe, sleep_result, to_thread};
///
/// let answer = run(async {
///     let event_loop = get_running_loop()?.handle();
///     to_thread(move || {
///         let nap = || sleep_result(Duration::from_millis(1), 42);
///         run_coroutine_threadsafe(nap, &event_loop)?.result(None)
///     })
///     .await
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[track_caller]
pub fn run_coroutine_threadsafe<T, C, F>(
    make: F,
    event_loop: &LoopHandle,
) -> Result<concurrent::Future<T>, ClosedError>
where
    T: Send + 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
    F: FnOnce() -> C + Send + 'static,
{
    let created_at = Location::caller();
    let future = concurrent::Future::new();
    let promise = Promise {
        future: future.clone(),
        broken: || ClosedError.into(),
    };
    event_loop.call_soon_threadsafe(move || {
        let started = running::running_core()
            .map_err(Into::into)
            .and_then(|core| start(&core, make, created_at));
        match started {
            Ok(task) => chain(&task, promise),
            Err(error) => promise.future.complete(Err(error)),
        }
    })?;
    Ok(future)
}

/// Makes the coroutine and its task.
fn start<T, C>(
    core: &Rc<Core>,
    make: impl FnOnce() -> C,
    created_at: &'static Location<'static>,
) -> Result<Future<T>>
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    let coroutine = concurrent::call(|| Ok(make()))?;
    let task = core.spawn(coroutine, rondel_context::capture(), created_at)?;
    Ok(Future::from_any(task))
}

/// Chains the two, both ways.
fn chain<T: Send + 'static>(task: &Future<T>, promise: Promise<T>) {
    let canceller = task.completer();
    promise.future.add_done_callback(move |future| {
        if future.cancelled() {
            // The tasks of a closed loop are gone.
            let _ = canceller.cancel();
        }
    });
    // On a loop that was closed meanwhile the promise is dropped with the callback.
    let _ = task.add_done_callback(move |task| {
        if task.cancelled() {
            promise.future.cancel();
        } else if !promise.future.done() {
            // Of a future that is done already an exception stays unread, and is reported.
            promise.future.complete(task.take_result());
        }
    });
}

/// Returns a future of this thread's loop that follows one for threads, so that a coroutine can await it.
///
/// Cancelling either cancels the other. The value is cloned.
///
/// Mirrors [`asyncio.wrap_future`](https://docs.python.org/3/library/asyncio-future.html#asyncio.wrap_future).
///
/// # Errors
/// `RuntimeError` if there is no loop, neither running nor set for this thread; `ClosedError` if it is closed.
///
/// # Examples
/// ```
/// use std::thread;
/// use rondel_task::{concurrent, run, wrap_future};
///
/// let answer = run(async {
///     let future = concurrent::Future::new();
///     let later = future.clone();
///     thread::spawn(move || later.set_result(42));
///     wrap_future(future)?.await
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
pub fn wrap_future<T: Clone + Send + 'static>(future: concurrent::Future<T>) -> Result<Future<T>> {
    let event_loop = running::get_event_loop()?;
    if event_loop.is_closed() {
        return Err(ClosedError.into());
    }
    Ok(wrap(&event_loop, &future, concurrent::Future::result))
}

/// Makes a future that follows `source`; `claim` reads its outcome, in the thread that completes it.
pub(crate) fn wrap<T: Send + 'static>(
    event_loop: &EventLoop,
    source: &concurrent::Future<T>,
    claim: fn(&concurrent::Future<T>, Option<Duration>) -> Result<T>,
) -> Future<T> {
    let future = event_loop.create_future();
    let cancelled = source.clone();
    // A pending future accepts it.
    let _ = future.add_done_callback(move |future| {
        if future.cancelled() {
            cancelled.cancel();
        }
    });
    let completer = future.completer();
    source.add_done_callback(move |source| {
        let outcome = claim(source, None);
        // On a closed loop nobody waits.
        let _ = match outcome {
            _ if source.cancelled() => completer.cancel(),
            Ok(value) => completer.set_result(value),
            Err(exception) => completer.set_exception(exception),
        };
    });
    future
}
