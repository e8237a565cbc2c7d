//! asyncio's futures, tasks and combinators on rondel's event loop.
//!
//! A [`Future`] is completed by hand; a [`Task`] is a future whose result a coroutine computes, step by step, on the loop that
//! owns it; [`gather()`], [`wait`], [`as_completed`], [`task_group`] and the like combine them. Order of events and cancellation
//! are CPython's. Coroutines are ordinary Rust futures, `Send` or not, that give a [`Result`].
//!
//! It does not select on file descriptors or keep timers (`rondel-reactor` and `rondel-sched` do), change states
//! (`rondel-future` does), or know sockets.
//!
//! # Examples
//! The crate alone:
//! ```
//! use std::time::Duration;
//! use rondel_task::{create_task, gather, run, sleep, Result};
//!
//! async fn cook(what: &'static str, minutes: u64) -> Result<&'static str> {
//!     sleep(Duration::from_micros(minutes)).await?;
//!     Ok(what)
//! }
//!
//! let menu = run(async {
//!     let soup = create_task(cook("soup", 20))?;
//!     let rest = gather([cook("rice", 10), cook("fish", 15)]).await?;
//!     Ok((soup.await?, rest))
//! });
//! assert_eq!(menu.unwrap(), ("soup", vec!["rice", "fish"]));
//! ```

#![deny(unsafe_code)]

mod as_completed;
mod awaiter;
mod body;
mod callback;
mod cancel;
mod cell;
mod completer;
mod core;
mod coroutine;
mod ensure_future;
mod error;
mod event_loop;
mod exception;
mod exception_group;
mod future;
mod gather;
mod gather_tuple;
mod opaque;
mod outer;
mod race;
mod repr;
mod run;
mod runner;
mod running;
mod shield;
mod signals;
mod slab;
mod sleep;
mod step;
mod task;
mod task_group;
mod task_state;
mod threads;
mod timeout;
mod wait;
mod wait_for;
mod waker;
mod watcher;

pub use as_completed::{AsCompleted, AsCompletedIter, NextDone, as_completed};
pub use awaiter::{Awaiter, Take};
pub use callback::CallbackKey;
pub use completer::Completer;
pub use ensure_future::{EnsureFuture, IsFuture, ensure_future};
pub use error::{RuntimeError, TimeoutError, ValueError};
pub use event_loop::{EventLoop, new_event_loop};
pub use exception::{Exception, Result};
pub use exception_group::ExceptionGroup;
pub use future::Future;
pub use gather::{gather, gather_return_exceptions};
pub use gather_tuple::GatherTuple;
pub use opaque::Opaque;
pub use outer::{Outer, OuterAwaiter};
pub use race::race;
pub use repr::coroutine_repr;
pub use run::{run, run_virtual};
pub use runner::Runner;
pub use running::{get_event_loop, get_running_loop, set_event_loop};
pub use shield::shield;
pub use signals::{Signals, signals};
pub use sleep::{Sleep, sleep, sleep_forever, sleep_result, sleep_until};
pub use task::{Task, all_tasks, create_task, current_task};
pub use task_group::{Started, TaskGroup, task_group};
pub use threads::{
    Executor, ThreadPool, Work, concurrent, run_coroutine_threadsafe, to_thread, wrap_future,
};
pub use timeout::{Timeout, timeout, timeout_at};
pub use wait::{ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, ReturnWhen, Wait, Waiting, wait};
pub use wait_for::wait_for;
