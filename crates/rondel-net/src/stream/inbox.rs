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
use rondel_task::{Exception, Future, Result, RuntimeError, get_running_loop};

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
    waiter: RefCell<Option<Future<()>>>,
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
            waiter: RefCell::default(),
            polled: RefCell::default(),
            transport: RefCell::default(),
            paused: Cell::new(false),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn len(&self) -> usize {
        self.buffer.borrow().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.borrow().is_empty()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.eof.get()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.get()
    }

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

    pub(super) fn feed_data(&self, data: &[u8]) -> Result<(), RuntimeError> {
        self.feed(data.is_empty(), |buffer| buffer.extend(data))
    }

    /// As [`feed_data`](Self::feed_data), and keeps the bytes where they are.
    pub(super) fn feed_bytes(&self, data: Bytes) -> Result<(), RuntimeError> {
        self.feed(data.is_empty(), |buffer| buffer.append(data))
    }

    fn feed(&self, is_empty: bool, add: impl FnOnce(&mut Buffer)) -> Result<(), RuntimeError> {
        if self.is_ended() {
            return Err(RuntimeError::new("feed_data after feed_eof"));
        }
        if is_empty {
            return Ok(());
        }
        add(&mut self.buffer.borrow_mut());
        self.wake_waiter(Ok(()));
        self.maybe_pause_transport();
        Ok(())
    }

    pub(super) fn feed_eof(&self) {
        self.eof.set(true);
        self.wake_waiter(Ok(()));
    }

    pub(super) fn set_exception(&self, exception: Exception) {
        let replaced = self.exception.replace(Some(exception.clone()));
        drop(replaced);
        // Who polls finds it here when they come back, and may not: a waiter that nobody asks would report it.
        let is_polled = self.polled.borrow().is_some();
        self.wake_waiter(if is_polled { Ok(()) } else { Err(exception) });
    }

    // --- what is taken out -------------------------------------------------------------------

    /// Looks for the end of a chunk.
    pub(super) fn look(&self, search: &mut Search) -> Result<Option<Match>, LimitOverrunError> {
        search.look(&self.buffer.borrow(), self.limit)
    }

    /// Takes up to `n` bytes out.
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

    pub(super) fn maybe_resume_transport(&self) {
        if self.paused.get() && self.len() <= self.limit {
            self.resume_transport();
        }
    }

    fn resume_transport(&self) {
        self.paused.set(false);
        if let Some(transport) = self.transport() {
            transport.resume_reading();
        }
    }

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

    fn wake_waiter(&self, woken: Result<()>) {
        let waiter = self.waiter.take();
        if let Some(waiter) = waiter {
            // Whoever waited may have been cancelled.
            let _ = match woken {
                Ok(()) => waiter.set_result(()),
                Err(exception) => waiter.set_exception(exception),
            };
        }
    }

    /// Waits until something is fed.
    pub(super) async fn wait_for_data(&self, function: &str) -> Result<()> {
        let waiter = self.begin_to_wait(function)?;
        let _waiting = Waiting {
            inbox: self,
            waiter: &waiter,
        };
        waiter.clone().await
    }

    /// Makes the future that the next bytes complete.
    pub(super) fn begin_to_wait(&self, function: &str) -> Result<Future<()>> {
        let polled = self.polled.take();
        if let Some(polled) = polled {
            // Who polls does not say when they stop: they are woken, and find somebody else there if they have not.
            self.wake_waiter(Ok(()));
            drop(polled);
        }
        // One that was cancelled while it was polled is still there.
        let somebody_waits = |waiter: &Future<()>| !waiter.done();
        if self.waiter.borrow().as_ref().is_some_and(somebody_waits) {
            let message = format!(
                "{function}() called while another coroutine is already waiting for incoming data"
            );
            return Err(RuntimeError::new(message).into());
        }
        // To wait while the transport is paused would be for ever, as where more than the limit is asked for.
        if self.paused.get() {
            self.resume_transport();
        }
        let waiter = get_running_loop()?.create_future();
        let before = self.waiter.replace(Some(waiter.clone()));
        drop(before);
        Ok(waiter)
    }
}

/// One wait; when it is over, also by being dropped, nobody waits.
struct Waiting<'a> {
    inbox: &'a Inbox,
    waiter: &'a Future<()>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let is_this = |waiter: &mut Future<()>| waiter.ptr_eq(self.waiter);
        let removed = self.inbox.waiter.borrow_mut().take_if(is_this);
        drop(removed);
    }
}
