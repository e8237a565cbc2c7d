//! The ready queue: what runs next, in order.
//!
//! It runs nothing: [`Scheduler::run_ready`](crate::Scheduler::run_ready) takes out one at a time.
//!
//! It is a ring of its own because what `VecDeque` inlines of a push, it does not inline everywhere: the element is then built in
//! memory and copied from there in larger pieces than it was written in, for which the processor has to wait: a fifth of the time
//! that a task took to yield was spent in that push.
//!
//! # Invariants
//!
//! - R1. A borrow lasts for one operation and no user code runs in it: what is taken out is dropped or run by the caller.
//! - R2. What is in the queue is numbered from `first` to `end`, in order, for as long as it stands there; number n stands at place n modulo the number of
//!   places. The other places are `Free`.
//! - R3. There are as many callbacks of layers above as places that say `Run`, in the same order.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    mem,
    rc::Rc,
};

use crate::{Runnable, Token, handle::Callback, order::Generator};

/// What stood in the ready queue.
pub(crate) enum Ready {
    /// A callback of this crate, to be run.
    Call(Callback),
    /// One of a layer above.
    Run(Rc<dyn Runnable>),
    /// A token to be woken.
    Wake(Token),
    /// The timer in this place, whose time has come.
    Timer(u32),
}

/// What stands in the ready queue and can be looked at before its turn.
pub(crate) enum ToCome {
    Token(Token),
    Timer(u32),
}

/// A queue that is pushed to and popped from through `&self`.
pub(crate) struct ReadyQueue {
    /// Always a power of two of them.
    places: RefCell<Vec<Place>>,
    /// These count on and on, and wrap around in the end (R2).
    first: Cell<usize>,
    end: Cell<usize>,
    /// The callbacks of layers above: their pointers are wider than a place (R3).
    runs: RefCell<VecDeque<Rc<dyn Runnable>>>,
}

/// A place in the ring: two words.
enum Place {
    Free,
    Call(Callback),
    /// The next of the callbacks of layers above.
    Run,
    Wake(Token),
    Timer(u32),
}

impl ReadyQueue {
    pub(crate) fn new() -> Self {
        Self {
            places: RefCell::new(vec![Place::Free]),
            first: Cell::new(0),
            end: Cell::new(0),
            runs: RefCell::default(),
        }
    }

    /// Adds a callback of this crate.
    #[inline]
    pub(crate) fn call(&self, callback: Callback) {
        self.push(Place::Call(callback));
    }

    /// Adds a callback of a layer above.
    #[inline]
    pub(crate) fn run(&self, callback: Rc<dyn Runnable>) {
        self.runs.borrow_mut().push_back(callback);
        self.push(Place::Run);
    }

    /// Adds a token.
    #[inline]
    pub(crate) fn wake(&self, token: Token) {
        self.push(Place::Wake(token));
    }

    /// The number that what is added next will get.
    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.end.get()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end.get().wrapping_sub(self.first.get())
    }

    /// Adds a timer.
    #[inline]
    pub(crate) fn timer(&self, place: u32) {
        self.push(Place::Timer(place));
    }

    /// Whose turn comes when so many others have had theirs.
    #[inline]
    pub(crate) fn behind(&self, turns: usize) -> Option<ToCome> {
        let places = self.places.borrow();
        let number = self.first.get().wrapping_add(turns);
        match places[number & (places.len() - 1)] {
            Place::Wake(token) if turns < self.len() => Some(ToCome::Token(token)),
            Place::Timer(place) if turns < self.len() => Some(ToCome::Timer(place)),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<Ready> {
        self.pop_before(self.end())
    }

    /// Takes out the first if its number comes before `end`, which was one of the queue's.
    #[inline]
    pub(crate) fn pop_before(&self, end: usize) -> Option<Ready> {
        match self.pop_place(end) {
            Place::Free => None,
            Place::Call(callback) => Some(Ready::Call(callback)),
            Place::Wake(token) => Some(Ready::Wake(token)),
            Place::Timer(place) => Some(Ready::Timer(place)),
            Place::Run => self.runs.borrow_mut().pop_front().map(Ready::Run),
        }
    }

    /// Gives back half of the places, if there are more than `kept` and none is taken.
    pub(crate) fn trim(&self, kept: usize) {
        let mut places = self.places.borrow_mut();
        if self.len() == 0 && places.len() > kept {
            // An empty ring has no places that its numbers have to fit.
            let half = places.len() / 2;
            places.truncate(half);
            places.shrink_to_fit();
            self.runs.borrow_mut().shrink_to(half);
        }
    }

    /// Brings what is in the queue into an order that `generator` decides; callbacks keep theirs among themselves.
    #[cold]
    pub(crate) fn shuffle(&self, generator: &mut Generator) {
        let end = self.end();
        let all = (0..self.len())
            .map(|_| self.pop_place(end))
            .collect::<Vec<_>>();
        let (mut tokens, callbacks): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|place| matches!(place, Place::Wake(_)));
        let mut callbacks = callbacks.into_iter();
        while tokens.len() + callbacks.len() > 0 {
            let next = generator.below(tokens.len() + callbacks.len());
            if next < tokens.len() {
                self.push(tokens.swap_remove(next));
            } else if let Some(callback) = callbacks.next() {
                self.push(callback);
            }
        }
    }

    #[inline]
    fn push(&self, place: Place) {
        let mut places = self.places.borrow_mut();
        if self.len() == places.len() {
            self.grow(&mut places);
        }
        let end = self.end.get();
        let index = end & (places.len() - 1);
        // What was there is `Free` (R2) and need not be dropped.
        mem::forget(mem::replace(&mut places[index], place));
        self.end.set(end.wrapping_add(1));
    }

    /// Takes out the first; `Free` when there is none before the number `end`.
    #[inline]
    fn pop_place(&self, end: usize) -> Place {
        let first = self.first.get();
        // What lies between has been taken out where the first lies behind the end.
        if end.wrapping_sub(first).cast_signed() <= 0 {
            return Place::Free;
        }
        let mut places = self.places.borrow_mut();
        let index = first & (places.len() - 1);
        self.first.set(first.wrapping_add(1));
        mem::replace(&mut places[index], Place::Free)
    }

    /// Doubles the ring, which is full; what stands in it keeps its numbers.
    #[cold]
    #[inline(never)]
    fn grow(&self, places: &mut Vec<Place>) {
        let (first, len) = (self.first.get(), places.len());
        let wider = 2 * len.max(8);
        places.rotate_left(first & (len - 1));
        places.resize_with(wider, || Place::Free);
        places.rotate_right(first & (wider - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_place_in_the_queue_is_two_words() {
        assert_eq!(size_of::<Place>(), 16);
    }

    #[test]
    fn the_ring_keeps_its_order_while_it_turns_and_grows() {
        let queue = ReadyQueue::new();
        let (mut pushed, mut popped) = (0, 0);
        for round in 0..40 {
            for _ in 0..round {
                queue.wake(Token::from_bits(pushed));
                pushed += 1;
            }
            for _ in 0..round / 2 {
                let next = queue.pop();
                assert!(matches!(next, Some(Ready::Wake(token)) if token.to_bits() == popped));
                popped += 1;
            }
            assert_eq!(queue.len() as u64, pushed - popped);
        }
    }

    #[test]
    fn an_empty_ring_is_trimmed_by_halves_and_a_used_one_is_not() {
        let queue = ReadyQueue::new();
        (0..100).for_each(|bits| queue.wake(Token::from_bits(bits)));
        queue.trim(16);
        assert_eq!(queue.places.borrow().len(), 128);
        while queue.pop().is_some() {}
        for expected in [64, 32, 16, 16] {
            queue.trim(16);
            assert_eq!(queue.places.borrow().len(), expected);
        }
        (0..100).for_each(|bits| queue.wake(Token::from_bits(bits)));
        let again: Vec<u64> = std::iter::from_fn(|| match queue.pop()? {
            Ready::Wake(token) => Some(token.to_bits()),
            _ => None,
        })
        .collect();
        assert_eq!(again, Vec::from_iter(0..100));
    }

    #[test]
    fn numbers_last_while_the_ring_grows_and_wrap_around() {
        let queue = ReadyQueue::new();
        let start = usize::MAX - 20;
        queue.first.set(start);
        queue.end.set(start);
        let mut popped = 0;
        for pushed in 1..=40 {
            queue.wake(Token::from_bits(pushed));
            if pushed == 30 {
                let end = queue.end();
                // The last one is pushed by what runs, as it were, and is not before the end.
                queue.wake(Token::from_bits(0));
                while let Some(next) = queue.pop_before(end) {
                    popped += 1;
                    assert!(matches!(next, Ready::Wake(token) if token.to_bits() == popped));
                }
                assert_eq!((popped, queue.len()), (30, 1));
                assert!(queue.pop().is_some());
                assert!(queue.pop_before(end).is_none(), "it has been passed");
            }
        }
        assert_eq!(queue.len(), 10);
    }

    #[test]
    fn a_queue_drops_what_is_left_in_it() {
        struct Nothing;
        impl Runnable for Nothing {
            fn run(&self) {}
            fn describe(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("nothing")
            }
        }

        let callback = Rc::new(Nothing);
        let queue = ReadyQueue::new();
        queue.run(callback.clone());
        queue.wake(Token::from_bits(1));
        assert_eq!((queue.len(), Rc::strong_count(&callback)), (2, 2));
        drop(queue);
        assert_eq!(Rc::strong_count(&callback), 1);
    }
}
