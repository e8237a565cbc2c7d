//! A child that a thread waits for, where there is no descriptor for it.
//!
//! # asyncio
//!
//! `ThreadedChildWatcher`.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::Builder,
};

use rondel_task::{EventLoop, Future};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process};

use super::{EXITED, UNKNOWN, reap, wait};

/// A child, shared between its thread and whoever sends it signals.
pub(super) struct Waited {
    pid: Pid,
    /// While it is locked nobody reaps (C2).
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unreaped,
    Reaped,
}

impl Waited {
    /// Starts the thread; a loop with a virtual clock waits for it.
    pub(super) fn watch(
        event_loop: &EventLoop,
        pid: Pid,
        exit: &Future<i32>,
    ) -> io::Result<Arc<Self>> {
        let waited = Arc::new(Self {
            pid,
            state: Mutex::new(State::Unreaped),
        });
        let thread = waited.clone();
        let in_flight = event_loop.in_flight();
        let completer = exit.completer();
        start(move || {
            let returncode = thread.reap();
            // A closed loop does not want to know.
            let _ = completer.set_result(returncode);
            drop(in_flight);
        })?;
        Ok(waited)
    }

    /// Waits for the child and reaps it.
    fn reap(&self) -> i32 {
        // Without reaping at first: that is done under the lock, and must not wait there. Where it fails, so does reaping.
        let _ = wait(WaitId::Pid(self.pid), EXITED | WaitIdOptions::NOWAIT);
        let mut state = self.state();
        *state = State::Reaped;
        reap(WaitId::Pid(self.pid), WaitIdOptions::NOHANG).unwrap_or(UNKNOWN)
    }

    pub(super) fn send_signal(&self, signal: Signal) -> rustix::io::Result<()> {
        let state = self.state();
        if *state == State::Reaped {
            return Ok(());
        }
        // Somebody else may have reaped it, or the system where this process ignores SIGCHLD.
        let look = EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match wait(WaitId::Pid(self.pid), look) {
            Ok(_) => kill_process(self.pid, signal),
            Err(_) => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a thread that waits for a child.
pub(super) fn start(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = Builder::new().name("rondel-child".into());
    thread.stack_size(STACK).spawn(work).map(drop)
}

/// The stack of such a thread, in bytes: it calls next to nothing.
const STACK: usize = 64 * 1024;
