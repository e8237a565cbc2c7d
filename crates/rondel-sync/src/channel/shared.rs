//! What the ends of a channel share: the values in it, and who waits to send or to receive.
//!
//! # Invariants
//! - I1: A value is in the buffer, or in the parcel of a sender that waits, until the very poll that gives it to a receiver. So
//!   a receiver that goes away loses none.
//! - I2: A receiver is woken for one value, which is then promised: nobody who comes later is given it. If that receiver goes
//!   away, the promise passes to the next.
//! - I3: While a value is in the buffer that is not promised, no receiver waits; while there is room, no sender does. `settle`
//!   restores both.
//! - I4: A sender that waits owns its value until it is moved into the buffer; from then on it is sent.
//! - I5: No borrow of the buffer is held while a value is dropped or a future completed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use rondel_task::{Future, Result, Waiter};

use super::error::{TryRecvError, TrySendError};
use super::{ChannelClosed, ChannelStatistics};
use crate::loop_bound::LoopBound;
use crate::waiters::{InLine, Waiters};

pub(super) struct Shared<T: 'static> {
    buffer: RefCell<VecDeque<T>>,
    /// How many of the values in the buffer are promised (I2).
    promised: Cell<usize>,
    capacity: usize,
    closed: Cell<bool>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    sending: Waiters<Rc<Parcel<T>>>,
    receiving: Waiters<Future<Woken>>,
    bound: LoopBound,
}

/// What a receiver was woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// A value that is promised to it.
    Promised,
    /// The channel was closed.
    Closed,
}

/// A value whose sender waits for room.
pub(super) struct Parcel<T> {
    value: Cell<Option<T>>,
    sent: Waiter,
}

impl<T> InLine for Rc<Parcel<T>> {
    fn is_pending(&self) -> bool {
        self.sent.is_pending()
    }
}

impl<T> Shared<T> {
    /// A channel with one handle of each end.
    pub(super) fn new(capacity: usize) -> Rc<Self> {
        Rc::new(Self {
            buffer: RefCell::default(),
            promised: Cell::new(0),
            capacity,
            closed: Cell::new(false),
            senders: Cell::new(1),
            receivers: Cell::new(1),
            sending: Waiters::default(),
            receiving: Waiters::default(),
            bound: LoopBound::default(),
        })
    }

    pub(super) fn senders(&self) -> &Cell<usize> {
        &self.senders
    }

    pub(super) fn receivers(&self) -> &Cell<usize> {
        &self.receivers
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// How many values are in the buffer that nobody was promised.
    fn stored(&self) -> usize {
        self.buffer.borrow().len() - self.promised.get()
    }

    fn has_room(&self) -> bool {
        self.stored() < self.capacity || self.receiving.any_pending()
    }

    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.is_closed() {
            return Err(TrySendError::Closed(value));
        }
        if !self.has_room() {
            return Err(TrySendError::Full(value));
        }
        self.buffer.borrow_mut().push_back(value);
        self.settle();
        Ok(())
    }

    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        if self.stored() == 0 && !self.take_parcel() {
            return Err(match self.is_closed() {
                true => TryRecvError::Closed,
                false => TryRecvError::Empty,
            });
        }
        self.take_value().ok_or(TryRecvError::Empty)
    }

    /// Takes the first value, and lets in who waits for its room.
    fn take_value(&self) -> Option<T> {
        let value = self.buffer.borrow_mut().pop_front();
        self.settle();
        value
    }

    /// Moves the value of the first sender that waits into the buffer; false if there is none.
    fn take_parcel(&self) -> bool {
        while let Some(parcel) = self.sending.pop_pending() {
            if let Some(value) = parcel.value.take() {
                self.buffer.borrow_mut().push_back(value);
                parcel.sent.wake();
                return true;
            }
        }
        false
    }

    /// Gives receivers what is there and senders the room that is there (I3).
    fn settle(&self) {
        loop {
            if self.stored() > 0
                && let Some(receiver) = self.receiving.pop_pending()
            {
                self.promised.set(self.promised.get() + 1);
                // It is pending; the task of a closed loop is gone.
                let _ = receiver.set_result(Woken::Promised);
            } else if !(self.has_room() && self.take_parcel()) {
                return;
            }
        }
    }

    /// Nothing can be sent from here on: who waits is told so.
    pub(super) fn close(&self) {
        self.closed.set(true);
        while let Some(parcel) = self.sending.pop_pending() {
            parcel.sent.wake();
        }
        while let Some(receiver) = self.receiving.pop_pending() {
            // As above.
            let _ = receiver.set_result(Woken::Closed);
        }
    }

    /// Nobody will receive any more: drops what is in the channel.
    pub(super) fn abandon(&self) {
        self.close();
        let values = self.buffer.take();
        drop(values);
    }

    pub(super) fn statistics(&self) -> ChannelStatistics {
        ChannelStatistics {
            len: self.buffer.borrow().len(),
            capacity: self.capacity,
            senders: self.senders.get(),
            receivers: self.receivers.get(),
            senders_waiting: self.sending.pending(),
            receivers_waiting: self.receiving.pending(),
        }
    }

    pub(super) fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statistics = self.statistics();
        let ChannelStatistics { len, capacity, .. } = statistics;
        write!(f, "<{name} capacity={capacity} len={len}")?;
        if statistics.senders_waiting > 0 {
            write!(f, " sending[{}]", statistics.senders_waiting)?;
        }
        if statistics.receivers_waiting > 0 {
            write!(f, " receiving[{}]", statistics.receivers_waiting)?;
        }
        f.write_str(if self.is_closed() { " closed>" } else { ">" })
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe("channel", f)
    }
}

/// A sender that waits; dropped, it leaves the line, with its value if that was not sent.
pub(super) struct Sending<'a, T: 'static> {
    shared: &'a Shared<T>,
    parcel: Rc<Parcel<T>>,
}

impl<'a, T> Sending<'a, T> {
    /// Stands in line with `value`, which comes back if there is no loop to wait on.
    pub(super) fn begin(
        shared: &'a Shared<T>,
        value: T,
    ) -> Result<Self, (T, rondel_task::Exception)> {
        let sent = match shared.bound.create_waiter(shared) {
            Ok(sent) => sent,
            Err(error) => return Err((value, error)),
        };
        let value = Cell::new(Some(value));
        let parcel = Rc::new(Parcel { value, sent });
        shared.sending.push(parcel.clone());
        Ok(Self { shared, parcel })
    }

    pub(super) fn sent(&self) -> &Waiter {
        &self.parcel.sent
    }

    /// The value, unless it was sent (I4).
    pub(super) fn take_back(&self) -> Option<T> {
        self.parcel.value.take()
    }
}

impl<T> Drop for Sending<'_, T> {
    fn drop(&mut self) {
        let own = &self.parcel;
        self.shared.sending.remove(|parcel| Rc::ptr_eq(parcel, own));
    }
}

/// A receiver that waits; dropped, it leaves the line, and what it was promised goes to the next (I2).
pub(super) struct Receiving<T: 'static> {
    shared: Rc<Shared<T>>,
    woken: Future<Woken>,
    is_over: bool,
}

impl<T> Receiving<T> {
    pub(super) fn begin(shared: &Rc<Shared<T>>) -> Result<Self> {
        let woken: Future<Woken> = shared.bound.create_future(shared)?;
        shared.receiving.push(woken.clone());
        Ok(Self {
            shared: shared.clone(),
            woken,
            is_over: false,
        })
    }

    pub(super) fn woken(&self) -> &Future<Woken> {
        &self.woken
    }

    /// Takes the value that was promised.
    pub(super) fn redeem(mut self) -> Result<T> {
        self.is_over = true;
        self.shared.promised.set(self.shared.promised.get() - 1);
        Ok(self.shared.take_value().ok_or(ChannelClosed)?)
    }
}

impl<T> Drop for Receiving<T> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        match self.woken.result() {
            Ok(Woken::Promised) => {
                self.shared.promised.set(self.shared.promised.get() - 1);
                self.shared.settle();
            }
            Ok(Woken::Closed) => {}
            Err(_) => self
                .shared
                .receiving
                .remove(|woken| woken.ptr_eq(&self.woken)),
        }
    }
}
