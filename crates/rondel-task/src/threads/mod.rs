//! Threads: blocking code called from coroutines, and coroutines called from blocking code.
//!
//! Futures, tasks and loops stay on their thread. What crosses is a [`concurrent::Future`], which belongs to no loop, and
//! messages by which a loop's own future is completed or cancelled.
//!
//! # asyncio
//! `asyncio.threads`, `run_coroutine_threadsafe`, `wrap_future`, and the executors of `base_events`.

mod chain;
pub mod concurrent;
mod default_executor;
mod executor;
pub mod from_thread;
mod limiter;
mod portal;
mod thread_pool;
mod to_thread;

pub use chain::{run_coroutine_threadsafe, wrap_future};
pub(crate) use default_executor::DefaultExecutor;
pub use executor::{Executor, Work};
pub use limiter::{CapacityLimiter, CapacityLimiterStatistics, CapacityToken, WouldBlock};
pub use portal::{BlockingPortal, Remaining, start_blocking_portal};
pub use thread_pool::ThreadPool;
pub use to_thread::{OnCancel, ToThread, to_thread};
