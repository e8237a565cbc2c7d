//! `TaskState`: what a task has beyond a future: name, context, cancellation requests, what it waits for.
//!
//! The rules that read and write these fields are in `step` and `cancel`.
//!
//! # Invariants
//! - I1: The waiters are the futures and rests that the suspended coroutine was seen waiting for: a leaf adds what it waits for
//!   when it is polled and pending, and takes it out when it is done or dropped; a step forgets the first if it is done.
//!   While `FirstInterrupted` is set, the first is a rest that is not waited for any more, and whose leaf finds its error there.
//! - I2: While `MustCancel` or `Interrupted` is set, a step of the task is scheduled, running, or bound to come because a waiter is done.
//! - I3: A task is scheduled exactly while its token stands in the ready queue, which it does at most once. Other threads cannot know;
//!   what they send is marked as sent, and steps the task only if its token does not stand there.
//!
//! # asyncio
//! The fields of `asyncio.Task`: `_fut_waiter` is our waiters (a Rust coroutine can wait for several futures at once),
//! `_must_cancel`, `_num_cancels_requested`, `_cancel_message`, `_log_destroy_pending`, `_context`, `_name`.

use std::cell::{Cell, OnceCell};
use std::mem;
use std::panic::Location;
use std::sync::Arc;

use rondel_context::Context;
use rondel_future::CancelledError;
use rondel_sched::Token;
use rondel_shared::{NoBody, Shared};

use crate::awaited::{Await, Awaited, AwaitedCell, Rest, Waiting};
use crate::cancel::Waiters;
use crate::cell::AnyFuture;
use crate::cold::{Cold, Interrupted, Rare, WaiterPlace};
use crate::core::{Core, NO_TASK};
use crate::flags::{Flag, Flags};
use crate::shielded::Shields;
use crate::slab::SENT;

thread_local! {
    /// Numbers the tasks of this thread for their names, as asyncio does for those of the process.
    static LAST_NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// The bits of a token.
const TOKEN: u64 = (1 << 62) - 1;

/// The token stands in the ready queue.
const SCHEDULED: u64 = 1 << 62;

/// An alarm of the task has rung since its last step.
const RUNG: u64 = 1 << 63;

pub(crate) struct TaskState {
    /// The task's token, with what is known of its next turn above it (I3).
    turn: Cell<u64>,
    /// The number, which has 48 bits, in two parts.
    number_low: u32,
    number_high: u16,
    /// The open requests to cancel; those beyond 255 are counted in `cold`.
    cancels: Cell<u8>,
    pub(crate) flags: Flags,
    pub(crate) created_at: &'static Location<'static>,
    /// The first waiter; further ones are in `cold`.
    waiter: AwaitedCell,
    /// Where the first waiter is awaited, while there is one.
    awaited_at: Cell<&'static Location<'static>>,
    rare: OnceCell<Shared<Rare, NoBody>>,
}

impl TaskState {
    #[inline]
    pub(crate) fn new(
        token: Token,
        context: Option<Context>,
        created_at: &'static Location<'static>,
    ) -> Self {
        let number = LAST_NUMBER.with(|last| {
            last.set(last.get() + 1);
            last.get()
        });
        let rare = match context {
            Some(context) => OnceCell::from(Rare::with_context(context)),
            None => OnceCell::new(),
        };
        Self {
            turn: Cell::new(token.to_bits() | SCHEDULED),
            number_low: number as u32,
            number_high: (number >> 32) as u16,
            cancels: Cell::new(0),
            flags: Flags::new(Flag::LogDestroyPending),
            created_at,
            waiter: AwaitedCell::default(),
            awaited_at: Cell::new(created_at),
            rare,
        }
    }

    /// Orders the tasks of a thread by their creation.
    pub(crate) fn number(&self) -> u64 {
        u64::from(self.number_high) << 32 | u64::from(self.number_low)
    }

    // --- turns (I3) --------------------------------------------------------------------------

    #[inline]
    pub(crate) fn token(&self) -> Token {
        Token::from_bits(self.turn.get() & TOKEN)
    }

    /// True if this is the task's token, also as another thread sends it.
    #[inline]
    pub(crate) fn is_named_by(&self, token: Token) -> bool {
        (self.turn.get() ^ token.to_bits()) & TOKEN & !SENT == 0
    }

    /// The token is about to be put into the ready queue; false if it stands there already.
    #[inline]
    pub(crate) fn schedule(&self) -> bool {
        self.note_turn(SCHEDULED)
    }

    /// As `schedule`, where an alarm of the task has rung.
    #[inline]
    pub(crate) fn ring(&self) -> bool {
        self.note_turn(SCHEDULED | RUNG)
    }

    #[inline]
    fn note_turn(&self, bits: u64) -> bool {
        let before = self.turn.get();
        self.turn.set(before | bits);
        before & SCHEDULED == 0
    }

    #[inline]
    pub(crate) fn is_scheduled(&self) -> bool {
        self.turn.get() & SCHEDULED != 0
    }

    /// The token's turn has come; says whether an alarm of the task has rung since its last step.
    #[inline]
    pub(crate) fn begin_turn(&self) -> bool {
        let before = self.turn.get();
        self.turn.set(before & TOKEN);
        before & RUNG != 0
    }

    // --- name and context ------------------------------------------------------------------

    pub(crate) fn name(&self) -> String {
        match self.look_at_cold(|cold| cold.name.clone()).flatten() {
            Some(name) => name.into_string(),
            None => format!("Task-{}", self.number()),
        }
    }

    pub(crate) fn set_name(&self, name: &str) {
        self.with_cold(|cold| cold.name = Some(name.into()));
    }

    fn rare(&self) -> &Rare {
        self.rare
            .get_or_init(|| Shared::new(Rare::default(), NoBody))
            .head()
    }

    fn with_cold<R>(&self, f: impl FnOnce(&mut Cold) -> R) -> R {
        let place = &self.rare().cold;
        let mut cold = place.take().unwrap_or_default();
        let given = f(&mut cold);
        place.set(Some(cold));
        given
    }

    /// As `with_cold`, if there is something.
    #[inline]
    fn look_at_cold<R>(&self, f: impl FnOnce(&mut Cold) -> R) -> Option<R> {
        let place = &self.rare.get()?.head().cold;
        let mut cold = place.take()?;
        let given = f(&mut cold);
        // It is empty, and there is nothing to be dropped.
        mem::forget(place.replace(Some(cold)));
        Some(given)
    }

    /// Takes the context out, if there is one.
    #[inline]
    pub(crate) fn take_context(&self) -> Option<Context> {
        self.rare.get()?.head().context.take()
    }

    /// Puts a context in its place, or none.
    pub(crate) fn set_context(&self, context: Option<Context>) {
        if context.is_some() || self.rare.get().is_some() {
            self.rare().context.set(context);
        }
    }

    /// The context that the coroutine runs in, itself and not a copy; `is_current` says whether that is now.
    pub(crate) fn context(&self, is_current: bool) -> Context {
        let context = match self.take_context() {
            Some(context) => context,
            // Not kept, as the coroutine may be running something in another one.
            None if is_current => return rondel_context::current_context(),
            // It runs another task inside its step and has set no variable before: it makes its context afterwards.
            None if self.flags.has(Flag::Running) => return Context::new(),
            None => Context::new(),
        };
        self.set_context(Some(context.clone()));
        context
    }

    /// The coroutine is about to run another one inside its step: puts its context where it is found meanwhile, and says whether it was
    /// not there. It is to be taken out again: where the coroutine runs something in another context, it is that one.
    pub(crate) fn keep_context(&self) -> bool {
        let kept = self.take_context();
        let is_new = kept.is_none();
        self.set_context(kept.or_else(rondel_context::entered_context));
        is_new
    }

    // --- cancellation requests -----------------------------------------------------------

    pub(crate) fn cancelling(&self) -> u32 {
        let further = match self.cancels.get() {
            u8::MAX => self.look_at_cold(|cold| cold.further_cancels),
            _ => None,
        };
        u32::from(self.cancels.get()).saturating_add(further.unwrap_or(0))
    }

    /// The open requests, with those that are held back.
    pub(crate) fn requests(&self) -> u32 {
        self.cancelling()
            .saturating_add(self.with_shields(Shields::held_back))
    }

    pub(crate) fn count_cancel(&self) {
        match self.cancels.get().checked_add(1) {
            Some(more) => self.cancels.set(more),
            None => self.with_cold(|cold| {
                cold.further_cancels = cold.further_cancels.saturating_add(1);
            }),
        }
    }

    /// One request less, if there is one.
    fn discount_cancel(&self) {
        let further = self.look_at_cold(|cold| match cold.further_cancels.checked_sub(1) {
            Some(less) => {
                cold.further_cancels = less;
                true
            }
            None => false,
        });
        if further != Some(true) {
            self.cancels.set(self.cancels.get().saturating_sub(1));
        }
    }

    /// Takes back one request; one that is held back only if no other is there.
    pub(crate) fn uncancel(&self) -> u32 {
        // Where a rest was given an error and has gone without returning it, it is that request which is taken back.
        self.flags.clear(Flag::Interrupted);
        match self.cancelling() {
            0 => drop(self.with_shields(Shields::take_last)),
            1 => self.flags.clear(Flag::MustCancel),
            _ => {}
        }
        self.discount_cancel();
        self.cancelling()
    }

    #[inline]
    pub(crate) fn cancel_message(&self) -> Option<Arc<str>> {
        self.look_at_cold(|cold| cold.cancel_message.clone())
            .flatten()
    }

    pub(crate) fn set_cancel_message(&self, message: Option<Arc<str>>) {
        if message.is_some() {
            self.with_cold(|cold| cold.cancel_message = message);
        } else {
            self.look_at_cold(|cold| cold.cancel_message = None);
        }
    }

    /// The shields that the coroutine is behind.
    pub(crate) fn with_shields<R: Default>(&self, f: impl FnOnce(&mut Shields) -> R) -> R {
        self.look_at_cold(|cold| f(&mut cold.shields))
            .unwrap_or_default()
    }

    /// The coroutine goes behind one more shield, with the error that was to be thrown next, if there is one.
    pub(crate) fn enter_shield(&self, is_thrown: bool) {
        let is_cancelled = is_thrown | self.flags.take_errors();
        let message = self.cancel_message();
        self.with_cold(|cold| cold.shields.enter(is_cancelled.then_some(message)));
        if is_cancelled {
            // It counts again when it is delivered.
            self.discount_cancel();
        }
    }

    // --- waiters (I1) --------------------------------------------------------------------------

    /// Notes that the coroutine waits in the line `at`; the place is for `remove_waiter`.
    #[inline(always)]
    pub(crate) fn add_waiter(
        &self,
        awaited: Waiting<'_>,
        at: &'static Location<'static>,
    ) -> WaiterPlace {
        if !self.waiter.is_empty() && !self.make_way() {
            let awaited = awaited.to_word();
            return self.with_cold(|cold| cold.add_waiter(awaited, at));
        }
        self.waiter.set(awaited.to_word());
        self.awaited_at.set(at);
        WaiterPlace::FIRST
    }

    /// The first place is wanted: what was interrupted there waits for its leaf elsewhere.
    #[cold]
    fn make_way(&self) -> bool {
        let interrupted = self.flags.take(Flag::FirstInterrupted);
        if interrupted && let Some(Awaited::Rest(rest)) = self.waiter.take() {
            self.keep_interruption(rest, None);
        }
        interrupted
    }

    fn keep_interruption(&self, rest: Rest, message: Option<Arc<str>>) {
        self.with_cold(|cold| cold.interrupted.push_back(Interrupted { rest, message }));
    }

    /// Takes a future out of its place, if it is still there.
    #[inline]
    pub(crate) fn remove_waiter(&self, place: WaiterPlace, future: &AnyFuture) -> Option<Awaited> {
        match place.is_first() {
            true if self.waiter.is(future) => self.waiter.take(),
            true => None,
            false => self
                .look_at_cold(|cold| cold.remove_waiter(place, future))
                .flatten(),
        }
    }

    /// A step begins: the first waiter, and mostly the only one, is waited for no longer if it is done.
    ///
    /// A call is not, as long as it stands here. A sleep is, if an alarm of the task has `rung`; only among several the scheduler has to
    /// be asked, which may have to be fetched from far off in memory.
    #[inline]
    pub(crate) fn forget_done_waiter(&self, core: &Core, rung: bool) {
        self.waiter.forget_done(|rest| match rest.alarm() {
            None => false,
            Some(_) if self.flags.has(Flag::FirstInterrupted) => false,
            Some(alarm) if self.waits_for_several() => core.scheduler().alarm_time(alarm).is_none(),
            Some(_) => rung,
        });
    }

    /// True if the task has ever waited for more than one thing at a time.
    #[inline]
    pub(crate) fn waits_for_several(&self) -> bool {
        self.look_at_cold(|cold| cold.has_waited_for_several())
            .unwrap_or(false)
    }

    /// What the task waits for and is not done yet, in the order in which it was polled.
    pub(crate) fn pending_waiters(&self, core: &Core) -> Waiters {
        let more = self.look_at_cold(|cold| cold.pending_waiters(core));
        self.waiter(core)
            .into_iter()
            .chain(more.unwrap_or_default())
    }

    /// As `pending_waiters`, with the lines that await them.
    pub(crate) fn pending_awaits(&self, core: &Core) -> Vec<Await> {
        let at = self.awaited_at.get();
        let first = self.waiter(core).map(|awaited| Await { awaited, at });
        let more = self.look_at_cold(|cold| cold.pending_awaits(core).collect::<Vec<_>>());
        first.into_iter().chain(more.unwrap_or_default()).collect()
    }

    /// True if the task rests, or waits for a library future that is not done.
    pub(crate) fn is_waiting(&self, core: &Core) -> bool {
        let waits = |cold: &mut Cold| cold.pending_awaits(core).next().is_some();
        self.waiter(core).is_some() || self.look_at_cold(waits) == Some(true)
    }

    /// The first waiter, if it is not done.
    pub(crate) fn waiter(&self, core: &Core) -> Option<Awaited> {
        if self.flags.has(Flag::FirstInterrupted) {
            return None;
        }
        let first = self.waiter.get();
        first.filter(|first| first.is_pending(core))
    }

    /// True if the first waiter is that rest, and was not interrupted.
    #[inline]
    fn rests_first(&self, rest: Rest) -> bool {
        self.waiter.rest() == Some(rest) && !self.flags.has(Flag::FirstInterrupted)
    }

    /// Takes out the first waiter, if it is that rest; false if it has ended already.
    #[inline]
    fn end_first_rest(&self, rest: Rest) -> bool {
        !self.flags.has(Flag::FirstInterrupted) && self.waiter.end_rest(rest)
    }

    /// Ends a rest of the task by an error; false if it has ended already.
    pub(crate) fn interrupt(&self, core: &Core, rest: Rest, message: Option<Arc<str>>) -> bool {
        let is_first = self.rests_first(rest);
        let was_pending = match rest.alarm() {
            // Behind the first it may stay where it is: it is pending no more.
            Some(alarm) => core.scheduler().cancel_alarm(alarm),
            None => is_first || self.look_at_cold(|cold| cold.end_rest(rest)) == Some(true),
        };
        if !was_pending {
            return false;
        }
        if is_first && message.is_none() {
            // It stays where it is, as what its leaf finds: mostly there is no more to be kept.
            self.flags.set(Flag::FirstInterrupted);
        } else {
            self.waiter.end_rest(rest);
            self.keep_interruption(rest, message);
        }
        core.schedule(self.token());
        true
    }

    /// Takes out the waiter at this place, if it is that rest; false if it has ended already.
    #[inline]
    pub(crate) fn end_rest_at(&self, place: WaiterPlace, rest: Rest) -> bool {
        match place.is_first() {
            true => self.end_first_rest(rest),
            false => self.look_at_cold(|cold| cold.end_rest_at(place, rest)) == Some(true),
        }
    }

    /// True if the waiter at this place is that rest; an alarm of it may have rung since the step began.
    #[inline]
    pub(crate) fn rests_at(&self, place: WaiterPlace, rest: Rest) -> bool {
        match place.is_first() {
            true => self.rests_first(rest),
            false => self
                .look_at_cold(|cold| cold.rests_at(place, rest))
                .unwrap_or(false),
        }
    }

    /// Takes the error by which a rest has ended, if it has.
    #[inline]
    pub(crate) fn take_interruption(&self, rest: Rest) -> Option<CancelledError> {
        if self.flags.has(Flag::FirstInterrupted) && self.waiter.end_rest(rest) {
            self.flags.clear(Flag::FirstInterrupted);
            return Some(CancelledError::from_message(None));
        }
        let taken = self.look_at_cold(|cold| {
            let mut interrupted = cold.interrupted.iter();
            let place = interrupted.position(|interrupted| interrupted.rest == rest)?;
            Some(cold.interrupted.remove(place)?.message)
        });
        taken.flatten().map(CancelledError::from_message)
    }

    /// The task will not run again: lets go what it waited for.
    #[inline(always)]
    pub(crate) fn clear_waiters(&self, core: &Core) {
        if let Some(first) = self.waiter.take() {
            let_go(core, first);
        }
        if self.rare.get().is_some() {
            self.clear_further_waiters(core);
        }
    }

    #[cold]
    fn clear_further_waiters(&self, core: &Core) {
        let further = self.look_at_cold(Cold::take_waiters);
        for awaited in further.into_iter().flatten() {
            let_go(core, awaited);
        }
    }
}

/// A sleep that outlives its task, because it is kept elsewhere, rings nobody; above all not the task that has the token next.
#[cold]
fn let_go(core: &Core, awaited: Awaited) {
    if let Awaited::Rest(rest) = awaited
        && let Some(alarm) = rest.alarm()
    {
        core.scheduler().redirect_alarm(alarm, NO_TASK);
    }
}
