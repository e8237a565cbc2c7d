//! Programs of locks, queues, groups and timeouts keep their promises in whatever order their tasks run.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rondel::testing::explore;
use rondel::{
    Event, Lock, Queue, Result, Semaphore, create_task, gather, gather_return_exceptions, shield,
    sleep, task_group, timeout, wait_for,
};

const SEEDS: std::ops::Range<u64> = 0..200;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_lock_admits_one_and_a_semaphore_as_many_as_it_has_units() {
    explore(SEEDS, || async {
        let (lock, semaphore) = (Rc::new(Lock::new()), Rc::new(Semaphore::new(2)));
        let (locked, inside) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let tasks = (0..6).map(|_| {
            let (lock, semaphore) = (lock.clone(), semaphore.clone());
            let (locked, inside) = (locked.clone(), inside.clone());
            async move {
                for _ in 0..3 {
                    let _unit = semaphore.acquire().await?;
                    inside.set(inside.get() + 1);
                    assert!(inside.get() <= 2);
                    sleep(Duration::ZERO).await?;
                    let guard = lock.acquire().await?;
                    assert_eq!(locked.replace(1), 0);
                    sleep(Duration::ZERO).await?;
                    locked.set(0);
                    drop(guard);
                    inside.set(inside.get() - 1);
                }
                Ok(())
            }
        });
        gather(tasks).await
    })
    .unwrap();
}

#[test]
fn a_lock_is_handed_on_by_tasks_that_are_cancelled() {
    explore(SEEDS, || async {
        let lock = Rc::new(Lock::new());
        let passed = Rc::new(Cell::new(0));
        let guard = lock.acquire().await?;
        let mut tasks = Vec::new();
        for n in 0..6 {
            let (lock, passed) = (lock.clone(), passed.clone());
            tasks.push(create_task(async move {
                let _guard = lock.acquire().await?;
                passed.set(passed.get() + 1);
                sleep(secs(n)).await
            })?);
        }
        sleep(Duration::ZERO).await?;
        drop(guard);
        tasks[1].cancel();
        sleep(Duration::ZERO).await?;
        tasks[3].cancel();
        let ended = gather_return_exceptions(&tasks).await?;
        assert!(ended.iter().filter(|ended| ended.is_ok()).count() >= 4);
        assert!(passed.get() >= 4);
        assert!(!lock.locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_queue_loses_and_doubles_nothing() {
    explore(SEEDS, || async {
        let queue = Rc::new(Queue::new(2));
        let got = Rc::new(RefCell::new(Vec::new()));
        let outcome = task_group(async |group| {
            for producer in 0..3 {
                let queue = queue.clone();
                group.create_task(async move {
                    for n in 0..4 {
                        queue.put(10 * producer + n).await?;
                    }
                    Ok(())
                })?;
            }
            for _ in 0..2 {
                let (queue, got) = (queue.clone(), got.clone());
                group.create_task(async move {
                    for _ in 0..6 {
                        let value: i32 = queue.get().await?;
                        got.borrow_mut().push(value);
                        queue.task_done()?;
                    }
                    Ok(())
                })?;
            }
            Ok(())
        });
        outcome.await?;
        queue.join().await?;
        let mut all = got.take();
        // What one producer has put comes out in its order.
        for producer in 0..3 {
            let own = all.iter().filter(|value| *value / 10 == producer);
            assert!(own.is_sorted());
        }
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_group_ends_with_every_error_and_no_task_left() {
    explore(SEEDS, || async {
        let alive = Rc::new(());
        let outcome = task_group(async |group| {
            for n in 0..5 {
                let held = alive.clone();
                group.create_task(async move {
                    let _held = held;
                    sleep(secs(n % 2)).await?;
                    if n > 2 {
                        return Err(rondel::Exception::msg("broken"));
                    }
                    sleep(secs(60)).await
                })?;
            }
            Ok(())
        });
        assert!(outcome.await.unwrap_err().is_group());
        assert_eq!(Rc::strong_count(&alive), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn timeouts_end_their_own_and_shields_hold() {
    explore(SEEDS, || async {
        let event = Rc::new(Event::new());
        let sets = event.clone();
        let saved = create_task(async move {
            sleep(secs(3)).await?;
            sets.set();
            Ok("saved")
        })?;
        let tasks = (1..6).map(|n| {
            let (event, saved) = (event.clone(), saved.clone());
            async move {
                let inner = timeout(secs(n), async |_| {
                    wait_for(shield(&saved), secs(4)).await?;
                    event.wait().await
                });
                Ok((n, inner.await))
            }
        });
        for (n, ended) in gather(tasks).await? {
            match n {
                // Both are due together: the wait or its limit may come first.
                3 => assert!(ended.is_ok() || ended.is_err_and(|error| error.is_timeout())),
                _ if n < 3 => assert!(ended.unwrap_err().is_timeout()),
                _ => ended.unwrap(),
            }
        }
        assert_eq!(saved.await?, "saved");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_test_helper_gives_the_result_of_the_last_step() {
    let replayed: Result<u32> = rondel::testing::replay(3, async { Ok(9) });
    assert_eq!(replayed.unwrap(), 9);
}
