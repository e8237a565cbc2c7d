//! Ctrl-C: SIGINT ends the run of every loop that is running, and the process when none is.
//!
//! A signal sets a flag, which an iteration looks at when it has ended, and rings at the [doorbell](super::doorbell), which ends the wait of an idle loop.
//! While no loop runs, SIGINT does what it does without us.
//! So does the second of two that no iteration has come between: a callback that never returns does not make the process immune to Ctrl-C.
//!
//! # asyncio
//!
//! `KeyboardInterrupt`, which asyncio lets fly out of whatever runs, so that a callback can be torn in the middle; here an iteration always ends.
//! The runner that turns the first Ctrl-C into a cancellation is built on this, above.

use std::{
    io,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::consts::SIGINT;

use super::{
    doorbell::{Actions, Doorbell},
    process::{Taken, Taker},
};
use crate::EventLoop;

/// What a loop that runs for ever listens to SIGINT with.
pub(crate) struct Interrupt {
    arrived: Arc<AtomicBool>,
    _actions: Actions,
}

impl Interrupt {
    /// Begins to listen; until a loop [listens](Listening), that changes nothing.
    pub(crate) fn new(doorbell: &Doorbell) -> io::Result<Self> {
        let arrived = Arc::new(AtomicBool::new(false));
        let actions = Actions::new(SIGINT, &[&arrived], doorbell)?;
        Ok(Self {
            arrived,
            _actions: actions,
        })
    }

    /// Says whether SIGINT has arrived since it was last asked.
    pub(crate) fn take(&self) -> bool {
        // The swap is for the rare case: an iteration costs one load.
        self.arrived.load(Ordering::Relaxed) && self.arrived.swap(false, Ordering::Relaxed)
    }
}

/// SIGINT is taken over from its default for as long as this lives.
pub(crate) struct Listening {
    interrupt: Rc<Interrupt>,
    taken: Taken,
}

impl Listening {
    /// Begins to listen; a signal that arrived before concerned another loop.
    pub(crate) fn begin(interrupt: Rc<Interrupt>) -> io::Result<Self> {
        interrupt.take();
        let taken = Taken::new(SIGINT, Taker::Run)?;
        Ok(Self { interrupt, taken })
    }

    /// Says whether SIGINT has arrived; if so, the run is to end, and with it this.
    #[inline]
    pub(crate) fn interrupted(&self) -> bool {
        self.interrupt.take()
    }

    /// Ends listening, and says whether SIGINT arrived before the default could take over again: none is lost between the two.
    pub(crate) fn end(self) -> bool {
        let Self { interrupt, taken } = self;
        drop(taken);
        interrupt.take()
    }
}

impl EventLoop {
    /// Sets whether Ctrl-C ends the runs of this loop with an error, from the next run on; see [`Builder::interruptible`](crate::Builder::interruptible).
    ///
    /// A run that it does not end leaves SIGINT alone: unless somebody else in the process takes the signal, it does what it does by default.
    pub fn set_interruptible(&self, interruptible: bool) {
        self.interruptible().set(interruptible);
    }
}
