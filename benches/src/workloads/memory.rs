//! Memory of tasks that wait.
//!
//! Who counts the bytes is the binary's global allocator; here it is only asked.

use std::future::{Future, pending};
use std::thread;
use std::time::Duration;

use super::Measured;
use crate::peer::{Peer, Timers};

/// Asks how many bytes are allocated.
pub type Allocated = fn() -> usize;

/// Makes `total` tasks that wait for nothing that will come, and gives the bytes of one; its coroutine has no variables.
///
/// # Errors
/// When the runtime cannot be made.
pub fn idle<P: Peer>(total: usize, allocated: Allocated) -> Measured {
    bytes::<P, _>(total, allocated, |_| pending())
}

/// As [`idle`], with tasks that sleep: the bytes of a timer are in it.
///
/// # Errors
/// When the runtime cannot be made.
pub fn sleeping<P: Timers>(total: usize, allocated: Allocated) -> Measured {
    bytes::<P, _>(total, allocated, |i| {
        P::sleep(Duration::from_secs(3600) + Duration::from_millis(i))
    })
}

/// Measures on a thread of its own: what a runtime keeps for later use on a thread would be missing in the next round.
fn bytes<P: Peer, F: Future<Output = ()> + 'static>(
    total: usize,
    allocated: Allocated,
    wait: impl Fn(u64) -> F + Send + 'static,
) -> Measured {
    let thread = thread::spawn(move || bytes_on_this_thread::<P, F>(total, allocated, wait));
    thread
        .join()
        .unwrap_or_else(|_| Err("its thread panicked".to_owned()))
}

fn bytes_on_this_thread<P: Peer, F: Future<Output = ()> + 'static>(
    total: usize,
    allocated: Allocated,
    wait: impl Fn(u64) -> F + 'static,
) -> Measured {
    P::run(move |peer| async move {
        let mut handles = Vec::with_capacity(total);
        let before = allocated();
        for i in 0..total as u64 {
            let wait = wait(i);
            handles.push(peer.spawn(async move {
                wait.await;
                P::output(())
            }));
        }
        for _ in 0..2 {
            P::yield_now().await;
        }
        let bytes = allocated().saturating_sub(before);
        drop(handles);
        P::output(bytes as f64 / total as f64)
    })
}
