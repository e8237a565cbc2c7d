//! Cancellation: the step rules, in the order of events that CPython 3.13 has for the same programs.

mod common;

use std::cell::RefCell;
use std::future::{IntoFuture, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use common::{LONG, OnDrop, Trace, check, error, secs, tick, ticks, virtual_loop};
use futures::StreamExt;
use futures::channel::oneshot;
use futures::stream::FuturesUnordered;
use rondel_task::{
    Future, Result, Task, create_task, current_task, gather, gather_return_exceptions,
    get_running_loop, shield, sleep, wait, wait_for,
};

/// Sleeps until it is cancelled, cleans up for some iterations and lets the error go on.
async fn child(log: Trace, name: &'static str, cleanup: usize) -> Result<()> {
    log.log(format_args!("{name} starts"));
    let slept = sleep(LONG).await;
    match &slept {
        Ok(()) => log.log(format_args!("{name} went on")),
        Err(error) => {
            log.log(format_args!("{name} caught {error:?}"));
            for i in 0..cleanup {
                tick().await?;
                log.log(format_args!("{name} cleans {i}"));
            }
        }
    }
    slept
}

// --- rule 1 ------------------------------------------------------------------------------------

#[test]
fn before_the_first_step_the_body_never_runs() {
    check(
        async |log: Trace| {
            let task = create_task(child(log.clone(), "a", 0))?;
            task.cancel_with_message("early");
            let called = log.clone();
            task.add_done_callback(move |_| called.log("callback"))?;
            tick().await?;
            log.log(format_args!("done {}", task.done()));
            tick().await?;
            log.log(format_args!("done {} {}", task.done(), task.cancelling()));
            log.log(format_args!("{:?}", (&task).await));
            log.log(format_args!("{:?}", (&task).await));
            Ok(())
        },
        &[
            "done true",
            "callback",
            "done true 1",
            "Err(CancelledError(\"early\"))",
            "Err(CancelledError)",
            "Ok(())",
        ],
    );
}

#[test]
fn before_the_first_step_the_coroutine_is_dropped() {
    check(
        async |log: Trace| {
            let dropped = log.clone();
            let held = OnDrop(move || dropped.log("dropped"));
            let task = create_task(async move {
                let _held = held;
                tick().await
            })?;
            task.cancel();
            log.log("cancelled");
            let ended = task.await;
            log.log(format_args!("{ended:?}"));
            Ok(())
        },
        &["cancelled", "dropped", "Err(CancelledError)", "Ok(())"],
    );
}

#[test]
fn before_the_first_step_it_can_be_taken_back() {
    check(
        async |log: Trace| {
            let task = create_task(async { Ok("ran") })?;
            task.cancel();
            log.log(task.uncancel());
            task.await
        },
        &["0", "Ok(\"ran\")"],
    );
}

// --- rule 2 ------------------------------------------------------------------------------------

#[test]
fn clean_up_may_await() {
    check(
        async |log: Trace| {
            let task = create_task(child(log.clone(), "a", 2))?;
            tick().await?;
            let called = log.clone();
            task.add_done_callback(move |task| {
                called.log(format_args!("cb {}", task.cancelled()))
            })?;
            task.cancel_with_message("msg");
            log.log(format_args!("{} {}", task.cancelling(), task.cancelled()));
            for i in 0..5 {
                tick().await?;
                log.log(format_args!("tick {i} {}", task.done()));
            }
            Ok(())
        },
        &[
            "a starts",
            "1 false",
            "a caught CancelledError(\"msg\")",
            "tick 0 false",
            "a cleans 0",
            "tick 1 false",
            "a cleans 1",
            "tick 2 true",
            "cb true",
            "tick 3 true",
            "tick 4 true",
            "Ok(())",
        ],
    );
}

#[test]
fn what_the_task_waits_for_is_cancelled_and_the_next_step_comes_an_iteration_later() {
    check(
        async |log: Trace| {
            let future = get_running_loop()?.create_future::<()>();
            let waited = future.clone();
            let task = create_task(async move { waited.await })?;
            tick().await?;
            log.log(task.cancel());
            log.log(format_args!("{} {}", future.cancelled(), task.done()));
            tick().await?;
            log.log(task.cancelled());
            Ok(())
        },
        &["true", "true false", "true", "Ok(())"],
    );
}

#[test]
fn a_chain_is_cancelled_from_its_inner_end_outwards() {
    fn link(log: Trace, n: u32) -> std::pin::Pin<Box<dyn Future2>> {
        Box::pin(async move {
            let ended = if n == 0 {
                sleep(LONG).await
            } else {
                create_task(link(log.clone(), n - 1))?.await
            };
            log.log(format_args!("{n} {ended:?}"));
            ended
        })
    }
    trait Future2: core::future::Future<Output = Result<()>> {}
    impl<F: core::future::Future<Output = Result<()>>> Future2 for F {}

    check(
        async |log: Trace| {
            let task = create_task(link(log.clone(), 3))?;
            ticks(5).await?;
            task.cancel_with_message("m");
            for _ in 0..6 {
                tick().await?;
                log.log(format_args!("tick {}", task.done()));
            }
            Ok(())
        },
        &[
            "0 Err(CancelledError(\"m\"))",
            "tick false",
            "1 Err(CancelledError(\"m\"))",
            "tick false",
            "2 Err(CancelledError(\"m\"))",
            "tick false",
            "3 Err(CancelledError(\"m\"))",
            "tick true",
            "tick true",
            "tick true",
            "Ok(())",
        ],
    );
}

#[test]
fn a_gather_within_the_chain_hands_it_on() {
    check(
        async |log: Trace| {
            let children = log.clone();
            let outer = create_task(async move {
                let gathered = gather([
                    child(children.clone(), "a", 1),
                    child(children.clone(), "b", 0),
                ]);
                let ended = gathered.await;
                children.log(format_args!("outer {ended:?}"));
                ended
            })?;
            ticks(2).await?;
            outer.cancel_with_message("m");
            for _ in 0..5 {
                tick().await?;
                log.log(format_args!("tick {}", outer.done()));
            }
            Ok(())
        },
        &[
            "a starts",
            "b starts",
            "a caught CancelledError(\"m\")",
            "b caught CancelledError(\"m\")",
            "tick false",
            "a cleans 0",
            "tick false",
            "outer Err(CancelledError(\"m\"))",
            "tick true",
            "tick true",
            "tick true",
            "Ok(())",
        ],
    );
}

#[test]
fn a_hundred_thousand_tasks_that_wait_for_each_other_are_cancelled_at_once() {
    const LENGTH: usize = 100_000;
    let event_loop = virtual_loop();
    let end = event_loop.create_future::<usize>();
    let mut last: Future<usize> = end.clone();
    for _ in 0..LENGTH {
        let before = last;
        let task = event_loop.create_task(async move { before.await.map(|n| n + 1) });
        last = task.unwrap().into();
    }
    event_loop.run_once().unwrap();
    assert!(last.cancel());
    assert!(end.cancelled());
    assert!(
        event_loop
            .run_until_complete(&last)
            .unwrap_err()
            .is_cancelled()
    );
    assert!(
        rondel_task::all_tasks(Some(&event_loop))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_hundred_thousand_tasks_complete_and_are_destroyed_without_recursion() {
    const LENGTH: usize = 100_000;
    for complete in [true, false] {
        let event_loop = virtual_loop();
        event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
        let end = event_loop.create_future::<usize>();
        let mut last: Future<usize> = end.clone();
        for _ in 0..LENGTH {
            let before = last;
            let task = event_loop.create_task(async move { before.await.map(|n| n + 1) });
            last = task.unwrap().into();
        }
        event_loop.run_once().unwrap();
        assert!(format!("{last:?}").len() < 10_000, "the text has an end");
        if complete {
            end.set_result(0).unwrap();
            assert_eq!(event_loop.run_until_complete(&last).unwrap(), LENGTH);
        }
        event_loop.close().unwrap();
        assert_eq!(last.done(), complete);
    }
}

/// Two tasks that wait for each other, each through what `wrap` makes of the other.
async fn ring_of_two<F>(wrap: fn(Task<()>) -> F, cancel_first: bool) -> Result<String>
where
    F: core::future::Future<Output = Result<()>> + 'static,
{
    let second: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    let later = second.clone();
    let first = create_task(async move {
        let second = later.take().expect("it is set before this runs");
        wrap(second).await
    })?;
    let other = first.clone();
    let task = create_task(async move { other.await })?;
    second.replace(Some(task.clone()));
    ticks(2).await?;
    if cancel_first {
        first.cancel()
    } else {
        task.cancel()
    };
    let (done, pending) = wait([&first, &task]).timeout(secs(1)).await?;
    Ok(format!("{done:?} {pending:?}").replace(|c: char| c.is_ascii_digit(), ""))
}

#[test]
fn a_ring_of_tasks_is_cancelled() {
    for cancel_first in [true, false] {
        let ended = rondel_task::run_virtual(ring_of_two(|task| task.into_future(), cancel_first));
        let text = ended.unwrap();
        assert!(text.ends_with("] []"), "{text}");
        assert_eq!(text.matches("<Task cancelled").count(), 2, "{text}");
    }
}

#[test]
fn a_ring_through_a_gather_is_cancelled_wherever_one_begins() {
    async fn gathered(task: Task<()>) -> Result<()> {
        gather([task]).await.map(drop)
    }
    for cancel_first in [true, false] {
        let ended = rondel_task::run_virtual(ring_of_two(gathered, cancel_first));
        let text = ended.unwrap();
        assert!(text.ends_with("] []"), "{text}");
        assert_eq!(text.matches("<Task cancelled").count(), 2, "{text}");
    }
}

#[test]
fn a_long_ring_is_cancelled() {
    const LENGTH: usize = 1000;
    rondel_task::run_virtual(async {
        let first: Rc<RefCell<Option<Task<()>>>> = Rc::default();
        let later = first.clone();
        let mut last = create_task(async move {
            let task = later.take().expect("it is set before this runs");
            task.await
        })?;
        let mut all = vec![last.clone()];
        for _ in 1..LENGTH {
            last = create_task(async move { last.await })?;
            all.push(last.clone());
        }
        first.replace(Some(last));
        ticks(2).await?;
        assert!(all[LENGTH / 3].cancel());
        wait(&all).await?;
        assert!(all.iter().all(|task| task.cancelled()));
        Ok(())
    })
    .unwrap();
}

// --- rule 3 ------------------------------------------------------------------------------------

#[test]
fn a_task_whose_step_is_scheduled_gets_the_error_in_place_of_the_value() {
    check(
        async |log: Trace| {
            let future = get_running_loop()?.create_future::<i32>();
            let waited = future.clone();
            let task = create_task(async move { waited.await })?;
            tick().await?;
            future.set_result(5)?;
            log.log(task.cancel_with_message("late"));
            log.log(format_args!("{:?}", task.await));
            log.log(format_args!("{:?}", future.result()));
            Ok(())
        },
        &["true", "Err(CancelledError(\"late\"))", "Ok(5)", "Ok(())"],
    );
}

#[test]
fn twice_is_one_error_with_the_first_message() {
    check(
        async |log: Trace| {
            let task = create_task(child(log.clone(), "a", 2))?;
            tick().await?;
            log.log(task.cancel_with_message("one"));
            log.log(task.cancel_with_message("two"));
            log.log(task.cancelling());
            log.log(format_args!("{:?}", (&task).await));
            log.log(task.cancel_with_message("late"));
            Ok(())
        },
        &[
            "a starts",
            "true",
            "true",
            "2",
            "a caught CancelledError(\"one\")",
            "a cleans 0",
            "a cleans 1",
            "Err(CancelledError(\"one\"))",
            "false",
            "Ok(())",
        ],
    );
}

#[test]
fn during_clean_up_it_is_thrown_again() {
    check(
        async |log: Trace| {
            let task = create_task(child(log.clone(), "a", 3))?;
            tick().await?;
            task.cancel_with_message("one");
            tick().await?;
            task.cancel_with_message("two");
            log.log(format_args!("{:?}", task.await));
            Ok(())
        },
        &[
            "a starts",
            "a caught CancelledError(\"one\")",
            "Err(CancelledError(\"two\"))",
            "Ok(())",
        ],
    );
}

#[test]
fn a_swallowed_error_leaves_the_task_running() {
    check(
        async |log: Trace| {
            let inner = log.clone();
            let task = create_task(async move {
                if sleep(LONG).await.is_err() {
                    inner.log("swallowed");
                }
                tick().await?;
                inner.log("after");
                Ok(7)
            })?;
            tick().await?;
            task.cancel();
            let value = (&task).await?;
            log.log(format_args!("{} {}", task.cancelled(), task.cancelling()));
            Ok(value)
        },
        &["swallowed", "after", "false 1", "Ok(7)"],
    );
}

// --- rule 4 ------------------------------------------------------------------------------------

#[test]
fn cancelling_oneself_is_felt_where_one_is_suspended_next() {
    check(
        async |log: Trace| {
            let inner = log.clone();
            let task = create_task(async move {
                let me = current_task().expect("it runs in a task");
                let done = get_running_loop()?.create_future();
                done.set_result(1)?;
                me.cancel_with_message("self");
                inner.log("cancelled myself");
                done.await?;
                inner.log("a done future returns");
                inner.log(format_args!("sleep {:?}", tick().await));
                tick().await?;
                inner.log("on");
                Ok(3)
            })?;
            let value = (&task).await?;
            log.log(task.cancelling());
            Ok(value)
        },
        &[
            "cancelled myself",
            "a done future returns",
            "sleep Err(CancelledError(\"self\"))",
            "on",
            "1",
            "Ok(3)",
        ],
    );
}

#[test]
fn cancelling_oneself_cancels_what_one_waits_for_then() {
    check(
        async |log: Trace| {
            let inner = log.clone();
            let task = create_task(async move {
                let event_loop = get_running_loop()?;
                let future = event_loop.create_future::<()>();
                let called = inner.clone();
                event_loop.call_soon(move || called.log("x"))?;
                current_task()
                    .expect("it runs in a task")
                    .cancel_with_message("self");
                let ended = future.await;
                inner.log(format_args!("{ended:?}"));
                ended
            })?;
            let called = log.clone();
            get_running_loop()?.call_soon(move || called.log("soon"))?;
            log.log(format_args!("main {:?}", task.await));
            Ok(())
        },
        &[
            "soon",
            "x",
            "Err(CancelledError(\"self\"))",
            "main Err(CancelledError(\"self\"))",
            "Ok(())",
        ],
    );
}

#[test]
fn cancelling_oneself_before_a_foreign_future_drops_the_coroutine_a_step_later() {
    check(
        async |log: Trace| {
            let (sender, receiver) = oneshot::channel::<()>();
            let task = create_task(async move {
                current_task().expect("it runs in a task").cancel();
                Ok(receiver.await?)
            })?;
            tick().await?;
            log.log(format_args!("{} {}", task.done(), sender.is_canceled()));
            tick().await?;
            log.log(format_args!(
                "{} {}",
                task.cancelled(),
                sender.is_canceled()
            ));
            Ok(())
        },
        &["false false", "true true", "Ok(())"],
    );
}

// --- rule 5 ------------------------------------------------------------------------------------

#[test]
fn in_a_foreign_future_alone_the_coroutine_is_dropped() {
    check(
        async |log: Trace| {
            let (sender, receiver) = oneshot::channel::<()>();
            let dropped = log.clone();
            let held = OnDrop(move || dropped.log("dropped"));
            let task = create_task(async move {
                let _held = held;
                Ok(receiver.await?)
            })?;
            tick().await?;
            task.cancel_with_message("m");
            log.log(sender.is_canceled());
            log.log(format_args!("{:?}", task.await));
            log.log(sender.is_canceled());
            Ok(())
        },
        &[
            "false",
            "dropped",
            "Err(CancelledError(\"m\"))",
            "true",
            "Ok(())",
        ],
    );
}

#[test]
fn a_foreign_future_that_is_ready_meanwhile_passes_and_the_next_leaf_returns_the_error() {
    check(
        async |log: Trace| {
            let (sender, receiver) = oneshot::channel::<i32>();
            let inner = log.clone();
            let task = create_task(async move {
                inner.log(receiver.await?);
                let slept = sleep(LONG).await;
                inner.log(format_args!("{slept:?}"));
                slept
            })?;
            tick().await?;
            task.cancel();
            sender.send(5).expect("the task holds the receiver");
            log.log(format_args!("{:?}", task.await));
            Ok(())
        },
        &["5", "Err(CancelledError)", "Err(CancelledError)", "Ok(())"],
    );
}

#[test]
fn beside_a_foreign_future_a_leaf_returns_the_error() {
    check(
        async |log: Trace| {
            let (_sender, receiver) = oneshot::channel::<()>();
            let inner = log.clone();
            let task = create_task(async move {
                tokio::select! { biased;
                    _ = receiver => inner.log("received"),
                    slept = sleep(LONG) => inner.log(format_args!("{slept:?}")),
                }
                Ok("cleaned up")
            })?;
            tick().await?;
            task.cancel();
            task.await
        },
        &["Err(CancelledError)", "Ok(\"cleaned up\")"],
    );
}

// --- rule 6 ------------------------------------------------------------------------------------

#[test]
fn a_value_with_the_request_still_open_is_dropped() {
    check(
        async |log: Trace| {
            let dropped = log.clone();
            let task = create_task(async move {
                current_task()
                    .expect("it runs in a task")
                    .cancel_with_message("bye");
                Ok(Rc::new(OnDrop(move || dropped.log("value dropped"))))
            })?;
            let ended = task.clone().await.map(drop);
            log.log(format_args!("{ended:?} {}", task.cancelled()));
            log.log(format_args!("{:?}", task.await.map(drop)));
            Ok(())
        },
        &[
            "value dropped",
            "Err(CancelledError(\"bye\")) true",
            "Err(CancelledError(\"bye\"))",
            "Ok(())",
        ],
    );
}

#[test]
fn an_exception_with_the_request_still_open_is_the_outcome() {
    check(
        async |log: Trace| {
            let task = create_task(async move {
                current_task().expect("it runs in a task").cancel();
                Err::<(), _>(error("v"))
            })?;
            log.log(format_args!("{}", (&task).await.unwrap_err()));
            log.log(task.cancelled());
            Ok(())
        },
        &["v", "false", "Ok(())"],
    );
}

#[test]
fn the_error_of_another_ends_the_task_as_cancelled() {
    check(
        async |log: Trace| {
            let inner = create_task(child(log.clone(), "c", 0))?;
            let waited = inner.clone();
            let outer = create_task(async move { waited.await })?;
            ticks(2).await?;
            inner.cancel_with_message("x");
            wait([&outer]).await?;
            log.log(format_args!("{} {}", outer.cancelled(), outer.cancelling()));
            log.log(format_args!("{:?}", outer.result()));
            log.log(format_args!("{:?}", outer.result()));
            Ok(())
        },
        &[
            "c starts",
            "c caught CancelledError(\"x\")",
            "true 0",
            "Err(CancelledError(\"x\"))",
            "Err(CancelledError)",
            "Ok(())",
        ],
    );
}

#[test]
fn uncancel_to_zero_forgets_what_was_not_thrown_yet() {
    check(
        async |log: Trace| {
            let inner = log.clone();
            let task = create_task(async move {
                let me = current_task().expect("it runs in a task");
                if sleep(LONG).await.is_err() {
                    let before = me.cancelling();
                    inner.log(format_args!("{before} {}", me.uncancel()));
                }
                me.cancel();
                inner.log(me.uncancel());
                tick().await?;
                Ok("fine")
            })?;
            tick().await?;
            task.cancel();
            task.await
        },
        &["1 0", "0", "Ok(\"fine\")"],
    );
}

#[test]
fn uncancel_without_a_request_stays_at_zero() {
    let event_loop = virtual_loop();
    let task = event_loop.create_task(async { Ok(()) }).unwrap();
    assert_eq!((task.uncancel(), task.cancelling()), (0, 0));
    task.cancel();
    task.cancel();
    assert_eq!((task.uncancel(), task.cancelling()), (1, 1));
    event_loop.run_once().unwrap();
    assert!(task.cancelled(), "one request is still open");
}

#[test]
fn a_thousand_requests_are_counted_one_by_one() {
    let event_loop = virtual_loop();
    let task = event_loop.create_task(async { Ok("ran") }).unwrap();
    for open in 1..=1000 {
        task.cancel();
        assert_eq!(task.cancelling(), open);
    }
    for open in (0..1000).rev() {
        assert_eq!((task.uncancel(), task.cancelling()), (open, open));
    }
    event_loop.run_once().unwrap();
    assert_eq!(task.result().unwrap(), "ran", "none is open");
}

// --- rule 7 ------------------------------------------------------------------------------------

#[test]
fn all_leaves_of_a_join_are_cancelled() {
    check(
        async |log: Trace| {
            let futures = [0, 1, 2].map(|_| get_running_loop().map(|l| l.create_future::<i32>()));
            let [a, b, c] = futures;
            let (a, b, c) = (a?, b?, c?);
            let waited = (a.clone(), b.clone(), c.clone());
            let inner = log.clone();
            let task = create_task(async move {
                let (a, b, c) = waited;
                let ends = tokio::join!(a, b, c);
                inner.log(format_args!("{ends:?}"));
                Ok(())
            })?;
            tick().await?;
            b.set_result(2)?;
            tick().await?;
            task.cancel();
            log.log(format_args!(
                "{} {} {}",
                a.cancelled(),
                b.cancelled(),
                c.cancelled()
            ));
            task.await
        },
        &[
            "true false true",
            "(Err(CancelledError), Ok(2), Err(CancelledError))",
            "Ok(())",
        ],
    );
}

#[test]
fn leaves_that_are_not_polled_again_are_cancelled_too() {
    check(
        async |log: Trace| {
            let event_loop = get_running_loop()?;
            let futures: Vec<Future<usize>> = (0..4).map(|_| event_loop.create_future()).collect();
            let waited = futures.clone();
            let inner = log.clone();
            let task = create_task(async move {
                let mut all: FuturesUnordered<_> =
                    waited.into_iter().map(IntoFuture::into_future).collect();
                while let Some(ended) = all.next().await {
                    inner.log(format_args!("{ended:?}"));
                }
                Ok("all ended")
            })?;
            tick().await?;
            futures[2].set_result(2)?;
            ticks(2).await?;
            task.cancel();
            log.log(futures.iter().filter(|future| future.cancelled()).count());
            task.await
        },
        &[
            "Ok(2)",
            "3",
            "Err(CancelledError)",
            "Err(CancelledError)",
            "Err(CancelledError)",
            "Ok(\"all ended\")",
        ],
    );
}

#[test]
fn the_loser_of_a_select_is_waited_for_no_longer() {
    check(
        async |log: Trace| {
            let event_loop = get_running_loop()?;
            let (a, b) = (
                event_loop.create_future::<i32>(),
                event_loop.create_future::<i32>(),
            );
            let waited = (a.clone(), b.clone());
            let task = create_task(async move {
                let (a, b) = waited;
                let first = tokio::select! {
                    first = a => first?,
                    first = b => first?,
                };
                sleep(LONG).await?;
                Ok(first)
            })?;
            tick().await?;
            b.set_result(2)?;
            tick().await?;
            task.cancel();
            log.log(format_args!("{:?} {a:?}", task.await));
            Ok(())
        },
        &["Err(CancelledError) <Future pending>", "Ok(())"],
    );
}

// --- further ----------------------------------------------------------------------------------

#[test]
fn a_future_that_nobody_else_holds_can_be_gathered_and_cancelled() {
    let ended = rondel_task::run_virtual(async {
        let future = get_running_loop()?.create_future::<i32>();
        wait_for(gather([future]), secs(1)).await
    });
    assert!(ended.unwrap_err().is_timeout());
}

#[test]
fn a_gather_with_itself_is_cancelled() {
    let ended = rondel_task::run_virtual(async {
        let own: Rc<RefCell<Option<Task<()>>>> = Rc::default();
        let later = own.clone();
        let task = create_task(async move {
            let own = later.take().expect("it is set before this runs");
            gather([own]).await.map(drop)
        })?;
        own.replace(Some(task.clone()));
        ticks(2).await?;
        task.cancel();
        let (done, _) = wait([&task]).timeout(secs(1)).await?;
        Ok(done.len())
    });
    assert_eq!(ended.unwrap(), 1);
}

#[test]
fn shield_keeps_it_from_the_inner_task() {
    check(
        async |log: Trace| {
            let inner = create_task(child(log.clone(), "inner", 0))?;
            let shielded = inner.clone();
            let outer = create_task(async move { shield(shielded).await })?;
            ticks(2).await?;
            outer.cancel();
            log.log(format_args!("{:?} {}", outer.await, inner.done()));
            Ok(())
        },
        // The end of the program cancels what is left.
        &[
            "inner starts",
            "Err(CancelledError) false",
            "inner caught CancelledError",
            "Ok(())",
        ],
    );
}

#[test]
fn at_the_end_of_a_run_the_rest_is_cancelled_and_may_clean_up() {
    check(
        async |log: Trace| {
            create_task(child(log.clone(), "x", 0))?;
            let called = log.clone();
            create_task(child(log.clone(), "y", 1))?
                .add_done_callback(move |_| called.log("y done"))?;
            tick().await?;
            log.log("main ends");
            Ok(())
        },
        &[
            "x starts",
            "y starts",
            "main ends",
            "x caught CancelledError",
            "y caught CancelledError",
            "y cleans 0",
            "y done",
            "Ok(())",
        ],
    );
}

#[test]
fn a_refused_await_gives_way_to_the_cancellation() {
    // CPython puts the CancelledError in place of the RuntimeError that it was about to throw.
    let other = virtual_loop();
    let foreign = other.create_future::<()>();
    let event_loop = virtual_loop();
    let task = event_loop
        .create_task(async move { foreign.await })
        .unwrap();
    event_loop.run_once().unwrap();
    task.cancel();
    event_loop.run_once().unwrap();
    assert!(task.cancelled(), "{task:?}");
}

#[test]
fn a_cancelled_leaf_can_be_polled_again() {
    check(
        async |log: Trace| {
            let future = get_running_loop()?.create_future::<i32>();
            let inner = shield(&future);
            let log2 = log.clone();
            let task = create_task(async move {
                let mut waiting = inner.future()?.into_future();
                let first =
                    poll_fn(|cx| core::future::Future::poll(std::pin::Pin::new(&mut waiting), cx))
                        .await;
                log2.log(format_args!("{first:?}"));
                let again = poll_fn(|cx| {
                    match core::future::Future::poll(std::pin::Pin::new(&mut waiting), cx) {
                        Poll::Ready(again) => Poll::Ready(again),
                        Poll::Pending => Poll::Ready(Ok(0)),
                    }
                });
                again.await
            })?;
            tick().await?;
            task.cancel();
            log.log(format_args!("{:?}", task.await));
            Ok(future.done())
        },
        &["Err(CancelledError)", "Err(CancelledError)", "Ok(false)"],
    );
}

#[test]
fn a_coroutine_that_cancels_and_spawns_while_it_is_dropped_does_no_harm() {
    check(
        async |log: Trace| {
            let event_loop = get_running_loop()?;
            let future = event_loop.create_future::<i32>();
            let own: Rc<RefCell<Option<Task<()>>>> = Rc::default();
            let (dropped, me, result) = (log.clone(), own.clone(), future.clone());
            let held = OnDrop(move || {
                dropped.log("dropped");
                let task = me.take().expect("it is dropped once");
                dropped.log(format_args!("cancel {}", task.cancel()));
                let _ = result.set_result(1);
                let spawned = dropped.clone();
                let _ = create_task(async move {
                    spawned.log("spawned");
                    Ok(())
                });
                let called = dropped.clone();
                let _ = get_running_loop().map(|l| l.call_soon(move || called.log("called")));
            });
            let task = create_task(async move {
                let _held = held;
                tick().await
            })?;
            own.replace(Some(task.clone()));
            task.cancel();
            let ends = gather_return_exceptions([&task]).await?;
            log.log(format_args!("{ends:?} {:?}", future.result()));
            tick().await
        },
        &[
            "dropped",
            "cancel true",
            "spawned",
            "called",
            "[Err(CancelledError)] Ok(1)",
            "Ok(())",
        ],
    );
}

#[test]
fn tasks_that_all_wait_for_each_other_are_cancelled() {
    for size in 2..=4 {
        rondel_task::run_virtual(async move {
            let all: Rc<RefCell<Vec<Task<()>>>> = Rc::default();
            for own in 0..size {
                let tasks = all.clone();
                let task = create_task(async move {
                    let mut others = tasks.borrow().clone();
                    others.remove(own);
                    futures::future::try_join_all(others.into_iter().map(Task::into_future))
                        .await?;
                    Ok(())
                })?;
                all.borrow_mut().push(task);
            }
            ticks(2).await?;
            let tasks = all.take();
            assert!(tasks[0].cancel());
            wait(&tasks).await?;
            assert!(tasks.iter().all(|task| task.cancelled()));
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn of_two_cancels_before_the_first_step_the_latest_message_counts() {
    let ended = rondel_task::run_virtual(async {
        let task = create_task(async { Ok(1) })?;
        task.cancel_with_message("first");
        task.cancel_with_message("second");
        Ok((task.cancelling(), task.await.unwrap_err().to_string()))
    });
    assert_eq!(ended.unwrap(), (2, "cancelled: second".to_owned()));
}
