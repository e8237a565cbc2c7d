//! `race`: the first of several awaitables that is done wins, and the others are cancelled.
//!
//! # Invariants
//! - I1: When it returns, all the others have ended: they are cancelled and awaited, also if this is cancelled itself.
//! - I2: A race that is dropped in the middle cancels all of them.
//!
//! # asyncio
//! It has none in public; `staggered.staggered_race` with no delay comes near.

use std::panic::Location;

use crate::crew::Crew;
use crate::ensure_future::{EnsureFuture, ensure_future};
use crate::error::ValueError;
use crate::exception::{Exception, Result};
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
#[track_caller]
pub fn race<A: EnsureFuture>(
    awaitables: impl IntoIterator<Item = A>,
) -> impl core::future::Future<Output = Result<A::Output>> {
    let at = Location::caller();
    async move {
        let crew = Crew::new(at);
        for (place, awaitable) in awaitables.into_iter().enumerate() {
            crew.add(place, ensure_future(awaitable)?);
        }
        let winner = first_of(&crew)
            .await
            .and_then(|place| crew.remove(place).ok_or_else(nobody_wins));
        let ended = crew.end().await;
        ended?;
        A::claim(winner?)
    }
}

/// Waits for the first that is done; its place.
pub(crate) async fn first_of<T>(crew: &Crew<T>) -> Result<usize> {
    let racers = crew.all();
    if racers.is_empty() {
        return Err(nobody_wins());
    }
    let first = wait(racers.clone()).return_when(FIRST_COMPLETED);
    crew.wait(first).await?;
    let winner = racers.iter().position(Future::done);
    winner.ok_or_else(nobody_wins)
}

#[cold]
pub(crate) fn nobody_wins() -> Exception {
    ValueError::new("race() was given nothing to race").into()
}
