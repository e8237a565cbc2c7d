//! A context variable: a name, a type and perhaps a default.
//!
//! It holds no value: those are in contexts.
//!
//! # Invariants
//!
//! - I1. An id belongs to one variable for ever, so a value found under it has that variable's type.
//!
//! # asyncio
//!
//! [`contextvars.ContextVar`](https://docs.python.org/3.13/library/contextvars.html#contextvars.ContextVar).
//! Deviation: `get` with a default is [`ContextVar::get_or`].

use crate::context::{Inheritance, Key, Value};
use crate::{LookupError, ResetError, Token, current};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names a value that each context has of its own.
///
/// Make it a `static`.
/// A variable that is dropped leaves its values in the contexts where it was set, until those go.
///
/// # Examples
///
/// ```
/// use rondel_context::ContextVar;
///
/// static LANGUAGE: ContextVar<&str> = ContextVar::with_default("language", "en");
///
/// assert_eq!(LANGUAGE.get(), Ok("en"));
/// let token = LANGUAGE.set("fr");
/// assert_eq!(LANGUAGE.get(), Ok("fr"));
/// LANGUAGE.reset(token)?;
/// assert_eq!(LANGUAGE.get(), Ok("en"));
/// # Ok::<(), rondel_context::ResetError<&str>>(())
/// ```
///
/// # asyncio
///
/// [`contextvars.ContextVar`](https://docs.python.org/3.13/library/contextvars.html#contextvars.ContextVar).
pub struct ContextVar<T> {
    name: &'static str,
    default: Option<T>,
    inheritance: Inheritance,
    /// 0 until first used, since a `static` cannot count.
    id: AtomicUsize,
}

impl<T: Clone + Send + Sync + 'static> ContextVar<T> {
    /// Makes a variable without default.
    ///
    /// The name is for `Debug` and errors; variables of the same name are different variables.
    pub const fn new(name: &'static str) -> Self {
        ContextVar {
            name,
            default: None,
            inheritance: Inheritance::Inherited,
            id: AtomicUsize::new(0),
        }
    }

    /// Makes a variable with the value that it has where none was set.
    pub const fn with_default(name: &'static str, default: T) -> Self {
        ContextVar {
            name,
            default: Some(default),
            inheritance: Inheritance::Inherited,
            id: AtomicUsize::new(0),
        }
    }

    /// Makes the variable one whose values stay where they are set: the copy of the context that a new task, a callback or a
    /// thread gets leaves them out, as does [`copy_context`](crate::copy_context).
    ///
    /// It is for what is true of a task itself and not of those that it starts, such as a lock that it holds or a measurement
    /// that it is in. A context that is given and not copied has the values, and [`Context::copy`](crate::Context::copy) takes
    /// them along.
    ///
    /// # Examples
    ///
    /// ```
    /// use rondel_context::{ContextVar, copy_context};
    ///
    /// static REQUEST: ContextVar<u32> = ContextVar::with_default("request", 0);
    /// static SPAN: ContextVar<u32> = ContextVar::with_default("span", 0).uninherited();
    ///
    /// REQUEST.set(7);
    /// SPAN.set(1);
    /// let inherited = copy_context().run(|| (REQUEST.get_or(0), SPAN.get_or(0)));
    /// assert_eq!(inherited, (7, 0));
    /// ```
    #[must_use]
    pub const fn uninherited(mut self) -> Self {
        self.inheritance = Inheritance::Uninherited;
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the value in the current context, else the variable's default.
    ///
    /// # Errors
    ///
    /// Fails when there is neither.
    pub fn get(&self) -> Result<T, LookupError> {
        self.current()
            .or_else(|| self.default.clone())
            .ok_or(LookupError::new(self.name))
    }

    /// Returns the value in the current context, else `default`; the variable's own default does not count.
    pub fn get_or(&self, default: T) -> T {
        self.current().unwrap_or(default)
    }

    /// Sets the value in the current context, and returns the token that undoes it.
    ///
    /// The first variable set in a thread makes the thread's context.
    /// What is set while the thread-locals of an ending thread are dropped is forgotten.
    pub fn set(&self, value: T) -> Token<T> {
        let context = current::current_context();
        let value = Value {
            name: self.name,
            value: Arc::new(value),
        };
        let before = context.replace(self.key(), Some(value));
        Token::new(self.id(), self.name, context, before)
    }

    /// Gives the variable the value that it had before the [`set`](Self::set) that made the token, or none if it had none.
    ///
    /// # Errors
    ///
    /// Gives the token back when another variable made it, or when it was made in another context.
    pub fn reset(&self, token: Token<T>) -> Result<(), ResetError<T>> {
        if token.var_id() != self.id() {
            return Err(ResetError::other_variable(token));
        }
        let here = current::look(|context| Some(context.ptr_eq(token.context()))).unwrap_or(false);
        if !here {
            return Err(ResetError::other_context(token));
        }
        let (context, before) = token.into_parts();
        context.replace(self.key(), before);
        Ok(())
    }

    fn current(&self) -> Option<T> {
        let key = self.key();
        current::look(|context| context.value(key))?.cloned()
    }

    #[inline]
    pub(crate) fn key(&self) -> Key {
        Key {
            id: self.id(),
            inheritance: self.inheritance,
        }
    }

    /// Returns the id, which is given when first asked for.
    #[inline]
    fn id(&self) -> usize {
        match self.id.load(Ordering::Relaxed) {
            0 => self.give_id(),
            id => id,
        }
    }

    #[cold]
    fn give_id(&self) -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(1);

        // Threads that race here agree on the first id stored; a number that is left over is never used.
        // Relaxed suffices: an id is a number and leads to no other memory.
        let id = NEXT
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                next.checked_add(1)
            })
            .expect("there are more context variables than numbers");
        match self
            .id
            .compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => id,
            Err(given) => given,
        }
    }
}

impl<T> fmt::Debug for ContextVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextVar")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
