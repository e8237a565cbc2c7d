//! `Block`: memory to receive into that what came may stay in for as long as it is kept.
//!
//! A thread has a few and lends first the one that came back last, so an idle connection has none, and the next one receives into memory that is still in
//! the processor's caches.
//!
//! # Invariants
//!
//! - I1. A block is kept for a quarter of its length at least; a part of that which somebody keeps for longer keeps all of it.
//!
//! # asyncio
//!
//! The `bytes` that `recv` makes.

use std::{cell::RefCell, mem, ops::Range};

use bytes::Bytes;

/// The length of a block: most messages fit, also those of the popular 16 KiB, and leave a rest, so that it is known that there is no more.
const LENGTH: usize = 20 * 1024;

/// How many bytes are worth a block (I1).
const WORTH_KEEPING: Range<usize> = LENGTH / 4..LENGTH;

/// How many blocks a thread has that are not lent: one for each event of a wait of the loop.
const SPARE: usize = 64;

thread_local! {
    static BLOCKS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Memory on loan from the thread; it may be given back to another.
pub(crate) struct Block(Box<[u8]>);

impl Block {
    pub(crate) fn take() -> Self {
        let spare = BLOCKS.try_with(|blocks| blocks.borrow_mut().pop());
        Self(
            spare
                .ok()
                .flatten()
                .unwrap_or_else(|| vec![0; LENGTH].into_boxed_slice()),
        )
    }

    /// Says whether so many bytes are enough to keep a block for, and not too many for one.
    pub(crate) fn is_worth(length: usize) -> bool {
        WORTH_KEEPING.contains(&length)
    }

    /// What is received into.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The first bytes, so many of which were received; all of them if it was more.
    pub(crate) fn filled(&self, length: usize) -> &[u8] {
        &self.0[..length.min(LENGTH)]
    }

    /// Keeps it for its first `length` bytes: it goes back when they are dropped.
    pub(crate) fn keep(self, length: usize) -> Bytes {
        Bytes::from_owner(Filled {
            block: self,
            length,
        })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let block = mem::take(&mut self.0);
        // At the end of a thread there is nowhere to put it back.
        let _ = BLOCKS.try_with(|blocks| {
            let mut blocks = blocks.borrow_mut();
            if blocks.len() < SPARE {
                blocks.push(block);
            }
        });
    }
}

/// A block that is kept for its first bytes.
struct Filled {
    block: Block,
    length: usize,
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        self.block.filled(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_lent_again_when_what_it_is_kept_for_is_dropped() {
        let block = Block::take();
        let first = block.filled(LENGTH).as_ptr();
        let read = block.keep(LENGTH / 4);
        assert_eq!((read.as_ptr(), read.len()), (first, LENGTH / 4));
        let part = read.slice(1..2);
        drop(read);
        assert_ne!(Block::take().filled(LENGTH).as_ptr(), first);
        drop(part);
        assert_eq!(Block::take().filled(LENGTH).as_ptr(), first);
    }

    #[test]
    fn a_thread_has_so_many_blocks_at_most() {
        let blocks = Vec::from_iter((0..2 * SPARE).map(|_| Block::take()));
        drop(blocks);
        BLOCKS.with_borrow(|blocks| {
            assert_eq!(blocks.len(), SPARE);
            assert!(blocks.iter().all(|block| block.len() == LENGTH));
        });
    }

    #[test]
    fn little_is_not_worth_a_block_and_much_does_not_fit() {
        assert!(!Block::is_worth(LENGTH / 4 - 1));
        assert!(Block::is_worth(LENGTH / 4));
        assert!(Block::is_worth(LENGTH - 1));
        assert!(!Block::is_worth(LENGTH));
    }
}
