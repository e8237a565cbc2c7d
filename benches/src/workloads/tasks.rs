//! Tasks: spawning and awaiting them, yielding, and waiting for many.

use std::hint::black_box;

use super::Measured;
use crate::clock::{Stopwatch, Whose};
use crate::peer::{Gather, Peer};

/// Spawns `batch` tasks and awaits one after another, until there have been `total`.
///
/// # Errors
/// When the runtime cannot be made.
pub fn spawn<P: Peer>(total: usize, batch: usize) -> Measured {
    P::run(move |peer| async move {
        let mut handles = Vec::with_capacity(batch);
        let watch = Stopwatch::start(Whose::Thread);
        for _ in 0..total / batch {
            handles.extend((0..batch).map(|i| peer.spawn(async move { P::output(i) })));
            for handle in handles.drain(..) {
                black_box(P::join(handle).await);
            }
        }
        P::output(watch.per(total))
    })
}

/// Lets `tasks` tasks yield in turn, until they have done so `total` times.
///
/// # Errors
/// When the runtime cannot be made.
pub fn yielding<P: Peer>(total: usize, tasks: usize) -> Measured {
    P::run(move |peer| async move {
        let watch = Stopwatch::start(Whose::Thread);
        let spawn = |_| {
            peer.spawn(async move {
                for _ in 0..total / tasks {
                    P::yield_now().await;
                }
                P::output(())
            })
        };
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        for handle in handles {
            P::join(handle).await;
        }
        P::output(watch.per(total))
    })
}

/// Runs `total` coroutines as tasks, `batch` of them under one gather or `join_all` at a time.
///
/// # Errors
/// When the runtime cannot be made.
pub fn gather<P: Gather>(total: usize, batch: usize) -> Measured {
    P::run(move |peer| async move {
        let watch = Stopwatch::start(Whose::Thread);
        for _ in 0..total / batch {
            let coroutines = (0..batch).map(|i| async move { P::output(i) });
            black_box(peer.gather(coroutines).await);
        }
        P::output(watch.per(total))
    })
}
