//! The loop as other threads see it.
//!
//! A handle carries callbacks into the loop and nothing out of it.
//! The loop counts its handles: under a virtual clock, a loop that has nothing left to do waits as long as one of them could still send.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rondel_context::{capture, run_in};
use rondel_sched::{ClosedError, Injector, Message};

use crate::get_running_loop;

/// A handle to an [`EventLoop`](crate::EventLoop) for other threads; it may outlive the loop.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use rondel_reactor::{EventLoop, get_running_loop};
///
/// let event_loop = EventLoop::new()?;
/// let handle = event_loop.handle();
/// let worker = thread::spawn(move || {
///     handle.call_soon_threadsafe(|| get_running_loop().expect("it runs this callback").stop())
/// });
/// event_loop.run_forever()?;
/// worker.join().expect("it does not panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LoopHandle(Arc<Entrance>);

/// What a loop shares with its handles.
pub(crate) struct Entrance {
    injector: Arc<Injector>,
    handles: AtomicUsize,
    in_flight: AtomicUsize,
    /// Whether the loop wants to know that its last handle is gone, or that nothing is in flight any more: only one under a
    /// virtual clock ever waits for that.
    awaits_last: bool,
}

impl LoopHandle {
    pub(crate) fn new(entrance: &Arc<Entrance>) -> Self {
        entrance.handles.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(entrance))
    }

    /// Puts `callback` into the loop's ready queue, to run in a copy of the caller's current context, and wakes the loop.
    ///
    /// What one thread sends runs in the order of sending.
    /// On the loop's own thread, while it runs, this is [`call_soon`](crate::EventLoop::call_soon) and keeps its order.
    ///
    /// See [asyncio's `call_soon_threadsafe`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_soon_threadsafe).
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed or gone; the callback is dropped.
    #[track_caller]
    pub fn call_soon_threadsafe(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<(), ClosedError> {
        if let Ok(running) = get_running_loop()
            && Arc::ptr_eq(running.entrance(), &self.0)
        {
            return running.call_soon_threadsafe(callback);
        }
        let mut context = capture();
        self.0.injector.send(Message::Call(Box::new(move || {
            run_in(&mut context, callback)
        })))
    }

    pub(crate) fn entrance(&self) -> &Entrance {
        &self.0
    }

    /// Returns the scheduler's own entrance, for a layer that sends tokens; it does not count as a handle.
    #[must_use]
    pub fn injector(&self) -> &Arc<Injector> {
        &self.0.injector
    }
}

impl Clone for LoopHandle {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for LoopHandle {
    fn drop(&mut self) {
        // Release: what this handle sent is in the mailbox before the loop sees the last handle gone.
        if self.0.handles.fetch_sub(1, Ordering::Release) == 1 {
            self.0.notify_virtual();
        }
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopHandle")
            .field("injector", &self.0.injector)
            .finish_non_exhaustive()
    }
}

impl Entrance {
    pub(crate) fn new(injector: Arc<Injector>, awaits_last: bool) -> Arc<Self> {
        Arc::new(Self {
            injector,
            handles: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            awaits_last,
        })
    }

    /// Whether a handle is left that could still send.
    pub(crate) fn has_handles(&self) -> bool {
        self.handles.load(Ordering::Acquire) > 0
    }

    /// The count of what is under way outside of the loop.
    pub(crate) fn in_flight(&self) -> &AtomicUsize {
        &self.in_flight
    }

    /// Whether work is under way outside of the loop.
    pub(crate) fn has_in_flight(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) > 0
    }

    /// Wakes the loop if it may be waiting for a count to reach zero.
    pub(crate) fn notify_virtual(&self) {
        if self.awaits_last {
            self.injector.notify();
        }
    }
}
