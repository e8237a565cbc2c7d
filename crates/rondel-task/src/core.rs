//! `Core`: what tasks add to a reactor's loop, shared by the loop's handles and its futures.
//!
//! It turns tokens into steps and keeps the tasks. How a step goes is `step`'s business.
//!
//! # Invariants
//! - I1: No borrow of `slab` is held while code of the user runs.
//! - I2: `EventLoop` handles are counted apart from the `Rc`: futures, which may outlive their loop, do not keep it open. When
//!   the last handle goes the loop is closed, which drops all coroutines and callbacks and so breaks every cycle through them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use rondel_context::Context;
use rondel_reactor::{ExceptionContext, Extension, PanicError};
use rondel_sched::{Ahead, ClosedError, Scheduler, Token};

use crate::awaited::Waiting;
use crate::body;
use crate::cell::AnyFuture;
use crate::cold::WaiterPlace;
use crate::completer::Exported;
use crate::exception::Result;
use crate::flags::Flag;
use crate::inspect::{Inspection, awaits_text};
use crate::running;
use crate::slab::{Slab, begin_turn};
use crate::step::{drop_coroutine, step};
use crate::task_options::{Factory, Start, TaskOptions};
use crate::task_state::TaskState;
use crate::threads::DefaultExecutor;
use crate::waker;

/// No task's token: the last slot of the last loop is never given out.
pub(crate) const NO_TASK: Token = Token::from_bits(u64::MAX >> 2);

pub(crate) struct Core {
    reactor: rondel_reactor::EventLoop,
    id: u16,
    slab: RefCell<Slab>,
    /// The task that is being stepped, and whether the next leaf that is polled is to return a `CancelledError`.
    stepping: Cell<Stepping>,
    exported: Exported,
    default_executor: DefaultExecutor,
    factory: Factory,
    inspection: Inspection,
    owners: Cell<usize>,
    closing: Cell<bool>,
    me: Weak<Core>,
}

/// What a step changes in the core, to be put back when it ends.
#[derive(Clone, Copy)]
pub(crate) struct Stepping {
    task: Token,
    throw: bool,
}

impl Core {
    pub(crate) fn new(reactor: rondel_reactor::EventLoop) -> io::Result<Rc<Self>> {
        let id = waker::register(reactor.scheduler().injector())?;
        let core = Rc::new_cyclic(|me: &Weak<Self>| Self {
            reactor,
            id,
            slab: RefCell::new(Slab::new(id)),
            stepping: Cell::new(Stepping {
                task: NO_TASK,
                throw: false,
            }),
            exported: Exported::default(),
            default_executor: DefaultExecutor::default(),
            factory: Factory::default(),
            inspection: Inspection::default(),
            owners: Cell::new(0),
            closing: Cell::new(false),
            me: me.clone(),
        });
        let extension: Rc<dyn Extension> = core.clone();
        core.reactor.set_extension(Rc::downgrade(&extension));
        Ok(core)
    }

    #[inline]
    pub(crate) fn reactor(&self) -> &rondel_reactor::EventLoop {
        &self.reactor
    }

    #[inline]
    pub(crate) fn scheduler(&self) -> &Scheduler {
        self.reactor.scheduler()
    }

    pub(crate) fn downgrade(&self) -> Weak<Self> {
        self.me.clone()
    }

    pub(crate) fn id(&self) -> u16 {
        self.id
    }

    /// The count of `EventLoop` handles (I2).
    pub(crate) fn owners(&self) -> &Cell<usize> {
        &self.owners
    }

    /// The futures that other threads may complete.
    pub(crate) fn exported(&self) -> &Exported {
        &self.exported
    }

    /// What runs blocking code where no other executor is named.
    pub(crate) fn default_executor(&self) -> &DefaultExecutor {
        &self.default_executor
    }

    /// Who decides what tasks are made with.
    pub(crate) fn factory(&self) -> &Factory {
        &self.factory
    }

    /// What is kept for whoever looks at the tasks.
    #[inline]
    pub(crate) fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// True from the moment on when the tasks are dropped.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    // --- tasks ---------------------------------------------------------------------------

    /// Makes a task and schedules its first step, unless the factory wants it otherwise.
    ///
    /// What does not depend on the type of the coroutine is done out of line, and what is rarely there is behind a pointer: so the
    /// coroutine is put together in its place.
    #[inline]
    pub(crate) fn spawn<T, C>(
        self: &Rc<Self>,
        coroutine: C,
        context: Option<Context>,
        created_at: &'static Location<'static>,
    ) -> Result<AnyFuture, ClosedError>
    where
        T: 'static,
        C: Future<Output = Result<T>> + 'static,
    {
        let mut context = context;
        let options = match self.factory.is_set() {
            true => self.ask_factory(&mut context),
            false => None,
        };
        let token = self.reserve()?;
        let task = body::spawn(self.clone(), coroutine, token, context, created_at);
        self.enroll(token, &task, options);
        Ok(task)
    }

    /// As `spawn`, with options.
    pub(crate) fn spawn_with<T, C>(
        self: &Rc<Self>,
        coroutine: C,
        options: TaskOptions,
        created_at: &'static Location<'static>,
    ) -> Result<AnyFuture, ClosedError>
    where
        T: 'static,
        C: Future<Output = Result<T>> + 'static,
    {
        let mut options = Box::new(self.factory.decide(options));
        let token = self.reserve()?;
        let context = options.context.take();
        let task = body::spawn(self.clone(), coroutine, token, context, created_at);
        self.enroll(token, &task, Some(options));
        Ok(task)
    }

    /// The factory's options for a task with this context, and its choice of the context.
    #[cold]
    fn ask_factory(&self, context: &mut Option<Context>) -> Option<Box<TaskOptions>> {
        let mut options = Box::new(self.factory.decide(TaskOptions {
            name: None,
            context: context.take(),
            start: None,
        }));
        *context = options.context.take();
        Some(options)
    }

    /// A slot for a task that is about to be made.
    #[inline]
    fn reserve(&self) -> Result<Token, ClosedError> {
        if self.closing.get() {
            return Err(ClosedError);
        }
        Ok(self.slab.borrow_mut().reserve())
    }

    /// Takes a new task into its slot and schedules its first step, or does as the options say.
    #[inline(never)]
    fn enroll(&self, token: Token, task: &AnyFuture, options: Option<Box<TaskOptions>>) {
        self.slab.borrow_mut().fill(token, task);
        let number = || task.task_state().map(TaskState::number);
        let created_at = || {
            let state = task.task_state();
            state.map(|state| tracing::field::display(state.created_at))
        };
        tracing::trace!(task = number(), at = created_at(), "task created");
        match options {
            None if !self.reactor.is_watched() => self.scheduler().wake(token),
            options => self.start_with(token, task, *options.unwrap_or_default()),
        }
    }

    /// Names a new task, and schedules its first step; an eager one takes it now, if the loop is running.
    #[inline(never)]
    fn start_with(&self, token: Token, task: &AnyFuture, options: TaskOptions) {
        let TaskOptions { name, start, .. } = options;
        if let (Some(name), Some(state)) = (name, task.task_state()) {
            state.set_name(&name);
        }
        if self.reactor.is_watched() {
            self.tell_spawned(task);
        }
        match start.unwrap_or_default() {
            Start::Eager if self.reactor.is_running() => {
                let creator = self.stepping.get().task;
                let is_kept = self.look_at_task(creator, TaskState::keep_context);
                match self.reactor.is_watched() {
                    true => drop(self.wake_watched(token)),
                    false => self.wake(token),
                }
                if is_kept == Some(true) {
                    drop(self.look_at_task(creator, |state| state.take_context()));
                }
            }
            Start::Eager | Start::Soon => self.scheduler().wake(token),
        }
    }

    /// Puts the task's token into the ready queue, unless it stands there already.
    #[inline]
    pub(crate) fn schedule(&self, token: Token) {
        self.wake_if(token, TaskState::schedule);
    }

    /// As `schedule`, for a task that has waited and may be far off in memory.
    #[inline]
    pub(crate) fn schedule_again(&self, token: Token) {
        self.schedule_if(token, |_| true);
    }

    /// As `schedule_again`, if the task `is_meant`, which runs no code of the user; true if it is.
    #[inline]
    pub(crate) fn schedule_if(
        &self,
        token: Token,
        is_meant: impl FnOnce(&TaskState) -> bool,
    ) -> bool {
        let slab = self.slab.borrow();
        let state = slab.fetched_state(token).filter(|state| is_meant(state));
        let newly = state.map(TaskState::schedule);
        drop(slab);
        if newly == Some(true) {
            self.scheduler().wake(token);
        }
        newly.is_some()
    }

    #[inline]
    fn wake_if(&self, token: Token, newly: impl FnOnce(&TaskState) -> bool) {
        if self.look_at_task(token, newly) == Some(true) {
            self.scheduler().wake(token);
        }
    }

    /// Takes a task that is over out of the loop.
    #[inline]
    pub(crate) fn forget_task(&self, task: &AnyFuture, token: Token) -> Option<AnyFuture> {
        self.slab.borrow_mut().remove(task, token)
    }

    /// The tasks that are not done, in the order of their creation.
    pub(crate) fn tasks(&self) -> Vec<AnyFuture> {
        let slab = self.slab.borrow();
        let mut tasks = Vec::with_capacity(slab.len());
        tasks.extend(slab.tasks());
        drop(slab);
        tasks.sort_by_key(|task| task.task_state().map(TaskState::number));
        tasks
    }

    // --- the step that is under way ----------------------------------------------------------

    /// A step of the task begins; gives what was there before, for `leave`.
    #[inline]
    pub(crate) fn enter(&self, task: Token, throw: bool) -> Stepping {
        self.stepping.replace(Stepping { task, throw })
    }

    /// The step has ended; true if its error was not taken by any leaf.
    #[inline]
    pub(crate) fn leave(&self, outside: Stepping) -> bool {
        self.stepping.replace(outside).throw
    }

    /// True if the leaf that is being polled is to return the error: it has to, as nobody else will.
    #[inline]
    pub(crate) fn take_throw(&self) -> bool {
        let stepping = self.stepping.get();
        if stepping.throw {
            self.stepping.set(Stepping {
                throw: false,
                ..stepping
            });
        }
        stepping.throw
    }

    /// True if the leaf that is being polled is to return an error.
    #[inline]
    pub(crate) fn is_throwing(&self) -> bool {
        self.stepping.get().throw
    }

    #[inline]
    pub(crate) fn is_current(&self, token: Token) -> bool {
        self.stepping.get().task == token
    }

    /// True for the task that is being stepped.
    pub(crate) fn is_running(&self, future: &AnyFuture) -> bool {
        let state = future.task_state();
        state.is_some_and(|state| self.is_current(state.token()))
    }

    /// The task that is being stepped.
    pub(crate) fn current_task(&self) -> Option<AnyFuture> {
        self.task(self.stepping.get().task)
    }

    /// Looks at the task of a token that is not stale; `f` runs no code of the user (I1).
    #[inline]
    pub(crate) fn look_at_task<R>(
        &self,
        token: Token,
        f: impl FnOnce(&TaskState) -> R,
    ) -> Option<R> {
        let slab = self.slab.borrow();
        Some(f(slab.state(token)?))
    }

    /// Notes that the task of a token waits for a future in the line `at`, and where that stands among what it waits for.
    ///
    /// `None` for a token that is stale, `Some(None)` where the future is the task itself.
    #[inline(always)]
    pub(crate) fn begin_to_wait(
        &self,
        token: Token,
        future: &AnyFuture,
        at: &'static Location<'static>,
    ) -> Option<Option<WaiterPlace>> {
        let slab = self.slab.borrow();
        let state = slab.state(token)?;
        if future.has_state(state) {
            return Some(None);
        }
        Some(Some(state.add_waiter(Waiting::Future(future), at)))
    }

    /// The task of a token that is not stale.
    #[inline]
    pub(crate) fn task(&self, token: Token) -> Option<AnyFuture> {
        self.slab.borrow().get(token)
    }

    // --- the end -----------------------------------------------------------------------------

    /// Drops the last handle of a task; a panic of its value's destructor is reported and goes no further.
    #[inline(never)]
    fn let_go(&self, task: AnyFuture) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(task))) {
            let context = ExceptionContext::new("Exception in a destructor of a task's value")
                .with_exception(Arc::new(PanicError::new(payload)));
            self.reactor.call_exception_handler(&context);
        }
    }

    /// Reports and drops the coroutines of all tasks; they stay pending for ever.
    fn destroy_tasks(&self) {
        for task in self.tasks() {
            let Some(state) = task.task_state() else {
                continue;
            };
            let owned = self.forget_task(&task, state.token());
            if state.flags.has(Flag::LogDestroyPending) {
                let text = format!("{task:?}{}", awaits_text(&task));
                let context = ExceptionContext::new("Task was destroyed but it is pending!")
                    .with_subject("task", text);
                self.reactor.call_exception_handler(&context);
            }
            state.clear_waiters(self);
            drop_coroutine(self, &task);
            if self.reactor.is_watched() {
                self.tell_exited(&task);
            }
            drop(owned);
        }
    }

    pub(crate) fn report_panic_in_drop(&self, task: &AnyFuture, panic: PanicError) {
        let context = ExceptionContext::new("Exception in a destructor of a coroutine")
            .with_exception(Arc::new(panic))
            .with_subject("task", format!("{task:?}"));
        self.reactor.call_exception_handler(&context);
    }
}

impl Extension for Core {
    #[inline]
    fn wake(&self, token: Token) {
        let candidate = self.slab.borrow().candidate_task(token);
        let Some(task) = candidate else {
            return;
        };
        if let Some((state, rung)) = begin_turn(&task, token) {
            step(self, &task, state, rung);
        }
        if task.is_last_handle() {
            self.let_go(task);
        }
    }

    /// The task is found by its slot.
    fn foresee(&self, token: Token, ahead: Ahead) {
        let slab = self.slab.borrow();
        match ahead {
            Ahead::Far => slab.prefetch(token),
            Ahead::Near => slab.prefetch_task(token),
        }
    }

    /// The token is that of a task that sleeps: its time has come.
    #[inline]
    fn ring(&self, token: Token) {
        self.wake_if(token, TaskState::ring);
    }

    fn wake_watched(&self, token: Token) -> Option<Box<dyn fmt::Debug>> {
        let task = self.slab.borrow().candidate_task(token)?;
        let (state, rung) = begin_turn(&task, token)?;
        self.step_watched(&task, state, rung);
        Some(Box::new(task))
    }

    fn started(&self) {
        running::replace(self.me.upgrade());
    }

    fn stopped(&self) {
        let before = running::replace(None);
        drop(before);
    }

    fn closing(&self) {
        if !self.closing.replace(true) {
            self.destroy_tasks();
            self.factory.set(None);
            self.exported.clear();
            self.default_executor.close(&self.reactor);
        }
    }

    fn tasks(&self) -> Option<usize> {
        Some(self.slab.borrow().len())
    }

    fn deadlock(&self) -> Option<String> {
        let tasks = self.tasks();
        let text = |task: &AnyFuture| format!("{task:?}{}", awaits_text(task));
        let texts: Vec<String> = tasks.iter().map(text).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        waker::unregister(self.id);
    }
}
