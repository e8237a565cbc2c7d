//! What a signal does in this process: what it does by default, while nobody takes it from there.
//!
//! The first who takes a signal replaces its disposition for good, because a handler cannot be taken back safely: another thread may be in it.
//! From then on the default is emulated.
//!
//! # Invariants
//!
//! - P1. The default acts before everything else that a signal does, so that it sees how things were when the signal came.
//! - P2. Between two who take a signal the default acts: no signal is lost.

use std::{
    collections::BTreeMap,
    ffi::c_int,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{SigId, flag, low_level::unregister};

/// Who takes a signal from its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taker {
    /// A run that the signal interrupts.
    /// The signal itself arms the default again, until the run has taken notice: a callback that never returns does not make the process immune.
    Run,
    /// A handler: the signal is its own, however often it comes.
    Handler,
}

/// A signal is taken over from its default for as long as this lives.
#[derive(Debug)]
pub(crate) struct Taken {
    signal: c_int,
    by: Taker,
}

impl Taken {
    pub(crate) fn new(signal: c_int, by: Taker) -> io::Result<Self> {
        with_disposition(signal, |disposition| disposition.take(by))?;
        Ok(Self { signal, by })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // The disposition is there since this was made; arming the default is one store, which cannot fail.
        let _ = with_disposition(self.signal, |disposition| {
            disposition.give_back(self.signal, self.by);
        });
    }
}

/// Replaces the signal's disposition by one that acts the same; whoever adds actions to a signal does this before (P1).
pub(crate) fn prepare(signal: c_int) -> io::Result<()> {
    with_disposition(signal, |_| ())
}

/// Who has taken a signal in this process.
struct Disposition {
    runs: usize,
    handlers: usize,
    /// While this is set, the signal does what it does by default.
    idle: Arc<AtomicBool>,
    /// Has the signal set `idle`; while there is a handler it does not.
    rearm: Option<SigId>,
}

impl Disposition {
    fn new(signal: c_int) -> io::Result<Self> {
        let idle = Arc::new(AtomicBool::new(true));
        // In this order, so that a signal does not see what it sets itself.
        flag::register_conditional_default(signal, Arc::clone(&idle))?;
        let rearm = flag::register(signal, Arc::clone(&idle))?;
        Ok(Self {
            runs: 0,
            handlers: 0,
            idle,
            rearm: Some(rearm),
        })
    }

    fn take(&mut self, by: Taker) {
        *self.count(by) += 1;
        if by == Taker::Handler
            && let Some(rearm) = self.rearm.take()
        {
            unregister(rearm);
        }
        self.set_idle();
    }

    fn give_back(&mut self, signal: c_int, by: Taker) {
        *self.count(by) -= 1;
        self.set_idle();
        if self.handlers == 0 && self.rearm.is_none() {
            // It was registered before, and what is known to work once is not refused.
            self.rearm = flag::register(signal, Arc::clone(&self.idle)).ok();
        }
    }

    fn count(&mut self, by: Taker) -> &mut usize {
        match by {
            Taker::Run => &mut self.runs,
            Taker::Handler => &mut self.handlers,
        }
    }

    /// Arms the default when nobody takes the signal, and takes back what a signal that was noticed has armed.
    fn set_idle(&self) {
        let idle = self.runs == 0 && self.handlers == 0;
        self.idle.store(idle, Ordering::SeqCst);
    }
}

fn with_disposition<R>(signal: c_int, f: impl FnOnce(&mut Disposition) -> R) -> io::Result<R> {
    static PROCESS: Mutex<BTreeMap<c_int, Disposition>> = Mutex::new(BTreeMap::new());
    let mut process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(disposition) = process.get_mut(&signal) {
        return Ok(f(disposition));
    }
    let disposition = process.entry(signal).or_insert(Disposition::new(signal)?);
    Ok(f(disposition))
}
