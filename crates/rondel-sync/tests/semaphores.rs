//! Semaphores: who gets a unit when, and where units go that nobody takes. The traces are CPython's.

mod common;

use common::{begin, check, ended, log, pause, seconds, spawn};
use rondel_sync::{BoundedSemaphore, Semaphore};
use rondel_task::{Result, ValueError, run_virtual};

async fn hold(semaphore: Semaphore, time: u64) -> Result<()> {
    let guard = semaphore.acquire().await?;
    log("in");
    seconds(time).await?;
    drop(guard);
    log("out");
    Ok(())
}

#[test]
fn as_many_tasks_are_in_as_there_are_units() {
    check(
        async {
            let semaphore = Semaphore::new(2);
            ended(["a", "b", "c", "d"].map(|name| spawn(name, hold(semaphore.clone(), 1)))).await
        },
        &[
            "0 a: in", "0 b: in", "1 a: out", "1 b: out", "1 c: in", "1 d: in", "2 c: out",
            "2 d: out",
        ],
    );
}

#[test]
fn a_unit_that_is_left_goes_to_who_came_first() {
    check(
        async {
            let semaphore = Semaphore::new(0);
            let waiting = spawn("b", hold(semaphore.clone(), 1));
            pause().await?;
            semaphore.release();
            semaphore.release();
            log(format_args!("locked {}", semaphore.locked()));
            let late = spawn("c", hold(semaphore.clone(), 1));
            hold(semaphore, 0).await?;
            ended([waiting, late]).await
        },
        &[
            "0 main: locked true",
            "0 b: in",
            "0 main: in",
            "0 main: out",
            "0 c: in",
            "1 b: out",
            "1 c: out",
        ],
    );
}

#[test]
fn the_unit_of_a_task_that_is_cancelled_goes_to_the_next() {
    check(
        async {
            let semaphore = Semaphore::new(0);
            let tasks = ["b", "c"].map(|name| spawn(name, hold(semaphore.clone(), 1)));
            pause().await?;
            semaphore.release();
            tasks[0].cancel();
            ended(tasks).await?;
            log(format_args!("locked {}", semaphore.locked()));
            Ok(())
        },
        &[
            "0 b: CancelledError",
            "0 c: in",
            "1 c: out",
            "1 main: locked false",
        ],
    );
}

#[test]
fn the_unit_of_a_wait_that_is_dropped_goes_to_the_next() {
    check(
        async {
            let semaphore = Semaphore::new(0);
            let mut dropped = Box::pin(semaphore.acquire());
            begin(&mut dropped).await;
            let next = spawn("next", hold(semaphore.clone(), 0));
            pause().await?;
            semaphore.release();
            drop(dropped);
            ended([next]).await?;
            assert_eq!(semaphore.statistics().value, 1);
            Ok(())
        },
        &["0 next: in", "0 next: out"],
    );
}

#[test]
fn a_wait_that_is_dropped_before_it_was_woken_takes_nothing() {
    run_virtual(async {
        let semaphore = Semaphore::new(0);
        let mut dropped = Box::pin(semaphore.acquire());
        begin(&mut dropped).await;
        drop(dropped);
        semaphore.release();
        assert_eq!(semaphore.statistics().value, 1);
        assert_eq!(semaphore.statistics().tasks_waiting, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_forgotten_guard_keeps_its_unit() {
    run_virtual(async {
        let semaphore = Semaphore::new(1);
        semaphore.acquire().await?.forget();
        assert!(semaphore.locked());
        semaphore.release();
        assert!(!semaphore.locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_bounded_semaphore_refuses_more_units_than_it_had() {
    run_virtual(async {
        let semaphore = BoundedSemaphore::new(2);
        let too_many = ValueError::new("semaphore released too many times");
        assert_eq!(semaphore.release(), Err(too_many));
        let first = semaphore.acquire().await?;
        let second = semaphore.acquire().await?;
        assert!(semaphore.locked());
        semaphore.release()?;
        drop((first, second));
        assert_eq!(semaphore.statistics().value, 2);
        Ok(())
    })
    .unwrap();
}
