//! What the layer above hangs into the loop: the tasks, for one.
//!
//! The loop knows nothing of it but these moments.

use rondel_sched::Token;

/// A layer above the loop, told about the moments that concern it.
///
/// The loop holds it weakly: the layer owns the loop, not the other way round.
/// Every method is called on the loop's thread with no borrow held.
pub trait Extension {
    /// Wakes what `token` stands for: its turn in the ready queue has come.
    fn wake(&self, token: Token);

    /// A run, or a single step, begins; the loop is already the running loop.
    fn started(&self);

    /// The run, or the step, has ended, by a panic perhaps; the loop is no longer the running loop.
    fn stopped(&self);

    /// The loop is about to close and still accepts callbacks: the layer is to drop what it owns.
    fn closing(&self);

    /// Says who waits when nothing can wake the loop any more, for the deadlock error.
    fn deadlock(&self) -> Option<String> {
        None
    }
}
