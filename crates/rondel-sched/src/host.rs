//! What the scheduler asks of whoever runs it.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
};

use crate::{Runnable, Token};

/// How soon the turn of a token comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// In time to fetch what says where the rest lies.
    Far,
    /// In time to fetch the rest.
    Near,
}

impl Ahead {
    /// The turns that come before that of a timer which says what token it is about.
    pub(crate) const TIMER: usize = 24;

    /// The turns that come before.
    pub(crate) fn turns(self) -> usize {
        match self {
            Self::Far => 16,
            Self::Near => 8,
        }
    }
}

/// Whoever runs a [`Scheduler`](crate::Scheduler): gives tokens their meaning and hears of panics.
///
/// Its methods are called by [`Scheduler::run_ready`](crate::Scheduler::run_ready) with no borrow held, so they may call back into the scheduler.
/// A panic of theirs goes on to the caller of `run_ready`; what was not yet run stays in the queue.
pub trait Host {
    /// Wakes what `token` stands for: its turn in the ready queue has come.
    fn wake(&self, token: Token);

    /// Is told that the turn of a token will come soon, where so many are ready that what they stand for may be far off in memory.
    ///
    /// The default does nothing; whoever keeps much memory has it [fetched](rondel_shared::prefetch()).
    fn foresee(&self, token: Token, ahead: Ahead) {
        let _ = (token, ahead);
    }

    /// An alarm rings: the time that it was [set](crate::Scheduler::set_alarm) for has come, and its turn among what is ready.
    ///
    /// The default is for a host that sets none.
    fn ring(&self, token: Token) {
        let _ = token;
    }

    /// Gives the callback of a source that was [triggered](crate::Scheduler::trigger), whose turn has come; none where it is not to run any more.
    ///
    /// The default is for a host that triggers none.
    fn callback_of(&self, source: u32) -> Option<Rc<dyn Runnable>> {
        let _ = source;
        None
    }

    /// Runs a callback whose turn has come; whoever watches what runs does so around it.
    ///
    /// A panic that leaves it is caught, and given to [`callback_panicked`](Self::callback_panicked).
    #[inline]
    fn run(&self, callback: &dyn Runnable) {
        callback.run();
    }

    /// Reports that `callback` panicked with `payload`; the callbacks behind it run all the same.
    fn callback_panicked(&self, callback: &dyn Runnable, payload: Box<dyn Any + Send>);
}

/// Runs one callback, and keeps its panic from the callbacks behind it.
#[inline]
pub(crate) fn run(callback: &dyn Runnable, host: &(impl Host + ?Sized)) {
    // Nothing of ours is broken by an unwinding callback: no borrow is held, and the queue has let go of it (I4).
    let outcome = catch_unwind(AssertUnwindSafe(|| host.run(callback)));
    if let Err(payload) = outcome {
        host.callback_panicked(callback, payload);
    }
}

/// Drops a callback that has run; a panic of its destructor is reported as one of the callback.
#[inline]
pub(crate) fn let_go(callback: Rc<dyn Runnable>, host: &(impl Host + ?Sized)) {
    if Rc::strong_count(&callback) == 1
        && let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(callback)))
    {
        host.callback_panicked(&Dropped, payload);
    }
}

/// Stands for a callback that is no more.
struct Dropped;

impl Runnable for Dropped {
    fn run(&self) {}

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("destructor of a callback")
    }
}

/// The host without wishes: ignores tokens, and lets the panic of a callback go on into the caller.
impl Host for () {
    fn wake(&self, _: Token) {}

    fn callback_panicked(&self, _: &dyn Runnable, payload: Box<dyn Any + Send>) {
        resume_unwind(payload);
    }
}
