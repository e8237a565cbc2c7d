//! A number that stands for something to be woken.
//!
//! The scheduler keeps tokens in order and gives none of them a meaning: the [`Host`](crate::Host) does.

use std::fmt;

/// A number that stands for something to be woken, in the ready queue between the callbacks.
///
/// It owns nothing: copying it is free, dropping it does nothing, and it may outlive what it stands for.
/// That is what lets a `Waker` be one of these, sent from any thread.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(u64);

impl Token {
    /// Makes a token of 62 bits whose meaning is the caller's.
    ///
    /// # Panics
    ///
    /// When one of the two highest bits is set: a place in the ready queue is one word, which has to say what it is.
    #[must_use]
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        assert!(bits >> 62 == 0, "a token has 62 bits");
        Self(bits)
    }

    /// Returns the bits that [`from_bits`](Self::from_bits) was given.
    #[must_use]
    #[inline]
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:#x})", self.0)
    }
}
