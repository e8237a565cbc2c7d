//! The timers that are set, given out in the order of (when, setting).
//!
//! It neither reads a clock nor runs a callback: the scheduler says what time it is and takes out what is due.
//!
//! ```text
//!          time far off            its tick has begun           due                    its turn
//!   add ------------------> wheel --------------------> near ---------> ready queue ----------> take
//!    |    time near                                      ^
//!    +---------------------------------------------------+
//! ```
//!
//! A timer whose time is not near waits in the [wheel](crate::wheel), where setting and cancelling it cost the same for one and for a
//! million. When its tick has begun, the timers of that tick are sorted; those that are set for it later still go into a heap beside
//! them.
//!
//! # Invariants
//!
//! - T1. `len` is the number of timers in the wheel and near.
//! - T2. An entry of `near` or `late` whose timer is cancelled is stale: the timer's place is free, or another's. `stale` counts them,
//!   and they never outnumber the others for long.
//!
//! # asyncio
//!
//! `_scheduled` of `BaseEventLoop`, a heap, in which cancelled timers stay until they are more than half of at least 100.

use std::{
    cell::{Cell, RefCell},
    collections::BinaryHeap,
    num::NonZeroU64,
    rc::Rc,
    time::Duration,
};

use crate::{
    Token,
    timer_slab::{Due, Stand, Timer, TimerSlab},
    wheel::{Entry, Wheel},
};

/// A slot of the wheel up to this length is searched for its first timer before a wait; for a longer one the wait ends when the slot
/// begins, and the timers are sorted out then.
const SEARCHED: usize = 64;

/// So many stale entries are left alone.
const FEW: usize = 64;

/// The timers that are set.
///
/// What is due is returned, never dropped here: dropping it may run user code, and the caller holds a borrow.
pub(crate) struct Timers {
    slab: TimerSlab,
    wheel: Wheel,
    /// The timers of the wheel's tick and of those before, in order, the first one at the end.
    near: Vec<Entry>,
    /// Those of them that were set when `near` had been sorted.
    late: BinaryHeap<Entry>,
    stale: usize,
    len: usize,
    /// How many timers were ever set.
    sequence: u64,
}

/// The timers of a scheduler, which its timer handles share.
pub(crate) struct TimerQueue {
    timers: RefCell<Timers>,
    /// `Timers::len`, which every iteration asks for.
    len: Cell<usize>,
}

impl TimerQueue {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            timers: RefCell::new(Timers::new()),
            len: Cell::new(0),
        })
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// `f` runs no code of the user.
    #[inline]
    pub(crate) fn change<R>(&self, f: impl FnOnce(&mut Timers) -> R) -> R {
        let mut timers = self.timers.borrow_mut();
        let given = f(&mut timers);
        self.len.set(timers.len);
        given
    }

    /// Has a timer fetched from memory.
    #[inline]
    pub(crate) fn prefetch(&self, place: u32) {
        rondel_shared::prefetch(self.timers.borrow().slab.get(place));
    }

    /// The token that the alarm in a place rings, if it is one's.
    #[inline]
    pub(crate) fn token(&self, place: u32) -> Option<Token> {
        self.timers.borrow().slab.get(place).due.as_ref()?.token()
    }

    /// The time for which a timer is set; `None` when its turn has come already or it is cancelled.
    #[inline]
    pub(crate) fn when(&self, key: TimerKey) -> Option<Duration> {
        self.timers.borrow().when(key)
    }
}

/// Names a timer that was set: one more than its place, and the lower half of its sequence, in 63 bits.
///
/// Its place may be another's later. That one is told apart by the sequence: only when four billion timers have been set in between
/// can it be taken for this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey(NonZeroU64);

impl TimerKey {
    #[inline]
    fn new(place: u32, sequence: u64) -> Self {
        let place = u64::from(place) + 1;
        let bits = place << 32 | u64::from(sequence as u32);
        Self(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN))
    }

    /// A number of 63 bits that stands for it.
    #[inline]
    pub(crate) fn to_bits(self) -> u64 {
        self.0.get()
    }

    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN))
    }

    #[inline]
    fn place(self) -> u32 {
        ((self.0.get() >> 32) as u32).wrapping_sub(1)
    }

    /// Whether it names this timer, and not another that had its place.
    #[inline]
    fn names(self, timer: &Timer) -> bool {
        timer.sequence as u32 == self.0.get() as u32
    }
}

impl Timers {
    fn new() -> Self {
        Self {
            slab: TimerSlab::new(),
            wheel: Wheel::default(),
            near: Vec::new(),
            late: BinaryHeap::new(),
            stale: 0,
            len: 0,
            sequence: 0,
        }
    }

    /// Sets a timer, behind those that are set for the same time.
    #[inline]
    pub(crate) fn add(&mut self, when: Duration, due: Due) -> TimerKey {
        let (when, sequence) = (nanoseconds(when), self.sequence);
        self.sequence += 1;
        let place = self.slab.insert(Timer {
            when,
            sequence,
            due: Some(due),
            stand: Stand::Slot(0),
        });
        let entry = Entry {
            when,
            sequence,
            place,
        };
        if !self.wheel.insert(&mut self.slab, entry) {
            self.late.push(entry);
        }
        self.len += 1;
        TimerKey::new(place, sequence)
    }

    #[inline]
    fn when(&self, key: TimerKey) -> Option<Duration> {
        let timer = self.slab.find(key.place())?;
        let is_set = key.names(timer) && timer.due.is_some();
        is_set.then(|| Duration::from_nanos(timer.when))
    }

    #[inline]
    fn named(&mut self, key: TimerKey) -> Option<&mut Timer> {
        let timer = self.slab.find_mut(key.place())?;
        key.names(timer).then_some(timer)
    }

    /// Takes out what a timer was to do; `None` when its turn has come already or it is cancelled.
    #[inline]
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<Due> {
        let timer = self.named(key)?;
        let due = timer.due.take()?;
        let (when, stand) = (timer.when, timer.stand);
        let Stand::Slot(position) = stand else {
            // The ready queue frees the place (S2).
            return Some(due);
        };
        if !self.wheel.remove(&mut self.slab, when, position) {
            self.stale += 1;
        }
        self.slab.free(key.place());
        self.len -= 1;
        if self.stale > FEW && 2 * self.stale > self.near.len() + self.late.len() {
            self.forget_stale();
        }
        Some(due)
    }

    /// Has an alarm ring another token, if it is still to ring.
    pub(crate) fn redirect(&mut self, key: TimerKey, token: Token) {
        if let Some(timer) = self.named(key)
            && let Some(due) = &mut timer.due
            && due.token().is_some()
        {
            *due = Due::ring(token);
        }
    }

    /// The time of the first timer.
    pub(crate) fn first(&mut self) -> Option<Duration> {
        let first = match self.first_near() {
            Some(near) => near.when,
            None => {
                let slot = self.wheel.first_slot();
                slot.iter().map(|entry| entry.when).min()?
            }
        };
        Some(Duration::from_nanos(first))
    }

    /// A time before which no timer is due: that of the first one, or where many have to be looked at for it, an earlier one.
    pub(crate) fn bound(&mut self) -> Option<Duration> {
        if self.first_near().is_none() && self.wheel.first_slot().len() > SEARCHED {
            return self.wheel.begin().map(Duration::from_nanos);
        }
        self.first()
    }

    /// Takes the first timer if it is due at `now`, for the ready queue, and gives its place.
    #[inline]
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<u32> {
        let now = nanoseconds(now);
        let first = match self.first_near() {
            Some(first) => first,
            None => self.advance(now)?,
        };
        if first.when > now {
            return None;
        }
        self.pop_near();
        self.len -= 1;
        self.slab.get_mut(first.place).stand = Stand::Ready;
        Some(first.place)
    }

    /// The turn of a place in the ready queue has come: takes out what is to be done, if it was not cancelled meanwhile.
    #[inline]
    pub(crate) fn take(&mut self, place: u32) -> Option<Due> {
        let due = self.slab.get_mut(place).due.take();
        self.slab.free(place);
        due
    }

    /// Gives the memory back, if there is more than for `kept` timers, none is set, and none is in the ready queue.
    pub(crate) fn trim(&mut self, kept: usize) {
        if self.len == 0 && self.slab.places().len() > kept {
            self.slab = TimerSlab::new();
            self.wheel.clear();
            self.near = Vec::new();
            self.late = BinaryHeap::new();
            self.stale = 0;
        }
    }

    /// Takes out what all timers were to do; those in the ready queue stay.
    pub(crate) fn take_all(&mut self) -> Vec<Due> {
        let mut all = Vec::with_capacity(self.len);
        for place in self.slab.places() {
            if matches!(self.slab.get(place).stand, Stand::Slot(_)) {
                all.extend(self.take(place));
            }
        }
        self.wheel.clear();
        self.near = Vec::new();
        self.late = BinaryHeap::new();
        (self.stale, self.len) = (0, 0);
        all
    }

    /// Takes the timers of the next tick that has begun out of the wheel, and gives the first.
    fn advance(&mut self, now: u64) -> Option<Entry> {
        self.wheel.advance(&mut self.slab, now, &mut self.near);
        self.near.sort_unstable();
        self.near.last().copied()
    }

    /// The first of the timers that are not in the wheel, which come before all that are.
    #[inline]
    fn first_near(&mut self) -> Option<Entry> {
        loop {
            // The earliest is the greatest.
            let first = *self.near.last().max(self.late.peek())?;
            if self.stale == 0 || !is_stale(&self.slab, &first) {
                return Some(first);
            }
            self.stale -= 1;
            self.pop_near();
        }
    }

    #[inline]
    fn pop_near(&mut self) {
        if self.near.last() > self.late.peek() {
            self.near.pop();
        } else {
            self.late.pop();
        }
    }

    #[cold]
    fn forget_stale(&mut self) {
        let slab = &self.slab;
        self.near.retain(|entry| !is_stale(slab, entry));
        self.late.retain(|entry| !is_stale(slab, entry));
        self.stale = 0;
    }
}

/// True for a timer that was cancelled (T2).
#[inline]
fn is_stale(slab: &TimerSlab, entry: &Entry) -> bool {
    let timer = slab.get(entry.place);
    timer.sequence != entry.sequence || timer.due.is_none()
}

/// Whole nanoseconds, or the last moment that can be expressed.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
