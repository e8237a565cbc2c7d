//! Callbacks from other threads beyond the plain one: that can be cancelled, and that are queued at most once.
//!
//! Both are made of [`LoopHandle::call_soon_threadsafe`], which pays for neither.
//!
//! # Invariants
//!
//! - H1. A callback is taken out by whoever comes first, the loop to call it or `cancel` to drop it, and no lock is held while either happens.
//! - Q1. An [`IdempotentCallback`] is marked as queued from the moment it is sent until just before it runs, or until the loop drops it.
//!
//! # asyncio
//!
//! `loop.call_soon_threadsafe` gives a `Handle`, which only the loop's own thread may cancel; here any thread may.
//! The callback that is queued once is `run_sync_soon(idempotent=True)` of Trio.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rondel_sched::ClosedError;

use crate::LoopHandle;

impl LoopHandle {
    /// As [`call_soon_threadsafe`](Self::call_soon_threadsafe), for a callback that may be cancelled, from any thread.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed or gone; the callback is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use rondel_reactor::EventLoop;
    ///
    /// let event_loop = EventLoop::new()?;
    /// let callback = event_loop.handle().call_soon_cancellable(|| unreachable!("it is cancelled"))?;
    /// std::thread::spawn(move || callback.cancel()).join().expect("it does not panic");
    /// event_loop.run_once()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn call_soon_cancellable(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<ThreadsafeHandle, ClosedError> {
        let shared = Arc::new(Cancellable {
            callback: Mutex::new(Some(callback)),
            cancelled: AtomicBool::new(false),
        });
        let queued = Arc::clone(&shared);
        self.call_soon_threadsafe(move || {
            if let Some(callback) = queued.take() {
                callback();
            }
        })?;
        Ok(ThreadsafeHandle(shared))
    }

    /// Makes a callback that can be sent again and again and is in the ready queue at most once.
    ///
    /// However often something is reported while the loop is busy, it then looks once.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    /// use rondel_reactor::EventLoop;
    ///
    /// let event_loop = EventLoop::new()?;
    /// let looks = Arc::new(AtomicU32::new(0));
    /// let look = event_loop.handle().idempotent({
    ///     let looks = looks.clone();
    ///     move || { looks.fetch_add(1, Ordering::Relaxed); }
    /// });
    /// for _report in 0..1000 {
    ///     look.call_soon_threadsafe()?;
    /// }
    /// event_loop.run_once()?;
    /// assert_eq!(looks.load(Ordering::Relaxed), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn idempotent(&self, callback: impl Fn() + Send + Sync + 'static) -> IdempotentCallback {
        IdempotentCallback {
            event_loop: self.clone(),
            shared: Arc::new(Idempotent {
                queued: AtomicBool::new(false),
                callback,
            }),
        }
    }
}

/// A callback that another thread has sent, and that may still be cancelled: what [`LoopHandle::call_soon_cancellable`] gives.
///
/// Dropping it changes nothing: the callback runs all the same.
#[derive(Clone)]
pub struct ThreadsafeHandle(Arc<dyn Cancel>);

impl ThreadsafeHandle {
    /// Cancels the callback and drops it at once, on this thread; does nothing when it has begun already or is cancelled.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Says whether the callback was cancelled before it began, so that it never will.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl fmt::Debug for ThreadsafeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.cancelled() {
            true => "<ThreadsafeHandle cancelled>",
            false => "<ThreadsafeHandle>",
        })
    }
}

trait Cancel: Send + Sync {
    fn cancel(&self);
    fn is_cancelled(&self) -> bool;
}

struct Cancellable<F> {
    callback: Mutex<Option<F>>,
    cancelled: AtomicBool,
}

impl<F> Cancellable<F> {
    /// The callback, for whoever comes first (H1).
    fn take(&self) -> Option<F> {
        let mut callback = self.callback.lock().unwrap_or_else(PoisonError::into_inner);
        callback.take()
    }
}

impl<F: Send> Cancel for Cancellable<F> {
    fn cancel(&self) {
        if let Some(callback) = self.take() {
            self.cancelled.store(true, Ordering::Release);
            drop(callback);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

/// A callback that is in the loop's ready queue at most once: what [`LoopHandle::idempotent`] gives. Clones are the same one.
///
/// It counts as a [`LoopHandle`].
#[derive(Clone)]
pub struct IdempotentCallback {
    event_loop: LoopHandle,
    shared: Arc<Idempotent<dyn Fn() + Send + Sync>>,
}

impl IdempotentCallback {
    /// Has the loop call the callback soon, unless it is bound to already.
    ///
    /// Everything that happened before this call is seen by the callback, also where it was queued already; from the moment it
    /// begins it can be queued again.
    /// It runs in a copy of the context of whoever has queued it.
    ///
    /// Mirrors `run_sync_soon(.., idempotent=True)` of
    /// [Trio](https://trio.readthedocs.io/en/stable/reference-lowlevel.html#trio.lowlevel.TrioToken.run_sync_soon).
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed or gone.
    #[track_caller]
    pub fn call_soon_threadsafe(&self) -> Result<(), ClosedError> {
        // Both swaps are read-modify-writes of one atomic: one that finds `true` comes before the one that takes it back, and what
        // its thread did before is seen behind that.
        if self.shared.queued.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let queued = Queued(Arc::clone(&self.shared));
        self.event_loop.call_soon_threadsafe(move || queued.run())
    }
}

impl fmt::Debug for IdempotentCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotentCallback")
            .field("queued", &self.shared.queued)
            .finish_non_exhaustive()
    }
}

struct Idempotent<F: ?Sized> {
    queued: AtomicBool,
    callback: F,
}

/// The mark that the callback is queued (Q1).
struct Queued(Arc<Idempotent<dyn Fn() + Send + Sync>>);

impl Queued {
    fn run(self) {
        let shared = Arc::clone(&self.0);
        drop(self);
        (shared.callback)();
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.queued.swap(false, Ordering::AcqRel);
    }
}
