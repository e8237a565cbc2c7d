//! `Scenario`: a program that runs, and its trace.
//!
//! What each operation does is told by the files of `ops`; here are the beginning, the end and the lines of the trace.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;

use crate::api::{
    Barrier, Clock, Condition, ContextVar, Event, EventLoop, Exception, ExceptionContext, Lock,
    Result, RunError, Semaphore, Task, Timeout, VirtualClock, current_task,
    gather_return_exceptions, get_running_loop,
};
use crate::handle::Handle;
use crate::names::Names;
use crate::ops::{AnyQueue, OnDone};
use crate::program::{Name, Object, Program};
use crate::time::Seconds;
use crate::value::{Literal, PythonError, Shown, Value};

/// Runs a program on a fresh loop under a virtual clock, and gives its trace.
///
/// # Errors
/// Fails when the program uses a thing for what it is not, such as a lock for a future, or when no loop can be made.
pub fn run(program: Program) -> Result<Vec<String>, CannotRun> {
    let name = program.name.clone();
    run_program(program).map_err(|reason| CannotRun { name, reason })
}

/// A program cannot be run, for what reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotRun {
    name: String,
    reason: String,
}

impl fmt::Display for CannotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot run `{}`: {}", self.name, self.reason)
    }
}

impl Error for CannotRun {}

fn run_program(program: Program) -> Result<Vec<String>, String> {
    let clock = VirtualClock::new();
    let event_loop = EventLoop::with_clock(clock.clone()).map_err(|error| error.to_string())?;
    // What is reported to it, above all exceptions that nobody has retrieved, is no part of a trace.
    event_loop.set_exception_handler(Some(|_: &EventLoop, _: &ExceptionContext| {}));
    let scenario = Rc::new(Scenario::new(program, clock));

    let main = event_loop.create_task(scenario.clone().main());
    let main = main.map_err(|error| error.to_string())?;
    main.set_name("main");
    scenario.names.set("main", main.clone());
    let outcome = event_loop.run_until_complete(&main);
    // Callbacks hold the scenario and are held by it.
    scenario.forget();
    if let Err(error) = outcome {
        if !error.downcast_ref().is_some_and(RunError::is_deadlock) {
            return Err(format!("main ended with {}", Shown(&error)));
        }
        scenario.log_as("loop", "deadlock");
    }
    match scenario.names.misuse() {
        None => Ok(scenario.trace.take()),
        Some(misuse) => Err(misuse),
    }
}

/// A coroutine of a program.
pub(crate) type Coroutine = Pin<Box<dyn Future<Output = Result<Value>>>>;

/// A program that runs.
pub(crate) struct Scenario {
    pub(crate) program: Program,
    clock: VirtualClock,
    trace: RefCell<Vec<String>>,
    pub(crate) names: Names,
    /// In the order of their creation.
    tasks: RefCell<Vec<Task<Value>>>,
    /// By the name of the future and the label: the same of both is the same callback.
    pub(crate) callbacks: RefCell<BTreeMap<(Name, String), OnDone>>,
    variables: RefCell<BTreeMap<Name, Rc<ContextVar<Literal>>>>,
    /// The timeout that was entered last by the task of that name.
    timeouts: RefCell<BTreeMap<String, Timeout>>,
}

impl Scenario {
    fn new(program: Program, clock: VirtualClock) -> Self {
        Self {
            program,
            clock,
            trace: RefCell::default(),
            names: Names::default(),
            tasks: RefCell::default(),
            callbacks: RefCell::default(),
            variables: RefCell::default(),
            timeouts: RefCell::default(),
        }
    }

    // --- the program -------------------------------------------------------------------------

    async fn main(self: Rc<Self>) -> Result<Value> {
        for (name, object) in &self.program.objects {
            self.make(name, *object)?;
        }
        match self.run(&self.program.main, None).await {
            Ok(ControlFlow::Continue(())) => self.log("end"),
            Ok(ControlFlow::Break(value)) => self.log(format_args!("end {value}")),
            Err(error) => self.log(format_args!("end raised {}", Shown(&error))),
        }
        if let Err(error) = self.end_tasks().await {
            // One of them has cancelled main.
            self.log(format_args!("closing raised {}", Shown(&error)));
        }
        for name in &self.program.report {
            if self.names.has(name) {
                self.log_state(name)?;
            }
        }
        Ok(Value::NONE)
    }

    fn make(&self, name: &str, object: Object) -> Result<()> {
        let names = &self.names;
        match object {
            Object::Future => names.set(name, get_running_loop()?.create_future::<Value>()),
            Object::Lock => names.set(name, Lock::new()),
            Object::Event => names.set(name, Event::new()),
            Object::Cond => names.set(name, Condition::new()),
            Object::Sem { value } => names.set(name, Semaphore::new(value)),
            Object::Barrier { parties } => names.set(name, Barrier::new(parties)?),
            Object::Queue { order, maxsize } => names.set(name, AnyQueue::new(order, maxsize)),
        }
        Ok(())
    }

    /// Cancels the tasks that are not done, in the order of their creation, and waits for their end.
    async fn end_tasks(&self) -> Result<()> {
        let mut left = self.tasks.borrow().clone();
        left.retain(|task| !task.done());
        for task in &left {
            task.cancel();
        }
        if !left.is_empty() {
            gather_return_exceptions(left).await?;
        }
        Ok(())
    }

    /// A coroutine of the program, to be awaited or made a task.
    pub(crate) async fn coroutine(self: Rc<Self>, name: Name) -> Result<Value> {
        let ops = self.program.coros.get(&name);
        let ops = ops.ok_or_else(|| Exception::new(PythonError::key_error(&name)))?;
        Ok(match self.run(ops, None).await? {
            ControlFlow::Continue(()) => Value::NONE,
            ControlFlow::Break(value) => value.into(),
        })
    }

    /// Makes a task of a coroutine of the program, by whatever `create_task` does so.
    pub(crate) fn spawn(
        self: &Rc<Self>,
        task: &str,
        coro: &str,
        create_task: impl FnOnce(Coroutine) -> Result<Task<Value>>,
    ) -> Result<()> {
        let coroutine: Coroutine = Box::pin(self.clone().coroutine(coro.to_owned()));
        let created = create_task(coroutine)?;
        created.set_name(task);
        self.names.set(task, created.clone());
        self.tasks.borrow_mut().push(created);
        Ok(())
    }

    // --- what it keeps -------------------------------------------------------------------------

    /// The context variable of that name; its default is 0.
    pub(crate) fn variable(&self, name: &str) -> Rc<ContextVar<Literal>> {
        let mut variables = self.variables.borrow_mut();
        let variable = variables.entry(name.to_owned()).or_insert_with(|| {
            Rc::new(ContextVar::with_default(
                "variable of a scenario",
                Literal::Int(0),
            ))
        });
        variable.clone()
    }

    /// The running task has entered a timeout.
    pub(crate) fn enter_timeout(&self, scope: Timeout) {
        let before = self.timeouts.borrow_mut().insert(current_name(), scope);
        drop(before);
    }

    /// The timeout that was entered last by a task of the running one's name.
    pub(crate) fn innermost_timeout(&self) -> Result<Timeout> {
        let name = current_name();
        let scope = self.timeouts.borrow().get(&name).cloned();
        scope.ok_or_else(|| PythonError::key_error(name).into())
    }

    /// Lets go of all futures and callbacks.
    fn forget(&self) {
        self.names.clear();
        let futures = (self.tasks.take(), self.timeouts.take());
        let callbacks = self.callbacks.take();
        drop((futures, callbacks));
    }

    // --- the trace -----------------------------------------------------------------------------

    /// Adds a line by the running task, or by the loop where none runs.
    pub(crate) fn log(&self, text: impl fmt::Display) {
        self.log_as(&current_name(), text);
    }

    pub(crate) fn log_as(&self, who: &str, text: impl fmt::Display) {
        let time = Seconds(self.clock.time());
        self.trace
            .borrow_mut()
            .push(format!("{time} {who}: {text}"));
    }

    pub(crate) fn log_state(&self, name: &str) -> Result<()> {
        let state = self.names.get::<Handle>(name)?.state()?;
        self.log(format_args!("state {name} = {state}"));
        Ok(())
    }
}

fn current_name() -> String {
    current_task().map_or_else(|| "loop".to_owned(), |task| task.get_name())
}
