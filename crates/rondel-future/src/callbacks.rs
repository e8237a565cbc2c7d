//! An ordered list of callbacks that costs nothing while it holds none or one.
//!
//! It does not call them: [`Completion`](crate::Completion) keeps such a list while it is pending and hands it out once.
//!
//! # Invariants
//!
//! - I1. Iteration and removal keep the order of adding.
//! - I2. A list of `C`s of two words is no larger than one `C`, if one of the words has a niche.

use alloc::boxed::Box;
use alloc::collections::{VecDeque, vec_deque};
use core::fmt;
use core::iter::FusedIterator;
use core::mem;

/// Holds the callbacks that a transition has set free, in the order in which they were added.
///
/// Iterating yields them; dropping the list drops those that were not taken.
///
/// # Examples
///
/// ```
/// use rondel_future::{AddCallback, Completion};
///
/// let mut future = Completion::<&str, ()>::new();
/// assert_eq!(future.add_callback("first"), AddCallback::Added);
/// assert_eq!(future.add_callback("second"), AddCallback::Added);
///
/// let callbacks = future.finish()?;
/// assert_eq!(callbacks.len(), 2);
/// assert_eq!(callbacks.into_iter().collect::<Vec<_>>(), ["first", "second"]);
/// # Ok::<(), rondel_future::InvalidStateError>(())
/// ```
#[must_use = "these callbacks are no longer in the future: schedule or drop them"]
pub struct Callbacks<C>(List<C>);

/// Yields the callbacks of a [`Callbacks`] in order.
pub struct IntoIter<C>(Remaining<C>);

/// One callback is kept inline, since most futures have exactly one: the task that awaits them.
///
/// "Several" without a box is the empty list: two variants need one niche value of `C`, which any `C` with a reference or
/// `NonNull` in it has, where three would need two (I2).
/// A deque, since callbacks that are removed again tend to be the oldest: a waiter that gives up, then waits anew.
enum List<C> {
    One(C),
    #[expect(
        clippy::box_collection,
        reason = "a bare deque would treble the size of every pending future"
    )]
    Several(Option<Box<VecDeque<C>>>),
}

enum Remaining<C> {
    One(Option<C>),
    Several(vec_deque::IntoIter<C>),
}

impl<C> Callbacks<C> {
    /// Makes an empty list.
    pub const fn new() -> Self {
        Callbacks(List::Several(None))
    }

    /// Returns how many callbacks there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            List::One(_) => 1,
            List::Several(None) => 0,
            List::Several(Some(callbacks)) => callbacks.len(),
        }
    }

    /// Tells whether there is no callback.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks at the callbacks in order.
    pub fn iter(&self) -> impl Iterator<Item = &C> {
        let (one, several) = match &self.0 {
            List::One(callback) => (Some(callback), None),
            List::Several(callbacks) => (None, callbacks.as_deref()),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }

    /// Appends a callback.
    #[inline(always)]
    pub(crate) fn push(&mut self, callback: C) {
        match &mut self.0 {
            // What was there is empty and need not be dropped.
            List::Several(None) => mem::forget(mem::replace(&mut self.0, List::One(callback))),
            List::Several(Some(callbacks)) => callbacks.push_back(callback),
            List::One(_) => self.spill(callback),
        }
    }

    /// Puts a callback into an empty list; gives it back if there is another.
    #[inline(always)]
    pub(crate) fn push_first(&mut self, callback: C) -> Result<(), C> {
        match self.0 {
            List::Several(None) => {
                // What was there is empty and need not be dropped.
                mem::forget(mem::replace(&mut self.0, List::One(callback)));
                Ok(())
            }
            List::One(_) | List::Several(Some(_)) => Err(callback),
        }
    }

    /// Moves the inline callback to the heap, to make room for the second.
    #[cold]
    fn spill(&mut self, second: C) {
        let mut callbacks = VecDeque::with_capacity(4);
        callbacks.extend(mem::take(self));
        callbacks.push_back(second);
        self.0 = List::Several(Some(Box::new(callbacks)));
    }

    /// Takes out the first callback at or after `start` that matches, with the place where it was.
    pub(crate) fn remove_from(
        &mut self,
        start: usize,
        mut matches: impl FnMut(&C) -> bool,
    ) -> Option<(usize, C)> {
        match &mut self.0 {
            List::One(callback) if start == 0 && matches(callback) => mem::take(self)
                .into_iter()
                .next()
                .map(|callback| (0, callback)),
            List::Several(Some(callbacks)) => {
                let place = start + callbacks.iter().skip(start).position(matches)?;
                Some((place, callbacks.remove(place)?))
            }
            List::One(_) | List::Several(None) => None,
        }
    }
}

impl<C> Default for Callbacks<C> {
    fn default() -> Self {
        Callbacks::new()
    }
}

impl<C> IntoIterator for Callbacks<C> {
    type Item = C;
    type IntoIter = IntoIter<C>;

    #[inline]
    fn into_iter(self) -> IntoIter<C> {
        IntoIter(match self.0 {
            List::One(callback) => Remaining::One(Some(callback)),
            List::Several(None) => Remaining::One(None),
            List::Several(Some(callbacks)) => Remaining::Several(callbacks.into_iter()),
        })
    }
}

impl<C> Iterator for IntoIter<C> {
    type Item = C;

    #[inline]
    fn next(&mut self) -> Option<C> {
        match &mut self.0 {
            Remaining::One(callback) => callback.take(),
            Remaining::Several(callbacks) => callbacks.next(),
        }
    }

    /// Looks once, and not before every callback, whether there is one or several.
    #[inline]
    fn fold<B, F: FnMut(B, C) -> B>(self, init: B, mut f: F) -> B {
        /// Out of line, so that what is left for one callback is small enough to be compiled into its caller, which spares a
        /// round of ping-pong between two tasks 2 % of its instructions.
        #[inline(never)]
        fn fold_several<B, C>(
            callbacks: vec_deque::IntoIter<C>,
            init: B,
            f: impl FnMut(B, C) -> B,
        ) -> B {
            callbacks.fold(init, f)
        }

        match self.0 {
            Remaining::One(None) => init,
            Remaining::One(Some(callback)) => f(init, callback),
            Remaining::Several(callbacks) => fold_several(callbacks, init, f),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = match &self.0 {
            Remaining::One(callback) => usize::from(callback.is_some()),
            Remaining::Several(callbacks) => callbacks.len(),
        };
        (len, Some(len))
    }
}

impl<C> ExactSizeIterator for IntoIter<C> {}

impl<C> FusedIterator for IntoIter<C> {}

// Callbacks are closures more often than not, so `Debug` asks nothing of them and tells how many there are.
impl<C> fmt::Debug for Callbacks<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks")
            .field("len", &self.len())
            .finish()
    }
}

impl<C> fmt::Debug for IntoIter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter")
            .field("len", &self.len())
            .finish()
    }
}
