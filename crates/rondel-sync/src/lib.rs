//! asyncio's synchronisation primitives and queues for the tasks of one event loop.
//!
//! [`Lock`], [`Event`], [`Condition`], [`Semaphore`], [`BoundedSemaphore`] and [`Barrier`] make tasks wait for each other;
//! [`Queue`], [`LifoQueue`] and [`PriorityQueue`] hand values from one to another. All are fair: who came first is woken first,
//! and a task that is cancelled after it was woken wakes the next in its place. The order of events is CPython 3.13's.
//!
//! Beyond asyncio, [`channel`] hands values from many senders to many receivers, [`watch`] keeps the latest value, and
//! [`broadcast`] gives every value to every receiver.
//!
//! It does not synchronise threads: `std::sync` does, and from another thread a value reaches the loop through
//! `call_soon_threadsafe` of [`EventLoop`](rondel_task::EventLoop). It keeps no time: a limit is put around an operation with
//! [`wait_for`](rondel_task::wait_for) or [`timeout`](rondel_task::timeout()).
//!
//! # Handles
//! Every type here is a cheap handle, not `Send`: clones are the same lock or queue. What is to be awaited owns such a clone and
//! borrows nothing, so it can be made a task, or given to `wait_for` and `gather`. As a coroutine, it does nothing until it is
//! polled. Dropping it in the middle is the same as cancelling it there: what it had been woken for goes to the next.
//!
//! # Loops
//! A primitive may be made before there is a loop. It is bound to the one on which a task first has to wait for it; having to
//! wait for it on another one is a `RuntimeError`.
//!
//! # Examples
//! The crate alone, with the tasks that use it:
//! ```
//! use rondel_sync::Queue;
//! use rondel_task::{create_task, run, Result};
//!
//! async fn produce(queue: Queue<u32>) -> Result<()> {
//!     for number in 1..=4 {
//!         queue.put(number).await?; // waits while two are in the queue
//!     }
//!     queue.shutdown(false);
//!     Ok(())
//! }
//!
//! let sum = run(async {
//!     let queue = Queue::new(2);
//!     create_task(produce(queue.clone()))?;
//!     let mut sum = 0;
//!     while let Ok(number) = queue.get().await {
//!         sum += number;
//!     }
//!     Ok(sum)
//! });
//! assert_eq!(sum.unwrap(), 10);
//! ```

#![forbid(unsafe_code)]

mod barrier;
pub mod broadcast;
mod channel;
mod condition;
mod error;
mod event;
mod lock;
mod loop_bound;
mod queue;
mod semaphore;
mod waiters;
pub mod watch;

pub use barrier::{Barrier, BarrierStatistics};
pub use channel::{
    ChannelClosed, ChannelFull, ChannelStatistics, Receiver, Recv, SendError, Sender, TryRecvError,
    TrySendError, channel,
};
pub use condition::{Condition, ConditionStatistics};
pub use error::BrokenBarrierError;
pub use event::{Event, EventStatistics};
pub use lock::{Lock, LockGuard, LockStatistics};
pub use queue::{
    BaseQueue, Fifo, GetNowaitError, Heap, Lifo, LifoQueue, PriorityQueue, PutNowaitError, Queue,
    QueueEmpty, QueueFull, QueueShutDown, QueueStatistics, Storage,
};
pub use semaphore::{BoundedSemaphore, Semaphore, SemaphoreGuard, SemaphoreStatistics};
