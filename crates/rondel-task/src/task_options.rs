//! What a task is made with: its name, its context, and whether it starts eagerly; and the factory that has the last word.
//!
//! It makes no task: `core` does, by these.
//!
//! # asyncio
//! The keyword arguments of
//! [`asyncio.create_task`](https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task), and
//! [task factories](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.set_task_factory). A factory there
//! is given the coroutine and makes the task; here, where each coroutine has a type of its own, it is given the options and
//! changes them.

use std::cell::RefCell;
use std::rc::Rc;

use rondel_context::Context;

use crate::event_loop::EventLoop;

/// When a task's first step runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// In the loop's next iteration.
    #[default]
    Soon,
    /// Before the function that creates the task returns: a coroutine that does not suspend is done by then.
    ///
    /// The step runs in the task's context, with the task as the [current one](crate::current_task), on top of the caller's
    /// stack. While the loop is not running there is nobody to run it, and the task starts soon.
    Eager,
}

/// What a task is made with, beside its coroutine.
///
/// Mirrors the keyword arguments of
/// [`asyncio.create_task`](https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task): `name`, `context` and
/// `eager_start`.
///
/// # Examples
/// ```
/// use rondel_task::{Start, TaskOptions, create_task_with, run};
///
/// run(async {
///     let cached = TaskOptions::new().name("cached").start(Start::Eager);
///     let task = create_task_with(cached, async { Ok(42) })?;
///     assert!(task.done());
///     assert_eq!(task.get_name(), "cached");
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "the options are for a task that is to be created"]
pub struct TaskOptions {
    pub(crate) name: Option<String>,
    pub(crate) context: Option<Context>,
    pub(crate) start: Option<Start>,
}

impl TaskOptions {
    /// Begins with the defaults: a name with a number, a copy of the current context, a start in the next iteration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the task.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// Sets the context that the coroutine runs in, which it shares with whoever else has it.
    pub fn context(self, context: &Context) -> Self {
        Self {
            context: Some(context.clone()),
            ..self
        }
    }

    /// Sets when the first step runs.
    pub fn start(self, start: Start) -> Self {
        Self {
            start: Some(start),
            ..self
        }
    }

    /// With a copy of the current context where none was given.
    pub(crate) fn or_current_context(self) -> Self {
        Self {
            context: self.context.or_else(rondel_context::capture),
            ..self
        }
    }

    /// Returns the name, if one was given.
    #[must_use]
    pub fn get_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the context that was given, or the copy of the current one; `None` if that is empty.
    #[must_use]
    pub fn get_context(&self) -> Option<&Context> {
        self.context.as_ref()
    }

    /// Returns when the first step is to run, if that was said.
    #[must_use]
    pub fn get_start(&self) -> Option<Start> {
        self.start
    }
}

/// Decides what the tasks of a loop are made with; see [`EventLoop::set_task_factory`].
pub type TaskFactory = Rc<dyn Fn(TaskOptions) -> TaskOptions>;

/// The task factory that starts tasks eagerly, but for those that were created with a [`Start`] of their own.
///
/// Mirrors
/// [`asyncio.eager_task_factory`](https://docs.python.org/3/library/asyncio-task.html#asyncio.eager_task_factory).
///
/// # Examples
/// ```
/// use std::rc::Rc;
/// use rondel_task::{create_task, eager_task_factory, get_running_loop, run};
///
/// run(async {
///     get_running_loop()?.set_task_factory(Some(Rc::new(eager_task_factory)));
///     assert!(create_task(async { Ok(1) })?.done());
///     Ok(())
/// }).unwrap();
/// ```
pub fn eager_task_factory(options: TaskOptions) -> TaskOptions {
    let start = options.start.unwrap_or(Start::Eager);
    options.start(start)
}

/// Makes a task factory that does what `factory` does and starts tasks eagerly.
///
/// Mirrors
/// [`asyncio.create_eager_task_factory`](https://docs.python.org/3/library/asyncio-task.html#asyncio.create_eager_task_factory).
pub fn create_eager_task_factory(
    factory: impl Fn(TaskOptions) -> TaskOptions + 'static,
) -> TaskFactory {
    Rc::new(move |options| eager_task_factory(factory(options)))
}

impl EventLoop {
    /// Sets who decides what the loop's tasks are made with: each task that is created, by whatever function, is made with the
    /// options that the factory gives for those of its creator. `None` takes the factory out, as closing the loop does.
    ///
    /// A panic of the factory goes on to whoever creates the task, and the coroutine is dropped.
    ///
    /// Mirrors
    /// [`loop.set_task_factory`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.set_task_factory).
    ///
    /// # Examples
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use rondel_task::{TaskOptions, create_task, get_running_loop, run};
    ///
    /// run(async {
    ///     let workers = Cell::new(0);
    ///     get_running_loop()?.set_task_factory(Some(Rc::new(move |options: TaskOptions| {
    ///         workers.set(workers.get() + 1);
    ///         options.name(format!("worker {}", workers.get()))
    ///     })));
    ///     assert_eq!(create_task(async { Ok(()) })?.get_name(), "worker 1");
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn set_task_factory(&self, factory: Option<TaskFactory>) {
        self.core().factory().set(factory);
    }

    /// Returns the task factory, if one was set.
    ///
    /// Mirrors
    /// [`loop.get_task_factory`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.get_task_factory).
    #[must_use]
    pub fn get_task_factory(&self) -> Option<TaskFactory> {
        self.core().factory().get()
    }
}

/// Where a loop keeps its task factory.
#[derive(Default)]
pub(crate) struct Factory(RefCell<Option<TaskFactory>>);

impl Factory {
    fn get(&self) -> Option<TaskFactory> {
        self.0.borrow().clone()
    }

    pub(crate) fn set(&self, factory: Option<TaskFactory>) {
        let before = self.0.replace(factory);
        drop(before);
    }

    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// What a task is made with.
    pub(crate) fn decide(&self, options: TaskOptions) -> TaskOptions {
        match self.get() {
            Some(factory) => factory(options),
            None => options,
        }
    }
}
