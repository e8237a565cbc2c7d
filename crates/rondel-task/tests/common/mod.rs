//! What the tests share: a trace of events to compare with the expected one, loops under a virtual clock, drop counters.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::future::Future as StdFuture;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rondel_reactor::ExceptionContext;
use rondel_sched::VirtualClock;
use rondel_task::{EventLoop, Exception, Result, run_virtual, sleep};

/// The events of a program in their order. Clones write into the same trace.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn log(&self, event: impl Display) {
        self.0.borrow_mut().push(event.to_string());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Compares all events so far, and forgets them.
    #[track_caller]
    pub(crate) fn check(&self, expected: &[&str]) {
        assert_eq!(self.take(), expected);
    }
}

/// Runs a program under a virtual clock and compares its trace; the last event is the program's outcome.
#[track_caller]
pub(crate) fn check<T, F>(program: impl FnOnce(Trace) -> F, expected: &[&str])
where
    T: std::fmt::Debug + 'static,
    F: StdFuture<Output = Result<T>> + 'static,
{
    let trace = Trace::new();
    let outcome = run_virtual(program(trace.clone()));
    trace.log(format_args!("{outcome:?}"));
    trace.check(expected);
}

/// A loop of which the clock jumps from timer to timer.
pub(crate) fn virtual_loop() -> EventLoop {
    EventLoop::with_clock(VirtualClock::new()).expect("file descriptors are left")
}

/// Collects what the loop reports as `message` and `message: exception`.
pub(crate) fn reports(event_loop: &EventLoop) -> Trace {
    let trace = Trace::new();
    let reports = trace.clone();
    event_loop.set_exception_handler(Some(move |_: &EventLoop, context: &ExceptionContext| {
        match context.exception() {
            Some(exception) => reports.log(format_args!("{}: {exception}", context.message())),
            None => reports.log(context.message()),
        }
    }));
    trace
}

/// One iteration of the running loop.
pub(crate) async fn tick() -> Result<()> {
    sleep(Duration::ZERO).await
}

pub(crate) async fn ticks(count: usize) -> Result<()> {
    for _ in 0..count {
        tick().await?;
    }
    Ok(())
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A long time: longer than any test sleeps.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn error(message: &str) -> Exception {
    Exception::msg(message)
}

/// Polls once with a waker that does nothing.
pub(crate) fn poll_once<F: StdFuture + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Counts how many of its clones are alive.
#[derive(Debug)]
pub(crate) struct Counted(Rc<Cell<usize>>);

impl Counted {
    /// The first one, and the count.
    pub(crate) fn new() -> (Self, Rc<Cell<usize>>) {
        let alive = Rc::new(Cell::new(1));
        (Self(alive.clone()), alive)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.set(self.0.get() + 1);
        Self(self.0.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Calls a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
