//! A child that is watched by a descriptor that stands for it, on Linux.
//!
//! # asyncio
//!
//! `PidfdChildWatcher`.

use std::{
    cell::RefCell,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    rc::Rc,
    sync::Arc,
};

use rondel_reactor::{Direction, FdWatch};
use rondel_task::{EventLoop, Future};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal,
};

use super::{EXITED, reap, thread, wait};

/// A child that a descriptor stands for.
pub(super) struct Pidfd(Rc<Slot>);

/// What the loop's callback shares with whoever sends signals.
#[derive(Default)]
struct Slot {
    /// None once the child is reaped.
    watch: RefCell<Option<FdWatch<Shared>>>,
    /// The child is ours to reap; none before the loop watches it, and once it is reaped.
    unreaped: RefCell<Option<Shared>>,
}

/// The descriptor: watched by the loop, and kept by whoever is to reap the child.
#[derive(Clone)]
struct Shared(Arc<OwnedFd>);

impl Pidfd {
    /// Opens the descriptor and has the loop watch it.
    ///
    /// The number is the child's: nobody has reaped it (C1).
    pub(super) fn watch(event_loop: &EventLoop, pid: Pid, exit: &Future<i32>) -> io::Result<Self> {
        let pidfd = Shared(Arc::new(pidfd_open(pid, PidfdFlags::empty())?));
        // Linux 5.3 opens them and cannot wait for them.
        let look = EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        wait(WaitId::PidFd(pidfd.as_fd()), look)?;

        let slot = Rc::<Slot>::default();
        let watch = event_loop.watch_fd(pidfd.clone())?;
        let reaper = Reaper {
            slot: slot.clone(),
            exit: exit.clone(),
        };
        watch.set(Direction::Read, move || reaper.look())?;
        *slot.watch.borrow_mut() = Some(watch);
        *slot.unreaped.borrow_mut() = Some(pidfd);
        Ok(Self(slot))
    }

    pub(super) fn send_signal(&self, signal: Signal) -> rustix::io::Result<()> {
        match &*self.0.unreaped.borrow() {
            Some(pidfd) => pidfd_send_signal(pidfd, signal),
            None => Ok(()),
        }
    }
}

/// Reaps the child: the loop has it as a callback, and drops it where it is closed before the child exits.
struct Reaper {
    slot: Rc<Slot>,
    exit: Future<i32>,
}

impl Reaper {
    /// The descriptor is readable: the child has exited.
    fn look(&self) {
        let reaped = self.slot.unreaped.borrow().as_ref().map(Shared::reap);
        let Some(Some(returncode)) = reaped else {
            return;
        };
        // The loop lets go of this callback by that, and the descriptor is closed.
        let pidfd = self.slot.unreaped.take();
        let watch = self.slot.watch.take();
        drop((pidfd, watch));
        // Nobody else completes it.
        let _ = self.exit.set_result(returncode);
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        let unreaped = self.slot.unreaped.borrow().clone();
        if let Some(pidfd) = unreaped
            && pidfd.reap().is_none()
        {
            pidfd.reap_in_thread();
        }
    }
}

impl Shared {
    /// Reaps the child if it has exited.
    fn reap(&self) -> Option<i32> {
        reap(WaitId::PidFd(self.as_fd()), WaitIdOptions::NOHANG)
    }

    /// Has a thread wait for the child and reap it (C3).
    fn reap_in_thread(self) {
        let started = thread::start(move || {
            reap(WaitId::PidFd(self.as_fd()), WaitIdOptions::empty());
        });
        if let Err(error) = started {
            tracing::warn!(%error, "nobody is left to reap a child process");
        }
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
