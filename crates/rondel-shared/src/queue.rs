//! `Queue`: [words](Word) in order, pushed and popped through a shared reference.
//!
//! It is a list of segments of its own. What `VecDeque` inlines of a push, it does not inline everywhere, and what is in a `RefCell` is
//! asked for its borrows each time: together a twentieth of what a task takes to yield. And a ring that grows by doubling keeps in
//! the end twice what has ever stood in it, where a segment is given back when it is empty.
//!
//! # Invariants
//! - Q1: Memory is taken and given back while everything here is as it should be, as an allocator might use the queue; otherwise
//!   nothing runs but this file: words are moved and not dropped.
//! - Q2: What is in the queue is numbered from `first` to `end`, in order, for as long as it stands there.
//! - Q3: There are segments for the numbers up to `room`, a multiple of their size, from the one on that `first` belongs to: from
//!   `head` to `tail`, each but the last naming the next. Where `first` is `room` there is none. Number n stands at place n
//!   modulo their size; the other places are not initialised.
//! - Q4: A segment is owned by the list, by `spare`, or by the function that has just made it or taken it out.

#![allow(
    unsafe_code,
    reason = "a cell that is asked for its borrows: every push and every pop takes six instructions more"
)]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

use crate::{Face, Word};

/// How many words lie together.
const SEGMENT: usize = 256;

struct Segment<H: 'static, T: ?Sized + Face> {
    places: [Cell<MaybeUninit<Word<H, T>>>; SEGMENT],
    next: Cell<*mut Self>,
}

/// A queue of words, first in, first out.
///
/// # Examples
/// ```
/// use rondel_shared::{NoBody, Queue, Word};
///
/// let queue = Queue::<(), NoBody>::new();
/// queue.push(Word::number(1));
/// let end = queue.end();
/// queue.push(Word::number(2));
/// assert_eq!(queue.pop_before(end).and_then(|word| word.as_number()), Some(1));
/// assert!(queue.pop_before(end).is_none(), "the other was pushed later");
/// assert_eq!((queue.len(), queue.number_behind(0)), (1, Some(2)));
/// ```
pub struct Queue<H: 'static, T: ?Sized + Face> {
    head: Cell<*mut Segment<H, T>>,
    tail: Cell<*mut Segment<H, T>>,
    /// These count on and on, and wrap around in the end (Q2, Q3).
    first: Cell<usize>,
    end: Cell<usize>,
    room: Cell<usize>,
    /// An empty segment, for the next that is needed, or null.
    spare: Cell<*mut Segment<H, T>>,
    _owns: PhantomData<Word<H, T>>,
}

impl<H: 'static, T: ?Sized + Face> Queue<H, T> {
    /// Makes an empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::numbered_from(0)
    }

    /// The first number is the first of a segment.
    fn numbered_from(first: usize) -> Self {
        Self {
            head: Cell::new(ptr::null_mut()),
            tail: Cell::new(ptr::null_mut()),
            first: Cell::new(first),
            end: Cell::new(first),
            room: Cell::new(first),
            spare: Cell::new(ptr::null_mut()),
            _owns: PhantomData,
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
        while self.end.get() == self.room.get() {
            self.grow();
        }
        let end = self.end.get();
        // SAFETY: `end` is before `room`, so there is a last segment (Q3).
        let tail = unsafe { &*self.tail.get() };
        // Nothing was in that place.
        tail.places[end % SEGMENT].set(MaybeUninit::new(word));
        self.end.set(end.wrapping_add(1));
    }

    /// Takes out the first word.
    #[inline]
    pub fn pop(&self) -> Option<Word<H, T>> {
        self.pop_before(self.end())
    }

    /// Takes out the first word if its number comes before `end`, which was one of the queue's.
    #[inline(always)]
    pub fn pop_before(&self, end: usize) -> Option<Word<H, T>> {
        let first = self.first.get();
        // What lies between has been taken out where the first lies behind the end; there is nothing where `end` is another queue's.
        if end.wrapping_sub(first).cast_signed() <= 0 || first == self.end.get() {
            return None;
        }
        // SAFETY: there is a word with this number, so there is a first segment (Q3).
        let head = unsafe { &*self.head.get() };
        let word = head.places[first % SEGMENT].replace(MaybeUninit::uninit());
        // SAFETY: the number is in the queue, so its place was initialised (Q3).
        let word = unsafe { word.assume_init() };
        self.first.set(first.wrapping_add(1));
        if first % SEGMENT == SEGMENT - 1 {
            self.retire();
        }
        Some(word)
    }

    /// Returns the number that stands so many places behind the first word, if there is one.
    #[inline]
    pub fn number_behind(&self, words: usize) -> Option<u64> {
        if words >= self.len() {
            return None;
        }
        let number = self.first.get() % SEGMENT + words;
        // SAFETY: there is a word with this number, so there is a first segment (Q3).
        let mut segment = unsafe { &*self.head.get() };
        for _ in 0..number / SEGMENT {
            // SAFETY: there are segments up to that of the number (Q3).
            segment = unsafe { &*segment.next.get() };
        }
        let place = segment.places[number % SEGMENT].as_ptr();
        // SAFETY: nobody writes to it while the reference is there (Q1).
        let place = unsafe { &*place };
        // SAFETY: it is the place of a number that is in the queue (Q3).
        let word = unsafe { place.assume_init_ref() };
        word.as_number()
    }

    fn empty(&self) {
        while let Some(word) = self.pop() {
            drop(word);
        }
    }

    /// Adds a segment for what is pushed next, unless there is one.
    #[cold]
    #[inline(never)]
    fn grow(&self) {
        let mut segment = self.spare.replace(ptr::null_mut());
        if segment.is_null() {
            segment = Box::into_raw(Box::new(Segment {
                places: [const { Cell::new(MaybeUninit::uninit()) }; SEGMENT],
                next: Cell::new(ptr::null_mut()),
            }));
        }
        let room = self.room.get();
        if self.end.get() != room {
            // An allocator has pushed meanwhile.
            return self.keep(segment);
        }
        if self.first.get() == room {
            self.head.set(segment);
        } else {
            // SAFETY: there is a last segment (Q3).
            unsafe { &*self.tail.get() }.next.set(segment);
        }
        self.tail.set(segment);
        self.room.set(room.wrapping_add(SEGMENT));
    }

    /// Takes the first segment out of the list; its last word was taken out.
    #[cold]
    #[inline(never)]
    fn retire(&self) {
        let segment = self.head.get();
        // SAFETY: it is the first of the list (Q3).
        let next = unsafe { &*segment }.next.replace(ptr::null_mut());
        self.head.set(next);
        self.keep(segment);
    }

    /// Keeps a segment that is in no list for later, or gives it back.
    fn keep(&self, segment: *mut Segment<H, T>) {
        if self.spare.get().is_null() {
            self.spare.set(segment);
        } else {
            free(segment);
        }
    }
}

/// Gives back a segment without words, or does nothing if it is null.
fn free<H: 'static, T: ?Sized + Face>(segment: *mut Segment<H, T>) {
    if !segment.is_null() {
        // SAFETY: it came from a box, and is in no other hands (Q4).
        drop(unsafe { Box::from_raw(segment) });
    }
}

impl<H: 'static, T: ?Sized + Face> Drop for Queue<H, T> {
    fn drop(&mut self) {
        // Where a destructor panics the rest is dropped all the same.
        let _rest = Rest(self);
        self.empty();
    }
}

/// What is left of a queue that is dropped.
struct Rest<'a, H: 'static, T: ?Sized + Face>(&'a Queue<H, T>);

impl<H: 'static, T: ?Sized + Face> Drop for Rest<'_, H, T> {
    fn drop(&mut self) {
        let queue = self.0;
        queue.empty();
        if queue.first != queue.room {
            free(queue.head.get());
        }
        free(queue.spare.get());
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
    use crate::{NoBody, Shared};

    type Words = Queue<(), NoBody>;

    fn push(queue: &Words, number: u64) {
        queue.push(Word::number(number));
    }

    fn pop_before(queue: &Words, end: usize) -> Option<u64> {
        queue.pop_before(end)?.as_number()
    }

    #[test]
    fn words_keep_their_order_over_many_segments() {
        let queue = Words::new();
        let (mut pushed, mut popped) = (0, 0);
        for round in 0..5 * SEGMENT {
            for _ in 0..3 {
                push(&queue, pushed);
                pushed += 1;
            }
            for behind in [0, 1, 16, SEGMENT, 3 * SEGMENT] {
                let number = popped + behind as u64;
                let there = (number < pushed).then_some(number);
                assert_eq!(queue.number_behind(behind), there);
            }
            for _ in 0..round % 6 {
                let next = (popped < pushed).then_some(popped);
                assert_eq!(pop_before(&queue, queue.end()), next);
                popped += u64::from(next.is_some());
            }
            assert_eq!(queue.len() as u64, pushed - popped);
        }
    }

    fn segments(queue: &Words) -> usize {
        queue.room.get().div_ceil(SEGMENT) - queue.first.get() / SEGMENT
    }

    #[test]
    fn segments_are_taken_when_they_are_needed_and_given_back_when_they_are_empty() {
        let queue = Words::new();
        assert_eq!(segments(&queue), 0);
        for round in 0..3 {
            (0..4 * SEGMENT as u64).for_each(|number| push(&queue, number));
            assert_eq!(segments(&queue), 4);
            while queue.pop().is_some() {}
            assert_eq!(segments(&queue), 0, "round {round}");
            assert!(!queue.spare.get().is_null(), "one is kept");
        }
        push(&queue, 1);
        assert_eq!(segments(&queue), 1);
        assert!(queue.spare.get().is_null(), "it is used again");
    }

    #[test]
    fn numbers_last_over_segments_and_wrap_around() {
        let queue = Words::numbered_from(0_usize.wrapping_sub(SEGMENT));
        let many = 3 * SEGMENT as u64;
        let mut popped = 0;
        for pushed in 1..=many + 10 {
            push(&queue, pushed);
            if pushed == many {
                let end = queue.end();
                // The last one is pushed by what runs, as it were, and is not before the end.
                push(&queue, 0);
                while let Some(next) = pop_before(&queue, end) {
                    popped += 1;
                    assert_eq!(next, popped);
                }
                assert_eq!((popped, queue.len()), (many, 1));
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
        let pointer: Shared<(), NoBody> = Shared::new((), NoBody);
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

    #[test]
    fn a_destructor_that_panics_costs_the_others_nothing() {
        struct Fragile(std::rc::Rc<Cell<usize>>, bool);

        impl Drop for Fragile {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
                if self.1 {
                    std::panic::resume_unwind(Box::new("no"));
                }
            }
        }

        let dropped = std::rc::Rc::<Cell<usize>>::default();
        let queue = Queue::<Fragile, NoBody>::new();
        let many = 2 * SEGMENT;
        for number in 0..many {
            let fragile = Fragile(dropped.clone(), number == 3);
            queue.push(Word::pointer(Shared::new(fragile, NoBody)));
        }
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(queue)));
        assert!(panicked.is_err());
        assert_eq!(dropped.get(), many);
    }
}
