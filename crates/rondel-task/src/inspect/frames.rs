//! Where a task is: the line at which its coroutine is suspended.
//!
//! # asyncio
//! `Task.get_stack` and the frames of a call graph. A Rust coroutine has no frames to walk; what is known is its function, and
//! the line of every await of ours at which it is suspended, which may lie in a function that it calls.

use std::fmt;
use std::panic::Location;

use crate::cell::AnyFuture;
use crate::repr::function_name;
use crate::task::Task;

/// One line of a call stack: a place in the coroutine of a task.
///
/// Mirrors
/// [`asyncio.FrameCallGraphEntry`](https://docs.python.org/3/library/asyncio-graph.html#asyncio.FrameCallGraphEntry).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameCallGraphEntry {
    /// The function that the task's coroutine was made by.
    pub function: &'static str,
    /// The file and the line.
    pub location: &'static Location<'static>,
    /// What there is at that line.
    pub place: FramePlace,
}

/// What there is at a line of a call stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FramePlace {
    /// The await at which the coroutine is suspended.
    Await,
    /// The line that runs: it asks for the call graph.
    Running,
    /// The creation of the task. It has not begun, or waits for nothing of ours: it has yielded, or awaits a foreign future.
    Created,
}

impl fmt::Display for FrameCallGraphEntry {
    /// Writes what asyncio does: `File 'src/main.rs', line 7, in async main()`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            function,
            location,
            place,
        } = self;
        let (file, line) = (location.file(), location.line());
        write!(f, "File '{file}', line {line}, in async {function}()")?;
        match place {
            FramePlace::Await | FramePlace::Running => Ok(()),
            FramePlace::Created => f.write_str(", created here"),
        }
    }
}

/// The call stack of a future: none if it is no task, or is done.
///
/// A task that is asked about itself is at `caller`.
pub(super) fn call_stack(
    future: &AnyFuture,
    caller: Option<&'static Location<'static>>,
) -> Vec<FrameCallGraphEntry> {
    let Some(state) = future.task_state().filter(|_| !future.done()) else {
        return Vec::new();
    };
    let entry = |location, place| FrameCallGraphEntry {
        function: function_name(future.body().coroutine_name()),
        location,
        place,
    };
    if let Some(caller) = caller {
        return vec![entry(caller, FramePlace::Running)];
    }
    let awaits = state.pending_awaits(future.core());
    let mut stack: Vec<_> = awaits
        .iter()
        .map(|awaited| entry(awaited.at, FramePlace::Await))
        .collect();
    if stack.is_empty() {
        stack.push(entry(state.created_at, FramePlace::Created));
    }
    stack
}

/// What a report adds to a pending task: ` awaits at file:line`, for each of its awaits.
pub(crate) fn awaits_text(task: &AnyFuture) -> String {
    let state = task.task_state();
    let awaits = state.map(|state| state.pending_awaits(task.core()));
    let places: Vec<_> = awaits
        .iter()
        .flatten()
        .map(|awaited| format!("{}:{}", awaited.at.file(), awaited.at.line()))
        .collect();
    match places.is_empty() {
        true => String::new(),
        false => format!(" awaits at {}", places.join(", ")),
    }
}

impl<T> Task<T> {
    /// Returns where the coroutine is suspended: an entry for every await, several if it awaits several futures at once, as by
    /// `join!`; the line of this call if the task asks for itself; nothing once the task is done.
    ///
    /// Mirrors [`Task.get_stack`](https://docs.python.org/3/library/asyncio-task.html#asyncio.Task.get_stack).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use rondel_task::{create_task, run_virtual, sleep};
    ///
    /// run_virtual(async {
    ///     let sleeper = create_task(async { sleep(Duration::from_secs(1)).await })?;
    ///     let line = line!() - 1;
    ///     sleep(Duration::ZERO).await?;
    ///     assert_eq!(sleeper.get_stack()[0].location.line(), line);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    #[track_caller]
    #[must_use]
    pub fn get_stack(&self) -> Vec<FrameCallGraphEntry> {
        let is_current = self.any().core().is_running(self.any());
        call_stack(self.any(), is_current.then(Location::caller))
    }
}
