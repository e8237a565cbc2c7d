//! What was written and not yet sent.
//!
//! It sends nothing: whoever has the descriptor is given the bytes, as the two slices of a ring.
//!
//! # asyncio
//!
//! The deque of pieces and `_adjust_leftover_buffer`. Here pieces are copied into one ring, because a caller lends its bytes only for the call of `write`.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, IoSlice},
};

/// An empty ring of more than this gives its memory back.
const KEPT_CAPACITY: usize = 64 * 1024;

/// The most slices that one system call takes: `IOV_MAX`.
pub(crate) const MAX_SLICES: usize = 1024;

/// The bytes that wait, first in, first out.
#[derive(Default)]
pub(crate) struct Backlog {
    /// None in most connections, where all is sent at once.
    #[expect(
        clippy::box_collection,
        reason = "a word in each connection in place of four, of which a message looks at the last"
    )]
    bytes: RefCell<Option<Box<VecDeque<u8>>>>,
}

impl Backlog {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes
            .borrow()
            .as_ref()
            .is_none_or(|bytes| bytes.is_empty())
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.borrow().as_ref().map_or(0, |bytes| bytes.len())
    }

    pub(crate) fn push(&self, data: &[u8]) {
        if !data.is_empty() {
            self.bytes.borrow_mut().get_or_insert_default().extend(data);
        }
    }

    /// Offers all of it to `send`, which runs no code of others, and drops as much as that has sent.
    pub(crate) fn send(
        &self,
        send: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut kept = self.bytes.borrow_mut();
        let bytes = kept.get_or_insert_default();
        let (front, back) = bytes.as_slices();
        let slices = [IoSlice::new(front), IoSlice::new(back)];
        let count = 1 + usize::from(!back.is_empty());
        let sent = send(&slices[..count])?;
        bytes.drain(..sent);
        if bytes.is_empty() && bytes.capacity() > KEPT_CAPACITY {
            *kept = None;
        }
        Ok(())
    }

    pub(crate) fn clear(&self) {
        self.bytes.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends at most `most` bytes.
    fn drain(backlog: &Backlog, most: usize) -> Vec<u8> {
        let mut seen = Vec::new();
        let sent = backlog.send(|slices| {
            seen = slices
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .collect();
            seen.truncate(most);
            Ok(seen.len())
        });
        sent.unwrap();
        seen
    }

    #[test]
    fn what_is_pushed_comes_out_in_order_whatever_the_pieces() {
        let backlog = Backlog::default();
        let mut expected = VecDeque::new();
        let mut next = 0_u8;
        for round in 1..200_usize {
            let piece: Vec<u8> = std::iter::repeat_with(|| {
                next = next.wrapping_add(1);
                next
            })
            .take(round * 7 % 50)
            .collect();
            backlog.push(&piece);
            expected.extend(piece);
            let sent = drain(&backlog, round * 5 % 40);
            let rest = expected.split_off(sent.len());
            assert_eq!(VecDeque::from(sent), expected);
            expected = rest;
            assert_eq!(backlog.len(), expected.len());
        }
    }

    #[test]
    fn nothing_takes_no_memory() {
        let backlog = Backlog::default();
        backlog.push(b"");
        assert!(backlog.is_empty() && backlog.bytes.borrow().is_none());
    }

    #[test]
    fn an_error_leaves_everything() {
        let backlog = Backlog::default();
        backlog.push(b"abc");
        let failed = backlog.send(|_| Err(io::ErrorKind::WouldBlock.into()));
        assert!(failed.is_err());
        assert_eq!(drain(&backlog, 3), b"abc");
        assert!(backlog.is_empty());
    }

    #[test]
    fn a_large_ring_that_is_empty_gives_its_memory_back() {
        let backlog = Backlog::default();
        backlog.push(&[0; 4 * KEPT_CAPACITY]);
        drain(&backlog, usize::MAX);
        assert!(backlog.bytes.borrow().is_none());
    }
}
