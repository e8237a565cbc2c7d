//! The memory into which a thread receives for protocols that are given slices.
//!
//! One for all connections of a thread, so that an idle connection has no buffer at all.
//!
//! # Invariants
//!
//! - I1. Whoever uses the memory has taken it out; a protocol that runs another loop inside a callback gets other memory there.

use std::cell::Cell;

/// The most that is received at once: asyncio's `max_size`.
pub(crate) const MAX_SIZE: usize = 256 * 1024;

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// [`MAX_SIZE`] bytes, on loan.
pub(crate) struct Scratch(Box<[u8]>);

impl Scratch {
    #[inline]
    pub(crate) fn take() -> Self {
        let kept = SCRATCH.try_with(Cell::take).ok().flatten();
        // The system's zeros: what is never received into is never touched.
        Self(kept.unwrap_or_else(|| vec![0; MAX_SIZE].into_boxed_slice()))
    }

    /// What is received into.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The first bytes, so many of which were received.
    pub(crate) fn filled(&self, length: usize) -> &[u8] {
        &self.0[..length]
    }
}

impl Drop for Scratch {
    #[inline]
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.0);
        // At the end of a thread there is nowhere to put it back.
        let _ = SCRATCH.try_with(|place| place.set(Some(memory)));
    }
}
