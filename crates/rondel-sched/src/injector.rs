//! The entrance for other threads.
//!
//! A message goes through a channel; the scheduler moves it into the ready queue when it is told to [`receive`](crate::Scheduler::receive).
//! Who waits for messages, and how it is woken, is the business of the `notify` closure: the reactor writes to an eventfd there.
//!
//! # The protocol
//!
//! ```text
//!   sender: push the message; if pending was false, swapping it to true: notify
//!   receiver: if pending: swap it to false; then move what the channel holds
//! ```
//!
//! A sender that finds `pending` set leaves the notification to the one who set it.
//! Both swaps are read-modify-writes of one atomic, so they are ordered: a sender that came first has its message seen by the receiver's look into the
//! channel behind the swap, and a sender that came second found false and notifies (I5).

use std::{
    fmt,
    panic::Location,
    sync::atomic::{AtomicBool, Ordering},
};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::{ClosedError, Token};

/// What another thread may send to a scheduler.
pub enum Message {
    /// Puts this token into the ready queue.
    Wake(Token),
    /// Puts this callback into the ready queue; it runs in an empty context.
    Call(Box<dyn FnOnce() + Send>),
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wake(token) => f.debug_tuple("Wake").field(token).finish(),
            Self::Call(_) => f.write_str("Call(..)"),
        }
    }
}

/// The thread-safe entrance of a [`Scheduler`](crate::Scheduler): takes messages from any thread and outlives the scheduler.
pub struct Injector {
    sender: Sender<Envelope>,
    /// Whether somebody was notified and the receiver has not answered yet.
    pending: AtomicBool,
    notify: Box<dyn Fn() + Send + Sync>,
}

/// A message, and the line that sent it.
pub(crate) struct Envelope {
    pub(crate) message: Message,
    pub(crate) location: &'static Location<'static>,
}

impl Injector {
    pub(crate) fn new(notify: Box<dyn Fn() + Send + Sync>) -> (Self, Receiver<Envelope>) {
        let (sender, receiver) = unbounded();
        (
            Self {
                sender,
                pending: AtomicBool::new(false),
                notify,
            },
            receiver,
        )
    }

    /// Sends a message; messages of one thread arrive in order.
    ///
    /// Only the first message since the scheduler last received notifies it; the others are found beside it.
    /// A message that was accepted while the scheduler closes may be dropped without having run.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the scheduler is closed or gone; the message is dropped.
    #[track_caller]
    pub fn send(&self, message: Message) -> Result<(), ClosedError> {
        let envelope = Envelope {
            message,
            location: Location::caller(),
        };
        self.sender.send(envelope).map_err(|_| ClosedError)?;
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.notify();
        }
        Ok(())
    }

    /// Notifies whoever waits for messages, without sending one.
    pub fn notify(&self) {
        (self.notify)();
    }

    /// Whether something may have been sent since the last [`answer`](Self::answer): one relaxed load.
    #[inline]
    pub(crate) fn pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed)
    }

    /// Takes back `pending`: from here on a sender notifies again, and whatever was sent before is in the channel.
    pub(crate) fn answer(&self) {
        self.pending.swap(false, Ordering::AcqRel);
    }
}

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injector")
            .field("sent", &self.sender.len())
            .field("pending", &self.pending())
            .finish_non_exhaustive()
    }
}
