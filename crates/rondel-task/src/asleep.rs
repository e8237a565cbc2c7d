//! A task asleep: the leaf at which a coroutine waits for a time.
//!
//! The task is woken by an alarm of the scheduler. A sleep of asyncio is a future that a timer completes; but nobody except the task
//! could ever get hold of that future, so there is none, and what it would do is done here: a sleep that is pending can be cancelled
//! once, its error is its own, and the coroutine goes on in the iteration after.
//!
//! # Invariants
//! - I1: A leaf that is registered has an alarm and stands in the waiters of its task once; when it is dropped or over it has left
//!   both. The first waiter of a task is forgotten by its next step, too.
//! - I2: An alarm that is not set any more has rung, or its loop was closed, or the sleep was interrupted; then the task keeps its
//!   error until the leaf takes it. One that is set when its task ends rings nobody.
//!
//! # asyncio
//! `asyncio.sleep`: `loop.call_later(delay, futures._set_result_unless_cancelled, future, result)`, and the cancelling of that
//! handle behind it.

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use rondel_sched::{Alarm, Token};

use crate::awaited::{Rest, Waiting};
use crate::awaiter::cancelled_error_of_current_task;
use crate::cold::WaiterPlace;
use crate::core::Core;
use crate::exception::{Exception, Result};
use crate::flags::Flag;
use crate::task_state::TaskState;
use crate::waker;

/// The leaf, registered.
pub(crate) struct Asleep {
    core: Rc<Core>,
    /// The line that awaits it.
    at: &'static Location<'static>,
    token: Token,
    /// None when it is over.
    alarm: Option<Alarm>,
    place: WaiterPlace,
}

/// What a poll has found.
pub(crate) enum Polled {
    Asleep,
    Over(Result<()>),
    /// It is polled in another way than at first, so a future has to take its place.
    Elsewhere {
        core: Rc<Core>,
        when: Duration,
        at: &'static Location<'static>,
    },
}

impl Asleep {
    /// Has the task that is polled by `cx` sleep until `when`; `None` if it is not polled by a task itself, or somebody watches.
    #[inline]
    pub(crate) fn begin(
        core: &Rc<Core>,
        when: Duration,
        at: &'static Location<'static>,
        cx: &Context<'_>,
    ) -> Result<Option<Self>> {
        let token = waker::token(cx.waker()).filter(|token| core.is_current(*token));
        let Some(token) = token.filter(|_| !core.reactor().is_watched()) else {
            return Ok(None);
        };
        if core.take_throw() {
            return Err(cancelled_error_of_current_task(core));
        }
        let alarm = core.scheduler().set_alarm(when, token)?;
        let place = core.look_at_task(token, |state| {
            state.add_waiter(Waiting::Rest(Rest::until(alarm)), at)
        });
        Ok(place.map(|place| Self {
            core: core.clone(),
            at,
            token,
            alarm: Some(alarm),
            place,
        }))
    }

    /// Says whether it is over.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Polled {
        if self.core.take_throw() {
            let own = self.leave();
            self.note_returned();
            let error = own.unwrap_or_else(|| cancelled_error_of_current_task(&self.core));
            return Polled::Over(Err(error));
        }
        let Some(alarm) = self.alarm else {
            return Polled::Over(Ok(()));
        };
        if self.is_polled_by_task(cx) && self.place.is_first() {
            // The step has looked already.
            let sleeps = |state: &TaskState| state.rests_at(self.place, Rest::until(alarm));
            if self.core.look_at_task(self.token, sleeps) == Some(true) {
                return Polled::Asleep;
            }
        } else if let Some(when) = self.core.scheduler().alarm_time(alarm) {
            return match self.is_polled_by_task(cx) {
                true => Polled::Asleep,
                false => Polled::Elsewhere {
                    core: self.core.clone(),
                    when,
                    at: self.at,
                },
            };
        }
        self.alarm = None;
        let interruption = self.leave_waiters(alarm);
        if interruption.is_none() && self.core.scheduler().is_closed() {
            // It will not ring any more: setting it anew gives the error.
            return Polled::Elsewhere {
                core: self.core.clone(),
                when: Duration::ZERO,
                at: self.at,
            };
        }
        Polled::Over(match interruption {
            Some(error) => {
                self.note_returned();
                Err(error)
            }
            None => Ok(()),
        })
    }

    /// The task gets its error here, and nowhere else.
    #[cold]
    fn note_returned(&self) {
        let forget = |state: &TaskState| state.flags.clear(Flag::Interrupted);
        self.core.look_at_task(self.token, forget);
    }

    #[inline]
    fn is_polled_by_task(&self, cx: &Context<'_>) -> bool {
        self.core.is_current(self.token) && waker::token(cx.waker()) == Some(self.token)
    }

    /// Leaves the alarms and the task's waiters; gives the error by which it was interrupted.
    #[inline]
    fn leave(&mut self) -> Option<Exception> {
        let alarm = self.alarm.take()?;
        self.core.scheduler().cancel_alarm(alarm);
        self.leave_waiters(alarm)
    }

    #[inline]
    fn leave_waiters(&self, alarm: Alarm) -> Option<Exception> {
        let interruption = self.core.look_at_task(self.token, |state| {
            state.end_rest_at(self.place, Rest::until(alarm));
            state.take_interruption(Rest::until(alarm))
        });
        interruption.flatten().map(Exception::new)
    }
}

impl Drop for Asleep {
    /// Out of line, as every sleep has it in its destructor and few have anything to leave.
    #[inline(never)]
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Asleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = self
            .alarm
            .and_then(|alarm| self.core.scheduler().alarm_time(alarm));
        f.debug_struct("Asleep")
            .field("when", &when)
            .finish_non_exhaustive()
    }
}
