//! The descriptors that are watched, and the callbacks that wait for them.
//!
//! When a descriptor is ready, its callback goes to the ready queue; it runs from there, like every other.
//! A descriptor is registered once with the selector for as long as it has a reader or a writer, whichever they are.
//!
//! # asyncio
//!
//! `_add_reader` and its kin in `selector_events.py`.
//! There the caller has to keep the descriptor open; here the registration owns what keeps it open.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io, mem,
    os::fd::{AsFd, AsRawFd, RawFd},
    rc::Rc,
    sync::Weak,
    time::Duration,
};

use rondel_sched::{ClosedError, Scheduler};

use crate::{
    recurring::{Recurring, RecurringCell},
    selector::{Backend, Direction, Event, Interest, Notify, Selector},
};

/// The watched descriptors of one loop.
pub(crate) struct Watchers {
    /// None once closed.
    selector: RefCell<Option<Rc<dyn Selector>>>,
    watched: RefCell<BTreeMap<RawFd, Watched>>,
    /// Kept for its capacity.
    events: Cell<Vec<Event>>,
}

/// One watched descriptor: at least one of the two is there.
#[derive(Default)]
struct Watched {
    reader: Option<Watcher>,
    writer: Option<Watcher>,
}

/// A callback, and what keeps its descriptor open.
struct Watcher {
    callback: Rc<dyn Recurring>,
    source: Rc<dyn AsFd>,
}

impl Watchers {
    pub(crate) fn open(backend: Backend) -> io::Result<Self> {
        Ok(Self {
            selector: RefCell::new(Some(backend.open()?)),
            watched: RefCell::new(BTreeMap::new()),
            events: Cell::new(Vec::new()),
        })
    }

    /// What other threads notify to end a wait.
    pub(crate) fn notifier(&self) -> io::Result<Weak<dyn Notify>> {
        Ok(self.selector()?.notifier())
    }

    /// How many descriptors are watched.
    pub(crate) fn len(&self) -> usize {
        self.watched.borrow().len()
    }

    /// Begins to watch a descriptor, in place of whoever watched it in this direction.
    #[track_caller]
    pub(crate) fn add(
        &self,
        direction: Direction,
        source: impl AsFd + 'static,
        callback: impl FnMut() + 'static,
    ) -> io::Result<()> {
        let selector = self.selector()?;
        let fd = source.as_fd().as_raw_fd();
        let callback = Rc::new(RecurringCell::new(callback));
        let watcher = Watcher {
            callback,
            source: Rc::new(source),
        };

        let before = self.interest(fd);
        let interest = before.unwrap_or(Interest::NONE).with(direction);
        match before {
            None => selector.register(fd, &watcher.source, interest)?,
            Some(_) => selector.modify(fd, &watcher.source, interest)?,
        }
        let replaced = self
            .watched
            .borrow_mut()
            .entry(fd)
            .or_default()
            .in_direction(direction)
            .replace(watcher);
        if let Some(replaced) = replaced {
            replaced.callback.remove();
        }
        Ok(())
    }

    /// Ends watching in one direction, and says whether somebody did.
    pub(crate) fn remove(&self, direction: Direction, source: impl AsFd) -> bool {
        let fd = source.as_fd().as_raw_fd();
        let Some(removed) = self.take(fd, direction) else {
            return false;
        };
        if let Ok(selector) = self.selector() {
            match self.remaining(fd) {
                // A selector that fails here goes on to report what nobody waits for, and that is passed over.
                Some((source, interest)) => drop(selector.modify(fd, &source, interest)),
                None => selector.unregister(fd, &removed.source),
            }
        }
        // Last, because its destructor may begin to watch the same descriptor again.
        removed.callback.remove();
        true
    }

    /// Waits for the watched descriptors, for a notification or for the time to be over, and schedules the callbacks of those that are ready.
    ///
    /// What other threads have sent until then is scheduled before them: it was there first.
    pub(crate) fn select(
        &self,
        timeout: Option<Duration>,
        scheduler: &Scheduler,
    ) -> io::Result<()> {
        let mut events = self.events.take();
        events.clear();
        self.selector()?.wait(timeout, &mut events)?;
        scheduler.receive();
        for event in &events {
            self.dispatch(event, scheduler);
        }
        self.events.set(events);
        Ok(())
    }

    /// Forgets every descriptor and closes the selector.
    pub(crate) fn close(&self) {
        let Some(selector) = self.selector.borrow_mut().take() else {
            return;
        };
        let watched = mem::take(&mut *self.watched.borrow_mut());
        for (&fd, both) in &watched {
            if let Some(watcher) = both.any() {
                selector.unregister(fd, &watcher.source);
            }
        }
        for both in watched.into_values() {
            for watcher in [both.reader, both.writer].into_iter().flatten() {
                watcher.callback.remove();
            }
        }
    }

    fn selector(&self) -> io::Result<Rc<dyn Selector>> {
        self.selector
            .borrow()
            .clone()
            .ok_or_else(|| io::Error::other(ClosedError))
    }

    fn interest(&self, fd: RawFd) -> Option<Interest> {
        self.watched.borrow().get(&fd).map(Watched::interest)
    }

    /// Takes out the watcher of one direction, and the descriptor when that was the last one.
    fn take(&self, fd: RawFd, direction: Direction) -> Option<Watcher> {
        let mut watched = self.watched.borrow_mut();
        let both = watched.get_mut(&fd)?;
        let removed = both.in_direction(direction).take();
        if both.any().is_none() {
            watched.remove(&fd);
        }
        removed
    }

    fn remaining(&self, fd: RawFd) -> Option<(Rc<dyn AsFd>, Interest)> {
        let watched = self.watched.borrow();
        let both = watched.get(&fd)?;
        Some((Rc::clone(&both.any()?.source), both.interest()))
    }

    fn dispatch(&self, event: &Event, scheduler: &Scheduler) {
        let watched = self.watched.borrow();
        let Some(both) = watched.get(&event.fd) else {
            return;
        };
        let reader = both.reader.as_ref().filter(|_| event.readable);
        let writer = both.writer.as_ref().filter(|_| event.writable);
        for watcher in [reader, writer].into_iter().flatten() {
            // A closed scheduler runs nothing, so nobody misses the callback; the last reference to it is ours in any case.
            let _ = scheduler.schedule(watcher.callback.clone());
        }
    }
}

impl Watched {
    fn interest(&self) -> Interest {
        Interest {
            readable: self.reader.is_some(),
            writable: self.writer.is_some(),
        }
    }

    fn in_direction(&mut self, direction: Direction) -> &mut Option<Watcher> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    fn any(&self) -> Option<&Watcher> {
        self.reader.as_ref().or(self.writer.as_ref())
    }
}
