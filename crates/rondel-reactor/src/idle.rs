//! Callbacks for the moment when the loop has nothing to do.
//!
//! They wait here, and go through the ready queue like all others when that moment has come; [`iteration`](crate::iteration) knows
//! when.
//!
//! # asyncio
//!
//! It has none. Trio's `wait_all_tasks_blocked` needs it, and GLib has it for the same purpose.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use rondel_sched::{ClosedError, Handle, Scheduler};

use crate::EventLoop;

/// The callbacks that wait for an idle loop, by how long it has to be idle and by their age.
#[derive(Default)]
pub(crate) struct Idle {
    waiting: RefCell<BTreeMap<(Duration, u64), Handle>>,
    last: Cell<u64>,
}

impl Idle {
    /// How long the loop has to be idle for the first of them.
    pub(crate) fn cushion(&self) -> Option<Duration> {
        loop {
            let cancelled = {
                let mut waiting = self.waiting.borrow_mut();
                let first = waiting.first_entry()?;
                if !first.get().cancelled() {
                    return Some(first.key().0);
                }
                first.remove()
            };
            drop(cancelled);
        }
    }

    /// The loop was idle for so long: what waited for it is scheduled.
    pub(crate) fn fire(&self, cushion: Duration, scheduler: &Scheduler) {
        let later = self.waiting.borrow_mut().split_off(&(cushion, u64::MAX));
        let due = self.waiting.replace(later);
        for handle in due.into_values() {
            // A closed loop does not iterate.
            let _ = scheduler.schedule_handle(&handle);
        }
    }

    /// Drops what waits.
    pub(crate) fn close(&self) {
        let waiting = self.waiting.take();
        drop(waiting);
    }
}

impl EventLoop {
    /// Has `callback` called once the loop has been idle for `cushion`: nothing was ready, no timer due, no descriptor and no
    /// message came.
    ///
    /// With a cushion of zero that is when the loop would begin to wait.
    /// Of several, those with the shortest cushion are called together, and for the others the loop has to become idle again.
    /// The cushion is time of the loop's clock; a virtual clock that must not jump stands still meanwhile, and it is real time.
    /// While the loop is [stepped](Self::run_once) it is never idle.
    ///
    /// # Errors
    ///
    /// [`ClosedError`] when the loop is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use rondel_reactor::{EventLoop, get_running_loop};
    ///
    /// let event_loop = EventLoop::new()?;
    /// event_loop.call_soon(|| println!("first"))?;
    /// event_loop.call_when_idle(Duration::ZERO, || {
    ///     println!("then nothing is left to do");
    ///     get_running_loop().expect("it runs this callback").stop();
    /// })?;
    /// event_loop.run_forever()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn call_when_idle(
        &self,
        cushion: Duration,
        callback: impl FnOnce() + 'static,
    ) -> Result<Handle, ClosedError> {
        if self.is_closed() {
            return Err(ClosedError);
        }
        let handle = Handle::unscheduled(callback);
        let idle = self.idle();
        idle.last.set(idle.last.get() + 1);
        let place = (cushion, idle.last.get());
        // Its place is new: nothing is replaced.
        idle.waiting.borrow_mut().insert(place, handle.clone());
        Ok(handle)
    }
}
