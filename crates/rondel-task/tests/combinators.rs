//! gather, wait, wait_for, shield, sleep and timeout, in the order of events that CPython 3.13 has for the same programs.

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::{Counted, LONG, Trace, check, error, reports, secs, tick, ticks, virtual_loop};
use futures::channel::oneshot;
use rondel_sched::VirtualClock;
use rondel_task::{
    ALL_COMPLETED, EventLoop, FIRST_COMPLETED, FIRST_EXCEPTION, Future, Result, RuntimeError, Task,
    Timeout, ValueError, create_task, current_task, ensure_future, gather,
    gather_return_exceptions, get_running_loop, run_virtual, shield, sleep, sleep_result, timeout,
    timeout_at, wait, wait_for,
};

/// Runs for some iterations and gives its name, or an exception.
async fn work(
    log: Trace,
    name: &'static str,
    count: usize,
    fails: Option<&'static str>,
) -> Result<&'static str> {
    log.log(format_args!("{name} starts"));
    ticks(count).await?;
    log.log(format_args!("{name} ends"));
    match fails {
        Some(message) => Err(error(message)),
        None => Ok(name),
    }
}

/// Sleeps until it is cancelled and says so; gives its name after all, or lets the error go on.
async fn sleeper(
    log: Trace,
    name: &'static str,
    cleanup: usize,
    swallows: bool,
) -> Result<&'static str> {
    let slept = sleep(LONG).await;
    log.log(format_args!("{name} {slept:?}"));
    for _ in 0..cleanup {
        tick().await?;
        log.log(format_args!("{name} clean"));
    }
    if swallows {
        Ok(name)
    } else {
        slept.map(|()| name)
    }
}

// --- gather ------------------------------------------------------------------------------------

#[test]
fn gather_gives_the_results_in_the_order_given() {
    check(
        async |log: Trace| {
            let done = get_running_loop()?.create_future();
            done.set_result("f")?;
            let a = create_task(work(log.clone(), "a", 2, None))?;
            let b = create_task(work(log.clone(), "b", 0, None))?;
            let c = create_task(work(log.clone(), "c", 1, None))?;
            let all: [Future<&str>; 5] = [a.into(), done.clone(), b.into(), done, c.into()];
            let gathered = gather(all).await;
            log.log("gathered");
            gathered
        },
        &[
            "a starts",
            "b starts",
            "b ends",
            "c starts",
            "c ends",
            "a ends",
            "gathered",
            "Ok([\"a\", \"f\", \"b\", \"f\", \"c\"])",
        ],
    );
}

#[test]
fn gather_of_nothing_is_done_at_once() {
    check(
        async |_| {
            let outer = gather(Vec::<Task<i32>>::new()).future()?;
            assert!(outer.done());
            outer.await
        },
        &["Ok([])"],
    );
}

#[test]
fn gather_raises_the_first_exception_and_the_others_run_on() {
    check(
        async |log: Trace| {
            let slow = create_task(work(log.clone(), "a", 3, None))?;
            let bad = create_task(work(log.clone(), "b", 1, Some("bad")))?;
            let worse = create_task(work(log.clone(), "c", 1, Some("worse")))?;
            log.log(format_args!("{:?}", gather([&slow, &bad, &worse]).await));
            log.log(slow.done());
            slow.await
        },
        &[
            "a starts",
            "b starts",
            "c starts",
            "b ends",
            "c ends",
            "a ends",
            "Err(\"bad\")",
            "true",
            "Ok(\"a\")",
        ],
    );
}

#[test]
fn exceptions_after_the_first_are_not_reported() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let gathered = event_loop.run_until_complete(async {
        let ended = gather([2, 1, 3].map(|n| async move {
            ticks(n).await?;
            Err::<(), _>(error(&n.to_string()))
        }));
        let ended = ended.await;
        ticks(5).await?;
        ended
    });
    assert_eq!(gathered.unwrap_err().to_string(), "1");
    drop(event_loop);
    reports.check(&[]);
}

#[test]
fn gather_with_return_exceptions_waits_for_all() {
    check(
        async |log: Trace| {
            let cancelled = create_task(sleeper(log.clone(), "c", 0, false))?;
            tick().await?;
            cancelled.cancel_with_message("m");
            let a = create_task(work(log.clone(), "a", 0, None))?;
            let b = create_task(work(log.clone(), "b", 0, Some("bad")))?;
            gather_return_exceptions([&a, &b, &cancelled]).await
        },
        &[
            "c Err(CancelledError(\"m\"))",
            "a starts",
            "a ends",
            "b starts",
            "b ends",
            "Ok([Ok(\"a\"), Err(\"bad\"), Err(CancelledError)])",
        ],
    );
}

#[test]
fn a_child_that_is_cancelled_counts_as_one_that_raised() {
    check(
        async |log: Trace| {
            let child = create_task(sleeper(log.clone(), "t", 0, false))?;
            let other = create_task(work(log.clone(), "u", 3, None))?;
            let outer = gather([&child, &other]).future()?;
            tick().await?;
            child.cancel_with_message("m");
            log.log(format_args!("{:?}", (&outer).await));
            log.log(format_args!(
                "{} {:?}",
                outer.cancelled(),
                outer.exception()
            ));
            other.await
        },
        &[
            "u starts",
            "t Err(CancelledError(\"m\"))",
            "u ends",
            "Err(CancelledError(\"m\"))",
            "false Ok(Some(CancelledError(\"m\")))",
            "Ok(\"u\")",
        ],
    );
}

#[test]
fn cancelling_the_outer_future_cancels_the_children() {
    check(
        async |log: Trace| {
            let outer = gather([
                sleeper(log.clone(), "a", 1, false),
                sleeper(log.clone(), "b", 1, false),
            ])
            .future()?;
            tick().await?;
            let called = log.clone();
            outer.add_done_callback(move |_| called.log("outer done"))?;
            log.log(outer.cancel_with_message("m"));
            log.log(format_args!("{:?}", (&outer).await));
            log.log(format_args!("{} {}", outer.cancelled(), outer.cancel()));
            ticks(2).await
        },
        &[
            "true",
            "a Err(CancelledError(\"m\"))",
            "b Err(CancelledError(\"m\"))",
            "a clean",
            "b clean",
            "outer done",
            "Err(CancelledError(\"m\"))",
            "false false",
            "Ok(())",
        ],
    );
}

#[test]
fn a_cancelled_gather_that_returns_exceptions_ends_by_the_error_though_all_swallow_it() {
    check(
        async |log: Trace| {
            let outer = gather_return_exceptions([
                sleeper(log.clone(), "a", 0, true),
                sleeper(log.clone(), "b", 0, true),
            ]);
            let outer = outer.future()?;
            tick().await?;
            outer.cancel_with_message("m");
            log.log(format_args!("{:?}", outer.clone().take().await.map(drop)));
            log.log(format_args!(
                "{} {:?}",
                outer.cancelled(),
                outer.exception()
            ));
            Ok(())
        },
        &[
            "a Err(CancelledError(\"m\"))",
            "b Err(CancelledError(\"m\"))",
            "Err(CancelledError)",
            "false Ok(Some(CancelledError))",
            "Ok(())",
        ],
    );
}

#[test]
fn a_child_given_twice_is_asked_twice_and_a_cancelled_gather_raises_though_it_swallows() {
    check(
        async |log: Trace| {
            let task = create_task(sleeper(log.clone(), "t", 0, true))?;
            let outer = gather([&task, &task]).future()?;
            tick().await?;
            outer.cancel();
            log.log(task.cancelling());
            log.log(format_args!("{:?}", outer.await));
            Ok(())
        },
        &[
            "2",
            "t Err(CancelledError)",
            "Err(CancelledError)",
            "Ok(())",
        ],
    );
}

#[test]
fn a_gather_is_done_one_iteration_after_its_children() {
    check(
        async |log: Trace| {
            let event_loop = get_running_loop()?;
            let futures: Vec<Future<i32>> = (0..3).map(|_| event_loop.create_future()).collect();
            let outer = gather(&futures).future()?;
            let called = log.clone();
            outer.add_done_callback(move |_| called.log("outer"))?;
            for future in &futures {
                let called = log.clone();
                future.add_done_callback(move |_| called.log("child"))?;
            }
            for future in futures.iter().rev() {
                future.set_result(1)?;
            }
            for _ in 0..3 {
                tick().await?;
                log.log(outer.done());
            }
            Ok(())
        },
        &[
            "child", "child", "child", "true", "outer", "true", "true", "Ok(())",
        ],
    );
}

#[test]
fn gather_refuses_children_of_different_loops_and_needs_a_loop() {
    let (one, two) = (virtual_loop(), virtual_loop());
    let futures = [one.create_future::<i32>(), two.create_future::<i32>()];
    assert!(gather(&futures).future().unwrap_err().is::<RuntimeError>());
    assert!(
        gather([async { Ok(1) }])
            .future()
            .unwrap_err()
            .is::<RuntimeError>()
    );
    assert!(gather(Vec::<Task<i32>>::new()).future().is_err());
    // Futures bring their loop.
    let outer = gather(&futures[..1]).future().unwrap();
    futures[0].set_result(5).unwrap();
    assert_eq!(one.run_until_complete(outer).unwrap(), [5]);
    // The error is that of the await, as often as it is awaited.
    let refused = run_virtual(async move { gather(&futures).await });
    assert!(refused.unwrap_err().is::<RuntimeError>());
}

#[test]
fn a_gather_that_is_dropped_leaves_its_children_running() {
    check(
        async |log: Trace| {
            drop(gather([work(log.clone(), "a", 1, None)]));
            ticks(3).await
        },
        &["a starts", "a ends", "Ok(())"],
    );
}

#[test]
fn values_that_are_not_clone_are_gathered_from_coroutines() {
    #[derive(Debug)]
    struct NotClone(#[expect(dead_code, reason = "it is shown")] i32);
    check(
        async |_| {
            gather([1, 2].map(async |n| Ok(NotClone(n))))
                .future()?
                .take()
                .await
        },
        &["Ok([NotClone(1), NotClone(2)])"],
    );
}

#[test]
fn a_gather_that_is_not_awaited_any_more_keeps_nothing_of_its_children() {
    let event_loop = virtual_loop();
    let (held, alive) = Counted::new();
    let future = event_loop.create_future::<i32>();
    future.add_done_callback(move |_| _ = &held).unwrap();
    let waiting = event_loop
        .create_task(async move { gather([future]).await })
        .unwrap();
    event_loop.run_once().unwrap();
    event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
    event_loop.close().unwrap();
    drop(waiting);
    assert_eq!(alive.get(), 0);
}

#[test]
fn a_gather_that_somebody_listens_to_lives_on_when_its_await_is_dropped() {
    check(
        async |log: Trace| {
            let future = get_running_loop()?.create_future();
            let outer = gather([&future]).future()?;
            let called = log.clone();
            outer.add_done_callback(move |outer| {
                called.log(format_args!("called {:?}", outer.result()))
            })?;
            tokio::select! { biased;
                _ = outer => log.log("not yet"),
                _ = tick() => log.log("given up"),
            }
            future.set_result(1)?;
            ticks(2).await
        },
        &["given up", "called Ok([1])", "Ok(())"],
    );
}

#[test]
fn a_gather_that_is_shielded_lives_on_when_its_await_is_dropped() {
    check(
        async |log: Trace| {
            let future = get_running_loop()?.create_future();
            let outer = gather([&future]).future()?;
            let shielded = shield(&outer);
            tokio::select! { biased;
                _ = outer => log.log("not yet"),
                _ = tick() => log.log("given up"),
            }
            future.set_result(1)?;
            shielded.await
        },
        &["given up", "Ok([1])"],
    );
}

#[test]
fn values_of_different_types_are_gathered_in_a_tuple() {
    check(
        async |log: Trace| {
            let task = create_task(work(log.clone(), "task", 2, None))?;
            let future = get_running_loop()?.create_future();
            future.set_result(5)?;
            let all = rondel_task::gather!(
                &task,
                work(log.clone(), "own", 1, None),
                async { Ok('c') },
                future
            );
            log.log(format_args!("{:?}", all.await?));
            let failed =
                rondel_task::gather!(async { Ok(1) }, work(log.clone(), "bad", 1, Some("bad")));
            log.log(failed.await.unwrap_err());
            Ok(())
        },
        &[
            "task starts",
            "own starts",
            "own ends",
            "task ends",
            r#"("task", "own", 'c', 5)"#,
            "bad starts",
            "bad ends",
            "bad",
            "Ok(())",
        ],
    );
}

// --- wait ----------------------------------------------------------------------------------------

#[test]
fn wait_returns_when_it_was_told() {
    check(
        async |log: Trace| {
            let a = create_task(work(log.clone(), "a", 1, None))?;
            let b = create_task(work(log.clone(), "b", 3, None))?;
            let c = create_task(work(log.clone(), "c", 2, Some("bad")))?;
            for return_when in [FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED] {
                let (done, pending) = wait([&a, &b, &c]).return_when(return_when).await?;
                let names = |tasks: Vec<&Task<&'static str>>| -> String {
                    tasks
                        .iter()
                        .map(|&task| {
                            if task.ptr_eq(&a) {
                                'a'
                            } else if task.ptr_eq(&b) {
                                'b'
                            } else {
                                'c'
                            }
                        })
                        .collect()
                };
                log.log(format_args!("{} {}", names(done), names(pending)));
            }
            log.log(format_args!("{:?}", c.exception()));
            Ok(())
        },
        &[
            "a starts",
            "b starts",
            "c starts",
            "a ends",
            "c ends",
            "ac b",
            "b ends",
            "abc ",
            "abc ",
            "Ok(Some(\"bad\"))",
            "Ok(())",
        ],
    );
}

#[test]
fn wait_has_a_time_limit_that_is_no_error_and_takes_each_once() {
    check(
        async |log: Trace| {
            let task = create_task(sleep(LONG))?;
            for (limit, at) in [(secs(0), secs(0)), (secs(5), secs(5))] {
                let (done, pending) = wait([&task, &task]).timeout(limit).await?;
                log.log(format_args!(
                    "{} {} {}",
                    done.len(),
                    pending.len(),
                    task.done()
                ));
                assert_eq!(get_running_loop()?.time(), at);
            }
            Ok(())
        },
        &["0 1 false", "0 1 false", "Ok(())"],
    );
}

#[test]
fn a_cancelled_future_is_no_exception_for_wait() {
    check(
        async |log: Trace| {
            let a = create_task(sleep_result(LONG, "a"))?;
            let b = create_task(work(log.clone(), "b", 3, None))?;
            tick().await?;
            a.cancel();
            let (done, pending) = wait([a, b]).return_when(FIRST_EXCEPTION).await?;
            log.log(format_args!("{} {}", done.len(), pending.len()));
            Ok(())
        },
        &["b starts", "b ends", "2 0", "Ok(())"],
    );
}

#[test]
fn wait_for_a_done_future_takes_two_iterations() {
    check(
        async |log: Trace| {
            let done = get_running_loop()?.create_future();
            done.set_result(1)?;
            let ticking = log.clone();
            let ticker = create_task(async move {
                for i in 0..5 {
                    ticking.log(format_args!("tick {i}"));
                    tick().await?;
                }
                Ok(())
            })?;
            wait([done]).await?;
            log.log("waited");
            ticker.await
        },
        &[
            "tick 0", "tick 1", "waited", "tick 2", "tick 3", "tick 4", "Ok(())",
        ],
    );
}

#[test]
fn wait_of_nothing_is_an_error() {
    let waited = run_virtual(async { wait(Vec::<Task<()>>::new()).await.map(drop) });
    assert!(waited.unwrap_err().is::<ValueError>());
}

#[test]
fn wait_leaves_no_callback_and_no_timer_behind() {
    check(
        async |log: Trace| {
            let event_loop = get_running_loop()?;
            let future = event_loop.create_future::<i32>();
            wait([&future]).timeout(secs(1)).await?;
            let waited = future.clone();
            let waiting = create_task(async move { wait([waited]).timeout(LONG).await.map(drop) })?;
            tick().await?;
            log.log(format_args!("{future:?}").to_string().contains(" cb=["));
            waiting.cancel();
            wait([&waiting]).await?;
            log.log(format_args!("{future:?}"));
            log.log(event_loop.scheduler().next_timer().is_none());
            Ok(())
        },
        &["true", "<Future pending>", "true", "Ok(())"],
    );
}

// --- wait_for ------------------------------------------------------------------------------------

#[test]
fn wait_for_no_time() {
    check(
        async |log: Trace| {
            log.log(format_args!(
                "{:?}",
                wait_for(work(log.clone(), "a", 0, None), Duration::ZERO).await
            ));
            let event_loop = get_running_loop()?;
            let done = event_loop.create_future();
            done.set_result(4)?;
            log.log(format_args!("{:?}", wait_for(done, Duration::ZERO).await));
            let pending = event_loop.create_future::<i32>();
            let waited = wait_for(&pending, Duration::ZERO).await;
            log.log(format_args!("{waited:?} {}", pending.cancelled()));
            let swallows = create_task(sleeper(log.clone(), "s", 1, true))?;
            tick().await?;
            wait_for(swallows, Duration::ZERO).await
        },
        &[
            "Err(TimeoutError())",
            "Ok(4)",
            "Err(TimeoutError()) true",
            "s Err(CancelledError)",
            "s clean",
            "Ok(\"s\")",
        ],
    );
}

#[test]
fn wait_for_some_time() {
    check(
        async |log: Trace| {
            log.log(format_args!(
                "{:?}",
                wait_for(work(log.clone(), "a", 2, None), None).await
            ));
            log.log(format_args!(
                "{:?}",
                wait_for(work(log.clone(), "b", 2, None), secs(10)).await
            ));
            log.log(format_args!("{:?}", wait_for(sleep(LONG), secs(1)).await));
            log.log(format_args!(
                "{:?}",
                wait_for(sleeper(log.clone(), "s", 1, true), secs(1)).await
            ));
            let future = get_running_loop()?.create_future::<i32>();
            let waited = wait_for(shield(&future), secs(1)).await;
            log.log(format_args!("{waited:?} {}", future.cancelled()));
            let failing = async {
                let _ = sleep(LONG).await;
                Err::<(), _>(error("v"))
            };
            log.log(format_args!("{:?}", wait_for(failing, secs(1)).await));
            assert_eq!(get_running_loop()?.time(), secs(4));
            Ok(())
        },
        &[
            "a starts",
            "a ends",
            "Ok(\"a\")",
            "b starts",
            "b ends",
            "Ok(\"b\")",
            "Err(TimeoutError())",
            "s Err(CancelledError)",
            "s clean",
            "Ok(\"s\")",
            "Err(TimeoutError()) false",
            "Err(\"v\")",
            "Ok(())",
        ],
    );
}

#[test]
fn cancelling_who_waits_for_cancels_what_it_waits_for() {
    check(
        async |log: Trace| {
            let inner = log.clone();
            let task = create_task(async move {
                let ended = wait_for(sleeper(inner.clone(), "c", 0, false), secs(10)).await;
                inner.log(format_args!("o {ended:?}"));
                ended
            })?;
            tick().await?;
            task.cancel_with_message("m");
            wait([&task]).await?;
            log.log(task.cancelled());
            Ok(())
        },
        &[
            "c Err(CancelledError(\"m\"))",
            "o Err(CancelledError(\"m\"))",
            "true",
            "Ok(())",
        ],
    );
}

// --- shield ---------------------------------------------------------------------------------------

#[test]
fn shield_tells_the_outer_future_of_the_inner_and_not_the_other_way_round() {
    check(
        async |log: Trace| {
            let inner = create_task(work(log.clone(), "i", 4, None))?;
            let outer = shield(&inner).future()?;
            tick().await?;
            outer.cancel_with_message("m");
            log.log(format_args!("{:?} {}", outer.await, inner.cancelled()));
            log.log((&inner).await?);
            let inner = create_task(sleep(LONG))?;
            let outer = shield(&inner).future()?;
            tick().await?;
            inner.cancel_with_message("k");
            log.log(format_args!("{:?} {}", (&outer).await, outer.cancelled()));
            let done = get_running_loop()?.create_future();
            done.set_result(1)?;
            log.log(shield(&done).future()?.ptr_eq(&done));
            log.log(format_args!(
                "{:?}",
                shield(work(log.clone(), "j", 0, Some("bad"))).await
            ));
            Ok(())
        },
        &[
            "i starts",
            "Err(CancelledError(\"m\")) false",
            "i ends",
            "i",
            "Err(CancelledError) true",
            "true",
            "j starts",
            "j ends",
            "Err(\"bad\")",
            "Ok(())",
        ],
    );
}

#[test]
fn an_exception_behind_an_abandoned_shield_is_reported() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    event_loop
        .run_until_complete(async {
            let outer = shield(async {
                ticks(3).await?;
                Err::<(), _>(error("bad"))
            });
            let outer = outer.future()?;
            tick().await?;
            outer.cancel();
            ticks(6).await
        })
        .unwrap();
    reports.check(&["Task exception was never retrieved: bad"]);
}

// --- sleep -----------------------------------------------------------------------------------------

#[test]
fn sleep_zero_lets_everybody_else_run() {
    check(
        async |log: Trace| {
            gather(["a", "b", "c"].map(|name| {
                let log = log.clone();
                async move {
                    for i in 0..3 {
                        log.log(format_args!("{name}{i}"));
                        tick().await?;
                    }
                    Ok(())
                }
            }))
            .await
            .map(drop)
        },
        &[
            "a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2", "Ok(())",
        ],
    );
}

#[test]
fn sleepers_wake_in_the_order_of_time_and_of_going_to_sleep() {
    check(
        async |log: Trace| {
            let all = [("c", 3), ("a", 1), ("z", 0), ("b", 2), ("a2", 1)].map(|(name, seconds)| {
                let log = log.clone();
                async move {
                    let name = sleep_result(secs(seconds), name).await?;
                    log.log(format_args!("{name} {:?}", get_running_loop()?.time()));
                    Ok(())
                }
            });
            gather(all).await.map(drop)
        },
        &["z 0ns", "a 1s", "a2 1s", "b 2s", "c 3s", "Ok(())"],
    );
}

#[test]
fn a_wake_up_from_another_thread_does_not_shorten_a_sleep() {
    check(
        async |log: Trace| {
            let first = log.clone();
            let a = create_task(async move {
                std::future::poll_fn(|cx| {
                    let waker = cx.waker().clone();
                    std::thread::spawn(move || waker.wake())
                        .join()
                        .expect("waking does not panic");
                    std::task::Poll::Ready(())
                })
                .await;
                for i in 0..4 {
                    first.log(format_args!("a{i}"));
                    tick().await?;
                }
                Ok(())
            })?;
            let second = log.clone();
            let b = create_task(async move {
                for i in 0..4 {
                    second.log(format_args!("b{i}"));
                    tick().await?;
                }
                Ok(())
            })?;
            gather([a, b]).await.map(drop)
        },
        &["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3", "Ok(())"],
    );
}

#[test]
fn sleep_needs_a_loop_and_leaves_no_timer_behind() {
    assert!(futures::executor::block_on(sleep(secs(1))).is_err());
    check(
        async |log: Trace| {
            let task = create_task(sleep(LONG))?;
            tick().await?;
            task.cancel();
            wait([&task]).await?;
            log.log(get_running_loop()?.scheduler().next_timer().is_none());
            Ok(())
        },
        &["true", "Ok(())"],
    );
}

// --- timeout ---------------------------------------------------------------------------------------

fn cancelling() -> u32 {
    current_task().map_or(0, |task| task.cancelling())
}

#[test]
fn timeout_turns_its_own_cancellation_into_an_error() {
    check(
        async |log: Trace| {
            let kept: Rc<RefCell<Option<Timeout>>> = Rc::default();
            let scope = kept.clone();
            let late = timeout(secs(1), async move |own| {
                scope.replace(Some(own));
                sleep(LONG).await
            });
            let late = late.await;
            let scope = kept.take().expect("the block has run");
            log.log(format_args!(
                "{late:?} {} {}",
                scope.expired(),
                cancelling()
            ));
            let ended = timeout(None, async |scope| {
                assert_eq!(scope.when(), None);
                tick().await?;
                Ok(scope)
            });
            let scope = ended.await?;
            log.log(format_args!(
                "{} {:?}",
                scope.expired(),
                scope.reschedule(None).is_err()
            ));
            let swallows = timeout(secs(1), async |scope| {
                let slept = sleep(LONG).await;
                Ok((slept.is_err(), scope))
            });
            let (cancelled, scope) = swallows.await?;
            log.log(format_args!(
                "{cancelled} {} {}",
                scope.expired(),
                cancelling()
            ));
            let raises = timeout(secs(1), async |_| {
                let _ = sleep(LONG).await;
                Err::<(), _>(error("v"))
            });
            log.log(format_args!("{:?} {}", raises.await, cancelling()));
            Ok(())
        },
        &[
            "Err(TimeoutError()) true 0",
            "false true",
            "true true 0",
            "Err(\"v\") 0",
            "Ok(())",
        ],
    );
}

#[test]
fn a_deadline_can_be_moved_and_lifted() {
    check(
        async |log: Trace| {
            let now = || get_running_loop().map(|event_loop| event_loop.time());
            let moved = timeout(LONG, async |scope| {
                scope.reschedule(Some(secs(1)))?;
                assert_eq!(scope.when(), Some(secs(1)));
                sleep(LONG).await
            });
            log.log(format_args!("{:?} {:?}", moved.await, now()?));
            let lifted = timeout(secs(1), async |scope| {
                scope.reschedule(None)?;
                sleep(secs(5)).await
            });
            log.log(format_args!("{:?} {:?}", lifted.await, now()?));
            let past = timeout_at(secs(2), async |_| sleep(LONG).await);
            log.log(format_args!("{:?} {:?}", past.await, now()?));
            Ok(())
        },
        &[
            "Err(TimeoutError()) 1s",
            "Ok(()) 6s",
            "Err(TimeoutError()) 6s",
            "Ok(())",
        ],
    );
}

#[test]
fn a_deadline_that_has_passed_is_felt_at_the_first_await() {
    check(
        async |log: Trace| {
            let inner = log.clone();
            let late = timeout(Duration::ZERO, async move |_| {
                inner.log("in");
                tick().await?;
                inner.log("not reached");
                Ok(())
            });
            log.log(format_args!("{:?}", late.await));
            log.log(format_args!(
                "{:?}",
                timeout(Duration::ZERO, async |_| Ok("no await")).await
            ));
            tick().await
        },
        &["in", "Err(TimeoutError())", "Ok(\"no await\")", "Ok(())"],
    );
}

#[test]
fn nested_timeouts_end_each_by_its_own() {
    check(
        async |log: Trace| {
            for (outer, inner) in [(1, 2), (2, 1), (1, 1)] {
                let log2 = log.clone();
                let ended = timeout(secs(outer), async move |a: Timeout| {
                    let b: Rc<RefCell<Option<Timeout>>> = Rc::default();
                    let scope = b.clone();
                    let ended = timeout(secs(inner), async move |own| {
                        scope.replace(Some(own));
                        sleep(LONG).await
                    });
                    let ended = ended.await;
                    let b = b.take().expect("the block has run");
                    log2.log(format_args!(
                        "inner {ended:?} {} {}",
                        a.expired(),
                        b.expired()
                    ));
                    match ended {
                        Err(error) if error.is_cancelled() => Err(error),
                        _ => Ok(()),
                    }
                });
                log.log(format_args!("outer {:?} {}", ended.await, cancelling()));
            }
            Ok(())
        },
        &[
            "inner Err(CancelledError) true false",
            "outer Err(TimeoutError()) 0",
            "inner Err(TimeoutError()) false true",
            "outer Ok(()) 0",
            "inner Err(CancelledError) true true",
            "outer Err(TimeoutError()) 0",
            "Ok(())",
        ],
    );
}

#[test]
fn a_cancellation_at_the_deadline_wins() {
    check(
        async |log: Trace| {
            let inner = log.clone();
            let task = create_task(async move {
                let ended = timeout(secs(1), async |_| sleep(LONG).await).await;
                inner.log(format_args!("{ended:?}"));
                ended
            })?;
            tick().await?;
            let cancelled = task.clone();
            get_running_loop()?
                .call_later(secs(1), move || assert!(cancelled.cancel_with_message("m")))?;
            wait([&task]).await?;
            log.log(format_args!("{} {}", task.cancelled(), task.cancelling()));
            Ok(())
        },
        &["Err(CancelledError)", "true 1", "Ok(())"],
    );
}

#[test]
fn a_result_in_the_iteration_of_the_deadline_comes_too_late() {
    let clock = VirtualClock::new();
    let event_loop = EventLoop::with_clock(clock.clone()).unwrap();
    let ended = event_loop.run_until_complete(async move {
        let event_loop = get_running_loop()?;
        let future = event_loop.create_future();
        let waited = future.clone();
        let task = create_task(async move { timeout(secs(2), async |_| waited.await).await })?;
        tick().await?;
        event_loop.call_at(secs(1), move || future.set_result("value").unwrap())?;
        // Both are due when the loop looks again.
        clock.advance(secs(3));
        task.await
    });
    assert!(ended.unwrap_err().is_timeout());
}

#[test]
fn a_timeout_needs_a_task() {
    let refused = futures::executor::block_on(timeout_at(None, async |_| Ok(())));
    assert!(refused.unwrap_err().is::<RuntimeError>());
}

#[test]
fn a_scope_that_was_dropped_cannot_be_armed_again() {
    let ended = run_virtual(async {
        let kept: Rc<RefCell<Option<Timeout>>> = Rc::default();
        let scope = kept.clone();
        tokio::select! { biased;
            _ = timeout(secs(1), async move |own| {
                scope.replace(Some(own));
                sleep(LONG).await
            }) => {}
            _ = std::future::ready(()) => {}
        }
        let scope = kept.take().expect("the block has begun");
        let refused = scope.reschedule(Some(secs(2))).is_err();
        sleep(secs(5)).await?;
        Ok(refused)
    });
    assert!(ended.unwrap());
}

#[test]
fn a_scope_that_is_dropped_at_its_deadline_takes_its_request_back() {
    let ended = run_virtual(async {
        let (sender, receiver) = oneshot::channel::<()>();
        get_running_loop()?.call_later(secs(1), move || sender.send(()).expect("it is awaited"))?;
        tokio::select! { biased;
            _ = receiver => {}
            _ = timeout(secs(1), async |_| sleep(LONG).await) => {}
        }
        Ok(cancelling())
    });
    assert_eq!(ended.unwrap(), 0);
}

// --- ensure_future -----------------------------------------------------------------------------------

#[test]
fn ensure_future_makes_tasks_of_coroutines_and_leaves_futures_alone() {
    check(
        async |log: Trace| {
            let task = create_task(async { Ok(1) })?;
            let future = ensure_future(&task)?;
            log.log(future.ptr_eq(&task));
            let made = ensure_future(async { Ok(2) })?;
            log.log(
                format_args!("{made:?}")
                    .to_string()
                    .starts_with("<Task pending"),
            );
            let outer = ensure_future(gather([&task]))?;
            Ok((future.await?, made.await?, outer.await?))
        },
        &["true", "true", "Ok((1, 2, [1]))"],
    );
}
