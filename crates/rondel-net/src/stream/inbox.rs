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
///
/// What every message needs comes first and together: among many connections each line of memory is waited for.
#[repr(C)]
pub(super) struct Inbox {
    buffer: RefCell<Buffer>,
    limit: usize,
    eof: Cell<bool>,
    /// The transport was told to pause (I3).
    paused: Cell<bool>,
    /// There is an exception, or there was a wait that was polled.
    is_special: Cell<bool>,
    /// Whoever waits for more (I2).
    waiting: Parking,
    exception: RefCell<Option<Exception>>,
    /// The waiter's leaf, where it is polled through futures-io.
    polled: RefCell<Option<Polled>>,
    transport: RefCell<Option<Transport>>,
}

impl Inbox {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            buffer: RefCell::default(),
            limit,
            eof: Cell::new(false),
            paused: Cell::new(false),
            is_special: Cell::new(false),
            waiting: Parking::new(),
            exception: RefCell::default(),
            polled: RefCell::default(),
            transport: RefCell::default(),
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
        if !self.is_special.get() {
            return None;
        }
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
        self.is_special.set(true);
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

    /// Takes the leaf of a wait that is polled out of its place.
    pub(super) fn take_polled(&self) -> Option<Polled> {
        self.polled.take()
    }

    /// Keeps the leaf of a wait that is polled.
    pub(super) fn keep_polled(&self, polled: Polled) {
        self.is_special.set(true);
        *self.polled.borrow_mut() = Some(polled);
    }

    #[inline]
    fn begin_to_wait(&self, function: &str) -> Result<()> {
        if self.is_special.get() || self.waiting.is_taken() {
            self.take_place(function)?;
        }
        // To wait while the transport is paused would be for ever, as where more than the limit is asked for.
        if self.paused.get() {
            self.resume_transport();
        }
        Ok(())
    }

    /// Takes the place of who polls: they do not say when they stop, so they are woken, and find somebody else there if they have not.
    #[cold]
    fn take_place(&self, function: &str) -> Result<()> {
        let polled = self.take_polled();
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
