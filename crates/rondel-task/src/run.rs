//! `run`: a loop for one coroutine, from its making to its closing.
//!
//! # asyncio
//! [`asyncio.run`](https://docs.python.org/3/library/asyncio-runner.html#asyncio.run): at the end all tasks are cancelled and
//! awaited, and what they raised is reported. A Ctrl-C cancels the main task; if that ends it, the run's error is the
//! interrupt. A second one ends the run at once.

use rondel_reactor::ExceptionContext;
use rondel_sched::VirtualClock;

use crate::event_loop::EventLoop;
use crate::exception::{Exception, Result};
use crate::gather::gather_return_exceptions;
use crate::running::{self, set_event_loop};
use crate::task::{Task, all_tasks};

/// Makes a loop, runs a coroutine in it, cancels and awaits all tasks that are left, and closes the loop.
///
/// Mirrors [`asyncio.run`](https://docs.python.org/3/library/asyncio-runner.html#asyncio.run).
///
/// # Errors
/// What the coroutine raised; `RuntimeError` if a loop is running on this thread; an [interrupt](Exception::is_interrupted) if a
/// Ctrl-C ended it; an I/O error if no loop can be made.
///
/// # Examples
/// ```
/// let answer = rondel_task::run(async { Ok(42) });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[track_caller]
pub fn run<T, C>(main: C) -> Result<T>
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    check_none_runs()?;
    run_on(&EventLoop::new()?, main)
}

/// As [`run`], under a virtual clock: it jumps to the next timer when nothing else is left to do.
///
/// A day of sleeping takes no time, and the order of events is the same every time. Where no timer is left either it ends with
/// an error that says who waits for what ([`RunError::is_deadlock`](rondel_reactor::RunError::is_deadlock)).
///
/// # Errors
/// As [`run`], and the deadlock.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{run_virtual, sleep};
///
/// run_virtual(async {
///     sleep(Duration::from_secs(86_400)).await
/// }).unwrap();
/// ```
#[track_caller]
pub fn run_virtual<T, C>(main: C) -> Result<T>
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    check_none_runs()?;
    run_on(&EventLoop::with_clock(VirtualClock::new())?, main)
}

fn check_none_runs() -> Result<()> {
    match running::core() {
        Some(_) => Err(Exception::runtime(
            "run() cannot be called from a running event loop",
        )),
        None => Ok(()),
    }
}

/// Unsets the thread's loop when the run is over, also by a panic.
struct UnsetEventLoop;

impl Drop for UnsetEventLoop {
    fn drop(&mut self) {
        set_event_loop(None);
    }
}

#[track_caller]
fn run_on<T, C>(event_loop: &EventLoop, main: C) -> Result<T>
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    set_event_loop(Some(event_loop));
    let _unset = UnsetEventLoop;
    let task = event_loop.create_task(main)?;
    let outcome = run_main(event_loop, &task);
    let tidied = cancel_all_tasks(event_loop).and_then(|()| last_iterations(event_loop));
    let closed = event_loop.close();
    let value = outcome?;
    tidied?;
    closed?;
    Ok(value)
}

fn run_main<T: 'static>(event_loop: &EventLoop, task: &Task<T>) -> Result<T> {
    let Err(interrupt) = event_loop.run_until_done(task) else {
        return task.take_result();
    };
    if !interrupt.is_interrupted() || task.done() {
        return Err(interrupt);
    }
    task.cancel();
    event_loop.run_until_done(task)?;
    match task.take_result() {
        Err(error) if error.is_cancelled() && task.uncancel() == 0 => Err(interrupt),
        outcome => outcome,
    }
}

/// Lets callbacks run for as long as they do in CPython, which shuts asynchronous generators and the executor down by two
/// coroutines that mostly have nothing to do.
fn last_iterations(event_loop: &EventLoop) -> Result<()> {
    event_loop.run_until_complete(async { Ok(()) })?;
    event_loop.run_until_complete(async { Ok(()) })
}

/// Cancels what still runs, awaits it, and reports what it raises.
fn cancel_all_tasks(event_loop: &EventLoop) -> Result<()> {
    let tasks = all_tasks(Some(event_loop))?;
    if tasks.is_empty() {
        return Ok(());
    }
    for task in &tasks {
        task.cancel();
    }
    event_loop.run_until_complete(gather_return_exceptions(&tasks))?;
    for task in tasks.iter().filter(|task| !task.cancelled()) {
        if let Some(exception) = task.exception()? {
            let context = ExceptionContext::new("unhandled exception during run() shutdown")
                .with_exception(exception.into_shared())
                .with_subject("task", format!("{task:?}"));
            event_loop.call_exception_handler(&context);
        }
    }
    Ok(())
}
