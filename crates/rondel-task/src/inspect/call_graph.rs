//! The call graph of a future: where it is, and who awaits it, and who awaits those.
//!
//! # asyncio
//! [`asyncio.graph`](https://docs.python.org/3/library/asyncio-graph.html) of CPython 3.14, with its text. A cycle is shown and
//! not followed, a part that several await is shown in full once, and a chain is cut where it gets too long to be read. There is
//! no `limit`: a call stack has a line for each await.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::panic::Location;

use crate::cell::AnyFuture;
use crate::ensure_future::IsFuture;
use crate::future::Future;
use crate::inspect::awaited_by::Waiters;
use crate::inspect::frames::{FrameCallGraphEntry, call_stack};
use crate::opaque::Opaque;
use crate::running;
use crate::task_state::TaskState;

/// How many futures that await each other are shown.
const MAX_DEPTH: usize = 100;

/// A future, where it is, and who awaits it: what [`capture_call_graph`] gives.
///
/// It shows itself as [`format_call_graph`] says.
///
/// Mirrors [`asyncio.FutureCallGraph`](https://docs.python.org/3/library/asyncio-graph.html#asyncio.FutureCallGraph).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FutureCallGraph {
    /// The future or task.
    pub future: Future<Opaque>,
    /// Where the coroutine of a task is suspended; a plain future has none.
    pub call_stack: Vec<FrameCallGraphEntry>,
    /// Who awaits it, each with who awaits those.
    pub awaited_by: Vec<FutureCallGraph>,
    /// Why `awaited_by` says nothing, if there would be something to say.
    pub cut: Option<CallGraphCut>,
}

/// Why a call graph does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallGraphCut {
    /// The future stands further down in the same chain: it awaits itself, by way of others.
    Cycle,
    /// Who awaits it is shown elsewhere in the graph.
    Shown,
    /// The chain is too long.
    Deep,
}

impl fmt::Display for CallGraphCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cycle => "a cycle",
            Self::Shown => "shown elsewhere",
            Self::Deep => "and so on",
        })
    }
}

/// Captures who awaits a future or task, and at which lines.
///
/// A look at all tasks of the loop: it costs nothing to those who never ask.
///
/// Mirrors
/// [`asyncio.capture_call_graph`](https://docs.python.org/3/library/asyncio-graph.html#asyncio.capture_call_graph).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{capture_call_graph, create_task, gather, run_virtual, sleep};
///
/// run_virtual(async {
///     let worker = create_task(sleep(Duration::from_secs(1)))?;
///     let awaited = worker.clone();
///     let boss = create_task(async move { gather([awaited]).await })?;
///     sleep(Duration::ZERO).await?;
///
///     let graph = capture_call_graph(&worker);
///     let gathering = &graph.awaited_by[0];
///     assert!(gathering.awaited_by[0].future.ptr_eq(&boss.erase()));
///     Ok(())
/// }).unwrap();
/// ```
#[track_caller]
#[must_use]
pub fn capture_call_graph(future: &impl IsFuture) -> FutureCallGraph {
    capture(future.as_future().any(), Location::caller())
}

/// Captures the call graph of the task that is running; `None` where none is, in a callback and outside of a loop.
///
/// This is `asyncio.capture_call_graph()` without a future.
///
/// # Examples
/// ```
/// use rondel_task::{capture_current_call_graph, run};
///
/// async fn whoami() -> rondel_task::Result<String> {
///     Ok(capture_current_call_graph().expect("a task runs").to_string())
/// }
///
/// let graph = run(whoami()).unwrap();
/// assert!(graph.contains("in async whoami()"));
/// ```
#[track_caller]
#[must_use]
pub fn capture_current_call_graph() -> Option<FutureCallGraph> {
    let task = running::core()?.current_task()?;
    Some(capture(&task, Location::caller()))
}

/// Returns the call graph of a future or task as text, in asyncio's form:
///
/// ```text
/// * Task(name='worker', id=0x55d0c1a3e2f0)
///   + Call stack:
///   |   File 'src/main.rs', line 9, in async worker()
///   + Awaited by:
///     * Future(id=0x55d0c1a3e7a0)
///       + Awaited by:
///         * Task(name='Task-1', id=0x55d0c1a3e110)
///           + Call stack:
///           |   File 'src/main.rs', line 14, in async main()
/// ```
///
/// Where it does not go on it says why in brackets, see [`CallGraphCut`].
///
/// Mirrors
/// [`asyncio.format_call_graph`](https://docs.python.org/3/library/asyncio-graph.html#asyncio.format_call_graph).
#[track_caller]
#[must_use]
pub fn format_call_graph(future: &impl IsFuture) -> String {
    capture_call_graph(future).to_string()
}

/// Writes the call graph of a future or task to `file`, as [`format_call_graph`] gives it.
///
/// Mirrors
/// [`asyncio.print_call_graph`](https://docs.python.org/3/library/asyncio-graph.html#asyncio.print_call_graph).
///
/// # Errors
/// What `file` says when it cannot be written to.
#[track_caller]
pub fn print_call_graph(future: &impl IsFuture, file: &mut impl io::Write) -> io::Result<()> {
    let text = format_call_graph(future);
    writeln!(file, "{text}")
}

fn capture(future: &AnyFuture, caller: &'static Location<'static>) -> FutureCallGraph {
    let mut capture = Capture {
        waiters: Waiters::of(future.core()),
        caller,
        chain: Vec::new(),
        shown: BTreeSet::new(),
    };
    capture.graph_of(future)
}

/// A graph that is being captured.
struct Capture {
    waiters: Waiters,
    caller: &'static Location<'static>,
    /// The addresses of the futures that lead to the one that is looked at.
    chain: Vec<usize>,
    /// The addresses of those whose `awaited_by` is in the graph.
    shown: BTreeSet<usize>,
}

impl Capture {
    fn graph_of(&mut self, future: &AnyFuture) -> FutureCallGraph {
        let is_current = future.core().is_running(future);
        let call_stack = call_stack(future, is_current.then_some(self.caller));
        let awaited_by = self.waiters.who_await(future);
        let cut = match awaited_by.is_empty() {
            true => None,
            false => self.cut_at(future.address()),
        };
        let mut graph = FutureCallGraph {
            future: Future::from_any(future.clone()),
            call_stack,
            awaited_by: Vec::new(),
            cut,
        };
        if cut.is_none() {
            self.shown.insert(future.address());
            self.chain.push(future.address());
            graph.awaited_by = awaited_by.iter().map(|by| self.graph_of(by)).collect();
            self.chain.pop();
        }
        graph
    }

    fn cut_at(&self, address: usize) -> Option<CallGraphCut> {
        if self.chain.contains(&address) {
            Some(CallGraphCut::Cycle)
        } else if self.shown.contains(&address) {
            Some(CallGraphCut::Shown)
        } else if self.chain.len() == MAX_DEPTH {
            Some(CallGraphCut::Deep)
        } else {
            None
        }
    }
}

impl FutureCallGraph {
    fn fmt_at(&self, f: &mut fmt::Formatter<'_>, level: usize) -> fmt::Result {
        let indent = "    ".repeat(level);
        let future = self.future.any();
        match future.task_state().map(TaskState::name) {
            Some(name) => write!(f, "{indent}* Task(name='{name}', ")?,
            None => write!(f, "{indent}* Future(")?,
        }
        write!(f, "id={:#x})", future.address())?;
        if let Some(cut) = self.cut {
            write!(f, " ({cut})")?;
        }
        if !self.call_stack.is_empty() {
            write!(f, "\n{indent}  + Call stack:")?;
        }
        for entry in &self.call_stack {
            write!(f, "\n{indent}  |   {entry}")?;
        }
        if !self.awaited_by.is_empty() {
            write!(f, "\n{indent}  + Awaited by:")?;
        }
        for graph in &self.awaited_by {
            f.write_str("\n")?;
            graph.fmt_at(f, level + 1)?;
        }
        Ok(())
    }
}

/// Writes it in asyncio's form, see [`format_call_graph`].
impl fmt::Display for FutureCallGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_at(f, 0)
    }
}
