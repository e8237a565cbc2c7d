//! What a coroutine waits for: a future, or a time.
//!
//! A task keeps the first of what it waits for in a cell, and further ones in a list of its own (`task_state`).

use std::cell::Cell;
use std::mem;
use std::panic::Location;

use rondel_sched::Alarm;

use crate::cell::AnyFuture;
use crate::core::Core;

/// What a coroutine waits for.
#[derive(Clone)]
pub(crate) enum Awaited {
    Future(AnyFuture),
    /// A time: a future that nobody else could wait for, and so none.
    Sleep(Alarm),
}

impl Awaited {
    #[inline]
    pub(crate) fn is_pending(&self, core: &Core) -> bool {
        match self {
            Self::Future(future) => !future.done(),
            Self::Sleep(alarm) => core.scheduler().alarm_time(*alarm).is_some(),
        }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Future(future), Self::Future(other)) => future.ptr_eq(other),
            (Self::Sleep(alarm), Self::Sleep(other)) => alarm == other,
            (Self::Future(_), Self::Sleep(_)) | (Self::Sleep(_), Self::Future(_)) => false,
        }
    }
}

/// A place for what is awaited.
///
/// Two cells of a word each, of which one is empty: what is written in pieces and read as a whole, as an enum of two words is, makes
/// the processor wait.
#[derive(Default)]
pub(crate) struct AwaitedCell {
    future: Cell<Option<AnyFuture>>,
    sleep: Cell<Option<Alarm>>,
}

impl AwaitedCell {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.sleep.get().is_none() && self.look(|_| ()).is_none()
    }

    #[inline]
    pub(crate) fn set(&self, awaited: Awaited) {
        match awaited {
            Awaited::Future(future) => self.future.set(Some(future)),
            Awaited::Sleep(alarm) => self.sleep.set(Some(alarm)),
        }
    }

    #[inline]
    pub(crate) fn take(&self) -> Option<Awaited> {
        match self.sleep.take() {
            Some(alarm) => Some(Awaited::Sleep(alarm)),
            None => self.future.take().map(Awaited::Future),
        }
    }

    pub(crate) fn get(&self) -> Option<Awaited> {
        match self.sleep.get() {
            Some(alarm) => Some(Awaited::Sleep(alarm)),
            None => self.look(AnyFuture::clone).map(Awaited::Future),
        }
    }

    #[inline]
    pub(crate) fn is(&self, awaited: &Awaited) -> bool {
        match awaited {
            Awaited::Future(awaited) => self.look(|future| future.ptr_eq(awaited)) == Some(true),
            Awaited::Sleep(alarm) => self.sleep.get() == Some(*alarm),
        }
    }

    #[inline]
    pub(crate) fn sleep(&self) -> Option<Alarm> {
        self.sleep.get()
    }

    pub(crate) fn clear_sleep(&self, alarm: Alarm) {
        if self.sleep.get() == Some(alarm) {
            self.sleep.set(None);
        }
    }

    #[inline]
    pub(crate) fn is_done_future(&self) -> bool {
        self.look(|future| future.done()) == Some(true)
    }

    /// `f` runs no code of the user.
    #[inline]
    fn look<R>(&self, f: impl FnOnce(&AnyFuture) -> R) -> Option<R> {
        let future = self.future.take()?;
        let found = f(&future);
        // It is empty, and there is nothing to be dropped.
        mem::forget(self.future.replace(Some(future)));
        Some(found)
    }
}

/// What a task waits for, and the line that awaits it.
#[derive(Clone)]
pub(crate) struct Await {
    pub(crate) awaited: Awaited,
    pub(crate) at: &'static Location<'static>,
}
