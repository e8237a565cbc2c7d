//! Context variables: values that follow a task or callback rather than a thread.
//!
//! It does not know what a task or a callback is: a scheduler calls [`capture`] when one is made and [`run_in`] when it runs.
//! In rondel, `rondel-sched` does so for callbacks and `rondel-task` for tasks.
//!
//! A [`ContextVar`] is a name with a value in each [`Context`].
//! One context is current in each thread; reading and setting a variable means its value there.
//! A copy of a context takes constant time and shares nothing that is set later, so each task can have its own.
//!
//! # Used alone
//!
//! ```
//! use rondel_context::{ContextVar, copy_context};
//!
//! static REQUEST: ContextVar<u32> = ContextVar::with_default("request", 0);
//!
//! fn log(text: &str) -> String {
//!     format!("[{}] {text}", REQUEST.get_or(0))
//! }
//!
//! let token = REQUEST.set(7);
//! assert_eq!(log("start"), "[7] start");
//!
//! // A thread starts empty, unless it runs in a copy of the current context.
//! let context = copy_context();
//! std::thread::scope(|scope| {
//!     scope.spawn(|| assert_eq!(log("a bare thread"), "[0] a bare thread"));
//!     scope.spawn(|| context.run(|| assert_eq!(log("a helper"), "[7] a helper")));
//! });
//!
//! REQUEST.reset(token).expect("the token was made here");
//! assert_eq!(log("end"), "[0] end");
//! ```
//!
//! # Invariants
//!
//! - I1. No context is current until the first [`ContextVar::set`], so a program that uses no variable pays for a look at a
//!   thread-local and nothing else.
//! - I2. No `Clone` or `Drop` of a value runs while a lock or borrow of this crate is held: it may set variables itself.
//! - I3. Nothing here panics while a thread ends: a variable read then has its default.
//!
//! # asyncio
//!
//! The counterpart is Python's [`contextvars`](https://docs.python.org/3.13/library/contextvars.html) (PEP 567).
//! Deviations:
//!
//! - A context that is entered may be entered again, also by another thread at the same time, where Python raises
//!   `RuntimeError`: a [`Context`] is a handle that several callbacks may share, and its map is behind a lock.
//! - Values are cloned out, so a variable of something large holds an `Arc` of it.
//! - A context cannot be iterated, since its values have different types; its `Debug` lists the names.
//! - A variable may be [uninherited](ContextVar::uninherited): copies of the current context leave its values out.
//! - A token that was used is gone, so the error for using it twice cannot occur.

#![forbid(unsafe_code)]

mod context;
mod current;
mod error;
mod token;
mod var;

pub use context::Context;
pub use current::{capture, copy_context, current_context, entered_context, run_in};
pub use error::{LookupError, ResetError};
pub use token::Token;
pub use var::ContextVar;
