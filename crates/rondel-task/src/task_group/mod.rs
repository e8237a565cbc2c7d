//! `task_group`: a block of code whose tasks end before it does.
//!
//! What the group does with its children and their errors is in `group`, a child that says when it is ready in `start`.
//!
//! # asyncio
//! [`asyncio.TaskGroup`](https://docs.python.org/3/library/asyncio-task.html#task-groups). An `async with` block is an async
//! closure here, so a group cannot be used before it is entered, nor entered twice. `cancel` is that of CPython 3.15, `start`
//! that of Trio. Children are aborted in the order of their creation, which is any order there.

mod group;
mod start;

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use rondel_context::Context;
use rondel_reactor::PanicError;

use crate::cell::AnyFuture;
use crate::exception::Result;
use crate::future::Future;
use crate::task::Task;
use crate::task_options::TaskOptions;
use crate::watcher::Watcher;

use group::Group;
pub use start::Started;
use start::Starting;

/// Runs a block of code that may create tasks, and waits for all of them; gives what the block gives.
///
/// If a task fails, the others and the block are cancelled, once, and when all have ended an
/// [`ExceptionGroup`](crate::ExceptionGroup) is raised with every exception but the cancellations: those of the tasks in the
/// order in which they failed, then that of the block. A panic counts as an exception, in a task and in the block. If the
/// calling task is cancelled, so are the tasks, and the `CancelledError` goes on when they have ended, unless there are other
/// errors.
///
/// A cancellation that comes from the group ends at the group, one from outside is passed on. This is told apart by counting
/// ([`Task::cancelling`]), as is done by [`timeout`](crate::timeout()); groups and timeouts may be nested in each other.
/// Side by side in one task, by `join!`, they cannot: a group cancels its whole task. Give each a task of its own.
///
/// When the coroutine of this is dropped in the middle, its tasks are cancelled and nobody waits for them; exceptions that would
/// have been raised are told to the loop's exception handler.
///
/// Mirrors [`asyncio.TaskGroup`](https://docs.python.org/3/library/asyncio-task.html#asyncio.TaskGroup).
///
/// # Errors
/// `ExceptionGroup` as above; `CancelledError` if the calling task is cancelled; `RuntimeError` outside of a task.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{run, sleep_result, task_group};
///
/// let menu = run(task_group(async |group| {
///     let soup = group.create_task(sleep_result(Duration::from_millis(1), "soup"))?;
///     let hours = group.create_task(sleep_result(Duration::ZERO, 3))?;
///     Ok((soup, hours))
/// })).unwrap();
/// // Here both tasks have completed.
/// assert_eq!((menu.0.result().unwrap(), menu.1.result().unwrap()), ("soup", 3));
/// ```
#[track_caller]
pub fn task_group<T: 'static>(
    block: impl AsyncFnOnce(TaskGroup<T>) -> Result<T>,
) -> impl core::future::Future<Output = Result<T>> {
    let entered_at = Location::caller();
    async move {
        let group = Group::enter(entered_at)?;
        let _abandon = AbandonOnDrop(group.clone());
        let handle = TaskGroup::new(group.clone());
        let outcome = caught(async move { block(handle).await }).await;
        group.exit(outcome.as_ref().err()).await?;
        outcome.or_else(|error| group.cancel_value().ok_or(error))
    }
}

/// Awaits a coroutine; a panic is its exception, as it is that of a task.
pub(crate) async fn caught<T>(
    coroutine: impl core::future::Future<Output = Result<T>>,
) -> Result<T> {
    let mut coroutine = pin!(coroutine);
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| coroutine.as_mut().poll(cx)))
            .unwrap_or_else(|payload| Poll::Ready(Err(PanicError::new(payload).into())))
    })
    .await
}

struct AbandonOnDrop(Watcher<Group>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The tasks of a [`task_group`]: what its block gets to create them. Clones are the same group, and tasks may hold one.
///
/// `R` is the type of what the block gives, on which only [`cancel`](TaskGroup::cancel) depends: a function that creates tasks
/// in whatever group takes a `&TaskGroup<R>` for any `R`.
///
/// Mirrors [`asyncio.TaskGroup`](https://docs.python.org/3/library/asyncio-task.html#asyncio.TaskGroup).
pub struct TaskGroup<R = ()> {
    group: Watcher<Group>,
    _value: PhantomData<fn(R)>,
}

impl<R> TaskGroup<R> {
    fn new(group: Watcher<Group>) -> Self {
        Self {
            group,
            _value: PhantomData,
        }
    }

    /// Creates a task of this group, in a copy of the current context. Other tasks of the group may do so too, also while the
    /// group waits for its last tasks.
    ///
    /// Mirrors
    /// [`TaskGroup.create_task`](https://docs.python.org/3/library/asyncio-task.html#asyncio.TaskGroup.create_task).
    ///
    /// # Errors
    /// `RuntimeError` if the group is finished, or is being cancelled; `ClosedError` if the loop is closed. The coroutine is
    /// dropped.
    #[track_caller]
    pub fn create_task<T, C>(&self, coroutine: C) -> Result<Task<T>>
    where
        T: 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
    {
        let context = rondel_context::capture();
        let task = self.spawn(coroutine, context, Location::caller(), None)?;
        Ok(Task::from_any(task))
    }

    /// As [`create_task`](Self::create_task), in a context that the task shares with whoever else has it.
    ///
    /// # Errors
    /// As [`create_task`](Self::create_task).
    #[track_caller]
    pub fn create_task_in<T, C>(&self, context: &Context, coroutine: C) -> Result<Task<T>>
    where
        T: 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
    {
        let context = Some(context.clone());
        let task = self.spawn(coroutine, context, Location::caller(), None)?;
        Ok(Task::from_any(task))
    }

    /// As [`create_task`](Self::create_task), with a name, a context or a start of choice.
    ///
    /// # Errors
    /// As [`create_task`](Self::create_task).
    #[track_caller]
    pub fn create_task_with<T, C>(&self, options: TaskOptions, coroutine: C) -> Result<Task<T>>
    where
        T: 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
    {
        self.group.check_open()?;
        let options = options.or_current_context();
        let core = self.group.core();
        let task = core.spawn_with(coroutine, options, Location::caller())?;
        self.group.add(&task, None);
        Ok(Task::from_any(task))
    }

    /// Creates a task of this group, waits until it has started, and gives what it has told with [`Started::set`].
    ///
    /// If the task ends before that, what it raised is raised here and is none of the group's errors. If the caller is
    /// cancelled before that, so is the task, and the `CancelledError` goes on when the task has ended. Afterwards the task runs
    /// on as one of the group.
    ///
    /// # Errors
    /// What the task raised before it started; `RuntimeError` if it ended without; as [`create_task`](Self::create_task).
    ///
    /// # Examples
    /// ```
    /// use rondel_task::{run, task_group, Started};
    ///
    /// let port = run(task_group(async |group| {
    ///     let port = group.start(async |started: Started<u16>| {
    ///         started.set(8080); // it listens now
    ///         Ok(()) // and serves
    ///     });
    ///     port.await
    /// }));
    /// assert_eq!(port.unwrap(), 8080);
    /// ```
    #[track_caller]
    pub fn start<V, T, C>(
        &self,
        child: C,
    ) -> impl core::future::Future<Output = Result<V>> + use<R, V, T, C>
    where
        V: 'static,
        T: 'static,
        C: AsyncFnOnce(Started<V>) -> Result<T> + 'static,
    {
        let group = self.clone();
        let created_at = Location::caller();
        async move {
            let told = Future::<V>::new(group.group.core().clone());
            let started = Started::new(told.clone());
            let starting = Some(told.any().clone());
            let context = rondel_context::capture();
            let coroutine = async move { child(started).await };
            let child = group.spawn(coroutine, context, created_at, starting)?;
            Starting::new(group.group, child, told).wait().await
        }
    }

    fn spawn<T, C>(
        &self,
        coroutine: C,
        context: Option<Context>,
        created_at: &'static Location<'static>,
        starting: Option<AnyFuture>,
    ) -> Result<AnyFuture>
    where
        T: 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
    {
        self.group.check_open()?;
        let task = self.group.core().spawn(coroutine, context, created_at)?;
        self.group.add(&task, starting);
        Ok(task)
    }
}

impl<R: 'static> TaskGroup<R> {
    /// As [`cancel`](TaskGroup::cancel), for a group that gives a value: it gives `value` if its block was interrupted.
    pub fn cancel_with(&self, value: R) {
        self.group.cancel(value);
    }
}

impl TaskGroup {
    /// Ends the group early and without an error: cancels its tasks and its block, in which the group's caller sees no
    /// `CancelledError`.
    ///
    /// Does nothing in a group that has ended or is being cancelled already. Errors of tasks that do not end by the
    /// cancellation are raised as ever. A block that gives a value needs [`cancel_with`](TaskGroup::cancel_with).
    ///
    /// Mirrors `TaskGroup.cancel` of CPython 3.15.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use rondel_task::{run_virtual, sleep, task_group};
    ///
    /// run_virtual(task_group(async |group| {
    ///     let ends = group.clone();
    ///     group.create_task(async move {
    ///         sleep(Duration::from_secs(1)).await?;
    ///         ends.cancel();
    ///         Ok(())
    ///     })?;
    ///     sleep(Duration::MAX).await
    /// })).unwrap();
    /// ```
    pub fn cancel(&self) {
        self.group.cancel(());
    }
}

impl<R> Clone for TaskGroup<R> {
    fn clone(&self) -> Self {
        Self::new(self.group.clone())
    }
}

/// Shows what asyncio's `repr` shows: how many tasks and errors there are, and whether the tasks are being cancelled.
impl<R> fmt::Debug for TaskGroup<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.group.fmt(f)
    }
}
