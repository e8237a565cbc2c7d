//! How an idle loop waits: the choices of its builder, and what they make of the time of the next timer.

use std::time::Duration;

use crate::EventLoop;

/// What a loop was told about waiting.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waiting {
    /// A virtual clock may jump although descriptors are watched.
    pub(crate) jump_past_io: bool,
    /// How late timers may be, so that one wait serves several.
    pub(crate) timer_slack: Duration,
}

impl Waiting {
    /// When to wake up for a timer at the latest.
    pub(crate) fn wake_up_time(self, timer: Duration) -> Duration {
        timer.saturating_add(self.timer_slack)
    }
}

impl EventLoop {
    /// When a loop with nothing else to do wakes up; it may have to sort timers out then, and none need be due.
    pub(crate) fn wake_up_time(&self) -> Option<Duration> {
        let next = self.scheduler().wake_up_time()?;
        Some(self.waiting().wake_up_time(next))
    }
}
