//! `Task<T>`: a coroutine that the loop runs, and the future of what it comes to.
//!
//! How it runs is `step`'s business, what its cancellation does `cancel`'s; here are the methods that asyncio's `Task` has
//! beyond those of `Future`, and the functions that make and list tasks.
//!
//! # asyncio
//! [`asyncio.Task`](https://docs.python.org/3/library/asyncio-task.html#task-object).

use std::fmt;
use std::ops::Deref;
use std::panic::Location;

use rondel_context::Context;

use crate::cell::AnyFuture;
use crate::event_loop::EventLoop;
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::opaque::Opaque;
use crate::running;
use crate::task_options::TaskOptions;
use crate::task_state::TaskState;

/// A coroutine that the loop runs: a [`Future`] with a name, a context and cancellation that is delivered as an error.
///
/// The loop owns its tasks: dropping the handle neither stops nor forgets the task.
///
/// # Cancellation
/// [`cancel`](Future::cancel) makes the coroutine's current `.await` on a rondel future return a
/// [`CancelledError`](rondel_future::CancelledError). The coroutine may clean up, with awaits, and let the error go on; the
/// task is then cancelled. It may also go on itself, and the task ends as it ends. A coroutine that has not started is dropped.
/// So is one that waits for a foreign future alone (one of another crate, in which no rondel future was polled): there is no
/// await of ours that could return the error.
///
/// Mirrors [`asyncio.Task`](https://docs.python.org/3/library/asyncio-task.html#asyncio.Task).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{create_task, run, sleep, Result};
///
/// async fn worker() -> Result<&'static str> {
///     match sleep(Duration::from_secs(3600)).await {
///         Err(error) if error.is_cancelled() => {
///             sleep(Duration::ZERO).await?; // clean-up may await
///             Ok("cleaned up")
///         }
///         _ => Ok("slept"),
///     }
/// }
///
/// let result = run(async {
///     let task = create_task(worker())?;
///     sleep(Duration::ZERO).await?;
///     task.cancel();
///     task.await
/// });
/// assert_eq!(result.unwrap(), "cleaned up");
/// ```
#[repr(transparent)]
pub struct Task<T: 'static>(Future<T>);

impl<T> Task<T> {
    /// For an `AnyFuture` that is a task.
    pub(crate) fn from_any(any: AnyFuture) -> Self {
        debug_assert!(
            any.task_state().is_some(),
            "only a task has what a task has"
        );
        Self(Future::from_any(any))
    }

    fn with_state<R>(&self, f: impl FnOnce(&TaskState) -> R) -> Option<R> {
        self.any().task_state().map(f)
    }

    /// Returns the task's name: what was set, or `Task-N`, where N counts the tasks of this thread.
    pub fn get_name(&self) -> String {
        self.with_state(TaskState::name).unwrap_or_default()
    }

    /// Names the task.
    pub fn set_name(&self, name: impl AsRef<str>) {
        self.with_state(|state| state.set_name(name.as_ref()));
    }

    /// Returns the context that the coroutine runs in: not a copy, so what is set in it is seen there.
    pub fn get_context(&self) -> Context {
        let core = self.any().core();
        self.with_state(|state| state.context(core.is_current(state.token())))
            .unwrap_or_default()
    }

    /// Returns where the task was created.
    pub fn created_at(&self) -> Option<&'static Location<'static>> {
        self.with_state(|state| state.created_at)
    }

    /// Returns how many requests to cancel the task are open: the calls of `cancel` less those of [`uncancel`](Self::uncancel).
    pub fn cancelling(&self) -> u32 {
        self.with_state(TaskState::requests).unwrap_or(0)
    }

    /// Takes back one request to cancel, and returns how many are left.
    ///
    /// Whoever called `cancel` and has caught the error calls this, so that others can tell their own cancellation apart. At
    /// 0 an error that was not thrown yet is not thrown any more.
    ///
    /// Mirrors [`Task.uncancel`](https://docs.python.org/3/library/asyncio-task.html#asyncio.Task.uncancel).
    pub fn uncancel(&self) -> u32 {
        self.with_state(TaskState::uncancel).unwrap_or(0)
    }

    /// Returns the same task with the type of its value forgotten, to be listed with others.
    pub fn erase(&self) -> Task<Opaque> {
        Task::from_any(self.any().clone())
    }
}

impl<T> Clone for Task<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Task<T> {
    type Target = Future<T>;

    fn deref(&self) -> &Future<T> {
        &self.0
    }
}

impl<T> From<Task<T>> for Future<T> {
    fn from(task: Task<T>) -> Self {
        task.0
    }
}

impl<T> From<&Task<T>> for Future<T> {
    fn from(task: &Task<T>) -> Self {
        task.0.clone()
    }
}

impl<T: fmt::Debug> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Schedules a coroutine as a task of the running loop, in a copy of the current context.
///
/// Its first step runs in the loop's next iteration.
///
/// Mirrors [`asyncio.create_task`](https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task).
///
/// # Errors
/// `NoRunningLoopError` if no loop is running; the coroutine is dropped.
///
/// # Examples
/// ```
/// # use rondel_task::{create_task, run};
/// let sum = run(async {
///     let one = create_task(async { Ok(1) })?;
///     let two = create_task(async { Ok(2) })?;
///     Ok(one.await? + two.await?)
/// });
/// assert_eq!(sum.unwrap(), 3);
/// ```
#[track_caller]
#[inline]
pub fn create_task<T, C>(coroutine: C) -> Result<Task<T>>
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    let core = running::running_core()?;
    let task = core.spawn(coroutine, rondel_context::capture(), Location::caller())?;
    Ok(Task::from_any(task))
}

/// As [`create_task`], with a name, a context or a start of choice.
///
/// # Errors
/// As [`create_task`].
///
/// # Examples
/// ```
/// # use rondel_task::{TaskOptions, create_task_with, current_task, run};
/// let name = run(async {
///     let whoami = async { Ok(current_task().map(|task| task.get_name())) };
///     create_task_with(TaskOptions::new().name("worker"), whoami)?.await
/// });
/// assert_eq!(name.unwrap().as_deref(), Some("worker"));
/// ```
#[track_caller]
pub fn create_task_with<T, C>(options: TaskOptions, coroutine: C) -> Result<Task<T>>
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    let core = running::running_core()?;
    let options = options.or_current_context();
    let task = core.spawn_with(coroutine, options, Location::caller())?;
    Ok(Task::from_any(task))
}

/// Returns the task that is running: the one whose coroutine calls this. `None` in a callback and outside of a loop.
///
/// Mirrors [`asyncio.current_task`](https://docs.python.org/3/library/asyncio-task.html#asyncio.current_task).
pub fn current_task() -> Option<Task<Opaque>> {
    running::core()?.current_task().map(Task::from_any)
}

/// Returns the tasks of a loop that are not done, in the order of their creation; `None` asks for those of the running loop.
///
/// Mirrors [`asyncio.all_tasks`](https://docs.python.org/3/library/asyncio-task.html#asyncio.all_tasks), which gives a set.
///
/// # Errors
/// `NoRunningLoopError` for `None` if no loop is running.
pub fn all_tasks(event_loop: Option<&EventLoop>) -> Result<Vec<Task<Opaque>>, Exception> {
    let core = match event_loop {
        Some(event_loop) => event_loop.core().clone(),
        None => running::running_core()?,
    };
    Ok(core.tasks().into_iter().map(Task::from_any).collect())
}
