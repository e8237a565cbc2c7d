//! The errors that this crate raises by name: `TimeoutError`, `RuntimeError`, `ValueError`.
//!
//! `CancelledError` and `InvalidStateError` belong to the state machine and come from `rondel-future`; what a panic becomes,
//! `PanicError`, is the reactor's.
//!
//! # asyncio
//! [Exceptions](https://docs.python.org/3/library/asyncio-exceptions.html). `RuntimeError` and `ValueError` are Python's
//! built-in ones, which asyncio raises on misuse.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Says that an operation did not end before its deadline.
///
/// Mirrors [`asyncio.TimeoutError`](https://docs.python.org/3/library/asyncio-exceptions.html#asyncio.TimeoutError).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeoutError;

impl fmt::Debug for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimeoutError()")
    }
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl Error for TimeoutError {}

/// Declares an error that is a class and a sentence.
macro_rules! message_error {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name {
            message: Cow<'static, str>,
        }

        impl $name {
            /// Makes the error with the sentence that tells what was wrong.
            pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
                Self { message: message.into() }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.message).finish()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.message)
            }
        }

        impl Error for $name {}
    };
}

message_error! {
    /// Says that an operation was used where it cannot be: no running loop, a loop that is closed, a future of another loop.
    RuntimeError
}

message_error! {
    /// Says that an argument cannot be used as it is.
    ValueError
}
