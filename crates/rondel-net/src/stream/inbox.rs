//! What a reader keeps: the bytes that have come, who waits for more, and the transport that brings them.
//!
//! It does not know what a read is looking for, nor how the [buffer](super::buffer) keeps the bytes.
//!
//! # Invariants
//!
//! - I1. A read takes nothing out of the buffer before it is complete: one that is cancelled, or dropped, loses no byte.
//! - I2. One coroutine waits at a time.
//! - I3. When more than twice the limit is buffered the transport pauses, until no more than the limit is left or somebody waits for more.
//!
//! # asyncio
//!
//! The part of `StreamReader` below its methods: `_buffer`, `_waiter`, `_wait_for_data`, `_maybe_resume_transport`.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use rondel_task::{Exception, Park, Parking, Result, RuntimeError, Waiter};

use super::{
    buffer::Buffer,
    error::LimitOverrunError,
    futures_io::Polled,
    until::{Match, Search},
};
use crate::transport::Transport;

/// The bytes of one reader.
pub(super) struct Inbox {
    limit: usize,
    buffer: RefCell<Buffer>,
    eof: Cell<bool>,
    exception: RefCell<Option<Exception>>,
    /// Whoever waits for more (I2).
    waiting: Parking,
    /// The waiter's leaf, where it is polled through futures-io.
    pub(super) polled: RefCell<Option<Polled>>,
    transport: RefCell<Option<Transport>>,
    /// The transport was told to pause (I3).
    paused: Cell<bool>,
}

impl Inbox {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: RefCell::default(),
            eof: Cell::new(false),
            exception: RefCell::default(),
            waiting: Parking::new(),
            polled: RefCell::default(),
            transport: RefCell::default(),
            paused: Cell::new(false),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.buffer.borrow().len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.borrow().is_empty()
    }

    #[inline]
    pub(super) fn is_ended(&self) -> bool {
        self.eof.get()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.get()
    }

    #[inline]
    pub(super) fn exception(&self) -> Option<Exception> {
        self.exception.borrow().clone()
    }

    pub(super) fn transport(&self) -> Option<Transport> {
        self.transport.borrow().clone()
    }

    pub(super) fn set_transport(&self, transport: Transport) {
        let replaced = self.transport.replace(Some(transport));
        drop(replaced);
    }

    // --- what comes in -----------------------------------------------------------------------

    #[inline]
    pub(super) fn feed_data(&self, data: &[u8]) -> Result<(), RuntimeError> {
        self.feed(data.is_empty(), |buffer| buffer.extend(data))
    }

    /// As [`feed_data`](Self::feed_data), and keeps the bytes where they are.
    pub(super) fn feed_bytes(&self, data: Bytes) -> Result<(), RuntimeError> {
        self.feed(data.is_empty(), |buffer| buffer.append(data))
    }

    #[inline]
    fn feed(&self, is_empty: bool, add: impl FnOnce(&mut Buffer)) -> Result<(), RuntimeError> {
        if self.is_ended() {
            return Err(RuntimeError::new("feed_data after feed_eof"));
        }
        if is_empty {
            return Ok(());
        }
        add(&mut self.buffer.borrow_mut());
        self.waiting.call();
        self.maybe_pause_transport();
        Ok(())
    }

    pub(super) fn feed_eof(&self) {
        self.eof.set(true);
        self.waiting.call();
    }

    pub(super) fn set_exception(&self, exception: Exception) {
        let replaced = self.exception.replace(Some(exception.clone()));
        drop(replaced);
        // Who polls finds it here when they come back, and may not: a waiter that nobody asks would report it.
        let is_polled = self.polled.borrow().is_some();
        match is_polled {
            true => self.waiting.call(),
            false => self.waiting.fail(exception),
        };
    }

    // --- what is taken out -------------------------------------------------------------------

    /// Looks for the end of a chunk.
    pub(super) fn look(&self, search: &mut Search) -> Result<Option<Match>, LimitOverrunError> {
        search.look(&self.buffer.borrow(), self.limit)
    }

    /// Takes up to `n` bytes out.
    #[inline]
    pub(super) fn take(&self, n: usize) -> Bytes {
        self.buffer.borrow_mut().take(n)
    }

    /// Drops a line that was too long, or what there is of it.
    pub(super) fn skip_line(&self, overrun: &LimitOverrunError) {
        let skipped = match overrun.found {
            true => overrun.consumed() + 1,
            false => usize::MAX,
        };
        drop(self.take(skipped));
    }

    // --- the transport -----------------------------------------------------------------------

    #[inline]
    pub(super) fn maybe_resume_transport(&self) {
        if self.paused.get() && self.len() <= self.limit {
            self.resume_transport();
        }
    }

    #[cold]
    fn resume_transport(&self) {
        self.paused.set(false);
        if let Some(transport) = self.transport() {
            transport.resume_reading();
        }
    }

    #[inline]
    fn maybe_pause_transport(&self) {
        if self.paused.get() || self.len() <= self.limit.saturating_mul(2) {
            return;
        }
        if let Some(transport) = self.transport() {
            self.paused.set(true);
            transport.pause_reading();
        }
    }

    // --- who waits ---------------------------------------------------------------------------

    /// Waits until something is fed.
    #[inline]
    pub(super) fn wait_for_data(&self, function: &str) -> Result<Park<'_>> {
        self.begin_to_wait(function)?;
        Ok(self.waiting.park())
    }

    /// As [`wait_for_data`](Self::wait_for_data), for who polls: makes what the next bytes wake.
    pub(super) fn data_waiter(&self, function: &str) -> Result<Waiter> {
        self.begin_to_wait(function)?;
        self.waiting.park_waiter()
    }

    #[inline]
    fn begin_to_wait(&self, function: &str) -> Result<()> {
        let polled = self.polled.take();
        if polled.is_some() || self.waiting.is_taken() {
            self.take_place(polled, function)?;
        }
        // To wait while the transport is paused would be for ever, as where more than the limit is asked for.
        if self.paused.get() {
            self.resume_transport();
        }
        Ok(())
    }

    /// Takes the place of who polls: they do not say when they stop, so they are woken, and find somebody else there if they have not.
    #[cold]
    fn take_place(&self, polled: Option<Polled>, function: &str) -> Result<()> {
        if polled.is_some() {
            self.waiting.call();
            drop(polled);
        }
        if !self.waiting.is_taken() {
            return Ok(());
        }
        let message = format!(
            "{function}() called while another coroutine is already waiting for incoming data"
        );
        Err(RuntimeError::new(message).into())
    }
}
