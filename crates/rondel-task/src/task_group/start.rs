//! `start`: a child that says when it is ready, and a caller that waits for that.
//!
//! # Invariants
//! - I1: A caller that leaves before the child has started, by a cancellation or because its coroutine is dropped, leaves no
//!   child behind that nobody knows of: the child is cancelled. A cancelled caller waits for the child's end.
//!
//! # asyncio
//! It has none. This is Trio's `nursery.start` and AnyIO's `TaskGroup.start`; that the child says so twice cannot be
//! expressed.

use std::fmt;

use crate::cancel::cancel;
use crate::cell::AnyFuture;
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::opaque::Opaque;
use crate::task_group::group::Group;
use crate::watcher::Watcher;

/// Tells the caller of [`TaskGroup::start`](crate::TaskGroup::start) that the child has started.
pub struct Started<V: 'static>(Future<V>);

impl<V> Started<V> {
    pub(super) fn new(future: Future<V>) -> Self {
        Self(future)
    }

    /// The child has started: the caller goes on with `value`, and from now on the child is one of the group like any other.
    ///
    /// If the caller has left meanwhile the value is dropped; the child is being cancelled then.
    pub fn set(self, value: V) {
        // Refused only if nobody waits.
        let _ = self.0.set_result(value);
    }
}

impl<V> fmt::Debug for Started<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Started").field(self.0.any()).finish()
    }
}

/// A caller that waits for a child to start.
pub(super) struct Starting<V: 'static> {
    group: Watcher<Group>,
    child: AnyFuture,
    started: Future<V>,
    settled: bool,
}

impl<V> Starting<V> {
    pub(super) fn new(group: Watcher<Group>, child: AnyFuture, started: Future<V>) -> Self {
        Self {
            group,
            child,
            started,
            settled: false,
        }
    }

    pub(super) async fn wait(mut self) -> Result<V> {
        let outcome = match self.started.take().await {
            Err(error) if error.is_cancelled() && !self.child.done() => {
                Err(self.cancel_child(error).await)
            }
            outcome => outcome,
        };
        self.settled = true;
        outcome
    }

    /// The caller was cancelled by `error`: ends the child, then gives what the caller is to raise.
    async fn cancel_child(&self, error: Exception) -> Exception {
        cancel(&self.child, None);
        let child = Future::<Opaque>::from_any(self.child.clone());
        while !child.done() {
            // A further cancellation of the caller is passed on to the child, which is awaited.
            match child.take().await {
                Err(other) if !other.is_cancelled() && !child.done() => return other,
                _ => {}
            }
        }
        // One that had started has told the group.
        match self.child.exception() {
            Some(exception) if self.started.cancelled() => exception,
            _ => error,
        }
    }
}

impl<V> Drop for Starting<V> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        self.group.forget_start(&self.child);
        if !self.child.done() {
            cancel(&self.child, None);
        }
    }
}
