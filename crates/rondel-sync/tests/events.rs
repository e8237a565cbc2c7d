//! Events: all who wait go on, in their order. The traces are CPython's.

mod common;

use common::{begin, check, ended, log, pause, seconds, spawn};
use rondel_sync::Event;
use rondel_task::{Result, run_virtual};

async fn see(event: Event) -> Result<()> {
    event.wait().await?;
    log("seen");
    Ok(())
}

#[test]
fn all_who_wait_go_on_also_if_the_flag_is_cleared_at_once() {
    check(
        async {
            let event = Event::new();
            let tasks = ["a", "b", "c"].map(|name| spawn(name, see(event.clone())));
            pause().await?;
            tasks[1].cancel();
            event.set();
            event.clear();
            log(format_args!("set {}", event.is_set()));
            pause().await?;
            pause().await?;
            let late = spawn("late", see(event.clone()));
            seconds(1).await?;
            event.set();
            ended([late]).await?;
            ended(tasks).await
        },
        &[
            "0 main: set false",
            "0 b: CancelledError",
            "0 a: seen",
            "0 c: seen",
            "1 late: seen",
        ],
    );
}

#[test]
fn an_event_that_is_set_lets_pass_without_a_pause() {
    check(
        async {
            let event = Event::new();
            event.set();
            event.set();
            let other = spawn("other", see(event.clone()));
            see(event).await?;
            ended([other]).await
        },
        &["0 main: seen", "0 other: seen"],
    );
}

#[test]
fn a_wait_that_is_dropped_is_not_counted() {
    run_virtual(async {
        let event = Event::new();
        let mut dropped = Box::pin(event.wait());
        begin(&mut dropped).await;
        assert_eq!(event.statistics().tasks_waiting, 1);
        drop(dropped);
        assert_eq!(event.statistics().tasks_waiting, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ten_thousand_tasks_are_woken_in_their_order() {
    run_virtual(async {
        let event = Event::new();
        let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..10_000)
            .map(|number| {
                let (event, order) = (event.clone(), order.clone());
                rondel_task::create_task(async move {
                    event.wait().await?;
                    order.borrow_mut().push(number);
                    Ok(())
                })
            })
            .collect::<Result<_>>()?;
        pause().await?;
        event.set();
        rondel_task::gather(&tasks).await?;
        assert!(order.take().into_iter().eq(0..10_000));
        Ok(())
    })
    .unwrap();
}
