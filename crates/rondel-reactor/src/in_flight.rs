//! Work for a loop that is under way outside of it, on another thread.
//!
//! A virtual clock stands still as long as there is some: a timeout must not expire because a thread has not finished yet.
//! What the work is, and how its outcome reaches the loop, is up to the layer above.

use std::{fmt, sync::atomic::Ordering};

use crate::LoopHandle;

/// Work under way on another thread; until it is dropped, a loop with a virtual clock neither moves that clock nor reports a deadlock.
///
/// Under a real clock it does nothing.
///
/// # Examples
///
/// ```
/// use std::{thread, time::Duration};
/// use rondel_reactor::{EventLoop, get_running_loop};
/// use rondel_sched::VirtualClock;
///
/// let event_loop = EventLoop::builder().clock(VirtualClock::new()).build()?;
/// let too_late = event_loop.call_later(Duration::from_secs(1), || unreachable!("the clock stands still"))?;
///
/// let (handle, in_flight) = (event_loop.handle(), event_loop.in_flight());
/// let worker = thread::spawn(move || {
///     let stop = || get_running_loop().expect("it runs this callback").stop();
///     let sent = handle.call_soon_threadsafe(stop);
///     drop(in_flight); // behind what was sent, so that the clock stands still until that has run
///     sent
/// });
/// event_loop.run_forever()?;
/// worker.join().expect("it does not panic")?;
/// too_late.cancel();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the work counts until this is dropped"]
pub struct InFlight(LoopHandle);

impl InFlight {
    pub(crate) fn new(handle: LoopHandle) -> Self {
        handle
            .entrance()
            .in_flight()
            .fetch_add(1, Ordering::Relaxed);
        Self(handle)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let entrance = self.0.entrance();
        // Release: what was sent before is in the mailbox when the loop sees that nothing is in flight.
        if entrance.in_flight().fetch_sub(1, Ordering::Release) == 1 {
            entrance.notify_virtual();
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}
