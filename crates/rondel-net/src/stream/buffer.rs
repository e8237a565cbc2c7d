//! `Buffer`: the bytes that have come and were not read.
//!
//! It neither waits nor receives.
//! A large piece that comes alone is kept as it came and is read without having been copied; small pieces, and those that come behind others, are put together.
//!
//! # asyncio
//!
//! The `bytearray` of a `StreamReader`.

use std::{mem, ops::Deref};

use bytes::{Bytes, BytesMut};

use super::block::Block;

/// Memory of more than this is given away with what is read.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Bytes, first in, first out.
pub(super) enum Buffer {
    /// What is left of one piece.
    Piece(Bytes),
    /// Pieces put together.
    Pieces(BytesMut),
}

impl Buffer {
    /// Adds a copy of `data`.
    pub(super) fn extend(&mut self, data: &[u8]) {
        if let Self::Piece(piece) = self {
            *self = Self::Pieces(BytesMut::from(&piece[..]));
        }
        if let Self::Pieces(pieces) = self {
            pieces.extend_from_slice(data);
        }
    }

    /// Adds the first `length` bytes of a block: the block itself, where it may be kept and nothing is in front of it.
    pub(super) fn receive(&mut self, block: Block, length: usize) {
        if self.is_empty() && block.may_be_kept(length) {
            *self = Self::Piece(block.keep(length));
        } else {
            self.extend(&block.as_slice()[..length]);
        }
    }

    /// Takes up to `n` bytes out.
    pub(super) fn take(&mut self, n: usize) -> Bytes {
        match self {
            Self::Piece(piece) if n < piece.len() => piece.split_to(n),
            Self::Piece(piece) => mem::take(piece),
            Self::Pieces(pieces) if n < pieces.len() => pieces.split_to(n).freeze(),
            Self::Pieces(pieces) if pieces.capacity() > KEPT_CAPACITY => mem::take(pieces).freeze(),
            // The memory is used again once what was read is dropped: no small message costs an allocation.
            Self::Pieces(pieces) => pieces.split().freeze(),
        }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::Pieces(BytesMut::new())
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Piece(piece) => piece,
            Self::Pieces(pieces) => pieces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::block::SMALL;
    use super::*;

    /// A block that begins with `data`.
    fn filled(data: &[u8]) -> Block {
        let mut block = Block::small();
        block.as_mut_slice()[..data.len()].copy_from_slice(data);
        block
    }

    #[test]
    fn what_comes_is_read_in_order_whatever_the_pieces() {
        let mut buffer = Buffer::default();
        let mut expected = Vec::new();
        let mut next = 0_u8;
        for round in 0..400_usize {
            let piece = Vec::from_iter((0..round * 977 % SMALL + 1).map(|_| {
                next = next.wrapping_add(1);
                next
            }));
            match round % 3 {
                0 => buffer.extend(&piece),
                _ => buffer.receive(filled(&piece), piece.len()),
            }
            expected.extend_from_slice(&piece);
            let rest = expected.split_off(expected.len().min(round * 1009 % (2 * SMALL)));
            assert!(buffer.take(expected.len()) == expected);
            assert!(*buffer == rest, "round {round}");
            expected = rest;
        }
        assert!(buffer.take(usize::MAX) == expected);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_large_piece_that_comes_alone_is_not_copied() {
        let mut buffer = Buffer::default();
        let block = filled(&[1; SMALL]);
        let place = block.as_slice().as_ptr();
        buffer.receive(block, SMALL / 2);
        assert_eq!(buffer.take(10).as_ptr(), place);
        assert_eq!(buffer.take(usize::MAX).as_ptr(), place.wrapping_add(10));
    }

    #[test]
    fn a_small_piece_gives_its_block_back() {
        let mut buffer = Buffer::default();
        let block = filled(b"abc");
        let place = block.as_slice().as_ptr();
        buffer.receive(block, 3);
        assert_eq!(*buffer, *b"abc");
        assert_eq!(Block::small().as_slice().as_ptr(), place);
    }
}
