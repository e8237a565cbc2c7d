//! Cancellation of tasks that wait.

use std::future::pending;

use super::Measured;
use crate::clock::{Stopwatch, Whose};
use crate::peer::Cancel;

/// Cancels `batch` tasks that wait for nothing that will come, and waits until each has ended, until there have been `total`.
///
/// Spawning them is not measured.
///
/// # Errors
/// When the runtime cannot be made.
pub fn cancel<P: Cancel>(total: usize, batch: usize) -> Measured {
    P::run(move |peer| async move {
        let spawn = |_| {
            peer.spawn(async {
                pending::<()>().await;
                P::output(())
            })
        };
        let mut time = 0.0;
        for _ in 0..total / batch {
            let handles: Vec<_> = (0..batch).map(spawn).collect();
            for _ in 0..2 {
                P::yield_now().await;
            }
            let watch = Stopwatch::start(Whose::Thread);
            P::cancel(handles).await;
            time += watch.per(total);
        }
        P::output(time)
    })
}
