//! `Barrier`: a number of tasks that wait until all of them have arrived.
//!
//! ```text
//!               the last party arrives
//!   Filling ------------------------------> Draining
//!    ^   ^                                     |
//!    |   +-------------------------------------+  the last one leaves
//!    |
//!    +------------------------------------- Resetting
//!              the last one leaves
//!
//!   any state -- abort --> Broken
//!   any state -- reset --> Resetting, or Filling where nobody is inside
//! ```
//!
//! A task arrives by `Place::take` in `wait`, and leaves by the drop of its `Place`.
//!
//! # Invariants
//! - I1: `count` is the number of tasks inside: a task that leaves, however it does, is counted off by its `Place`.
//!
//! # asyncio
//! [`asyncio.Barrier`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Barrier). Like there it is made of a
//! condition, and its tasks leave one after another as they get its lock. `async with barrier` is `wait` here.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use rondel_task::{Result, ValueError};

use crate::condition::Condition;
use crate::error::BrokenBarrierError;

/// A meeting point of so many tasks: a handle, of which clones are the same barrier.
///
/// Once all parties have arrived they go on, and the barrier can be used again.
///
/// Mirrors [`asyncio.Barrier`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Barrier).
///
/// # Examples
/// ```
/// use rondel_sync::Barrier;
/// use rondel_task::{gather, run};
///
/// let places = run(async {
///     let barrier = Barrier::new(3)?;
///     gather([barrier.wait(), barrier.wait(), barrier.wait()]).await
/// });
/// assert_eq!(places.unwrap(), [0, 1, 2]);
/// ```
#[derive(Clone)]
pub struct Barrier {
    shared: Rc<Shared>,
}

struct Shared {
    condition: Condition,
    parties: usize,
    state: Cell<State>,
    count: Cell<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Filling,
    Draining,
    Resetting,
    Broken,
}

/// What [`Barrier::statistics`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BarrierStatistics {
    /// How many tasks are needed.
    pub parties: usize,
    /// How many of them have arrived and wait.
    pub n_waiting: usize,
    /// Whether the barrier is broken.
    pub broken: bool,
}

impl Barrier {
    /// Makes a barrier for `parties` tasks.
    ///
    /// # Errors
    /// [`ValueError`] for no parties.
    pub fn new(parties: usize) -> Result<Self, ValueError> {
        if parties == 0 {
            return Err(ValueError::new("parties must be more than 0"));
        }
        Ok(Self {
            shared: Rc::new(Shared {
                condition: Condition::new(),
                parties,
                state: Cell::new(State::Filling),
                count: Cell::new(0),
            }),
        })
    }

    /// Waits until all parties have arrived; returns the place in the order of arrival, from 0.
    ///
    /// A task that comes while others are leaving waits until they have left. One that is cancelled while it waits leaves, and
    /// another has to come in its place.
    ///
    /// Mirrors [`Barrier.wait`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Barrier.wait).
    ///
    /// # Errors
    /// [`BrokenBarrierError`] if the barrier is broken, or is reset or aborted while the task waits; `CancelledError` if the
    /// task is cancelled meanwhile; `RuntimeError` on another loop than the one the barrier is bound to.
    #[track_caller]
    pub fn wait(&self) -> impl core::future::Future<Output = Result<usize>> + use<> {
        let (barrier, at) = (self.clone(), Location::caller());
        let acquired = self.shared.condition.acquire();
        async move {
            let _guard = acquired.await?;
            barrier.wait_until_let_in(at).await?;
            let place = Place::take(&barrier);
            if place.index + 1 == barrier.shared.parties {
                barrier.change(State::Draining);
            } else {
                barrier.wait_until_let_out(at).await?;
            }
            Ok(place.index)
        }
    }

    /// Makes the barrier empty again; tasks that wait get a [`BrokenBarrierError`].
    ///
    /// Mirrors [`Barrier.reset`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Barrier.reset).
    ///
    /// # Errors
    /// As [`Lock::acquire`](crate::Lock::acquire).
    #[track_caller]
    pub fn reset(&self) -> impl core::future::Future<Output = Result<()>> + use<> {
        let barrier = self.clone();
        let acquired = self.shared.condition.acquire();
        async move {
            let _guard = acquired.await?;
            barrier.change(match barrier.shared.count.get() {
                0 => State::Filling,
                _ => State::Resetting,
            });
            Ok(())
        }
    }

    /// Breaks the barrier: tasks that wait, and those that come, get a [`BrokenBarrierError`].
    ///
    /// Mirrors [`Barrier.abort`](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Barrier.abort).
    ///
    /// # Errors
    /// As [`Lock::acquire`](crate::Lock::acquire).
    #[track_caller]
    pub fn abort(&self) -> impl core::future::Future<Output = Result<()>> + use<> {
        let barrier = self.clone();
        let acquired = self.shared.condition.acquire();
        async move {
            let _guard = acquired.await?;
            barrier.change(State::Broken);
            Ok(())
        }
    }

    /// Returns how many tasks are needed.
    pub fn parties(&self) -> usize {
        self.shared.parties
    }

    /// Returns how many tasks have arrived and wait for the others.
    pub fn n_waiting(&self) -> usize {
        match self.shared.state.get() {
            State::Filling => self.shared.count.get(),
            State::Draining | State::Resetting | State::Broken => 0,
        }
    }

    /// Returns true after [`abort`](Self::abort).
    pub fn broken(&self) -> bool {
        self.shared.state.get() == State::Broken
    }

    /// Returns how many tasks are needed and how many have arrived.
    pub fn statistics(&self) -> BarrierStatistics {
        BarrierStatistics {
            parties: self.parties(),
            n_waiting: self.n_waiting(),
            broken: self.broken(),
        }
    }

    fn change(&self, state: State) {
        self.shared.state.set(state);
        self.shared.condition.wake(usize::MAX);
    }

    async fn wait_until_let_in(&self, at: &'static Location<'static>) -> Result<()> {
        let state = &self.shared.state;
        let is_open = || !matches!(state.get(), State::Draining | State::Resetting);
        self.shared.condition.wait_for_at(at, is_open).await?;
        match state.get() {
            State::Broken => Err(BrokenBarrierError.into()),
            State::Filling | State::Draining | State::Resetting => Ok(()),
        }
    }

    async fn wait_until_let_out(&self, at: &'static Location<'static>) -> Result<()> {
        let state = &self.shared.state;
        let is_over = || state.get() != State::Filling;
        self.shared.condition.wait_for_at(at, is_over).await?;
        match state.get() {
            State::Broken | State::Resetting => Err(BrokenBarrierError.into()),
            State::Filling | State::Draining => Ok(()),
        }
    }
}

/// A task that is inside the barrier (I1).
struct Place<'a> {
    barrier: &'a Barrier,
    index: usize,
}

impl<'a> Place<'a> {
    fn take(barrier: &'a Barrier) -> Self {
        let count = &barrier.shared.count;
        let index = count.get();
        count.set(index + 1);
        Self { barrier, index }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Shared { count, state, .. } = &*self.barrier.shared;
        count.set(count.get() - 1);
        if count.get() > 0 {
            return;
        }
        self.barrier.change(match state.get() {
            State::Filling | State::Draining | State::Resetting => State::Filling,
            State::Broken => State::Broken,
        });
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filling => "filling",
            Self::Draining => "draining",
            Self::Resetting => "resetting",
            Self::Broken => "broken",
        })
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.get();
        if self.broken() {
            return write!(f, "<Barrier [{state}]>");
        }
        let (waiting, parties) = (self.n_waiting(), self.parties());
        write!(f, "<Barrier [{state}, waiters:{waiting}/{parties}]>")
    }
}
