//! What a coroutine waits for: a future, a time, or a call.
//!
//! A task keeps the first of what it waits for in a cell, and further ones in a list of its own (`task_state`).

use std::cell::Cell;
use std::mem;
use std::panic::Location;

use rondel_sched::Alarm;
use rondel_shared::Opened;

use crate::cell::{AnyFuture, AnyWord};
use crate::core::Core;

/// A time or a call: what nobody but the task waits for, and so needs no future. A number of 63 bits stands for it.
///
/// A call is known by a number of 32 bits; those of alarms are all above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest(u64);

impl Rest {
    #[inline]
    pub(crate) fn until(alarm: Alarm) -> Self {
        Self(alarm.to_bits())
    }

    #[inline]
    pub(crate) fn until_called(number: u32) -> Self {
        Self(u64::from(number))
    }

    /// None if it is a call that is waited for.
    #[inline]
    pub(crate) fn alarm(self) -> Option<Alarm> {
        (self.0 > u64::from(u32::MAX)).then(|| Alarm::from_bits(self.0))
    }

    /// Who is called is taken out of the place where it waits.
    #[inline]
    fn is_pending(self, core: &Core) -> bool {
        match self.alarm() {
            Some(alarm) => core.scheduler().alarm_time(alarm).is_some(),
            None => true,
        }
    }
}

/// What a coroutine waits for.
#[derive(Clone)]
pub(crate) enum Awaited {
    Future(AnyFuture),
    Rest(Rest),
}

impl Awaited {
    #[inline]
    pub(crate) fn is_pending(&self, core: &Core) -> bool {
        match self {
            Self::Future(future) => !future.done(),
            Self::Rest(rest) => rest.is_pending(core),
        }
    }
}

/// What a coroutine begins to wait for, as [`Awaited`].
#[derive(Clone, Copy)]
pub(crate) enum Waiting<'a> {
    Future(&'a AnyFuture),
    Rest(Rest),
}

impl Waiting<'_> {
    #[inline]
    pub(crate) fn to_word(self) -> AnyWord {
        match self {
            Self::Future(future) => future.to_word(),
            Self::Rest(rest) => AnyWord::number(rest.0),
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
    pub(crate) fn is(&self, future: &AnyFuture) -> bool {
        self.look(|word| future.is_pointed_to(word)) == Some(true)
    }

    #[inline]
    pub(crate) fn rest(&self) -> Option<Rest> {
        self.look(|word| word.as_number().map(Rest)).flatten()
    }

    /// Takes a rest out; false if it is not here.
    #[inline]
    pub(crate) fn end_rest(&self, rest: Rest) -> bool {
        let is_here = self.rest() == Some(rest);
        if is_here {
            // There is nothing in it to be dropped.
            mem::forget(self.0.take());
        }
        is_here
    }

    /// Lets go of a future that is done, and of a rest that `is_over`; what is still waited for stays.
    #[inline(always)]
    pub(crate) fn forget_done(&self, is_over: impl FnOnce(Rest) -> bool) {
        let Some(word) = self.0.take() else {
            return;
        };
        let is_done = match word.as_pointer() {
            Some(shared) => shared.head().done(),
            None => word.as_number().is_none_or(|rest| is_over(Rest(rest))),
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
        Opened::Number(rest) => Awaited::Rest(Rest(rest)),
    }
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
