//! The ready queue: what runs next, in order.
//!
//! It runs nothing: [`Scheduler::run_ready`](crate::Scheduler::run_ready) takes out one at a time.
//! What stands in it is a word each, in a queue of `rondel-shared`'s.
//!
//! # Invariants
//!
//! - R1. No user code runs in an operation: what is taken out is dropped or run by the caller.
//! - R2. A word is a callback of this crate, or a number: a token times two; a timer's place times four and one; a source times four and seven; or
//!   [`RUN`], for a callback of a layer above.
//! - R3. There are as many callbacks of layers above as words that are `RUN`, in the same order.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use rondel_shared::{Opened, Queue, Word};

use crate::{
    Runnable, Token,
    handle::{Callback, Cancellable},
    order::Generator,
};

/// The number that stands for the next of the callbacks of layers above.
const RUN: u64 = 0b11;

/// The number of the first source.
const SOURCE: u64 = 0b111;

/// What stood in the ready queue.
pub(crate) enum Ready {
    /// A callback of this crate, to be run.
    Call(Callback),
    /// One of a layer above.
    Run(Rc<dyn Runnable>),
    /// A token to be woken.
    Wake(Token),
    /// A source whose callback is to be run.
    Source(u32),
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
    words: Queue<(), dyn Cancellable>,
    /// The callbacks of layers above: their pointers are wider than a word (R3).
    runs: RefCell<VecDeque<Rc<dyn Runnable>>>,
}

impl ReadyQueue {
    pub(crate) fn new() -> Self {
        Self {
            words: Queue::new(),
            runs: RefCell::default(),
        }
    }

    /// Adds a callback of this crate.
    #[inline]
    pub(crate) fn call(&self, callback: Callback) {
        self.words.push(Word::pointer(callback));
    }

    /// Adds a callback of a layer above.
    #[inline]
    pub(crate) fn run(&self, callback: Rc<dyn Runnable>) {
        self.runs.borrow_mut().push_back(callback);
        self.words.push(Word::number(RUN));
    }

    /// Adds a token.
    #[inline]
    pub(crate) fn wake(&self, token: Token) {
        self.words.push(Word::number(token.to_bits() << 1));
    }

    /// Adds a source.
    #[inline]
    pub(crate) fn source(&self, source: u32) {
        self.words
            .push(Word::number((u64::from(source) << 2) + SOURCE));
    }

    /// Adds a timer.
    #[inline]
    pub(crate) fn timer(&self, place: u32) {
        self.words.push(Word::number(u64::from(place) << 2 | 1));
    }

    /// The number that what is added next will get.
    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.words.end()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whose turn comes when so many others have had theirs.
    #[inline]
    pub(crate) fn behind(&self, turns: usize) -> Option<ToCome> {
        let number = self.words.number_behind(turns)?;
        match number {
            _ if number & RUN == RUN => None,
            _ if number & 1 == 0 => Some(ToCome::Token(token(number))),
            _ => Some(ToCome::Timer(timer(number))),
        }
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<Ready> {
        self.pop_before(self.end())
    }

    /// Takes out the first if its number comes before `end`, which was one of the queue's.
    #[inline(always)]
    pub(crate) fn pop_before(&self, end: usize) -> Option<Ready> {
        match self.words.pop_before(end)?.open() {
            Opened::Pointer(callback) => Some(Ready::Call(callback)),
            Opened::Number(number) if number & 1 == 0 => Some(Ready::Wake(token(number))),
            Opened::Number(RUN) => self.runs.borrow_mut().pop_front().map(Ready::Run),
            Opened::Number(number) if number & RUN == RUN => Some(Ready::Source(source(number))),
            Opened::Number(number) => Some(Ready::Timer(timer(number))),
        }
    }

    /// Gives back what the callbacks of layers above took, beyond what `kept` of them need, if there is none.
    pub(crate) fn trim(&self, kept: usize) {
        if self.is_empty() {
            self.runs.borrow_mut().shrink_to(kept);
        }
    }

    /// Brings what is in the queue into an order that `generator` decides; callbacks keep theirs among themselves.
    #[cold]
    pub(crate) fn shuffle(&self, generator: &mut Generator) {
        let all = std::iter::from_fn(|| self.words.pop()).collect::<Vec<_>>();
        let is_token = |word: &Word<_, _>| word.as_number().is_some_and(|number| number & 1 == 0);
        let (mut tokens, callbacks): (Vec<_>, Vec<_>) = all.into_iter().partition(is_token);
        let mut callbacks = callbacks.into_iter();
        while tokens.len() + callbacks.len() > 0 {
            let next = generator.below(tokens.len() + callbacks.len());
            if next < tokens.len() {
                self.words.push(tokens.swap_remove(next));
            } else if let Some(callback) = callbacks.next() {
                self.words.push(callback);
            }
        }
    }
}

#[inline]
fn token(number: u64) -> Token {
    Token::from_bits(number >> 1)
}

/// The source that a number stands for.
fn source(number: u64) -> u32 {
    ((number - SOURCE) >> 2) as u32
}

#[inline]
fn timer(number: u64) -> u32 {
    (number >> 2) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Runnable for Nothing {
        fn run(&self) {}
        fn describe(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("nothing")
        }
    }

    #[test]
    fn what_is_put_in_comes_out_in_order() {
        let queue = ReadyQueue::new();
        let highest = Token::from_bits(u64::MAX >> 2);
        queue.wake(highest);
        queue.timer(u32::MAX);
        queue.run(Rc::new(Nothing));
        queue.wake(Token::from_bits(0));
        queue.timer(0);
        assert!(matches!(queue.behind(0), Some(ToCome::Token(token)) if token == highest));
        assert!(matches!(queue.behind(1), Some(ToCome::Timer(u32::MAX))));
        assert!(queue.behind(2).is_none(), "nobody asks ahead for those");
        assert!(matches!(queue.behind(4), Some(ToCome::Timer(0))));
        assert!(queue.behind(5).is_none());
        assert!(matches!(queue.pop(), Some(Ready::Wake(token)) if token == highest));
        assert!(matches!(queue.pop(), Some(Ready::Timer(u32::MAX))));
        assert!(matches!(queue.pop(), Some(Ready::Run(_))));
        assert!(matches!(queue.pop(), Some(Ready::Wake(token)) if token.to_bits() == 0));
        assert!(matches!(queue.pop(), Some(Ready::Timer(0))));
        assert!(queue.pop().is_none());
    }

    #[test]
    fn a_queue_drops_what_is_left_in_it() {
        let callback = Rc::new(Nothing);
        let queue = ReadyQueue::new();
        queue.run(callback.clone());
        queue.wake(Token::from_bits(1));
        assert_eq!((queue.len(), Rc::strong_count(&callback)), (2, 2));
        drop(queue);
        assert_eq!(Rc::strong_count(&callback), 1);
    }
}
