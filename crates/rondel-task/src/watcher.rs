//! `Watcher`: one done callback for many futures, so that watching one more costs no allocation.
//!
//! What it does with a future that is done is up to what is inside: a gather, a task group, an `as_completed`.
//!
//! # Invariants
//! - I1: Futures are told in the order in which they were done: the queue of futures and the loop's ready queue are filled
//!   together and drained together.
//! - I2: A future that is watched holds the watcher until it is done. So what is inside holds pending futures weakly (whoever
//!   completes a future holds it, as the loop does with tasks), or ends the cycle itself.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::rc::{Rc, Weak};

use rondel_sched::{ClosedError, Runnable};

use crate::callback::{Awaiting, Callback, DoneCallback};
use crate::cell::AnyFuture;

/// Something that hears of many futures.
pub(crate) trait Watch: 'static {
    /// What the callback is called in a future's `repr`.
    const NAME: &'static str;

    /// The turn of a future that is done has come in the ready queue.
    fn future_done(&self, future: AnyFuture);

    /// On whose behalf the futures are watched, for the call graph.
    fn awaiting(&self) -> Vec<Awaiting>;
}

/// Clones are the same watcher.
pub(crate) struct Watcher<W> {
    inner: Rc<Inner<W>>,
    /// The watcher as it stands in the lists of all futures.
    callback: Callback,
}

struct Inner<W> {
    watch: W,
    /// Done futures whose turn in the ready queue has not come (I1).
    scheduled: RefCell<VecDeque<AnyFuture>>,
}

impl<W: Watch> Watcher<W> {
    pub(crate) fn new(watch: W) -> Self {
        let inner = Rc::new(Inner {
            watch,
            scheduled: RefCell::default(),
        });
        Self::of(inner)
    }

    fn of(inner: Rc<Inner<W>>) -> Self {
        Self {
            callback: Callback::done(inner.clone()),
            inner,
        }
    }

    pub(crate) fn downgrade(&self) -> WeakWatcher<W> {
        WeakWatcher(Rc::downgrade(&self.inner))
    }

    /// Adds the watcher to the callbacks of a future.
    ///
    /// # Errors
    /// If the future is done and its loop closed.
    pub(crate) fn watch(&self, future: &AnyFuture) -> Result<(), ClosedError> {
        future.add_callback(self.callback.clone())
    }

    /// True if it is among the callbacks of a future.
    pub(crate) fn watches(&self, future: &AnyFuture) -> bool {
        future.has_callback(|callback| callback.is(&self.inner))
    }

    /// Takes it out again.
    pub(crate) fn unwatch(&self, future: &AnyFuture) {
        future.remove_callback(|callback| callback.is(&self.inner));
    }
}

/// A handle that does not keep the watcher alive.
pub(crate) struct WeakWatcher<W>(Weak<Inner<W>>);

impl<W: Watch> WeakWatcher<W> {
    pub(crate) fn upgrade(&self) -> Option<Watcher<W>> {
        self.0.upgrade().map(Watcher::of)
    }
}

impl<W> Clone for Watcher<W> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            callback: self.callback.clone(),
        }
    }
}

impl<W> Deref for Watcher<W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.inner.watch
    }
}

impl<W: Watch> DoneCallback for Inner<W> {
    fn schedule(self: Rc<Self>, future: &AnyFuture) -> Result<(), ClosedError> {
        self.scheduled.borrow_mut().push_back(future.clone());
        let scheduled = future.core().scheduler().schedule(self.clone());
        if scheduled.is_err() {
            let unheard = self.scheduled.borrow_mut().pop_back();
            drop(unheard);
        }
        scheduled
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}()", W::NAME)
    }

    fn awaiting(&self) -> Vec<Awaiting> {
        self.watch.awaiting()
    }
}

impl<W: Watch> Runnable for Inner<W> {
    fn run(&self) {
        let future = self.scheduled.borrow_mut().pop_front();
        if let Some(future) = future {
            self.watch.future_done(future);
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}()", W::NAME)
    }
}
