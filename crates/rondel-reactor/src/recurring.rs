//! A callback that runs again and again, through the ready queue, unless it is paused, until it is removed.
//!
//! Descriptors and signals have such callbacks.
//! It does not know what it waits for: whoever does schedules it.
//!
//! # asyncio
//!
//! The one `Handle` that a reader or a signal handler keeps.

use std::{cell::Cell, fmt, panic::Location};

use rondel_context::{Context, capture, run_in};
use rondel_sched::{Runnable, describe_callback};

/// A callback that can be scheduled any number of times.
pub(crate) trait Recurring: Runnable {
    /// Makes sure that it never runs again, and drops it unless it is running.
    fn remove(&self);

    /// Makes sure that it does not run for now, even where it is scheduled, and says whether it could have.
    fn pause(&self) -> bool;

    /// Lets it run again, and says whether it was to run meanwhile.
    fn resume(&self) -> bool;

    /// Says whether it is paused.
    fn is_paused(&self) -> bool;

    /// Asks the processor for it: it is going to be asked whether it is due.
    fn prefetch(&self);

    /// Says whether it is to be scheduled; one that is paused notes that it was to run.
    fn is_due(&self) -> bool;
}

/// The allocation behind a recurring callback.
pub(crate) struct RecurringCell<F> {
    /// Out on loan while it runs.
    callback: Cell<Option<F>>,
    /// The context of whoever made it; what the callback changes in it stays from one run to the next.
    context: Cell<Option<Context>>,
    removed: Cell<bool>,
    paused: Cell<bool>,
    /// It was to run and was paused.
    missed: Cell<bool>,
    location: &'static Location<'static>,
}

impl<F> RecurringCell<F> {
    #[track_caller]
    pub(crate) fn new(callback: F) -> Self {
        Self {
            callback: Cell::new(Some(callback)),
            context: Cell::new(capture()),
            removed: Cell::new(false),
            paused: Cell::new(false),
            missed: Cell::new(false),
            location: Location::caller(),
        }
    }
}

impl<F: FnMut() + 'static> Runnable for RecurringCell<F> {
    fn run(&self) {
        if !self.is_due() {
            return;
        }
        let mut loan = Loan {
            callback: self.callback.take(),
            context: self.context.take(),
            cell: self,
        };
        let Loan {
            callback, context, ..
        } = &mut loan;
        if let Some(callback) = callback {
            run_in(context, callback);
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe_callback::<F>(f, self.location)
    }
}

impl<F: FnMut() + 'static> Recurring for RecurringCell<F> {
    fn remove(&self) {
        self.removed.set(true);
        drop(self.callback.take());
    }

    fn pause(&self) -> bool {
        !self.paused.replace(true)
    }

    fn resume(&self) -> bool {
        self.paused.set(false);
        self.missed.take()
    }

    fn is_paused(&self) -> bool {
        self.paused.get()
    }

    fn prefetch(&self) {
        rondel_shared::prefetch(self);
    }

    fn is_due(&self) -> bool {
        let is_paused = self.paused.get();
        if is_paused {
            self.missed.set(true);
        }
        !is_paused
    }
}

/// A callback that is running; it goes back where it was, after a panic too, unless it was removed meanwhile.
struct Loan<'a, F> {
    callback: Option<F>,
    context: Option<Context>,
    cell: &'a RecurringCell<F>,
}

impl<F> Drop for Loan<'_, F> {
    fn drop(&mut self) {
        if !self.cell.removed.get() {
            self.cell.callback.set(self.callback.take());
            self.cell.context.set(self.context.take());
        }
    }
}
