//! `explore`: a program under many orders of its tasks, and `replay`: under one of them again.
//!
//! What an order leaves as it is, [`Order::Seeded`] says.
//!
//! # asyncio
//! It has none: the order is always the same there, and a program may depend on it without anybody noticing.

use std::error::Error;
use std::fmt;
use std::panic::Location;

use rondel_sched::Order;

use crate::exception::{Exception, Result};
use crate::run::run_on;
use crate::runner::{Runner, check_none_runs};

/// Runs a program once for each seed, under a virtual clock and with the tasks that are ready in an order that the seed decides.
///
/// Callbacks keep the order in which they were scheduled, as is promised; of tasks it is only promised that they take their turns.
/// A program that is right only by the order that it happens to get ends with an error, by `?` or by an assertion, under one of
/// the orders that it may get as well.
///
/// # Errors
/// [`FailedSeed`] for the first seed under which the program fails, with the program's error or panic; as
/// [`run_virtual`](crate::run_virtual) besides.
///
/// # Examples
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
/// use rondel_task::{gather, sleep};
/// use rondel_task::testing::explore;
///
/// let failed = explore(0..100, || async {
///     let counter = Rc::new(Cell::new(0));
///     let increments = [2, 3].map(|by| {
///         let counter = counter.clone();
///         async move {
///             let before = counter.get();
///             sleep(Duration::ZERO).await?; // others run here
///             counter.set(before + by);
///             Ok(())
///         }
///     });
///     gather(increments).await?;
///     // Depends on who writes last.
///     assert_eq!(counter.get(), 3);
///     Ok(())
/// });
/// println!("{}", failed.unwrap_err());
/// ```
#[track_caller]
pub fn explore<C, T>(
    seeds: impl IntoIterator<Item = u64>,
    program: impl Fn() -> C,
) -> Result<(), FailedSeed>
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    let at = Location::caller();
    for seed in seeds {
        replay_at(seed, program(), at).map_err(|exception| FailedSeed { seed, exception })?;
    }
    Ok(())
}

/// Runs a program as [`explore`] does, for one seed.
///
/// # Errors
/// What the program raised; as [`run_virtual`](crate::run_virtual) besides.
///
/// # Examples
/// ```
/// use rondel_task::testing::replay;
///
/// assert_eq!(replay(17, async { Ok(42) }).unwrap(), 42);
/// ```
#[track_caller]
pub fn replay<C, T>(seed: u64, program: C) -> Result<T>
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    replay_at(seed, program, Location::caller())
}

fn replay_at<C, T>(seed: u64, program: C, at: &'static Location<'static>) -> Result<T>
where
    T: 'static,
    C: core::future::Future<Output = Result<T>> + 'static,
{
    check_none_runs("replay()")?;
    let runner = Runner::under_virtual_clock();
    let event_loop = runner.get_loop()?;
    event_loop.scheduler().set_order(Order::Seeded(seed));
    drop(event_loop);
    run_on(&runner, program, at)
}

/// Says under which seed a program has failed.
#[derive(Debug)]
pub struct FailedSeed {
    seed: u64,
    exception: Exception,
}

impl FailedSeed {
    /// Returns the seed, for [`replay`].
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns what the program raised.
    #[must_use]
    pub fn exception(&self) -> &Exception {
        &self.exception
    }
}

impl fmt::Display for FailedSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; replay with seed {}", self.exception, self.seed)
    }
}

impl Error for FailedSeed {}
