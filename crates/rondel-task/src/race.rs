//! `race`: the first of several awaitables that is done wins, and the others are cancelled.
//!
//! # Invariants
//! - I1: When it returns, all the others have ended: they are cancelled and awaited, also if this is cancelled itself.
//! - I2: A race that is dropped in the middle cancels all of them.
//!
//! # asyncio
//! It has none in public; `staggered.staggered_race` with no delay comes near.

use crate::cancel::cancel;
use crate::cell::AnyFuture;
use crate::ensure_future::{EnsureFuture, ensure_future};
use crate::exception::Result;
use crate::future::Future;
use crate::wait::{FIRST_COMPLETED, wait};

/// Runs awaitables concurrently and gives the outcome, value or exception, of the one that is done first.
///
/// The others are cancelled, and have ended when this returns; what they come to is nobody's concern. Of several that are done
/// at the same time the first in the order given wins.
///
/// # Errors
/// What the winner raised; [`ValueError`](crate::ValueError) if there is nothing to race; `CancelledError` if the task is
/// cancelled.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{race, run_virtual, sleep_result};
///
/// let first = run_virtual(race([
///     sleep_result(Duration::from_secs(2), "tortoise"),
///     sleep_result(Duration::from_secs(1), "hare"),
/// ]));
/// assert_eq!(first.unwrap(), "hare");
/// ```
pub async fn race<A: EnsureFuture>(awaitables: impl IntoIterator<Item = A>) -> Result<A::Output> {
    let futures = awaitables
        .into_iter()
        .map(ensure_future)
        .collect::<Result<Vec<_>>>();
    let racers = Racers(futures?);
    let first = wait(&racers.0).return_when(FIRST_COMPLETED).await;
    let winner = first.map(|(done, _)| done[0].clone());
    let ended = racers.end().await;
    ended?;
    drop(racers);
    A::claim(winner?)
}

/// Those that run, to be cancelled when the race is over (I2).
struct Racers<T: 'static>(Vec<Future<T>>);

impl<T> Racers<T> {
    fn cancel_all(&self) {
        for future in &self.0 {
            cancel(future.any(), None);
        }
    }

    /// Cancels who still runs and waits until they have ended, however often this is cancelled meanwhile (I1).
    async fn end(&self) -> Result<()> {
        self.cancel_all();
        let mut cancelled = Ok(());
        loop {
            let pending: Vec<_> = self.0.iter().filter(|future| !future.done()).collect();
            if pending.is_empty() {
                return cancelled;
            }
            if let Err(error) = wait(pending).await {
                cancelled = Err(error);
            }
        }
    }
}

impl<T> Drop for Racers<T> {
    fn drop(&mut self) {
        self.cancel_all();
        self.0.iter().map(Future::any).for_each(AnyFuture::retrieve);
    }
}
