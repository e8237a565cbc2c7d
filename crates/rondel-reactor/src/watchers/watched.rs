//! One watched descriptor: who waits for it, and what the selector has been asked for.
//!
//! It decides what the selector is to be told, and leaves the telling to the table.

use std::{cell::Cell, os::fd::AsFd, rc::Rc};

use crate::{
    recurring::Recurring,
    selector::{Direction, Event, Interest, Trigger},
};

/// One watched descriptor.
///
/// What every event needs comes first and together: among many descriptors each line of memory is waited for.
#[repr(C)]
pub(super) struct Watched {
    pub(super) reader: Option<Watcher>,
    /// What the selector has been asked for.
    pub(super) asked: Interest,
    /// What it is to be asked for.
    pub(super) trigger: Cell<Trigger>,
    /// It was reported while nobody waited for that, once: whoever was woken may not have come round to it yet.
    spared: Cell<bool>,
    /// What keeps it open while no callback is there: the source of an [`FdWatch`](crate::FdWatch).
    pub(super) held: Option<Rc<dyn AsFd>>,
    pub(super) writer: Option<Watcher>,
}

/// A callback, and what keeps its descriptor open.
pub(super) struct Watcher {
    pub(super) callback: Rc<dyn Recurring>,
    pub(super) source: Rc<dyn AsFd>,
    paused: Cell<bool>,
    /// It was to run and was paused.
    missed: Cell<bool>,
    /// It stands in the ready queue.
    due: Cell<bool>,
}

impl Watcher {
    pub(super) fn new(callback: Rc<dyn Recurring>, source: Rc<dyn AsFd>) -> Self {
        Self {
            callback,
            source,
            paused: Cell::new(false),
            missed: Cell::new(false),
            due: Cell::new(false),
        }
    }

    /// Makes sure that it does not run for now, even where it stands in the ready queue, and says whether it could have.
    pub(super) fn pause(&self) -> bool {
        !self.paused.replace(true)
    }

    /// Lets it run again, and says whether it was to run meanwhile.
    pub(super) fn resume(&self) -> bool {
        self.paused.set(false);
        self.missed.take()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.get()
    }

    /// Says whether it is to run; one that is paused notes that it was.
    #[inline]
    pub(super) fn is_to_run(&self) -> bool {
        let is_paused = self.paused.get();
        if is_paused {
            self.missed.set(true);
        }
        !is_paused
    }

    /// Says whether it is to be put into the ready queue.
    #[inline]
    pub(super) fn becomes_due(&self) -> bool {
        self.is_to_run() && !self.due.replace(true)
    }

    /// Its turn in the ready queue has come, or that of one that was in its place before: gives the callback if it is to run.
    #[inline]
    pub(super) fn begin_turn(&self) -> Option<Rc<dyn Recurring>> {
        (self.due.take() && self.is_to_run()).then(|| self.callback.clone())
    }
}

/// What the selector is to be told: what it was asked for, and what it is to be asked for now.
pub(super) struct Ask {
    pub(super) source: Rc<dyn AsFd>,
    pub(super) before: Interest,
    pub(super) after: Interest,
}

impl Watched {
    pub(super) fn new(held: Option<Rc<dyn AsFd>>) -> Self {
        Self {
            held,
            reader: None,
            writer: None,
            asked: Interest::NONE,
            trigger: Cell::new(Trigger::Level),
            spared: Cell::new(false),
        }
    }

    /// What callbacks wait for now.
    pub(super) fn awaited(&self) -> Interest {
        let waits = |watcher: &Option<Watcher>| {
            let watcher = watcher.as_ref();
            watcher.is_some_and(|watcher| !watcher.is_paused())
        };
        Interest {
            readable: waits(&self.reader),
            writable: waits(&self.writer),
            trigger: self.trigger.get(),
        }
    }

    pub(super) fn is_awaited(&self) -> bool {
        !self.awaited().is_none()
    }

    /// Says whether the selector is to be asked for no more than is awaited: it has reported for the second time in a row what nobody waits for.
    ///
    /// Not at the first time, because a task that was woken reads in the iteration after, and then waits again.
    /// What is special is reported by every wait from here on (W4).
    pub(super) fn is_to_be_taken_back(&self, event: &Event) -> bool {
        if event.is_special && self.trigger.replace(Trigger::Level) == Trigger::Edge {
            return true;
        }
        let is_unwanted = |reported, asked, watcher: &Option<Watcher>| {
            let waits = |watcher: &Watcher| !watcher.is_paused();
            reported && asked && !watcher.as_ref().is_some_and(waits)
        };
        let is_unwanted = is_unwanted(event.readable, self.asked.readable, &self.reader)
            || is_unwanted(event.writable, self.asked.writable, &self.writer);
        is_unwanted && self.spared.replace(true)
    }

    /// What to tell the selector so that it is asked for this; none where it is.
    pub(super) fn ask_for(&self, after: Interest, source: Rc<dyn AsFd>) -> Option<Ask> {
        let before = self.asked;
        (before != after).then_some(Ask {
            source,
            before,
            after,
        })
    }

    /// What to tell the selector so that it is asked for one direction at least.
    pub(super) fn ask_also_for(&self, direction: Direction, source: Rc<dyn AsFd>) -> Option<Ask> {
        self.spared.set(false);
        if self.asked.with(direction) == self.asked {
            return None;
        }
        self.ask_for(self.awaited(), source)
    }

    /// As [`ask_also_for`](Self::ask_also_for), and has it reported again where it was and nobody came of it (W4).
    pub(super) fn ask_again_for(&self, direction: Direction, source: Rc<dyn AsFd>) -> Option<Ask> {
        let (before, after) = (self.asked, self.asked);
        let again = (self.trigger.get() == Trigger::Edge).then(|| Ask {
            source: Rc::clone(&source),
            before,
            after,
        });
        self.ask_also_for(direction, source).or(again)
    }

    #[inline]
    pub(super) fn watcher(&self, direction: Direction) -> Option<&Watcher> {
        match direction {
            Direction::Read => self.reader.as_ref(),
            Direction::Write => self.writer.as_ref(),
        }
    }

    pub(super) fn in_direction(&mut self, direction: Direction) -> &mut Option<Watcher> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    /// What keeps the descriptor open, and names it to the selector.
    pub(super) fn source(&self) -> Option<Rc<dyn AsFd>> {
        let watcher = || self.reader.as_ref().or(self.writer.as_ref());
        let source = self.held.as_ref().or_else(|| Some(&watcher()?.source));
        source.cloned()
    }

    /// The source, where the selector knows the descriptor.
    pub(super) fn asked_source(&self) -> Option<Rc<dyn AsFd>> {
        self.source().filter(|_| !self.asked.is_none())
    }

    /// Asks the processor for what an event needs.
    pub(super) fn prefetch(&self) {
        rondel_shared::prefetch(&self.reader);
        rondel_shared::prefetch(&self.asked);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_none() && self.reader.is_none() && self.writer.is_none()
    }

    pub(super) fn remove_callbacks(self) {
        for watcher in [self.reader, self.writer].into_iter().flatten() {
            watcher.callback.remove();
        }
    }
}
