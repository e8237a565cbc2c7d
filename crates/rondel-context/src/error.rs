//! The errors of variables: nothing to get, and a token that does not fit.
//!
//! # asyncio
//!
//! `LookupError` and `ValueError`, which Python raises from `ContextVar.get` and `ContextVar.reset`.

use crate::Token;
use std::error::Error;
use std::fmt;

/// Says that a variable has neither a value in the current context nor a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupError {
    name: &'static str,
}

/// Gives back a token that does not fit the variable or the current context.
pub struct ResetError<T> {
    token: Token<T>,
    cause: Cause,
}

#[derive(Clone, Copy, Debug)]
enum Cause {
    OtherVariable,
    OtherContext,
}

impl LookupError {
    pub(crate) const fn new(name: &'static str) -> Self {
        LookupError { name }
    }

    /// Returns the name of the variable.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "context variable {:?} has no value", self.name)
    }
}

impl Error for LookupError {}

impl<T> ResetError<T> {
    pub(crate) fn other_variable(token: Token<T>) -> Self {
        ResetError {
            token,
            cause: Cause::OtherVariable,
        }
    }

    pub(crate) fn other_context(token: Token<T>) -> Self {
        ResetError {
            token,
            cause: Cause::OtherContext,
        }
    }

    /// Tells whether another variable made the token.
    pub fn is_other_variable(&self) -> bool {
        matches!(self.cause, Cause::OtherVariable)
    }

    /// Tells whether the token was made in a context that is not current.
    pub fn is_other_context(&self) -> bool {
        matches!(self.cause, Cause::OtherContext)
    }

    /// Returns the token, to be used where it fits.
    pub fn into_token(self) -> Token<T> {
        self.token
    }
}

impl<T> fmt::Debug for ResetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResetError")
            .field("token", &self.token)
            .field("cause", &self.cause)
            .finish()
    }
}

impl<T> fmt::Display for ResetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.token.name();
        match self.cause {
            Cause::OtherVariable => write!(
                f,
                "the token was made by another context variable, {name:?}"
            ),
            Cause::OtherContext => write!(f, "the token of {name:?} was made in another context"),
        }
    }
}

impl<T> Error for ResetError<T> {}
