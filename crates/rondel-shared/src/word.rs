//! `Word`: a [`Shared`] or a number, in one word.
//!
//! What a number means is the business of whoever puts it there.
//!
//! # Invariants
//! - W1: An even word is a pointer, and owns the count that the `Shared` had from which it was made; an odd one is a number and owns
//!   nothing. A block is aligned to eight bytes, so that no pointer is odd.
//! - W2: A number is the upper 63 bits.

#![allow(
    unsafe_code,
    reason = "an enum of a pointer and a number is two words: a queue of them is twice as long, and what is written in pieces is read as a whole"
)]

use std::fmt;

use crate::{Face, Shared};

#[cfg(target_pointer_width = "64")]
pub use packed::Word;
#[cfg(not(target_pointer_width = "64"))]
pub use plain::Word;

/// The first number that is too great for a word.
const LIMIT: u64 = 1 << 63;

/// What a [`Word`] was made of.
#[derive(Debug)]
pub enum Opened<H: 'static, T: ?Sized + Face> {
    /// A pointer.
    Pointer(Shared<H, T>),
    /// A number.
    Number(u64),
}

impl<H: 'static, T: ?Sized + Face> fmt::Debug for Word<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_number() {
            Some(number) => write!(f, "Word({number})"),
            None => f.write_str("Word(pointer)"),
        }
    }
}

/// Where a pointer has 64 bits.
#[cfg(target_pointer_width = "64")]
mod packed {
    use std::marker::PhantomData;
    use std::mem::ManuallyDrop;
    use std::ptr::{self, NonNull};

    use super::{LIMIT, Opened};
    use crate::{Face, Shared};

    /// A [`Shared`] or a number below 2<sup>63</sup>, in one word where a pointer has 64 bits; so is an `Option` of it.
    ///
    /// # Examples
    /// ```
    /// use rondel_shared::{NoBody, Opened, Shared, Word};
    ///
    /// let name: Shared<&str, NoBody> = Shared::new("a", NoBody);
    /// let words = [Word::pointer(name), Word::number(7)];
    /// assert_eq!(words[0].as_pointer().map(|name| *name.head()), Some("a"));
    /// let [name, number] = words;
    /// assert!(matches!(name.open(), Opened::Pointer(_)));
    /// assert!(matches!(number.open(), Opened::Number(7)));
    /// ```
    #[repr(transparent)]
    pub struct Word<H: 'static, T: ?Sized + Face> {
        word: NonNull<()>,
        _owns: PhantomData<Shared<H, T>>,
    }

    impl<H: 'static, T: ?Sized + Face> Word<H, T> {
        /// Makes a word of a pointer, whose count it takes over.
        #[inline]
        pub fn pointer(shared: Shared<H, T>) -> Self {
            Self::of(Shared::into_raw(shared))
        }

        /// Makes a word of a number.
        ///
        /// # Panics
        /// If the number has 64 bits.
        #[inline]
        pub fn number(number: u64) -> Self {
            assert!(number < LIMIT, "a word has room for 63 bits");
            let odd = ptr::without_provenance_mut((number << 1 | 1) as usize);
            Self::of(NonNull::new(odd).expect("an odd number is not 0"))
        }

        #[inline]
        fn of(word: NonNull<()>) -> Self {
            Self {
                word,
                _owns: PhantomData,
            }
        }

        /// Returns what it was made of.
        #[inline]
        pub fn open(self) -> Opened<H, T> {
            let word = ManuallyDrop::new(self);
            match word.as_number() {
                Some(number) => Opened::Number(number),
                // SAFETY: it is a pointer, whose count goes over to the `Shared` (W1).
                None => Opened::Pointer(unsafe { Shared::from_raw(word.word) }),
            }
        }

        /// Returns the number, if it is one.
        #[inline]
        pub fn as_number(&self) -> Option<u64> {
            let bits = self.word.addr().get() as u64;
            (bits & 1 == 1).then_some(bits >> 1)
        }

        /// Borrows the pointer, if it is one.
        #[inline]
        pub fn as_pointer(&self) -> Option<&Shared<H, T>> {
            match self.as_number() {
                Some(_) => None,
                // SAFETY: a `Shared` is that one pointer, and the word is one (W1).
                None => Some(unsafe { &*ptr::from_ref(self).cast() }),
            }
        }
    }

    impl<H: 'static, T: ?Sized + Face> Clone for Word<H, T> {
        #[inline]
        fn clone(&self) -> Self {
            match self.as_pointer() {
                Some(shared) => Self::pointer(shared.clone()),
                None => Self::of(self.word),
            }
        }
    }

    impl<H: 'static, T: ?Sized + Face> Drop for Word<H, T> {
        #[inline]
        fn drop(&mut self) {
            if self.as_number().is_none() {
                // SAFETY: it is a pointer, whose count is dropped here and nowhere else (W1).
                drop(unsafe { Shared::<H, T>::from_raw(self.word) });
            }
        }
    }
}

/// Where it has not: an enum.
#[cfg(any(test, not(target_pointer_width = "64")))]
#[cfg_attr(
    target_pointer_width = "64",
    allow(unreachable_pub, reason = "here it is only tested")
)]
mod plain {
    #[cfg(test)]
    use std::fmt;

    use super::{LIMIT, Opened};
    use crate::{Face, Shared};

    /// A [`Shared`] or a number below 2<sup>63</sup>; one word where a pointer has 64 bits.
    pub struct Word<H: 'static, T: ?Sized + Face>(Opened<H, T>);

    impl<H: 'static, T: ?Sized + Face> Word<H, T> {
        /// Makes a word of a pointer, whose count it takes over.
        pub fn pointer(shared: Shared<H, T>) -> Self {
            Self(Opened::Pointer(shared))
        }

        /// Makes a word of a number.
        ///
        /// # Panics
        /// If the number has 64 bits.
        pub fn number(number: u64) -> Self {
            assert!(number < LIMIT, "a word has room for 63 bits");
            Self(Opened::Number(number))
        }

        /// Returns what it was made of.
        pub fn open(self) -> Opened<H, T> {
            self.0
        }

        /// Returns the number, if it is one.
        pub fn as_number(&self) -> Option<u64> {
            match self.0 {
                Opened::Pointer(_) => None,
                Opened::Number(number) => Some(number),
            }
        }

        /// Borrows the pointer, if it is one.
        pub fn as_pointer(&self) -> Option<&Shared<H, T>> {
            match &self.0 {
                Opened::Pointer(shared) => Some(shared),
                Opened::Number(_) => None,
            }
        }
    }

    impl<H: 'static, T: ?Sized + Face> Clone for Word<H, T> {
        fn clone(&self) -> Self {
            Self(match &self.0 {
                Opened::Pointer(shared) => Opened::Pointer(shared.clone()),
                Opened::Number(number) => Opened::Number(*number),
            })
        }
    }

    #[cfg(test)]
    impl<H: 'static, T: ?Sized + Face> fmt::Debug for Word<H, T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Word({:?})", self.as_number())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoBody;

    /// The same for both kinds of word.
    macro_rules! check {
        ($word:ty) => {
            let pointer: Shared<u8, NoBody> = Shared::new(7, NoBody);
            let word = <$word>::pointer(pointer.clone());
            let same = word.clone();
            assert_eq!(pointer.count(), 3);
            assert_eq!(word.as_number(), None);
            assert_eq!(same.as_pointer().map(|shared| *shared.head()), Some(7));
            let Opened::Pointer(opened) = word.open() else {
                panic!("it was a pointer");
            };
            assert!(opened.ptr_eq(&pointer));
            assert_eq!(pointer.count(), 3, "opening it hands the count on");
            drop((same, opened));
            assert_eq!(pointer.count(), 1);

            for number in [0, 1, 2, 12_345, LIMIT - 1] {
                let word = <$word>::number(number);
                assert!(word.as_pointer().is_none());
                assert_eq!(word.clone().as_number(), Some(number));
                assert!(matches!(word.open(), Opened::Number(opened) if opened == number));
            }
            assert!(std::panic::catch_unwind(|| <$word>::number(LIMIT)).is_err());
        };
    }

    #[test]
    fn a_word_gives_back_what_it_was_made_of() {
        check!(Word<u8, NoBody>);
        check!(plain::Word<u8, NoBody>);
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn it_is_one_word_and_so_is_an_option_of_it() {
        assert_eq!(size_of::<Option<Word<u8, NoBody>>>(), size_of::<usize>());
    }
}
