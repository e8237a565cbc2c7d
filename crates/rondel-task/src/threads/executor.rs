//! `Executor`: what runs blocking code beside the loop; `run_in_executor`, which hands it over.
//!
//! What a coroutine mostly uses, `to_thread`, is built on this; what the call may ask of the loop meanwhile is `from_thread`'s.
//!
//! # Invariants
//! - I1: Whatever an executor does with the work it accepts, its future is done in the end: with the outcome, or with an
//!   exception if the work was dropped without being run.
//! - I2: Work counts as in flight until its outcome has been sent to the loop.
//!
//! # asyncio
//! [`loop.run_in_executor`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_in_executor). An executor
//! there makes the future itself; here it only runs what it is given. Work begins in an empty context, where there what earlier
//! work has set in the same thread is seen.

use std::sync::Arc;
use std::time::Duration;

use rondel_context::Context;
use rondel_reactor::{InFlight, LoopHandle};

use crate::event_loop::EventLoop;
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::threads::chain::wrap;
use crate::threads::concurrent::{self, Promise};
use crate::threads::from_thread::hosted;

/// What an [`Executor`] runs.
pub type Work = Box<dyn FnOnce() + Send + 'static>;

/// Runs work on threads other than the loop's.
///
/// A function that takes [`Work`] is an executor: with rayon, `|work| rayon::spawn(work)`.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::thread;
/// use rondel_task::{Executor, Work, get_running_loop, run};
///
/// let thread_each: Arc<dyn Executor> = Arc::new(|work: Work| {
///     thread::spawn(work);
/// });
/// let answer = run(async move {
///     let work = || Ok(6 * 7);
///     get_running_loop()?.run_in_executor(Some(&thread_each), work)?.await
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
pub trait Executor: Send + Sync + 'static {
    /// Has the work run, soon and once, on another thread.
    ///
    /// It does not wait for the work. A panic in what [`run_in_executor`](EventLoop::run_in_executor) calls does not reach it.
    ///
    /// # Errors
    /// If the executor does not accept it; the work is dropped.
    fn execute(&self, work: Work) -> Result<()>;

    /// Accepts no more work, and waits until all that was accepted has been done: for so long in real time, or without a limit.
    ///
    /// Returns false if the time was not enough. An executor that has threads of its own ends them; one that has not may leave
    /// this as it is, and does not wait.
    fn shutdown(&self, timeout: Option<Duration>) -> bool {
        let _ = timeout;
        true
    }
}

impl<F: Fn(Work) + Send + Sync + 'static> Executor for F {
    fn execute(&self, work: Work) -> Result<()> {
        self(work);
        Ok(())
    }
}

impl EventLoop {
    /// Has `executor`, or the loop's default one, call `f` on another thread, and returns the future of what that gives.
    ///
    /// A panic in `f` becomes the future's exception. Cancelling the future keeps `f` from being called if it has not begun;
    /// a call that has begun goes on, and nobody hears of its outcome. Under a virtual clock the time stands still until `f` has
    /// returned.
    ///
    /// Mirrors
    /// [`loop.run_in_executor`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_in_executor).
    ///
    /// # Errors
    /// What the executor says if it does not accept the work; `RuntimeError` for the default executor after its
    /// [shutdown](Self::shutdown_default_executor); `ClosedError` if the loop is closed.
    ///
    /// # Examples
    /// ```
    /// use std::fs;
    /// use rondel_task::{get_running_loop, run};
    ///
    /// let manifest = run(async {
    ///     let read = || Ok(fs::read_to_string("Cargo.toml")?);
    ///     get_running_loop()?.run_in_executor(None, read)?.await
    /// });
    /// assert!(manifest.unwrap().contains("[package]"));
    /// ```
    pub fn run_in_executor<T, F>(
        &self,
        executor: Option<&Arc<dyn Executor>>,
        f: F,
    ) -> Result<Future<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        self.execute(executor, f, None)
    }

    /// As `run_in_executor`, in a context.
    pub(crate) fn execute<T, F>(
        &self,
        executor: Option<&Arc<dyn Executor>>,
        f: F,
        context: Option<Context>,
    ) -> Result<Future<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        let future = self.submit(executor, f, context)?;
        Ok(wrap(self, &future, concurrent::Future::take_result))
    }

    /// Hands the call over; the future for threads is done when the call has ended, or cancelled before it has begun.
    pub(crate) fn submit<T, F>(
        &self,
        executor: Option<&Arc<dyn Executor>>,
        f: F,
        context: Option<Context>,
    ) -> Result<concurrent::Future<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        if self.is_closed() {
            return Err(rondel_sched::ClosedError.into());
        }
        let executor = match executor {
            Some(executor) => executor.clone(),
            None => self.core().default_executor().get()?,
        };
        let future = concurrent::Future::new();
        let call = Call {
            f,
            context,
            promise: Promise {
                future: future.clone(),
                broken: || Exception::runtime("the executor dropped the work without running it"),
            },
            in_flight: self.in_flight(),
            event_loop: self.handle(),
        };
        executor.execute(Box::new(move || call.run()))?;
        Ok(future)
    }
}

/// A call of `f` for somebody who waits for what it gives; also where it is dropped, in the order of the fields (I1, I2).
struct Call<T, F> {
    f: F,
    context: Option<Context>,
    promise: Promise<T>,
    in_flight: InFlight,
    event_loop: LoopHandle,
}

impl<T: Send + 'static, F: FnOnce() -> Result<T>> Call<T, F> {
    fn run(self) {
        let Self {
            f,
            mut context,
            promise,
            in_flight,
            event_loop,
        } = self;
        if !promise.future.set_running_or_notify_cancel() {
            return;
        }
        let asked = promise.future.clone();
        let is_cancelled = move || asked.cancel_requested();
        let (outcome, in_flight) = hosted(event_loop, in_flight, is_cancelled, || {
            rondel_context::run_in(&mut context, || concurrent::call(f))
        });
        promise.future.complete(outcome);
        drop(promise);
        drop(in_flight);
    }
}
