//! What most tasks never have: a name, a context of their own, further waiters, shields, an error for a rest.
//!
//! It lies in memory of its own, which is taken when there is something for it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::mem;
use std::panic::Location;
use std::sync::Arc;

use rondel_context::Context;
use rondel_shared::{NoBody, Shared};

use crate::awaited::{Await, Awaited, AwaitedCell, Rest};
use crate::cell::{AnyFuture, AnyWord};
use crate::core::Core;
use crate::shielded::Shields;

/// What few tasks need: a context, and what fewer still do.
#[derive(Default)]
pub(crate) struct Rare {
    pub(crate) context: Cell<Option<Context>>,
    pub(crate) cold: Cell<Option<Box<Cold>>>,
}

impl Rare {
    /// Out of line, as most tasks have none.
    #[inline(never)]
    pub(crate) fn with_context(context: Context) -> Shared<Self, NoBody> {
        let rare = Self {
            context: Cell::new(Some(context)),
            cold: Cell::new(None),
        };
        Shared::new(rare, NoBody)
    }
}

/// Where a waiter stands: the first, or a number among the further ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaiterPlace(u32);

impl WaiterPlace {
    pub(crate) const FIRST: Self = Self(0);

    pub(crate) fn is_first(self) -> bool {
        self.0 == Self::FIRST.0
    }
}

/// A rest that was ended by an error, which its leaf has not returned yet; one without a message stays in the task's first place as a rule.
pub(crate) struct Interrupted {
    pub(crate) rest: Rest,
    pub(crate) message: Option<Arc<str>>,
}

/// A waiter behind the first, or the gap that one has left.
struct Further {
    awaited: AwaitedCell,
    at: &'static Location<'static>,
}

/// What most tasks never need.
#[derive(Default)]
pub(crate) struct Cold {
    /// The waiters behind the first, each at its place; gaps are filled again.
    waiters: Vec<Further>,
    gaps: Vec<u32>,
    /// In the order in which they were ended, which is mostly that in which their leaves are polled.
    pub(crate) interrupted: VecDeque<Interrupted>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) cancel_message: Option<Arc<str>>,
    pub(crate) shields: Shields,
    /// The open requests beyond those that the task counts itself.
    pub(crate) further_cancels: u32,
}

impl Cold {
    /// Takes a word and not what it stands for: what is written in pieces and read as a whole has to be waited for.
    pub(crate) fn add_waiter(
        &mut self,
        awaited: AnyWord,
        at: &'static Location<'static>,
    ) -> WaiterPlace {
        let index = match self.gaps.pop() {
            Some(index) => index as usize,
            None => {
                let awaited = AwaitedCell::default();
                self.waiters.push(Further { awaited, at });
                self.waiters.len() - 1
            }
        };
        let further = &mut self.waiters[index];
        further.awaited.set(awaited);
        further.at = at;
        WaiterPlace(u32::try_from(index + 1).expect("memory is full long before"))
    }

    pub(crate) fn has_waited_for_several(&self) -> bool {
        !self.waiters.is_empty()
    }

    pub(crate) fn take_waiters(&mut self) -> Vec<Awaited> {
        self.gaps.clear();
        let waiters = mem::take(&mut self.waiters);
        waiters
            .iter()
            .filter_map(|further| further.awaited.take())
            .collect()
    }

    pub(crate) fn remove_waiter(
        &mut self,
        place: WaiterPlace,
        future: &AnyFuture,
    ) -> Option<Awaited> {
        let index = (place.0 as usize).checked_sub(1)?;
        let cell = &self.waiters.get(index)?.awaited;
        if !cell.is(future) {
            return None;
        }
        self.gaps.push(place.0 - 1);
        cell.take()
    }

    /// True if the waiter at this place is that rest.
    pub(crate) fn rests_at(&self, place: WaiterPlace, rest: Rest) -> bool {
        let index = (place.0 as usize).checked_sub(1);
        let further = index.and_then(|index| self.waiters.get(index));
        further.is_some_and(|further| further.awaited.rest() == Some(rest))
    }

    /// Takes out the waiter at this place, if it is that rest; false if it is not.
    pub(crate) fn end_rest_at(&mut self, place: WaiterPlace, rest: Rest) -> bool {
        let is_here = self.rests_at(place, rest);
        if is_here {
            self.waiters[place.0 as usize - 1].awaited.end_rest(rest);
            self.gaps.push(place.0 - 1);
        }
        is_here
    }

    /// As `end_rest_at`, wherever it is: for a call alone, of which a task waits for few at a time.
    pub(crate) fn end_rest(&mut self, rest: Rest) -> bool {
        let mut waiters = self.waiters.iter();
        let place = waiters.position(|further| further.awaited.end_rest(rest));
        self.gaps.extend(place.map(|index| index as u32));
        place.is_some()
    }

    pub(crate) fn pending_awaits(&self, core: &Core) -> impl Iterator<Item = Await> {
        let awaits = self.waiters.iter().filter_map(|further| {
            let at = further.at;
            let awaited = further.awaited.get()?;
            Some(Await { awaited, at })
        });
        awaits.filter(|waiter| waiter.awaited.is_pending(core))
    }

    pub(crate) fn pending_waiters(&self, core: &Core) -> Vec<Awaited> {
        self.pending_awaits(core)
            .map(|waiter| waiter.awaited)
            .collect()
    }
}
