//! `Group`: the children of a task group, their errors, and the way out of the group.
//!
//! ```text
//!            the body has ended               no child is left
//!  Entered ---------------------> Exiting ---------------------> Left
//!     |                              |   dropped                  ^
//!     +------------------------------+----------------------------+
//! ```
//! `aborting` is a flag beside the stage: once it is set every child is cancelled and none is added.
//!
//! # Invariants
//! - I1: The group holds weak handles of its children and of its parent: the loop holds tasks that are not done.
//! - I2: While `parent_cancel_requested` is set, one of the parent's requests to cancel is the group's own, and the group takes
//!   it back on its way out, whichever way that is.
//! - I3: The exception of a child is told once: to the caller of `start` who waits for that child, else with the group's errors,
//!   or, when the group was dropped, to the loop's exception handler.
//!
//! # asyncio
//! The fields and steps of `asyncio.TaskGroup`. There are no "base errors" (`KeyboardInterrupt`, `SystemExit`): a Ctrl-C cancels
//! the main task and is raised by who runs the loop. Of CPython 3.15 it has `cancel`, and that a cancellation from outside
//! which meets one of the group's own is not lost.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use rondel_future::State;
use rondel_reactor::ExceptionContext;

use crate::awaiter::Awaiter;
use crate::callback::Awaiting;
use crate::cancel::{cancel, cancel_from};
use crate::cell::{AnyFuture, WeakFuture};
use crate::core::Core;
use crate::exception::{Exception, Result};
use crate::exception_group::ExceptionGroup;
use crate::future::Future;
use crate::running;
use crate::shielded::Shields;
use crate::task_state::TaskState;
use crate::wait::release;
use crate::watcher::{Watch, Watcher};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Entered,
    Exiting,
    Left,
}

/// What a group keeps of a child until that child's end was heard of.
struct Child {
    task: WeakFuture,
    /// What a caller of `start` waits for.
    starting: Option<AnyFuture>,
}

pub(crate) struct Group {
    core: Rc<Core>,
    parent: WeakFuture,
    /// The shields that the parent was behind when it entered the group.
    shields: u32,
    /// The line that called `task_group`.
    entered_at: &'static Location<'static>,
    stage: Cell<Stage>,
    aborting: Cell<bool>,
    parent_cancel_requested: Cell<bool>,
    /// By the tasks' numbers, which is the order of their creation.
    children: RefCell<BTreeMap<u64, Child>>,
    errors: RefCell<Vec<Exception>>,
    /// What the parent waits for on the way out.
    on_completed: RefCell<Option<Future<()>>>,
    /// What the group gives in place of the value of a body that `cancel` has interrupted.
    cancel_value: RefCell<Option<Box<dyn Any>>>,
}

impl Group {
    /// A group whose parent is the task that is running.
    pub(super) fn enter(entered_at: &'static Location<'static>) -> Result<Watcher<Self>> {
        let core = running::running_core()?;
        let Some(parent) = core.current_task() else {
            return Err(Exception::runtime(
                "TaskGroup <TaskGroup> cannot determine the parent task",
            ));
        };
        let shields = parent
            .task_state()
            .map_or(0, |state| state.with_shields(Shields::depth));
        Ok(Watcher::new(Self {
            core,
            shields,
            parent: parent.downgrade(),
            entered_at,
            stage: Cell::new(Stage::Entered),
            aborting: Cell::new(false),
            parent_cancel_requested: Cell::new(false),
            children: RefCell::default(),
            errors: RefCell::default(),
            on_completed: RefCell::default(),
            cancel_value: RefCell::default(),
        }))
    }

    pub(super) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    fn is_finished(&self) -> bool {
        self.stage.get() != Stage::Entered && self.children.borrow().is_empty()
    }

    // --- children --------------------------------------------------------------------------

    /// Refuses a new child where there can be none.
    pub(super) fn check_open(&self) -> Result<()> {
        let why = if self.is_finished() {
            "is finished"
        } else if self.aborting.get() {
            "is shutting down"
        } else {
            return Ok(());
        };
        Err(Exception::runtime(format!("TaskGroup {self:?} {why}")))
    }

    /// Nobody waits any more for this child to start: what it raises is the group's from now on.
    pub(super) fn forget_start(&self, task: &AnyFuture) {
        let waited_for = self
            .children
            .borrow_mut()
            .get_mut(&number(task))
            .and_then(|child| child.starting.take());
        drop(waited_for);
    }

    /// Cancels every child, in the order of creation.
    fn abort(&self) {
        self.aborting.set(true);
        let children: Vec<AnyFuture> = self
            .children
            .borrow()
            .values()
            .filter_map(|child| child.task.upgrade())
            .collect();
        for child in children.iter().filter(|child| !child.done()) {
            cancel(child, None);
        }
    }

    fn child_failed(&self, exception: Exception) {
        self.errors.borrow_mut().push(exception);
        if !self.aborting.get() && !self.parent_cancel_requested.get() {
            self.abort();
            self.cancel_parent();
        }
    }

    /// Ends the body, or what the parent does on the way out, by an error that the group will take back (I2).
    fn cancel_parent(&self) {
        self.parent_cancel_requested.set(true);
        if let Some(parent) = self.parent.upgrade() {
            cancel_from(&parent, self.shields, None);
        }
    }

    /// Takes back one request to cancel the parent; how many are left.
    fn uncancel_parent(&self) -> u32 {
        self.with_parent(TaskState::uncancel)
    }

    fn with_parent(&self, f: impl FnOnce(&TaskState) -> u32) -> u32 {
        let parent = self.parent.upgrade();
        parent
            .as_ref()
            .and_then(|task| task.task_state())
            .map_or(0, f)
    }

    // --- the ways out ------------------------------------------------------------------------

    /// Ends the group early, without an error.
    pub(super) fn cancel<R: 'static>(&self, value: R) {
        if self.is_finished() || self.aborting.get() {
            return;
        }
        *self.cancel_value.borrow_mut() = Some(Box::new(value));
        self.abort();
        if !self.parent_cancel_requested.get() {
            self.cancel_parent();
        }
    }

    /// The value given to `cancel`.
    pub(super) fn cancel_value<R: 'static>(&self) -> Option<R> {
        let value = self.cancel_value.take()?;
        value.downcast().ok().map(|value| *value)
    }

    /// The body has ended: waits for the children, then raises what there is to raise.
    pub(super) async fn exit(&self, body_error: Option<&Exception>) -> Result<()> {
        self.stage.set(Stage::Exiting);
        let mut cancellation = body_error.filter(|error| error.is_cancelled()).cloned();
        if body_error.is_some() && !self.aborting.get() {
            self.abort();
        }
        let mut late_cancellation = None;
        while !self.children.borrow().is_empty() {
            let on_completed = Future::new(self.core.clone());
            *self.on_completed.borrow_mut() = Some(on_completed.clone());
            let woken = Awaiter::new(on_completed, self.entered_at).await;
            self.on_completed.take();
            match woken {
                Ok(()) => {}
                // Awaited on another loop than the one it was entered on; dropping it cancels the children.
                Err(error) if !error.is_cancelled() => return Err(error),
                Err(error) => {
                    if !self.aborting.get() {
                        cancellation = Some(error.clone());
                        self.abort();
                    }
                    late_cancellation = Some(error);
                }
            }
        }
        self.stage.set(Stage::Left);
        if self.parent_cancel_requested.replace(false) {
            if self.uncancel_parent() == 0 {
                cancellation = None;
            } else {
                // What is left is not the group's own.
                cancellation = cancellation.or(late_cancellation);
            }
        }
        let mut errors = self.errors.take();
        match cancellation {
            Some(cancellation) if errors.is_empty() => return Err(cancellation),
            _ => errors.extend(body_error.filter(|error| !error.is_cancelled()).cloned()),
        }
        match ExceptionGroup::new("unhandled errors in a TaskGroup", errors) {
            Ok(group) => {
                self.cancel_parent_again();
                Err(Exception::new(group))
            }
            Err(_there_is_none) => Ok(()),
        }
    }

    /// A cancellation from outside yields to the group's errors and is to be seen at the parent's next await.
    fn cancel_parent_again(&self) {
        if self.with_parent(TaskState::cancelling) == 0 {
            return;
        }
        self.uncancel_parent();
        if let Some(parent) = self.parent.upgrade() {
            cancel_from(&parent, self.shields, None);
        }
    }

    /// The coroutine of the group was dropped: its children are cancelled and nobody waits for them.
    pub(super) fn abandon(&self) {
        if self.stage.replace(Stage::Left) == Stage::Left {
            return;
        }
        let waited_for = self.on_completed.take();
        drop(waited_for);
        self.abort();
        if self.parent_cancel_requested.replace(false) {
            self.uncancel_parent();
        }
        for exception in self.errors.take() {
            let context = ExceptionContext::new(
                "TaskGroup was dropped with an exception of one of its tasks",
            )
            .with_exception(exception.into_shared())
            .with_subject("task_group", format!("{self:?}"));
            self.core.reactor().call_exception_handler(&context);
        }
    }
}

impl Watcher<Group> {
    /// Takes in a task that was just created.
    pub(super) fn add(&self, task: &AnyFuture, starting: Option<AnyFuture>) {
        let child = Child {
            task: task.downgrade(),
            starting,
        };
        self.children.borrow_mut().insert(number(task), child);
        if task.done() {
            // It was eager, and is heard of at once.
            return self.future_done(task.clone());
        }
        // It is pending, so nothing is scheduled that could be refused.
        let _ = self.watch(task);
    }
}

fn number(task: &AnyFuture) -> u64 {
    task.task_state().map_or(0, TaskState::number)
}

impl Watch for Group {
    const NAME: &'static str = "task_group";

    fn future_done(&self, task: AnyFuture) {
        let child = self.children.borrow_mut().remove(&number(&task));
        let starting = child.and_then(|child| child.starting);
        if self.children.borrow().is_empty() {
            let on_completed = self.on_completed.borrow().clone();
            if let Some(on_completed) = on_completed {
                release(&on_completed);
            }
        }
        match starting {
            Some(starting) if starting.state() == State::Pending => not_started(&task, &starting),
            // The caller of `start` was cancelled, waits for the child's end and raises what it raised.
            Some(starting) if starting.cancelled() => {}
            // Nobody waits for it: if its exception is never read, the loop reports it.
            _ if self.stage.get() == Stage::Left => {}
            _ => {
                if let Some(exception) = task.exception() {
                    self.child_failed(exception);
                }
            }
        }
    }

    fn awaiting(&self) -> Vec<Awaiting> {
        let parent = self.parent.upgrade().map(Awaiting::Future);
        parent.into_iter().collect()
    }
}

/// A child has ended before it told that it had started: who waits for that is told how it ended.
fn not_started(task: &AnyFuture, starting: &AnyFuture) {
    if task.cancelled() {
        starting.cancel_with(task.cancelled_error());
        return;
    }
    let exception = task
        .exception()
        .unwrap_or_else(|| Exception::runtime("child exited without calling `Started::set`"));
    // It is pending and its loop runs: nothing can be refused.
    let _ = starting.set_exception(exception);
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<TaskGroup")?;
        match self.children.borrow().len() {
            0 => {}
            tasks => write!(f, " tasks={tasks}")?,
        }
        match self.errors.borrow().len() {
            0 => {}
            errors => write!(f, " errors={errors}")?,
        }
        f.write_str(if self.aborting.get() {
            " cancelling>"
        } else {
            " entered>"
        })
    }
}
