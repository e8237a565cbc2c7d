//! `BlockingPortal`: a loop on a thread of its own, for code that knows no loop.
//!
//! # Invariants
//! - I1: The portal's thread has ended when the portal is stopped or dropped, unless that happens on this very thread.
//!
//! # asyncio
//! It has none: a program starts a thread with `loop.run_forever` and uses `run_coroutine_threadsafe`. This is AnyIO's portal. The
//! loop leaves Ctrl-C alone, so that it ends the program as it does where there is no loop.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle, ThreadId};

use rondel_reactor::{Builder, LoopHandle, PanicError};

use crate::completer::Completer;
use crate::event_loop::EventLoop;
use crate::exception::{Exception, Result};
use crate::runner::Runner;
use crate::running;
use crate::task::{all_tasks, current_task};
use crate::threads::chain::run_coroutine_threadsafe;
use crate::threads::concurrent;
use crate::wait::wait;

/// Starts a loop on a thread of its own, to be used by code that blocks.
///
/// Mirrors AnyIO's
/// [`start_blocking_portal`](https://anyio.readthedocs.io/en/stable/api.html#anyio.from_thread.start_blocking_portal).
///
/// # Errors
/// An I/O error if there is no thread or no loop to be had.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{sleep_result, start_blocking_portal};
///
/// let portal = start_blocking_portal()?;
/// let answer = portal.call_async(|| sleep_result(Duration::from_millis(1), 42))?;
/// assert_eq!(answer, 42);
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub fn start_blocking_portal() -> Result<BlockingPortal> {
    let (sender, started) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("rondel-portal".into())
        .spawn(move || serve(sender))?;
    match started.recv() {
        Ok((event_loop, stop)) => Ok(BlockingPortal {
            event_loop,
            stop,
            stopping: AtomicBool::new(false),
            id: thread.thread().id(),
            thread: Mutex::new(Some(thread)),
        }),
        // It has ended before it could tell.
        Err(mpsc::RecvError) => Err(join(thread)
            .err()
            .unwrap_or_else(|| Exception::runtime("the portal has not started"))),
    }
}

/// What the portal's thread does.
fn serve(started: mpsc::Sender<(LoopHandle, Completer<Remaining>)>) -> Result<()> {
    let make = || EventLoop::build(Builder::new().interruptible(false));
    let runner = Runner::with_loop_factory(make);
    runner.run(async move {
        let core = running::running_core()?;
        let stop = crate::future::Future::new(core.clone());
        // Whoever starts the portal waits for this.
        let _ = started.send((core.reactor().handle(), stop.completer()));
        drop(core);
        match stop.take().await? {
            Remaining::Await => others_end().await,
            Remaining::Cancel => Ok(()),
        }
    })?;
    runner.close()
}

/// Waits until this task is the only one.
async fn others_end() -> Result<()> {
    let this = current_task();
    loop {
        let mut tasks = all_tasks(None)?;
        tasks.retain(|task| !this.as_ref().is_some_and(|this| this.ptr_eq(task)));
        if tasks.is_empty() {
            return Ok(());
        }
        wait(tasks).await?;
    }
}

fn join(thread: JoinHandle<Result<()>>) -> Result<()> {
    thread
        .join()
        .unwrap_or_else(|payload| Err(PanicError::new(payload).into()))
}

/// What becomes of the tasks of a portal that is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// They run to their end.
    Await,
    /// They are cancelled, and run to the end of their clean-up.
    Cancel,
}

/// A loop on a thread of its own: what [`start_blocking_portal`] gives. Threads share it by reference.
///
/// Dropping it [stops](Self::stop) it, with the tasks that are left cancelled, and blocks until their clean-up has ended. On the
/// portal's own thread, where that would be for ever, dropping does not wait.
///
/// Mirrors AnyIO's
/// [`BlockingPortal`](https://anyio.readthedocs.io/en/stable/api.html#anyio.from_thread.BlockingPortal).
pub struct BlockingPortal {
    event_loop: LoopHandle,
    stop: Completer<Remaining>,
    stopping: AtomicBool,
    id: ThreadId,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
}

impl BlockingPortal {
    /// Calls `f` on the loop's thread, in a task, and blocks until it has returned.
    ///
    /// # Errors
    /// As [`call_async`](Self::call_async).
    #[track_caller]
    pub fn call<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        self.call_async(move || async move { f() })
    }

    /// Runs the coroutine that `make` makes on the loop's thread, as a task, and blocks until it has ended.
    ///
    /// # Errors
    /// What it raised, or its panic; else as [`start_task_soon`](Self::start_task_soon).
    #[track_caller]
    pub fn call_async<T, C, F>(&self, make: F) -> Result<T>
    where
        T: Send + 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
        F: FnOnce() -> C + Send + 'static,
    {
        self.start_task_soon(make)?.take_result(None)
    }

    /// Runs the coroutine that `make` makes on the loop's thread, as a task, in a copy of this thread's context; does not block.
    ///
    /// Cancelling the future that this gives cancels the task.
    ///
    /// # Errors
    /// `RuntimeError` on the portal's own thread, which would wait for itself, and when the portal is stopped. The future of a task
    /// that is dropped ends with a `ClosedError`.
    #[track_caller]
    pub fn start_task_soon<T, C, F>(&self, make: F) -> Result<concurrent::Future<T>>
    where
        T: Send + 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
        F: FnOnce() -> C + Send + 'static,
    {
        self.check_thread()?;
        if self.stopping.load(Ordering::Acquire) {
            return Err(Exception::runtime("this portal is not running"));
        }
        Ok(run_coroutine_threadsafe(make, &self.event_loop)?)
    }

    /// Returns the loop's handle, for callbacks.
    #[must_use]
    pub fn handle(&self) -> &LoopHandle {
        &self.event_loop
    }

    /// Refuses calls from now on, does with the tasks what `remaining` says, and blocks until the thread has ended.
    ///
    /// Where several stop it, the first decides, and all wait.
    ///
    /// # Errors
    /// `RuntimeError` on the portal's own thread; what kept the loop from ending in good order.
    pub fn stop(&self, remaining: Remaining) -> Result<()> {
        self.check_thread()?;
        self.tell(remaining);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.take().map_or(Ok(()), join)
    }

    fn tell(&self, remaining: Remaining) {
        self.stopping.store(true, Ordering::Release);
        // A loop that is closed has ended already.
        let _ = self.stop.set_result(remaining);
    }

    fn is_own_thread(&self) -> bool {
        thread::current().id() == self.id
    }

    fn check_thread(&self) -> Result<()> {
        match self.is_own_thread() {
            true => Err(Exception::runtime(
                "a portal cannot be used from the thread of its own event loop",
            )),
            false => Ok(()),
        }
    }
}

impl Drop for BlockingPortal {
    fn drop(&mut self) {
        if self.is_own_thread() {
            self.tell(Remaining::Cancel);
        } else {
            // A destructor has nobody to tell of errors; the loop's own have been reported.
            let _ = self.stop(Remaining::Cancel);
        }
    }
}

impl fmt::Debug for BlockingPortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingPortal")
            .field("stopping", &self.stopping)
            .finish_non_exhaustive()
    }
}
