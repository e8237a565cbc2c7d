//! `Queue`, `LifoQueue` and `PriorityQueue`: values from task to task, as many at a time as fit.
//!
//! In which order they come out is the [`Storage`]'s business, how a task waits `wait`'s.
//!
//! # Invariants
//! - I1: A value stays in the storage until the very poll that gives it to a getter, so a getter that goes away loses none.
//! - I2: No value is dropped while the queue is between two states: `shutdown` drops what it has taken out at its very end.
//!
//! # asyncio
//! [Queues](https://docs.python.org/3/library/asyncio-queue.html). The subclasses' `_put` and `_get` are the storage here.

mod error;
mod heap;
mod storage;
mod wait;

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::rc::Rc;
use std::task::{Poll, ready};

use rondel_task::{Result, ValueError};

use crate::event::Event;
use crate::loop_bound::LoopBound;
use crate::waiters::Waiters;
use wait::{Getters, Putters, Wait, wake_all, wake_next};

pub use error::{GetNowaitError, PutNowaitError, QueueEmpty, QueueFull, QueueShutDown};
pub use heap::Heap;
pub use storage::{Fifo, Lifo, Storage};

/// A queue from which the value that was put in first comes out first; its methods are those of [`BaseQueue`].
///
/// Mirrors [`asyncio.Queue`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.Queue).
///
/// # Examples
/// ```
/// use rondel_sync::Queue;
/// use rondel_task::{create_task, run};
///
/// let first = run(async {
///     let queue = Queue::new(1);
///     let putter = queue.clone();
///     create_task(async move {
///         putter.put("tea").await?;
///         putter.put("milk").await
///     })?;
///     queue.get().await
/// });
/// assert_eq!(first.unwrap(), "tea");
/// ```
pub type Queue<T> = BaseQueue<Fifo<T>>;

/// A queue from which the value that was put in last comes out first; its methods are those of [`BaseQueue`].
///
/// Mirrors [`asyncio.LifoQueue`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.LifoQueue).
///
/// # Examples
/// ```
/// use rondel_sync::LifoQueue;
///
/// let plates = LifoQueue::new(0);
/// plates.put_nowait("blue").unwrap();
/// plates.put_nowait("green").unwrap();
/// assert_eq!(plates.get_nowait().unwrap(), "green");
/// ```
pub type LifoQueue<T> = BaseQueue<Lifo<T>>;

/// A queue from which the smallest value comes out first; its methods are those of [`BaseQueue`].
///
/// Mirrors [`asyncio.PriorityQueue`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.PriorityQueue).
///
/// # Examples
/// ```
/// use rondel_sync::PriorityQueue;
///
/// let chores = PriorityQueue::new(0);
/// chores.put_nowait((2, "sweep")).unwrap();
/// chores.put_nowait((1, "cook")).unwrap();
/// assert_eq!(chores.get_nowait().unwrap(), (1, "cook"));
/// ```
pub type PriorityQueue<T> = BaseQueue<Heap<T>>;

/// A queue of at most so many values, in the order that its [`Storage`] gives them: a handle, of which clones are the same queue.
///
/// It is used under the names [`Queue`], [`LifoQueue`] and [`PriorityQueue`].
pub struct BaseQueue<S> {
    shared: Rc<Shared<S>>,
}

struct Shared<S> {
    storage: S,
    /// 0 is no limit.
    maxsize: usize,
    getters: Waiters,
    putters: Waiters,
    bound: LoopBound,
    unfinished: Cell<usize>,
    finished: Event,
    is_shut_down: Cell<bool>,
}

/// What [`BaseQueue::statistics`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatistics {
    /// How many values are in the queue.
    pub qsize: usize,
    /// How many fit; 0 is no limit.
    pub maxsize: usize,
    /// How many values were put in and not yet reported by [`task_done`](BaseQueue::task_done).
    pub unfinished_tasks: usize,
    /// How many tasks wait for a value and have not been woken.
    pub getters_waiting: usize,
    /// How many tasks wait for room and have not been woken.
    pub putters_waiting: usize,
}

impl<S: Storage> BaseQueue<S> {
    /// Makes an empty queue for `maxsize` values; 0 sets no limit.
    pub fn new(maxsize: usize) -> Self {
        let finished = Event::new();
        finished.set();
        Self {
            shared: Rc::new(Shared {
                storage: S::default(),
                maxsize,
                getters: Waiters::default(),
                putters: Waiters::default(),
                bound: LoopBound::default(),
                unfinished: Cell::new(0),
                finished,
                is_shut_down: Cell::new(false),
            }),
        }
    }

    // --- looking ---------------------------------------------------------------------------

    /// Returns how many values are in the queue.
    pub fn qsize(&self) -> usize {
        self.shared.storage.len()
    }

    /// Returns how many values fit; 0 is no limit.
    pub fn maxsize(&self) -> usize {
        self.shared.maxsize
    }

    /// Returns true if no value is in the queue.
    pub fn empty(&self) -> bool {
        self.shared.storage.is_empty()
    }

    /// Returns true if `maxsize` values are in the queue; without a limit it never is.
    pub fn full(&self) -> bool {
        self.maxsize() > 0 && self.qsize() >= self.maxsize()
    }

    /// Returns how many values there are, and how many tasks wait for what.
    pub fn statistics(&self) -> QueueStatistics {
        QueueStatistics {
            qsize: self.qsize(),
            maxsize: self.maxsize(),
            unfinished_tasks: self.shared.unfinished.get(),
            getters_waiting: self.shared.getters.pending(),
            putters_waiting: self.shared.putters.pending(),
        }
    }

    // --- putting and getting -----------------------------------------------------------------

    /// Puts a value into the queue, as soon as there is room.
    ///
    /// On an error the value is dropped with the coroutine: keep a clone of one that must not be lost, or use
    /// [`put_nowait`](Self::put_nowait), which hands it back.
    ///
    /// Mirrors [`Queue.put`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.Queue.put).
    ///
    /// # Errors
    /// [`QueueShutDown`] if the queue is shut down, also meanwhile; `CancelledError` if the task is cancelled meanwhile. If the
    /// task has to wait: `RuntimeError` on another loop than the one the queue is bound to, `NoRunningLoopError` on none.
    #[track_caller]
    pub fn put(&self, item: S::Item) -> impl Future<Output = Result<()>> + use<S> {
        let mut wait = Wait::<S, Putters>::new(self, Location::caller());
        let mut item = Some(item);
        poll_fn(move |cx| {
            ready!(wait.poll(cx))?;
            let put = item.take().map(|item| wait.queue.put_nowait(item));
            Poll::Ready(Ok(put.unwrap_or(Ok(()))?))
        })
    }

    /// Puts a value into the queue if there is room.
    ///
    /// Mirrors [`Queue.put_nowait`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.Queue.put_nowait).
    ///
    /// # Errors
    /// [`PutNowaitError`] if there is no room or the queue is shut down; it hands the value back.
    pub fn put_nowait(&self, item: S::Item) -> Result<(), PutNowaitError<S::Item>> {
        if self.shared.is_shut_down.get() {
            return Err(PutNowaitError::QueueShutDown(item));
        }
        if self.full() {
            return Err(PutNowaitError::QueueFull(item));
        }
        let Shared { unfinished, .. } = &*self.shared;
        self.shared.storage.push(item);
        unfinished.set(unfinished.get() + 1);
        self.shared.finished.clear();
        wake_next(&self.shared.getters);
        Ok(())
    }

    /// Takes the next value out of the queue, as soon as there is one.
    ///
    /// Mirrors [`Queue.get`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.Queue.get).
    ///
    /// # Errors
    /// [`QueueShutDown`] if the queue is empty and shut down, also meanwhile; `CancelledError` if the task is cancelled
    /// meanwhile. If the task has to wait: `RuntimeError` on another loop than the one the queue is bound to,
    /// `NoRunningLoopError` on none.
    #[track_caller]
    pub fn get(&self) -> impl Future<Output = Result<S::Item>> + use<S> {
        let mut wait = Wait::<S, Getters>::new(self, Location::caller());
        poll_fn(move |cx| {
            ready!(wait.poll(cx))?;
            Poll::Ready(Ok(wait.queue.get_nowait()?))
        })
    }

    /// Takes the next value out of the queue if there is one.
    ///
    /// Mirrors [`Queue.get_nowait`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.Queue.get_nowait).
    ///
    /// # Errors
    /// [`GetNowaitError`] if the queue is empty, which tells whether it is shut down as well.
    pub fn get_nowait(&self) -> Result<S::Item, GetNowaitError> {
        let Some(item) = self.shared.storage.pop() else {
            return Err(match self.shared.is_shut_down.get() {
                true => GetNowaitError::QueueShutDown,
                false => GetNowaitError::QueueEmpty,
            });
        };
        wake_next(&self.shared.putters);
        Ok(item)
    }

    // --- finishing -----------------------------------------------------------------------------

    /// Reports that the work on a value that was taken out is done.
    ///
    /// Mirrors [`Queue.task_done`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.Queue.task_done).
    ///
    /// # Errors
    /// [`ValueError`] if it is called more often than values were put in.
    pub fn task_done(&self) -> Result<(), ValueError> {
        let Shared {
            unfinished,
            finished,
            ..
        } = &*self.shared;
        let Some(left) = unfinished.get().checked_sub(1) else {
            return Err(ValueError::new("task_done() called too many times"));
        };
        unfinished.set(left);
        if left == 0 {
            finished.set();
        }
        Ok(())
    }

    /// Waits until the work on all values that were put in is done.
    ///
    /// Mirrors [`Queue.join`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.Queue.join).
    ///
    /// # Errors
    /// As [`Event::wait`], if there is anything to wait for.
    #[track_caller]
    pub fn join(&self) -> impl Future<Output = Result<()>> + use<S> {
        let (queue, at) = (self.clone(), Location::caller());
        async move {
            if queue.shared.unfinished.get() > 0 {
                queue.shared.finished.wait_at(at).await?;
            }
            Ok(())
        }
    }

    /// Shuts the queue down: nothing can be put in any more, and once it is empty nothing can be got.
    ///
    /// All tasks that wait to put or to get go on, and find that out. If it is `immediate` the queue is emptied at once, and the
    /// work on what it held counts as done.
    ///
    /// Mirrors [`Queue.shutdown`](https://docs.python.org/3/library/asyncio-queue.html#asyncio.Queue.shutdown).
    pub fn shutdown(&self, immediate: bool) {
        let Shared {
            storage,
            unfinished,
            finished,
            ..
        } = &*self.shared;
        self.shared.is_shut_down.set(true);
        let mut emptied = Vec::new();
        if immediate {
            while let Some(item) = storage.pop() {
                emptied.push(item);
                unfinished.set(unfinished.get().saturating_sub(1));
            }
            if unfinished.get() == 0 {
                finished.set();
            }
        }
        wake_all(&self.shared.getters);
        wake_all(&self.shared.putters);
        drop(emptied);
    }
}

impl<S> Clone for BaseQueue<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<S: Storage> Default for BaseQueue<S> {
    fn default() -> Self {
        Self::new(0)
    }
}

impl<S: Storage> fmt::Debug for BaseQueue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueueStatistics {
            qsize,
            maxsize,
            unfinished_tasks,
            getters_waiting,
            putters_waiting,
        } = self.statistics();
        write!(f, "<{} maxsize={maxsize} qsize={qsize}", S::NAME)?;
        if getters_waiting > 0 {
            write!(f, " getters[{getters_waiting}]")?;
        }
        if putters_waiting > 0 {
            write!(f, " putters[{putters_waiting}]")?;
        }
        if unfinished_tasks > 0 {
            write!(f, " tasks={unfinished_tasks}")?;
        }
        if self.shared.is_shut_down.get() {
            f.write_str(" shutdown")?;
        }
        f.write_str(">")
    }
}
