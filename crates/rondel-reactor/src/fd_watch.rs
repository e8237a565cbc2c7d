//! `FdWatch`: a descriptor, and its place in a loop for as long as it is owned.
//!
//! It says when the descriptor is ready and neither reads nor writes; futures that await it are for the layers above.
//!
//! # asyncio
//!
//! A transport's or a socket operation's use of `_add_reader` and `_remove_reader`.
//! There each of them is a system call, and who closes a descriptor too early has its number mistaken for the next one's.

use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd, RawFd},
    rc::{Rc, Weak},
};

use crate::{Direction, EventLoop, event_loop::WeakEventLoop, recurring::RecurringCell};

/// A descriptor that a loop watches whenever a callback waits for it: what [`EventLoop::watch_fd`] gives.
///
/// It owns the descriptor, and the loop forgets it when this is dropped, before the descriptor is closed.
/// For each direction there is one callback, which waits unless it is [paused](Self::pause).
/// Setting, pausing and resuming cost no system call as a rule: the loop goes on asking for what was awaited once, and stops when the system
/// has reported it twice in a row while nobody waited.
///
/// # Examples
///
/// ```
/// use std::{io::{Read, Write}, rc::Rc};
/// use rondel_reactor::{Direction, EventLoop, get_running_loop};
///
/// let event_loop = EventLoop::new()?;
/// let (reader, mut writer) = std::io::pipe()?;
/// let watch = Rc::new(event_loop.watch_fd(reader)?);
///
/// let inside = Rc::downgrade(&watch);
/// watch.set(Direction::Read, move || {
///     let watch = inside.upgrade().expect("it is watched");
///     let mut buffer = [0; 16];
///     let length = watch.get_ref().read(&mut buffer).expect("the pipe is readable");
///     assert_eq!(&buffer[..length], b"hello");
///     watch.pause(Direction::Read);
///     get_running_loop().expect("this is its callback").stop();
/// })?;
/// writer.write_all(b"hello")?;
/// event_loop.run_forever()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends watching and closes the descriptor"]
pub struct FdWatch<S: AsFd + 'static> {
    registration: Registration,
    source: Rc<S>,
}

/// The place in the loop; given back when it is dropped.
struct Registration {
    event_loop: WeakEventLoop,
    fd: RawFd,
}

impl EventLoop {
    /// Makes the loop the one that watches `fd`, once a callback is [set](FdWatch::set).
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the loop watches a descriptor of this number already; a
    /// [`ClosedError`](rondel_sched::ClosedError) when it is closed.
    pub fn watch_fd<S: AsFd + 'static>(&self, fd: S) -> io::Result<FdWatch<S>> {
        let source = Rc::new(fd);
        let fd = source.as_fd().as_raw_fd();
        self.watchers().hold(fd, source.clone())?;
        let registration = Registration {
            event_loop: self.downgrade(),
            fd,
        };
        Ok(FdWatch {
            registration,
            source,
        })
    }
}

impl<S: AsFd + 'static> FdWatch<S> {
    /// Reports readiness less often, to callbacks that leave nothing: that read until there is nothing left, and write until there is no room.
    ///
    /// A callback is called when something has come that the descriptor can be ready for, and when it is set, resumed after it was due, or has the loop
    /// [look again](Self::look_again) because it has left something. Once the other side has hung up, and where there is no such mode, it is called
    /// for as long as the descriptor is ready.
    /// It saves the system a look at each descriptor that was reported. To be asked for before a callback is [set](Self::set).
    pub fn edge_triggered(self) -> Self {
        self.registration
            .with(|event_loop, fd| event_loop.watchers().ask_for_edge(fd));
        self
    }

    /// Returns what owns the descriptor.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Returns a reference to what owns the descriptor that does not keep it open.
    #[must_use]
    pub fn downgrade(&self) -> Weak<S> {
        Rc::downgrade(&self.source)
    }

    /// Ends watching and gives back what owns the descriptor; callbacks that are left are dropped.
    ///
    /// # Panics
    ///
    /// When it is called by `S`'s own `as_fd`, while the loop asks for the descriptor, or while a [weak reference](Self::downgrade) is upgraded.
    #[must_use]
    pub fn into_inner(self) -> S {
        let Self {
            registration,
            source,
        } = self;
        drop(registration);
        Rc::into_inner(source).expect("the loop has forgotten the descriptor")
    }

    /// Runs `callback` whenever the descriptor is ready, in place of the one before.
    ///
    /// Level-triggered, through the ready queue and in a copy of the current context, as with [`add_reader`](EventLoop::add_reader).
    ///
    /// # Errors
    ///
    /// What the operating system says, for instance that a file on disk cannot be watched: then no callback is set.
    /// A [`ClosedError`](rondel_sched::ClosedError) when the loop is closed.
    #[track_caller]
    pub fn set(&self, direction: Direction, callback: impl FnMut() + 'static) -> io::Result<()> {
        let callback = Rc::new(RecurringCell::new(callback));
        self.registration
            .ask(|event_loop, fd| event_loop.watchers().set(fd, direction, callback))
    }

    /// Drops the callback, and says whether there was one; from here on it does not run, even if it was due.
    pub fn unset(&self, direction: Direction) -> bool {
        self.registration
            .with(|event_loop, fd| event_loop.watchers().unset(fd, direction))
            .unwrap_or(false)
    }

    /// Keeps the callback from running until it is [resumed](Self::resume), even if it was due, and says whether it waited.
    pub fn pause(&self, direction: Direction) -> bool {
        self.registration
            .with(|event_loop, fd| event_loop.watchers().pause(fd, direction))
            .unwrap_or(false)
    }

    /// Lets the callback wait again; nothing happens where none is set.
    ///
    /// One that was due when it was paused and is resumed in the same iteration still runs: it must bear being called for nothing.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set); the callback is still paused then.
    pub fn resume(&self, direction: Direction) -> io::Result<()> {
        self.registration
            .ask(|event_loop, fd| event_loop.watchers().resume(fd, direction))
    }

    /// Tells the loop that so many bytes were received, so that it may have fewer callbacks receive before others go on with what they have received.
    pub fn has_received(&self, bytes: usize) {
        self.registration
            .with(|event_loop, _| event_loop.watchers().received(bytes));
    }

    /// Has the callback called if the descriptor is ready still, where that is not [so anyhow](Self::edge_triggered).
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn look_again(&self, direction: Direction) -> io::Result<()> {
        self.registration
            .ask(|event_loop, fd| event_loop.watchers().ask_again(fd, direction))
    }
}

impl Registration {
    /// None when the loop is gone.
    fn with<R>(&self, ask: impl FnOnce(&EventLoop, RawFd) -> R) -> Option<R> {
        let event_loop = self.event_loop.upgrade()?;
        Some(ask(&event_loop, self.fd))
    }

    /// Asks for something, and looks soon where it is new to the selector: it may be ready already.
    fn ask(&self, ask: impl FnOnce(&EventLoop, RawFd) -> io::Result<bool>) -> io::Result<()> {
        let asked = self.with(|event_loop, fd| {
            if ask(event_loop, fd)? {
                event_loop.pace().hurry();
            }
            Ok(())
        });
        asked.unwrap_or_else(|| Err(io::Error::other(rondel_sched::ClosedError)))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.with(|event_loop, fd| event_loop.watchers().release(fd));
    }
}

impl<S: AsFd + fmt::Debug + 'static> fmt::Debug for FdWatch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FdWatch").field(&self.source).finish()
    }
}
