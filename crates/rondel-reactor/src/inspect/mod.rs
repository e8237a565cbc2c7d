//! What shows how a loop is doing: debug mode, instruments, statistics.
//!
//! It changes nothing of what runs and in which order.
//!
//! # Invariants
//!
//! - D1. The iteration asks once whether somebody watches, and then takes the plain or the [watched](watched) path: who is not there costs nothing per callback.
//! - D2. An instrument or a text that panics is reported, and harms neither the loop nor the callback that it was called for.

mod debug;
mod instruments;
mod statistics;
mod watched;

use std::{cell::Cell, panic::Location, time::Duration};

use instruments::Instruments;

pub use instruments::Instrument;
pub use statistics::LoopStatistics;
pub(crate) use watched::WatchedTurn;

/// How long a callback may take before it is reported, as in asyncio.
const SLOW_CALLBACK_DURATION: Duration = Duration::from_millis(100);

/// What one loop keeps for whoever looks at it.
pub(crate) struct Inspection {
    debug: Cell<bool>,
    instruments: Instruments,
    /// Whether debug mode is on or there is an instrument (D1).
    watched: Cell<bool>,
    slow_callback_duration: Cell<Duration>,
    created_at: &'static Location<'static>,
    iterations: Cell<u64>,
    callbacks: Cell<u64>,
    longest_callback: Cell<Duration>,
}

impl Inspection {
    /// For a loop made at `created_at`; what `debug` leaves open, the environment says.
    pub(crate) fn new(debug: Option<bool>, created_at: &'static Location<'static>) -> Self {
        let debug = debug.unwrap_or_else(debug::is_asked_for_by_the_environment);
        Self {
            debug: Cell::new(debug),
            instruments: Instruments::default(),
            watched: Cell::new(debug),
            slow_callback_duration: Cell::new(SLOW_CALLBACK_DURATION),
            created_at,
            iterations: Cell::new(0),
            callbacks: Cell::new(0),
            longest_callback: Cell::new(Duration::ZERO),
        }
    }

    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.get()
    }

    /// Notes that an iteration has run so many callbacks.
    #[inline]
    pub(crate) fn ran(&self, callbacks: usize) {
        self.iterations.set(self.iterations.get() + 1);
        self.callbacks.set(self.callbacks.get() + callbacks as u64);
    }

    /// How many callbacks the loop has run in whole iterations.
    #[inline]
    pub(crate) fn callbacks(&self) -> u64 {
        self.callbacks.get()
    }

    /// Looks again whether somebody watches (D1).
    fn update_watched(&self) {
        self.watched
            .set(self.debug.get() || !self.instruments.is_empty());
    }
}
