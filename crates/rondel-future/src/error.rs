//! The errors of a future: cancelled, used in the wrong state, or not available.
//!
//! What an exception is, beyond these, is the owner's choice of `E`.
//!
//! # asyncio
//!
//! [`CancelledError`] and [`InvalidStateError`] are the exceptions of these names; [`Refused`] and [`Unavailable`] have no
//! counterpart, since Python raises where Rust returns.

use crate::State;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

/// Says that an operation was cancelled, and with what message if any.
///
/// Clones share the message.
///
/// # Examples
///
/// ```
/// use rondel_future::CancelledError;
///
/// assert_eq!(CancelledError::new().to_string(), "cancelled");
/// assert_eq!(CancelledError::with_message("too late").to_string(), "cancelled: too late");
/// ```
///
/// # asyncio
///
/// [`asyncio.CancelledError`](https://docs.python.org/3.13/library/asyncio-exceptions.html#asyncio.CancelledError).
/// The message is text where Python allows any object.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct CancelledError {
    message: Option<Arc<str>>,
}

/// Says that a future was not in the state that an operation needs.
///
/// # Examples
///
/// ```
/// use rondel_future::{FutureState, State};
///
/// let mut future = FutureState::<u32, (), ()>::new();
/// let _ = future.cancel(None);
/// let error = future.set_result(1).unwrap_err().into_parts().1;
/// assert_eq!(error.to_string(), "invalid state: the future is already cancelled");
/// assert_eq!(error.state(), State::Cancelled);
/// ```
///
/// # asyncio
///
/// [`asyncio.InvalidStateError`](https://docs.python.org/3.13/library/asyncio-exceptions.html#asyncio.InvalidStateError).
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidStateError {
    state: State,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    AlreadyDone,
    ResultNotReady,
    ExceptionNotSet,
    ResultTaken,
}

/// Gives back the value or exception that a done future would not take.
///
/// `?` turns it into the [`InvalidStateError`] where the value does not matter, and drops the value there.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused<V> {
    /// What was to be set.
    pub value: V,
    error: InvalidStateError,
}

/// Says why a future has no value to read.
#[derive(PartialEq, Eq)]
pub enum Unavailable<'a, E> {
    /// The future is pending, or its value has been taken.
    InvalidState(InvalidStateError),
    /// The future was cancelled.
    Cancelled(CancelledError),
    /// The future finished with this exception.
    Exception(&'a E),
}

impl CancelledError {
    /// Makes the error without a message.
    pub const fn new() -> Self {
        CancelledError { message: None }
    }

    /// Makes the error with a message.
    pub fn with_message(message: impl Into<Arc<str>>) -> Self {
        CancelledError {
            message: Some(message.into()),
        }
    }

    /// Makes the error from what was passed to a `cancel`.
    pub const fn from_message(message: Option<Arc<str>>) -> Self {
        CancelledError { message }
    }

    /// Returns the message that the future or task was cancelled with.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Gives up the error for its message.
    pub(crate) fn into_message(self) -> Option<Arc<str>> {
        self.message
    }
}

impl fmt::Debug for CancelledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            None => f.write_str("CancelledError"),
            Some(message) => f.debug_tuple("CancelledError").field(&message).finish(),
        }
    }
}

impl fmt::Display for CancelledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            None => f.write_str("cancelled"),
            Some(message) => write!(f, "cancelled: {message}"),
        }
    }
}

impl Error for CancelledError {}

impl InvalidStateError {
    /// Says that a future which is already done cannot be completed; `state` tells how it ended.
    pub const fn already_done(state: State) -> Self {
        InvalidStateError {
            state,
            cause: Cause::AlreadyDone,
        }
    }

    /// Says that a pending future has no result yet.
    pub const fn result_not_ready() -> Self {
        InvalidStateError {
            state: State::Pending,
            cause: Cause::ResultNotReady,
        }
    }

    /// Says that a pending future cannot tell yet whether it will have an exception.
    pub const fn exception_not_set() -> Self {
        InvalidStateError {
            state: State::Pending,
            cause: Cause::ExceptionNotSet,
        }
    }

    /// Says that a finished future has given its result away.
    pub const fn result_taken() -> Self {
        InvalidStateError {
            state: State::Finished,
            cause: Cause::ResultTaken,
        }
    }

    /// Returns the state that the future was in.
    pub fn state(&self) -> State {
        self.state
    }

    /// Tells whether the operation needed a pending future.
    pub fn is_already_done(&self) -> bool {
        matches!(self.cause, Cause::AlreadyDone)
    }

    /// Tells whether the operation needed a done future.
    pub fn is_not_ready(&self) -> bool {
        matches!(self.cause, Cause::ResultNotReady | Cause::ExceptionNotSet)
    }

    /// Tells whether the operation needed a result that somebody has taken.
    pub fn is_taken(&self) -> bool {
        matches!(self.cause, Cause::ResultTaken)
    }
}

/// Shows what it says, as Python's `repr` of an exception does.
impl fmt::Debug for InvalidStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidStateError(\"{self}\")")
    }
}

impl fmt::Display for InvalidStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid state: ")?;
        match self.cause {
            Cause::AlreadyDone => write!(f, "the future is already {}", self.state),
            Cause::ResultNotReady => f.write_str("the result is not ready"),
            Cause::ExceptionNotSet => f.write_str("the exception is not set"),
            Cause::ResultTaken => f.write_str("the result has been taken"),
        }
    }
}

impl Error for InvalidStateError {}

impl<V> Refused<V> {
    pub(crate) const fn new(value: V, error: InvalidStateError) -> Self {
        Refused { value, error }
    }

    /// Says why the value was refused.
    pub fn error(&self) -> &InvalidStateError {
        &self.error
    }

    /// Separates the value from the reason.
    pub fn into_parts(self) -> (V, InvalidStateError) {
        (self.value, self.error)
    }
}

impl<V> From<Refused<V>> for InvalidStateError {
    fn from(refused: Refused<V>) -> Self {
        refused.error
    }
}

// Not derived, so that a refused value of any type can be unwrapped and boxed as an error.
impl<V> fmt::Debug for Refused<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<V> fmt::Display for Refused<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<V> Error for Refused<V> {}

// Not derived: a derive would ask for `E: Clone`, though only a reference is copied.
impl<E> Clone for Unavailable<'_, E> {
    fn clone(&self) -> Self {
        match self {
            Unavailable::InvalidState(error) => Unavailable::InvalidState(error.clone()),
            Unavailable::Cancelled(error) => Unavailable::Cancelled(error.clone()),
            Unavailable::Exception(exception) => Unavailable::Exception(exception),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Unavailable<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::InvalidState(error) => error.fmt(f),
            Unavailable::Cancelled(error) => error.fmt(f),
            Unavailable::Exception(exception) => exception.fmt(f),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Unavailable<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::InvalidState(error) => error.fmt(f),
            Unavailable::Cancelled(error) => error.fmt(f),
            Unavailable::Exception(exception) => exception.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for Unavailable<'_, E> {}
