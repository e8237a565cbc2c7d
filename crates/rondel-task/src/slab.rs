//! Where a loop keeps its tasks: a token finds its task, and the tasks can be listed.
//!
//! It schedules nothing and runs nothing; `core` does.
//!
//! # Invariants
//! - I1: A slot holds a task from its creation until it is done or its loop is closed: the loop owns its tasks.
//! - I2: A token names its slot and the slot's generation, so that a token kept after its task has gone finds nothing; only
//!   when 65,536 more tasks have gone through the slot does it find another task, to which it is a spurious wake-up.
//! - I3: A slot is a word: a task, which knows its token; or what is to come, the generation of its next task and the free slot behind
//!   it.
//!
//! # asyncio
//! `_scheduled_tasks`, which is a weak set there: a task that nobody holds may vanish (cpython#91887). Here it cannot.

use rondel_sched::Token;
use rondel_shared::{Opened, Shared};

use crate::body::Body;
use crate::cell::{AnyFuture, AnyWord, Head};
use crate::task_state::TaskState;

/// A token has 62 bits, of which 14 are left for the number of the loop.
pub(crate) const MAX_LOOPS: usize = 1 << 14;

const LOOP_SHIFT: u32 = 48;
const GENERATION_SHIFT: u32 = 32;
/// Marks a token that came from another thread.
pub(crate) const SENT: u64 = 1 << 31;
const NO_SLOT: u32 = SENT as u32 - 1;

/// The number of the loop that a token belongs to.
#[inline]
pub(crate) fn loop_of(token: Token) -> u16 {
    (token.to_bits() >> LOOP_SHIFT) as u16
}

#[inline]
fn slot_of(token: Token) -> usize {
    (token.to_bits() as u32 & NO_SLOT) as usize
}

/// The token as another thread sends it (I3).
pub(crate) fn sent(token: Token) -> Token {
    Token::from_bits(token.to_bits() | SENT)
}

#[inline]
fn is_sent(token: Token) -> bool {
    token.to_bits() & SENT != 0
}

#[inline]
fn generation_of(token: Token) -> u16 {
    (token.to_bits() >> GENERATION_SHIFT) as u16
}

/// The lines of memory that a task with a coroutine of a few words takes.
const SHORT: usize = 3;

/// Those of a task with a coroutine that handles a connection, which is long for a task.
const LONG: usize = 6;

/// The tasks of one loop.
pub(crate) struct Slab {
    loop_id: u16,
    slots: Vec<AnyWord>,
    first_free: u32,
    len: usize,
}

/// An empty slot, as a number.
#[inline]
fn empty(generation: u16, next_free: u32) -> AnyWord {
    AnyWord::number(u64::from(generation) << GENERATION_SHIFT | u64::from(next_free))
}

/// A token's turn has come, and `task` is in its slot: gives its state and whether an alarm of it has rung, if it is to be stepped.
#[inline(always)]
pub(crate) fn begin_turn(task: &AnyFuture, token: Token) -> Option<(&TaskState, bool)> {
    let state = task.task_state()?;
    let is_meant = state.is_named_by(token) && !(is_sent(token) && state.is_scheduled());
    is_meant.then(|| (state, state.begin_turn()))
}

/// The state of what is in the slot of a token, if it is the task of the token.
#[inline]
fn state_of(candidate: &Shared<Head, dyn Body>, token: Token) -> Option<&TaskState> {
    candidate.part().filter(|state| state.is_named_by(token))
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
        let next = self.slots[index as usize].as_number();
        let next = next.unwrap_or(u64::from(NO_SLOT));
        self.first_free = next as u32;
        Token::from_bits(
            u64::from(self.loop_id) << LOOP_SHIFT
                | next >> GENERATION_SHIFT << GENERATION_SHIFT
                | u64::from(index),
        )
    }

    /// By an eighth: a slot is all that a loop keeps of a task beside the task, and doubling would leave up to half of them empty.
    #[cold]
    fn grow(&mut self) {
        let slot = u32::try_from(self.slots.len()).unwrap_or(NO_SLOT);
        assert!(slot < NO_SLOT, "a loop holds at most 2^31 - 1 tasks");
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(64 + self.slots.len() / 8);
        }
        self.slots.push(empty(0, NO_SLOT));
        self.first_free = slot;
    }

    /// Puts the task of a reserved slot in, as scheduled.
    #[inline]
    pub(crate) fn fill(&mut self, token: Token, task: &AnyFuture) {
        if let Some(slot) = self.slots.get_mut(slot_of(token)) {
            *slot = task.to_word();
            self.len += 1;
        }
    }

    /// What is in the slot of a token, which may be another task than that of the token.
    #[inline]
    fn candidate(&self, token: Token) -> Option<&Shared<Head, dyn Body>> {
        self.slots.get(slot_of(token))?.as_pointer()
    }

    /// Has the slot of a token fetched.
    #[inline]
    pub(crate) fn prefetch(&self, token: Token) {
        if let Some(slot) = self.slots.get(slot_of(token)) {
            rondel_shared::prefetch(slot);
        }
    }

    /// Has the task fetched that is in the slot of a token.
    #[inline]
    pub(crate) fn prefetch_task(&self, token: Token) {
        if let Some(shared) = self.candidate(token) {
            shared.prefetch(SHORT);
        }
    }

    /// The task in the slot of a token, which may be another one than that of the token.
    #[inline]
    pub(crate) fn candidate_task(&self, token: Token) -> Option<AnyFuture> {
        self.candidate(token).cloned().map(AnyFuture::from_shared)
    }

    #[inline]
    pub(crate) fn get(&self, token: Token) -> Option<AnyFuture> {
        self.state(token)?;
        self.candidate_task(token)
    }

    /// The state of a token's task.
    #[inline]
    pub(crate) fn state(&self, token: Token) -> Option<&TaskState> {
        state_of(self.candidate(token)?, token)
    }

    /// As `state`, and has the task fetched until its turn comes.
    #[inline]
    pub(crate) fn fetched_state(&self, token: Token) -> Option<&TaskState> {
        let candidate = self.candidate(token)?;
        candidate.prefetch(LONG);
        state_of(candidate, token)
    }

    /// Takes out the task with this token, if it is still there; its token and every copy of it are stale from now on.
    #[inline]
    pub(crate) fn remove(&mut self, task: &AnyFuture, token: Token) -> Option<AnyFuture> {
        let slot = self.slots.get_mut(slot_of(token))?;
        if !task.is_pointed_to(slot) {
            return None;
        }
        let next = empty(generation_of(token).wrapping_add(1), self.first_free);
        let word = std::mem::replace(slot, next);
        self.first_free = slot_of(token) as u32;
        self.len -= 1;
        match word.open() {
            Opened::Pointer(shared) => Some(AnyFuture::from_shared(shared)),
            Opened::Number(_) => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The tasks, in the order of their slots.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = AnyFuture> {
        let tasks = self.slots.iter().filter_map(AnyWord::as_pointer);
        tasks.cloned().map(AnyFuture::from_shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(token: Token) -> (usize, u16) {
        (slot_of(token), generation_of(token))
    }

    #[test]
    fn every_slot_is_given_out_once() {
        let mut slab = Slab::new(3);
        for index in 0..1000 {
            let token = slab.reserve();
            assert_eq!((slot(token), loop_of(token)), ((index, 0), 3));
        }
        assert_eq!((slab.slots.len(), slab.len()), (1000, 0));
        assert!(slab.slots.capacity() <= 1000 + 1000 / 8 + 64);
        assert!(
            slab.get(Token::from_bits(0)).is_none(),
            "nothing was put in"
        );
    }
}
