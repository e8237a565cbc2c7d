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
//! - R2. The places from `first`, `len` of them, are taken, and the others are `Free`.
//! - R3. There are as many callbacks of layers above as places that say `Run`, in the same order.

use std::{cell::RefCell, collections::VecDeque, mem, rc::Rc};

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

/// A queue that is pushed to and popped from through `&self`.
pub(crate) struct ReadyQueue {
    ring: RefCell<Ring>,
    /// The callbacks of layers above: their pointers are wider than a place (R3).
    runs: RefCell<VecDeque<Rc<dyn Runnable>>>,
}

struct Ring {
    /// Always a power of two of them.
    places: Vec<Place>,
    first: usize,
    len: usize,
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
            ring: RefCell::new(Ring {
                places: vec![Place::Free],
                first: 0,
                len: 0,
            }),
            runs: RefCell::default(),
        }
    }

    /// Adds a callback of this crate.
    #[inline]
    pub(crate) fn call(&self, callback: Callback) {
        self.ring.borrow_mut().push(Place::Call(callback));
    }

    /// Adds a callback of a layer above.
    #[inline]
    pub(crate) fn run(&self, callback: Rc<dyn Runnable>) {
        self.runs.borrow_mut().push_back(callback);
        self.ring.borrow_mut().push(Place::Run);
    }

    /// Adds a token.
    #[inline]
    pub(crate) fn wake(&self, token: Token) {
        self.ring.borrow_mut().push(Place::Wake(token));
    }

    /// Adds a timer.
    #[inline]
    pub(crate) fn timer(&self, place: u32) {
        self.ring.borrow_mut().push(Place::Timer(place));
    }

    /// The token whose turn comes when so many others have had theirs, if it is one's.
    #[inline]
    pub(crate) fn token_behind(&self, turns: usize) -> Option<Token> {
        let ring = self.ring.borrow();
        match ring.places[ring.index(turns)] {
            Place::Wake(token) if turns < ring.len => Some(token),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<Ready> {
        let place = self.ring.borrow_mut().pop();
        match place {
            Place::Free => None,
            Place::Call(callback) => Some(Ready::Call(callback)),
            Place::Wake(token) => Some(Ready::Wake(token)),
            Place::Timer(place) => Some(Ready::Timer(place)),
            Place::Run => self.runs.borrow_mut().pop_front().map(Ready::Run),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.ring.borrow().len
    }

    /// Brings what is in the queue into an order that `generator` decides; callbacks keep theirs among themselves.
    #[cold]
    pub(crate) fn shuffle(&self, generator: &mut Generator) {
        let mut ring = self.ring.borrow_mut();
        let all = (0..ring.len).map(|_| ring.pop()).collect::<Vec<_>>();
        let (mut tokens, callbacks): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|place| matches!(place, Place::Wake(_)));
        let mut callbacks = callbacks.into_iter();
        while tokens.len() + callbacks.len() > 0 {
            let next = generator.below(tokens.len() + callbacks.len());
            if next < tokens.len() {
                ring.push(tokens.swap_remove(next));
            } else if let Some(callback) = callbacks.next() {
                ring.push(callback);
            }
        }
    }
}

impl Ring {
    #[inline]
    fn index(&self, place: usize) -> usize {
        (self.first + place) & (self.places.len() - 1)
    }

    #[inline]
    fn push(&mut self, place: Place) {
        if self.len == self.places.len() {
            self.grow();
        }
        let end = self.index(self.len);
        // What was there is `Free` (R2) and need not be dropped.
        mem::forget(mem::replace(&mut self.places[end], place));
        self.len += 1;
    }

    /// Takes out the first; `Free` when there is none.
    #[inline]
    fn pop(&mut self) -> Place {
        if self.len == 0 {
            return Place::Free;
        }
        let first = self.first;
        self.first = self.index(1);
        self.len -= 1;
        mem::replace(&mut self.places[first], Place::Free)
    }

    /// Doubles the ring, which is full.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        // In order, so that the new places lie behind the last.
        self.places.rotate_left(self.first);
        self.first = 0;
        self.places
            .resize_with(2 * self.places.len().max(16), || Place::Free);
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
