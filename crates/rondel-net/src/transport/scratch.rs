//! The memory into which a thread receives for protocols that are given slices.
//!
//! One block for all connections of a thread, so that an idle connection has no buffer at all.
//!
//! # Invariants
//!
//! - I1. Whoever uses the block has taken it out; a protocol that runs another loop inside a callback gets a block of its own there.

use std::cell::Cell;

/// The most that is received at once: asyncio's `max_size`.
pub(crate) const MAX_SIZE: usize = 256 * 1024;

thread_local! {
    static BLOCK: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A block of [`MAX_SIZE`] bytes, on loan; empty until somebody receives into it.
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    pub(crate) fn take() -> Self {
        let mut block = BLOCK.try_with(Cell::take).unwrap_or_default();
        block.clear();
        block.reserve_exact(MAX_SIZE);
        Self(block)
    }

    /// What is received into: its capacity is what may come.
    pub(crate) fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let block = std::mem::take(&mut self.0);
        // At the end of a thread there is nowhere to put it back.
        let _ = BLOCK.try_with(|place| place.set(block));
    }
}
