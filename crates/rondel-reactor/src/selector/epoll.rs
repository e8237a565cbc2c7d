//! Linux: epoll, woken through an eventfd.
//!
//! The eventfd is watched edge-triggered and never read: every write to it is an event, and its counter of 64 bits does not overflow.
//!
//! epoll counts its timeout in milliseconds until Linux 5.11 brought `epoll_pwait2`, which a seccomp filter may still answer by killing the process.
//! `ppoll` has counted in nanoseconds since 2.6.16, and an epoll descriptor can itself be polled. That is a second system call if something comes, so only
//! the last millisecond is waited for there: a longer wait takes whole milliseconds and ends before its time, unless something comes, which is the usual
//! case where there is something to wait for.

use std::{
    cell::RefCell,
    io,
    os::fd::{AsFd, OwnedFd, RawFd},
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, epoll, eventfd, poll},
    io::Errno,
    time::Timespec,
};

use super::{Event, Interest, Notify, Selector, Trigger};

const MILLISECOND: Duration = Duration::from_millis(1);

/// The key of the eventfd; no descriptor has a negative number.
const NOTIFIER: u64 = u64::MAX;

pub(crate) struct Epoll {
    epoll: OwnedFd,
    notifier: Arc<Eventfd>,
    collected: RefCell<Vec<epoll::Event>>,
}

/// The end of the selector that other threads hold, weakly.
struct Eventfd(OwnedFd);

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let notifier = Eventfd(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let edge_triggered = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(
            &epoll,
            &notifier.0,
            epoll::EventData::new_u64(NOTIFIER),
            edge_triggered,
        )?;
        Ok(Self {
            epoll,
            notifier: Arc::new(notifier),
            collected: RefCell::default(),
        })
    }

    /// Waits for less than a millisecond, and collects if there is something.
    fn wait_precisely(
        &self,
        timeout: Duration,
        most: usize,
        events: &mut Vec<Event>,
    ) -> Result<(), Errno> {
        let timeout = timespec(timeout);
        let epoll = PollFd::new(&self.epoll, PollFlags::IN);
        match poll(&mut [epoll], Some(&timeout))? {
            0 => Ok(()),
            _ => self.collect(Some(&Timespec::default()), most, events),
        }
    }

    fn collect(
        &self,
        timeout: Option<&Timespec>,
        most: usize,
        events: &mut Vec<Event>,
    ) -> Result<(), Errno> {
        let mut collected = self.collected.borrow_mut();
        collected.clear();
        collected.reserve(most);
        let room = &mut collected.spare_capacity_mut()[..most];
        let (collected, _) = epoll::wait(&self.epoll, room, timeout)?;
        events.extend(collected.iter().filter_map(event));
        Ok(())
    }
}

impl Selector for Epoll {
    fn register(&self, fd: RawFd, source: &Rc<dyn AsFd>, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, source, data(fd), flags(interest))?)
    }

    fn modify(&self, fd: RawFd, source: &Rc<dyn AsFd>, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(
            &self.epoll,
            source,
            data(fd),
            flags(interest),
        )?)
    }

    fn unregister(&self, _: RawFd, source: &Rc<dyn AsFd>) {
        // What epoll does not know needs no deleting.
        let _ = epoll::delete(&self.epoll, source);
    }

    fn wait(
        &self,
        timeout: Option<Duration>,
        most: usize,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        let outcome = match timeout {
            None => self.collect(None, most, events),
            Some(Duration::ZERO) => self.collect(Some(&Timespec::default()), most, events),
            Some(timeout) if timeout < MILLISECOND => self.wait_precisely(timeout, most, events),
            Some(timeout) => {
                let parts = Duration::from_nanos(u64::from(timeout.subsec_nanos() % 1_000_000));
                self.collect(Some(&timespec(timeout - parts)), most, events)
            }
        };
        match outcome {
            Ok(()) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn poll_fd(&self) -> io::Result<OwnedFd> {
        self.epoll.try_clone()
    }

    fn notifier(&self) -> Weak<dyn Notify> {
        let notifier: Arc<dyn Notify> = self.notifier.clone();
        Arc::downgrade(&notifier)
    }
}

impl Notify for Eventfd {
    fn notify(&self) {
        // It fails only when the counter is full, and then the selector has been notified.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

fn timespec(timeout: Duration) -> Timespec {
    // A time that does not fit is so long that another one will do.
    Timespec::try_from(timeout).unwrap_or(Timespec {
        tv_sec: i64::from(i32::MAX),
        tv_nsec: 0,
    })
}

fn data(fd: RawFd) -> epoll::EventData {
    // Descriptors are never negative, so nothing is lost and none of them is `NOTIFIER`.
    epoll::EventData::new_u64(fd as u64)
}

fn flags(interest: Interest) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN, interest.readable);
    flags.set(epoll::EventFlags::OUT, interest.writable);
    if interest.trigger == Trigger::Edge {
        flags |= epoll::EventFlags::ET | epoll::EventFlags::PRI | epoll::EventFlags::RDHUP;
    }
    flags
}

/// None for the notifier.
fn event(event: &epoll::Event) -> Option<Event> {
    let fd = RawFd::try_from(event.data.u64()).ok()?;
    // As the `selectors` module has it: whatever is not plainly the one counts as the other, a hang-up and an error as both.
    let flags = event.flags;
    let readable = flags.intersects(!epoll::EventFlags::OUT);
    let writable = flags.intersects(!epoll::EventFlags::IN);
    // A hang-up or an error of a descriptor whose edge was not asked for is no news to anybody.
    let is_special = flags.intersects(!(epoll::EventFlags::IN | epoll::EventFlags::OUT));
    Some(Event {
        fd,
        readable,
        writable,
        is_special,
    })
}
