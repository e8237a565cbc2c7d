//! The scheduler: the ready queue, the timers and the entrance for other threads under one roof.
//!
//! It does not loop: whoever owns it calls [`receive`](Scheduler::receive), [`fire_timers`](Scheduler::fire_timers) and
//! [`run_ready`](Scheduler::run_ready) in turn, and waits in between as it likes.
//!
//! # asyncio
//!
//! `call_soon`, `call_later`, `call_at` and the second half of `_run_once` of `BaseEventLoop`.
//! A timer is due when its time has come, to the nanosecond; asyncio adds the resolution of its clock, which is one nanosecond as well.

use std::{
    cell::{Cell, RefCell},
    fmt,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::Receiver;
use rondel_context::{Context, capture};

use crate::{
    Clock, ClosedError, Handle, Host, Injector, Message, Runnable, TimerHandle, Token,
    handle::{Cancellable, HandleCell},
    injector::Envelope,
    ready::{Ready, ReadyQueue},
    timers::{First, Timers},
};

/// A queue of callbacks, a set of timers and a clock.
///
/// Used through `&self`, from one thread; [`injector`](Self::injector) is the entrance for the others.
/// A callback that owns its scheduler keeps it alive until [`close`](Self::close) drops the callback.
pub struct Scheduler {
    ready: ReadyQueue,
    timers: RefCell<Timers>,
    clock: Rc<dyn Clock>,
    injector: Arc<Injector>,
    /// None once closed: senders are refused from then on.
    receiver: RefCell<Option<Receiver<Envelope>>>,
    closed: Cell<bool>,
}

impl Scheduler {
    /// Makes a scheduler that is never told when another thread sends something: whoever steps it will find it.
    #[must_use]
    pub fn new(clock: Rc<dyn Clock>) -> Self {
        Self::with_notify(clock, Box::new(|| ()))
    }

    /// Makes a scheduler that calls `notify` when another thread has sent something and nothing was pending.
    ///
    /// `notify` runs on the sender's thread, with no lock held.
    #[must_use]
    pub fn with_notify(clock: Rc<dyn Clock>, notify: Box<dyn Fn() + Send + Sync>) -> Self {
        let (injector, receiver) = Injector::new(notify);
        Self {
            ready: ReadyQueue::new(),
            timers: RefCell::new(Timers::new()),
            clock,
            injector: Arc::new(injector),
            receiver: RefCell::new(Some(receiver)),
            closed: Cell::new(false),
        }
    }

    /// Returns the clock.
    #[must_use]
    #[inline]
    pub fn clock(&self) -> &Rc<dyn Clock> {
        &self.clock
    }

    /// Returns the time since the clock's epoch.
    #[must_use]
    #[inline]
    pub fn time(&self) -> Duration {
        self.clock.time()
    }

    /// Puts `callback` at the end of the ready queue, to run in a copy of the current context.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the scheduler is closed.
    #[track_caller]
    #[inline]
    pub fn call_soon(&self, callback: impl FnOnce() + 'static) -> Result<Handle, ClosedError> {
        self.enqueue(callback, capture(), Location::caller())
    }

    /// Puts `callback` at the end of the ready queue, to run in `context` itself: what it changes there stays.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the scheduler is closed.
    #[track_caller]
    #[inline]
    pub fn call_soon_in(
        &self,
        context: &Context,
        callback: impl FnOnce() + 'static,
    ) -> Result<Handle, ClosedError> {
        self.enqueue(callback, Some(context.clone()), Location::caller())
    }

    /// Sets a timer that runs `callback` after `delay`, in a copy of the current context.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the scheduler is closed.
    #[track_caller]
    #[inline]
    pub fn call_later(
        &self,
        delay: Duration,
        callback: impl FnOnce() + 'static,
    ) -> Result<TimerHandle, ClosedError> {
        self.set_timer(
            self.time().saturating_add(delay),
            callback,
            capture(),
            Location::caller(),
        )
    }

    /// Sets a timer that runs `callback` after `delay`, in `context` itself.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the scheduler is closed.
    #[track_caller]
    #[inline]
    pub fn call_later_in(
        &self,
        context: &Context,
        delay: Duration,
        callback: impl FnOnce() + 'static,
    ) -> Result<TimerHandle, ClosedError> {
        self.set_timer(
            self.time().saturating_add(delay),
            callback,
            Some(context.clone()),
            Location::caller(),
        )
    }

    /// Sets a timer that runs `callback` at `when` on the clock, in a copy of the current context.
    ///
    /// Timers of the same time run in the order in which they were set; one set for the past is due at once.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the scheduler is closed.
    #[track_caller]
    #[inline]
    pub fn call_at(
        &self,
        when: Duration,
        callback: impl FnOnce() + 'static,
    ) -> Result<TimerHandle, ClosedError> {
        self.set_timer(when, callback, capture(), Location::caller())
    }

    /// Sets a timer that runs `callback` at `when` on the clock, in `context` itself.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the scheduler is closed.
    #[track_caller]
    #[inline]
    pub fn call_at_in(
        &self,
        context: &Context,
        when: Duration,
        callback: impl FnOnce() + 'static,
    ) -> Result<TimerHandle, ClosedError> {
        self.set_timer(when, callback, Some(context.clone()), Location::caller())
    }

    /// Puts a callback of a layer above at the end of the ready queue; it looks after its context itself.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the scheduler is closed.
    #[inline]
    pub fn schedule(&self, callback: Rc<dyn Runnable>) -> Result<(), ClosedError> {
        self.refuse_when_closed()?;
        self.ready.push(Ready::Run(callback));
        Ok(())
    }

    /// Puts a token at the end of the ready queue; a closed scheduler ignores it.
    #[inline]
    pub fn wake(&self, token: Token) {
        if !self.is_closed() {
            self.ready.push(Ready::Wake(token));
        }
    }

    /// Moves what other threads have sent to the end of the ready queue, and says whether there was something.
    ///
    /// What is sent meanwhile waits for the next call, so senders cannot keep it busy for ever.
    /// When nothing was sent this costs one load.
    #[inline]
    pub fn receive(&self) -> bool {
        self.injector.pending() && self.receive_pending()
    }

    /// Returns the time of the first timer that is not cancelled.
    #[must_use]
    pub fn next_timer(&self) -> Option<Duration> {
        loop {
            let first = self.timers.borrow().first()?;
            match first {
                First::Due(when) => return Some(when),
                First::Cancelled => {
                    let cancelled = self.timers.borrow_mut().pop();
                    drop(cancelled);
                }
            }
        }
    }

    /// Moves the timers that are due to the end of the ready queue, in the order of (when, setting), and returns how many.
    ///
    /// Does not read the clock when there is no timer.
    #[inline]
    pub fn fire_timers(&self) -> usize {
        if self.timers.borrow().is_empty() {
            0
        } else {
            self.fire_due()
        }
    }

    /// Runs exactly what is ready now, each callback in its context, and returns how many callbacks and tokens that was, cancelled ones included.
    ///
    /// A panic is caught and given to `host`; the callbacks behind it run all the same.
    #[inline]
    pub fn run_ready(&self, host: &(impl Host + ?Sized)) -> usize {
        let ready = self.ready_len();
        let mut ran = 0;
        for _ in 0..ready {
            match self.ready.pop() {
                Some(Ready::Run(callback)) => run(callback, host),
                Some(Ready::Wake(token)) => host.wake(token),
                // A callback ran the rest itself, or closed the scheduler.
                None => break,
            }
            ran += 1;
        }
        ran
    }

    /// Says whether something is ready, cancelled callbacks included.
    #[must_use]
    #[inline]
    pub fn has_ready(&self) -> bool {
        self.ready.len() > 0
    }

    /// Returns how many callbacks and tokens are ready, cancelled callbacks included.
    #[must_use]
    #[inline]
    pub fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// Returns how many timers are set, including cancelled ones that are not swept yet.
    #[must_use]
    #[inline]
    pub fn timer_len(&self) -> usize {
        self.timers.borrow().len()
    }

    /// Returns the entrance for other threads.
    #[must_use]
    pub fn injector(&self) -> Arc<Injector> {
        Arc::clone(&self.injector)
    }

    /// Closes the scheduler: drops whatever is queued, set or sent, and refuses everything from now on.
    ///
    /// Destructors that run here may call back in; they find the scheduler closed.
    pub fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        tracing::debug!(
            ready = self.ready_len(),
            timers = self.timer_len(),
            "scheduler closed"
        );
        // A destructor may still move timers into the ready queue behind our back, so once is not enough.
        while self.has_ready() || self.timer_len() > 0 {
            self.ready.clear();
            let timers = self.timers.borrow_mut().take_all();
            drop(timers);
        }
        // The channel drops what is left in it, without a lock, and refuses what comes later.
        let receiver = self.receiver.borrow_mut().take();
        drop(receiver);
    }

    /// Says whether [`close`](Self::close) was called.
    #[must_use]
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    #[inline]
    fn refuse_when_closed(&self) -> Result<(), ClosedError> {
        if self.is_closed() {
            Err(ClosedError)
        } else {
            Ok(())
        }
    }

    /// The one allocation of `call_soon`.
    #[inline]
    fn enqueue<F: FnOnce() + 'static>(
        &self,
        callback: F,
        context: Option<Context>,
        location: &'static Location<'static>,
    ) -> Result<Handle, ClosedError> {
        self.refuse_when_closed()?;
        let cell: Rc<dyn Cancellable> = HandleCell::new(callback, context, location);
        self.ready.push(Ready::Run(cell.clone()));
        Ok(Handle::new(cell))
    }

    #[inline]
    fn set_timer<F: FnOnce() + 'static>(
        &self,
        when: Duration,
        callback: F,
        context: Option<Context>,
        location: &'static Location<'static>,
    ) -> Result<TimerHandle, ClosedError> {
        self.refuse_when_closed()?;
        let cell: Rc<dyn Cancellable> = HandleCell::new(callback, context, location);
        self.add_timer(when, cell.clone());
        Ok(TimerHandle::new(Handle::new(cell), when))
    }

    /// The part of setting a timer that is the same for every callback.
    fn add_timer(&self, when: Duration, callback: Rc<dyn Cancellable>) {
        let swept = self.timers.borrow_mut().add(when, callback).0;
        if !swept.is_empty() {
            tracing::trace!(
                cancelled = swept.len(),
                left = self.timer_len(),
                "timers swept"
            );
        }
    }

    fn fire_due(&self) -> usize {
        let now = self.time();
        let mut fired = 0;
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            match due {
                None => return fired,
                // Dropped here, where no borrow is held.
                Some(timer) if timer.callback.is_cancelled() => {}
                Some(timer) => {
                    self.ready.push(Ready::Run(timer.callback));
                    fired += 1;
                }
            }
        }
    }

    fn receive_pending(&self) -> bool {
        self.injector.answer();
        let receiver = self.receiver.borrow();
        let Some(receiver) = receiver.as_ref() else {
            return false;
        };
        let sent = receiver.len();
        for envelope in receiver.try_iter().take(sent) {
            self.ready.push(envelope.into());
        }
        sent > 0
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("time", &self.time())
            .field("ready", &self.ready_len())
            .field("timers", &self.timer_len())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl From<Envelope> for Ready {
    fn from(Envelope { message, location }: Envelope) -> Self {
        match message {
            Message::Wake(token) => Self::Wake(token),
            Message::Call(callback) => Self::Run(HandleCell::new(callback, None, location)),
        }
    }
}

/// Runs one callback, and keeps its panic from the callbacks behind it.
#[inline]
fn run(callback: Rc<dyn Runnable>, host: &(impl Host + ?Sized)) {
    // Nothing of ours is broken by an unwinding callback: no borrow is held, and the queue has let go of it (I4).
    let outcome = catch_unwind(AssertUnwindSafe(|| Rc::clone(&callback).run()));
    if let Err(payload) = outcome {
        host.callback_panicked(callback, payload);
    }
}
