//! `Batch`: how many events a wait collects; those that are left out stay ready for the next.
//!
//! A task that waits for a descriptor runs behind all the callbacks of one wait. What they have received has left the processor's caches by then if it is
//! much, and so has what the system keeps of their sockets. Fewer events at a time are more waits, and among small messages these are what costs more.
//! So it goes by how much the callbacks of the wait before have received.
//!
//! # asyncio
//!
//! There it is as many as there are descriptors.

use std::cell::Cell;

/// The most that a wait collects.
///
/// With 256 events an echo of 64 bytes among 1,000 connections takes a sixth longer.
const MOST: usize = 64;

/// The least that a wait has room for.
const LEAST: usize = 16;

/// What the callbacks of one wait had better receive together, in bytes: a part of a cache, because the system has its own copies.
const FITTING: usize = 256 * 1024;

/// The events of the last wait, and what came of them.
#[derive(Default)]
pub(super) struct Batch {
    collected: Cell<usize>,
    received: Cell<usize>,
}

impl Batch {
    /// Begins a wait, and says how many events it collects at most.
    pub(super) fn begin(&self) -> usize {
        let each = self.received.take() / self.collected.take().max(1);
        (FITTING / each.max(1)).clamp(LEAST, MOST)
    }

    pub(super) fn collected(&self, events: usize) {
        self.collected.set(events);
    }

    /// A callback has received so many bytes.
    pub(super) fn received(&self, bytes: usize) {
        self.received.set(self.received.get().saturating_add(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many events are collected behind a wait whose events brought so many bytes each.
    fn behind(events: usize, bytes: usize) -> usize {
        let batch = Batch::default();
        assert_eq!(batch.begin(), MOST);
        batch.collected(events);
        (0..events).for_each(|_| batch.received(bytes));
        let most = batch.begin();
        assert_eq!(batch.begin(), MOST, "it is forgotten after that");
        most
    }

    #[test]
    fn it_goes_by_what_one_event_brings() {
        assert_eq!(behind(64, 64), MOST);
        assert_eq!(behind(1, 10_000), 26);
        assert_eq!(behind(64, 10_000), 26);
        assert_eq!(behind(64, 1 << 20), LEAST);
        assert_eq!(behind(0, 0), MOST);
    }
}
