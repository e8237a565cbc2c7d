//! The state machine of asyncio's futures: pending, then finished or cancelled, once.
//!
//! It does not run callbacks, wake tasks or wait: a transition hands out the callbacks that it sets free, and whoever owns the
//! future schedules them.
//! It knows no event loop, thread, waker or reference count, and needs no `std`.
//! In rondel, `rondel-task` builds the futures and tasks of its event loop on it.
//!
//! # Which type to use
//!
//! - [`FutureState<T, C, E>`](FutureState) is the whole machine: state, callbacks, exception and value.
//!   Embed it in a type of your own.
//! - [`Completion<C, E>`](Completion) is the part that does not mention the type of the value, for an owner that keeps the value
//!   elsewhere: code that handles futures of every `T` then exists once.
//!
//! Both are generic over the callback `C` and the exception `E`, and never call, clone or compare either.
//!
//! # Used alone
//!
//! A future whose callbacks are names and whose loop is a `Vec`:
//!
//! ```
//! use rondel_future::{AddCallback, FutureState, InvalidStateError, Unavailable};
//!
//! let mut ready: Vec<&str> = Vec::new();
//! let mut future = FutureState::<u32, &str, String>::new();
//!
//! // A pending future keeps its callbacks.
//! assert!(matches!(future.add_callback("log it"), AddCallback::Added));
//! assert!(matches!(future.result(), Err(Unavailable::InvalidState(_))));
//!
//! // The transition hands them out; running them is the owner's part.
//! ready.extend(future.set_result(42)?);
//! assert_eq!(ready, ["log it"]);
//! assert_eq!(future.result(), Ok(&42));
//!
//! // A done future keeps no callback and changes no more.
//! assert!(matches!(future.add_callback("late"), AddCallback::ScheduleNow("late")));
//! let refused = future.set_result(43).unwrap_err();
//! assert_eq!(refused.error().to_string(), "invalid state: the future is already finished");
//! assert_eq!(refused.value, 43);
//! # Ok::<(), InvalidStateError>(())
//! ```
//!
//! # Invariants
//!
//! - I1. A future leaves [`State::Pending`] at most once, and no other state is ever left.
//! - I2. Each callback leaves exactly once: by the transition that completes the future, by removal, back to whoever added it too
//!   late, or with the future when that is dropped.
//! - I3. No method drops a `C`, `E` or `T` that it was given or that the future holds: what is refused, removed or set free is
//!   returned.
//!   So an owner that keeps the machine in a `RefCell` or behind a lock can let go of it before foreign `Drop` code runs.
//! - I4. The only foreign code that runs inside a method is the predicate of a removal; if it panics, nothing is lost but what
//!   had already been taken out.
//!
//! # asyncio
//!
//! The counterpart is `Lib/asyncio/futures.py` of CPython 3.13, seen from the documentation as
//! [`asyncio.Future`](https://docs.python.org/3.13/library/asyncio-future.html#asyncio.Future).
//! Deviations: callbacks are returned, not passed to `call_soon`, since there is no loop here; misuse is an `Err` and gives the
//! value back; "exception was never retrieved" is a question ([`Completion::unretrieved`]) for the owner to ask before it drops
//! the future, since only the owner knows where to report.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod callbacks;
mod completion;
mod error;
mod future_state;
mod state;

pub use answer::{AddCallback, Cancel, Outcome};
pub use callbacks::{Callbacks, IntoIter};
pub use completion::Completion;
pub use error::{CancelledError, InvalidStateError, Refused, Unavailable};
pub use future_state::FutureState;
pub use state::State;
