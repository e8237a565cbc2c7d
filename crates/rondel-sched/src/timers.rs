//! The timers that are set: a heap in the order of (when, setting).
//!
//! It neither reads a clock nor runs a callback: the scheduler says what time it is and takes out what is due.
//!
//! A cancelled timer has dropped its callback already; its empty cell stays in the heap until it comes to the top or is swept.
//! Sweeping looks at every timer, so it is done when the heap has grown to twice what the last sweep left: a constant price for each timer set,
//! and cancelled timers never outnumber the live ones for long.
//!
//! # asyncio
//!
//! `_scheduled` of `BaseEventLoop`, which counts cancelled timers and sweeps when they are more than half of at least 100.

use std::{cmp::Ordering, collections::BinaryHeap, mem, rc::Rc, time::Duration};

use crate::handle::Cancellable;

/// The length below which the heap is never swept.
const SWEEP_FROM: usize = 100;

/// The timers that are set.
///
/// Whatever leaves the heap is returned, never dropped here: dropping it may run user code, and the caller holds a borrow.
pub(crate) struct Timers {
    heap: BinaryHeap<Timer>,
    /// How many timers were ever set: what orders equal times.
    sequence: u64,
    /// The length at which the heap is swept next.
    sweep_at: usize,
}

/// One timer: 32 bytes.
pub(crate) struct Timer {
    /// Nanoseconds since the clock's epoch: enough for 584 years.
    when: u64,
    sequence: u64,
    pub(crate) callback: Rc<dyn Cancellable>,
}

/// What adding a timer left for the caller to drop outside of its borrow.
#[must_use = "to be dropped when no borrow is held"]
pub(crate) struct Swept(pub(crate) Vec<Timer>);

impl Timers {
    pub(crate) fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            sequence: 0,
            sweep_at: SWEEP_FROM,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Sets a timer, behind those that are set for the same time.
    pub(crate) fn add(&mut self, when: Duration, callback: Rc<dyn Cancellable>) -> Swept {
        let swept = if self.heap.len() >= self.sweep_at {
            self.sweep()
        } else {
            Swept(Vec::new())
        };
        self.heap.push(Timer {
            when: nanoseconds(when),
            sequence: self.sequence,
            callback,
        });
        self.sequence += 1;
        swept
    }

    /// The time of the first timer, and whether it is cancelled.
    pub(crate) fn first(&self) -> Option<First> {
        self.heap
            .peek()
            .map(|timer| match timer.callback.is_cancelled() {
                true => First::Cancelled,
                false => First::Due(Duration::from_nanos(timer.when)),
            })
    }

    /// Takes out the first timer.
    pub(crate) fn pop(&mut self) -> Option<Timer> {
        self.heap.pop()
    }

    /// Takes out the first timer when it is due at `now`, cancelled or not.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<Timer> {
        let due = self
            .heap
            .peek()
            .is_some_and(|timer| timer.when <= nanoseconds(now));
        if due { self.heap.pop() } else { None }
    }

    /// Takes out every timer.
    pub(crate) fn take_all(&mut self) -> Vec<Timer> {
        mem::take(&mut self.heap).into_vec()
    }

    fn sweep(&mut self) -> Swept {
        let (cancelled, live) = self
            .take_all()
            .into_iter()
            .partition(|timer| timer.callback.is_cancelled());
        self.heap = BinaryHeap::<Timer>::from(live);
        self.sweep_at = SWEEP_FROM.max(2 * self.heap.len());
        Swept(cancelled)
    }
}

/// What stands at the top of the heap.
pub(crate) enum First {
    /// A live timer, due at this time.
    Due(Duration),
    /// A cancelled one, to be taken out.
    Cancelled,
}

impl Ord for Timer {
    /// The earliest is the greatest: a `BinaryHeap` gives its greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.when, other.sequence).cmp(&(self.when, self.sequence))
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timer {}

/// Whole nanoseconds, or the last moment that can be expressed.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
