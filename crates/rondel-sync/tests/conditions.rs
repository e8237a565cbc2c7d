//! Conditions: who is notified, who gets the lock again, and what a cancellation does to both. The traces are CPython's.

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::{begin, check, ended, log, pause, seconds, spawn};
use rondel_sync::{Condition, Lock};
use rondel_task::{Result, run_virtual};

async fn watch(condition: Condition) -> Result<()> {
    let guard = condition.acquire().await?;
    log("waits");
    condition.wait().await?;
    log("seen");
    drop(guard);
    log("left");
    Ok(())
}

#[test]
fn those_who_are_notified_go_on_one_after_another_once_the_lock_is_free() {
    check(
        async {
            let condition = Condition::new();
            let tasks = ["a", "b", "c"].map(|name| spawn(name, watch(condition.clone())));
            pause().await?;
            let guard = condition.acquire().await?;
            condition.notify(2)?;
            log("notified");
            seconds(1).await?;
            drop(guard);
            log("released");
            seconds(1).await?;
            let guard = condition.acquire().await?;
            condition.notify_all()?;
            drop(guard);
            ended(tasks).await
        },
        &[
            "0 a: waits",
            "0 b: waits",
            "0 c: waits",
            "0 main: notified",
            "1 main: released",
            "1 a: seen",
            "1 a: left",
            "1 b: seen",
            "1 b: left",
            "2 c: seen",
            "2 c: left",
        ],
    );
}

#[test]
fn a_notified_task_that_is_cancelled_notifies_another() {
    check(
        async {
            let condition = Condition::new();
            let tasks = ["a", "b"].map(|name| spawn(name, watch(condition.clone())));
            pause().await?;
            let guard = condition.acquire().await?;
            condition.notify(1)?;
            tasks[0].cancel();
            drop(guard);
            ended(tasks).await
        },
        &[
            "0 a: waits",
            "0 b: waits",
            "0 a: CancelledError",
            "0 b: seen",
            "0 b: left",
        ],
    );
}

#[test]
fn a_cancelled_task_waits_for_the_lock_and_gives_the_latest_error() {
    check(
        async {
            let condition = Condition::new();
            let task = spawn("a", watch(condition.clone()));
            pause().await?;
            let guard = condition.acquire().await?;
            task.cancel();
            seconds(1).await?;
            task.cancel_with_message("again");
            seconds(1).await?;
            log("releases");
            drop(guard);
            ended([task]).await
        },
        &[
            "0 a: waits",
            "2 main: releases",
            "2 a: CancelledError(\"again\")",
        ],
    );
}

#[test]
fn a_predicate_is_asked_after_each_notification() {
    check(
        async {
            let condition = Condition::new();
            let level = Rc::new(Cell::new(1));
            let (risen, shown) = (condition.clone(), level.clone());
            let watcher = spawn("a", async move {
                let guard = risen.acquire().await?;
                let high = || {
                    log(format_args!("level {}", shown.get()));
                    shown.get() >= 2
                };
                risen.wait_for(high).await?;
                drop(guard);
                log("high");
                Ok(())
            });
            for step in 1..4 {
                level.set(step);
                seconds(1).await?;
                let _guard = condition.acquire().await?;
                condition.notify_all()?;
            }
            ended([watcher]).await
        },
        &["0 a: level 1", "1 a: level 2", "1 a: high"],
    );
}

#[test]
fn two_conditions_may_share_a_lock() {
    check(
        async {
            let lock = Lock::new();
            let full = Condition::with_lock(lock.clone());
            let empty = Condition::with_lock(lock.clone());
            let task = spawn("a", watch(full.clone()));
            pause().await?;
            let guard = lock.acquire().await?;
            assert!(empty.locked());
            empty.notify_all()?;
            seconds(1).await?;
            full.notify_all()?;
            drop(guard);
            ended([task]).await
        },
        &["0 a: waits", "1 a: seen", "1 a: left"],
    );
}

#[test]
fn a_wait_that_is_dropped_lets_go_of_the_lock_and_notifies_another() {
    check(
        async {
            let condition = Condition::new();
            let next = spawn("next", watch(condition.clone()));
            pause().await?;
            let guard = condition.acquire().await?;
            let mut dropped = Box::pin(condition.wait());
            begin(&mut dropped).await;
            let other = condition.acquire().await?;
            drop(dropped);
            drop(guard);
            assert!(condition.locked(), "the first guard's acquisition is over");
            drop(other);
            ended([next]).await
        },
        &["0 next: waits", "0 next: seen", "0 next: left"],
    );
}

#[test]
fn a_wait_that_ends_belongs_to_the_guard_again() {
    run_virtual(async {
        let condition = Condition::new();
        let guard = condition.acquire().await?;
        let notifier = condition.clone();
        spawn("notifier", async move {
            let _guard = notifier.acquire().await?;
            Ok(notifier.notify(1)?)
        });
        condition.wait().await?;
        assert!(condition.locked());
        drop(guard);
        assert!(!condition.locked());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_lock_is_needed() {
    run_virtual(async {
        let condition = Condition::new();
        let refused = condition.wait().await.unwrap_err();
        assert_eq!(refused.to_string(), "cannot wait on un-acquired lock");
        let refused = condition.notify(1).unwrap_err();
        assert_eq!(refused.to_string(), "cannot notify on un-acquired lock");
        assert_eq!(condition.notify_all(), Err(refused));
        assert!(condition.release().is_err());
        Ok(())
    })
    .unwrap();
}
