//! Random programs in which tasks are cancelled and waits dropped at any moment: no unit, value or wake-up is lost.

mod common;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use common::pause;
use proptest::prelude::*;
use rondel_sync::{Queue, Semaphore};
use rondel_task::{Result, Task, create_task, run_virtual};

/// One step of a program; an index counts modulo what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A task begins to wait.
    Spawn,
    Cancel(usize),
    /// The main task begins to wait, beside what it does.
    Begin,
    Poll(usize),
    Drop(usize),
    /// What they wait for comes: a unit or a value.
    Provide,
    Pause,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Spawn),
        any::<usize>().prop_map(Step::Cancel),
        Just(Step::Begin),
        any::<usize>().prop_map(Step::Poll),
        any::<usize>().prop_map(Step::Drop),
        Just(Step::Provide),
        Just(Step::Pause),
    ];
    prop::collection::vec(step, 0..60)
}

type Wait = Pin<Box<dyn Future<Output = Result<()>>>>;

async fn poll(waits: &mut Vec<Wait>, index: usize) -> Result<()> {
    let wait = &mut waits[index];
    let polled = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
    match polled {
        Poll::Pending => Ok(()),
        Poll::Ready(outcome) => {
            drop(waits.remove(index));
            outcome
        }
    }
}

/// Runs the steps until all that can go on has gone on; who waits then waits in vain.
async fn perform(
    steps: Vec<Step>,
    wait: impl Fn() -> Wait,
    mut provide: impl FnMut() -> Result<()>,
) -> Result<(Vec<Task<()>>, Vec<Wait>)> {
    let mut tasks = Vec::new();
    let mut waits = Vec::new();
    for step in steps {
        match step {
            Step::Spawn => tasks.push(create_task(wait())?),
            Step::Cancel(index) if !tasks.is_empty() => {
                let task: &Task<()> = &tasks[index % tasks.len()];
                task.cancel();
            }
            Step::Begin => {
                waits.push(wait());
                let last = waits.len() - 1;
                poll(&mut waits, last).await?;
            }
            Step::Poll(index) if !waits.is_empty() => {
                let index = index % waits.len();
                poll(&mut waits, index).await?;
            }
            Step::Drop(index) if !waits.is_empty() => {
                let index = index % waits.len();
                drop(waits.remove(index));
            }
            Step::Cancel(_) | Step::Poll(_) | Step::Drop(_) => {}
            Step::Provide => provide()?,
            Step::Pause => pause().await?,
        }
    }
    settle(&mut waits).await?;
    Ok((tasks, waits))
}

async fn settle(waits: &mut Vec<Wait>) -> Result<()> {
    for _ in 0..100 {
        for index in (0..waits.len()).rev() {
            poll(waits, index).await?;
        }
        pause().await?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_unit_is_taken_or_left(steps in steps(), units in 0..3_usize) {
        let outcome = run_virtual(async move {
            let semaphore = Semaphore::new(units);
            let (taken, released) = (Rc::new(RefCell::new(0)), RefCell::new(units));
            let wait = || -> Wait {
                let (semaphore, taken) = (semaphore.clone(), taken.clone());
                Box::pin(async move {
                    semaphore.acquire().await?.forget();
                    *taken.borrow_mut() += 1;
                    Ok(())
                })
            };
            let provide = || {
                *released.borrow_mut() += 1;
                semaphore.release();
                Ok(())
            };
            let waiting = perform(steps, wait, provide).await?;
            let statistics = semaphore.statistics();
            drop(waiting);
            let taken = *taken.borrow();
            Ok((taken + statistics.value, released.take(), statistics))
        });
        let (found, released, statistics) = outcome.unwrap();
        prop_assert_eq!(found, released);
        prop_assert!(statistics.value == 0 || statistics.tasks_waiting == 0, "{:?}", statistics);
    }

    #[test]
    fn every_value_is_got_once_or_left(steps in steps()) {
        let outcome = run_virtual(async move {
            let queue = Queue::new(0);
            let got = Rc::new(RefCell::new(Vec::new()));
            let mut put = 0;
            let wait = || -> Wait {
                let (queue, got) = (queue.clone(), got.clone());
                Box::pin(async move {
                    let value = queue.get().await?;
                    got.borrow_mut().push(value);
                    Ok(())
                })
            };
            let provide = || {
                put += 1;
                Ok(queue.put_nowait(put)?)
            };
            let waiting = perform(steps, wait, provide).await?;
            let statistics = queue.statistics();
            drop(waiting);
            let mut got = got.take();
            while let Ok(value) = queue.get_nowait() {
                got.push(value);
            }
            got.sort_unstable();
            Ok((got, put, statistics))
        });
        let (got, put, statistics) = outcome.unwrap();
        prop_assert_eq!(got, (1..=put).collect::<Vec<_>>());
        prop_assert!(statistics.qsize == 0 || statistics.getters_waiting == 0, "{:?}", statistics);
    }

    #[test]
    fn room_is_used_while_anybody_waits_for_it(steps in steps()) {
        let outcome = run_virtual(async move {
            let queue = Queue::new(1);
            let wait = || -> Wait {
                let queue = queue.clone();
                Box::pin(async move { queue.put(()).await })
            };
            let provide = || {
                let _ = queue.get_nowait();
                Ok(())
            };
            let waiting = perform(steps, wait, provide).await?;
            let statistics = queue.statistics();
            drop(waiting);
            Ok(statistics)
        });
        let statistics = outcome.unwrap();
        prop_assert!(statistics.qsize == 1 || statistics.putters_waiting == 0, "{:?}", statistics);
    }
}
