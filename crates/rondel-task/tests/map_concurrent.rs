//! Maps of which at most so many coroutines run at a time.

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::{Counted, Trace, check, reports, secs, virtual_loop};
use futures::StreamExt;
use rondel_task::{
    Exception, Result, ValueError, capture_current_call_graph, create_task, current_task,
    map_concurrent, map_unordered, run_virtual, sleep, sleep_result, timeout,
};

/// Sleeps as many seconds as it is given and cleans up for one more if it is cancelled; 0 fails.
async fn work(log: Trace, time: u64) -> Result<u64> {
    log.log(format_args!("{time} starts"));
    if time == 0 {
        sleep(secs(1)).await?;
        return Err(Exception::msg("zero"));
    }
    if let Err(cancelled) = sleep(secs(time)).await {
        sleep(secs(1)).await?;
        log.log(format_args!("{time} cleaned up"));
        return Err(cancelled);
    }
    log.log(format_args!("{time} ends"));
    Ok(time)
}

#[test]
fn values_come_in_the_order_of_the_inputs_and_no_more_run_than_may() {
    check(
        async |log: Trace| {
            let worker = log.clone();
            let mapped = map_concurrent([3, 1, 1], 2, async move |time| work(worker, time).await);
            mapped.await
        },
        &[
            "3 starts",
            "1 starts",
            "1 ends",
            "1 starts",
            "1 ends",
            "3 ends",
            "Ok([3, 1, 1])",
        ],
    );
}

#[test]
fn the_first_exception_ends_the_others_and_starts_no_more() {
    check(
        async |log: Trace| {
            let worker = log.clone();
            let mapped = map_concurrent([9, 0, 5], 2, async move |time| work(worker, time).await);
            let error = mapped.await.unwrap_err();
            log.log(error);
            Ok(())
        },
        &["9 starts", "0 starts", "9 cleaned up", "zero", "Ok(())"],
    );
}

#[test]
fn a_map_that_is_cancelled_ends_its_coroutines_first() {
    check(
        async |log: Trace| {
            let worker = log.clone();
            let mapped = map_concurrent([9, 8, 7], 2, async move |time| work(worker, time).await);
            let late = timeout(secs(1), async |_| mapped.await).await;
            log.log(format_args!("{:?}", late.unwrap_err()));
            Ok(())
        },
        &[
            "9 starts",
            "8 starts",
            "9 cleaned up",
            "8 cleaned up",
            "TimeoutError()",
            "Ok(())",
        ],
    );
}

#[test]
fn a_cancellation_while_the_others_end_is_not_lost() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let cancelled = event_loop.run_until_complete(async {
        let log = Trace::new();
        let mapping = create_task(map_concurrent([9, 0], 2, async |time| {
            work(log, time).await
        }))?;
        sleep(secs(1)).await?;
        sleep(secs(0)).await?;
        mapping.cancel();
        let error = mapping.await.unwrap_err();
        Ok((error.is_cancelled(), rondel_task::all_tasks(None)?.len()))
    });
    assert_eq!(cancelled.unwrap(), (true, 1));
    drop(event_loop);
    reports.check(&[]);
}

#[test]
fn unordered_values_come_as_they_are_ready() {
    check(
        async |log: Trace| {
            let worker = log.clone();
            let mut mapped =
                map_unordered([3, 1, 1], 2, async move |time| work(worker, time).await);
            log.log(format_args!("{mapped:?}"));
            while let Some(value) = mapped.next().await {
                log.log(format_args!("got {}", value?));
            }
            log.log(mapped.next().await.is_none());
            Ok(())
        },
        &[
            "MapUnordered { limit: 2, started: 0, running: 0, .. }",
            "3 starts",
            "1 starts",
            "1 ends",
            "got 1",
            "1 starts",
            "1 ends",
            "got 1",
            "3 ends",
            "got 3",
            "true",
            "Ok(())",
        ],
    );
}

#[test]
fn a_value_that_nobody_takes_keeps_its_place() {
    let (running, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let seen = most.clone();
    let sum = run_virtual(async move {
        let mut mapped = map_unordered(1..=6, 2, async move |number: u64| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            sleep(secs(1)).await?;
            Ok((number, running))
        });
        let mut sum = 0;
        while let Some(value) = mapped.next().await {
            let (number, running) = value?;
            // Who takes its time starts no others meanwhile.
            sleep(secs(10)).await?;
            running.set(running.get() - 1);
            sum += number;
        }
        Ok(sum)
    });
    assert_eq!((sum.unwrap(), seen.get()), (21, 2));
}

#[test]
fn after_an_exception_the_stream_is_over() {
    check(
        async |log: Trace| {
            let worker = log.clone();
            let mapped = map_unordered([1, 9, 0, 5], 3, async move |time| work(worker, time).await);
            let outcomes: Vec<_> = StreamExt::collect(mapped).await;
            log.log(format_args!("{outcomes:?}"));
            Ok(())
        },
        &[
            "1 starts",
            "9 starts",
            "0 starts",
            "1 ends",
            "9 cleaned up",
            r#"[Ok(1), Err("zero")]"#,
            "Ok(())",
        ],
    );
}

#[test]
fn a_wait_that_is_cancelled_loses_nothing() {
    let values = run_virtual(async {
        let mut mapped =
            map_unordered([4, 3], 2, async |time| sleep_result(secs(time), time).await);
        let mut values = Vec::new();
        for _ in 0..3 {
            let next = timeout(secs(2), async |_| mapped.next().await.transpose()).await;
            values.push(next.ok().flatten());
        }
        Ok((values, mapped.next().await.is_none()))
    });
    assert_eq!(values.unwrap(), (vec![None, Some(3), Some(4)], true));
}

#[test]
fn a_stream_that_is_dropped_cancels_what_runs_and_asks_for_no_more() {
    check(
        async |log: Trace| {
            let worker = log.clone();
            let inputs = {
                let log = log.clone();
                (7..).inspect(move |input| log.log(format_args!("asked for {input}")))
            };
            let mut mapped = Box::pin(map_unordered(inputs, 1, async move |time| {
                work(worker, time).await
            }));
            let late = timeout(secs(1), async |_| mapped.next().await.transpose()).await;
            log.log(format_args!("{:?}", late.unwrap_err()));
            drop(mapped);
            sleep(secs(2)).await
        },
        &[
            "asked for 7",
            "7 starts",
            "TimeoutError()",
            "7 cleaned up",
            "Ok(())",
        ],
    );
}

#[test]
fn a_limit_of_zero_is_an_error_and_no_input_is_no_value() {
    run_virtual(async {
        let refused = map_concurrent([1], 0, async |number| Ok(number)).await;
        let error = refused.unwrap_err();
        assert!(error.is::<ValueError>());
        assert_eq!(
            error.to_string(),
            "the limit of a concurrent map must be at least 1"
        );
        let none = map_concurrent(Vec::<u8>::new(), 3, async |number| Ok(number)).await?;
        assert!(none.is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_is_an_exception_and_every_value_is_dropped_once() {
    let (counted, alive) = Counted::new();
    let failed = run_virtual(async move {
        map_concurrent(0..100, 7, async move |number| {
            sleep(secs(number % 3)).await?;
            assert!(number < 50, "oops");
            Ok(counted)
        })
        .await
        .map(|values| values.len())
    });
    assert!(failed.unwrap_err().is_panic());
    assert_eq!(alive.get(), 0);
}

#[test]
fn the_call_graph_shows_who_awaits_the_coroutines() {
    let awaited_by = run_virtual(async {
        current_task().expect("this is one").set_name("main");
        map_concurrent(["one"], 1, async |_| {
            let graph = capture_current_call_graph().expect("a task runs");
            Ok(format!("{:?}", graph.awaited_by[0].future))
        })
        .await
    });
    let awaited_by = awaited_by.unwrap();
    assert!(awaited_by[0].contains("name='main'"), "{awaited_by:?}");
}

#[test]
fn ten_thousand_inputs_a_thousand_at_a_time() {
    let values = run_virtual(map_concurrent(0..10_000_u64, 1000, async |number| {
        sleep_result(secs(number % 7), number).await
    }));
    assert_eq!(values.unwrap(), (0..10_000).collect::<Vec<_>>());
}
