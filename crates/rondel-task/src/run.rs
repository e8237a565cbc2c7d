//! `run`: a [`Runner`] for one coroutine.
//!
//! # asyncio
//! [`asyncio.run`](https://docs.python.org/3/library/asyncio-runner.html#asyncio.run): at the end all tasks are cancelled and
//! awaited, and what they raised is reported. A Ctrl-C cancels the main task; if that ends it, the run's error is the
//! interrupt. A second one ends the process.

use std::panic::Location;

use crate::exception::Result;
use crate::runner::{Runner, check_none_runs};

/// Makes a loop, runs a coroutine in it, cancels and awaits all tasks that are left, shuts the default executor down, and
/// closes the loop.
///
/// Mirrors [`asyncio.run`](https://docs.python.org/3/library/asyncio-runner.html#asyncio.run).
///
/// # Errors
/// What the coroutine raised; `RuntimeError` if a loop is running on this thread; an
/// [interrupt](crate::Exception::is_interrupted) if a Ctrl-C ended it; an I/O error if no loop can be made.
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
    check_none_runs("run()")?;
    run_on(&Runner::new(), main, Location::caller())
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
    check_none_runs("run_virtual()")?;
    run_on(&Runner::under_virtual_clock(), main, Location::caller())
}

pub(crate) fn run_on<T, C>(runner: &Runner, main: C, at: &'static Location<'static>) -> Result<T>
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    // Not in the runner's context, which later runs would share: there are none.
    let outcome = runner.run_main(main, rondel_context::capture(), at);
    let closed = runner.close();
    let value = outcome?;
    closed?;
    Ok(value)
}
