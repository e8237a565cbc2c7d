//! The one error of this crate: the scheduler is closed.

use std::{error::Error, fmt};

/// The error of scheduling on a closed loop: the callback was dropped without having run.
///
/// # asyncio
///
/// `RuntimeError('Event loop is closed')`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedError;

impl fmt::Display for ClosedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop is closed")
    }
}

impl Error for ClosedError {}
