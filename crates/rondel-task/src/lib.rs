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
mod asleep;
mod awaited;
mod awaiter;
mod body;
mod callback;
mod cancel;
mod cell;
mod cold;
mod completer;
mod completion_cell;
mod core;
mod coroutine;
mod crew;
mod ensure_future;
mod error;
mod event_loop;
mod exception;
mod exception_group;
mod flags;
mod future;
mod gather;
mod gather_tuple;
mod inspect;
mod map_concurrent;
mod move_on;
mod opaque;
mod outer;
mod parking;
mod race;
mod race_tuple;
mod repr;
mod run;
mod runner;
mod running;
mod shield;
mod shielded;
mod signals;
mod slab;
mod sleep;
mod staggered;
mod step;
mod task;
mod task_group;
mod task_options;
mod task_state;
pub mod testing;
mod threads;
mod timeout;
mod wait;
mod wait_for;
mod waiter;
mod waker;
mod watcher;

pub use as_completed::{AsCompleted, AsCompletedIter, NextDone, as_completed};
pub use awaiter::{Awaiter, Take};
pub use callback::CallbackKey;
pub use completer::Completer;
pub use ensure_future::{EnsureFuture, IsFuture, ensure_future};
pub use error::{RuntimeError, TimeoutError, ValueError};
pub use event_loop::{EventLoop, WeakEventLoop, new_event_loop};
pub use exception::{Exception, Result};
pub use exception_group::ExceptionGroup;
pub use future::Future;
pub use gather::{gather, gather_return_exceptions};
pub use gather_tuple::GatherTuple;
pub use inspect::{
    CallGraphCut, FrameCallGraphEntry, FramePlace, FutureCallGraph, TaskInstrument,
    capture_call_graph, capture_current_call_graph, format_call_graph, future_add_to_awaited_by,
    future_discard_from_awaited_by, print_call_graph,
};
pub use map_concurrent::{MapUnordered, map_concurrent, map_unordered};
pub use move_on::{move_on_after, move_on_at};
pub use opaque::Opaque;
pub use outer::{Outer, OuterAwaiter};
pub use parking::{Park, Parking};
pub use race::race;
pub use race_tuple::{Race2, Race3, Race4, Race5, Race6, Race7, Race8, RaceTuple};
pub use repr::coroutine_repr;
pub use run::{run, run_virtual};
pub use runner::Runner;
pub use running::{get_event_loop, get_running_loop, set_event_loop};
pub use shield::shield;
pub use shielded::shielded;
pub use signals::{Signals, signals};
pub use sleep::{Sleep, checkpoint, sleep, sleep_forever, sleep_result, sleep_until};
pub use staggered::{StaggeredRace, staggered_race};
pub use task::{Task, all_tasks, create_task, create_task_with, current_task};
pub use task_group::{Started, TaskGroup, task_group};
pub use task_options::{
    Start, TaskFactory, TaskOptions, create_eager_task_factory, eager_task_factory,
};
pub use threads::{
    BlockingPortal, CapacityLimiter, CapacityLimiterStatistics, CapacityToken, Executor, OnCancel,
    Remaining, ThreadPool, ToThread, Work, WouldBlock, concurrent, from_thread,
    run_coroutine_threadsafe, start_blocking_portal, to_thread, wrap_future,
};
pub use timeout::{Timeout, timeout, timeout_at};
pub use wait::{ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, ReturnWhen, Wait, Waiting, wait};
pub use wait_for::{cancel_and_wait, wait_for};
pub use waiter::{Waiter, Woken};
