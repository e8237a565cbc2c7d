//! How often a busy loop looks at its descriptors.
//!
//! A look costs a system call, ten to a hundred times what a short callback costs, so a busy loop does not look in every iteration.
//! It looks when [`SLICE`] has passed since the last look; it reads the clock for that only every so many callbacks, because that costs more than a
//! callback too.
//! How many is adapted to their length, so that a reading is worth at most about one slice: slow callbacks are counted one by one, short ones in batches of
//! [`MAX_INTERVAL`].
//! A descriptor that was just registered may be ready already: it is looked at in the next iteration, whatever the pace.
//!
//! The bound: a look comes at most two intervals of callbacks after the slice is over, because the first of them may have begun before the loop was busy;
//! an interval is at most `MAX_INTERVAL` callbacks, and about one slice long once its callbacks have been measured.
//! It is counted at the end of an iteration, which always runs everything that was ready.
//!
//! # asyncio
//!
//! asyncio looks in every iteration.

use std::{cell::Cell, time::Duration};

use rondel_sched::{Clock, MonotonicClock};

/// The time that a busy loop may spend without looking at its descriptors.
const SLICE: Duration = Duration::from_micros(200);

/// The greatest number of callbacks between two readings of the clock.
const MAX_INTERVAL: u32 = 64;

/// Decides when a busy loop looks at its descriptors.
///
/// The clock is the machine's even when the loop's is virtual: descriptors do not wait for virtual time to pass.
pub(crate) struct Pace<C = MonotonicClock> {
    clock: C,
    /// How many callbacks there are between two readings of the clock.
    interval: Cell<u32>,
    /// How many callbacks will have run at the next reading.
    next: Cell<u64>,
    /// When the clock was last read; none when the loop has waited since, and the time before says nothing.
    read: Cell<Option<Duration>>,
    /// When the descriptors were last looked at.
    looked: Cell<Duration>,
    hurried: Cell<bool>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self::with_clock(MonotonicClock::new())
    }
}

impl<C: Clock> Pace<C> {
    fn with_clock(clock: C) -> Self {
        Self {
            clock,
            interval: Cell::new(MAX_INTERVAL),
            next: Cell::new(u64::from(MAX_INTERVAL)),
            read: Cell::new(None),
            looked: Cell::new(Duration::ZERO),
            hurried: Cell::new(false),
        }
    }

    /// Notes that the loop, having run `callbacks` in its life, has just looked at its descriptors, and may have waited for them.
    #[inline]
    pub(crate) fn looked(&self, callbacks: u64) {
        self.plan_reading(callbacks);
        self.read.set(None);
        self.hurried.set(false);
    }

    /// Makes a look due at once: a descriptor was registered that may be ready already.
    pub(crate) fn hurry(&self) {
        self.hurried.set(true);
    }

    /// Says whether it is time for a look, for a loop that has run `callbacks` in its life.
    #[inline]
    pub(crate) fn look_is_due(&self, callbacks: u64) -> bool {
        self.hurried.get() || (callbacks >= self.next.get() && self.read_clock(callbacks))
    }

    fn read_clock(&self, callbacks: u64) -> bool {
        let now = self.clock.time();
        match self.read.replace(Some(now)) {
            None => self.looked.set(now),
            Some(before) => self
                .interval
                .set(adapted(self.interval.get(), now.saturating_sub(before))),
        }
        self.plan_reading(callbacks);
        now.saturating_sub(self.looked.get()) >= SLICE
    }

    fn plan_reading(&self, callbacks: u64) {
        self.next.set(callbacks + u64::from(self.interval.get()));
    }
}

/// The interval that would have taken one slice, going by one that took `elapsed`; growing at most twofold, because one short batch proves little.
fn adapted(interval: u32, elapsed: Duration) -> u32 {
    let fitting = u128::from(interval) * SLICE.as_nanos() / elapsed.as_nanos().max(1);
    u32::try_from(fitting)
        .unwrap_or(u32::MAX)
        .clamp(1, MAX_INTERVAL.min(2 * interval))
}

#[cfg(test)]
mod tests {
    use rondel_sched::VirtualClock;

    use super::*;

    /// Runs one callback an iteration, each of the given length, and returns the time between looks and the callbacks between them.
    fn looks(length: Duration, iterations: u32) -> Vec<(Duration, u32)> {
        let clock = VirtualClock::new();
        let pace = Pace::with_clock(clock.clone());
        let (mut looks, mut last, mut callbacks) = (Vec::new(), Duration::ZERO, 0);
        for ran in 0..iterations {
            if pace.look_is_due(u64::from(ran)) {
                looks.push((clock.time() - last, callbacks));
                (last, callbacks) = (clock.time(), 0);
                pace.looked(u64::from(ran));
            }
            clock.advance(length);
            callbacks += 1;
        }
        looks
    }

    #[test]
    fn short_callbacks_are_interrupted_once_a_slice() {
        let looks = looks(Duration::from_nanos(20), 200_000);
        assert!(looks.len() > 10, "{looks:?}");
        for (time, callbacks) in looks {
            assert!(
                time >= SLICE && time <= SLICE + Duration::from_nanos(20) * 2 * MAX_INTERVAL,
                "{time:?}"
            );
            assert!(callbacks >= 10_000);
        }
    }

    #[test]
    fn slow_callbacks_are_soon_counted_one_by_one() {
        let looks = looks(Duration::from_millis(1), 1_000);
        let (time, callbacks) = looks[0];
        assert!(
            callbacks <= 2 * MAX_INTERVAL,
            "{callbacks} callbacks in {time:?}"
        );
        for (time, callbacks) in &looks[2..] {
            assert!(*callbacks <= 2, "{callbacks} callbacks in {time:?}");
        }
    }

    #[test]
    fn an_interval_fits_a_slice_and_grows_slowly() {
        assert_eq!(adapted(64, Duration::from_nanos(1)), 64);
        assert_eq!(adapted(64, SLICE), 64);
        assert_eq!(adapted(64, 4 * SLICE), 16);
        assert_eq!(adapted(64, Duration::from_secs(1)), 1);
        assert_eq!(adapted(1, Duration::ZERO), 2);
    }

    #[test]
    fn the_time_spent_waiting_counts_for_nothing() {
        let clock = VirtualClock::new();
        let pace = Pace::with_clock(clock.clone());
        clock.advance(Duration::from_secs(1));
        pace.looked(0);
        assert!(
            !pace.look_is_due(1_000),
            "the first reading after a wait is where measuring starts"
        );
        assert_eq!(pace.interval.get(), MAX_INTERVAL);
    }
}
