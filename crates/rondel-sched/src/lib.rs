//! Callbacks that run in order, timers, two clocks and an entrance for other threads: the part of an event loop that does no I/O.
//!
//! A [`Scheduler`] decides *what* runs and *in which order*.
//! It never waits and never looks at a file descriptor: `rondel-reactor` does both, and so can a game loop or a GUI.
//! It knows neither futures nor tasks: `rondel-task` builds them on [`Runnable`] and [`Token`].
//!
//! # The life of a callback
//!
//! ```text
//!   call_soon ────────────────────────────┐
//!   call_later, call_at ─┬─> timers ──────┤ fire_timers
//!   set_alarm ───────────┘                │
//!   Injector::send ──> mailbox ───────────┤ receive
//!   wake(token) ──────────────────────────┤
//!                                         v
//!                                    ready queue ──> run_ready: the only place that calls callbacks
//! ```
//!
//! # Invariants
//!
//! - I1. Callbacks run in the order in which they entered the ready queue, each at most once, and only inside [`Scheduler::run_ready`]; so do tokens, unless an [`Order`] was set.
//! - I2. [`Scheduler::run_ready`] runs exactly what was ready when it was called; what that adds waits for the next call.
//! - I3. Due timers enter the ready queue in the order of (when, setting).
//! - I4. No user code (a callback, a destructor, a clock, a notification) runs while a borrow or a lock of this crate is held, so all of it may call back in.
//! - I5. A message that was accepted from another thread is followed by a notification, or by one that is still to be answered: no wake-up is lost.
//! - I6. A closed scheduler refuses every callback and holds none.
//!
//! # asyncio
//!
//! This is the half of `BaseEventLoop._run_once` that needs no selector, with `Handle` and `TimerHandle` of `asyncio/events.py`.
//!
//! # Examples
//!
//! A game loop steps the scheduler once a frame, under a clock that follows the game and not the wall:
//!
//! ```
//! use std::{cell::RefCell, rc::Rc, time::Duration};
//! use rondel_sched::{Scheduler, VirtualClock};
//!
//! let clock = VirtualClock::new();
//! let scheduler = Scheduler::new(Rc::new(clock.clone()));
//! let log = Rc::new(RefCell::new(Vec::new()));
//!
//! let seen = log.clone();
//! scheduler.call_later(Duration::from_millis(32), move || seen.borrow_mut().push("explosion"))?;
//! let seen = log.clone();
//! scheduler.call_soon(move || seen.borrow_mut().push("shot"))?;
//!
//! for _frame in 0..3 {
//!     scheduler.receive();
//!     scheduler.fire_timers();
//!     scheduler.run_ready(&());
//!     log.borrow_mut().push("frame");
//!     clock.advance(Duration::from_millis(16));
//! }
//! assert_eq!(*log.borrow(), ["shot", "frame", "frame", "explosion", "frame"]);
//! # Ok::<(), rondel_sched::ClosedError>(())
//! ```

#![forbid(unsafe_code)]

mod clock;
mod error;
mod handle;
mod host;
mod injector;
mod messages;
mod order;
mod ready;
mod scheduler;
mod timer_slab;
mod timers;
mod token;
mod wheel;

pub use clock::{Clock, MonotonicClock, VirtualClock};
pub use error::ClosedError;
pub use handle::{Handle, Runnable, TimerHandle, describe_callback};
pub use host::{Ahead, Host};
pub use injector::{Injector, Message};
pub use order::Order;
pub use scheduler::{Alarm, Scheduler};
pub use token::Token;
