//! `Exception`: any error, shared, as a coroutine raises it and a future keeps it.
//!
//! It knows no state and no future; `rondel-future` keeps it, the step of a task looks whether it is a cancellation.
//!
//! # asyncio
//! Stands for Python's exception objects: a reference that can be raised again and again, so it is `Clone` and compares by
//! identity.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use rondel_future::CancelledError;
use rondel_reactor::{PanicError, RunError};

use crate::error::{RuntimeError, TimeoutError};
use crate::exception_group::ExceptionGroup;

/// What a coroutine gives: its value, or the exception that ended it.
pub type Result<T, E = Exception> = core::result::Result<T, E>;

/// Any error, behind a shared pointer: `Clone`, `Send` and `Sync`.
///
/// Every [`std::error::Error`] converts with `?`, and [`downcast_ref`](Exception::downcast_ref) gives it back.
/// `Exception` itself is not a `std::error::Error`, as otherwise that conversion could not exist; [`Exception::as_error`]
/// gives one.
///
/// # Examples
/// ```
/// use rondel_task::{Exception, Result};
///
/// fn parse(text: &str) -> Result<i32> {
///     Ok(text.parse::<i32>()?)
/// }
///
/// let error = parse("five").unwrap_err();
/// assert!(error.is::<std::num::ParseIntError>());
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// ```
#[derive(Clone)]
pub struct Exception(Arc<dyn Error + Send + Sync + 'static>);

impl Exception {
    /// Wraps an error.
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }

    /// Makes an exception that is nothing but a message.
    pub fn msg(message: impl Into<String>) -> Self {
        Self::from_boxed(message.into().into())
    }

    /// Wraps an error that is boxed already.
    pub fn from_boxed(error: Box<dyn Error + Send + Sync + 'static>) -> Self {
        Self(Arc::from(error))
    }

    /// Returns true if the error inside is an `E`.
    pub fn is<E: Error + 'static>(&self) -> bool {
        self.0.is::<E>()
    }

    /// Returns the error inside, if it is an `E`.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref::<E>()
    }

    /// Returns the error inside.
    pub fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }

    /// Returns the shared pointer to the error inside.
    pub fn into_shared(self) -> Arc<dyn Error + Send + Sync + 'static> {
        self.0
    }

    /// Returns true for a [`CancelledError`].
    pub fn is_cancelled(&self) -> bool {
        self.is::<CancelledError>()
    }

    /// Returns true for a [`TimeoutError`].
    pub fn is_timeout(&self) -> bool {
        self.is::<TimeoutError>()
    }

    /// Returns true for a panic that was caught.
    pub fn is_panic(&self) -> bool {
        self.is::<PanicError>()
    }

    /// Returns true for an [`ExceptionGroup`].
    pub fn is_group(&self) -> bool {
        self.is::<ExceptionGroup>()
    }

    /// Returns true if a Ctrl-C ended the run of the loop (asyncio's `KeyboardInterrupt`).
    pub fn is_interrupted(&self) -> bool {
        self.downcast_ref::<RunError>()
            .is_some_and(RunError::is_interrupted)
    }

    /// Returns true if both are the very same exception object.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A misuse, told in one sentence.
    pub(crate) fn runtime(message: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self::new(RuntimeError::new(message))
    }
}

/// Of an `io::Error` that carries an exception through code that knows I/O alone, it is that exception.
impl<E: Error + Send + Sync + 'static> From<E> for Exception {
    fn from(error: E) -> Self {
        carried(&error).unwrap_or_else(|| Self::new(error))
    }
}

/// The exception that an `io::Error` was made of by [`Exception::into_shared`].
fn carried(error: &dyn Any) -> Option<Exception> {
    let carrier = error.downcast_ref::<io::Error>()?.get_ref()?;
    let shared = carrier.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    Some(Exception(shared.clone()))
}

/// Shows the error inside, as Python's `repr` of an exception does.
impl fmt::Debug for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_that_carries_an_exception_is_that_exception() {
        let cancelled = Exception::new(CancelledError::with_message("enough"));
        let carrier = io::Error::other(cancelled.clone().into_shared());
        assert!(Exception::from(carrier).ptr_eq(&cancelled));

        let plain = Exception::from(io::Error::other("a broken pipe"));
        assert!(plain.is::<io::Error>());
    }
}
