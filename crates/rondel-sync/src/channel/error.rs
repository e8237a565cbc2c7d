//! The errors of channels, which hand back the value that was to be sent.
//!
//! # asyncio
//! It has no channels; a queue's [`QueueShutDown`](crate::QueueShutDown) comes near [`ChannelClosed`].

use std::error::Error;
use std::fmt;

use rondel_task::Exception;

/// Says that a channel is closed: nothing can be sent, and what was sent has been received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelClosed;

impl fmt::Display for ChannelClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is closed")
    }
}

impl Error for ChannelClosed {}

/// Says that there was no room in a channel, nor a receiver that waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelFull;

impl fmt::Display for ChannelFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is full")
    }
}

impl Error for ChannelFull {}

/// Hands back a value that could not be sent, and says why.
///
/// It is not an error in itself, so that `?` can make one of it whatever the value is: the [`Exception`] that is the reason, and
/// the value is dropped.
///
/// # Examples
/// ```
/// use rondel_sync::{channel, ChannelClosed};
/// use rondel_task::run;
///
/// run(async {
///     let (sender, receiver) = channel(1);
///     drop(receiver);
///     let unsent = sender.send("tea").await.unwrap_err();
///     assert!(unsent.reason().is::<ChannelClosed>());
///     assert_eq!(unsent.into_inner(), "tea");
///     Ok(())
/// })?;
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub struct SendError<T> {
    value: T,
    reason: Exception,
}

impl<T> SendError<T> {
    pub(crate) fn new(value: T, reason: impl Into<Exception>) -> Self {
        let reason = reason.into();
        Self { value, reason }
    }

    /// Returns the value that was not sent.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Returns why: a [`ChannelClosed`], or the `CancelledError` of a task that was cancelled while it waited.
    pub fn reason(&self) -> &Exception {
        &self.reason
    }

    /// Returns true if the channel is closed.
    pub fn is_closed(&self) -> bool {
        self.reason.is::<ChannelClosed>()
    }
}

// Not derived, so that the value of any type can be unwrapped.
impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendError({:?})", self.reason)
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<T> From<SendError<T>> for Exception {
    fn from(error: SendError<T>) -> Self {
        error.reason
    }
}

/// Says why [`try_send`](crate::Sender::try_send) did not send a value, and hands it back.
///
/// Like [`SendError`] it becomes an [`Exception`]: a [`ChannelFull`] or [`ChannelClosed`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There was no room for this value, nor a receiver that waits.
    Full(T),
    /// The channel was closed before this value came.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// Returns the value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) => value,
        }
    }

    fn reason(&self) -> &'static dyn Error {
        match self {
            Self::Full(_) => &ChannelFull,
            Self::Closed(_) => &ChannelClosed,
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(..)", self.reason())
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.reason(), f)
    }
}

impl<T> From<TrySendError<T>> for Exception {
    fn from(error: TrySendError<T>) -> Self {
        match error {
            TrySendError::Full(_) => Self::new(ChannelFull),
            TrySendError::Closed(_) => Self::new(ChannelClosed),
        }
    }
}

/// Says why [`try_recv`](crate::Receiver::try_recv) had no value to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// No value is there that is not promised to a task that waits.
    Empty,
    /// The channel is closed, and what was sent has been received.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the channel is empty"),
            Self::Closed => ChannelClosed.fmt(f),
        }
    }
}

impl Error for TryRecvError {}
