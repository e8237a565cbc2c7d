//! `Queue`: [words](Word) in order, pushed and popped through a shared reference.
//!
//! It is a ring of its own. What `VecDeque` inlines of a push, it does not inline everywhere, and what is in a `RefCell` is asked for
//! its borrows each time: together a twentieth of what a task takes to yield.
//!
//! # Invariants
//! - Q1: While there is a reference to the places nothing runs but this file: words are moved there and not dropped, and memory is
//!   neither taken nor given back, as an allocator might use the queue.
//! - Q2: What is in the queue is numbered from `first` to `end`, in order, for as long as it stands there; number n stands at place n
//!   modulo the number of places, which is a power of two. The other places are empty.

#![allow(
    unsafe_code,
    reason = "a cell that is asked for its borrows: every push and every pop takes six instructions more"
)]

use std::cell::{Cell, UnsafeCell};
use std::{fmt, mem};

use crate::{Face, Word};

/// A queue of words, first in, first out.
///
/// # Examples
/// ```
/// use rondel_shared::Queue;
/// # use rondel_shared::{Face, Word};
/// # struct Name;
/// # impl Face for Name {
/// #     type Part = ();
/// #     type Argument<'a> = ();
/// #     type Outcome = ();
/// # }
///
/// let queue = Queue::<(), Name>::new();
/// queue.push(Word::number(1));
/// let end = queue.end();
/// queue.push(Word::number(2));
/// assert_eq!(queue.pop_before(end).and_then(|word| word.as_number()), Some(1));
/// assert!(queue.pop_before(end).is_none(), "the other was pushed later");
/// assert_eq!((queue.len(), queue.number_behind(0)), (1, Some(2)));
/// ```
pub struct Queue<H: 'static, T: ?Sized + Face> {
    places: UnsafeCell<Vec<Option<Word<H, T>>>>,
    /// These count on and on, and wrap around in the end (Q2).
    first: Cell<usize>,
    end: Cell<usize>,
}

impl<H: 'static, T: ?Sized + Face> Queue<H, T> {
    /// Makes an empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::numbered_from(0)
    }

    fn numbered_from(first: usize) -> Self {
        Self {
            places: UnsafeCell::new(vec![None]),
            first: Cell::new(first),
            end: Cell::new(first),
        }
    }

    /// Returns how many words there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.end.get().wrapping_sub(self.first.get())
    }

    /// Says whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.get() == self.end.get()
    }

    /// Returns the number that what is pushed next will get, for [`pop_before`](Self::pop_before).
    #[inline]
    pub fn end(&self) -> usize {
        self.end.get()
    }

    /// Adds a word at the end.
    #[inline]
    pub fn push(&self, word: Word<H, T>) {
        while self.len() == self.capacity() {
            self.grow();
        }
        let end = self.end.get();
        // SAFETY: it is the only reference, and nothing else runs while it is there (Q1).
        let places = unsafe { &mut *self.places.get() };
        let place = end & (places.len() - 1);
        // What was there is empty (Q2) and need not be dropped.
        mem::forget(places[place].replace(word));
        self.end.set(end.wrapping_add(1));
    }

    #[inline]
    fn capacity(&self) -> usize {
        // SAFETY: nobody changes the places while the reference is there (Q1).
        unsafe { &*self.places.get() }.len()
    }

    /// Takes out the first word.
    #[inline]
    pub fn pop(&self) -> Option<Word<H, T>> {
        self.pop_before(self.end())
    }

    /// Takes out the first word if its number comes before `end`, which was one of the queue's.
    #[inline]
    pub fn pop_before(&self, end: usize) -> Option<Word<H, T>> {
        let first = self.first.get();
        // What lies between has been taken out where the first lies behind the end.
        if end.wrapping_sub(first).cast_signed() <= 0 {
            return None;
        }
        // SAFETY: it is the only reference, and nothing else runs while it is there (Q1).
        let places = unsafe { &mut *self.places.get() };
        let place = first & (places.len() - 1);
        // There is none where `end` is another queue's.
        let word = places[place].take()?;
        self.first.set(first.wrapping_add(1));
        Some(word)
    }

    /// Returns the number that stands so many places behind the first word, if there is one.
    #[inline]
    pub fn number_behind(&self, words: usize) -> Option<u64> {
        if words >= self.len() {
            return None;
        }
        // SAFETY: nobody changes the places while the reference is there (Q1).
        let places = unsafe { &*self.places.get() };
        let place = self.first.get().wrapping_add(words) & (places.len() - 1);
        places[place].as_ref()?.as_number()
    }

    /// Gives back half of the memory, if it has room for more than `kept` words and the queue is empty.
    pub fn trim(&self, kept: usize) {
        let capacity = self.capacity();
        if self.is_empty() && capacity > kept.max(1) {
            self.move_to(capacity / 2);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&self) {
        self.move_to(2 * self.capacity().max(8));
    }

    /// Moves into a ring of so many places, a power of two; what stands in the queue keeps its numbers.
    fn move_to(&self, capacity: usize) {
        let mut ring = Vec::with_capacity(capacity);
        ring.resize_with(capacity, || None);
        if self.len() > capacity {
            // An allocator has pushed meanwhile.
            return;
        }
        // SAFETY: it is the only reference, and nothing else runs while it is there (Q1).
        let places = unsafe { &mut *self.places.get() };
        let mask = places.len() - 1;
        for behind in 0..self.len() {
            let number = self.first.get().wrapping_add(behind);
            let word = places[number & mask].take();
            // What was there is empty and need not be dropped.
            mem::forget(mem::replace(&mut ring[number & (capacity - 1)], word));
        }
        let emptied = mem::replace(places, ring);
        drop(emptied);
    }
}

impl<H: 'static, T: ?Sized + Face> Default for Queue<H, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: 'static, T: ?Sized + Face> fmt::Debug for Queue<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Shared, test_body::Body};

    type Words = Queue<(), Body>;

    fn push(queue: &Words, number: u64) {
        queue.push(Word::number(number));
    }

    fn pop_before(queue: &Words, end: usize) -> Option<u64> {
        queue.pop_before(end)?.as_number()
    }

    #[test]
    fn the_ring_keeps_its_order_while_it_turns_and_grows() {
        let queue = Words::new();
        let (mut pushed, mut popped) = (0, 0);
        for round in 0..40 {
            for _ in 0..round {
                push(&queue, pushed);
                pushed += 1;
            }
            for behind in 0..queue.len() + 2 {
                let number = popped + behind as u64;
                let there = (number < pushed).then_some(number);
                assert_eq!(queue.number_behind(behind), there);
            }
            for _ in 0..round / 2 {
                assert_eq!(pop_before(&queue, queue.end()), Some(popped));
                popped += 1;
            }
            assert_eq!(queue.len() as u64, pushed - popped);
        }
    }

    #[test]
    fn an_empty_ring_is_trimmed_by_halves_and_a_used_one_is_not() {
        let queue = Words::new();
        (0..100).for_each(|number| push(&queue, number));
        queue.trim(16);
        assert_eq!(queue.capacity(), 128);
        while queue.pop().is_some() {}
        for expected in [64, 32, 16, 16] {
            queue.trim(16);
            assert_eq!(queue.capacity(), expected);
        }
        (0..10).for_each(|_| queue.trim(0));
        assert_eq!(queue.capacity(), 1, "a ring has a place");
        (0..100).for_each(|number| push(&queue, number));
        let again = std::iter::from_fn(|| pop_before(&queue, queue.end()));
        assert!(again.eq(0..100));
    }

    #[test]
    fn numbers_last_while_the_ring_grows_and_wrap_around() {
        let queue = Words::numbered_from(usize::MAX - 20);
        let mut popped = 0;
        for pushed in 1..=40 {
            push(&queue, pushed);
            if pushed == 30 {
                let end = queue.end();
                // The last one is pushed by what runs, as it were, and is not before the end.
                push(&queue, 0);
                while let Some(next) = pop_before(&queue, end) {
                    popped += 1;
                    assert_eq!(next, popped);
                }
                assert_eq!((popped, queue.len()), (30, 1));
                assert_eq!(pop_before(&queue, queue.end()), Some(0));
                assert!(queue.pop_before(end).is_none(), "it has been passed");
            }
        }
        assert_eq!(queue.len(), 10);
    }

    #[test]
    fn an_end_of_another_queue_takes_out_what_there_is() {
        let queue = Words::new();
        assert_eq!(pop_before(&queue, 5), None);
        assert_eq!((queue.len(), queue.end()), (0, 0));
        push(&queue, 1);
        assert_eq!(pop_before(&queue, 5), Some(1));
        assert_eq!((pop_before(&queue, 5), queue.len()), (None, 0));
    }

    #[test]
    fn pointers_are_owned_while_they_stand_there() {
        let pointer: Shared<(), Body> = Shared::new((), Body(1));
        let queue = Words::new();
        for _ in 0..20 {
            queue.push(Word::pointer(pointer.clone()));
            push(&queue, 1);
        }
        assert_eq!((queue.number_behind(0), pointer.count()), (None, 21));
        drop(queue.pop());
        assert_eq!(pointer.count(), 20);
        drop(queue);
        assert_eq!(pointer.count(), 1);
    }
}
