//! The timers that are set, given out in the order of (when, setting).
//!
//! It neither reads a clock nor runs a callback: the scheduler says what time it is and takes out what is due.
//!
//! A timer whose time is not near waits in the [wheel](crate::wheel), where setting it costs the same for one and for a million. When
//! its tick has begun, the timers of that tick are sorted; those that are set for it later still go into a heap beside them.
//!
//! A cancelled timer has dropped its callback already; its empty cell stays where it is until its time comes or it is swept.
//! Sweeping looks at every timer, so it is done when there are twice as many as the last sweep left: a constant price for each timer
//! set, and cancelled timers never outnumber the live ones for long.
//!
//! # asyncio
//!
//! `_scheduled` of `BaseEventLoop`, a heap, which counts cancelled timers and sweeps when they are more than half of at least 100.

use std::{cmp::Ordering, collections::BinaryHeap, mem, time::Duration};

use crate::{handle::Callback, wheel::Wheel};

/// The length below which the timers are never swept.
const SWEEP_FROM: usize = 100;

/// A slot of the wheel up to this length is searched for its first timer before a wait; for a longer one the wait ends when the slot
/// begins, and the timers are sorted out then.
const SEARCHED: usize = 64;

/// The timers that are set.
///
/// Whatever leaves is returned, never dropped here: dropping it may run user code, and the caller holds a borrow.
pub(crate) struct Timers {
    /// The timers of the wheel's tick and of those before, in order, the first one at the end.
    near: Vec<Timer>,
    /// Those of them that were set when `near` had been sorted.
    late: BinaryHeap<Timer>,
    wheel: Wheel,
    /// How many timers were ever set: what orders equal times.
    sequence: u64,
    /// The length at which they are swept next.
    sweep_at: usize,
}

/// One timer: 24 bytes.
pub(crate) struct Timer {
    /// Nanoseconds since the clock's epoch: enough for 584 years.
    pub(crate) when: u64,
    sequence: u64,
    pub(crate) callback: Callback,
}

impl Timer {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.callback.body().is_cancelled()
    }
}

/// What an operation left for the caller to drop outside of its borrow.
#[must_use = "to be dropped when no borrow is held"]
pub(crate) struct Swept(pub(crate) Vec<Timer>);

impl Timers {
    pub(crate) fn new() -> Self {
        Self {
            near: Vec::new(),
            late: BinaryHeap::new(),
            wheel: Wheel::default(),
            sequence: 0,
            sweep_at: SWEEP_FROM,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.near.len() + self.late.len() + self.wheel.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets a timer, behind those that are set for the same time.
    pub(crate) fn add(&mut self, when: Duration, callback: Callback) -> Swept {
        let swept = if self.len() >= self.sweep_at {
            self.sweep()
        } else {
            Swept(Vec::new())
        };
        let timer = Timer {
            when: nanoseconds(when),
            sequence: self.sequence,
            callback,
        };
        self.sequence += 1;
        self.late.extend(self.wheel.insert(timer));
        swept
    }

    /// The time of the first timer, if it is not cancelled.
    pub(crate) fn first(&self) -> Option<First> {
        let first = match self.first_near() {
            Some(near) => near,
            None => {
                let slot = self.wheel.first_slot();
                let cancelled = slot.iter().find(|timer| timer.is_cancelled());
                cancelled.or_else(|| slot.iter().min_by_key(|timer| timer.when))?
            }
        };
        Some(match first.is_cancelled() {
            true => First::Cancelled,
            false => First::Due(Duration::from_nanos(first.when)),
        })
    }

    /// A time before which no timer is due: that of the first one, or where many have to be looked at for it, an earlier one.
    pub(crate) fn bound(&self) -> Option<First> {
        if self.first_near().is_none() && self.wheel.first_slot().len() > SEARCHED {
            return self.wheel.begin().map(Duration::from_nanos).map(First::Due);
        }
        self.first()
    }

    /// Takes out cancelled timers, the first one among them if it is cancelled.
    pub(crate) fn take_cancelled(&mut self) -> Swept {
        Swept(match self.first_near() {
            Some(near) if near.is_cancelled() => self.pop_near().into_iter().collect(),
            Some(_) => Vec::new(),
            None => self
                .wheel
                .take_from_first_slot(|timer| timer.is_cancelled()),
        })
    }

    /// Takes out the first timer when it is due at `now`, cancelled or not.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<Timer> {
        let now = nanoseconds(now);
        if self.first_near().is_none() {
            self.near = self.wheel.advance(now);
            self.near.sort_unstable();
        }
        let due = self.first_near().is_some_and(|timer| timer.when <= now);
        if due { self.pop_near() } else { None }
    }

    /// Takes out every timer.
    pub(crate) fn take_all(&mut self) -> Vec<Timer> {
        let mut all = self.wheel.take_all();
        all.append(&mut self.near);
        all.extend(mem::take(&mut self.late));
        all
    }

    /// The first of the timers that are not in the wheel, which come before all that are.
    #[inline]
    fn first_near(&self) -> Option<&Timer> {
        // The earliest is the greatest.
        self.near.last().max(self.late.peek())
    }

    fn pop_near(&mut self) -> Option<Timer> {
        if self.near.last() > self.late.peek() {
            self.near.pop()
        } else {
            self.late.pop()
        }
    }

    fn sweep(&mut self) -> Swept {
        let all = self.take_all();
        let (cancelled, live): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|timer| timer.is_cancelled());
        self.sweep_at = SWEEP_FROM.max(2 * live.len());
        for timer in live {
            self.near.extend(self.wheel.insert(timer));
        }
        self.near.sort_unstable();
        Swept(cancelled)
    }
}

/// What the first timer is.
pub(crate) enum First {
    /// A live one, due at this time.
    Due(Duration),
    /// A cancelled one, to be taken out.
    Cancelled,
}

impl Ord for Timer {
    /// The earliest is the greatest: a `BinaryHeap` gives its greatest first, and a sorted `Vec` its last.
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
