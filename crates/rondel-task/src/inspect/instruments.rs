//! `TaskInstrument`: who is told of the tasks as well.
//!
//! # asyncio
//! It has none. These are Trio's hooks, see
//! [its `Instrument`](https://trio.readthedocs.io/en/stable/reference-lowlevel.html#instrument-api).

use std::cell::RefCell;
use std::rc::Rc;

use rondel_reactor::Instrument;

use crate::cell::AnyFuture;
use crate::core::Core;
use crate::event_loop::EventLoop;
use crate::opaque::Opaque;
use crate::step::step;
use crate::task::Task;
use crate::task_state::TaskState;

/// An [`Instrument`] that is also told what happens to tasks; every method does nothing unless it is written.
///
/// What is said of [`Instrument`] holds here too: the methods may use the loop, and one that panics is reported and removed.
///
/// # Examples
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
/// use rondel_reactor::Instrument;
/// use rondel_task::{EventLoop, Opaque, Task, TaskInstrument};
///
/// #[derive(Default)]
/// struct Steps(RefCell<Vec<String>>);
///
/// impl Instrument for Steps {}
/// impl TaskInstrument for Steps {
///     fn before_task_step(&self, task: &Task<Opaque>) {
///         self.0.borrow_mut().push(task.get_name());
///     }
/// }
///
/// let event_loop = EventLoop::new()?;
/// let steps = Rc::new(Steps::default());
/// event_loop.add_task_instrument(steps.clone());
/// let task = event_loop.create_task(async { Ok(()) })?;
/// task.set_name("waiter");
/// event_loop.run_until_complete(&task)?;
/// assert_eq!(*steps.0.borrow(), ["waiter"]);
///
/// event_loop.remove_instrument(&steps);
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub trait TaskInstrument: Instrument {
    /// A task was created, and has not begun.
    fn task_spawned(&self, task: &Task<Opaque>) {
        let _ = task;
    }

    /// A step of the task begins: its coroutine is about to be polled.
    fn before_task_step(&self, task: &Task<Opaque>) {
        let _ = task;
    }

    /// The step has ended: the task waits, or is done.
    fn after_task_step(&self, task: &Task<Opaque>) {
        let _ = task;
    }

    /// The task has ended: it is done, or pending for ever because its loop was closed.
    fn task_exited(&self, task: &Task<Opaque>) {
        let _ = task;
    }
}

/// Those that want to hear of tasks; which of them are still in force the reactor's list says.
#[derive(Default)]
pub(crate) struct TaskInstruments(RefCell<Vec<Rc<dyn TaskInstrument>>>);

impl EventLoop {
    /// Has `instrument` told of what the loop and its tasks do, from the next iteration on.
    ///
    /// It is taken out as every instrument, by [`remove_instrument`](rondel_reactor::EventLoop::remove_instrument).
    pub fn add_task_instrument(&self, instrument: Rc<dyn TaskInstrument>) {
        let reactor = self.core().reactor();
        let instruments = &self.core().inspection().instruments.0;
        let gone: Vec<_> = instruments
            .borrow_mut()
            .extract_if(.., |other| !reactor.has_instrument(other))
            .collect();
        drop(gone);
        if !reactor.has_instrument(&instrument) {
            reactor.add_instrument(instrument.clone());
            instruments.borrow_mut().push(instrument);
        }
    }
}

/// What the rest of this crate tells them; called only while the loop is watched.
impl Core {
    #[cold]
    pub(crate) fn tell_spawned(&self, task: &AnyFuture) {
        let task = Task::from_any(task.clone());
        self.tell(|instrument| instrument.task_spawned(&task));
    }

    #[cold]
    pub(crate) fn tell_exited(&self, task: &AnyFuture) {
        let task = Task::from_any(task.clone());
        self.tell(|instrument| instrument.task_exited(&task));
    }

    /// Runs a step of the task, and tells of it.
    #[cold]
    pub(crate) fn step_watched(&self, task: &AnyFuture, state: &TaskState, rung: bool) {
        let shown = Task::from_any(task.clone());
        self.tell(|instrument| instrument.before_task_step(&shown));
        step(self, task, state, rung);
        self.tell(|instrument| instrument.after_task_step(&shown));
        if shown.done() {
            self.tell(|instrument| instrument.task_exited(&shown));
        }
    }

    fn tell(&self, hook: impl Fn(&(dyn TaskInstrument + 'static))) {
        let instruments = self.inspection().instruments.0.borrow().clone();
        for instrument in instruments {
            if self.reactor().has_instrument(&instrument) {
                self.reactor().call_instrument(&instrument, &hook);
            }
        }
    }
}
