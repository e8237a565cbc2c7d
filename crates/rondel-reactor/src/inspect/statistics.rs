//! Numbers of a loop.
//!
//! # asyncio
//!
//! It has none. `current_statistics` of Trio and `RuntimeMetrics` of tokio are the models.

use std::time::Duration;

use crate::EventLoop;

/// What [`EventLoop::statistics`] gives: what a loop has now, and what it has done since it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoopStatistics {
    /// How many callbacks and steps are ready, cancelled ones included.
    pub ready: usize,
    /// How many timers are set, sleeping tasks included.
    pub timers: usize,
    /// How many descriptors something waits for.
    pub descriptors: usize,
    /// How many tasks of the layer above are not done, where there is one.
    pub tasks: Option<usize>,
    /// How many iterations the loop has made.
    pub iterations: u64,
    /// How many callbacks and steps it has run in whole iterations, cancelled ones included.
    pub callbacks: u64,
    /// The longest that one of those has taken, by the loop's clock; zero unless it was in debug mode.
    pub longest_callback: Duration,
}

impl EventLoop {
    /// Returns what the loop has to do and has done.
    ///
    /// # Examples
    ///
    /// ```
    /// use rondel_reactor::EventLoop;
    ///
    /// let event_loop = EventLoop::new()?;
    /// event_loop.call_soon(|| ())?;
    /// assert_eq!(event_loop.statistics().ready, 1);
    /// event_loop.run_once()?;
    /// let statistics = event_loop.statistics();
    /// assert_eq!((statistics.ready, statistics.callbacks, statistics.iterations), (0, 1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn statistics(&self) -> LoopStatistics {
        let inspection = self.inspection();
        LoopStatistics {
            ready: self.scheduler().ready_len(),
            timers: self.scheduler().timer_len(),
            descriptors: self.user_watchers(),
            tasks: self.extension().and_then(|extension| extension.tasks()),
            iterations: inspection.iterations.get(),
            callbacks: inspection.callbacks.get(),
            longest_callback: inspection.longest_callback.get(),
        }
    }
}
