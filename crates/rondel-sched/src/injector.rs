//! The entrance for other threads.
//!
//! Messages wait in a mailbox; the scheduler moves them into the ready queue when it is told to [`receive`](crate::Scheduler::receive).
//! Who waits for messages, and how it is woken, is the business of the `notify` closure: the reactor writes to an eventfd there.
//!
//! # The protocol
//!
//! ```text
//!           send: notify                           send
//!   Quiet, empty --> Quiet, pending      Awake, empty --> Awake, pending
//!        ^                |                   ^                |
//!        +----------------+                   +----------------+
//!             receive                              receive
//!
//!   stay_awake: from Quiet to Awake      may_sleep: from Awake to Quiet; false if something is pending
//! ```
//!
//! - A sender that finds the mailbox empty marks it as pending, and notifies a receiver that is `Quiet`.
//! - A receiver that looks at the mark again and again is `Awake`, and nobody has to notify it. It becomes `Quiet` before it sleeps; what is pending then it
//!   has to receive first.
//!
//! Mailbox and mark are changed under one lock, which is held for a push or a swap. A receiver takes all that is there at once, so in the time that it takes to
//! run what it got, senders have the lock to themselves; a queue without a lock makes a sender take turns with the receiver at every message.
//!
//! # Invariants
//!
//! - M1. No code of the user runs under the lock: a message that is refused is dropped behind it, and the notification comes behind it.
//! - M2. While the lock is free, the mark says whether there is a message. The receiver alone takes it back, so where it reads none, there is nothing that
//!   was sent before.
//! - M3. A closed mailbox is empty.

use std::{
    cell::Cell,
    fmt, mem,
    panic::Location,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    ClosedError, Token,
    messages::{Call, Messages, Received},
};

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
    /// The mark (M2).
    pending: Apart<AtomicBool>,
    mailbox: Apart<Mutex<Mailbox>>,
    notify: Box<dyn Fn() + Send + Sync>,
}

/// Keeps its content in cache lines of its own: the receiver looks at the mark all the time, and would take the mailbox away from the senders with it.
#[repr(align(128))]
struct Apart<T>(T);

/// What was sent and not received yet.
struct Mailbox {
    messages: Messages,
    rest: Rest,
}

/// What the receiver does while nothing is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It may be asleep, and has to be notified.
    Quiet,
    /// It looks at the mark by itself.
    Awake,
    /// It is gone, and messages are refused.
    Closed,
}

/// The scheduler's end; dropping it closes the entrance.
pub(crate) struct Receiver {
    injector: Arc<Injector>,
    /// The memory of what was received last, for what is sent next.
    spare: Cell<Messages>,
}

/// How many bytes are kept for messages to come, and as many for what is in them beyond a word.
const KEPT_BYTES: usize = 32 << 10;

impl Injector {
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
        let location = Location::caller();
        let mut mailbox = self.mailbox();
        // Who is not the first finds all done, and the mailbox open (M3).
        let first_for = mailbox.messages.is_empty().then_some(mailbox.rest);
        if first_for == Some(Rest::Closed) {
            drop(mailbox);
            return Err(ClosedError);
        }
        mailbox.messages.push(message, location);
        if first_for.is_some() {
            self.pending.0.store(true, Ordering::Relaxed);
        }
        drop(mailbox);
        if first_for == Some(Rest::Quiet) {
            self.notify();
        }
        Ok(())
    }

    /// Notifies whoever waits for messages, without sending one.
    pub fn notify(&self) {
        (self.notify)();
    }

    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        let mailbox = self.mailbox.0.lock();
        mailbox.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.mailbox().messages.len();
        f.debug_struct("Injector")
            .field("sent", &sent)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    pub(crate) fn new(notify: Box<dyn Fn() + Send + Sync>) -> Self {
        let mailbox = Mailbox {
            messages: Messages::default(),
            rest: Rest::Quiet,
        };
        let injector = Injector {
            pending: Apart(AtomicBool::new(false)),
            mailbox: Apart(Mutex::new(mailbox)),
            notify,
        };
        Self {
            injector: Arc::new(injector),
            spare: Cell::default(),
        }
    }

    pub(crate) fn injector(&self) -> &Arc<Injector> {
        &self.injector
    }

    /// Whether something was sent: one relaxed load (M2).
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.injector.pending.0.load(Ordering::Relaxed)
    }

    /// Gives `each` what was sent until now, in order.
    pub(crate) fn receive(&self, each: impl FnMut(Received)) {
        let spare = self.spare.take();
        let mut sent = self.empty(&mut self.injector.mailbox(), spare);
        sent.drain(each);
        sent.trim(KEPT_BYTES);
        self.spare.set(sent);
    }

    /// Changes what the receiver does while nothing is sent; false if something was, which it has to receive first.
    pub(crate) fn rest(&self, rest: Rest) -> bool {
        let mut mailbox = self.injector.mailbox();
        if mailbox.rest != Rest::Closed {
            mailbox.rest = rest;
        }
        mailbox.messages.is_empty()
    }

    /// Refuses whatever is sent from now on, and gives what nobody will receive.
    pub(crate) fn close(&self) -> Vec<Call> {
        let mut mailbox = self.injector.mailbox();
        mailbox.rest = Rest::Closed;
        self.empty(&mut mailbox, Messages::default()).into_calls()
    }

    /// Takes all messages, and the mark back with them (M2).
    fn empty(&self, mailbox: &mut Mailbox, spare: Messages) -> Messages {
        self.injector.pending.0.store(false, Ordering::Relaxed);
        mem::replace(&mut mailbox.messages, spare)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.close());
    }
}

#[cfg(test)]
mod tests {
    use std::{array, sync::atomic::AtomicUsize};

    use super::*;

    #[derive(Clone, Copy)]
    enum Act {
        Send,
        Receive,
        StayAwake,
        MaySleep,
        Close,
    }
    use Act::{Close, MaySleep, Receive, Send, StayAwake};

    /// Every act is one critical section, so that what threads can do is what sequences of them can do.
    #[test]
    fn nobody_sleeps_on_a_message_in_any_sequence() {
        const ACTS: [Act; 5] = [Send, Receive, StayAwake, MaySleep, Close];
        const LENGTH: usize = 7;
        for number in 0..ACTS.len().pow(LENGTH as u32) {
            let act = |place: usize| ACTS[number / ACTS.len().pow(place as u32) % ACTS.len()];
            check(array::from_fn::<_, LENGTH, _>(act));
        }
    }

    fn check(acts: impl IntoIterator<Item = Act>) {
        let rung = Arc::new(AtomicUsize::new(0));
        let bell = rung.clone();
        let receiver = super::Receiver::new(Box::new(move || {
            bell.fetch_add(1, Ordering::Relaxed);
        }));
        let (mut sent, mut received, mut rest) = (0, 0, Rest::Quiet);
        // Whether the receiver knows of what it has not received.
        let mut told = false;
        for act in acts {
            rung.store(0, Ordering::Relaxed);
            match act {
                Send => {
                    let message = Message::Wake(Token::from_bits(sent));
                    let accepted = receiver.injector().send(message).is_ok();
                    assert_eq!(accepted, rest != Rest::Closed);
                    sent += u64::from(accepted);
                }
                Receive => receiver.receive(|message| {
                    let next = Token::from_bits(received);
                    assert!(matches!(message, Received::Wake(token) if token == next));
                    received += 1;
                }),
                StayAwake | MaySleep => {
                    let wanted = match act {
                        StayAwake => Rest::Awake,
                        _ => Rest::Quiet,
                    };
                    told |= !receiver.rest(wanted);
                    if rest != Rest::Closed {
                        rest = wanted;
                    }
                }
                Close => {
                    // What was sent are tokens alone.
                    assert!(receiver.close().is_empty());
                    received = sent;
                    rest = Rest::Closed;
                }
            }
            let rung = rung.load(Ordering::Relaxed);
            assert!(rung == 0 || rung == 1 && rest == Rest::Quiet && !told);
            let pending = received < sent;
            told = pending && (told || rung == 1);
            assert_eq!(receiver.is_pending(), pending);
            assert!(!pending || told || rest == Rest::Awake);
        }
    }
}
