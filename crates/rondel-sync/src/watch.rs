//! `watch`: the latest value, for as many tasks as want to know when it changes.
//!
//! Values that are replaced before a receiver looks are not seen by it; for every value, there is `broadcast`.
//!
//! # Invariants
//! - I1: Values are handed out as shared pointers: no borrow is held while code of the user runs, and a value that is replaced
//!   lives as long as somebody looks at it.
//! - I2: The version grows with every value sent. A receiver that has seen less than the version is not made to wait.
//!
//! # asyncio
//! It has none; a `Condition` with `notify_all` comes near. The names are those of tokio's `watch`, whose `borrow` holds a lock.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use rondel_task::Result;

use crate::channel::{ChannelClosed, SendError};
use crate::loop_bound::LoopBound;
use crate::waiters::Waiters;

/// Makes a channel that always has a value, `value` to begin with, which a receiver has not to be told of.
///
/// # Examples
/// ```
/// use rondel_sync::watch;
/// use rondel_task::{create_task, run};
///
/// let seen = run(async {
///     let (level, mut receiver) = watch::channel("info");
///     create_task(async move { Ok(level.send("debug")?) })?;
///     let before = *receiver.borrow();
///     receiver.changed().await?;
///     Ok((before, *receiver.borrow()))
/// });
/// assert_eq!(seen.unwrap(), ("info", "debug"));
/// ```
pub fn channel<T: 'static>(value: T) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        value: RefCell::new(Rc::new(value)),
        version: Cell::new(0),
        senders: Cell::new(1),
        receivers: Cell::new(0),
        waiters: Waiters::default(),
        bound: LoopBound::default(),
    });
    let sender = Sender { shared };
    let receiver = sender.subscribe();
    (sender, receiver)
}

struct Shared<T> {
    value: RefCell<Rc<T>>,
    version: Cell<u64>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    waiters: Waiters,
    bound: LoopBound,
}

/// Sets the value of a [`watch::channel`](channel): a handle, of which clones set the same.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// Sees the value of a [`watch::channel`](channel). Each clone keeps for itself what it has seen.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    seen: u64,
}

/// What the `statistics` of either end tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchStatistics {
    /// How many values were sent after the first.
    pub version: u64,
    /// How many handles for sending there are.
    pub senders: usize,
    /// How many handles for receiving there are.
    pub receivers: usize,
    /// How many tasks wait for a change.
    pub tasks_waiting: usize,
}

impl<T> Sender<T> {
    /// Sets the value and wakes all who wait for a change, in the order in which they came.
    ///
    /// # Errors
    /// [`SendError`] if there is no receiver; it hands the value back, and the one before stays.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.shared.receivers.get() == 0 {
            return Err(SendError::new(value, ChannelClosed));
        }
        self.replace(value);
        Ok(())
    }

    /// Sets the value, also where there is no receiver, for those that [`subscribe`](Self::subscribe) later; gives the one before.
    pub fn replace(&self, value: T) -> Rc<T> {
        let version = &self.shared.version;
        let before = self.shared.value.replace(Rc::new(value));
        version.set(version.get() + 1);
        self.shared.waiters.wake(usize::MAX);
        before
    }

    /// Returns the value.
    pub fn borrow(&self) -> Rc<T> {
        self.shared.latest()
    }

    /// Makes another receiver, which has seen the value that there is now.
    pub fn subscribe(&self) -> Receiver<T> {
        let receivers = &self.shared.receivers;
        receivers.set(receivers.get() + 1);
        Receiver {
            shared: self.shared.clone(),
            seen: self.shared.version.get(),
        }
    }

    /// Returns how many values were sent, how many handles there are, and how many tasks wait.
    pub fn statistics(&self) -> WatchStatistics {
        self.shared.statistics()
    }
}

impl<T> Receiver<T> {
    /// Returns the value; it may still count as not seen, see [`borrow_and_update`](Self::borrow_and_update).
    pub fn borrow(&self) -> Rc<T> {
        self.shared.latest()
    }

    /// Returns the value, which from now on is seen.
    pub fn borrow_and_update(&mut self) -> Rc<T> {
        self.seen = self.shared.version.get();
        self.shared.latest()
    }

    /// Returns true if a value was sent that this receiver has not seen.
    pub fn has_changed(&self) -> bool {
        self.seen < self.shared.version.get()
    }

    /// Waits until a value is sent that this receiver has not seen; from then on it is seen. If there is one, that is at once.
    ///
    /// Cancelled, it has seen nothing.
    ///
    /// # Errors
    /// [`ChannelClosed`] if the last sender is gone and everything is seen; `CancelledError` if the task is cancelled meanwhile.
    /// If the task has to wait: `RuntimeError` on another loop than the one the channel is bound to, `NoRunningLoopError` on
    /// none.
    #[track_caller]
    pub fn changed(&mut self) -> impl Future<Output = Result<()>> {
        self.changed_at(Location::caller())
    }

    /// As `changed`, in the line `at`.
    async fn changed_at(&mut self, at: &'static Location<'static>) -> Result<()> {
        while !self.has_changed() {
            if self.shared.senders.get() == 0 {
                return Err(ChannelClosed.into());
            }
            let waiter = self.shared.bound.create_waiter(&self.shared)?;
            self.shared.waiters.enlist(waiter, at).await?;
        }
        self.seen = self.shared.version.get();
        Ok(())
    }

    /// Waits until `predicate` is true for the value, and gives that value, which then is seen. If it is true for the one that
    /// there is, that is at once.
    ///
    /// # Errors
    /// As [`changed`](Self::changed).
    #[track_caller]
    pub fn wait_for(
        &mut self,
        mut predicate: impl FnMut(&T) -> bool,
    ) -> impl Future<Output = Result<Rc<T>>> {
        let at = Location::caller();
        async move {
            loop {
                let value = self.borrow_and_update();
                if predicate(&value) {
                    return Ok(value);
                }
                self.changed_at(at).await?;
            }
        }
    }

    /// Returns how many values were sent, how many handles there are, and how many tasks wait.
    pub fn statistics(&self) -> WatchStatistics {
        self.shared.statistics()
    }
}

impl<T> Shared<T> {
    fn latest(&self) -> Rc<T> {
        self.value.borrow().clone()
    }

    fn statistics(&self) -> WatchStatistics {
        WatchStatistics {
            version: self.version.get(),
            senders: self.senders.get(),
            receivers: self.receivers.get(),
            tasks_waiting: self.waiters.pending(),
        }
    }

    fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.get();
        self.waiters.fmt(f, name, format_args!("version:{version}"))
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe("watch", f)
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
        Self {
            shared: self.shared.clone(),
            seen: self.seen,
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
        let receivers = &self.shared.receivers;
        receivers.set(receivers.get() - 1);
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
