//! `CapacityLimiter`: how many may do something at once, such as occupy a thread.
//!
//! # Invariants
//! - I1: Where somebody waits all tokens are borrowed: a token that comes back goes to the first who waits.
//! - I2: A token is a value, also on its way to the one who waits: whoever drops it, that task's end or its cancellation, gives
//!   it back.
//!
//! # asyncio
//! It has none. This is Trio's and AnyIO's `CapacityLimiter`; `acquire_on_behalf_of` is not needed where a token can be moved.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::awaiter::Take;
use crate::exception::Result;
use crate::future::Future;
use crate::running;

/// Lends a number of tokens to those who ask, in the order in which they ask: a handle, of which clones are the same limiter.
///
/// It is no lock: how many tokens there are can be changed while they are borrowed, and a token may be given back by another
/// task than the one that borrowed it. [`ToThread::limiter`](crate::ToThread::limiter) bounds how many threads a kind of work
/// takes.
///
/// Mirrors AnyIO's
/// [`CapacityLimiter`](https://anyio.readthedocs.io/en/stable/api.html#anyio.CapacityLimiter).
///
/// # Examples
/// ```
/// use rondel_task::{CapacityLimiter, run};
///
/// let limiter = CapacityLimiter::new(2);
/// run(async move {
///     let first = limiter.acquire().await?;
///     let _second = limiter.acquire().await?;
///     assert!(limiter.acquire_nowait().is_err());
///     drop(first);
///     assert_eq!(limiter.available_tokens(), 1);
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Clone)]
pub struct CapacityLimiter(Rc<Shared>);

struct Shared {
    total: Cell<usize>,
    borrowed: Cell<usize>,
    /// Those who wait, in the order of asking.
    waiters: RefCell<BTreeMap<u64, Future<CapacityToken>>>,
    last: Cell<u64>,
}

impl CapacityLimiter {
    /// Makes a limiter of so many tokens; with `usize::MAX` it limits nothing.
    #[must_use]
    pub fn new(total_tokens: usize) -> Self {
        Self(Rc::new(Shared {
            total: Cell::new(total_tokens),
            borrowed: Cell::new(0),
            waiters: RefCell::default(),
            last: Cell::new(0),
        }))
    }

    /// Borrows a token, and waits until there is one; it is given back when it is dropped.
    ///
    /// # Errors
    /// `CancelledError` if the task is cancelled meanwhile; `NoRunningLoopError` if it would have to wait and no loop is running.
    #[track_caller]
    pub fn acquire(&self) -> impl core::future::Future<Output = Result<CapacityToken>> {
        self.acquire_at(Location::caller())
    }

    /// As `acquire`, in the line `at`.
    pub(super) async fn acquire_at(&self, at: &'static Location<'static>) -> Result<CapacityToken> {
        if let Ok(token) = self.acquire_nowait() {
            return Ok(token);
        }
        let lent = Future::new(running::running_core()?);
        let _waiting = self.0.wait_with(lent.clone());
        // The queue's handle and that of the await are left: what comes is nobody's but theirs (I2).
        Take::new(lent.into_any(), at).await
    }

    /// Borrows a token if there is one.
    ///
    /// # Errors
    /// [`WouldBlock`] if all are borrowed.
    pub fn acquire_nowait(&self) -> Result<CapacityToken, WouldBlock> {
        if self.available_tokens() == 0 {
            return Err(WouldBlock);
        }
        Ok(self.0.lend())
    }

    /// Returns how many tokens there are, borrowed or not.
    #[must_use]
    pub fn total_tokens(&self) -> usize {
        self.0.total.get()
    }

    /// Sets how many tokens there are; those who wait get what is added. If more are borrowed, the next are lent when enough have
    /// come back.
    pub fn set_total_tokens(&self, total_tokens: usize) {
        self.0.total.set(total_tokens);
        self.0.lend_to_waiters();
    }

    /// Returns how many tokens are borrowed.
    #[must_use]
    pub fn borrowed_tokens(&self) -> usize {
        self.0.borrowed.get()
    }

    /// Returns how many tokens can be borrowed without waiting.
    #[must_use]
    pub fn available_tokens(&self) -> usize {
        self.total_tokens().saturating_sub(self.borrowed_tokens())
    }

    /// Returns the numbers of this moment.
    #[must_use]
    pub fn statistics(&self) -> CapacityLimiterStatistics {
        CapacityLimiterStatistics {
            borrowed_tokens: self.borrowed_tokens(),
            total_tokens: self.total_tokens(),
            tasks_waiting: self.0.waiters.borrow().len(),
        }
    }
}

impl fmt::Debug for CapacityLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statistics = self.statistics();
        f.debug_struct("CapacityLimiter")
            .field("borrowed_tokens", &statistics.borrowed_tokens)
            .field("total_tokens", &statistics.total_tokens)
            .field("tasks_waiting", &statistics.tasks_waiting)
            .finish()
    }
}

impl Shared {
    fn lend(self: &Rc<Self>) -> CapacityToken {
        self.borrowed.set(self.borrowed.get() + 1);
        CapacityToken(self.clone())
    }

    /// Puts a future that is to get a token into the queue.
    fn wait_with(self: &Rc<Self>, lent: Future<CapacityToken>) -> Waiting {
        let number = self.last.get() + 1;
        self.last.set(number);
        self.waiters.borrow_mut().insert(number, lent);
        Waiting {
            limiter: self.clone(),
            number,
        }
    }

    /// Gives tokens that are free to those who wait (I1).
    fn lend_to_waiters(self: &Rc<Self>) {
        while self.borrowed.get() < self.total.get() {
            let first = self.waiters.borrow_mut().pop_first();
            let Some((_, lent)) = first else {
                return;
            };
            if !lent.done() {
                // On a closed loop nobody takes it, and it comes back with the future.
                let _ = lent.set_result(self.lend());
            }
        }
    }
}

/// Leaves the queue when it is dropped.
struct Waiting {
    limiter: Rc<Shared>,
    number: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let left = self.limiter.waiters.borrow_mut().remove(&self.number);
        drop(left);
    }
}

/// A token of a [`CapacityLimiter`] that is borrowed until this is dropped.
#[must_use = "the token is given back when this is dropped"]
pub struct CapacityToken(Rc<Shared>);

impl Drop for CapacityToken {
    fn drop(&mut self) {
        self.0.borrowed.set(self.0.borrowed.get() - 1);
        self.0.lend_to_waiters();
    }
}

impl fmt::Debug for CapacityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CapacityToken(..)")
    }
}

/// What a [`CapacityLimiter`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapacityLimiterStatistics {
    /// How many tokens are borrowed.
    pub borrowed_tokens: usize,
    /// How many tokens there are.
    pub total_tokens: usize,
    /// How many tasks wait for one.
    pub tasks_waiting: usize,
}

/// Says that something cannot be had without waiting.
///
/// Mirrors AnyIO's `WouldBlock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WouldBlock;

impl fmt::Display for WouldBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all tokens of the limiter are borrowed")
    }
}

impl Error for WouldBlock {}
