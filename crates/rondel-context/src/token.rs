//! What `set` returns, to undo it once.
//!
//! Using it is the business of [`ContextVar::reset`](crate::ContextVar::reset).
//!
//! # asyncio
//!
//! [`contextvars.Token`](https://docs.python.org/3.13/library/contextvars.html#contextvars.Token).
//! Deviations: it is used up by being used; `Token.MISSING` is `None`; `Token.var` is only its name.

use crate::Context;
use crate::context::Value;
use std::fmt;
use std::marker::PhantomData;

/// Remembers what a variable was before a [`set`](crate::ContextVar::set).
///
/// It may be dropped, and the variable then stays as it is.
///
/// # asyncio
///
/// [`contextvars.Token`](https://docs.python.org/3.13/library/contextvars.html#contextvars.Token).
pub struct Token<T> {
    var_id: usize,
    name: &'static str,
    context: Context,
    before: Option<Value>,
    of: PhantomData<fn() -> T>,
}

impl<T> Token<T> {
    pub(crate) fn new(
        var_id: usize,
        name: &'static str,
        context: Context,
        before: Option<Value>,
    ) -> Self {
        Token {
            var_id,
            name,
            context,
            before,
            of: PhantomData,
        }
    }

    pub(crate) fn var_id(&self) -> usize {
        self.var_id
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn into_parts(self) -> (Context, Option<Value>) {
        (self.context, self.before)
    }

    /// Returns the name of the variable that was set.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: Clone + Send + Sync + 'static> Token<T> {
    /// Returns the value before the variable was set, if it had one in that context.
    pub fn old_value(&self) -> Option<T> {
        self.before.as_ref()?.cloned()
    }
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
