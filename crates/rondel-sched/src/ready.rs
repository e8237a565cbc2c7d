//! The ready queue: what runs next, in order.
//!
//! It runs nothing: [`Scheduler::run_ready`](crate::Scheduler::run_ready) takes out one at a time.
//!
//! # Invariants
//!
//! - R1. A borrow lasts for one operation and no user code runs in it: what is taken out is dropped or run by the caller.
//! - R2. What is in the queue is dropped by the queue's own destructor, because `ManuallyDrop` does not.

use std::{cell::RefCell, collections::VecDeque, mem::ManuallyDrop, rc::Rc};

use crate::{Runnable, Token};

/// What stands in the ready queue.
pub(crate) enum Ready {
    /// A callback to be run.
    Run(Rc<dyn Runnable>),
    /// A token to be woken.
    Wake(Token),
}

/// A queue that is pushed to and popped from through `&self`.
///
/// The `ManuallyDrop` is there for speed: without it the compiler has to be able to drop the pushed value, should growing the queue unwind, and so builds
/// it in memory and copies it from there; that stalls, for 3 ns of the 16 that a callback takes.
pub(crate) struct ReadyQueue(RefCell<VecDeque<ManuallyDrop<Ready>>>);

impl ReadyQueue {
    pub(crate) fn new() -> Self {
        Self(RefCell::new(VecDeque::new()))
    }

    #[inline]
    pub(crate) fn push(&self, ready: Ready) {
        let ready = ManuallyDrop::new(ready);
        self.0.borrow_mut().push_back(ready);
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<Ready> {
        let next = self.0.borrow_mut().pop_front();
        next.map(ManuallyDrop::into_inner)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Drops what is in the queue, and what that adds.
    pub(crate) fn clear(&self) {
        while let Some(ready) = self.pop() {
            drop(ready);
        }
    }
}

impl Drop for ReadyQueue {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn what_stands_in_the_queue_takes_two_words() {
        assert_eq!(size_of::<Ready>(), 16);
    }

    #[test]
    fn a_queue_drops_what_is_left_in_it() {
        struct Nothing;
        impl Runnable for Nothing {
            fn run(self: Rc<Self>) {}
            fn describe(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("nothing")
            }
        }

        let callback = Rc::new(Nothing);
        let queue = ReadyQueue::new();
        queue.push(Ready::Run(callback.clone()));
        queue.push(Ready::Wake(Token::from_bits(1)));
        assert_eq!((queue.len(), Rc::strong_count(&callback)), (2, 2));
        drop(queue);
        assert_eq!(Rc::strong_count(&callback), 1);
    }
}
