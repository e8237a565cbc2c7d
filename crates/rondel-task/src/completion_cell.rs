//! `CompletionCell`: the completion of a future, which is looked at and changed through a shared reference.
//!
//! It decides nothing; what a change gives to be called is given to the caller.
//!
//! # Invariants
//! - L1: A reference into the cell lasts for one method of `Completion` that runs nothing but its own code, allocates nothing and drops
//!   nothing.
//! - L2: For everything else the completion is taken out of the cell and put back. Only the global allocator can find it empty, and that
//!   has no business with the future: it panics.

#![allow(
    unsafe_code,
    reason = "a completion that is moved out and back to keep its first callback is written in pieces and read as a whole: a message by a future takes 8 % more time"
)]

use std::cell::Cell;
use std::mem;

use rondel_future::{Callbacks, Cancel, CancelledError, Completion, InvalidStateError, Outcome};

use crate::callback::Callback;
use crate::exception::Exception;

type Content = Completion<Callback, Exception>;

pub(crate) struct CompletionCell(Cell<Option<Content>>);

impl CompletionCell {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(Some(Completion::new())))
    }

    /// Looks at the completion, or changes it; `f` runs no code of the user.
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Content) -> R) -> R {
        let mut content = self.0.take().unwrap_or_else(|| in_use());
        let given = f(&mut content);
        // It is empty, and there is nothing to be dropped.
        mem::forget(self.0.replace(Some(content)));
        given
    }

    #[inline]
    fn content(&self) -> &Content {
        // SAFETY: this file's methods alone change what is in the cell, and none does while the reference is there (L1).
        let content = unsafe { &*self.0.as_ptr() };
        content.as_ref().unwrap_or_else(|| in_use())
    }

    #[inline]
    pub(crate) fn done(&self) -> bool {
        self.content().done()
    }

    /// True when there is a value, or was before it was taken.
    #[inline]
    pub(crate) fn has_value(&self) -> bool {
        matches!(self.content().outcome(), Outcome::Value)
    }

    /// Calls one method that allocates nothing and drops nothing (L1).
    #[inline(always)]
    fn change<R>(&self, method: impl FnOnce(&mut Content) -> R) -> R {
        // SAFETY: nobody else looks at what is in the cell while the reference is there (L1).
        let content = unsafe { &mut *self.0.as_ptr() };
        method(content.as_mut().unwrap_or_else(|| in_use()))
    }

    /// Keeps a callback if it is the first of a pending future, and otherwise gives it back.
    #[inline(always)]
    pub(crate) fn add_first_callback(&self, callback: Callback) -> Result<(), Callback> {
        self.change(|content| content.add_first_callback(callback))
    }

    #[inline]
    pub(crate) fn finish(&self) -> Result<Callbacks<Callback>, InvalidStateError> {
        self.change(Completion::finish)
    }

    /// Cancels by the error that has ended a coroutine.
    #[inline]
    pub(crate) fn cancel_with(&self, error: CancelledError) -> Cancel<Callback> {
        match error.message() {
            // It would be boxed.
            Some(_) => self.with(|content| content.cancel_with(error)),
            None => self.change(|content| content.cancel_with(error)),
        }
    }
}

#[cold]
fn in_use() -> ! {
    panic!("the future is being changed");
}

#[cfg(test)]
mod tests {
    use super::*;
    use rondel_sched::Token;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn step(number: u64) -> Callback {
        Callback::step(Token::from_bits(number))
    }

    #[test]
    fn a_callback_is_kept_in_place_where_it_is_the_first() {
        let cell = CompletionCell::new();
        assert!(cell.add_first_callback(step(1)).is_ok());
        let second = cell.add_first_callback(step(2));
        assert!(second.is_err_and(|second| second.steps(Token::from_bits(2))));
        assert!(!cell.done() && !cell.has_value());
        let kept = cell.finish().unwrap();
        let kept: Vec<_> = kept.into_iter().collect();
        assert!(matches!(kept.as_slice(), [first] if first.steps(Token::from_bits(1))));
        assert!(cell.done() && cell.has_value());
        assert!(cell.add_first_callback(step(3)).is_err(), "it is done");
    }

    #[test]
    fn who_comes_while_it_is_changed_finds_nothing_to_change() {
        let cell = CompletionCell::new();
        cell.with(|_| {
            let panics = |f: &dyn Fn() -> bool| catch_unwind(AssertUnwindSafe(f)).is_err();
            assert!(panics(&|| cell.done()) && panics(&|| cell.has_value()));
            assert!(panics(&|| cell.add_first_callback(step(1)).is_ok()));
            assert!(panics(&|| cell.finish().is_ok()));
            assert!(panics(&|| cell.with(|content| content.done())));
        });
        assert!(!cell.done());
    }
}
