//! What the methods of a future answer, for the owner to match and act on.
//!
//! These types decide nothing and do nothing: [`Completion`](crate::Completion) makes them, and the owner schedules what they
//! carry.

use crate::Callbacks;
use core::fmt;

/// Says what became of a request to cancel.
#[derive(Debug)]
#[must_use = "the callbacks of a cancelled future have to be scheduled"]
pub enum Cancel<C> {
    /// The future is cancelled now, and these callbacks are to be scheduled.
    Cancelled(Callbacks<C>),
    /// The future was done before: nothing has happened.
    AlreadyDone,
}

/// Says what became of a callback that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a callback that comes too late has to be scheduled by the caller"]
pub enum AddCallback<C> {
    /// The future is pending and keeps the callback until it is done.
    Added,
    /// The future is done, so the callback is to be scheduled now.
    ScheduleNow(C),
}

/// Shows how a future ended, without counting as reading it.
pub enum Outcome<'a, E> {
    /// It has not ended.
    Pending,
    /// It was cancelled.
    Cancelled,
    /// It finished with this exception.
    Exception(&'a E),
    /// It finished with a value, which its owner holds.
    Value,
}

// Not derived: a derive would ask for `E: Copy`, though only a reference is copied.
impl<E> Clone for Outcome<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Outcome<'_, E> {}

impl<E: fmt::Debug> fmt::Debug for Outcome<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Pending => f.write_str("Pending"),
            Outcome::Cancelled => f.write_str("Cancelled"),
            Outcome::Exception(exception) => f.debug_tuple("Exception").field(exception).finish(),
            Outcome::Value => f.write_str("Value"),
        }
    }
}
