//! `Buffer`: the bytes that a reader keeps.
//!
//! One piece stays in the memory in which it came, or for which it was copied; those that come behind others are put together.
//! When it is empty it has no memory.
//!
//! # asyncio
//!
//! The `bytearray` of a `StreamReader`.

use std::{mem, ops::Deref};

use bytes::{Bytes, BytesMut};

/// Bytes, first in, first out.
pub(super) enum Buffer {
    /// What is left of one piece.
    Piece(Bytes),
    /// Pieces put together.
    Pieces(BytesMut),
}

impl Buffer {
    /// Adds a copy of `data`.
    #[inline]
    pub(super) fn extend(&mut self, data: &[u8]) {
        match self {
            Self::Piece(piece) if piece.is_empty() => *piece = Bytes::copy_from_slice(data),
            Self::Piece(piece) => {
                let mut pieces = BytesMut::with_capacity(piece.len() + data.len());
                pieces.extend_from_slice(piece);
                pieces.extend_from_slice(data);
                *self = Self::Pieces(pieces);
            }
            Self::Pieces(pieces) => pieces.extend_from_slice(data),
        }
    }

    /// Adds `data` itself where nothing is in front of it, else a copy.
    pub(super) fn append(&mut self, data: Bytes) {
        match self {
            Self::Piece(piece) if piece.is_empty() => *piece = data,
            _ => self.extend(&data),
        }
    }

    /// Takes up to `n` bytes out.
    #[inline]
    pub(super) fn take(&mut self, n: usize) -> Bytes {
        match self {
            Self::Piece(piece) if n < piece.len() => piece.split_to(n),
            Self::Piece(piece) => mem::take(piece),
            Self::Pieces(pieces) if n < pieces.len() => pieces.split_to(n).freeze(),
            Self::Pieces(pieces) => {
                let pieces = mem::take(pieces);
                *self = Self::default();
                pieces.freeze()
            }
        }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::Piece(Bytes::new())
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Piece(piece) => piece,
            Self::Pieces(pieces) => pieces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_read_in_order_whatever_the_pieces() {
        let mut buffer = Buffer::default();
        let mut expected = Vec::new();
        let mut next = 0_u8;
        for round in 0..400_usize {
            let piece = Vec::from_iter((0..round * 977 % 1000).map(|_| {
                next = next.wrapping_add(1);
                next
            }));
            expected.extend_from_slice(&piece);
            match round % 3 {
                0 => buffer.extend(&piece),
                _ => buffer.append(piece.into()),
            }
            let rest = expected.split_off(expected.len().min(round * 1009 % 2000));
            assert_eq!(buffer.take(expected.len()), expected);
            assert_eq!(*buffer, rest, "round {round}");
            expected = rest;
        }
        assert_eq!(buffer.take(usize::MAX), expected);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_piece_that_comes_alone_is_not_copied() {
        let mut buffer = Buffer::default();
        let piece = Bytes::from(vec![1; 100]);
        let place = piece.as_ptr();
        buffer.append(piece);
        assert_eq!(buffer.take(10).as_ptr(), place);
        assert_eq!(buffer.take(usize::MAX).as_ptr(), place.wrapping_add(10));
    }

    #[test]
    fn one_that_is_empty_keeps_no_memory() {
        let mut buffer = Buffer::default();
        buffer.extend(b"one");
        buffer.extend(b"two");
        assert_eq!(buffer.take(usize::MAX), "onetwo");
        assert!(matches!(&buffer, Buffer::Piece(piece) if piece.is_empty()));
    }
}
