//! Which context is current in this thread, and how schedulers switch it.
//!
//! It does not decide when to switch: a scheduler calls [`capture`] where it makes a callback and [`run_in`] where it runs one.
//!
//! # Invariants
//!
//! - I1. Nothing is current until a variable is set or a context is entered.
//! - I2. The borrow of the thread-local ends before any value is cloned or dropped.
//! - I3. The thread-local may be gone, since code runs while a thread ends; then nothing is current and nothing is switched.
//!
//! # asyncio
//!
//! [`contextvars.copy_context`](https://docs.python.org/3.13/library/contextvars.html#contextvars.copy_context).
//! `capture` and `run_in` are what `asyncio.Handle` gets from `copy_context` and `Context.run`, without an allocation for those
//! who set no variable.

use crate::Context;
use std::cell::{Cell, RefCell};
use std::mem;

thread_local! {
    /// Whether a context was ever current in this thread.
    ///
    /// Programs that use no variable look at this flag alone: without a destructor it costs a load, where `CURRENT` costs a
    /// check of its state and a borrow.
    static IN_USE: Cell<bool> = const { Cell::new(false) };
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// Returns a copy of the current context, in constant time, without the values of variables that are
/// [uninherited](crate::ContextVar::uninherited).
///
/// # Examples
///
/// ```
/// use rondel_context::{ContextVar, copy_context};
///
/// static USER: ContextVar<&str> = ContextVar::new("user");
///
/// USER.set("ada");
/// let context = copy_context();
/// USER.set("grace");
/// assert_eq!(context.get(&USER), Some("ada"));
/// ```
///
/// # asyncio
///
/// [`contextvars.copy_context`](https://docs.python.org/3.13/library/contextvars.html#contextvars.copy_context).
pub fn copy_context() -> Context {
    capture().unwrap_or_default()
}

/// Returns a copy of the current context for [`run_in`], or `None` when no variable is set in it that is inherited.
///
/// This is for schedulers: with no variable set it is a look at a thread-local.
#[inline]
pub fn capture() -> Option<Context> {
    look(Context::inherit)
}

/// Calls a closure in a context that belongs to the caller and may not exist yet.
///
/// This is for schedulers: while the closure runs, `context` is the current context, and the first variable that it sets makes
/// one out of `None`.
/// Afterwards, also when the closure panics, `context` holds it for the next run, and what was current before is current again.
///
/// # Examples
///
/// A task that is run in steps:
///
/// ```
/// use rondel_context::{ContextVar, capture, run_in};
///
/// static STEP: ContextVar<u32> = ContextVar::with_default("step", 0);
///
/// let mut context = capture();
/// assert!(context.is_none(), "no variable is set here");
///
/// run_in(&mut context, || STEP.set(1));
/// assert_eq!(STEP.get(), Ok(0));
/// assert_eq!(run_in(&mut context, || STEP.get()), Ok(1));
/// ```
#[inline]
pub fn run_in<R>(context: &mut Option<Context>, f: impl FnOnce() -> R) -> R {
    /// Switches back, also on unwind.
    struct Entered<'a>(&'a mut Option<Context>);

    impl Drop for Entered<'_> {
        #[inline]
        fn drop(&mut self) {
            if IN_USE.get() {
                switch(self.0);
            }
        }
    }

    // While the closure runs, `context` keeps the place of what was current before.
    if context.is_some() || IN_USE.get() {
        IN_USE.set(true);
        switch(context);
    }
    let _entered = Entered(context);
    f()
}

/// Exchanges the current context for another one, without dropping either.
fn switch(context: &mut Option<Context>) {
    // Without a thread-local there is nothing to switch (I3).
    let _ = CURRENT.try_with(|current| mem::swap(&mut *current.borrow_mut(), context));
}

/// Looks at the current context if there is one; `f` neither clones nor drops a value (I2).
#[inline]
pub(crate) fn look<R>(f: impl FnOnce(&Context) -> Option<R>) -> Option<R> {
    if !IN_USE.get() {
        return None;
    }
    CURRENT
        .try_with(|current| current.borrow().as_ref().and_then(f))
        .ok()
        .flatten()
}

/// Returns the current context itself, not a copy; `None` where no variable was ever set in it.
///
/// This is for schedulers that are about to make another one current.
#[inline]
pub fn entered_context() -> Option<Context> {
    look(|context| Some(context.clone()))
}

/// Returns the current context itself, not a copy, and makes one first if there is none.
///
/// While the thread ends (I3) it is a context that nobody else sees.
pub fn current_context() -> Context {
    IN_USE.set(true);
    CURRENT
        .try_with(|current| current.borrow_mut().get_or_insert_default().clone())
        .unwrap_or_default()
}
