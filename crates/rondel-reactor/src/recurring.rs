//! A callback that runs again and again, through the ready queue, until it is removed.
//!
//! Descriptors and signals have such callbacks.
//! It does not know what it waits for: whoever does schedules it.
//!
//! # asyncio
//!
//! The one `Handle` that a reader or a signal handler keeps.

use std::{
    cell::{Cell, RefCell},
    fmt,
    panic::Location,
};

use rondel_context::{Context, capture, run_in};
use rondel_sched::{Runnable, describe_callback};

/// A callback that can be scheduled any number of times.
pub(crate) trait Recurring: Runnable {
    /// Makes sure that it never runs again, and drops it, unless it is running: then it is dropped when it has run.
    fn remove(&self);

    /// Asks the processor for it: it is going to run.
    fn prefetch(&self);
}

/// The allocation behind a recurring callback.
pub(crate) struct RecurringCell<F> {
    /// Borrowed while it runs.
    deed: RefCell<Deed<F>>,
    removed: Cell<bool>,
    location: &'static Location<'static>,
}

/// A callback, and the context that it runs in.
struct Deed<F> {
    /// None once removed.
    callback: Option<F>,
    /// That of whoever made it; what the callback changes in it stays from one run to the next.
    context: Option<Context>,
}

impl<F> RecurringCell<F> {
    #[track_caller]
    pub(crate) fn new(callback: F) -> Self {
        Self {
            deed: RefCell::new(Deed {
                callback: Some(callback),
                context: capture(),
            }),
            removed: Cell::new(false),
            location: Location::caller(),
        }
    }
}

impl<F: FnMut() + 'static> Runnable for RecurringCell<F> {
    fn run(&self) {
        let _end = End(self);
        // It is not called again while it runs.
        let Ok(mut deed) = self.deed.try_borrow_mut() else {
            return;
        };
        let Deed { callback, context } = &mut *deed;
        if let Some(callback) = callback
            && !self.removed.get()
        {
            run_in(context, || {
                callback();
            });
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe_callback::<F>(f, self.location)
    }
}

impl<F: FnMut() + 'static> Recurring for RecurringCell<F> {
    fn remove(&self) {
        self.removed.set(true);
        let deed = self.deed.try_borrow_mut();
        // Dropped where nothing is borrowed.
        let callback = deed.ok().and_then(|mut deed| deed.callback.take());
        drop(callback);
    }

    fn prefetch(&self) {
        rondel_shared::prefetch(self);
    }
}

/// The end of a run, by a panic too: drops a callback that was removed meanwhile.
struct End<'a, F: FnMut() + 'static>(&'a RecurringCell<F>);

impl<F: FnMut() + 'static> Drop for End<'_, F> {
    fn drop(&mut self) {
        if self.0.removed.get() {
            self.0.remove();
        }
    }
}
