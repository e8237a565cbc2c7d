//! `Crew`: the futures that one call has running, and that shall have ended when the call is over.
//!
//! Who is waited for first, and what counts as the outcome, is the caller's business.
//!
//! # Invariants
//! - I1: A crew that is dropped is cancelled, and what its members come to is reported to nobody.
//! - I2: Members are cancelled in the order of their places.
//! - I3: No borrow of the list is held while a future is cancelled or dropped.
//!
//! # asyncio
//! The `finally: for t in running_tasks: t.cancel()` of `staggered_race`, and besides, the wait until they have ended.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;

use crate::cancel::cancel;
use crate::cell::AnyFuture;
use crate::exception::Result;
use crate::future::Future;
use crate::wait::{Wait, Waiting, wait};

/// Owns the call's futures (I1).
pub(crate) struct Crew<T: 'static>(Rc<Roll<T>>);

/// The list of them, each at its place: what those share who add to it.
pub(crate) struct Roll<T: 'static> {
    members: RefCell<BTreeMap<usize, Future<T>>>,
    /// The line of the call, in which they are awaited.
    at: &'static Location<'static>,
}

impl<T> Crew<T> {
    /// A crew that is awaited in the line `at`.
    pub(crate) fn new(at: &'static Location<'static>) -> Self {
        let members = RefCell::default();
        Self(Rc::new(Roll { members, at }))
    }

    pub(crate) fn roll(&self) -> &Rc<Roll<T>> {
        &self.0
    }
}

impl<T> Roll<T> {
    pub(crate) fn add(&self, place: usize, future: Future<T>) {
        let before = self.members.borrow_mut().insert(place, future);
        drop(before);
    }

    pub(crate) fn remove(&self, place: usize) -> Option<Future<T>> {
        self.members.borrow_mut().remove(&place)
    }

    /// Lets all of them go; their exceptions interest nobody any more.
    pub(crate) fn clear(&self) {
        let all = self.members.take();
        all.values().map(Future::any).for_each(AnyFuture::retrieve);
    }

    pub(crate) fn len(&self) -> usize {
        self.members.borrow().len()
    }

    pub(crate) fn all(&self) -> Vec<Future<T>> {
        self.members.borrow().values().cloned().collect()
    }

    pub(crate) fn cancel_all(&self) {
        for future in self.all() {
            cancel(future.any(), None);
        }
    }

    /// Cancels all but the one at `place`.
    pub(crate) fn cancel_others(&self, place: usize) {
        let members = self.members.borrow().clone();
        for (_, other) in members.iter().filter(|(other, _)| **other != place) {
            cancel(other.any(), None);
        }
    }

    /// Waits for some of them.
    pub(crate) fn wait(&self, wait: Wait<Future<T>>) -> Waiting<Future<T>> {
        wait.await_at(self.at)
    }

    /// Cancels who still runs and waits until they have ended, however often this is cancelled meanwhile.
    pub(crate) async fn end(&self) -> Result<()> {
        self.cancel_all();
        let mut cancelled = Ok(());
        loop {
            let mut pending = self.all();
            pending.retain(|future| !future.done());
            if pending.is_empty() {
                return cancelled;
            }
            if let Err(error) = self.wait(wait(pending)).await {
                cancelled = Err(error);
            }
        }
    }
}

impl<T> Deref for Crew<T> {
    type Target = Roll<T>;

    fn deref(&self) -> &Roll<T> {
        &self.0
    }
}

impl<T> Drop for Crew<T> {
    fn drop(&mut self) {
        self.cancel_all();
        self.clear();
    }
}
