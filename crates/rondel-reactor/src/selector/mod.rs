//! Waiting for descriptors: the contract that every backend fulfils.
//!
//! A selector knows which descriptors are watched for what, and nothing of callbacks: [`watchers`](crate::watchers) does.
//!
//! # The contract
//!
//! - A descriptor is reported by every wait for as long as it is ready, unless its edge is [asked for](Trigger::Edge): then a wait may leave it out.
//! - Descriptors are named by their number in events. A hang-up or an error counts as ready for whatever the descriptor is watched for.
//! - A wait may end early, for no reason at all or because a short rest is waited for more precisely: who waits for a timer asks the clock again and waits
//!   for the rest. A rest of less than a millisecond is waited for to the nanosecond.
//! - A signal that interrupts a wait ends it without events and without an error.
//! - A notification ends the current wait, or else the next one; any number of them count as one.
//! - Whoever registers a descriptor keeps `source` until it is unregistered.
//!
//! # asyncio
//!
//! The `selectors` module.

#[cfg(target_os = "linux")]
mod epoll;
mod polling;

use std::{
    io,
    os::fd::{AsFd, OwnedFd, RawFd},
    rc::Rc,
    sync::Weak,
    time::Duration,
};

/// How a loop waits for descriptors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// The best that the platform has: epoll on Linux, the `polling` crate elsewhere.
    #[default]
    Default,
    /// Linux's epoll, woken through an eventfd.
    #[cfg(target_os = "linux")]
    Epoll,
    /// The `polling` crate: kqueue, event ports, poll, or epoll.
    Polling,
}

impl Backend {
    pub(crate) fn open(self) -> io::Result<Rc<dyn Selector>> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Default | Self::Epoll => Ok(Rc::new(epoll::Epoll::new()?)),
            #[cfg(not(target_os = "linux"))]
            Self::Default => Self::Polling.open(),
            Self::Polling => Ok(Rc::new(polling::Polling::new()?)),
        }
    }
}

/// What a callback waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// That there is something to read, or that the other side has hung up.
    Read,
    /// That there is room to write, or that the other side has hung up.
    Write,
}

/// When a descriptor that is ready is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// By every wait, for as long as it is ready.
    Level,
    /// Once when it is registered or modified, and once whenever something comes that it can be ready for.
    Edge,
}

/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) trigger: Trigger,
}

impl Interest {
    pub(crate) const NONE: Self = Self {
        readable: false,
        writable: false,
        trigger: Trigger::Level,
    };

    pub(crate) fn is_none(self) -> bool {
        !self.readable && !self.writable
    }

    pub(crate) fn with(self, direction: Direction) -> Self {
        match direction {
            Direction::Read => Self {
                readable: true,
                ..self
            },
            Direction::Write => Self {
                writable: true,
                ..self
            },
        }
    }
}

/// A descriptor is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) fd: RawFd,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// It was reported at its edge, and there is more than one call may take: an end or an error behind the data, or urgent data between.
    pub(crate) is_special: bool,
}

/// See the [contract](self).
pub(crate) trait Selector {
    /// Begins to watch a descriptor that is not watched yet.
    fn register(&self, fd: RawFd, source: &Rc<dyn AsFd>, interest: Interest) -> io::Result<()>;

    /// Changes what a watched descriptor is watched for, and who keeps it open.
    fn modify(&self, fd: RawFd, source: &Rc<dyn AsFd>, interest: Interest) -> io::Result<()>;

    /// Ends watching; a descriptor that is not watched is no error.
    fn unregister(&self, fd: RawFd, source: &Rc<dyn AsFd>);

    /// Waits until a watched descriptor is ready, a notification comes or `timeout` is over, and adds what is ready to `events`.
    ///
    /// No more than `most`, if it can; the others stay ready for the next wait.
    fn wait(
        &self,
        timeout: Option<Duration>,
        most: usize,
        events: &mut Vec<Event>,
    ) -> io::Result<()>;

    /// Another descriptor of the selector itself, which is readable when a wait would end at once.
    fn poll_fd(&self) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What other threads notify; it is gone when the selector is.
    fn notifier(&self) -> Weak<dyn Notify>;
}

/// Ends the wait of a selector, from any thread.
pub(crate) trait Notify: Send + Sync {
    fn notify(&self);
}
