//! `ThreadPool`: the executor that a loop has by default: a few threads of its own, started when they are needed.
//!
//! Crates from outside do not fit: the pool has to be joined with a time limit, so that the end of a run cannot hang.
//!
//! # Invariants
//! - I1: No lock is held while work runs or is dropped.
//! - I2: While there is work in the queue there is a thread that will look for it: an idle one that was notified, or one that is
//!   busy or new and looks at the queue before it waits or ends.
//!
//! # asyncio
//! [`concurrent.futures.ThreadPoolExecutor`](https://docs.python.org/3/library/concurrent.futures.html#threadpoolexecutor),
//! with its number of threads and its reuse of idle ones. Threads that still work when the process ends end with it.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::exception::{Exception, Result};
use crate::threads::executor::{Executor, Work};

/// CPython's bound for the number of threads.
const MAX_THREADS: usize = 32;

/// Threads that run what they are given, in the order in which it came; a thread is started when all others are busy.
///
/// Dropping the pool is a [`shutdown`](Executor::shutdown) that does not wait.
///
/// # Examples
/// ```
/// use std::sync::mpsc;
/// use rondel_task::{Executor, ThreadPool};
///
/// let pool = ThreadPool::default();
/// let (sender, answer) = mpsc::channel();
/// pool.execute(Box::new(move || sender.send(6 * 7).unwrap()))?;
/// assert_eq!(answer.recv()?, 42);
/// assert!(pool.shutdown(None));
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub struct ThreadPool(Arc<Shared>);

struct Shared {
    max_threads: usize,
    state: Mutex<State>,
    /// There is work, or the pool is shut down.
    changed: Condvar,
    /// The last thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Work>,
    /// Threads that run, and those of them that wait for work.
    threads: usize,
    idle: usize,
    /// Numbers the threads for their names.
    started: usize,
    handles: Vec<JoinHandle<()>>,
    shut_down: bool,
}

impl ThreadPool {
    /// Makes a pool of at most so many threads, at least one; none is started yet.
    #[must_use]
    pub fn new(max_threads: usize) -> Self {
        Self(Arc::new(Shared {
            max_threads: max_threads.max(1),
            state: Mutex::default(),
            changed: Condvar::new(),
            ended: Condvar::new(),
        }))
    }

    /// Returns how many threads have been started and not ended.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.lock().threads
    }

    fn refuse_work(&self) {
        self.0.lock().shut_down = true;
        self.0.changed.notify_all();
    }
}

/// A pool of as many threads as CPython's: four more than there are processors, and at most 32.
impl Default for ThreadPool {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self::new(MAX_THREADS.min(processors + 4))
    }
}

impl Executor for ThreadPool {
    fn execute(&self, work: Work) -> Result<()> {
        let refused = {
            let mut state = self.0.lock();
            if state.shut_down {
                Some((work, Exception::runtime("the thread pool is shut down")))
            } else {
                state.queue.push_back(work);
                self.0.find_thread(&mut state)
            }
        };
        match refused {
            None => Ok(()),
            Some((work, error)) => {
                // The lock is released (I1).
                drop(work);
                Err(error)
            }
        }
    }

    /// Refuses work from now on, lets the threads do what is in the queue, and waits until they have ended.
    ///
    /// To be called from none of the pool's own threads, because it would wait for itself.
    fn shutdown(&self, timeout: Option<Duration>) -> bool {
        self.refuse_work();
        let busy = |state: &mut State| state.threads > 0;
        let state = self.0.lock();
        let mut state = match timeout {
            None => self
                .0
                .ended
                .wait_while(state, busy)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.0.ended.wait_timeout_while(state, timeout, busy);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if state.threads > 0 {
            return false;
        }
        let handles = std::mem::take(&mut state.handles);
        drop(state);
        // They have left their function, and no panic leaves it.
        handles.into_iter().for_each(|handle| drop(handle.join()));
        true
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.refuse_work();
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("ThreadPool")
            .field("max_threads", &self.0.max_threads)
            .field("threads", &state.threads)
            .field("idle", &state.idle)
            .field("queued", &state.queue.len())
            .field("shut_down", &state.shut_down)
            .finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock (I1).
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the newest work in the queue is found (I2); gives it back where no thread can be had.
    fn find_thread(self: &Arc<Self>, state: &mut State) -> Option<(Work, Exception)> {
        // An idle thread that was notified counts as idle until it takes its work.
        if state.idle >= state.queue.len() {
            self.changed.notify_one();
            return None;
        }
        if state.threads >= self.max_threads {
            return None;
        }
        let own = self.clone();
        let started = thread::Builder::new()
            .name(format!("rondel-executor-{}", state.started))
            .spawn(move || own.work());
        match started {
            Ok(handle) => {
                state.threads += 1;
                state.started += 1;
                state.handles.push(handle);
                None
            }
            // Those that there are will come to it.
            Err(_) if state.threads > 0 => None,
            Err(error) => Some((state.queue.pop_back()?, error.into())),
        }
    }

    /// What a thread does.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                // The thread goes on; the panic hook has told of it.
                let _ = catch_unwind(AssertUnwindSafe(work));
                state = self.lock();
            } else if state.shut_down {
                break;
            } else {
                state.idle += 1;
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
        state.threads -= 1;
        if state.threads == 0 {
            self.ended.notify_all();
        }
    }
}
