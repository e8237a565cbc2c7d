//! `BrokenBarrierError`; the errors of queues are in `queue`.
//!
//! Misuse is a [`RuntimeError`](rondel_task::RuntimeError) or [`ValueError`](rondel_task::ValueError) of `rondel-task`.

use std::error::Error;
use std::fmt;

/// Says that a barrier was reset or aborted, so that its parties did not meet.
///
/// Mirrors
/// [`asyncio.BrokenBarrierError`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.BrokenBarrierError).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokenBarrierError;

impl fmt::Display for BrokenBarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was reset or aborted")
    }
}

impl Error for BrokenBarrierError {}
