//! `Runner`: a loop for several runs, one after another, from its making to its closing.
//!
//! # Ctrl-C
//! The first one during a run cancels the main task. From then on, and while the runner closes after such a run, SIGINT is left
//! to do what it does by default, so the second one ends the process. A loop that has a
//! [handler](rondel_reactor::EventLoop::add_signal_handler) of its own for SIGINT knows no interrupt, and the runner neither.
//!
//! # asyncio
//! [`asyncio.Runner`](https://docs.python.org/3/library/asyncio-runner.html#asyncio.Runner). There a second Ctrl-C raises
//! `KeyboardInterrupt` in whatever runs, of which most programs end as well. `close` is final, also before the first use.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::panic::Location;
use std::thread;
use std::time::Duration;

use rondel_context::{Context, copy_context};
use rondel_reactor::ExceptionContext;
use rondel_sched::VirtualClock;

use crate::event_loop::EventLoop;
use crate::exception::{Exception, Result};
use crate::gather::gather_return_exceptions;
use crate::running::{self, set_event_loop};
use crate::task::{Task, all_tasks};

/// How long the end waits for the executor's threads, as in CPython.
const THREAD_JOIN_TIMEOUT: Duration = Duration::from_secs(300);

/// Runs coroutines in one loop, which it makes when it is first needed and closes in the end.
///
/// What is left over from one run, tasks and callbacks, goes on in the next. The runs share a context too: a copy of the one
/// that was current when the loop was made.
///
/// Dropping the runner [closes](Self::close) it, which may run the loop; what goes wrong then is told to the loop's exception
/// handler. While the thread unwinds from a panic, the tasks that are left are dropped instead of awaited.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{Runner, create_task, sleep};
///
/// let runner = Runner::new();
/// let background = runner.run(async {
///     create_task(async {
///         sleep(Duration::from_millis(1)).await?;
///         Ok("done")
///     }).map_err(Into::into)
/// })?;
/// assert_eq!(runner.run(async move { background.await })?, "done");
/// runner.close()?;
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub struct Runner {
    loop_factory: Box<dyn Fn() -> io::Result<EventLoop>>,
    sets_event_loop: bool,
    /// None leaves it to the loop.
    debug: Option<bool>,
    state: RefCell<State>,
    /// The latest run was.
    interrupted: Cell<bool>,
}

enum State {
    Created,
    Open(Open),
    Closed,
}

/// What the runs share.
#[derive(Clone)]
struct Open {
    event_loop: EventLoop,
    context: Context,
}

impl Runner {
    /// Makes a runner of an ordinary loop, which is set as [the thread's](set_event_loop) until the runner is closed.
    pub fn new() -> Self {
        Self::made_by(EventLoop::new, true)
    }

    /// Makes a runner of the loop that `loop_factory` makes.
    ///
    /// As in asyncio it is not set as the thread's loop.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use rondel_sched::VirtualClock;
    /// use rondel_task::{EventLoop, Runner, sleep};
    ///
    /// let runner = Runner::with_loop_factory(|| EventLoop::with_clock(VirtualClock::new()));
    /// let day = Duration::from_secs(86_400);
    /// runner.run(sleep(day))?;
    /// assert_eq!(runner.get_loop()?.time(), day);
    /// # Ok::<(), rondel_task::Exception>(())
    /// ```
    pub fn with_loop_factory(loop_factory: impl Fn() -> io::Result<EventLoop> + 'static) -> Self {
        Self::made_by(loop_factory, false)
    }

    /// As `new`, of a loop whose clock jumps from timer to timer.
    pub(crate) fn under_virtual_clock() -> Self {
        Self::made_by(|| EventLoop::with_clock(VirtualClock::new()), true)
    }

    fn made_by(
        loop_factory: impl Fn() -> io::Result<EventLoop> + 'static,
        sets_event_loop: bool,
    ) -> Self {
        Self {
            loop_factory: Box::new(loop_factory),
            sets_event_loop,
            debug: None,
            state: RefCell::new(State::Created),
            interrupted: Cell::new(false),
        }
    }

    /// Sets whether the loop is in [debug mode](rondel_reactor::EventLoop::set_debug); by default it decides itself.
    ///
    /// `asyncio.run(main(), debug=True)` is `Runner::new().debug(true).run(main())`.
    ///
    /// # Examples
    /// ```
    /// use rondel_task::{Runner, get_running_loop};
    ///
    /// let runner = Runner::new().debug(true);
    /// assert!(runner.run(async { Ok(get_running_loop()?.get_debug()) })?);
    /// # Ok::<(), rondel_task::Exception>(())
    /// ```
    #[must_use]
    pub fn debug(mut self, debug: bool) -> Self {
        self.debug = Some(debug);
        self
    }

    /// Runs a coroutine until it ends, in the runner's context.
    ///
    /// Mirrors [`Runner.run`](https://docs.python.org/3/library/asyncio-runner.html#asyncio.Runner.run).
    ///
    /// # Errors
    /// What the coroutine raised; an [interrupt](Exception::is_interrupted) if a Ctrl-C ended it; `RuntimeError` if a loop is
    /// running on this thread, the runner is closed, or the loop was stopped before the coroutine had ended, which then goes on
    /// in the next run; an I/O error if no loop can be made.
    #[track_caller]
    pub fn run<T, C>(&self, main: C) -> Result<T>
    where
        T: 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
    {
        let at = Location::caller();
        check_none_runs("Runner.run()")?;
        let context = self.open()?.context;
        self.run_main(main, Some(context), at)
    }

    /// As [`run`](Self::run), in `context` itself.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn run_in<T, C>(&self, context: &Context, main: C) -> Result<T>
    where
        T: 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
    {
        let at = Location::caller();
        check_none_runs("Runner.run_in()")?;
        self.run_main(main, Some(context.clone()), at)
    }

    /// Returns the loop, which is made now if it was not yet.
    ///
    /// Mirrors [`Runner.get_loop`](https://docs.python.org/3/library/asyncio-runner.html#asyncio.Runner.get_loop).
    ///
    /// # Errors
    /// `RuntimeError` if the runner is closed; an I/O error if no loop can be made.
    pub fn get_loop(&self) -> Result<EventLoop> {
        Ok(self.open()?.event_loop)
    }

    /// Returns the context that the runs share; the loop is made now if it was not yet.
    ///
    /// # Errors
    /// As [`get_loop`](Self::get_loop).
    pub fn get_context(&self) -> Result<Context> {
        Ok(self.open()?.context)
    }

    /// Cancels all tasks that are left, awaits them, reports what they raise, and closes the loop.
    ///
    /// Closing again does nothing; everything else is refused from now on.
    ///
    /// Mirrors [`Runner.close`](https://docs.python.org/3/library/asyncio-runner.html#asyncio.Runner.close).
    ///
    /// # Errors
    /// That a loop is running on this thread: the runner then stays open. Else the runner is closed, and this is what kept the
    /// tasks from being awaited: an [interrupt](Exception::is_interrupted), or a deadlock under a virtual clock.
    pub fn close(&self) -> Result<()> {
        let event_loop = match &*self.state.borrow() {
            State::Open(open) => Some(open.event_loop.clone()),
            State::Created | State::Closed => None,
        };
        let Some(event_loop) = event_loop.filter(|event_loop| !event_loop.is_closed()) else {
            self.let_go();
            return Ok(());
        };
        event_loop.check_can_run()?;
        if self.interrupted.get() {
            event_loop.set_interruptible(false);
        }
        let tidied = cancel_all_tasks(&event_loop).and_then(|()| last_iterations(&event_loop));
        self.let_go();
        let closed = event_loop.close();
        tidied?;
        Ok(closed?)
    }

    fn open(&self) -> Result<Open> {
        match &*self.state.borrow() {
            State::Open(open) => return Ok(open.clone()),
            State::Closed => return Err(Exception::runtime("the runner is closed")),
            State::Created => {}
        }
        let event_loop = (self.loop_factory)()?;
        if let Some(debug) = self.debug {
            event_loop.set_debug(debug);
        }
        if self.sets_event_loop {
            set_event_loop(Some(&event_loop));
        }
        let open = Open {
            event_loop,
            context: copy_context(),
        };
        let before = self.state.replace(State::Open(open.clone()));
        drop(before);
        Ok(open)
    }

    /// Closes the runner, but not its loop.
    fn let_go(&self) {
        let before = self.state.replace(State::Closed);
        if self.sets_event_loop && matches!(before, State::Open(_)) {
            set_event_loop(None);
        }
    }

    /// Runs the main coroutine, in no context of its own where there is none yet.
    pub(crate) fn run_main<T, C>(
        &self,
        main: C,
        context: Option<Context>,
        at: &'static Location<'static>,
    ) -> Result<T>
    where
        T: 'static,
        C: core::future::Future<Output = Result<T>> + 'static,
    {
        let event_loop = self.open()?.event_loop;
        let task = Task::from_any(event_loop.core().spawn(main, context, at)?);
        self.interrupted.set(false);
        let Err(error) = event_loop.run_until_done(&task) else {
            return task.take_result();
        };
        self.interrupted.set(error.is_interrupted());
        if !error.is_interrupted() || task.done() {
            return Err(error);
        }
        task.cancel();
        // The second Ctrl-C is not ours.
        event_loop.set_interruptible(false);
        let ended = event_loop.run_until_done(&task);
        event_loop.set_interruptible(true);
        ended?;
        match task.take_result() {
            Err(cancelled) if cancelled.is_cancelled() && task.uncancel() == 0 => Err(error),
            outcome => outcome,
        }
    }
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let event_loop = match self.state.get_mut() {
            State::Open(open) => open.event_loop.clone(),
            State::Created | State::Closed => return,
        };
        if !thread::panicking()
            && let Err(error) = self.close()
        {
            let context = ExceptionContext::new("a runner was dropped and its tasks not awaited")
                .with_exception(error.into_shared());
            event_loop.call_exception_handler(&context);
        }
        self.let_go();
        // The only error is that it runs, and then it is its run that will let go of it.
        let _ = event_loop.close();
    }
}

impl fmt::Debug for Runner {
    /// Writes `<Runner open>`, or `created`, or `closed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.state.borrow() {
            State::Created => "<Runner created>",
            State::Open(_) => "<Runner open>",
            State::Closed => "<Runner closed>",
        })
    }
}

/// Refuses `function` inside a running loop.
pub(crate) fn check_none_runs(function: &str) -> Result<()> {
    match running::core() {
        Some(_) => Err(Exception::runtime(format!(
            "{function} cannot be called from a running event loop"
        ))),
        None => Ok(()),
    }
}

/// Shuts the executor down, and lets callbacks run for as long as they do in CPython, which shuts asynchronous generators down
/// before by another coroutine.
fn last_iterations(event_loop: &EventLoop) -> Result<()> {
    event_loop.run_until_complete(async { Ok(()) })?;
    event_loop.run_until_complete(event_loop.shutdown_default_executor(Some(THREAD_JOIN_TIMEOUT)))
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
