//! What a coroutine waits for: a future, or a time.
//!
//! A task keeps the first of what it waits for in a cell, and further ones in a list of its own (`task_state`).

use std::cell::Cell;
use std::mem;
use std::panic::Location;

use rondel_sched::Alarm;
use rondel_shared::Opened;

use crate::cell::{AnyFuture, AnyWord};
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
}

/// What a coroutine begins to wait for, as [`Awaited`].
#[derive(Clone, Copy)]
pub(crate) enum Waiting<'a> {
    Future(&'a AnyFuture),
    Sleep(Alarm),
}

impl Waiting<'_> {
    #[inline]
    pub(crate) fn to_word(self) -> AnyWord {
        match self {
            Self::Future(future) => future.to_word(),
            Self::Sleep(alarm) => AnyWord::number(alarm.to_bits()),
        }
    }
}

/// A place for what is awaited, in a word.
///
/// What it holds comes out as an [`AnyFuture`], whose destructor reports what nobody has read.
#[derive(Default)]
pub(crate) struct AwaitedCell(Cell<Option<AnyWord>>);

impl AwaitedCell {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.look(|_| ()).is_none()
    }

    /// Puts something in, where nothing was.
    #[inline]
    pub(crate) fn set(&self, word: AnyWord) {
        // It was empty, and there is nothing to be dropped.
        mem::forget(self.0.replace(Some(word)));
    }

    #[inline]
    pub(crate) fn take(&self) -> Option<Awaited> {
        self.0.take().map(awaited)
    }

    pub(crate) fn get(&self) -> Option<Awaited> {
        self.look(AnyWord::clone).map(awaited)
    }

    #[inline]
    pub(crate) fn is(&self, awaited: &Awaited) -> bool {
        let same = |word: &AnyWord| match awaited {
            Awaited::Future(awaited) => awaited.is_pointed_to(word),
            Awaited::Sleep(awaited) => word.as_pointer().is_none() && alarm(word) == *awaited,
        };
        self.look(same) == Some(true)
    }

    #[inline]
    pub(crate) fn sleep(&self) -> Option<Alarm> {
        self.look(|word| word.as_pointer().is_none().then(|| alarm(word)))
            .flatten()
    }

    pub(crate) fn clear_sleep(&self, alarm: Alarm) {
        if self.sleep() == Some(alarm) {
            self.0.set(None);
        }
    }

    /// Lets go of a future that is done, and of a sleep that `is_over`; what is still waited for stays.
    #[inline(always)]
    pub(crate) fn forget_done(&self, is_over: impl FnOnce(Alarm) -> bool) {
        let Some(word) = self.0.take() else {
            return;
        };
        let is_done = match word.as_pointer() {
            Some(shared) => shared.head().done(),
            None => is_over(alarm(&word)),
        };
        if is_done {
            drop(awaited(word));
        } else {
            // It is empty, and there is nothing to be dropped.
            mem::forget(self.0.replace(Some(word)));
        }
    }

    /// `f` runs no code of the user.
    #[inline]
    fn look<R>(&self, f: impl FnOnce(&AnyWord) -> R) -> Option<R> {
        let word = self.0.take()?;
        let found = f(&word);
        // It is empty, and there is nothing to be dropped.
        mem::forget(self.0.replace(Some(word)));
        Some(found)
    }
}

#[inline]
fn awaited(word: AnyWord) -> Awaited {
    match word.open() {
        Opened::Pointer(shared) => Awaited::Future(AnyFuture::from_shared(shared)),
        Opened::Number(alarm) => Awaited::Sleep(Alarm::from_bits(alarm)),
    }
}

/// The alarm that a word stands for which is no pointer.
#[inline]
fn alarm(word: &AnyWord) -> Alarm {
    Alarm::from_bits(word.as_number().unwrap_or(0))
}

impl Drop for AwaitedCell {
    #[inline]
    fn drop(&mut self) {
        if self.0.get_mut().is_some() {
            drop(self.take());
        }
    }
}

/// What a task waits for, and the line that awaits it.
#[derive(Clone)]
pub(crate) struct Await {
    pub(crate) awaited: Awaited,
    pub(crate) at: &'static Location<'static>,
}
