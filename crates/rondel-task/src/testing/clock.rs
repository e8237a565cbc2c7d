//! `virtual_clock`: the clock of the test that is running.

use rondel_sched::VirtualClock;

use crate::exception::{Exception, Result};
use crate::running;

/// Returns the virtual clock of the running loop, to pause it, to move it by hand, and to let it jump again.
///
/// # Errors
/// `NoRunningLoopError`; `RuntimeError` if the loop goes by another clock.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{create_task, run_virtual, sleep};
/// use rondel_task::testing::{virtual_clock, wait_all_tasks_blocked};
///
/// run_virtual(async {
///     let clock = virtual_clock()?;
///     clock.set_autojump(false); // paused
///     let hour = Duration::from_secs(3600);
///     let task = create_task(sleep(hour))?;
///     wait_all_tasks_blocked(Duration::ZERO).await?;
///     assert!(!task.done());
///     clock.advance(hour);
///     task.await
/// }).unwrap();
/// ```
pub fn virtual_clock() -> Result<VirtualClock> {
    let core = running::running_core()?;
    let clock = core.scheduler().clock().as_virtual();
    clock
        .cloned()
        .ok_or_else(|| Exception::runtime("the running loop has no virtual clock"))
}
