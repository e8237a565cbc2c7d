//! `channel`: values from any number of senders to any number of receivers, until one of the two sides is gone.
//!
//! The values and the lines of those who wait are in `shared`.
//!
//! # asyncio
//! It has none: a `Queue` is closed by hand and knows no sides. The semantics are those of Trio's memory channels, less the
//! `WouldBlock`; the names those of Rust's channels.

mod error;
mod shared;

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use rondel_future::CancelledError;
use rondel_task::{Awaiter, Exception, Result, current_task};

pub use error::{ChannelClosed, ChannelFull, SendError, TryRecvError, TrySendError};
use shared::{Receiving, Sending, Shared, Woken};

/// Makes a channel that holds at most `capacity` values: its two ends, of which both can be cloned.
///
/// With a capacity of 0 it is a rendezvous: a value is sent when a receiver waits for it. `usize::MAX` sets no limit.
///
/// It closes when the last handle of either end is dropped, or by [`close`](Sender::close). Then nothing can be sent, and what
/// was sent can still be received; without a receiver it is dropped.
///
/// Tasks that wait are served in the order in which they came, and nobody overtakes them. Values come out in the order in which
/// they were sent. None is lost: a receiver that is cancelled after it was woken leaves its value to the next, and a sender that
/// is cancelled gets its value back or has sent it.
///
/// # Examples
/// ```
/// use rondel_sync::channel;
/// use rondel_task::{create_task, run};
///
/// let sum = run(async {
///     let (sender, receiver) = channel(2);
///     for worker in 1..=3 {
///         let sender = sender.clone();
///         create_task(async move { Ok(sender.send(worker * 10).await?) })?;
///     }
///     drop(sender);
///     let mut sum = 0;
///     while let Ok(number) = receiver.recv().await {
///         sum += number; // until the last sender is gone
///     }
///     Ok(sum)
/// });
/// assert_eq!(sum.unwrap(), 60);
/// ```
pub fn channel<T: 'static>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Shared::new(capacity);
    let receiver = Receiver {
        shared: shared.clone(),
        waiting: None,
    };
    (Sender { shared }, receiver)
}

/// Sends values into a [`channel`]: a handle, of which clones send into the same.
pub struct Sender<T: 'static> {
    shared: Rc<Shared<T>>,
}

/// Receives the values of a [`channel`]: a handle, of which clones receive from the same, each value going to one of them.
///
/// It is a [`Stream`] as well, which ends when the channel is closed and empty; its only errors are those of waiting.
pub struct Receiver<T: 'static> {
    shared: Rc<Shared<T>>,
    /// The wait that the stream has begun.
    waiting: Option<Waiting<T>>,
}

/// What the `statistics` of either end tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStatistics {
    /// How many values are in the channel, with those that were promised to a task which has not run yet.
    pub len: usize,
    /// How many may wait there for a receiver.
    pub capacity: usize,
    /// How many handles for sending there are.
    pub senders: usize,
    /// How many handles for receiving there are.
    pub receivers: usize,
    /// How many tasks wait to send.
    pub senders_waiting: usize,
    /// How many tasks wait to receive and have not been promised a value.
    pub receivers_waiting: usize,
}

impl<T> Sender<T> {
    /// Sends a value, as soon as there is room for it or a receiver waits.
    ///
    /// # Errors
    /// [`SendError`], which hands the value back, if the channel is closed, also meanwhile; if the task is cancelled while it
    /// waits; `RuntimeError` or `NoRunningLoopError` if it would have to wait on another loop than the channel's, or on none. If
    /// the cancellation comes when the value has just been let in, the value is sent, and the error comes at the next await.
    #[track_caller]
    pub fn send(
        &self,
        value: T,
    ) -> impl core::future::Future<Output = Result<(), SendError<T>>> + use<T> {
        let (sender, at) = (self.clone(), Location::caller());
        async move {
            let value = match sender.try_send(value) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Closed(value)) => {
                    return Err(SendError::new(value, ChannelClosed));
                }
                Err(TrySendError::Full(value)) => value,
            };
            let sending = Sending::begin(&sender.shared, value)
                .map_err(|(value, error)| SendError::new(value, error))?;
            let woken = sending.sent().clone().woken_at(at).await;
            match (sending.take_back(), woken) {
                (None, woken) => {
                    woken.unwrap_or_else(|error| postpone(&error));
                    Ok(())
                }
                (Some(value), Ok(())) => Err(SendError::new(value, ChannelClosed)),
                (Some(value), Err(error)) => Err(SendError::new(value, error)),
            }
        }
    }

    /// Sends a value if there is room for it or a receiver waits.
    ///
    /// # Errors
    /// [`TrySendError`] if not, or if the channel is closed; it hands the value back.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.shared.try_send(value)
    }

    /// Closes the channel: nothing can be sent, and those who wait to send get their values back.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Returns true if nothing can be sent any more.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Returns how many values and handles there are, and how many tasks wait.
    pub fn statistics(&self) -> ChannelStatistics {
        self.shared.statistics()
    }
}

/// The value went while the error was on its way: the error comes at the task's next await that suspends.
fn postpone(error: &Exception) {
    let Some(task) = current_task() else {
        return;
    };
    let error = error.downcast_ref::<CancelledError>();
    match error.and_then(|error| error.message()) {
        Some(message) => task.cancel_with_message(message),
        None => task.cancel(),
    };
    // It was counted when it was asked for.
    task.uncancel();
}

impl<T> Receiver<T> {
    /// Receives the next value, as soon as there is one.
    ///
    /// # Errors
    /// [`ChannelClosed`] if the channel is closed and empty; `CancelledError` if the task is cancelled meanwhile. If the task
    /// has to wait: `RuntimeError` on another loop than the one the channel is bound to, `NoRunningLoopError` on none.
    #[track_caller]
    pub fn recv(&self) -> Recv<T> {
        Recv {
            receiver: self.clone(),
            at: Location::caller(),
        }
    }

    /// Receives the next value if there is one that was not promised to a task.
    ///
    /// # Errors
    /// [`TryRecvError`] if there is none, which tells whether the channel is closed as well.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.shared.try_recv()
    }

    /// Closes the channel: nothing can be sent, and what was sent can still be received.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Returns true if nothing can be sent any more; there may be values left.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Returns how many values and handles there are, and how many tasks wait.
    pub fn statistics(&self) -> ChannelStatistics {
        self.shared.statistics()
    }

    /// Polls for a value; who has to wait does so in the line `at`.
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
    ) -> Poll<Result<T>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                let woken = ready!(Pin::new(&mut waiting.awaiter).poll(cx));
                let receiving = self.waiting.take().map(|waiting| waiting.receiving);
                if let (Woken::Promised, Some(receiving)) = (woken?, receiving) {
                    return Poll::Ready(receiving.redeem());
                }
            }
            match self.try_recv() {
                Ok(value) => return Poll::Ready(Ok(value)),
                Err(TryRecvError::Closed) => return Poll::Ready(Err(ChannelClosed.into())),
                Err(TryRecvError::Empty) => self.waiting = Some(Waiting::begin(&self.shared, at)?),
            }
        }
    }
}

/// A wait for a value.
struct Waiting<T: 'static> {
    awaiter: Awaiter<Woken>,
    receiving: Receiving<T>,
}

impl<T> Waiting<T> {
    fn begin(shared: &Rc<Shared<T>>, at: &'static Location<'static>) -> Result<Self> {
        let receiving = Receiving::begin(shared)?;
        Ok(Self {
            awaiter: receiving.woken().clone().await_at(at),
            receiving,
        })
    }
}

/// What [`Receiver::recv`] gives, to be awaited.
#[must_use = "it receives when it is awaited"]
#[derive(Debug)]
pub struct Recv<T: 'static> {
    receiver: Receiver<T>,
    at: &'static Location<'static>,
}

impl<T> core::future::Future for Recv<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let at = self.at;
        self.receiver.poll_recv(cx, at)
    }
}

impl<T> Stream for Receiver<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let received = ready!(self.poll_recv(cx, Location::caller()));
        let is_over = received
            .as_ref()
            .is_err_and(|error| error.is::<ChannelClosed>());
        Poll::Ready((!is_over).then_some(received))
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        let senders = self.shared.senders();
        senders.set(senders.get() + 1);
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        let receivers = self.shared.receivers();
        receivers.set(receivers.get() + 1);
        Self {
            shared: self.shared.clone(),
            waiting: None,
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let senders = self.shared.senders();
        senders.set(senders.get() - 1);
        if senders.get() == 0 {
            self.shared.close();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let waiting = self.waiting.take();
        drop(waiting);
        let receivers = self.shared.receivers();
        receivers.set(receivers.get() - 1);
        if receivers.get() == 0 {
            self.shared.abandon();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.describe("Sender", f)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.describe("Receiver", f)
    }
}
