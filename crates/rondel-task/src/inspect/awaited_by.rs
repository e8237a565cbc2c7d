//! Who awaits a future: found out when somebody asks, by a look at all tasks of its loop.
//!
//! A task tells what it waits for. A combinator stands in the callback list of each of its children, and tells there for whom.
//! What neither of the two knows, a combinator of the user for instance, can be told by hand.
//!
//! # Invariants
//! - I1: No code of the user runs while a list is looked at: what is found are handles.
//!
//! # asyncio
//! `_asyncio_awaited_by`, a set that every await and every combinator of CPython 3.14 adds to.

use std::collections::{BTreeMap, BTreeSet};

use crate::awaited::Awaited;
use crate::callback::Awaiting;
use crate::cell::{AnyFuture, WeakFuture};
use crate::core::Core;
use crate::ensure_future::IsFuture;
use crate::inspect::side_table::SideTable;

/// What was told by hand: for each future, who awaits it.
#[derive(Default)]
pub(crate) struct AwaitedBy(SideTable<Vec<WeakFuture>>);

/// Notes that `future` is awaited by `waiter`, so that call graphs show it; for combinators that are not rondel's.
///
/// rondel's own tell by themselves, and so does a task that awaits. To note it twice is to note it once. Neither is kept alive.
///
/// Mirrors
/// [`asyncio.future_add_to_awaited_by`](https://docs.python.org/3/library/asyncio-graph.html#asyncio.future_add_to_awaited_by).
///
/// # Examples
/// ```
/// use rondel_task::{EventLoop, capture_call_graph, future_add_to_awaited_by, future_discard_from_awaited_by};
///
/// let event_loop = EventLoop::new()?;
/// let (part, whole) = (event_loop.create_future::<u8>(), event_loop.create_future::<()>());
/// future_add_to_awaited_by(&part, &whole);
/// assert!(capture_call_graph(&part).awaited_by[0].future.ptr_eq(&whole.erase()));
///
/// future_discard_from_awaited_by(&part, &whole);
/// assert!(capture_call_graph(&part).awaited_by.is_empty());
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub fn future_add_to_awaited_by(future: &impl IsFuture, waiter: &impl IsFuture) {
    let (future, waiter) = (future.as_future().any(), waiter.as_future().any());
    future
        .core()
        .inspection()
        .awaited_by
        .0
        .change(future, |by| {
            by.retain(|by| !by.is_gone() && by.address() != waiter.address());
            by.push(waiter.downgrade());
        });
}

/// Takes back that `future` is awaited by `waiter`; does nothing if that was not noted.
///
/// Mirrors
/// [`asyncio.future_discard_from_awaited_by`](https://docs.python.org/3/library/asyncio-graph.html#asyncio.future_discard_from_awaited_by).
pub fn future_discard_from_awaited_by(future: &impl IsFuture, waiter: &impl IsFuture) {
    let (future, waiter) = (future.as_future().any(), waiter.as_future().any());
    future
        .core()
        .inspection()
        .awaited_by
        .0
        .change(future, |by| {
            by.retain(|by| by.address() != waiter.address());
        });
}

/// The tasks of a loop by the addresses of what they wait for.
pub(super) struct Waiters(BTreeMap<usize, Vec<AnyFuture>>);

impl Waiters {
    pub(super) fn of(core: &Core) -> Self {
        let mut waiters = BTreeMap::<usize, Vec<AnyFuture>>::new();
        for task in core.tasks() {
            let awaits = task.task_state().map(|state| state.pending_awaits(core));
            for awaited in awaits.into_iter().flatten() {
                if let Awaited::Future(future) = awaited.awaited {
                    let tasks = waiters.entry(future.address()).or_default();
                    tasks.push(task.clone());
                }
            }
        }
        Self(waiters)
    }

    fn tasks(&self, future: &AnyFuture) -> &[AnyFuture] {
        self.0.get(&future.address()).map_or(&[], Vec::as_slice)
    }

    /// Who awaits `future`: the tasks that do, whoever stands in its list for somebody, and who was told by hand; each once.
    pub(super) fn who_await(&self, future: &AnyFuture) -> Vec<AnyFuture> {
        let mut found = self.tasks(future).to_vec();
        for awaiting in future.awaiting() {
            match awaiting {
                Awaiting::Future(outer) => found.push(outer),
                Awaiting::Through(inner) => found.extend_from_slice(self.tasks(&inner)),
            }
        }
        let table = &future.core().inspection().awaited_by.0;
        let told = table.look(future.address(), Vec::clone);
        let told = told.unwrap_or_default();
        found.extend(told.iter().filter_map(WeakFuture::upgrade));
        let mut seen = BTreeSet::new();
        found.retain(|awaiting| seen.insert(awaiting.address()));
        found
    }
}
