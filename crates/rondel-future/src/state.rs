//! The three states of a future and the arrows between them, drawn at [`State`].
//!
//! It changes no state: [`Completion`](crate::Completion) does, and it alone.
//!
//! # asyncio
//!
//! `_PENDING`, `_CANCELLED` and `_FINISHED` of `asyncio.base_futures`; the `Display` of [`State`] gives these words in lower case,
//! as asyncio's `repr` does.

use core::fmt;

/// Tells whether a future is waiting, was cancelled, or has an outcome.
///
/// ```text
///               set_result(value)  finish()
///               set_exception(exception)
///   Pending ------------------------------------> Finished   (value | exception)
///      |
///      |        cancel(message)
///      |        cancel_with(error)
///      +----------------------------------------> Cancelled  (message | error)
/// ```
///
/// | arrow | function |
/// | --- | --- |
/// | Pending to Finished, with a value | [`FutureState::set_result`]; [`Completion::finish`], where the owner keeps the value |
/// | Pending to Finished, with an exception | [`Completion::set_exception`] |
/// | Pending to Cancelled, on request | [`Completion::cancel`] |
/// | Pending to Cancelled, by the error that ended a coroutine | [`Completion::cancel_with`] |
///
/// There is no other arrow, and each hands out every callback.
///
/// The state says how a future ended, not what it holds: one that *finished with a [`CancelledError`] as its exception* is
/// Finished and not Cancelled; a gather that collects exceptions may end so.
///
/// # Examples
///
/// ```
/// use rondel_future::{Completion, State};
///
/// let future = Completion::<(), ()>::new();
/// assert_eq!(future.state(), State::Pending);
/// assert_eq!(future.state().to_string(), "pending");
/// ```
///
/// [`CancelledError`]: crate::CancelledError
/// [`Completion::cancel`]: crate::Completion::cancel
/// [`Completion::cancel_with`]: crate::Completion::cancel_with
/// [`Completion::finish`]: crate::Completion::finish
/// [`Completion::set_exception`]: crate::Completion::set_exception
/// [`FutureState::set_result`]: crate::FutureState::set_result
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nobody has completed or cancelled the future yet.
    Pending,
    /// The future was cancelled before it had an outcome.
    Cancelled,
    /// The future has a value or an exception.
    Finished,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Pending => "pending",
            State::Cancelled => "cancelled",
            State::Finished => "finished",
        })
    }
}
