//! `LoopBound`: which loop a primitive belongs to.
//!
//! # asyncio
//! `mixins._LoopBoundMixin`: bound to the loop that runs when a task first has to wait.

use std::cell::OnceCell;
use std::fmt;

use rondel_task::{Future, Result, RuntimeError, get_running_loop};

/// Makes the futures that tasks wait for, all on one loop.
#[derive(Default)]
pub(crate) struct LoopBound {
    /// A future of that loop which nobody completes: it knows its loop and, unlike a handle of the loop, does not keep it open.
    mark: OnceCell<Future<()>>,
}

impl LoopBound {
    /// Makes a future of the running loop; `primitive` is named where that is not the loop it is bound to.
    pub(crate) fn create_future(&self, primitive: &dyn fmt::Debug) -> Result<Future<()>> {
        let running = get_running_loop()?;
        let mark = self.mark.get_or_init(|| running.create_future());
        if !mark.get_loop().ptr_eq(&running) {
            let text = format!("{primitive:?} is bound to a different event loop");
            return Err(RuntimeError::new(text).into());
        }
        Ok(running.create_future())
    }
}
