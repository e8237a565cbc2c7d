//! `broadcast`: every value to every receiver, and who is too slow is told how many it has missed.
//!
//! # Invariants
//! - I1: A value is kept until every receiver that was there when it was sent has had it or is gone, and no longer than until
//!   `capacity` others were sent after it.
//! - I2: Values are cloned, and dropped, while nothing is borrowed. The last receiver of the oldest value gets it without a clone.
//!
//! # asyncio
//! It has none. The names are those of tokio's `broadcast`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use rondel_task::{Result, ValueError, Woken};

use crate::channel::{ChannelClosed, SendError, TryRecvError};
use crate::loop_bound::LoopBound;
use crate::waiters::Waiters;

/// Makes a channel that keeps the last `capacity` values for the receivers that have not had them.
///
/// Sending never waits: where a value has no room, the oldest makes room, and the receivers that have not had it are told so by
/// [`Lagged`].
///
/// # Errors
/// [`ValueError`] for a capacity of 0.
///
/// # Examples
/// ```
/// use rondel_sync::broadcast;
/// use rondel_task::run;
///
/// run(async {
///     let (news, mut first) = broadcast::channel(16)?;
///     let mut second = news.subscribe();
///     news.send("rain")?;
///     assert_eq!(first.recv().await?, "rain");
///     assert_eq!(second.recv().await?, "rain");
///     Ok(())
/// })?;
/// # Ok::<(), rondel_task::Exception>(())
/// ```
pub fn channel<T: 'static>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), ValueError> {
    if capacity == 0 {
        return Err(ValueError::new(
            "the capacity of a broadcast must be at least 1",
        ));
    }
    let shared = Rc::new(Shared {
        slots: RefCell::default(),
        first: Cell::new(0),
        capacity,
        senders: Cell::new(1),
        receivers: Cell::new(0),
        waiters: Waiters::default(),
        bound: LoopBound::default(),
    });
    let sender = Sender { shared };
    let receiver = sender.subscribe();
    Ok((sender, receiver))
}

struct Shared<T> {
    slots: RefCell<VecDeque<Slot<T>>>,
    /// The number of the first slot: how many values were sent before it.
    first: Cell<u64>,
    capacity: usize,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    waiters: Waiters,
    bound: LoopBound,
}

/// A value, and how many receivers have still to get it.
struct Slot<T> {
    value: Rc<T>,
    left: usize,
}

/// Sends values to every receiver of a [`broadcast::channel`](channel): a handle, of which clones send to the same.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// Receives every value that is sent into a [`broadcast::channel`](channel) from when it was made.
///
/// A clone has still to get what this has still to get. It is a [`Stream`] as well, which ends when the channel is closed; after
/// a [`Lagged`] it goes on.
pub struct Receiver<T: 'static> {
    shared: Rc<Shared<T>>,
    /// The number of the next value.
    next: u64,
    waiting: Option<Waiting<T>>,
}

/// Says that a receiver was too slow, and how many values it has missed; the oldest that is left comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged(u64);

impl Lagged {
    /// Returns how many values were missed.
    pub fn count(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the receiver was too slow and has missed {} values",
            self.0
        )
    }
}

impl Error for Lagged {}

/// What the `statistics` of either end tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BroadcastStatistics {
    /// How many values are kept for receivers that have not had them.
    pub len: usize,
    /// How many are kept at the most.
    pub capacity: usize,
    /// How many values were sent.
    pub sent: u64,
    /// How many handles for sending there are.
    pub senders: usize,
    /// How many receivers there are.
    pub receivers: usize,
    /// How many tasks wait for a value.
    pub tasks_waiting: usize,
}

impl<T> Sender<T> {
    /// Sends a value to every receiver, and returns how many there are.
    ///
    /// # Errors
    /// [`SendError`] if there is none; it hands the value back.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let receivers = self.shared.receivers.get();
        if receivers == 0 {
            return Err(SendError::new(value, ChannelClosed));
        }
        let oldest = self.shared.push(value, receivers);
        self.shared.waiters.wake(usize::MAX);
        drop(oldest);
        Ok(receivers)
    }

    /// Makes another receiver, for the values that are sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        let receivers = &self.shared.receivers;
        receivers.set(receivers.get() + 1);
        Receiver {
            shared: self.shared.clone(),
            next: self.shared.sent(),
            waiting: None,
        }
    }

    /// Returns how many values and handles there are, and how many tasks wait.
    pub fn statistics(&self) -> BroadcastStatistics {
        self.shared.statistics()
    }
}

impl<T: Clone> Receiver<T> {
    /// Receives the next value, as soon as there is one. Cancelled, it has received nothing.
    ///
    /// # Errors
    /// [`Lagged`] if values were missed, once; [`ChannelClosed`] if the last sender is gone and everything was received;
    /// `CancelledError` if the task is cancelled meanwhile. If the task has to wait: `RuntimeError` on another loop than the one
    /// the channel is bound to, `NoRunningLoopError` on none.
    #[track_caller]
    pub fn recv(&mut self) -> impl core::future::Future<Output = Result<T>> {
        let at = Location::caller();
        std::future::poll_fn(move |cx| self.poll_recv(cx, at))
    }

    /// Receives the next value if there is one.
    ///
    /// # Errors
    /// [`Lagged`] if values were missed, once; [`TryRecvError`] if there is no value.
    pub fn try_recv(&mut self) -> Result<T> {
        let value = self.take_next()?;
        let value = value.ok_or(match self.shared.senders.get() {
            0 => TryRecvError::Closed,
            _ => TryRecvError::Empty,
        })?;
        Ok(Rc::unwrap_or_clone(value))
    }

    /// Polls for a value; who has to wait does so in the line `at`.
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
    ) -> Poll<Result<T>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                let woken = ready!(Pin::new(&mut waiting.woken).poll(cx));
                let waiting = self.waiting.take();
                drop(waiting);
                woken?;
            }
            if let Some(value) = self.take_next()? {
                return Poll::Ready(Ok(Rc::unwrap_or_clone(value)));
            }
            if self.shared.senders.get() == 0 {
                return Poll::Ready(Err(ChannelClosed.into()));
            }
            self.waiting = Some(Waiting::begin(&self.shared, at)?);
        }
    }
}

impl<T> Receiver<T> {
    /// Returns how many values and handles there are, and how many tasks wait.
    pub fn statistics(&self) -> BroadcastStatistics {
        self.shared.statistics()
    }

    fn take_next(&mut self) -> Result<Option<Rc<T>>, Lagged> {
        let first = self.shared.first.get();
        if self.next < first {
            let missed = first - self.next;
            self.next = first;
            return Err(Lagged(missed));
        }
        let value = self.shared.take(self.next);
        self.next += u64::from(value.is_some());
        Ok(value)
    }
}

impl<T> Shared<T> {
    fn sent(&self) -> u64 {
        self.first.get() + self.slots.borrow().len() as u64
    }

    /// Puts a value behind the others; gives the oldest one if that had to make room.
    fn push(&self, value: T, left: usize) -> Option<Slot<T>> {
        let mut slots = self.slots.borrow_mut();
        let oldest = match slots.len() == self.capacity {
            true => slots.pop_front(),
            false => None,
        };
        self.first
            .set(self.first.get() + u64::from(oldest.is_some()));
        let value = Rc::new(value);
        slots.push_back(Slot { value, left });
        oldest
    }

    /// A receiver gets the value of this number, or lets it go by; the last takes it out.
    fn take(&self, number: u64) -> Option<Rc<T>> {
        let mut slots = self.slots.borrow_mut();
        let place = usize::try_from(number - self.first.get()).ok()?;
        let slot = slots.get_mut(place)?;
        slot.left -= 1;
        if slot.left > 0 || place > 0 {
            return Some(slot.value.clone());
        }
        let mut taken = Vec::new();
        while slots.front().is_some_and(|slot| slot.left == 0) {
            taken.extend(slots.pop_front().map(|slot| slot.value));
        }
        drop(slots);
        self.first.set(self.first.get() + taken.len() as u64);
        // Those behind the first were taken before.
        taken.drain(1..);
        taken.pop()
    }

    fn statistics(&self) -> BroadcastStatistics {
        BroadcastStatistics {
            len: self.slots.borrow().len(),
            capacity: self.capacity,
            sent: self.sent(),
            senders: self.senders.get(),
            receivers: self.receivers.get(),
            tasks_waiting: self.waiters.pending(),
        }
    }

    fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, capacity) = (self.slots.borrow().len(), self.capacity);
        self.waiters
            .fmt(f, name, format_args!("len:{len}, capacity:{capacity}"))
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe("broadcast", f)
    }
}

/// A wait for a value; dropped, it leaves the list.
struct Waiting<T: 'static> {
    shared: Rc<Shared<T>>,
    woken: Woken,
}

impl<T> Waiting<T> {
    fn begin(shared: &Rc<Shared<T>>, at: &'static Location<'static>) -> Result<Self> {
        let waiter = shared.bound.create_waiter(shared)?;
        shared.waiters.push(waiter.clone());
        Ok(Self {
            shared: shared.clone(),
            woken: waiter.woken_at(at),
        })
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        let woken = &self.woken;
        self.shared.waiters.remove(|waiter| woken.is_for(waiter));
    }
}

impl<T: Clone> Stream for Receiver<T> {
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
        let senders = &self.shared.senders;
        senders.set(senders.get() + 1);
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        let receivers = &self.shared.receivers;
        receivers.set(receivers.get() + 1);
        let first = self.shared.first.get();
        let to_come = usize::try_from(self.next.saturating_sub(first)).unwrap_or(usize::MAX);
        for slot in self.shared.slots.borrow_mut().iter_mut().skip(to_come) {
            slot.left += 1;
        }
        Self {
            shared: self.shared.clone(),
            next: self.next,
            waiting: None,
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let senders = &self.shared.senders;
        senders.set(senders.get() - 1);
        if senders.get() == 0 {
            self.shared.waiters.wake(usize::MAX);
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let waiting = self.waiting.take();
        drop(waiting);
        let receivers = &self.shared.receivers;
        receivers.set(receivers.get() - 1);
        // What it has still to get goes by, but not what the destructors of values may send.
        let sent = self.shared.sent();
        while self.next < sent {
            let value = self.take_next();
            drop(value);
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
