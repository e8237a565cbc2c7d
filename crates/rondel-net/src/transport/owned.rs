//! Who owns a transport while its connection is open: the loop, through the callbacks that it will call.
//!
//! # asyncio
//!
//! Python's garbage collector ends the cycle of transport and protocol; here a loop that closes does.

use std::rc::Rc;

use rondel_task::WeakEventLoop;

/// What callbacks of a loop own.
pub(crate) trait LoopOwned {
    /// The loop.
    fn event_loop(&self) -> &WeakEventLoop;

    /// Closes the descriptor and lets go of everybody, without a word to them; does nothing the second time.
    fn release(&self);
}

/// A reference that a callback of the loop has; a loop that closes drops the callback, and so releases what it owns.
pub(crate) struct Owned<T: LoopOwned>(pub(crate) Rc<T>);

impl<T: LoopOwned> Drop for Owned<T> {
    fn drop(&mut self) {
        let is_left_alone = self
            .0
            .event_loop()
            .upgrade()
            .is_none_or(|event_loop| event_loop.is_closed());
        if is_left_alone {
            self.0.release();
        }
    }
}
