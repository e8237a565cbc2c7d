//! asyncio for Rust: futures completed by hand, ordered callbacks, an event loop, tasks, gather and wait.
//!
//! This crate holds asyncio's names in one place and no logic: each name is re-exported from the crate that owns it, and every
//! one of those crates can be used alone.
//!
//! | crate | owns |
//! | --- | --- |
//! | [`rondel_future`] | the state machine of a future |
//! | [`rondel_context`] | context variables |
//! | [`rondel_sched`] | ready queue, timers, clocks |
//! | [`rondel_reactor`] | the iteration, file descriptors, threads, signals |
//! | [`rondel_task`] | `Future`, `Task`, cancellation, combinators |
//! | [`rondel_sync`] | locks, events, conditions, semaphores, barriers, queues |
//!
//! # Examples
//! ```
//! use std::time::Duration;
//!
//! async fn say_after(delay: Duration, what: &'static str) -> rondel::Result<&'static str> {
//!     rondel::sleep(delay).await?;
//!     Ok(what)
//! }
//!
//! #[rondel::main]
//! async fn main() -> rondel::Result<()> {
//!     let ms = Duration::from_millis;
//!     let words = rondel::gather([say_after(ms(2), "hello"), say_after(ms(1), "world")]).await?;
//!     assert_eq!(words, ["hello", "world"]);
//!     Ok(())
//! }
//! ```
//!
//! # asyncio
//! The names are those of the [asyncio documentation](https://docs.python.org/3/library/asyncio.html) where it has one.

#![forbid(unsafe_code)]

pub use rondel_context::{Context, ContextVar, LookupError, ResetError, Token, copy_context};
pub use rondel_future::{CancelledError, InvalidStateError};
pub use rondel_macros::{main, test};
pub use rondel_reactor::{
    Backend, Builder, ExceptionContext, InFlight, LoopHandle, NoRunningLoopError, PanicError,
    RunError, SignalWatch, signal,
};
pub use rondel_sched::{Clock, ClosedError, Handle, MonotonicClock, TimerHandle, VirtualClock};
pub use rondel_sync::{
    Barrier, BarrierStatistics, BoundedSemaphore, BrokenBarrierError, Condition,
    ConditionStatistics, Event, EventStatistics, GetNowaitError, LifoQueue, Lock, LockGuard,
    LockStatistics, PriorityQueue, PutNowaitError, Queue, QueueEmpty, QueueFull, QueueShutDown,
    QueueStatistics, Semaphore, SemaphoreGuard, SemaphoreStatistics,
};
pub use rondel_task::{
    ALL_COMPLETED, AsCompleted, CallbackKey, Completer, EnsureFuture, EventLoop, Exception,
    ExceptionGroup, Executor, FIRST_COMPLETED, FIRST_EXCEPTION, Future, GatherTuple, IsFuture,
    Opaque, Outer, Result, ReturnWhen, Runner, RuntimeError, Signals, Sleep, Started, Task,
    TaskGroup, ThreadPool, Timeout, TimeoutError, ValueError, Wait, Work, all_tasks, as_completed,
    concurrent, coroutine_repr, create_task, current_task, ensure_future, gather,
    gather_return_exceptions, get_event_loop, get_running_loop, new_event_loop, race, run,
    run_coroutine_threadsafe, set_event_loop, shield, signals, sleep, sleep_forever, sleep_result,
    sleep_until, task_group, timeout, timeout_at, to_thread, wait, wait_for, wrap_future,
};

pub mod testing {
    //! What tests need: a run under virtual time.
    //!
    //! `#[rondel::test]` uses it.

    pub use rondel_task::run_virtual as run;
}

/// The example of the README is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
