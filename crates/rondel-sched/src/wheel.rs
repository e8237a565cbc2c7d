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
//! A timer knows its position in its slot, so one that is cancelled leaves at once, however many there are: the last of the slot takes
//! its position. A slot holds what decides the order as well, so that nothing else is looked at on the way to it.
//!
//! # Invariants
//!
//! - W1. Every timer's tick lies after the wheel's tick.
//! - W2. A timer stands in the level and slot that its tick and the wheel's tick give; so each timer of a level comes before each of
//!   the levels above it, and in a level the slots are in the order of time.
//! - W3. A bit in `occupied` is set exactly for a slot that is not empty.
//! - W4. The place of every timer in the wheel says its position in its slot.

use std::{cmp::Ordering, mem};

use crate::timer_slab::{Stand, TimerSlab};

/// A tick is this many bits of nanoseconds.
const TICK_BITS: u32 = 20;

/// A level is this many bits of ticks.
const LEVEL_BITS: u32 = 6;

const SLOTS: usize = 1 << LEVEL_BITS;

/// An empty slot keeps memory for so many timers.
const KEPT: usize = 64;

/// The tick that a time falls into.
fn tick_of(when: u64) -> u64 {
    when >> TICK_BITS
}

/// What decides when a timer comes, and its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) when: u64,
    pub(crate) sequence: u64,
    pub(crate) place: u32,
}

#[derive(Default)]
pub(crate) struct Wheel {
    /// The timers of this tick, and of those before, have been taken out (W1).
    tick: u64,
    /// As many as were ever needed.
    levels: Vec<Level>,
}

struct Level {
    occupied: u64,
    slots: [Vec<Entry>; SLOTS],
}

/// A level and a slot of it.
#[derive(Clone, Copy)]
struct SlotIndex {
    level: usize,
    slot: usize,
}

impl Wheel {
    /// Puts a timer in; false if its time is near, in the wheel's tick or before, and it stays out.
    #[inline]
    pub(crate) fn insert(&mut self, slab: &mut TimerSlab, entry: Entry) -> bool {
        let Some(index) = self.index_of(entry.when) else {
            return false;
        };
        if index.level >= self.levels.len() {
            self.grow(index.level);
        }
        let level = &mut self.levels[index.level];
        level.occupied |= 1 << index.slot;
        let slot = &mut level.slots[index.slot];
        // There are at most as many timers as places.
        slab.get_mut(entry.place).stand = Stand::Slot(slot.len() as u32);
        slot.push(entry);
        true
    }

    #[cold]
    fn grow(&mut self, level: usize) {
        self.levels.resize_with(level + 1, Level::new);
    }

    /// Takes out a timer that stands at this position of its slot; false if its time is near, so that it is not in the wheel.
    #[inline]
    pub(crate) fn remove(&mut self, slab: &mut TimerSlab, when: u64, position: u32) -> bool {
        let Some(index) = self.index_of(when) else {
            return false;
        };
        let level = &mut self.levels[index.level];
        let slot = &mut level.slots[index.slot];
        slot.swap_remove(position as usize);
        match slot.get(position as usize) {
            Some(moved) => slab.get_mut(moved.place).stand = Stand::Slot(position),
            None if slot.is_empty() => {
                level.occupied &= !(1 << index.slot);
                release(slot);
            }
            None => {}
        }
        true
    }

    /// Takes the timers of the first tick that is not empty and begins at `now` or before out, into `near`, which is empty; their tick
    /// is the wheel's then.
    pub(crate) fn advance(&mut self, slab: &mut TimerSlab, now: u64, near: &mut Vec<Entry>) {
        while near.is_empty()
            && let Some(index) = self.first_index()
            && self.begin_of(index) <= tick_of(now)
        {
            self.tick = self.begin_of(index);
            let level = &mut self.levels[index.level];
            level.occupied &= !(1 << index.slot);
            let slot = &mut level.slots[index.slot];
            if index.level == 0 {
                mem::swap(near, slot);
                release(slot);
                return;
            }
            for entry in mem::take(slot) {
                // It goes down a level at least (W2), or out.
                if !self.insert(slab, entry) {
                    near.push(entry);
                }
            }
        }
        if near.is_empty() {
            // Nothing begins until now, so every timer keeps its slot (W2); those that will be set stand further down.
            self.tick = self.tick.max(tick_of(now));
        }
    }

    /// Forgets its timers, and gives the memory back; its tick stays.
    pub(crate) fn clear(&mut self) {
        self.levels = Vec::new();
    }

    /// The time before which no timer of the wheel is due.
    pub(crate) fn begin(&self) -> Option<u64> {
        let index = self.first_index()?;
        Some(self.begin_of(index) << TICK_BITS)
    }

    /// The timers of the first slot that is not empty: the first timer of the wheel is among them.
    pub(crate) fn first_slot(&self) -> &[Entry] {
        match self.first_index() {
            Some(index) => &self.levels[index.level].slots[index.slot],
            None => &[],
        }
    }

    /// The level and slot of a time (W2); `None` for one that is near.
    #[inline]
    fn index_of(&self, when: u64) -> Option<SlotIndex> {
        let tick = tick_of(when);
        if tick <= self.tick {
            return None;
        }
        let level = ((tick ^ self.tick).ilog2() / LEVEL_BITS) as usize;
        let slot = (tick >> (LEVEL_BITS * level as u32)) as usize % SLOTS;
        Some(SlotIndex { level, slot })
    }

    /// The first slot that is not empty (W2).
    fn first_index(&self) -> Option<SlotIndex> {
        let level = self.levels.iter().position(|level| level.occupied != 0)?;
        let slot = self.levels[level].occupied.trailing_zeros() as usize;
        Some(SlotIndex { level, slot })
    }

    /// The first tick of a slot.
    fn begin_of(&self, index: SlotIndex) -> u64 {
        let shift = LEVEL_BITS * index.level as u32;
        let above = u64::MAX.checked_shl(shift + LEVEL_BITS).unwrap_or(0);
        (self.tick & above) | (index.slot as u64) << shift
    }
}

/// An empty slot keeps memory for few timers only: there are many slots, and a rush goes through all of them.
#[inline]
fn release(slot: &mut Vec<Entry>) {
    if slot.capacity() > KEPT {
        *slot = Vec::new();
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

impl Ord for Entry {
    /// The earliest is the greatest: a `BinaryHeap` gives its greatest first, and a sorted `Vec` its last.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.when, other.sequence).cmp(&(self.when, self.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
