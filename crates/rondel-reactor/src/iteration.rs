//! The iteration: what a running loop does, again and again.
//!
//! The five steps are those of the [crate's documentation](crate).
//!
//! # Waiting under a virtual clock
//!
//! A virtual clock stands still, so a loop that is idle does not wait for a timer: it moves the clock to it.
//! But what a descriptor will bring is not on the clock: while one is watched, the loop really waits, unless it was built to
//! [`jump_past_io`](crate::Builder::jump_past_io).
//! Nor does the clock move while [work is in flight](EventLoop::in_flight) on another thread.
//! A loop that nothing can wake any more ends with a deadlock error.
//!
//! # asyncio
//!
//! `run_forever` and `_run_once` of `BaseEventLoop`.
//! asyncio looks at its descriptors in every iteration; here a busy loop looks at a bounded [pace](crate::pace),
//! and in the iteration after a descriptor was registered.

use std::{any::Any, rc::Rc, time::Duration};

use rondel_sched::{Ahead, Host, Runnable, Token, VirtualClock};
use signal_hook::consts::SIGINT;

use crate::{
    EventLoop, ExceptionContext, Extension, RunError, inspect::WatchedTurn, running::Running,
    signals::interrupt::Listening,
};

/// The longest that one wait lasts; a timer that lies further off is waited for in several.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

impl EventLoop {
    /// Runs until [`stop`](Self::stop) is called, or Ctrl-C ends the run after the current iteration.
    ///
    /// A second Ctrl-C within that iteration ends the process, as one does while no loop runs.
    ///
    /// See [asyncio's `run_forever`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_forever).
    ///
    /// # Errors
    ///
    /// An error that [`is_interrupted`](RunError::is_interrupted) on Ctrl-C; that [`is_running`](RunError::is_running), [`is_nested`](RunError::is_nested) or
    /// [`is_closed`](RunError::is_closed) when the loop cannot be run; that [`is_deadlock`](RunError::is_deadlock) when nothing can wake a loop under a virtual
    /// clock; or one with the operating system's as its source.
    pub fn run_forever(&self) -> Result<(), RunError> {
        let _running = Running::enter(self)?;
        let listening = self.listen()?;
        self.iterate(Patience::UntilEvent, listening.as_ref())?;
        match listening.is_some_and(Listening::end) && !self.handles_interrupt() {
            true => Err(RunError::INTERRUPTED),
            false => Ok(()),
        }
    }

    /// Runs one iteration that does not wait, so that a foreign loop can step this one; a virtual clock stands still.
    ///
    /// # Errors
    ///
    /// As [`run_forever`](Self::run_forever), but neither an interrupt nor a deadlock.
    ///
    /// # Examples
    ///
    /// ```
    /// use rondel_reactor::EventLoop;
    ///
    /// let event_loop = EventLoop::new()?;
    /// event_loop.call_soon(|| println!("one frame"))?;
    /// event_loop.run_once()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run_once(&self) -> Result<(), RunError> {
        let _running = Running::enter(self)?;
        self.iterate(Patience::None, None)
    }

    /// Iterates until the loop is stopped, or once where it has no patience.
    fn iterate(&self, patience: Patience, listening: Option<&Listening>) -> Result<(), RunError> {
        let layer = self.extension();
        let turn = Turn {
            event_loop: self,
            layer: layer.as_deref(),
        };
        let _awake = Awake::new(self);
        let last = patience == Patience::None || self.is_stopping();
        loop {
            self.scheduler().receive();
            if last || !self.is_only_busy() {
                self.look(patience)?;
            }
            self.signals().look(self.scheduler());
            self.scheduler().fire_timers();
            let ran = if self.inspection().is_watched() {
                self.run_watched(&turn)
            } else {
                self.scheduler().run_ready(&turn)
            };
            self.inspection().ran(ran);
            if listening.is_some_and(Listening::interrupted) && !self.handles_interrupt() {
                return Err(RunError::INTERRUPTED);
            }
            if last || self.is_stopping() {
                return Ok(());
            }
        }
    }

    /// The last step, where somebody watches.
    #[cold]
    fn run_watched(&self, turn: &Turn<'_>) -> usize {
        self.scheduler().run_ready(&WatchedTurn::new(self, turn))
    }

    /// True where `plan` is bound to say `Go` while this is not the last iteration: something is ready and nobody watches.
    ///
    /// Asked first because most iterations are of this kind: a task that yields alone takes 7 % more instructions with a plan.
    #[inline]
    fn is_only_busy(&self) -> bool {
        self.scheduler().has_ready() && self.user_watchers() == 0
    }

    /// Looks at the descriptors or waits for them, if that is the plan.
    #[inline(never)]
    fn look(&self, patience: Patience) -> Result<(), RunError> {
        match self.plan(patience)? {
            Plan::Go => Ok(()),
            Plan::Look => self.select(Some(Duration::ZERO)),
            Plan::Wait(timeout) => {
                tracing::trace!(?timeout, "idle");
                self.select(timeout)
            }
            Plan::Idle(cushion) => self.idle_for(cushion),
        }
    }

    /// Waits for so long, and calls who waits for an idle loop if nothing came.
    #[cold]
    fn idle_for(&self, cushion: Duration) -> Result<(), RunError> {
        let since = self.time();
        let clock = self.scheduler().clock();
        let is_virtual = clock.is_virtual();
        let may_jump = is_virtual && self.may_jump();
        self.select(Some(if may_jump { Duration::ZERO } else { cushion }))?;
        self.signals().look(self.scheduler());
        if self.scheduler().receive() || self.scheduler().has_ready() {
            return Ok(());
        }
        if may_jump && !clock.jump_to(since.saturating_add(cushion)) {
            // Only its owner moves it.
            self.select(Some(cushion))?;
        }
        let woken_early = !is_virtual && self.time().saturating_sub(since) < cushion;
        if !woken_early && !self.scheduler().has_ready() {
            self.idle().fire(cushion, self.scheduler());
        }
        Ok(())
    }

    /// Whether nothing outside of the clock is waited for.
    fn may_jump(&self) -> bool {
        let watching = self.user_watchers() > 0;
        !self.entrance().has_in_flight() && (!watching || self.waiting().jump_past_io)
    }

    /// Decides how the descriptors are looked at.
    fn plan(&self, patience: Patience) -> Result<Plan, RunError> {
        if patience == Patience::None || self.is_stopping() {
            return Ok(Plan::Look);
        }
        if self.scheduler().has_ready() {
            return Ok(self.glance());
        }
        if self.is_closed() {
            // A callback has closed the scheduler itself: nothing can come any more.
            return Err(RunError::CLOSED);
        }
        if self.scheduler().clock().is_virtual() {
            return self.plan_virtual();
        }
        let next = self.wake_up_time();
        if let Some(plan) = self.plan_idle(next) {
            return Ok(plan);
        }
        let Some(when) = next else {
            return Ok(Plan::Wait(None));
        };
        match when.saturating_sub(self.time()) {
            Duration::ZERO => Ok(self.glance()),
            remaining => Ok(Plan::Wait(Some(remaining.min(MAX_WAIT)))),
        }
    }

    /// Decides for the sake of those who wait for an idle loop, unless the next timer comes before.
    fn plan_idle(&self, next: Option<Duration>) -> Option<Plan> {
        let cushion = self.idle().cushion()?;
        let comes_first = next.is_none_or(|when| cushion < when.saturating_sub(self.time()));
        comes_first.then_some(Plan::Idle(cushion))
    }

    /// Decides for an idle loop whose clock stands still.
    fn plan_virtual(&self) -> Result<Plan, RunError> {
        let next = self.scheduler().next_timer();
        if next.is_some_and(|when| when <= self.time()) {
            return Ok(self.glance());
        }
        if let Some(plan) = self.plan_idle(next) {
            return Ok(plan);
        }
        let watching = self.user_watchers() > 0;
        let clock = self.scheduler().clock();
        let threshold = clock
            .as_virtual()
            .map_or(Duration::ZERO, VirtualClock::autojump_threshold);
        if !threshold.is_zero() || watching && self.waiting().jump_past_io {
            // What comes from outside meanwhile comes before the jump.
            self.select(Some(threshold))?;
            if self.scheduler().has_ready() {
                return Ok(Plan::Go);
            }
        }
        let in_flight = self.entrance().has_in_flight();
        // What was in flight may have sent its outcome just before it ended.
        if !in_flight && self.scheduler().receive() {
            return Ok(Plan::Go);
        }
        let may_jump = !in_flight && (!watching || self.waiting().jump_past_io);
        if may_jump && next.is_some_and(|when| clock.jump_to(when)) {
            return Ok(Plan::Go);
        }
        if watching || self.signals().is_awaited() || self.entrance().has_handles() {
            return Ok(Plan::Wait(None));
        }
        // The last handle may have sent something just before it went.
        if self.scheduler().receive() {
            return Ok(Plan::Go);
        }
        Err(RunError::deadlock(
            self.extension().and_then(|extension| extension.deadlock()),
        ))
    }

    /// What a busy loop does: a look now and then, and none where nobody watches.
    fn glance(&self) -> Plan {
        if self.user_watchers() > 0 && self.pace().look_is_due(self.inspection().callbacks()) {
            Plan::Look
        } else {
            Plan::Go
        }
    }

    fn select(&self, timeout: Option<Duration>) -> Result<(), RunError> {
        let sleeps = timeout != Some(Duration::ZERO);
        if sleeps {
            rondel_shared::trim();
            self.scheduler().trim();
        }
        let timeout = match self.is_watched() {
            true => self.tell_of_wait(timeout),
            false => timeout,
        };
        // What was made ready or sent since the plan was made is found behind a look.
        let timeout = match sleeps && (self.has_work() || !self.scheduler().may_sleep()) {
            true => Some(Duration::ZERO),
            false => timeout,
        };
        let outcome = self.watchers().select(timeout, self.scheduler());
        if sleeps {
            self.scheduler().stay_awake();
        }
        self.pace().looked(self.inspection().callbacks());
        self.call_instruments(|instrument| instrument.after_io_wait(timeout));
        outcome.map_err(RunError::select)
    }

    /// Whether the plan to wait is out of date: who is told of it, an instrument or a subscriber, may use the loop.
    fn has_work(&self) -> bool {
        self.scheduler().has_ready() || self.is_stopping()
    }

    /// Tells the instruments of the wait, and says how long it may last after that: less where one has set a timer.
    #[cold]
    fn tell_of_wait(&self, timeout: Option<Duration>) -> Option<Duration> {
        let planned = self.wake_up_time();
        self.call_instruments(|instrument| instrument.before_io_wait(timeout));
        let next = self.wake_up_time();
        let Some(earlier) = next.filter(|next| planned.is_none_or(|planned| *next < planned))
        else {
            return timeout;
        };
        // A virtual clock moves to it by another plan.
        let remaining = match self.scheduler().clock().is_virtual() {
            true => Duration::ZERO,
            false => earlier.saturating_sub(self.time()),
        };
        Some(timeout.map_or(remaining, |timeout| timeout.min(remaining)))
    }

    /// How many descriptors are watched that are not our own.
    pub(crate) fn user_watchers(&self) -> usize {
        let own = usize::from(self.signals().has_doorbell());
        self.watchers().awaited().saturating_sub(own)
    }

    /// Takes Ctrl-C over for this run.
    fn listen(&self) -> Result<Option<Listening>, RunError> {
        // Miri has no signals.
        if cfg!(miri) || !self.interruptible().get() {
            return Ok(None);
        }
        self.interrupt()
            .and_then(Listening::begin)
            .map(Some)
            .map_err(RunError::signal)
    }

    /// Says whether Ctrl-C is a handler's, so that it does not interrupt.
    fn handles_interrupt(&self) -> bool {
        self.signals().handles(SIGINT)
    }
}

/// The time in which the loop iterates, and looks for messages by itself.
struct Awake<'a>(&'a EventLoop);

impl<'a> Awake<'a> {
    fn new(event_loop: &'a EventLoop) -> Self {
        event_loop.scheduler().stay_awake();
        Self(event_loop)
    }
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        if !self.0.scheduler().may_sleep() {
            // Nobody was told of what has come at the last moment; a foreign loop waits for the notification.
            self.0.scheduler().injector().notify();
        }
    }
}

/// How long an iteration may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    UntilEvent,
    None,
}

/// What an iteration does about descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing: there is something to do.
    Go,
    /// Look at them without waiting.
    Look,
    /// Wait for them, for so long or for ever.
    Wait(Option<Duration>),
    /// Wait for them so long, and then call those who wait for an idle loop.
    Idle(Duration),
}

/// Who runs the scheduler: this loop, and the layer above for the tokens.
pub(crate) struct Turn<'a> {
    event_loop: &'a EventLoop,
    /// Looked up once a run, because most of what is ready may be tokens.
    layer: Option<&'a dyn Extension>,
}

impl Turn<'_> {
    /// Looks at the layer above, which may have come later than this run.
    #[inline]
    pub(crate) fn with_extension<R>(&self, f: impl FnOnce(&dyn Extension) -> R) -> Option<R> {
        match self.layer {
            Some(layer) => Some(f(layer)),
            None => self.event_loop.extension().map(|layer| f(&*layer)),
        }
    }
}

impl Host for Turn<'_> {
    #[inline]
    fn wake(&self, token: Token) {
        self.with_extension(|extension| extension.wake(token));
    }

    fn foresee(&self, token: Token, ahead: Ahead) {
        self.with_extension(|extension| extension.foresee(token, ahead));
    }

    #[inline]
    fn ring(&self, token: Token) {
        self.with_extension(|extension| extension.ring(token));
    }

    #[inline]
    fn callback_of(&self, source: u32) -> Option<Rc<dyn Runnable>> {
        self.event_loop.watchers().begin_turn(source)
    }

    fn callback_panicked(&self, callback: &dyn Runnable, payload: Box<dyn Any + Send>) {
        self.event_loop
            .call_exception_handler(&ExceptionContext::of_panic(callback, payload));
    }
}
