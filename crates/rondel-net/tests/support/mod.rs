//! What the tests share: programs on every way to wait for descriptors, traces of what protocols are told.

#![allow(dead_code, unused_imports, reason = "not every test uses all of it")]

mod recorder;

use std::{error::Error, future::Future};

use rondel_reactor::{Backend, Builder};
use rondel_task::{
    EventLoop, Opaque, Result, Task, all_tasks, current_task, gather_return_exceptions,
};

pub(crate) use recorder::{Recorder, Trace, kind_of, open_descriptors, until};

pub(crate) type TestResult = std::result::Result<(), Box<dyn Error>>;

/// Every way to wait for descriptors that this platform has.
pub(crate) const BACKENDS: [Backend; 2] = [Backend::Default, Backend::Polling];

/// Runs a program on a loop of every backend.
pub(crate) fn on_every_backend<F>(program: impl Fn() -> F) -> TestResult
where
    F: Future<Output = Result<()>> + 'static,
{
    for backend in BACKENDS {
        let event_loop = EventLoop::build(Builder::new().backend(backend))?;
        let outcome = event_loop.run_until_complete(program());
        let left = event_loop.run_until_complete(cancel_what_is_left());
        outcome
            .and(left)
            .map_err(|error| format!("on {backend:?}: {error}"))?;
        event_loop.close()?;
    }
    Ok(())
}

/// As [`on_every_backend`], for tests that return nothing.
#[track_caller]
pub(crate) fn on_each_selector<F>(program: impl Fn() -> F)
where
    F: Future<Output = Result<()>> + 'static,
{
    on_every_backend(program).expect("the program ends well");
}

/// Ends the tasks that serve connections still, so that nothing is reported of them.
async fn cancel_what_is_left() -> Result<()> {
    let is_this = |task: &Task<Opaque>| current_task().is_some_and(|this| this.ptr_eq(task));
    let mut others = all_tasks(None)?;
    others.retain(|task| !is_this(task));
    for task in &others {
        task.cancel();
    }
    gather_return_exceptions(others).await.map(drop)
}
