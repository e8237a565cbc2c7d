//! Waiters: by whom they are woken or cancelled, what the task that waits hears of it, and what they look like.

mod common;

use std::panic::Location;

use common::{check, tick, virtual_loop};
use rondel_reactor::Builder;
use rondel_task::{EventLoop, Result, Waiter, create_task, get_running_loop};

#[test]
fn a_waiter_is_woken_once_and_its_task_runs_in_the_next_iteration() {
    check(
        |trace| async move {
            let waiter = Waiter::new()?;
            let (log, woken) = (trace.clone(), waiter.clone().woken_at(Location::caller()));
            let task = create_task(async move {
                log.log("waits");
                woken.await?;
                log.log("goes on");
                Ok(())
            })?;
            tick().await?;
            trace.log(format_args!("wake {}", waiter.wake()));
            trace.log(format_args!("wake again {}", waiter.wake()));
            trace.log(format_args!("woken {}", waiter.is_woken()));
            task.await
        },
        &[
            "waits",
            "wake true",
            "wake again false",
            "woken true",
            "goes on",
            "Ok(())",
        ],
    );
}

#[test]
fn a_waiter_that_was_woken_before_is_not_waited_for() {
    check(
        |trace| async move {
            let waiter = Waiter::new()?;
            waiter.wake();
            let log = trace.clone();
            get_running_loop()?.call_soon(move || log.log("next iteration"))?;
            waiter.woken_at(Location::caller()).await?;
            trace.log("goes on");
            Ok(())
        },
        &["goes on", "next iteration", "Ok(())"],
    );
}

#[test]
fn the_cancellation_of_a_task_cancels_its_waiter() {
    check(
        |trace| async move {
            let waiter = Waiter::new()?;
            let task = create_task(waiter.clone().woken_at(Location::caller()))?;
            tick().await?;
            task.cancel_with_message("enough");
            trace.log(format_args!("cancelled {}", waiter.cancelled()));
            trace.log(format_args!("woken {}", waiter.is_woken()));
            trace.log(format_args!("pending {}", waiter.is_pending()));
            trace.log(format_args!("wake {}", waiter.wake()));
            task.await
        },
        &[
            "cancelled true",
            "woken false",
            "pending false",
            "wake false",
            "Err(CancelledError(\"enough\"))",
        ],
    );
}

#[test]
fn a_wait_knows_its_waiter() {
    check(
        |_| async move {
            let (one, other) = (Waiter::new()?, Waiter::new()?);
            let wait = one.clone().woken_at(Location::caller());
            assert!(wait.is_for(&one) && !wait.is_for(&other));
            assert!(!wait.is_woken());
            one.wake();
            assert!(wait.is_woken());
            Ok(())
        },
        &["Ok(())"],
    );
}

#[test]
fn a_waiter_belongs_to_the_loop_that_runs() -> Result<()> {
    assert!(Waiter::new().is_err(), "none runs");
    let (event_loop, other) = (virtual_loop(), virtual_loop());
    let waiter = event_loop.run_until_complete(async { Ok(Waiter::new()?) })?;
    assert!(waiter.get_loop().ptr_eq(&event_loop));
    assert!(waiter.belongs_to(&event_loop.downgrade()));
    assert!(!waiter.belongs_to(&other.downgrade()));
    Ok(())
}

#[test]
fn a_waiter_outlives_its_loop() -> Result<()> {
    let event_loop = virtual_loop();
    let waiter = event_loop.run_until_complete(async { Ok(Waiter::new()?) })?;
    event_loop.close()?;
    drop(event_loop);
    assert!(waiter.wake());
    Ok(())
}

#[test]
fn a_waiter_looks_like_a_future() -> Result<()> {
    let event_loop = virtual_loop();
    event_loop.run_until_complete(async {
        let waiter = Waiter::new()?;
        assert_eq!(format!("{waiter:?}"), "<Future pending>");
        let task = create_task(waiter.clone().woken_at(Location::caller()))?;
        tick().await?;
        let text = "<Future pending cb=[Task.wakeup()]>";
        assert_eq!(format!("{waiter:?}"), text);
        assert!(format!("{task:?}").contains(&format!("wait_for={text}")));
        waiter.wake();
        assert_eq!(format!("{waiter:?}"), "<Future finished>");
        task.await
    })
}

#[test]
fn in_debug_mode_a_waiter_shows_where_it_was_made() -> Result<()> {
    let event_loop = EventLoop::build(Builder::new().debug(true))?;
    event_loop.run_until_complete(async {
        let (waiter, line) = (Waiter::new()?, line!());
        let text = format!("<Future pending created at {}:{line}>", file!());
        assert_eq!(format!("{waiter:?}"), text);
        Ok(())
    })
}
