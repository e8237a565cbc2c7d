//! What the tests of child processes share: programs on every watcher, a trace of events, a look at what is left over.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::{cell::RefCell, fmt::Display, future::Future, path::Path, rc::Rc, time::Duration};

use rondel_process::ChildWatcher;
use rondel_reactor::{Backend, Builder};
use rondel_task::{EventLoop, Result, sleep};

/// Runs a program on a loop of each selector, with each way to hear of the end of a child.
#[track_caller]
pub(crate) fn on_each_watcher<F>(program: impl Fn(ChildWatcher) -> F)
where
    F: Future<Output = Result<()>> + 'static,
{
    for (backend, watcher) in [
        (Backend::Default, ChildWatcher::Default),
        (Backend::Default, ChildWatcher::Thread),
        (Backend::Polling, ChildWatcher::Default),
    ] {
        let event_loop = EventLoop::build(Builder::new().backend(backend).interruptible(false));
        let event_loop = event_loop.expect("descriptors are left");
        let outcome = event_loop.run_until_complete(program(watcher));
        outcome.unwrap_or_else(|error| panic!("on {backend:?} with {watcher:?}: {error:?}"));
        event_loop.close().expect("it does not run");
    }
}

/// Lets the loop run, as long as it takes: what is waited for is done by a child that has been told to.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) -> Result<()> {
    while !condition() {
        sleep(Duration::ZERO).await?;
    }
    Ok(())
}

/// The events of a program in their order; clones write into the same one.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn log(&self, event: impl Display) {
        self.0.borrow_mut().push(event.to_string());
    }

    /// Waits until an event is in the trace.
    pub(crate) async fn wait_for(&self, event: &str) -> Result<()> {
        until(|| self.0.borrow().iter().any(|logged| logged == event)).await
    }

    /// Compares all events so far.
    #[track_caller]
    pub(crate) fn check(&self, expected: &[&str]) {
        assert_eq!(*self.0.borrow(), expected);
    }
}

/// Says whether there is a process of this number, be it a zombie.
pub(crate) fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// How many descriptors this process has open.
pub(crate) fn open_descriptors() -> usize {
    let directory = std::fs::read_dir("/proc/self/fd").expect("this is Linux");
    // One of them is the directory itself.
    directory.count() - 1
}
