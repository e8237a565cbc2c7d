//! What the layer above hangs into the loop: the tasks, for one.
//!
//! The loop knows nothing of it but these moments.

use std::fmt::Debug;

use rondel_sched::{Ahead, Token};

/// A layer above the loop, told about the moments that concern it.
///
/// The loop holds it weakly: the layer owns the loop, not the other way round.
/// Every method is called on the loop's thread with no borrow held.
pub trait Extension {
    /// Wakes what `token` stands for: its turn in the ready queue has come.
    fn wake(&self, token: Token);

    /// Is told that the turn of a token will come soon; see [`Host::foresee`](rondel_sched::Host::foresee).
    fn foresee(&self, token: Token, ahead: Ahead) {
        let _ = (token, ahead);
    }

    /// An alarm of the layer's rings: its turn in the ready queue has come.
    ///
    /// The default is for a layer that sets none.
    fn ring(&self, token: Token) {
        let _ = token;
    }

    /// As [`wake`](Self::wake), while somebody [watches](crate::EventLoop::is_watched): tells the layer's own instruments, and returns what was woken, for
    /// a report that it took long.
    fn wake_watched(&self, token: Token) -> Option<Box<dyn Debug>> {
        self.wake(token);
        None
    }

    /// A run, or a single step, begins; the loop is already the running loop.
    fn started(&self);

    /// The run, or the step, has ended, by a panic perhaps; the loop is no longer the running loop.
    fn stopped(&self);

    /// The loop is about to close and still accepts callbacks: the layer is to drop what it owns.
    fn closing(&self);

    /// Returns how many tasks are not done, for the loop's statistics, if the layer has tasks.
    fn tasks(&self) -> Option<usize> {
        None
    }

    /// Says who waits when nothing can wake the loop any more, for the deadlock error.
    fn deadlock(&self) -> Option<String> {
        None
    }
}
