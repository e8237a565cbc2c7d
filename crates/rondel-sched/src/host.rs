//! What the scheduler asks of whoever runs it.

use std::{any::Any, panic::resume_unwind, rc::Rc};

use crate::{Runnable, Token};

/// Whoever runs a [`Scheduler`](crate::Scheduler): gives tokens their meaning and hears of panics.
///
/// Its methods are called by [`Scheduler::run_ready`](crate::Scheduler::run_ready) with no borrow held, so they may call back into the scheduler.
/// A panic of theirs goes on to the caller of `run_ready`; what was not yet run stays in the queue.
pub trait Host {
    /// Wakes what `token` stands for: its turn in the ready queue has come.
    fn wake(&self, token: Token);

    /// Reports that `callback` panicked with `payload`; the callbacks behind it run all the same.
    fn callback_panicked(&self, callback: Rc<dyn Runnable>, payload: Box<dyn Any + Send>);
}

/// The host without wishes: ignores tokens, and lets the panic of a callback go on into the caller.
impl Host for () {
    fn wake(&self, _: Token) {}

    fn callback_panicked(&self, _: Rc<dyn Runnable>, payload: Box<dyn Any + Send>) {
        resume_unwind(payload);
    }
}
