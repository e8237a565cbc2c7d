//! Locks: who gets one when, also where waiting tasks are cancelled or dropped. The traces are CPython's.

mod common;

use common::{begin, check, ended, log, pause, seconds, spawn};
use rondel_sync::Lock;
use rondel_task::{Result, RuntimeError, run_virtual};

async fn hold(lock: Lock, time: u64) -> Result<()> {
    let guard = lock.acquire().await?;
    log("in");
    seconds(time).await?;
    drop(guard);
    log("out");
    Ok(())
}

#[test]
fn tasks_get_a_lock_in_the_order_in_which_they_asked() {
    check(
        async {
            let lock = Lock::new();
            ended(["a", "b", "c"].map(|name| spawn(name, hold(lock.clone(), 1)))).await
        },
        &[
            "0 a: in", "1 a: out", "1 b: in", "2 b: out", "2 c: in", "3 c: out",
        ],
    );
}

#[test]
fn who_asks_again_stands_behind_those_who_wait() {
    async fn twice(lock: Lock) -> Result<()> {
        for _ in 0..2 {
            let _guard = lock.acquire().await?;
            log("in");
            pause().await?;
        }
        Ok(())
    }
    check(
        async {
            let lock = Lock::new();
            ended(["a", "b"].map(|name| spawn(name, twice(lock.clone())))).await
        },
        &["0 a: in", "0 b: in", "0 a: in", "0 b: in"],
    );
}

#[test]
fn a_cancelled_task_leaves_the_line() {
    check(
        async {
            let lock = Lock::new();
            let tasks = ["a", "b", "c"].map(|name| spawn(name, hold(lock.clone(), 1)));
            pause().await?;
            tasks[1].cancel();
            ended(tasks).await
        },
        &[
            "0 a: in",
            "0 b: CancelledError",
            "1 a: out",
            "1 c: in",
            "2 c: out",
        ],
    );
}

#[test]
fn a_task_that_is_cancelled_after_it_was_woken_wakes_the_next() {
    check(
        async {
            let lock = Lock::new();
            lock.acquire().await?.forget();
            let tasks = ["b", "c"].map(|name| spawn(name, hold(lock.clone(), 1)));
            pause().await?;
            lock.release()?;
            tasks[0].cancel();
            log(format_args!("locked {}", lock.locked()));
            ended(tasks).await
        },
        &[
            "0 main: locked false",
            "0 b: CancelledError",
            "0 c: in",
            "1 c: out",
        ],
    );
}

#[test]
fn cancelled_tasks_may_be_overtaken() {
    check(
        async {
            let lock = Lock::new();
            lock.acquire().await?.forget();
            let cancelled = spawn("b", hold(lock.clone(), 1));
            pause().await?;
            cancelled.cancel();
            lock.release()?;
            hold(lock, 0).await?;
            ended([cancelled]).await
        },
        &["0 main: in", "0 b: CancelledError", "0 main: out"],
    );
}

#[test]
fn a_wait_that_is_dropped_after_it_was_woken_wakes_the_next() {
    check(
        async {
            let lock = Lock::new();
            let guard = lock.acquire().await?;
            let mut dropped = Box::pin(lock.acquire());
            begin(&mut dropped).await;
            let next = spawn("next", hold(lock.clone(), 0));
            pause().await?;
            assert_eq!(lock.statistics().tasks_waiting, 2);
            drop(guard);
            drop(dropped);
            ended([next]).await
        },
        &["0 next: in", "0 next: out"],
    );
}

#[test]
fn what_loses_a_select_leaves_the_line() {
    run_virtual(async {
        let lock = Lock::new();
        let guard = lock.acquire().await?;
        tokio::select! {
            biased;
            _ = lock.acquire() => unreachable!("it is held"),
            slept = seconds(1) => slept?,
        }
        assert_eq!(lock.statistics().tasks_waiting, 0);
        drop(guard);
        assert!(!lock.locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_free_lock_is_had_outside_of_any_loop() {
    let lock = Lock::new();
    let guard = futures::executor::block_on(lock.acquire()).unwrap();
    assert!(lock.locked());
    let error = futures::executor::block_on(lock.acquire()).unwrap_err();
    assert_eq!(error.to_string(), "no running event loop");
    drop(guard);
    assert!(!lock.locked());
}

#[test]
fn a_guard_releases_only_what_it_has_acquired() {
    run_virtual(async {
        let lock = Lock::new();
        let first = lock.acquire().await?;
        lock.release()?;
        let second = lock.acquire().await?;
        drop(first);
        assert!(lock.locked(), "the second guard holds it");
        drop(second);
        assert!(!lock.locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_free_lock_cannot_be_released() {
    let error = Lock::new().release().unwrap_err();
    assert_eq!(error, RuntimeError::new("lock is not acquired"));
}

#[test]
fn a_coroutine_that_panics_releases() {
    run_virtual(async {
        let lock = Lock::new();
        let held = lock.clone();
        let panicking = rondel_task::create_task::<(), _>(async move {
            let _guard = held.acquire().await?;
            panic!("with the lock held");
        })?;
        assert!(panicking.await.unwrap_err().is_panic());
        assert!(!lock.locked());
        Ok(())
    })
    .unwrap();
}
