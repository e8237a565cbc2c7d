//! The wheel: where timers wait whose time is not near, in slots that get wider the further off they are.
//!
//! It keeps no order within a slot; [`timers`](crate::timers) puts a slot's timers in order when their time is near.
//!
//! Time is counted in ticks of 2^20 nanoseconds, about a millisecond. A level has 64 slots; a slot of level 0 is one tick wide,
//! one of the next level as wide as all slots of the level below. A timer stands in the level of the highest group of six bits
//! in which its tick differs from the wheel's, so that setting one looks at nothing but its own slot:
//!
//! ```text
//!            level 1              level 0
//!  tick:   ... bbbbbb             bbbbbb
//!               |                    |  the same tick as the wheel's: near, not here
//!               |                    +- only here different: slot of level 0
//!               +---------------------- here: slot of level 1, and so on
//! ```
//!
//! # Invariants
//!
//! - W1. Every timer's tick lies after the wheel's tick.
//! - W2. A timer stands in the level and slot that its tick and the wheel's tick give; so each timer of a level comes before each of
//!   the levels above it, and in a level the slots are in the order of time.
//! - W3. A bit in `occupied` is set exactly for a slot that is not empty.

use std::mem;

use crate::timers::Timer;

/// A tick is this many bits of nanoseconds.
const TICK_BITS: u32 = 20;

/// A level is this many bits of ticks.
const LEVEL_BITS: u32 = 6;

const SLOTS: usize = 1 << LEVEL_BITS;

/// The tick that a time falls into.
fn tick_of(when: u64) -> u64 {
    when >> TICK_BITS
}

#[derive(Default)]
pub(crate) struct Wheel {
    /// The timers of this tick, and of those before, have been taken out (W1).
    tick: u64,
    /// As many as were ever needed.
    levels: Vec<Level>,
    len: usize,
}

struct Level {
    occupied: u64,
    slots: [Vec<Timer>; SLOTS],
}

/// A slot that is not empty.
#[derive(Clone, Copy)]
struct Place {
    level: usize,
    slot: usize,
}

impl Wheel {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts a timer in, or gives it back if its time is near: in the wheel's tick or before.
    #[inline]
    pub(crate) fn insert(&mut self, timer: Timer) -> Option<Timer> {
        let tick = tick_of(timer.when);
        if tick <= self.tick {
            return Some(timer);
        }
        let highest = (tick ^ self.tick).ilog2();
        let level = (highest / LEVEL_BITS) as usize;
        if level >= self.levels.len() {
            self.levels.resize_with(level + 1, Level::new);
        }
        let slot = index(tick, level);
        let level = &mut self.levels[level];
        level.occupied |= 1 << slot;
        level.slots[slot].push(timer);
        self.len += 1;
        None
    }

    /// Takes out the timers of the first tick that is not empty and begins at `now` or before; their tick is the wheel's then.
    ///
    /// Empty when there is none.
    pub(crate) fn advance(&mut self, now: u64) -> Vec<Timer> {
        let mut near = Vec::new();
        while near.is_empty()
            && let Some(place) = self.first_place()
            && self.begin_of(place) <= tick_of(now)
        {
            self.tick = self.begin_of(place);
            let timers = self.take(place);
            if place.level == 0 {
                return timers;
            }
            // Each goes down a level at least (W2), those of the first tick of all out.
            near.extend(timers.into_iter().filter_map(|timer| self.insert(timer)));
        }
        if near.is_empty() {
            // Nothing begins until now, so every timer keeps its place (W2); those that will be set stand further down.
            self.tick = self.tick.max(tick_of(now));
        }
        near
    }

    /// The time before which no timer of the wheel is due.
    pub(crate) fn begin(&self) -> Option<u64> {
        let place = self.first_place()?;
        Some(self.begin_of(place) << TICK_BITS)
    }

    /// The timers of the first slot that is not empty: the first timer of the wheel is among them.
    pub(crate) fn first_slot(&self) -> &[Timer] {
        match self.first_place() {
            Some(place) => &self.levels[place.level].slots[place.slot],
            None => &[],
        }
    }

    /// Takes those timers out of the first slot for which `goes` is true.
    pub(crate) fn take_from_first_slot(
        &mut self,
        goes: impl FnMut(&mut Timer) -> bool,
    ) -> Vec<Timer> {
        let Some(place) = self.first_place() else {
            return Vec::new();
        };
        let level = &mut self.levels[place.level];
        let slot = &mut level.slots[place.slot];
        let taken: Vec<Timer> = slot.extract_if(.., goes).collect();
        if slot.is_empty() {
            level.occupied &= !(1 << place.slot);
        }
        self.len -= taken.len();
        taken
    }

    /// Takes out every timer.
    pub(crate) fn take_all(&mut self) -> Vec<Timer> {
        let mut all = Vec::with_capacity(self.len);
        while let Some(place) = self.first_place() {
            all.append(&mut self.take(place));
        }
        all
    }

    /// The first slot that is not empty (W2).
    fn first_place(&self) -> Option<Place> {
        let level = self.levels.iter().position(|level| level.occupied != 0)?;
        let slot = self.levels[level].occupied.trailing_zeros() as usize;
        Some(Place { level, slot })
    }

    /// The first tick of a slot.
    fn begin_of(&self, place: Place) -> u64 {
        let shift = LEVEL_BITS * place.level as u32;
        let above = u64::MAX.checked_shl(shift + LEVEL_BITS).unwrap_or(0);
        (self.tick & above) | (place.slot as u64) << shift
    }

    fn take(&mut self, place: Place) -> Vec<Timer> {
        let level = &mut self.levels[place.level];
        level.occupied &= !(1 << place.slot);
        let timers = mem::take(&mut level.slots[place.slot]);
        self.len -= timers.len();
        timers
    }
}

impl Level {
    fn new() -> Self {
        Self {
            occupied: 0,
            slots: [const { Vec::new() }; SLOTS],
        }
    }
}

/// The slot of a tick in a level.
#[inline]
fn index(tick: u64, level: usize) -> usize {
    (tick >> (LEVEL_BITS * level as u32)) as usize % SLOTS
}
