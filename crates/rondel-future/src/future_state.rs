//! A completion with its value beside it: the whole of a future's state.
//!
//! It adds the value and the rules for reading it, and leaves every transition to [`Completion`].
//!
//! # Invariants
//!
//! - I1. The value is present only if the future finished with one; it is absent again once it has been taken.
//!
//! # asyncio
//!
//! `asyncio.Future` without its loop.
//! Deviations: reading lends the value, [`take_result`](FutureState::take_result) gives it away once, and errors are returned.

use crate::{
    AddCallback, Callbacks, Cancel, Completion, InvalidStateError, Outcome, Refused, State,
    Unavailable,
};
use alloc::sync::Arc;

/// Keeps everything a future knows: its value, its exception or its callbacks.
///
/// `T` is the value, `C` a callback and `E` an exception; the crate's first page shows it in use.
///
/// # asyncio
///
/// [`asyncio.Future`](https://docs.python.org/3.13/library/asyncio-future.html#asyncio.Future).
#[derive(Debug)]
pub struct FutureState<T, C, E> {
    completion: Completion<C, E>,
    value: Option<T>,
}

impl<T, C, E> FutureState<T, C, E> {
    /// Makes a pending future without callbacks.
    pub const fn new() -> Self {
        FutureState {
            completion: Completion::new(),
            value: None,
        }
    }

    /// Lends the part that does not mention `T`.
    pub fn completion(&self) -> &Completion<C, E> {
        &self.completion
    }

    /// Lends the part that does not mention `T`, to change it.
    ///
    /// [`Completion::finish`] called through it finishes the future without a value, as if that had been taken.
    pub fn completion_mut(&mut self) -> &mut Completion<C, E> {
        &mut self.completion
    }

    /// Returns the state.
    pub fn state(&self) -> State {
        self.completion.state()
    }

    /// Tells whether the future has left [`State::Pending`].
    pub fn done(&self) -> bool {
        self.completion.done()
    }

    /// Tells whether the future was cancelled.
    pub fn cancelled(&self) -> bool {
        self.completion.cancelled()
    }

    /// Finishes the future with a value, and returns the callbacks to schedule.
    ///
    /// # Errors
    ///
    /// Gives the value back when the future is done; nothing changes then.
    pub fn set_result(&mut self, value: T) -> Result<Callbacks<C>, Refused<T>> {
        match self.completion.finish() {
            Ok(callbacks) => {
                self.value = Some(value);
                Ok(callbacks)
            }
            Err(error) => Err(Refused::new(value, error)),
        }
    }

    /// Finishes the future with an exception, and returns the callbacks to schedule.
    ///
    /// # Errors
    ///
    /// Gives the exception back when the future is done; nothing changes then.
    pub fn set_exception(&mut self, exception: E) -> Result<Callbacks<C>, Refused<E>> {
        self.completion.set_exception(exception)
    }

    /// Cancels the future, with a message for those who read it.
    pub fn cancel(&mut self, message: Option<Arc<str>>) -> Cancel<C> {
        self.completion.cancel(message)
    }

    /// Lends the value; the outcome counts as read.
    ///
    /// # Errors
    ///
    /// Fails with the exception or the cancellation that the future ended with, or when it is pending or its value has been
    /// taken.
    pub fn result(&mut self) -> Result<&T, Unavailable<'_, E>> {
        readable(&mut self.completion)?;
        self.value
            .as_ref()
            .ok_or(Unavailable::InvalidState(InvalidStateError::result_taken()))
    }

    /// Gives the value away; the outcome counts as read.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result); a second call finds the value taken.
    pub fn take_result(&mut self) -> Result<T, Unavailable<'_, E>> {
        readable(&mut self.completion)?;
        self.value
            .take()
            .ok_or(Unavailable::InvalidState(InvalidStateError::result_taken()))
    }

    /// Lends the exception, if the future finished with one; the outcome counts as read.
    ///
    /// # Errors
    ///
    /// Fails when the future is pending or was cancelled; never with [`Unavailable::Exception`].
    pub fn exception(&mut self) -> Result<Option<&E>, Unavailable<'_, E>> {
        match readable(&mut self.completion) {
            Ok(()) => Ok(None),
            Err(Unavailable::Exception(exception)) => Ok(Some(exception)),
            Err(Unavailable::Cancelled(error)) => Err(Unavailable::Cancelled(error)),
            Err(Unavailable::InvalidState(_)) => Err(Unavailable::InvalidState(
                InvalidStateError::exception_not_set(),
            )),
        }
    }

    /// Keeps a callback until the future is done, or hands it back when it is.
    pub fn add_callback(&mut self, callback: C) -> AddCallback<C> {
        self.completion.add_callback(callback)
    }

    /// Takes out every callback that matches, in order, for the caller to count and drop.
    pub fn remove_callbacks(&mut self, matches: impl FnMut(&C) -> bool) -> Callbacks<C> {
        self.completion.remove_callbacks(matches)
    }
}

/// Counts as reading the outcome, and fails unless it is a value.
fn readable<C, E>(completion: &mut Completion<C, E>) -> Result<(), Unavailable<'_, E>> {
    completion.retrieve();
    if completion.cancelled() {
        return Err(Unavailable::Cancelled(completion.cancelled_error()));
    }
    match completion.outcome() {
        Outcome::Pending => Err(Unavailable::InvalidState(
            InvalidStateError::result_not_ready(),
        )),
        Outcome::Exception(exception) => Err(Unavailable::Exception(exception)),
        Outcome::Cancelled | Outcome::Value => Ok(()),
    }
}

impl<T, C, E> Default for FutureState<T, C, E> {
    fn default() -> Self {
        FutureState::new()
    }
}
