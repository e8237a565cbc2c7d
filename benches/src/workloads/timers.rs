//! Timers: setting them, cancelling them, letting them fire.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::iter;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::Measured;
use crate::clock::{Stopwatch, Whose};
use crate::peer::Timers;

/// Far enough that no timer of it fires while it is measured.
const HOUR: u64 = 3_600_000;

/// Runs `total` tasks that sleep for up to 100 ms each, and waits for all: the whole life of a timer and of its task.
///
/// # Errors
/// When the runtime cannot be made.
pub fn fire<P: Timers>(total: usize) -> Measured {
    P::run(move |peer| async move {
        let mut handles = Vec::with_capacity(total);
        let watch = Stopwatch::start(Whose::Thread);
        for delay in delays(0).take(total) {
            handles.push(peer.spawn(async move {
                P::sleep(delay).await;
                P::output(())
            }));
        }
        for handle in handles {
            P::join(handle).await;
        }
        P::output(watch.per(total))
    })
}

/// Sets a timer and cancels it, `total` times, one at a time.
///
/// # Errors
/// When the runtime cannot be made.
pub fn set_and_cancel<P: Timers>(total: usize) -> Measured {
    P::run(move |_| async move {
        let watch = Stopwatch::start(Whose::Thread);
        for delay in delays(HOUR).take(total) {
            drop(begun::<P>(delay).await);
        }
        P::output(watch.per(total))
    })
}

/// Sets `batch` timers and then cancels them, until there have been `total`.
///
/// # Errors
/// When the runtime cannot be made.
pub fn set_all_and_cancel<P: Timers>(total: usize, batch: usize) -> Measured {
    P::run(move |_| async move {
        let mut timers = Vec::with_capacity(batch);
        let mut delays = delays(HOUR);
        let watch = Stopwatch::start(Whose::Thread);
        for _ in 0..total / batch {
            for delay in delays.by_ref().take(batch) {
                timers.push(begun::<P>(delay).await);
            }
            timers.clear();
        }
        P::output(watch.per(total))
    })
}

/// Keeps `live` timers set; `total` times the oldest is cancelled and a new one set.
///
/// # Errors
/// When the runtime cannot be made.
pub fn churn<P: Timers>(total: usize, live: usize) -> Measured {
    P::run(move |_| async move {
        let mut timers = VecDeque::with_capacity(live + 1);
        let mut delays = delays(HOUR);
        for delay in delays.by_ref().take(live) {
            timers.push_back(begun::<P>(delay).await);
        }
        let watch = Stopwatch::start(Whose::Thread);
        for delay in delays.take(total) {
            timers.push_back(begun::<P>(delay).await);
            drop(timers.pop_front());
        }
        P::output(watch.per(total))
    })
}

/// A timer that has been set, by polling it once.
async fn begun<P: Timers>(delay: Duration) -> Pin<Box<impl Future<Output = ()>>> {
    let mut timer = Box::pin(P::sleep(delay));
    poll_fn(|context| {
        let polled = timer.as_mut().poll(context);
        debug_assert!(polled.is_pending(), "it is far off");
        Poll::Ready(())
    })
    .await;
    timer
}

/// Delays of 1 to 100 ms, and more by `extra` milliseconds, in an order that is the same every time.
fn delays(extra: u64) -> impl Iterator<Item = Duration> {
    let mut random = fastrand::Rng::with_seed(7);
    iter::repeat_with(move || Duration::from_millis(extra + random.u64(1..=100)))
}
