//! `staggered_race`: starts coroutines one after another, each when the one before fails or takes too long; the first value wins.
//!
//! # Invariants
//! - I1: When it returns, all that were started have ended: they are cancelled and awaited, also if this is cancelled itself.
//! - I2: A race that is dropped in the middle cancels all of them, and starts no more.
//! - I3: No code of the user runs while the race's fields are borrowed.
//!
//! # asyncio
//! `asyncio.staggered.staggered_race`, which is not in its documentation, tick for tick. Deviations: one that is cancelled waits
//! for the end of its coroutines (I1), as later versions of CPython do, where 3.13.0 leaves them to themselves; a coroutine
//! that gives a value after another has won is passed over, where CPython fails an assertion.

use std::cell::{Cell, RefCell};
use std::iter::Enumerate;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::crew::{Crew, Roll};
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::running;
use crate::task::create_task;
use crate::task_group::caught;
use crate::wait::{release, wait};
use crate::wait_for::wait_for;

/// What a [`staggered_race`] came to.
#[derive(Clone, Debug)]
pub struct StaggeredRace<T> {
    /// The place and the value of the coroutine that has won; `None` if all have failed.
    pub winner: Option<(usize, T)>,
    /// What the others raised: one place for each coroutine that was started, in the order given. The winner has raised nothing,
    /// and those that were cancelled for its sake a `CancelledError`.
    pub exceptions: Vec<Option<Exception>>,
}

/// Starts the first coroutine, and the next one whenever `delay` has passed or the one before has failed, until one gives a
/// value; `None` starts the next one only when the one before has failed.
///
/// The others are then cancelled, and have ended when this returns. Each runs as a task of its own. The iterator is asked for a
/// coroutine when one is to be started. A panic counts as a failure.
///
/// This is how a connection is made to the first address that answers (Happy Eyeballs).
///
/// Mirrors `asyncio.staggered.staggered_race`.
///
/// # Errors
/// `CancelledError` if the task is cancelled meanwhile; `NoRunningLoopError` if no loop is running. What the coroutines raise is
/// in [`StaggeredRace::exceptions`].
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rondel_task::{run_virtual, sleep, staggered_race, Exception, Result};
///
/// async fn connect(address: &'static str) -> Result<&'static str> {
///     sleep(Duration::from_millis(100)).await?;
///     match address {
///         "2001:db8::1" => Err(Exception::msg("network is unreachable")),
///         _ => Ok(address),
///     }
/// }
///
/// let race = run_virtual(async {
///     let addresses = ["2001:db8::1", "192.0.2.1", "192.0.2.2"];
///     let attempts = addresses.map(|address| move || connect(address));
///     staggered_race(attempts, Duration::from_millis(250)).await
/// }).unwrap();
/// assert_eq!(race.winner, Some((1, "192.0.2.1")));
/// assert_eq!(race.exceptions[0].as_ref().unwrap().to_string(), "network is unreachable");
/// ```
#[track_caller]
pub fn staggered_race<T, F>(
    coro_fns: impl IntoIterator<Item = F, IntoIter: 'static>,
    delay: impl Into<Option<Duration>>,
) -> impl core::future::Future<Output = Result<StaggeredRace<T>>>
where
    T: 'static,
    F: AsyncFnOnce() -> Result<T> + 'static,
{
    let at = Location::caller();
    async move {
        let crew = Crew::new(at);
        let race = Rc::new(Race {
            coro_fns: Cell::new(Some(coro_fns.into_iter().enumerate())),
            delay: delay.into(),
            started: Cell::new(0),
            tasks: Rc::downgrade(crew.roll()),
            winner: RefCell::new(None),
            exceptions: RefCell::default(),
        });
        race.start(&crew, None)?;
        if let Err(error) = all_ended(&crew).await {
            let cancelled_again = crew.end().await;
            return Err(cancelled_again.err().unwrap_or(error));
        }
        Ok(StaggeredRace {
            winner: race.winner.take(),
            exceptions: race.exceptions.take(),
        })
    }
}

/// Waits for a list of tasks that grows meanwhile.
async fn all_ended(tasks: &Roll<()>) -> Result<()> {
    let mut ended = 0;
    while ended != tasks.len() {
        let running = tasks.all();
        ended = running.len();
        tasks.wait(wait(running)).await?;
    }
    for task in tasks.all() {
        if let Ok(Some(exception)) = task.exception() {
            return Err(exception);
        }
    }
    Ok(())
}

/// What the tasks of a race share.
struct Race<I, T> {
    coro_fns: Cell<Option<Enumerate<I>>>,
    delay: Option<Duration>,
    /// How many tasks were started; each runs the coroutine of its place.
    started: Cell<usize>,
    /// Gone once the call is over (I2).
    tasks: Weak<Roll<()>>,
    winner: RefCell<Option<(usize, T)>>,
    exceptions: RefCell<Vec<Option<Exception>>>,
}

impl<I, F, T> Race<I, T>
where
    I: Iterator<Item = F> + 'static,
    F: AsyncFnOnce() -> Result<T> + 'static,
    T: 'static,
{
    /// Starts the task that will run the next coroutine, once `previous_failed` is done or the delay has passed.
    fn start(self: &Rc<Self>, tasks: &Roll<()>, previous_failed: Option<Future<()>>) -> Result<()> {
        // Counted before, as an eager task may start the next one before it is here.
        let place = self.started.replace(self.started.get() + 1);
        let task = create_task(self.clone().run_one(previous_failed))?;
        tasks.add(place, task.into());
        Ok(())
    }

    /// Boxed, as each starts the next of the same type.
    fn run_one(
        self: Rc<Self>,
        previous_failed: Option<Future<()>>,
    ) -> Pin<Box<dyn core::future::Future<Output = Result<()>>>> {
        Box::pin(async move {
            if let Some(previous_failed) = previous_failed {
                let failed = wait_for(async move { previous_failed.await }, self.delay).await;
                if let Err(error) = failed
                    && !error.is_timeout()
                {
                    return Err(error);
                }
            }
            let Some((tasks, (place, coro_fn))) = self.tasks.upgrade().zip(self.next()) else {
                return Ok(());
            };
            let failed = Future::new(running::running_core()?);
            self.start(&tasks, Some(failed.clone()))?;
            self.exceptions.borrow_mut().push(None);
            match caught(async move { coro_fn().await }).await {
                Ok(value) => self.won(&tasks, place, value),
                Err(exception) => {
                    self.exceptions.borrow_mut()[place] = Some(exception);
                    release(&failed);
                }
            }
            Ok(())
        })
    }

    /// Asks the iterator for the next coroutine, with its place.
    fn next(&self) -> Option<(usize, F)> {
        let mut coro_fns = self.coro_fns.take()?;
        let next = coro_fns.next();
        self.coro_fns.set(Some(coro_fns));
        next
    }

    fn won(&self, tasks: &Roll<()>, place: usize, value: T) {
        if self.winner.borrow().is_some() {
            return;
        }
        *self.winner.borrow_mut() = Some((place, value));
        tasks.cancel_others(place);
    }
}
