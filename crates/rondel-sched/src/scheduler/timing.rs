//! The timers of a scheduler as its users see them: setting them, asking for the next, firing what is due.
//!
//! What order they are in is `timers`' business; a timer that is due runs in [`Scheduler::run_ready`], among all that is ready.

use std::{panic::Location, rc::Rc, time::Duration};

use rondel_context::{Context, capture};

use crate::{
    ClosedError, Handle, Scheduler, TimerHandle, Token,
    handle::HandleCell,
    timer_slab::Due,
    timers::{TimerKey, Timers},
};

/// Names an alarm of a scheduler: what [`Scheduler::set_alarm`] gives.
///
/// Copies are the same alarm.
/// One that has rung or was cancelled is to be forgotten: when four billion more timers have been set it may be taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm(TimerKey);

impl Alarm {
    /// Returns a number of 63 bits that stands for the alarm, for a layer that has no more room for it.
    #[must_use]
    #[inline]
    pub fn to_bits(self) -> u64 {
        self.0.to_bits()
    }

    /// Returns the alarm that the number stands for, which [`to_bits`](Self::to_bits) gave; of another number one that is not set.
    #[must_use]
    #[inline]
    pub fn from_bits(bits: u64) -> Self {
        Self(TimerKey::from_bits(bits))
    }
}

impl Scheduler {
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

    /// Sets an alarm: a timer that [rings](crate::Host::ring) a token at `when` on the clock, in its place among the timers.
    ///
    /// It is for a layer that keeps what it waits with itself, and allocates nothing.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the scheduler is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{rc::Rc, time::Duration};
    /// use rondel_sched::{Scheduler, Token, VirtualClock};
    ///
    /// let scheduler = Scheduler::new(Rc::new(VirtualClock::new()));
    /// let alarm = scheduler.set_alarm(Duration::from_secs(1), Token::from_bits(7))?;
    /// assert_eq!(scheduler.alarm_time(alarm), Some(Duration::from_secs(1)));
    /// assert!(scheduler.cancel_alarm(alarm));
    /// assert_eq!(scheduler.alarm_time(alarm), None);
    /// # Ok::<(), rondel_sched::ClosedError>(())
    /// ```
    #[inline]
    pub fn set_alarm(&self, when: Duration, token: Token) -> Result<Alarm, ClosedError> {
        self.refuse_when_closed()?;
        Ok(Alarm(self.add_timer(when, Due::ring(token))))
    }

    /// Returns the time for which an alarm is set; `None` when it has rung already or is cancelled.
    #[must_use]
    #[inline]
    pub fn alarm_time(&self, alarm: Alarm) -> Option<Duration> {
        self.timers.when(alarm.0)
    }

    /// Has an alarm ring another token than it was set for, if it is still to ring.
    pub fn redirect_alarm(&self, alarm: Alarm, token: Token) {
        self.timers.change(|timers| timers.redirect(alarm.0, token));
    }

    /// Cancels an alarm; false when it has rung already or is cancelled.
    #[inline]
    pub fn cancel_alarm(&self, alarm: Alarm) -> bool {
        // A token has no destructor.
        self.timers
            .change(|timers| timers.cancel(alarm.0))
            .is_some()
    }

    /// Returns the time of the first timer.
    ///
    /// Where thousands are set for times that lie close together and far off, it looks at all of those; [`wake_up_time`](Self::wake_up_time) does not.
    #[must_use]
    pub fn next_timer(&self) -> Option<Duration> {
        self.timers.change(Timers::first)
    }

    /// Returns how long a loop with nothing else to do may wait: until the first timer, or where finding that takes long, until an
    /// earlier time at which [`fire_timers`](Self::fire_timers) has to sort timers out.
    #[must_use]
    pub fn wake_up_time(&self) -> Option<Duration> {
        self.timers.change(Timers::bound)
    }

    /// Returns how many timers and alarms are set.
    #[must_use]
    #[inline]
    pub fn timer_len(&self) -> usize {
        self.timers.len()
    }

    /// Moves the timers that are due to the end of the ready queue, in the order of (when, setting), and returns how many.
    ///
    /// Does not read the clock when there is no timer.
    #[inline]
    pub fn fire_timers(&self) -> usize {
        if self.timer_len() == 0 {
            0
        } else {
            self.fire_due()
        }
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
        let key = self.add_timer(when, Due::call(callback.clone()));
        Ok(TimerHandle::new(
            Handle::new(callback),
            when,
            key,
            Rc::clone(&self.timers),
        ))
    }

    /// The part of setting a timer that is the same for every callback.
    fn add_timer(&self, when: Duration, due: Due) -> TimerKey {
        self.timers.change(|timers| timers.add(when, due))
    }

    fn fire_due(&self) -> usize {
        let now = self.time();
        self.timers.change(|timers| {
            let mut fired = 0;
            while let Some(place) = timers.pop_due(now) {
                self.ready.timer(place);
                fired += 1;
            }
            fired
        })
    }
}
