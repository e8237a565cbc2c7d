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

use std::{any::Any, cell::OnceCell, rc::Rc, time::Duration};

use rondel_sched::{Host, Runnable, Token};
use signal_hook::consts::SIGINT;

use crate::{
    EventLoop, ExceptionContext, Extension, RunError, running::Running,
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
        let turn = Turn::new(self);
        loop {
            self.scheduler().receive();
            if !self.is_only_busy(patience) {
                self.look(patience)?;
            }
            self.signals().look(self.scheduler());
            self.scheduler().fire_timers();
            let ran = self.scheduler().run_ready(&turn);
            self.pace().ran(ran);
            if listening.is_some_and(Listening::interrupted) && !self.handles_interrupt() {
                return Err(RunError::INTERRUPTED);
            }
            if patience == Patience::None || self.is_stopping() {
                return Ok(());
            }
        }
    }

    /// True where `plan` is bound to say `Go`: something is ready, nobody watches and nobody has said stop.
    ///
    /// Asked first because most iterations are of this kind: a task that yields alone takes 7 % more instructions with a plan.
    #[inline]
    fn is_only_busy(&self, patience: Patience) -> bool {
        self.scheduler().has_ready()
            && patience == Patience::UntilEvent
            && !self.is_stopping()
            && self.user_watchers() == 0
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
        }
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
        let Some(when) = self.scheduler().next_timer() else {
            return Ok(Plan::Wait(None));
        };
        match when.saturating_sub(self.time()) {
            Duration::ZERO => Ok(self.glance()),
            remaining => Ok(Plan::Wait(Some(remaining.min(MAX_WAIT)))),
        }
    }

    /// Decides for an idle loop whose clock stands still.
    fn plan_virtual(&self) -> Result<Plan, RunError> {
        let next = self.scheduler().next_timer();
        if next.is_some_and(|when| when <= self.time()) {
            return Ok(self.glance());
        }
        let watching = self.user_watchers() > 0;
        if watching && self.jump_past_io() {
            self.select(Some(Duration::ZERO))?;
            if self.scheduler().has_ready() {
                return Ok(Plan::Go);
            }
        }
        let in_flight = self.entrance().has_in_flight();
        // What was in flight may have sent its outcome just before it ended.
        if !in_flight && self.scheduler().receive() {
            return Ok(Plan::Go);
        }
        let may_jump = !in_flight && (!watching || self.jump_past_io());
        if may_jump && next.is_some_and(|when| self.scheduler().clock().jump_to(when)) {
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
        if self.user_watchers() > 0 && self.pace().look_is_due() {
            Plan::Look
        } else {
            Plan::Go
        }
    }

    fn select(&self, timeout: Option<Duration>) -> Result<(), RunError> {
        let outcome = self.watchers().select(timeout, self.scheduler());
        self.pace().looked();
        outcome.map_err(RunError::select)
    }

    /// How many descriptors are watched that are not our own.
    fn user_watchers(&self) -> usize {
        let own = usize::from(self.signals().has_doorbell());
        self.watchers().len().saturating_sub(own)
    }

    /// Takes Ctrl-C over for this run.
    fn listen(&self) -> Result<Option<Listening>, RunError> {
        if !self.interruptible().get() {
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
}

/// Who runs the scheduler: this loop, and the layer above for the tokens.
struct Turn<'a> {
    event_loop: &'a EventLoop,
    /// Looked up once a run, because most of what is ready may be tokens; later where the layer came later.
    extension: OnceCell<Rc<dyn Extension>>,
}

impl<'a> Turn<'a> {
    fn new(event_loop: &'a EventLoop) -> Self {
        let turn = Self {
            event_loop,
            extension: OnceCell::new(),
        };
        turn.find_extension();
        turn
    }

    fn find_extension(&self) {
        if let Some(extension) = self.event_loop.extension() {
            // It is found once: the cell is empty.
            let _ = self.extension.set(extension);
        }
    }
}

impl Host for Turn<'_> {
    #[inline]
    fn wake(&self, token: Token) {
        if self.extension.get().is_none() {
            self.find_extension();
        }
        if let Some(extension) = self.extension.get() {
            extension.wake(token);
        }
    }

    fn callback_panicked(&self, callback: Rc<dyn Runnable>, payload: Box<dyn Any + Send>) {
        self.event_loop
            .call_exception_handler(&ExceptionContext::of_panic(&*callback, payload));
    }
}
