//! Every other Unix, by way of the `polling` crate; on Linux too, so that tests hold it.
//!
//! This module holds all the `unsafe` of the crate: `polling` trusts that a descriptor is deleted before it is closed.
//!
//! # Invariants
//!
//! - P1. `sources` has exactly the descriptors that the poller has, and keeps each of them open.
//! - P2. A source leaves `sources` only after its descriptor was deleted from the poller, or for another source of the same open descriptor.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd},
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use polling::{Events, PollMode, Poller};

use super::{Event, Interest, Notify, Selector};

pub(crate) struct Polling {
    poller: Arc<Poller>,
    sources: RefCell<BTreeMap<RawFd, Rc<dyn AsFd>>>,
    collected: RefCell<Events>,
}

impl Polling {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            poller: Arc::new(Poller::new()?),
            sources: RefCell::new(BTreeMap::new()),
            collected: RefCell::new(Events::new()),
        })
    }
}

impl Selector for Polling {
    #[expect(
        unsafe_code,
        reason = "`polling` cannot see that the descriptor stays open"
    )]
    fn register(&self, fd: RawFd, source: &Rc<dyn AsFd>, interest: Interest) -> io::Result<()> {
        // SAFETY: the descriptor is deleted before it is closed. It is open now, and open it stays for as long as its source is shared and
        // not dropped, because an `AsFd` cannot tell when a borrow that it gave has ended; we keep the source until the descriptor is deleted (P2).
        unsafe {
            self.poller
                .add_with_mode(fd, event(fd, interest), PollMode::Level)
        }?;
        self.sources.borrow_mut().insert(fd, Rc::clone(source));
        Ok(())
    }

    fn modify(&self, fd: RawFd, source: &Rc<dyn AsFd>, interest: Interest) -> io::Result<()> {
        self.poller
            .modify_with_mode(source, event(fd, interest), PollMode::Level)?;
        let replaced = self.sources.borrow_mut().insert(fd, Rc::clone(source));
        drop(replaced);
        Ok(())
    }

    fn unregister(&self, fd: RawFd, _: &Rc<dyn AsFd>) {
        if self.sources.borrow().contains_key(&fd) {
            delete(&self.poller, fd);
        }
        let source = self.sources.borrow_mut().remove(&fd);
        drop(source);
    }

    fn wait(&self, timeout: Option<Duration>, _: usize, events: &mut Vec<Event>) -> io::Result<()> {
        let mut collected = self.collected.borrow_mut();
        // `wait` appends, and clears by itself when a signal interrupts it.
        collected.clear();
        self.poller.wait(&mut collected, timeout)?;
        events.extend(collected.iter().filter_map(|event| {
            let fd = RawFd::try_from(event.key).ok()?;
            Some(Event {
                fd,
                readable: event.readable,
                writable: event.writable,
                // Edges are not asked for: not everywhere is there a way to.
                is_special: false,
            })
        }));
        Ok(())
    }

    // Where `polling` has a descriptor: epoll and kqueue.
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ))]
    fn poll_fd(&self) -> io::Result<OwnedFd> {
        self.poller.as_fd().try_clone_to_owned()
    }

    fn notifier(&self) -> Weak<dyn Notify> {
        let notifier: Arc<dyn Notify> = self.poller.clone();
        Arc::downgrade(&notifier)
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        for &fd in self.sources.borrow().keys() {
            delete(&self.poller, fd);
        }
    }
}

impl Notify for Poller {
    fn notify(&self) {
        // An error means that the poller is beyond waiting.
        let _ = Poller::notify(self);
    }
}

fn event(fd: RawFd, interest: Interest) -> polling::Event {
    // Descriptors are never negative.
    polling::Event::new(fd as usize, interest.readable, interest.writable)
}

/// Deletes a descriptor by its number: an `AsFd` may in principle name another descriptor the next time it is asked.
#[expect(
    unsafe_code,
    reason = "only the number that was registered is sure to be the one to delete"
)]
fn delete(poller: &Poller, fd: RawFd) {
    // SAFETY: the descriptor is in `sources`, which keeps it open (P1).
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    // What the poller does not know needs no deleting.
    let _ = poller.delete(fd);
}
