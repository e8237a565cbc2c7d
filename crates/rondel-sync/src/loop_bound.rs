//! `LoopBound`: which loop a primitive belongs to.
//!
//! # asyncio
//! `mixins._LoopBoundMixin`: bound to the loop that runs when a task first has to wait.

use std::cell::OnceCell;
use std::fmt;

use rondel_task::{
    EventLoop, Future, Result, RuntimeError, Waiter, WeakEventLoop, get_running_loop,
};

/// Makes what tasks wait for, all on one loop.
#[derive(Default)]
pub(crate) struct LoopBound {
    event_loop: OnceCell<WeakEventLoop>,
}

impl LoopBound {
    /// Makes a waiter of the running loop; `primitive` is named where that is not the loop it is bound to.
    #[inline(always)]
    pub(crate) fn create_waiter(&self, primitive: &dyn fmt::Debug) -> Result<Waiter> {
        let waiter = Waiter::new()?;
        match self.event_loop.get() {
            Some(own) if waiter.belongs_to(own) => {}
            _ => self.bind(&waiter.get_loop(), primitive)?,
        }
        Ok(waiter)
    }

    /// Makes a future of the running loop, as `create_waiter` does a waiter.
    pub(crate) fn create_future<T: 'static>(
        &self,
        primitive: &dyn fmt::Debug,
    ) -> Result<Future<T>> {
        let running = get_running_loop()?;
        self.bind(&running, primitive)?;
        Ok(running.create_future())
    }

    /// Binds the primitive to the loop, unless it is bound to another one.
    #[inline(never)]
    fn bind(&self, running: &EventLoop, primitive: &dyn fmt::Debug) -> Result<()> {
        let own = self.event_loop.get_or_init(|| running.downgrade());
        if own.is(running) {
            return Ok(());
        }
        let text = format!("{primitive:?} is bound to a different event loop");
        Err(RuntimeError::new(text).into())
    }
}
