//! A child process: to whom signals go, and how its end is heard of.
//!
//! It knows neither pipes nor protocols.
//! How it hears depends on the system: by a pidfd, a descriptor that becomes readable, or by a [`thread`] that waits.
//!
//! # Invariants
//!
//! - C1. Only this module reaps the child, once: until then its number is its own.
//! - C2. A signal goes through the pidfd, which stands for this one child for ever; or it is sent under the lock under which the thread reaps, and not
//!   after that.
//! - C3. A child that nobody waits for any more, because the loop is closed, is reaped by a thread.
//!
//! # asyncio
//!
//! `PidfdChildWatcher` and `ThreadedChildWatcher` of `unix_events.py`, and `os.kill`.

#[cfg(target_os = "linux")]
mod pidfd;
mod thread;

use std::{io, sync::Arc};

use rondel_task::{EventLoop, Future};
use rustix::{
    io::{Errno, retry_on_intr},
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, waitid},
};

#[cfg(target_os = "linux")]
use self::pidfd::Pidfd;
use self::thread::Waited;

/// How a loop hears that a child process has exited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChildWatcher {
    /// By a descriptor that stands for the child where the system has that (Linux 5.4 and later), else by a thread.
    #[default]
    Default,
    /// By a thread for each child.
    Thread,
}

/// A child process, for whoever sends it signals.
pub(crate) struct Child {
    pid: Pid,
    watched: Watched,
}

enum Watched {
    #[cfg(target_os = "linux")]
    ByPidfd(Pidfd),
    ByThread(Arc<Waited>),
}

impl Child {
    /// Has `event_loop` watch a child that was just started; the future gets its return code.
    ///
    /// # Errors
    ///
    /// When there is neither a descriptor nor a thread to be had: the child is ended then.
    pub(crate) fn watch(
        event_loop: &EventLoop,
        mut child: std::process::Child,
        watcher: ChildWatcher,
    ) -> io::Result<(Self, Future<i32>)> {
        let pid = Pid::from_child(&child);
        let exit = event_loop.create_future();
        let watched = match Watched::begin(event_loop, pid, watcher, &exit) {
            Ok(watched) => watched,
            Err(error) => {
                child.kill()?;
                child.wait()?;
                return Err(error);
            }
        };
        Ok((Self { pid, watched }, exit))
    }

    /// Returns the number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends the child a signal; nothing happens where it has exited.
    pub(crate) fn send_signal(&self, signal: Signal) -> io::Result<()> {
        let sent = match &self.watched {
            #[cfg(target_os = "linux")]
            Watched::ByPidfd(pidfd) => pidfd.send_signal(signal),
            Watched::ByThread(waited) => waited.send_signal(signal),
        };
        match sent {
            Err(Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }
}

impl Watched {
    fn begin(
        event_loop: &EventLoop,
        pid: Pid,
        watcher: ChildWatcher,
        exit: &Future<i32>,
    ) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if watcher == ChildWatcher::Default {
            match Pidfd::watch(event_loop, pid, exit) {
                Ok(pidfd) => return Ok(Self::ByPidfd(pidfd)),
                // An old kernel, a sandbox, or no descriptor left.
                Err(error) => tracing::debug!(%error, "no pidfd: a thread waits for the child"),
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = watcher;
        let waited = Waited::watch(event_loop, pid, exit)?;
        Ok(Self::ByThread(waited))
    }
}

/// What is waited for: that the child exits.
const EXITED: WaitIdOptions = WaitIdOptions::EXITED;

/// Reaps the child and gives its return code, or none where it has not exited and `options` say not to wait.
fn reap(child: WaitId<'_>, options: WaitIdOptions) -> Option<i32> {
    match wait(child, EXITED | options) {
        Ok(status) => status.map(returncode),
        Err(_) => {
            tracing::warn!(
                "a child process was reaped by somebody else, will report returncode 255"
            );
            Some(UNKNOWN)
        }
    }
}

/// Waits as the options say, in spite of signals.
fn wait(child: WaitId<'_>, options: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
    retry_on_intr(|| waitid(child.clone(), options))
}

/// Gives the exit code, or the negative number of the signal.
fn returncode(status: WaitIdStatus) -> i32 {
    let by_signal = || status.terminating_signal().map(|signal| -signal);
    status.exit_status().or_else(by_signal).unwrap_or(UNKNOWN)
}

/// The return code of a child that somebody else has reaped; as in CPython.
const UNKNOWN: i32 = 255;
