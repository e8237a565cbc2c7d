//! Where a loop keeps its tasks: a token finds its task, and the tasks can be listed.
//!
//! It schedules nothing and runs nothing; `core` does.
//!
//! # Invariants
//! - I1: A slot holds a task from its creation until it is done or its loop is closed: the loop owns its tasks.
//! - I2: A token names its slot and the slot's generation, so that a token kept after its task has gone finds nothing; only
//!   when 65,536 more tasks have gone through the slot does it find another task, to which it is a spurious wake-up.
//! - I3: `scheduled` is true exactly while the task's token stands in the ready queue, which it does at most once. Other threads
//!   cannot know; what they send is marked as sent, and steps the task only if its token does not stand there.
//!
//! # asyncio
//! `_scheduled_tasks`, which is a weak set there: a task that nobody holds may vanish (cpython#91887). Here it cannot.

use rondel_sched::Token;

use crate::cell::AnyFuture;

/// A token has 62 bits, of which 14 are left for the number of the loop.
pub(crate) const MAX_LOOPS: usize = 1 << 14;

const LOOP_SHIFT: u32 = 48;
const GENERATION_SHIFT: u32 = 32;
/// Marks a token that came from another thread.
const SENT: u32 = 1 << 31;
const NO_SLOT: u32 = SENT - 1;

/// The number of the loop that a token belongs to.
#[inline]
pub(crate) fn loop_of(token: Token) -> u16 {
    (token.to_bits() >> LOOP_SHIFT) as u16
}

#[inline]
fn slot_of(token: Token) -> usize {
    (token.to_bits() as u32 & !SENT) as usize
}

/// The token as another thread sends it (I3).
pub(crate) fn sent(token: Token) -> Token {
    Token::from_bits(token.to_bits() | u64::from(SENT))
}

#[inline]
fn is_sent(token: Token) -> bool {
    token.to_bits() as u32 & SENT != 0
}

#[inline]
fn generation_of(token: Token) -> u16 {
    (token.to_bits() >> GENERATION_SHIFT) as u16
}

struct Slot {
    task: Option<AnyFuture>,
    generation: u16,
    scheduled: bool,
    /// An alarm of the task has rung since its last step.
    rung: bool,
    next_free: u32,
}

/// A task that is to be stepped.
pub(crate) struct Turn {
    pub(crate) task: AnyFuture,
    /// An alarm of the task has rung since its last step.
    pub(crate) rung: bool,
}

/// The tasks of one loop.
pub(crate) struct Slab {
    loop_id: u16,
    slots: Vec<Slot>,
    first_free: u32,
    len: usize,
}

impl Slab {
    pub(crate) const fn new(loop_id: u16) -> Self {
        Self {
            loop_id,
            slots: Vec::new(),
            first_free: NO_SLOT,
            len: 0,
        }
    }

    /// Takes a free slot for a task that is about to be made: the token will find it once it is there.
    #[inline]
    pub(crate) fn reserve(&mut self) -> Token {
        if self.first_free == NO_SLOT {
            self.grow();
        }
        let index = self.first_free;
        let slot = &mut self.slots[index as usize];
        self.first_free = slot.next_free;
        Token::from_bits(
            u64::from(self.loop_id) << LOOP_SHIFT
                | u64::from(slot.generation) << GENERATION_SHIFT
                | u64::from(index),
        )
    }

    #[cold]
    fn grow(&mut self) {
        let slot = u32::try_from(self.slots.len()).unwrap_or(NO_SLOT);
        assert!(slot < NO_SLOT, "a loop holds at most 2^31 - 1 tasks");
        self.slots.push(Slot {
            task: None,
            generation: 0,
            scheduled: false,
            rung: false,
            next_free: NO_SLOT,
        });
        self.first_free = slot;
    }

    /// Puts the task of a reserved slot in, as scheduled.
    #[inline]
    pub(crate) fn fill(&mut self, token: Token, task: AnyFuture) {
        if let Some(slot) = self.slots.get_mut(slot_of(token)) {
            slot.task = Some(task);
            slot.scheduled = true;
            self.len += 1;
        }
    }

    #[inline]
    fn slot(&mut self, token: Token) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(slot_of(token))?;
        (slot.generation == generation_of(token) && slot.task.is_some()).then_some(slot)
    }

    /// Marks the task as scheduled; true if it was not, and its token is now to be put into the ready queue.
    #[inline]
    pub(crate) fn schedule(&mut self, token: Token) -> bool {
        self.slot(token)
            .is_some_and(|slot| !std::mem::replace(&mut slot.scheduled, true))
    }

    /// As `schedule`, for a task of which an alarm has rung.
    #[inline]
    pub(crate) fn ring(&mut self, token: Token) -> bool {
        self.slot(token).is_some_and(|slot| {
            slot.rung = true;
            !std::mem::replace(&mut slot.scheduled, true)
        })
    }

    /// The token's turn has come: gives the task that is to be stepped.
    #[inline]
    pub(crate) fn begin_step(&mut self, token: Token) -> Option<Turn> {
        let slot = self.slot(token)?;
        if is_sent(token) && slot.scheduled {
            return None;
        }
        slot.scheduled = false;
        let rung = std::mem::replace(&mut slot.rung, false);
        slot.task.clone().map(|task| Turn { task, rung })
    }

    /// Has the slot of a token fetched.
    #[inline]
    pub(crate) fn prefetch(&self, token: Token) {
        if let Some(slot) = self.slots.get(slot_of(token)) {
            rondel_shared::prefetch(slot);
        }
    }

    #[inline]
    pub(crate) fn get(&self, token: Token) -> Option<&AnyFuture> {
        let slot = self.slots.get(slot_of(token))?;
        if slot.generation == generation_of(token) {
            slot.task.as_ref()
        } else {
            None
        }
    }

    /// Takes a task out; its token and every copy of it are stale from now on.
    #[inline]
    pub(crate) fn remove(&mut self, token: Token) -> Option<AnyFuture> {
        let first_free = self.first_free;
        let slot = self.slot(token)?;
        let task = slot.task.take();
        slot.generation = slot.generation.wrapping_add(1);
        slot.scheduled = false;
        slot.rung = false;
        slot.next_free = first_free;
        self.first_free = slot_of(token) as u32;
        self.len -= 1;
        task
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The tasks, in the order of their slots.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &AnyFuture> {
        self.slots.iter().filter_map(|slot| slot.task.as_ref())
    }
}
