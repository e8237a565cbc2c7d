//! Cancellation of tasks that wait.

use std::future::pending;

use super::Measured;
use crate::clock::{Stopwatch, Whose};
use crate::peer::Cancel;

/// Cancels `total` tasks that wait for nothing that will come, and waits until each has ended.
///
/// Spawning them is not measured.
///
/// # Errors
/// When the runtime cannot be made.
pub fn cancel<P: Cancel>(total: usize) -> Measured {
    P::run(move |peer| async move {
        let spawn = |_| {
            peer.spawn(async {
                pending::<()>().await;
                P::output(())
            })
        };
        let handles: Vec<_> = (0..total).map(spawn).collect();
        for _ in 0..2 {
            P::yield_now().await;
        }
        let watch = Stopwatch::start(Whose::Thread);
        P::cancel(handles).await;
        P::output(watch.per(total))
    })
}
