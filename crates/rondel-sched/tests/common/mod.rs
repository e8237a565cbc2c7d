//! What the tests share: a scheduler under a virtual clock, and a log of what happened.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::{any::Any, cell::RefCell, fmt, rc::Rc};

use rondel_sched::{ClosedError, Handle, Host, Runnable, Scheduler, Token, VirtualClock};

/// Words in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, text: impl Into<String>) {
        self.0.borrow_mut().push(text.into());
    }

    /// A callback that adds `text`.
    pub(crate) fn adding(&self, text: &'static str) -> impl FnOnce() + 'static {
        let log = self.clone();
        move || log.add(text)
    }

    pub(crate) fn text(&self) -> String {
        self.0.borrow().join(" ")
    }
}

/// A scheduler, its clock and its log.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) scheduler: Rc<Scheduler>,
    pub(crate) clock: VirtualClock,
    pub(crate) log: Log,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = VirtualClock::new();
        Self {
            scheduler: Rc::new(Scheduler::new(Rc::new(clock.clone()))),
            clock,
            log: Log::default(),
        }
    }

    pub(crate) fn call_soon(&self, text: &'static str) -> Result<Handle, ClosedError> {
        self.scheduler.call_soon(self.log.adding(text))
    }

    /// One iteration, and how many callbacks and tokens it ran.
    pub(crate) fn turn(&self) -> usize {
        self.scheduler.receive();
        self.scheduler.fire_timers();
        self.scheduler.run_ready(self)
    }

    /// Checks all that has happened so far.
    #[track_caller]
    pub(crate) fn saw(&self, expected: &str) {
        assert_eq!(self.log.text(), expected);
    }
}

impl Host for World {
    fn wake(&self, token: Token) {
        self.log.add(format!("{token:?}"));
    }

    fn ring(&self, token: Token) {
        self.log.add(format!("alarm {}", token.to_bits()));
    }

    fn callback_panicked(&self, callback: &dyn Runnable, payload: Box<dyn Any + Send>) {
        let what = payload.downcast_ref::<&str>().copied().unwrap_or("?");
        self.log
            .add(format!("[{} panicked: {what}]", Described(callback)));
    }
}

struct Described<'a>(&'a dyn Runnable);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(f)
    }
}
