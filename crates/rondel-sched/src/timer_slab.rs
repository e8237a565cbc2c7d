//! The places of the timers: each timer lies in one from the moment it is set until it has run or is cancelled.
//!
//! What order they are in is `timers`' and `wheel`'s business; here a timer is a number.
//!
//! # Invariants
//!
//! - S1. A place is free exactly when it says so; the free ones form a list.
//! - S2. A place has something to do, `due`, from the setting of its timer until that is taken out. Then it is free, or, where it is
//!   in the ready queue, it is so when its turn has come: the queue knows nothing but its number.

use std::ops::Range;

use rondel_shared::{Opened, Word};

use crate::{
    Token,
    handle::{Callback, Cancellable},
};

/// The number of no place.
const NONE: u32 = u32::MAX;

/// One more than the greatest place has to fit into 31 bits, for the key of a timer to have 63.
const MOST: u32 = (1 << 31) - 2;

/// What a timer is to do, in a word.
pub(crate) struct Due(Word<(), dyn Cancellable>);

/// What a [`Due`] was made of.
pub(crate) enum Deed {
    /// A callback is to be called.
    Call(Callback),
    /// A token is to be rung.
    Ring(Token),
}

impl Due {
    #[inline]
    pub(crate) fn call(callback: Callback) -> Self {
        Self(Word::pointer(callback))
    }

    #[inline]
    pub(crate) fn ring(token: Token) -> Self {
        Self(Word::number(token.to_bits()))
    }

    #[inline]
    pub(crate) fn open(self) -> Deed {
        match self.0.open() {
            Opened::Pointer(callback) => Deed::Call(callback),
            Opened::Number(token) => Deed::Ring(Token::from_bits(token)),
        }
    }

    /// The token, if one is to be rung.
    #[inline]
    pub(crate) fn token(&self) -> Option<Token> {
        self.0.as_number().map(Token::from_bits)
    }
}

/// One timer.
pub(crate) struct Timer {
    /// Nanoseconds since the clock's epoch: enough for 584 years.
    pub(crate) when: u64,
    /// How many were set before it: what orders equal times, and tells it from others that had its place.
    pub(crate) sequence: u64,
    pub(crate) due: Option<Due>,
    pub(crate) stand: Stand,
}

/// Where a timer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Nowhere: the place is free, and this is the next free one.
    Free(u32),
    /// In a slot of the wheel, at this position; or among those whose time is near, which need none.
    Slot(u32),
    /// In the ready queue.
    Ready,
}

/// The places of all timers.
pub(crate) struct TimerSlab {
    places: Vec<Timer>,
    first_free: u32,
}

impl TimerSlab {
    pub(crate) const fn new() -> Self {
        Self {
            places: Vec::new(),
            first_free: NONE,
        }
    }

    /// Gives a timer a place.
    #[inline]
    pub(crate) fn insert(&mut self, timer: Timer) -> u32 {
        let place = self.first_free;
        match self.places.get_mut(place as usize) {
            Some(free) => {
                if let Stand::Free(next) = free.stand {
                    self.first_free = next;
                }
                *free = timer;
                place
            }
            None => self.grow(timer),
        }
    }

    #[cold]
    fn grow(&mut self, timer: Timer) -> u32 {
        let place = u32::try_from(self.places.len()).unwrap_or(NONE);
        assert!(place < MOST, "a scheduler holds at most 2^31 - 2 timers");
        self.places.push(timer);
        place
    }

    #[inline]
    pub(crate) fn get(&self, place: u32) -> &Timer {
        &self.places[place as usize]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, place: u32) -> &mut Timer {
        &mut self.places[place as usize]
    }

    /// As `get`, for a number that may be no place's.
    #[inline]
    pub(crate) fn find(&self, place: u32) -> Option<&Timer> {
        self.places.get(place as usize)
    }

    /// As `get_mut`, for a number that may be no place's.
    #[inline]
    pub(crate) fn find_mut(&mut self, place: u32) -> Option<&mut Timer> {
        self.places.get_mut(place as usize)
    }

    /// Makes a place free.
    #[inline]
    pub(crate) fn free(&mut self, place: u32) {
        let first_free = self.first_free;
        self.get_mut(place).stand = Stand::Free(first_free);
        self.first_free = place;
    }

    /// The numbers of all places, free ones too.
    pub(crate) fn places(&self) -> Range<u32> {
        0..self.places.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(sequence: u64) -> Timer {
        Timer {
            when: 0,
            sequence,
            due: Some(Due::ring(Token::from_bits(sequence))),
            stand: Stand::Slot(0),
        }
    }

    #[test]
    fn a_place_that_is_free_is_the_next_to_be_given() {
        let mut slab = TimerSlab::new();
        let places: Vec<u32> = (0..3).map(|i| slab.insert(timer(i))).collect();
        assert_eq!(places, [0, 1, 2]);
        slab.free(0);
        slab.free(2);
        let again: Vec<u32> = (3..6).map(|i| slab.insert(timer(i))).collect();
        assert_eq!(again, [2, 0, 3]);
        assert_eq!(slab.get(1).sequence, 1);
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_timer_takes_four_words() {
        assert_eq!(size_of::<Timer>(), 32);
    }
}
