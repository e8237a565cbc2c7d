//! Instruments: who is told what a loop does, as it does it.
//!
//! The hooks of tasks are the layer above's; it calls them by [`EventLoop::call_instrument`].
//!
//! # asyncio
//!
//! It has none. These are Trio's, see [its `Instrument`](https://trio.readthedocs.io/en/stable/reference-lowlevel.html#instrument-api).

use std::{
    cell::RefCell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use crate::{EventLoop, ExceptionContext, PanicError};

/// Is told what a loop does; every method does nothing unless it is written.
///
/// The methods are called on the loop's thread with no borrow held.
/// They may use the loop; what they add to it runs later, as ever.
/// An instrument that panics is reported to the exception handler and removed, and the loop goes on.
///
/// # Examples
///
/// How long a loop has waited:
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// use rondel_reactor::{EventLoop, Instrument, get_running_loop};
///
/// #[derive(Default)]
/// struct Idle { waits: Cell<u32> }
///
/// impl Instrument for Idle {
///     fn after_io_wait(&self, _timeout: Option<Duration>) {
///         self.waits.set(self.waits.get() + 1);
///     }
/// }
///
/// let event_loop = EventLoop::new()?;
/// let idle = Rc::new(Idle::default());
/// event_loop.add_instrument(idle.clone());
/// event_loop.call_later(Duration::from_millis(1), || {
///     get_running_loop().expect("it runs this callback").stop();
/// })?;
/// event_loop.run_forever()?;
/// assert!(idle.waits.get() >= 1);
///
/// assert!(event_loop.remove_instrument(&idle));
/// event_loop.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Instrument {
    /// A run, or a single step, begins.
    fn before_run(&self) {}

    /// The run, or the step, has ended, by a panic perhaps.
    fn after_run(&self) {}

    /// The loop is about to wait for descriptors, so long at the most; `None` is for ever, and zero a look without waiting.
    fn before_io_wait(&self, timeout: Option<Duration>) {
        let _ = timeout;
    }

    /// The loop has waited for descriptors.
    fn after_io_wait(&self, timeout: Option<Duration>) {
        let _ = timeout;
    }

    /// A callback is about to run, which shows itself as `path::of::callback at file:line`.
    ///
    /// The steps of tasks are no callbacks: a layer that has tasks has hooks for them.
    fn before_callback(&self, callback: &dyn fmt::Display) {
        let _ = callback;
    }

    /// The callback has run, or has panicked.
    fn after_callback(&self, callback: &dyn fmt::Display) {
        let _ = callback;
    }
}

/// The instruments of one loop, in the order of adding; shared, so that a round of calls needs no borrow.
#[derive(Default)]
pub(super) struct Instruments(RefCell<Rc<[Rc<dyn Instrument>]>>);

impl Instruments {
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    fn all(&self) -> Rc<[Rc<dyn Instrument>]> {
        self.0.borrow().clone()
    }

    fn replace(&self, instruments: impl Iterator<Item = Rc<dyn Instrument>>) {
        let replaced = self.0.replace(instruments.collect());
        drop(replaced);
    }

    fn contains<I: Instrument + ?Sized>(&self, instrument: &Rc<I>) -> bool {
        self.all().iter().any(|other| is_same(other, instrument))
    }
}

fn is_same<I: Instrument + ?Sized>(one: &Rc<dyn Instrument>, other: &Rc<I>) -> bool {
    ptr::addr_eq(Rc::as_ptr(one), Rc::as_ptr(other))
}

impl EventLoop {
    /// Has `instrument` told of what the loop does, from the next iteration on; one that is there already is not added again.
    pub fn add_instrument(&self, instrument: Rc<dyn Instrument>) {
        let instruments = &self.inspection().instruments;
        if !instruments.contains(&instrument) {
            let all = instruments.all();
            instruments.replace(all.iter().cloned().chain([instrument]));
            self.inspection().update_watched();
        }
    }

    /// Takes `instrument` out, and says whether it was there.
    pub fn remove_instrument<I: Instrument + ?Sized>(&self, instrument: &Rc<I>) -> bool {
        let instruments = &self.inspection().instruments;
        let was_there = instruments.contains(instrument);
        let all = instruments.all();
        let left = all.iter().filter(|other| !is_same(other, instrument));
        instruments.replace(left.cloned());
        self.inspection().update_watched();
        was_there
    }

    /// Says whether `instrument` is there: it may have been removed because it panicked.
    #[must_use]
    pub fn has_instrument<I: Instrument + ?Sized>(&self, instrument: &Rc<I>) -> bool {
        self.inspection().instruments.contains(instrument)
    }

    /// Says whether there is an instrument or debug mode is on, so that a layer above has to tell somebody.
    #[must_use]
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.inspection().is_watched()
    }

    /// Calls a hook of `instrument`; if that panics the instrument is removed and the panic reported.
    ///
    /// For a layer above that has hooks of its own.
    pub fn call_instrument<I: Instrument + ?Sized>(
        &self,
        instrument: &Rc<I>,
        hook: impl FnOnce(&I),
    ) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(instrument))) {
            self.remove_instrument(instrument);
            let context = ExceptionContext::new("Exception in an instrument, which is removed")
                .with_exception(Arc::new(PanicError::new(payload)));
            self.call_exception_handler(&context);
        }
    }

    /// Calls a hook of every instrument.
    pub(crate) fn call_instruments(&self, hook: impl Fn(&(dyn Instrument + 'static))) {
        if self.is_watched() {
            for instrument in &*self.inspection().instruments.all() {
                self.call_instrument(instrument, &hook);
            }
        }
    }
}
