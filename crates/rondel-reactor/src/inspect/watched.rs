//! The turn of what is ready, where somebody watches: tells instruments, and measures in debug mode.
//!
//! The plain turn is in [`iteration`](crate::iteration), which chooses between the two once an iteration.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    time::Duration,
};

use rondel_sched::{Host, Runnable, Token};

use crate::{EventLoop, exceptions::Described, iteration::Turn};

/// Runs the scheduler as the plain turn does, and tells who watches.
pub(crate) struct WatchedTurn<'a> {
    event_loop: &'a EventLoop,
    turn: &'a Turn<'a>,
}

impl<'a> WatchedTurn<'a> {
    pub(crate) fn new(event_loop: &'a EventLoop, turn: &'a Turn<'a>) -> Self {
        Self { event_loop, turn }
    }

    /// When something begins that is to be measured.
    fn begin(&self) -> Option<Duration> {
        self.event_loop.get_debug().then(|| self.event_loop.time())
    }

    /// How long it has taken.
    fn took(&self, began: Option<Duration>) -> Option<Duration> {
        Some(self.event_loop.time().saturating_sub(began?))
    }
}

impl Host for WatchedTurn<'_> {
    fn wake(&self, token: Token) {
        let began = self.begin();
        let stepped = self
            .turn
            .with_extension(|extension| extension.wake_watched(token));
        if let (Some(took), Some(stepped)) = (self.took(began), stepped.flatten()) {
            self.event_loop
                .check_duration(took, &format_args!("{stepped:?}"));
        }
    }

    /// What is short and no code of the user's is not told of.
    fn ring(&self, token: Token) {
        self.turn.ring(token);
    }

    fn callback_of(&self, source: u32) -> Option<Rc<dyn Runnable>> {
        self.turn.callback_of(source)
    }

    fn run(&self, callback: &dyn Runnable) {
        let shown = Described(callback);
        self.event_loop
            .call_instruments(|instrument| instrument.before_callback(&shown));
        let began = self.begin();
        let outcome = catch_unwind(AssertUnwindSafe(|| callback.run()));
        let took = self.took(began);
        self.event_loop
            .call_instruments(|instrument| instrument.after_callback(&shown));
        if let Some(took) = took {
            self.event_loop
                .check_duration(took, &format_args!("<Handle {shown}>"));
        }
        // The scheduler reports it.
        outcome.unwrap_or_else(|payload| resume_unwind(payload));
    }

    fn callback_panicked(&self, callback: &dyn Runnable, payload: Box<dyn Any + Send>) {
        self.turn.callback_panicked(callback, payload);
    }
}
