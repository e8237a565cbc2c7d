//! Flow control of writing: when a protocol is told to pause, and when to go on.
//!
//! It buffers nothing: the transport that has the buffer says how long it is.
//!
//! # Invariants
//!
//! - I1. `pause_writing` and `resume_writing` take turns, beginning with the former.
//! - I2. The low-water mark is not above the high-water mark.
//!
//! # asyncio
//!
//! `_FlowControlMixin` of `transports.py`.

use std::cell::Cell;

use rondel_task::{Exception, Result, ValueError};

use crate::{guard::catch, protocol::BaseProtocol};

/// The marks, in bytes, between which a transport's write buffer is kept.
///
/// Over `high` the protocol is told to pause writing; when the buffer has drained to `low`, to resume.
///
/// # Examples
///
/// ```
/// use rondel_net::WriteBufferLimits;
///
/// assert_eq!(WriteBufferLimits::default(), WriteBufferLimits::new(16 * 1024, 64 * 1024)?);
/// assert_eq!(WriteBufferLimits::with_high(1000), WriteBufferLimits::new(250, 1000)?);
/// assert_eq!(WriteBufferLimits::with_low(1000), WriteBufferLimits::new(1000, 4000)?);
/// assert!(WriteBufferLimits::new(2, 1).is_err());
/// # Ok::<(), rondel_task::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteBufferLimits {
    low: usize,
    high: usize,
}

impl WriteBufferLimits {
    /// Makes limits of both marks.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] when `low` is above `high`.
    pub fn new(low: usize, high: usize) -> Result<Self, ValueError> {
        if low > high {
            return Err(ValueError::new(format!(
                "high ({high}) must be >= low ({low})"
            )));
        }
        Ok(Self { low, high })
    }

    /// Makes limits of the high-water mark; the low one is a quarter of it.
    ///
    /// With 0 the protocol is paused by every byte that is not sent at once.
    #[must_use]
    pub fn with_high(high: usize) -> Self {
        Self {
            low: high / 4,
            high,
        }
    }

    /// Makes limits of the low-water mark; the high one is four times as much.
    #[must_use]
    pub fn with_low(low: usize) -> Self {
        Self {
            low,
            high: low.saturating_mul(4),
        }
    }

    /// Returns the low-water mark.
    #[must_use]
    pub fn low(self) -> usize {
        self.low
    }

    /// Returns the high-water mark.
    #[must_use]
    pub fn high(self) -> usize {
        self.high
    }
}

impl Default for WriteBufferLimits {
    /// Makes asyncio's limits: 16 KiB and 64 KiB.
    fn default() -> Self {
        Self::with_high(64 * 1024)
    }
}

/// Whether a protocol is paused: the part of a transport that looks at the marks.
///
/// A transport calls [`maybe_pause_protocol`](Self::maybe_pause_protocol) whenever its buffer has grown and
/// [`maybe_resume_protocol`](Self::maybe_resume_protocol) whenever it has shrunk, and holds no borrow meanwhile: the protocol may write.
#[derive(Debug, Default)]
pub struct FlowControl {
    limits: Cell<WriteBufferLimits>,
    protocol_paused: Cell<bool>,
}

impl FlowControl {
    /// Begins with the default limits and a protocol that may write.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the limits.
    #[must_use]
    pub fn limits(&self) -> WriteBufferLimits {
        self.limits.get()
    }

    /// Sets the limits; the transport then looks whether the protocol is to be paused.
    pub fn set_limits(&self, limits: WriteBufferLimits) {
        self.limits.set(limits);
    }

    /// Says whether the protocol was told to pause and not yet to resume.
    #[must_use]
    pub fn is_protocol_paused(&self) -> bool {
        self.protocol_paused.get()
    }

    /// Tells the protocol to pause if `size` bytes are over the high-water mark.
    ///
    /// # Errors
    ///
    /// The panic of `pause_writing`, for the transport to report.
    pub fn maybe_pause_protocol(
        &self,
        size: usize,
        protocol: &dyn BaseProtocol,
    ) -> Result<(), Exception> {
        if size <= self.limits().high || self.protocol_paused.replace(true) {
            return Ok(());
        }
        catch(|| protocol.pause_writing())
    }

    /// Tells a paused protocol to resume if `size` bytes are not over the low-water mark.
    ///
    /// # Errors
    ///
    /// The panic of `resume_writing`, for the transport to report.
    pub fn maybe_resume_protocol(
        &self,
        size: usize,
        protocol: &dyn BaseProtocol,
    ) -> Result<(), Exception> {
        if !self.protocol_paused.get() || size > self.limits().low {
            return Ok(());
        }
        self.protocol_paused.set(false);
        catch(|| protocol.resume_writing())
    }
}
