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
    panic::{Location, resume_unwind},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::Receiver;
use rondel_context::{Context, capture};

use crate::{
    Clock, ClosedError, Handle, Host, Injector, Message, Order, Runnable, TimerHandle, Token,
    handle::{Callback, HandleCell},
    host::{let_go, run},
    injector::{Envelope, Rest},
    order::Generator,
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
    /// What it does when nothing was sent.
    rest: Cell<Rest>,
    /// None for first in, first out.
    generator: Cell<Option<Generator>>,
}

impl Scheduler {
    /// Makes a scheduler that is never told when another thread sends something: whoever steps it will find it.
    #[must_use]
    pub fn new(clock: Rc<dyn Clock>) -> Self {
        Self::with_notify(clock, Box::new(|| ()))
    }

    /// Makes a scheduler that calls `notify` when another thread has sent something and nothing was pending.
    ///
    /// `notify` runs on the sender's thread, with no lock of the scheduler's held; the sender may hold one of its own, so `notify` sends nothing itself.
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
            rest: Cell::new(Rest::Quiet),
            generator: Cell::new(None),
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

    /// Sets the order in which what is ready runs; at first it is [`Order::Fifo`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use rondel_sched::{Order, Scheduler, VirtualClock};
    ///
    /// let scheduler = Scheduler::new(Rc::new(VirtualClock::new()));
    /// scheduler.set_order(Order::Seeded(17));
    /// ```
    pub fn set_order(&self, order: Order) {
        self.generator.set(match order {
            Order::Fifo => None,
            Order::Seeded(seed) => Some(Generator::new(seed)),
        });
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
        self.ready.run(callback);
        Ok(())
    }

    /// Puts the callback of a handle that was made [unscheduled](Handle::unscheduled) at the end of the ready queue.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the scheduler is closed.
    pub fn schedule_handle(&self, handle: &Handle) -> Result<(), ClosedError> {
        self.refuse_when_closed()?;
        self.ready.call(handle.callback().clone());
        Ok(())
    }

    /// Puts a token at the end of the ready queue; a closed scheduler ignores it.
    #[inline]
    pub fn wake(&self, token: Token) {
        if !self.is_closed() {
            self.ready.wake(token);
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

    /// Spares senders the notification: whoever steps the scheduler promises to [`receive`](Self::receive) again and again, until
    /// [`may_sleep`](Self::may_sleep).
    pub fn stay_awake(&self) {
        self.rest.set(Rest::Awake);
        // What is pending is received soon.
        self.injector.rest(Rest::Awake);
    }

    /// Has senders notify again; false if something was sent meanwhile, and has to be received before whoever steps the scheduler sleeps.
    #[must_use]
    pub fn may_sleep(&self) -> bool {
        self.rest.set(Rest::Quiet);
        self.injector.rest(Rest::Quiet)
    }

    /// Returns the time of the first timer that is not cancelled.
    ///
    /// Where thousands are set for times that lie close together and far off, it looks at all of those; [`wake_up_time`](Self::wake_up_time) does not.
    #[must_use]
    pub fn next_timer(&self) -> Option<Duration> {
        self.without_cancelled(Timers::first)
    }

    /// Returns how long a loop with nothing else to do may wait: until the first timer that is not cancelled, or where finding that takes long, until an
    /// earlier time at which [`fire_timers`](Self::fire_timers) has to sort timers out.
    #[must_use]
    pub fn wake_up_time(&self) -> Option<Duration> {
        self.without_cancelled(Timers::bound)
    }

    fn without_cancelled(&self, first: fn(&Timers) -> Option<First>) -> Option<Duration> {
        loop {
            let found = first(&self.timers.borrow())?;
            match found {
                First::Due(when) => return Some(when),
                First::Cancelled => {
                    let cancelled = self.timers.borrow_mut().take_cancelled();
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
        if let Some(mut generator) = self.generator.get() {
            self.ready.shuffle(&mut generator);
            self.generator.set(Some(generator));
        }
        let ready = self.ready_len();
        let mut ran = 0;
        for _ in 0..ready {
            match self.ready.pop() {
                Some(Ready::Call(callback)) => run(callback.body(), host),
                Some(Ready::Run(callback)) => {
                    run(&*callback, host);
                    let_go(callback, host);
                }
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
    /// Destructors that run here may call back in; they find the scheduler closed. The panic of one goes on when all have run.
    pub fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        tracing::debug!(
            ready = self.ready_len(),
            timers = self.timer_len(),
            "scheduler closed"
        );
        // What was sent is dropped with the rest.
        self.receive();
        let mut dropped = Ok(());
        // A destructor may still move timers into the ready queue behind our back, so once is not enough.
        while self.has_ready() || self.timer_len() > 0 {
            dropped = dropped.and(self.ready.clear());
            let timers = self.timers.borrow_mut().take_all();
            // They are dropped the same way.
            timers
                .into_iter()
                .for_each(|timer| self.ready.call(timer.callback));
        }
        // The channel drops what came meanwhile, without a lock, and refuses what comes later.
        let receiver = self.receiver.borrow_mut().take();
        drop(receiver);
        dropped.unwrap_or_else(|payload| resume_unwind(payload));
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
        let callback = HandleCell::allocate(callback, context, location);
        self.ready.call(callback.clone());
        Ok(Handle::new(callback))
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
        let callback = HandleCell::allocate(callback, context, location);
        self.add_timer(when, callback.clone());
        Ok(TimerHandle::new(Handle::new(callback), when))
    }

    /// The part of setting a timer that is the same for every callback.
    fn add_timer(&self, when: Duration, callback: Callback) {
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
                Some(timer) if timer.is_cancelled() => {}
                Some(timer) => {
                    self.ready.call(timer.callback);
                    fired += 1;
                }
            }
        }
    }

    fn receive_pending(&self) -> bool {
        self.injector.answer(self.rest.get());
        let receiver = self.receiver.borrow();
        let Some(receiver) = receiver.as_ref() else {
            return false;
        };
        let sent = receiver.len();
        for envelope in receiver.try_iter().take(sent) {
            let Envelope { message, location } = envelope;
            match message {
                Message::Wake(token) => self.ready.wake(token),
                Message::Call(callback) => {
                    self.ready
                        .call(HandleCell::allocate(callback, None, location));
                }
            }
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
