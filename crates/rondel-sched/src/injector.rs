//! The entrance for other threads.
//!
//! A message goes through a channel; the scheduler moves it into the ready queue when it is told to [`receive`](crate::Scheduler::receive).
//! Who waits for messages, and how it is woken, is the business of the `notify` closure: the reactor writes to an eventfd there.
//!
//! # The protocol
//!
//! ```text
//!              send: notify                    stay_awake
//!   Quiet ----------------------> Pending  Quiet --------> Awake
//!     ^                            ^   |     ^                |
//!     |       receive (resting)    |   |     +----------------+
//!     +----------------------------|---+         may_sleep
//!                                  |   |
//!   Awake -------------------------+   +------> Awake
//!            send: nobody is told        receive (resting)
//! ```
//!
//! - A sender pushes its message and swaps the state to `Pending`; if it was `Quiet`, it notifies.
//! - The receiver swaps `Pending` to the state it rests in, and then moves what the channel holds.
//! - A receiver that looks into the channel again and again rests in `Awake`, where nobody has to notify it. Before it sleeps it goes from `Awake` to
//!   `Quiet`; if it finds `Pending` instead it must not sleep.
//!
//! All of these are read-modify-writes of one atomic, so they are ordered: a sender that came first has its message seen by the receiver's look into the
//! channel behind the swap, and a sender that came second finds `Quiet` and notifies, or `Awake`, behind which the receiver looks once more (I5).

use std::{
    fmt,
    panic::Location,
    sync::atomic::{AtomicU8, Ordering},
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
    state: AtomicU8,
    notify: Box<dyn Fn() + Send + Sync>,
}

/// What a receiver does when nothing was sent: the state that it rests in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It may be asleep, and has to be notified.
    Quiet = 0,
    /// It looks into the channel by itself.
    Awake = 1,
}

/// Something was sent, and the receiver has not answered yet.
const PENDING: u8 = 2;

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
                state: AtomicU8::new(Rest::Quiet as u8),
                notify,
            },
            receiver,
        )
    }

    /// Sends a message; messages of one thread arrive in order.
    ///
    /// Only the first message since the scheduler last received notifies it, and none while it [stays awake](crate::Scheduler::stay_awake); the others are
    /// found beside it.
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
        if self.state.swap(PENDING, Ordering::AcqRel) == Rest::Quiet as u8 {
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
        self.state.load(Ordering::Relaxed) == PENDING
    }

    /// Takes back `Pending`: whatever was sent before is in the channel.
    pub(crate) fn answer(&self, rest: Rest) {
        self.state.swap(rest as u8, Ordering::AcqRel);
    }

    /// Changes the state that the receiver rests in; false if something is pending, which it has to receive first.
    pub(crate) fn rest(&self, rest: Rest) -> bool {
        let other = match rest {
            Rest::Quiet => Rest::Awake,
            Rest::Awake => Rest::Quiet,
        };
        let changed = self.state.compare_exchange(
            other as u8,
            rest as u8,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        changed.is_ok() || changed == Err(rest as u8)
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
