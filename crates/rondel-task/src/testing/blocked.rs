//! `wait_all_tasks_blocked`: until all other tasks wait for something.
//!
//! When that is, the loop knows: see [`call_when_idle`](rondel_reactor::EventLoop::call_when_idle).

use std::time::Duration;

use rondel_sched::Handle;

use crate::exception::Result;
use crate::future::Future;
use crate::running;
use crate::wait::release;

/// Waits until all other tasks are blocked, and have been for `cushion`: nothing is ready, no timer due, nothing came from
/// descriptors or other threads.
///
/// A cushion of zero is enough where all that is waited for is other tasks. A task that sleeps counts as blocked for as long as it
/// sleeps; so does one that waits for another thread. Of several tasks that wait for this, those with the shortest cushion go on
/// together.
///
/// Mirrors Trio's
/// [`wait_all_tasks_blocked`](https://trio.readthedocs.io/en/stable/reference-testing.html#trio.testing.wait_all_tasks_blocked).
///
/// # Errors
/// `CancelledError` if the task is cancelled meanwhile; `NoRunningLoopError`.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{create_task, get_running_loop, run_virtual};
/// use rondel_task::testing::wait_all_tasks_blocked;
///
/// run_virtual(async {
///     let answer = get_running_loop()?.create_future::<i32>();
///     let asked = answer.clone();
///     let task = create_task(async move { asked.await })?;
///     wait_all_tasks_blocked(Duration::ZERO).await?; // by now the task waits for the answer
///     answer.set_result(42)?;
///     assert_eq!(task.await?, 42);
///     Ok(())
/// }).unwrap();
/// ```
pub async fn wait_all_tasks_blocked(cushion: Duration) -> Result<()> {
    let core = running::running_core()?;
    let blocked = Future::<()>::new(core.clone());
    let told = blocked.clone();
    let callback = core
        .reactor()
        .call_when_idle(cushion, move || release(&told))?;
    let _waiting = CancelOnDrop(callback);
    drop(core);
    blocked.await
}

/// Takes the callback back when the coroutine leaves.
struct CancelOnDrop(Handle);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
