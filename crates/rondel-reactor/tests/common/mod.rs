//! What the tests share: a log of what happened, loops on every backend, and a stand-in for the running loop.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::{
    cell::RefCell,
    env,
    error::Error,
    io,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
    rc::Rc,
};

use rondel_reactor::{Backend, EventLoop, ExceptionHandler, get_running_loop};
use rondel_sched::VirtualClock;

pub(crate) type TestResult = Result<(), Box<dyn Error>>;

/// Every way to wait for descriptors that this platform has.
pub(crate) const BACKENDS: &[Backend] = &[
    Backend::Default,
    #[cfg(target_os = "linux")]
    Backend::Epoll,
    Backend::Polling,
];

/// Runs a test on a loop of every backend.
pub(crate) fn on_every_backend(test: impl Fn(&EventLoop) -> TestResult) -> TestResult {
    for &backend in BACKENDS {
        let event_loop = EventLoop::builder().backend(backend).build()?;
        test(&event_loop).inspect_err(|error| eprintln!("on {backend:?}: {error}"))?;
        event_loop.close()?;
    }
    Ok(())
}

/// A loop under a virtual clock.
pub(crate) fn virtual_loop() -> (EventLoop, VirtualClock) {
    let clock = VirtualClock::new();
    let event_loop = EventLoop::builder()
        .clock(clock.clone())
        .build()
        .expect("there are descriptors left");
    (event_loop, clock)
}

/// The loop that runs the calling callback.
pub(crate) fn running() -> EventLoop {
    get_running_loop().expect("called by a callback")
}

/// A callback that stops its loop.
pub(crate) fn stop() {
    running().stop();
}

/// Words in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, text: impl Into<String>) {
        self.0.borrow_mut().push(text.into());
    }

    /// A callback that adds `text`.
    pub(crate) fn adding(&self, text: &'static str) -> impl Fn() + Clone + 'static {
        let log = self.clone();
        move || log.add(text)
    }

    /// An exception handler that adds the whole report.
    pub(crate) fn reporting(&self) -> Option<ExceptionHandler> {
        let log = self.clone();
        Some(Rc::new(move |_, context| log.add(context.to_string())))
    }

    /// Checks that something with this in it has happened.
    #[track_caller]
    pub(crate) fn contains(&self, expected: &str) {
        let texts = self.0.borrow();
        assert!(
            texts.iter().any(|text| text.contains(expected)),
            "{texts:?}"
        );
    }

    /// Checks all that has happened so far.
    #[track_caller]
    pub(crate) fn saw(&self, expected: &str) {
        assert_eq!(self.0.borrow().join(" "), expected);
    }
}

/// Set in the process that a test starts.
pub(crate) const CHILD: &str = "RONDEL_TEST_CHILD";

/// Runs the named test of this program again, in a process of its own, and returns the signal that ended it.
pub(crate) fn signal_that_ended(test: &str) -> io::Result<Option<i32>> {
    let status = Command::new(env::current_exe()?)
        .args([test, "--exact"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(status.signal())
}

/// Says whether this is that process.
pub(crate) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}
