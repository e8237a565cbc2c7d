//! `Block`: memory that a stream lends its transport to receive into, and that what came may stay in until it is read.
//!
//! A thread keeps a few blocks and lends first the one that came back last, so an idle connection has none, and the next one receives into memory that is
//! still in the processor's caches.
//!
//! # Invariants
//!
//! - I1. What is read keeps at most four times its length alive.
//!
//! # asyncio
//!
//! The `bytes` that `recv` makes.

use std::{cell::RefCell, mem};

use bytes::Bytes;

use crate::transport::scratch::MAX_SIZE;

/// The length of a small block: most messages fit.
pub(super) const SMALL: usize = 16 * 1024;

/// How many small blocks a thread keeps: one for each event of a wait of the loop.
const KEPT_SMALL: usize = 64;

/// How many large ones.
const KEPT_LARGE: usize = 1;

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept { small: Vec::new(), large: Vec::new() }) };
}

/// What a thread lends.
struct Kept {
    small: Vec<Box<[u8]>>,
    large: Vec<Box<[u8]>>,
}

/// Memory on loan from the thread; it may be given back to another.
pub(super) struct Block(Box<[u8]>);

impl Block {
    pub(super) fn small() -> Self {
        let kept = KEPT.try_with(|kept| kept.borrow_mut().small.pop());
        Self::kept_or_new(kept.ok().flatten(), SMALL)
    }

    /// Takes one for the most that is received at once.
    pub(super) fn large() -> Self {
        let kept = KEPT.try_with(|kept| kept.borrow_mut().large.pop());
        Self::kept_or_new(kept.ok().flatten(), MAX_SIZE)
    }

    fn kept_or_new(kept: Option<Box<[u8]>>, length: usize) -> Self {
        Self(kept.unwrap_or_else(|| vec![0; length].into_boxed_slice()))
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Says whether its first `length` bytes are enough to keep all of it for (I1).
    pub(super) fn may_be_kept(&self, length: usize) -> bool {
        length >= self.0.len() / 4
    }

    /// Keeps it for its first `length` bytes: it goes back when they are dropped.
    pub(super) fn keep(self, length: usize) -> Bytes {
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
        let _ = KEPT.try_with(|kept| {
            let Kept { small, large } = &mut *kept.borrow_mut();
            let (place, most) = match block.len() {
                SMALL => (small, KEPT_SMALL),
                _ => (large, KEPT_LARGE),
            };
            if place.len() < most {
                place.push(block);
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
        &self.block.as_slice()[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_lent_again_when_what_it_is_kept_for_is_dropped() {
        let block = Block::small();
        let first = block.as_slice().as_ptr();
        let read = block.keep(SMALL / 4);
        assert_eq!((read.as_ptr(), read.len()), (first, SMALL / 4));
        let part = read.slice(1..2);
        drop(read);
        assert_ne!(Block::small().as_slice().as_ptr(), first);
        drop(part);
        assert_eq!(Block::small().as_slice().as_ptr(), first);
    }

    #[test]
    fn a_thread_keeps_so_many_blocks_of_each_length() {
        let blocks = Vec::from_iter((0..2 * KEPT_SMALL).map(|_| Block::small()));
        drop(blocks);
        drop((Block::large(), Block::large()));
        KEPT.with_borrow(|kept| {
            assert_eq!(kept.small.len(), KEPT_SMALL);
            assert_eq!(kept.large.len(), KEPT_LARGE);
            assert!(kept.small.iter().all(|block| block.len() == SMALL));
            assert!(kept.large.iter().all(|block| block.len() == MAX_SIZE));
        });
    }

    #[test]
    fn little_is_not_worth_a_block() {
        assert!(!Block::small().may_be_kept(SMALL / 4 - 1));
        assert!(Block::small().may_be_kept(SMALL / 4));
        assert!(!Block::large().may_be_kept(SMALL));
    }
}
