//! What a loop does when signals arrive: its handlers and watches.
//!
//! A signal sets its flag and the loop's, and ends the wait of an idle loop.
//! The next iteration finds the loop's flag set and schedules one callback, which schedules the handlers whose flags are set.
//! No handler runs inside the signal.
//!
//! What the signal does to everybody else in the process is said in [`process`], and Ctrl-C where there is no handler is [`interrupt`]'s.
//!
//! # asyncio
//!
//! `add_signal_handler` and its kin in `unix_events.py`.
//! The handler runs in the same iteration as there, the second after the signal.
//! asyncio has signals in the main thread only; here every loop that has a handler is told, on whatever thread it runs.
//! A handler that is removed does not run even if it was due.

pub(crate) mod doorbell;
pub(crate) mod interrupt;
pub(crate) mod process;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    ffi::c_int,
    fmt, io, mem,
    rc::{Rc, Weak},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rondel_context::run_in;
use rondel_sched::{ClosedError, Scheduler};
use signal_hook::consts::{FORBIDDEN, SIGINT};

use crate::{
    EventLoop, get_running_loop,
    recurring::{Recurring, RecurringCell},
    selector::Direction,
};
use doorbell::{Actions, Doorbell, drain};
use interrupt::Interrupt;
use process::{Taken, Taker};

pub mod signal {
    //! The numbers of the signals, as this platform has them.

    pub use signal_hook::consts::signal::*;
}

/// What one loop does about signals.
#[derive(Default)]
pub(crate) struct Signals {
    /// One of the signals that somebody waits for has arrived.
    arrived: Arc<AtomicBool>,
    handled: RefCell<BTreeMap<c_int, Handled>>,
    last_watch: Cell<u64>,
    /// Made by whoever needs it first.
    doorbell: RefCell<Option<Rc<Doorbell>>>,
    /// Whether it is there, for the iteration to know at a glance.
    has_doorbell: Cell<bool>,
    /// Made by the first run that can be interrupted.
    interrupt: RefCell<Option<Rc<Interrupt>>>,
}

/// A signal that the loop has callbacks for: at least one is there.
struct Handled {
    callbacks: Vec<(Owner, Rc<dyn Recurring>)>,
    arrived: Arc<AtomicBool>,
    /// Goes before the actions, so that no signal falls between the default and us (P2 of [`process`]).
    _taken: Taken,
    _actions: Actions,
}

/// Whose callback it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The signal's one handler.
    Handler,
    /// A [`SignalWatch`], by its number.
    Watch(u64),
}

impl Signals {
    /// Says whether the loop has callbacks for this signal.
    pub(crate) fn handles(&self, signal: c_int) -> bool {
        self.handled.borrow().contains_key(&signal)
    }

    /// Says whether a signal may come that the loop has callbacks for.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.handled.borrow().is_empty()
    }

    /// Says whether the loop watches a descriptor for the signals' sake.
    #[inline]
    pub(crate) fn has_doorbell(&self) -> bool {
        self.has_doorbell.get()
    }

    /// Has the callbacks called whose signals have arrived: it schedules what will schedule them.
    #[inline]
    pub(crate) fn look(&self, scheduler: &Scheduler) {
        // The swap is for the rare case: an iteration costs one load.
        if self.arrived.load(Ordering::Relaxed) {
            self.schedule_delivery(scheduler);
        }
    }

    #[cold]
    fn schedule_delivery(&self, scheduler: &Scheduler) {
        if self.arrived.swap(false, Ordering::SeqCst) {
            // A closed scheduler calls nobody, and its handlers are gone.
            let _ = run_in(&mut None, || scheduler.call_soon(deliver));
        }
    }

    fn deliver(&self, scheduler: &Scheduler) {
        for handled in self.handled.borrow().values() {
            if handled.arrived.swap(false, Ordering::SeqCst) {
                for (_, callback) in &handled.callbacks {
                    // As above; the last reference is ours in any case.
                    let _ = scheduler.schedule(callback.clone());
                }
            }
        }
    }

    /// Sets the callback of an owner, and gives back the one that it had.
    fn set(
        &self,
        signal: c_int,
        owner: Owner,
        callback: Rc<dyn Recurring>,
        doorbell: &Doorbell,
    ) -> io::Result<Option<Rc<dyn Recurring>>> {
        if let Some(handled) = self.handled.borrow_mut().get_mut(&signal) {
            return Ok(handled.set(owner, callback));
        }
        let arrived = Arc::new(AtomicBool::new(false));
        let actions = Actions::new(signal, &[&arrived, &self.arrived], doorbell)?;
        let handled = Handled {
            callbacks: vec![(owner, callback)],
            arrived,
            _taken: Taken::new(signal, Taker::Handler)?,
            _actions: actions,
        };
        self.handled.borrow_mut().insert(signal, handled);
        Ok(None)
    }

    /// Treats a signal as arrived that somebody else has taken notice of.
    fn hand_over(&self, signal: c_int) {
        if let Some(handled) = self.handled.borrow().get(&signal) {
            handled.arrived.store(true, Ordering::SeqCst);
            self.arrived.store(true, Ordering::SeqCst);
        }
    }

    fn remove(&self, signal: c_int, owner: Owner) -> bool {
        let Some((callback, last)) = self.take(signal, owner) else {
            return false;
        };
        if last.is_some() && signal == SIGINT {
            // Those that came until now were the handler's.
            self.take_interrupt();
        }
        drop(last);
        // Last, because its destructor may begin to handle the same signal again.
        callback.remove();
        true
    }

    /// Takes out the callback of an owner, and the whole signal when that was the last one.
    fn take(&self, signal: c_int, owner: Owner) -> Option<(Rc<dyn Recurring>, Option<Handled>)> {
        let mut all = self.handled.borrow_mut();
        let callbacks = &mut all.get_mut(&signal)?.callbacks;
        let place = callbacks.iter().position(|(other, _)| *other == owner)?;
        let (_, callback) = callbacks.remove(place);
        let last = callbacks.is_empty();
        Some((callback, last.then(|| all.remove(&signal)).flatten()))
    }

    fn take_interrupt(&self) -> bool {
        let interrupt = self.interrupt.borrow();
        interrupt.as_ref().is_some_and(|interrupt| interrupt.take())
    }

    /// Forgets all signals.
    pub(crate) fn close(&self) {
        let handled = self.handled.take();
        let own = (self.doorbell.take(), self.interrupt.take());
        self.has_doorbell.set(false);
        for (_, callback) in handled.into_values().flat_map(|handled| handled.callbacks) {
            callback.remove();
        }
        drop(own);
    }
}

impl Handled {
    fn set(&mut self, owner: Owner, callback: Rc<dyn Recurring>) -> Option<Rc<dyn Recurring>> {
        let same = |(other, _): &&mut (Owner, _)| *other == owner;
        if let Some((_, replaced)) = self.callbacks.iter_mut().find(same) {
            return Some(mem::replace(replaced, callback));
        }
        self.callbacks.push((owner, callback));
        None
    }
}

/// A callback for a signal beside the loop's handler of it; dropping this removes it.
///
/// [`EventLoop::watch_signal`] makes it.
#[must_use = "dropping it removes the callback"]
pub struct SignalWatch {
    signals: Weak<Signals>,
    signal: c_int,
    owner: Owner,
}

impl SignalWatch {
    /// Returns the number of the signal.
    #[must_use]
    pub fn signal(&self) -> i32 {
        self.signal
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        if let Some(signals) = self.signals.upgrade() {
            signals.remove(self.signal, self.owner);
        }
    }
}

impl fmt::Debug for SignalWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalWatch")
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}

/// The callback that schedules the handlers.
fn deliver() {
    if let Ok(event_loop) = get_running_loop() {
        event_loop.signals().deliver(event_loop.scheduler());
    }
}

impl EventLoop {
    /// Runs `callback` whenever `signal` arrives, in place of the loop's earlier handler of it; [`signal`] has the numbers.
    ///
    /// It runs as a callback of the loop, in a copy of the current context, which it keeps from one run to the next.
    /// Signals that arrive while the loop does not run wait for the next run.
    /// Deliveries of one signal may merge: the callback runs at least once after the last of them.
    /// Those of several signals that arrive together are handled in the order of their numbers.
    ///
    /// While a loop has a handler, the signal does not do what it does by default, however often it comes.
    /// A handler of SIGINT takes the place of the interrupt by Ctrl-C for this loop; runs of other loops are interrupted all the same.
    ///
    /// See [asyncio's `add_signal_handler`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_signal_handler).
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a signal that cannot be caught (SIGKILL, SIGSTOP), that no program can sensibly go on after
    /// (SIGILL, SIGFPE, SIGSEGV), or that does not exist or has no name, as real-time signals; a [`ClosedError`] when the loop is closed; what the operating system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use rondel_reactor::{EventLoop, get_running_loop, signal::SIGTERM};
    ///
    /// let event_loop = EventLoop::new()?;
    /// event_loop.add_signal_handler(SIGTERM, || {
    ///     get_running_loop().expect("this is its callback").stop();
    /// })?;
    /// signal_hook::low_level::raise(SIGTERM)?; // as `kill` does
    /// event_loop.run_forever()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn add_signal_handler(
        &self,
        signal: i32,
        callback: impl FnMut() + 'static,
    ) -> io::Result<()> {
        self.set_signal(signal, Owner::Handler, RecurringCell::new(callback))
    }

    /// Removes the loop's handler of `signal`, and says whether there was one; from here on it does not run, even if the signal has arrived.
    ///
    /// With the last handler and watch in the process the signal does what it does by default again: Ctrl-C interrupts the loops that run, SIGTERM ends the process.
    /// The default is emulated, since the system's own disposition cannot be put back safely: a signal that the process was started to ignore is not ignored
    /// any more, as in asyncio, and a handler that foreign code had set before is called besides.
    /// Closing the loop removes its handlers and watches.
    ///
    /// See [asyncio's `remove_signal_handler`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.remove_signal_handler).
    pub fn remove_signal_handler(&self, signal: i32) -> bool {
        self.signals().remove(signal, Owner::Handler)
    }

    /// Runs `callback` whenever `signal` arrives, as [`add_signal_handler`](Self::add_signal_handler), but beside the handler and other watches, until the
    /// [`SignalWatch`] is dropped: for whoever does not know who else waits for the signal.
    ///
    /// The callbacks of one signal run in the order in which they were added.
    ///
    /// # Errors
    ///
    /// As [`add_signal_handler`](Self::add_signal_handler).
    #[track_caller]
    pub fn watch_signal(
        &self,
        signal: i32,
        callback: impl FnMut() + 'static,
    ) -> io::Result<SignalWatch> {
        let number = self.signals().last_watch.get() + 1;
        self.signals().last_watch.set(number);
        let owner = Owner::Watch(number);
        self.set_signal(signal, owner, RecurringCell::new(callback))?;
        Ok(SignalWatch {
            signals: Rc::downgrade(self.signals()),
            signal,
            owner,
        })
    }

    fn set_signal(
        &self,
        signal: c_int,
        owner: Owner,
        callback: impl Recurring + 'static,
    ) -> io::Result<()> {
        if self.is_closed() {
            return Err(io::Error::other(ClosedError));
        }
        if FORBIDDEN.contains(&signal) {
            return Err(cannot_be_caught(signal));
        }
        let doorbell = self.doorbell()?;
        let replaced = self
            .signals()
            .set(signal, owner, Rc::new(callback), &doorbell)
            .map_err(|error| match error.kind() {
                io::ErrorKind::InvalidInput => cannot_be_caught(signal),
                _ => error,
            })?;
        // One that this run has not noticed yet is the handler's.
        if signal == SIGINT && self.signals().take_interrupt() && self.is_running() {
            self.signals().hand_over(signal);
        }
        if let Some(replaced) = replaced {
            replaced.remove();
        }
        Ok(())
    }

    /// What the loop's runs listen to SIGINT with.
    pub(crate) fn interrupt(&self) -> io::Result<Rc<Interrupt>> {
        if let Some(interrupt) = &*self.signals().interrupt.borrow() {
            return Ok(Rc::clone(interrupt));
        }
        let interrupt = Rc::new(Interrupt::new(&*self.doorbell()?)?);
        self.signals()
            .interrupt
            .replace(Some(Rc::clone(&interrupt)));
        Ok(interrupt)
    }

    /// The loop's doorbell, which it begins to watch when it is first needed.
    pub(crate) fn doorbell(&self) -> io::Result<Rc<Doorbell>> {
        if let Some(doorbell) = &*self.signals().doorbell.borrow() {
            return Ok(Rc::clone(doorbell));
        }
        let doorbell = Rc::new(Doorbell::new()?);
        let socket = doorbell.socket();
        let watch = || {
            self.watchers()
                .add(Direction::Read, doorbell.socket(), move || drain(&socket))
        };
        // In no context, because it would be kept until the loop closes.
        run_in(&mut None, watch)?;
        self.signals().doorbell.replace(Some(Rc::clone(&doorbell)));
        self.signals().has_doorbell.set(true);
        Ok(doorbell)
    }
}

fn cannot_be_caught(signal: c_int) -> io::Error {
    let message = format!("signal {signal} cannot be caught");
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
