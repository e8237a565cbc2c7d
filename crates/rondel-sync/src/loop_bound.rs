//! `LoopBound`: which loop a primitive belongs to.
//!
//! # asyncio
//! `mixins._LoopBoundMixin`: bound to the loop that runs when a task first has to wait.

use std::cell::OnceCell;
use std::fmt;

use rondel_task::{Future, Result, RuntimeError, WeakEventLoop, get_running_loop};

/// Makes the futures that tasks wait for, all on one loop.
#[derive(Default)]
pub(crate) struct LoopBound {
    event_loop: OnceCell<WeakEventLoop>,
}

impl LoopBound {
    /// Makes a future of the running loop; `primitive` is named where that is not the loop it is bound to.
    pub(crate) fn create_future<T: 'static>(
        &self,
        primitive: &dyn fmt::Debug,
    ) -> Result<Future<T>> {
        let running = get_running_loop()?;
        let own = self.event_loop.get_or_init(|| running.downgrade());
        if !own.is(&running) {
            let text = format!("{primitive:?} is bound to a different event loop");
            return Err(RuntimeError::new(text).into());
        }
        Ok(running.create_future())
    }
}
