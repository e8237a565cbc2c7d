//! Where the time comes from: the machine, or whoever moves a virtual clock.
//!
//! A clock tells the time and never waits: waiting is the reactor's work.
//!
//! # asyncio
//!
//! `loop.time()` is a float of seconds there and a [`Duration`] since the clock's epoch here: exact, and without a comparison that rounds.
//! asyncio has no virtual clock.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

/// A source of time for a [`Scheduler`](crate::Scheduler).
pub trait Clock {
    /// Returns the time since this clock's epoch; it never goes back.
    fn time(&self) -> Duration;

    /// Moves the clock to `when` instead of letting the caller wait for it, and says whether it did.
    ///
    /// A loop asks this when nothing is ready and `when` is the time of its next timer.
    /// The default refuses: the time of the real world cannot be moved.
    fn jump_to(&self, when: Duration) -> bool {
        let _ = when;
        false
    }

    /// Says whether this clock stands still unless somebody moves it, so that to wait for it would be to wait for ever.
    fn is_virtual(&self) -> bool {
        false
    }

    /// Returns the virtual clock that this is, if it is one: for a test that wants to move the clock of the loop it runs in.
    fn as_virtual(&self) -> Option<&VirtualClock> {
        None
    }
}

/// The machine's monotonic clock; its epoch is the moment it was made.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    epoch: Instant,
}

impl MonotonicClock {
    /// Makes a clock that starts now, at zero.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the `Clock` that everybody else is to ask"
    )]
    pub fn new() -> Self {
        Self {
            epoch: Instant::now(),
        }
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    #[inline]
    fn time(&self) -> Duration {
        self.epoch.elapsed()
    }
}

/// A clock that stands still until somebody moves it: tests of an hour run in no time, and always in the same order.
///
/// The value is a handle: clones are the same clock, so a test can keep one and give the other to the loop.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use rondel_sched::{Clock, VirtualClock};
///
/// let clock = VirtualClock::new();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.clone().time(), Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug)]
pub struct VirtualClock(Rc<Dial>);

#[derive(Debug)]
struct Dial {
    now: Cell<Duration>,
    autojump: Cell<bool>,
    autojump_threshold: Cell<Duration>,
}

impl VirtualClock {
    /// Makes a clock that stands at zero and lets a loop jump to its next timer.
    #[must_use]
    pub fn new() -> Self {
        Self(Rc::new(Dial {
            now: Cell::new(Duration::ZERO),
            autojump: Cell::new(true),
            autojump_threshold: Cell::new(Duration::ZERO),
        }))
    }

    /// Moves the clock forward by `by`, and stops at [`Duration::MAX`].
    ///
    /// The timers that this makes due fire at the loop's next turn.
    pub fn advance(&self, by: Duration) {
        self.0.now.set(self.0.now.get().saturating_add(by));
    }

    /// Switches on or off that an idle loop jumps to its next timer; it is on at first.
    ///
    /// When it is off, only [`advance`](Self::advance) moves the clock.
    pub fn set_autojump(&self, autojump: bool) {
        self.0.autojump.set(autojump);
    }

    /// Sets how long, in time of the real world, a loop is to be idle before it jumps; at first it jumps at once.
    ///
    /// For programs that also wait for what is not on the clock, such as another thread: what comes within that time comes before
    /// the next timer.
    pub fn set_autojump_threshold(&self, threshold: Duration) {
        self.0.autojump_threshold.set(threshold);
    }

    /// Returns how long a loop is to be idle before it jumps.
    #[must_use]
    pub fn autojump_threshold(&self) -> Duration {
        self.0.autojump_threshold.get()
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    #[inline]
    fn time(&self) -> Duration {
        self.0.now.get()
    }

    /// Moves forward to `when`, or nowhere when that has passed already; refuses when autojump is off.
    fn jump_to(&self, when: Duration) -> bool {
        if self.0.autojump.get() {
            self.0.now.set(self.0.now.get().max(when));
        }
        self.0.autojump.get()
    }

    fn is_virtual(&self) -> bool {
        true
    }

    fn as_virtual(&self) -> Option<&VirtualClock> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_clock_never_goes_back() {
        let clock = VirtualClock::new();
        clock.advance(Duration::from_secs(5));
        assert!(clock.jump_to(Duration::from_secs(3)));
        assert_eq!(clock.time(), Duration::from_secs(5));
        clock.advance(Duration::MAX);
        assert_eq!(clock.time(), Duration::MAX);
    }

    #[test]
    fn without_autojump_only_advance_moves_the_clock() {
        let clock = VirtualClock::new();
        clock.set_autojump(false);
        assert!(!clock.jump_to(Duration::from_secs(1)));
        assert_eq!(clock.time(), Duration::ZERO);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.time(), Duration::from_secs(1));
    }

    #[test]
    fn the_monotonic_clock_starts_at_zero_and_refuses_to_jump() {
        let clock = MonotonicClock::new();
        let first = clock.time();
        assert!(first < Duration::from_secs(60));
        assert!(!clock.jump_to(Duration::from_secs(1_000_000)));
        assert!(clock.time() >= first && clock.time() < Duration::from_secs(1_000));
        assert!(!clock.is_virtual() && clock.as_virtual().is_none());
    }
}
