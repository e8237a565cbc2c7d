//! What most tasks never have: a name, a context of their own, further waiters, shields, an error for a sleep.
//!
//! It lies in memory of its own, which is taken when there is something for it.

use std::cell::Cell;
use std::mem;
use std::sync::Arc;

use rondel_context::Context;
use rondel_sched::Alarm;
use rondel_shared::{NoBody, Shared};

use crate::awaited::{Await, Awaited};
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
#[derive(Clone, Copy)]
pub(crate) struct WaiterPlace(u32);

impl WaiterPlace {
    pub(crate) const FIRST: Self = Self(0);

    pub(crate) fn is_first(self) -> bool {
        self.0 == Self::FIRST.0
    }
}

/// A sleep that was ended by an error, which its leaf has not returned yet.
pub(crate) struct Interrupted {
    pub(crate) alarm: Alarm,
    pub(crate) message: Option<Arc<str>>,
}

/// What most tasks never need.
#[derive(Default)]
pub(crate) struct Cold {
    /// The waiters behind the first, each at its place; what has left leaves a gap, to be filled again.
    pub(crate) waiters: Vec<Option<Await>>,
    gaps: Vec<u32>,
    pub(crate) interrupted: Vec<Interrupted>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) cancel_message: Option<Arc<str>>,
    pub(crate) shields: Shields,
    /// The open requests beyond those that the task counts itself.
    pub(crate) further_cancels: u32,
}

impl Cold {
    pub(crate) fn add_waiter(&mut self, waiter: Await) -> WaiterPlace {
        let index = match self.gaps.pop() {
            Some(index) => index as usize,
            None => {
                self.waiters.push(None);
                self.waiters.len() - 1
            }
        };
        self.waiters[index] = Some(waiter);
        WaiterPlace(u32::try_from(index + 1).expect("memory is full long before"))
    }

    pub(crate) fn take_waiters(&mut self) -> Vec<Option<Await>> {
        self.gaps.clear();
        mem::take(&mut self.waiters)
    }

    pub(crate) fn remove_waiter(
        &mut self,
        place: WaiterPlace,
        awaited: &Awaited,
    ) -> Option<Awaited> {
        let index = (place.0 as usize).checked_sub(1)?;
        let waiter = self.waiters.get_mut(index)?;
        let removed = waiter.take_if(|waiter| waiter.awaited.is(awaited))?;
        self.gaps.push(place.0 - 1);
        Some(removed.awaited)
    }

    pub(crate) fn pending_awaits(&self, core: &Core) -> impl Iterator<Item = &Await> {
        let awaits = self.waiters.iter().flatten();
        awaits.filter(|waiter| waiter.awaited.is_pending(core))
    }

    pub(crate) fn pending_waiters(&self, core: &Core) -> Vec<Awaited> {
        self.pending_awaits(core)
            .map(|waiter| waiter.awaited.clone())
            .collect()
    }
}
