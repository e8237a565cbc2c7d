//! The scheduler: the ready queue, the timers and the entrance for other threads under one roof.
//!
//! It does not loop: whoever owns it calls [`receive`](Scheduler::receive), [`fire_timers`](Scheduler::fire_timers) and
//! [`run_ready`](Scheduler::run_ready) in turn, and waits in between as it likes.
//!
//! # asyncio
//!
//! `call_soon` and the second half of `_run_once` of `BaseEventLoop`; `call_later` and `call_at` are in `timing`.
//! A timer is due when its time has come, to the nanosecond; asyncio adds the resolution of its clock, which is one nanosecond as well.

mod timing;

pub use timing::Alarm;

use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind},
    rc::Rc,
    sync::Arc,
    thread,
    time::Duration,
};

use rondel_context::{Context, capture};

use crate::{
    Ahead, Clock, ClosedError, Handle, Host, Injector, Order, Runnable, Token,
    handle::HandleCell,
    host::{let_go, run},
    injector::{Receiver, Rest},
    messages::{Call, Received},
    order::Generator,
    ready::{Ready, ReadyQueue, ToCome},
    timer_slab::{Deed, Due},
    timers::{TimerQueue, Timers},
};

/// What so many tokens stand for is more than a processor keeps at hand, so that it pays to look ahead.
const MANY: usize = 4096;

/// Memory for so many callbacks and timers is not given back.
const KEPT: usize = 4096;

/// A queue of callbacks, a set of timers and a clock.
///
/// Used through `&self`, from one thread; [`injector`](Self::injector) is the entrance for the others.
/// A callback that owns its scheduler keeps it alive until [`close`](Self::close) drops the callback.
pub struct Scheduler {
    ready: ReadyQueue,
    timers: Rc<TimerQueue>,
    clock: Rc<dyn Clock>,
    receiver: Receiver,
    closed: Cell<bool>,
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
        Self {
            ready: ReadyQueue::new(),
            timers: TimerQueue::new(),
            clock,
            receiver: Receiver::new(notify),
            closed: Cell::new(false),
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

    /// Puts a source at the end of the ready queue: a number by which the host [knows](Host::callback_of) whose callback is to run; a closed scheduler
    /// ignores it.
    ///
    /// For callbacks that run again and again, each of which the host keeps in a place of its own.
    #[inline]
    pub fn trigger(&self, source: u32) {
        if !self.is_closed() {
            self.ready.source(source);
        }
    }

    /// Moves what other threads have sent to the end of the ready queue, and says whether there was something.
    ///
    /// What is sent meanwhile waits for the next call, so senders cannot keep it busy for ever.
    /// When nothing was sent this costs one load.
    #[inline]
    pub fn receive(&self) -> bool {
        self.receiver.is_pending() && self.receive_pending()
    }

    /// Spares senders the notification: whoever steps the scheduler promises to [`receive`](Self::receive) again and again, until
    /// [`may_sleep`](Self::may_sleep).
    pub fn stay_awake(&self) {
        // What is pending is received soon.
        self.receiver.rest(Rest::Awake);
    }

    /// Has senders notify again; false if something was sent meanwhile, and has to be received before whoever steps the scheduler sleeps.
    #[must_use]
    pub fn may_sleep(&self) -> bool {
        self.receiver.rest(Rest::Quiet)
    }

    /// Gives some of the memory back that a rush of callbacks and timers has left, if there is much and nothing is ready.
    ///
    /// For a moment in which there is nothing else to do.
    pub fn trim(&self) {
        if !self.has_ready() {
            self.ready.trim(KEPT);
            self.timers.change(|timers| timers.trim(KEPT));
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
        let end = self.ready.end();
        if self.ready_len() > MANY {
            return self.run_many(end, host);
        }
        let mut ran = 0;
        // A callback may run the rest itself, or close the scheduler.
        while let Some(next) = self.ready.pop_before(end) {
            self.run_next(next, host);
            ran += 1;
        }
        ran
    }

    /// As `run_ready`, where looking ahead pays.
    #[inline(never)]
    fn run_many(&self, end: usize, host: &(impl Host + ?Sized)) -> usize {
        let mut outlook = Outlook::default();
        let mut ran = 0;
        while let Some(next) = self.ready.pop_before(end) {
            self.look_ahead(&mut outlook, host);
            self.run_next(next, host);
            ran += 1;
        }
        ran
    }

    #[inline(always)]
    fn run_next(&self, next: Ready, host: &(impl Host + ?Sized)) {
        match next {
            Ready::Call(callback) => run(&callback, host),
            Ready::Run(callback) => {
                run(&*callback, host);
                let_go(callback, host);
            }
            Ready::Wake(token) => host.wake(token),
            Ready::Source(source) => {
                if let Some(callback) = host.callback_of(source) {
                    run(&*callback, host);
                    let_go(callback, host);
                }
            }
            Ready::Timer(place) => self.run_timer(place, host),
        }
    }

    /// Says whether something is ready, cancelled callbacks included.
    #[must_use]
    #[inline]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Returns how many callbacks and tokens are ready, cancelled callbacks included.
    #[must_use]
    #[inline]
    pub fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// Returns the entrance for other threads.
    #[must_use]
    pub fn injector(&self) -> Arc<Injector> {
        Arc::clone(self.receiver.injector())
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
            while let Some(ready) = self.ready.pop() {
                let timer = match ready {
                    Ready::Timer(place) => self.take_timer(place),
                    Ready::Call(_) | Ready::Run(_) | Ready::Wake(_) | Ready::Source(_) => None,
                };
                dropped = dropped.and(drop_caught((ready, timer)));
            }
            let timers = self.timers.change(Timers::take_all);
            for timer in timers {
                dropped = dropped.and(drop_caught(timer));
            }
        }
        // What comes later is refused; what came meanwhile is dropped behind the lock.
        for call in self.receiver.close() {
            dropped = dropped.and(drop_caught(call.callback));
        }
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
        if self.is_closed() {
            return refuse(callback);
        }
        let (callback, handle) = HandleCell::allocate_two(callback, context, location);
        self.ready.call(callback);
        Ok(Handle::new(handle))
    }

    /// Has the timers to come fetched, and tells the host of tokens to come, unless they follow one another: then what they stand for
    /// most likely does so in memory, which the processor sees by itself.
    #[inline]
    fn look_ahead(&self, outlook: &mut Outlook, host: &(impl Host + ?Sized)) {
        if let Some(ToCome::Timer(place)) = self.ready.behind(Ahead::TIMER) {
            self.timers.prefetch(place);
        }
        match self.ready.behind(Ahead::Far.turns()) {
            Some(ToCome::Token(token)) => {
                outlook.note(token);
                if outlook.in_a_row >= Ahead::Far.turns() {
                    return;
                }
                host.foresee(token, Ahead::Far);
            }
            Some(ToCome::Timer(place)) => self.foresee_timer(place, Ahead::Far, host),
            None => {}
        }
        match self.ready.behind(Ahead::Near.turns()) {
            Some(ToCome::Token(token)) => host.foresee(token, Ahead::Near),
            Some(ToCome::Timer(place)) => self.foresee_timer(place, Ahead::Near, host),
            None => {}
        }
    }

    #[inline]
    fn foresee_timer(&self, place: u32, ahead: Ahead, host: &(impl Host + ?Sized)) {
        if let Some(token) = self.timers.token(place) {
            host.foresee(token, ahead);
        }
    }

    /// The turn of a timer has come, which may have been cancelled meanwhile.
    #[inline(never)]
    fn run_timer(&self, place: u32, host: &(impl Host + ?Sized)) {
        match self.take_timer(place).map(Due::open) {
            Some(Deed::Call(callback)) => run(&callback, host),
            Some(Deed::Ring(token)) => host.ring(token),
            None => {}
        }
    }

    fn take_timer(&self, place: u32) -> Option<Due> {
        self.timers.change(|timers| timers.take(place))
    }

    fn receive_pending(&self) -> bool {
        self.receiver.receive(|message| match message {
            Received::Wake(token) => self.ready.wake(token),
            Received::Call(Call { callback, location }) => {
                self.ready
                    .call(HandleCell::allocate(callback, None, location));
            }
        });
        true
    }
}

impl Drop for Scheduler {
    /// A callback may have a handle of a timer, and with it what keeps the callbacks.
    fn drop(&mut self) {
        self.close();
    }
}

/// What was seen of the tokens to come.
#[derive(Default)]
struct Outlook {
    last: u64,
    /// How many have followed one another.
    in_a_row: usize,
}

impl Outlook {
    #[inline]
    fn note(&mut self, token: Token) {
        let follows = token.to_bits() == self.last.wrapping_add(1);
        self.in_a_row = if follows { self.in_a_row + 1 } else { 0 };
        self.last = token.to_bits();
    }
}

/// Drops something of the user's; gives the panic of its destructor.
fn drop_caught<T>(dropped: T) -> thread::Result<()> {
    catch_unwind(AssertUnwindSafe(|| drop(dropped)))
}

/// Drops a callback that comes too late; out of line, so that others may stay in registers.
#[cold]
#[inline(never)]
fn refuse<F>(callback: F) -> Result<Handle, ClosedError> {
    drop(callback);
    Err(ClosedError)
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
