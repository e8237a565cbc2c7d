//! The descriptors that are watched, and the callbacks that wait for them.
//!
//! When a descriptor is ready, its callback goes to the ready queue; it runs from there, like every other.
//! What a callback is and what a selector does is theirs; who owns a descriptor for longer than a callback is [`fd_watch`](crate::fd_watch)'s.
//!
//! # Invariants
//!
//! - W1. The selector knows a descriptor only while it stands in the table, and it stands there only while somebody who owns it wants it to.
//! - W2. The selector is asked for at least what is awaited.
//!   What it is asked for beyond that is taken back when it reports it twice in a row: so a descriptor of an [`FdWatch`](crate::FdWatch) may be awaited
//!   again and again without one system call for it.
//! - W3. `awaited` counts the descriptors that a callback waits for now.
//! - W4. A descriptor of which only the edge is [asked for](Trigger::Edge) is asked for again where a callback was not called for a report: because there
//!   was none, or it was paused, or it says that it has left something. Where it has hung up, failed, or got urgent data, it is no longer the edge that is
//!   asked for: a callback cannot tell what is left behind these.
//!
//! # asyncio
//!
//! `_add_reader` and its kin in `selector_events.py`.
//! There the caller has to keep the descriptor open; here the registration owns what keeps it open.

mod batch;
mod watched;

#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    io, mem,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    rc::Rc,
    sync::Weak,
    time::Duration,
};

use rondel_sched::{ClosedError, Runnable, Scheduler};

use self::{
    batch::Batch,
    watched::{Ask, Watched, Watcher},
};
use crate::{
    recurring::{Recurring, RecurringCell},
    selector::{Backend, Direction, Event, Interest, Notify, Selector, Trigger},
};

/// The watched descriptors of one loop.
pub(crate) struct Watchers {
    /// None once closed.
    selector: RefCell<Option<Rc<dyn Selector>>>,
    /// By number: the system gives the lowest that is free, so there are few gaps.
    table: RefCell<Table>,
    awaited: Cell<usize>,
    batch: Batch,
    /// Kept for its capacity.
    events: Cell<Vec<Event>>,
}

/// How many events before its own a descriptor is fetched from memory.
const FAR: usize = 6;

/// How many events before its own a callback is.
const NEAR: usize = 3;

type Table = Vec<Option<Box<Watched>>>;

impl Watchers {
    pub(crate) fn open(backend: Backend) -> io::Result<Self> {
        Ok(Self::on(backend.open()?))
    }

    fn on(selector: Rc<dyn Selector>) -> Self {
        Self {
            selector: RefCell::new(Some(selector)),
            table: RefCell::new(Vec::new()),
            awaited: Cell::new(0),
            batch: Batch::default(),
            events: Cell::new(Vec::new()),
        }
    }

    /// A descriptor that is readable when there is something to collect.
    pub(crate) fn poll_fd(&self) -> io::Result<OwnedFd> {
        self.selector()?.poll_fd()
    }

    /// What other threads notify to end a wait.
    pub(crate) fn notifier(&self) -> io::Result<Weak<dyn Notify>> {
        Ok(self.selector()?.notifier())
    }

    /// How many descriptors a callback waits for.
    pub(crate) fn awaited(&self) -> usize {
        self.awaited.get()
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
        let watcher = Watcher::new(callback, Rc::new(source));

        let before = self.look(fd, |watched| (watched.asked, watched.held.is_some()));
        let asked = match before {
            None => {
                let interest = Interest::NONE.with(direction);
                selector.register(fd, &watcher.source, interest)?;
                self.enter(fd, Watched::new(None));
                interest
            }
            Some((asked, false)) => {
                let interest = asked.with(direction);
                selector.modify(fd, &watcher.source, interest)?;
                interest
            }
            Some((_, true)) => return Err(already_watched(fd)),
        };
        let replaced = self.change(fd, |watched| {
            watched.asked = asked;
            watched.in_direction(direction).replace(watcher)
        });
        if let Some(replaced) = replaced.flatten() {
            replaced.callback.remove();
        }
        Ok(())
    }

    /// Ends watching in one direction, and says whether somebody did.
    pub(crate) fn remove(&self, direction: Direction, source: impl AsFd) -> bool {
        let fd = source.as_fd().as_raw_fd();
        let removed = self.change(fd, |watched| {
            if watched.held.is_some() {
                return None;
            }
            let source = watched.source()?;
            let removed = watched.in_direction(direction).take()?;
            // Of the other direction, if there is one: the one that is removed may be let go of.
            let source = watched.source().unwrap_or(source);
            Some((removed, watched.ask_for(watched.awaited(), source)))
        });
        let Some((removed, ask)) = removed.flatten() else {
            return false;
        };
        // A selector that fails here goes on to report what nobody waits for, and that is taken back then.
        let _ = self.tell(fd, ask);
        self.table.borrow_mut()[index(fd)].take_if(|watched| watched.is_empty());
        // Last, because its destructor may begin to watch the same descriptor again.
        removed.callback.remove();
        true
    }

    /// Gives a descriptor a place in the table, for an owner that sets its callbacks later.
    pub(crate) fn hold(&self, fd: RawFd, source: Rc<dyn AsFd>) -> io::Result<()> {
        self.selector()?;
        let held = Watched::new(Some(source));
        let refused = self.enter(fd, held);
        refused.map_or(Ok(()), |_| Err(already_watched(fd)))
    }

    /// Gives the place back; whoever was awaited there is forgotten.
    pub(crate) fn release(&self, fd: RawFd) {
        let awaited = self.look(fd, Watched::is_awaited);
        let place = |table: &mut Table| table.get_mut(index(fd))?.take();
        let Some(watched) = place(&mut self.table.borrow_mut()) else {
            return;
        };
        self.awaited
            .set(self.awaited.get() - usize::from(awaited == Some(true)));
        if let (Some(source), Ok(selector)) = (watched.asked_source(), self.selector()) {
            selector.unregister(fd, &source);
        }
        watched.remove_callbacks();
    }

    /// Sets the callback of a descriptor that is held, in place of an earlier one, and says whether the selector had to be told.
    ///
    /// Where the selector refuses, nobody waits in this direction.
    pub(crate) fn set(
        &self,
        fd: RawFd,
        direction: Direction,
        callback: Rc<dyn Recurring>,
    ) -> io::Result<bool> {
        // Not moved into the closure, which would drop it under the borrow where nothing is held.
        let mut callback = Some(callback);
        let set = self.change(fd, |watched| {
            let source = watched.held.clone()?;
            let watcher = Watcher::new(callback.take()?, Rc::clone(&source));
            let replaced = watched.in_direction(direction).replace(watcher);
            Some((replaced, watched.ask_again_for(direction, source)))
        });
        let (replaced, ask) = set.flatten().ok_or_else(closed)?;
        let told = self.tell(fd, ask).inspect_err(|_| {
            self.unset(fd, direction);
        });
        if let Some(replaced) = replaced {
            replaced.callback.remove();
        }
        told
    }

    /// Drops the callback of a descriptor that is held, and says whether there was one.
    pub(crate) fn unset(&self, fd: RawFd, direction: Direction) -> bool {
        let removed = self.change(fd, |watched| watched.in_direction(direction).take());
        let Some(removed) = removed.flatten() else {
            return false;
        };
        removed.callback.remove();
        true
    }

    /// Has the callback of a descriptor that is held wait no more for now, and says whether it did.
    pub(crate) fn pause(&self, fd: RawFd, direction: Direction) -> bool {
        let paused = self.change(fd, |watched| {
            let watcher = watched.in_direction(direction).as_ref()?;
            Some(watcher.pause())
        });
        paused.flatten() == Some(true)
    }

    /// Has the callback of a descriptor that is held wait again, and says whether the selector had to be told.
    pub(crate) fn resume(&self, fd: RawFd, direction: Direction) -> io::Result<bool> {
        let ask = self.change(fd, |watched| {
            let source = watched.held.clone()?;
            match watched.in_direction(direction).as_ref()?.resume() {
                true => watched.ask_again_for(direction, source),
                false => watched.ask_also_for(direction, source),
            }
        });
        let ask = ask.ok_or_else(closed)?;
        self.tell(fd, ask).inspect_err(|_| {
            self.pause(fd, direction);
        })
    }

    /// Asks for no more than the edge of a descriptor that is held, before a callback is set.
    pub(crate) fn ask_for_edge(&self, fd: RawFd) {
        self.look(fd, |watched| watched.trigger.set(Trigger::Edge));
    }

    /// Has a descriptor that is held reported if it is ready still, and says whether the selector had to be told.
    pub(crate) fn ask_again(&self, fd: RawFd, direction: Direction) -> io::Result<bool> {
        let ask = self.change(fd, |watched| {
            let source = watched.held.clone()?;
            // One that is paused is told when it is resumed.
            let is_due = watched.in_direction(direction).as_ref()?.is_to_run();
            is_due.then(|| watched.ask_again_for(direction, source))?
        });
        self.tell(fd, ask.ok_or_else(closed)?)
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
        let most = self.batch.begin();
        self.selector()?.wait(timeout, most, &mut events)?;
        self.batch.collected(events.len());
        scheduler.receive();
        for (place, event) in events.iter().enumerate() {
            let table = self.table.borrow();
            look_ahead(&table, events.get(place + FAR), events.get(place + NEAR));
            let is_to_be_taken_back = dispatch(&table, event, scheduler);
            drop(table);
            if is_to_be_taken_back {
                self.take_back(event.fd);
            }
        }
        self.events.set(events);
        Ok(())
    }

    /// A callback has received so many bytes.
    pub(crate) fn received(&self, bytes: usize) {
        self.batch.received(bytes);
    }

    /// Forgets every descriptor and closes the selector.
    pub(crate) fn close(&self) {
        let Some(selector) = self.selector.borrow_mut().take() else {
            return;
        };
        let table = mem::take(&mut *self.table.borrow_mut());
        self.awaited.set(0);
        for (fd, watched) in (0..).zip(&table) {
            let source = watched.as_ref().and_then(|watched| watched.asked_source());
            if let Some(source) = source {
                selector.unregister(fd, &source);
            }
        }
        for watched in table.into_iter().flatten() {
            watched.remove_callbacks();
        }
    }

    fn selector(&self) -> io::Result<Rc<dyn Selector>> {
        self.selector.borrow().clone().ok_or_else(closed)
    }

    /// Looks at a descriptor that stands in the table.
    fn look<R>(&self, fd: RawFd, look: impl FnOnce(&Watched) -> R) -> Option<R> {
        let table = self.table.borrow();
        table.get(index(fd))?.as_deref().map(look)
    }

    /// Changes a descriptor that stands in the table, and counts whether somebody waits there (W3).
    fn change<R>(&self, fd: RawFd, change: impl FnOnce(&mut Watched) -> R) -> Option<R> {
        let mut table = self.table.borrow_mut();
        let watched = table.get_mut(index(fd))?.as_mut()?;
        let before = usize::from(watched.is_awaited());
        let outcome = change(watched);
        let after = usize::from(watched.is_awaited());
        self.awaited.set(self.awaited.get() + after - before);
        Some(outcome)
    }

    /// Puts a descriptor that nobody waits for into the table, or hands it back where there is one of this number.
    fn enter(&self, fd: RawFd, watched: Watched) -> Option<Watched> {
        let mut table = self.table.borrow_mut();
        let index = index(fd);
        if table.len() <= index {
            table.resize_with(index + 1, || None);
        }
        match &mut table[index] {
            Some(_) => Some(watched),
            place => {
                *place = Some(Box::new(watched));
                None
            }
        }
    }

    /// Tells the selector, and says whether there was anything to tell.
    fn tell(&self, fd: RawFd, ask: Option<Ask>) -> io::Result<bool> {
        let Some(Ask {
            source,
            before,
            after,
        }) = ask
        else {
            return Ok(false);
        };
        let selector = self.selector()?;
        match (before, after) {
            // Even a descriptor that is asked for nothing is reported when it hangs up.
            (_, after) if after.is_none() => selector.unregister(fd, &source),
            (before, _) if before.is_none() => selector.register(fd, &source, after)?,
            _ => selector.modify(fd, &source, after)?,
        }
        self.change(fd, |watched| watched.asked = after);
        Ok(true)
    }

    /// The turn of a source in the ready queue has come: gives its callback if that is to run.
    #[inline]
    pub(crate) fn begin_turn(&self, source: u32) -> Option<Rc<dyn Runnable>> {
        let direction = match source & WRITE {
            0 => Direction::Read,
            _ => Direction::Write,
        };
        let table = self.table.borrow();
        let watched = table.get((source >> 1) as usize)?.as_deref()?;
        Some(watched.watcher(direction)?.begin_turn()?)
    }

    /// Asks the selector for no more than is awaited (W2).
    fn take_back(&self, fd: RawFd) {
        let ask = self.change(fd, |watched| {
            let source = watched.source()?;
            watched.ask_for(watched.awaited(), source)
        });
        // A selector that fails reports it again.
        let _ = self.tell(fd, ask.flatten());
    }
}

/// Has fetched from memory what later events need: where the callback lies, and then the callback.
#[inline]
fn look_ahead(table: &Table, far: Option<&Event>, near: Option<&Event>) {
    let watched = |event: &Event| table.get(index(event.fd))?.as_deref();
    if let Some(watched) = far.and_then(watched) {
        watched.prefetch();
    }
    let reader = near
        .and_then(watched)
        .and_then(|watched| watched.reader.as_ref());
    if let Some(reader) = reader {
        reader.callback.prefetch();
    }
}

/// Schedules the callbacks that wait for an event, and says whether the selector is to be asked for no more than is awaited.
#[inline]
fn dispatch(table: &Table, event: &Event, scheduler: &Scheduler) -> bool {
    let Some(watched) = table.get(index(event.fd)).and_then(Option::as_deref) else {
        return false;
    };
    let tell = |watcher: &Option<Watcher>, direction| {
        if watcher.as_ref().is_some_and(Watcher::becomes_due) {
            // A closed scheduler runs nothing, and nobody misses the callback.
            scheduler.trigger(source(event.fd, direction));
        }
    };
    if event.readable {
        tell(&watched.reader, Direction::Read);
    }
    if event.writable {
        tell(&watched.writer, Direction::Write);
    }
    watched.is_to_be_taken_back(event)
}

/// Marks the source of the callback that waits to write.
const WRITE: u32 = 1;

/// What stands in the ready queue for the callback of a descriptor.
fn source(fd: RawFd, direction: Direction) -> u32 {
    let direction = match direction {
        Direction::Read => 0,
        Direction::Write => WRITE,
    };
    fd.cast_unsigned() << 1 | direction
}

fn index(fd: RawFd) -> usize {
    usize::try_from(fd).expect("descriptors are never negative")
}

fn closed() -> io::Error {
    io::Error::other(ClosedError)
}

fn already_watched(fd: RawFd) -> io::Error {
    io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("file descriptor {fd} is watched already"),
    )
}
