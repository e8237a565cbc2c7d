//! Processor time: how long a thread or a process has computed, whatever else the machine does.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Whose time is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of the thread that asks.
    Thread,
    /// That of all threads of the process.
    Process,
}

impl Whose {
    /// How long it has computed so far, in user and in system mode.
    pub fn now(self) -> Duration {
        let clock = match self {
            Whose::Thread => ClockId::ThreadCPUTime,
            Whose::Process => ClockId::ProcessCPUTime,
        };
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
    }
}

/// A stopwatch of processor time.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    whose: Whose,
    start: Duration,
}

impl Stopwatch {
    /// Begins to take the time.
    pub fn start(whose: Whose) -> Self {
        let start = whose.now();
        Self { whose, start }
    }

    /// How many nanoseconds each of `items` has taken since the start.
    pub fn per(self, items: usize) -> f64 {
        (self.whose.now() - self.start).as_nanos() as f64 / items as f64
    }
}
