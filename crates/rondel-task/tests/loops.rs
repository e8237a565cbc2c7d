//! Loops: running, stopping, closing, nesting, what lives on after them, reports, and that nothing leaks.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use common::{Counted, LONG, OnDrop, Trace, error, reports, secs, tick, virtual_loop};
use rondel_reactor::{ExceptionContext, RunError};
use rondel_task::{
    EventLoop, Exception, Future, RuntimeError, all_tasks, create_task, current_task, gather,
    get_event_loop, get_running_loop, new_event_loop, run, run_virtual, set_event_loop, shield,
    sleep, timeout, wait, wait_for,
};

fn run_error(error: &Exception) -> &RunError {
    error
        .downcast_ref()
        .expect("it is an error of running the loop")
}

// --- running ------------------------------------------------------------------------------------

#[test]
fn a_run_inside_a_run_is_refused() {
    let ended = run(async {
        let refused = run(async { Ok(()) }).unwrap_err();
        assert!(refused.is::<RuntimeError>(), "{refused:?}");
        assert!(run_virtual(async { Ok(()) }).is_err());
        let own = get_running_loop()?;
        assert!(run_error(&own.run_until_complete(async { Ok(()) }).unwrap_err()).is_running());
        assert!(own.run_forever().unwrap_err().is_running());
        assert!(own.run_once().unwrap_err().is_running());
        assert!(own.close().unwrap_err().is_running());
        let other = new_event_loop()?;
        assert!(run_error(&other.run_until_complete(async { Ok(()) }).unwrap_err()).is_nested());
        other.close()?;
        tick().await?;
        Ok("undisturbed")
    });
    assert_eq!(ended.unwrap(), "undisturbed");
    assert!(get_running_loop().is_err());
}

#[test]
fn a_refused_run_leaves_no_task_behind() {
    let event_loop = virtual_loop();
    let inner = event_loop.clone();
    let (held, alive) = Counted::new();
    event_loop
        .run_until_complete(async move {
            let before = all_tasks(None)?.len();
            let refused = inner.run_until_complete(async move {
                drop(held);
                Ok(())
            });
            assert!(refused.is_err());
            assert_eq!(all_tasks(None)?.len(), before);
            Ok(())
        })
        .unwrap();
    assert_eq!(alive.get(), 0);
}

#[test]
fn a_loop_runs_again_and_again() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<i32>();
    let waiting = event_loop.create_task({
        let future = future.clone();
        async move { future.await }
    });
    for n in 0..3 {
        let slept = event_loop.run_until_complete(async move {
            sleep(secs(1)).await?;
            Ok(n)
        });
        assert_eq!(slept.unwrap(), n);
    }
    assert_eq!(event_loop.time(), secs(3));
    future.set_result(9).unwrap();
    assert_eq!(event_loop.run_until_complete(waiting.unwrap()).unwrap(), 9);
}

#[test]
fn stop_ends_the_run_before_the_future_is_done() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<i32>();
    let stopping = event_loop.clone();
    event_loop
        .call_later(secs(1), move || stopping.stop())
        .unwrap();
    let stopped = event_loop.run_until_complete(&future).unwrap_err();
    assert_eq!(
        stopped.to_string(),
        "event loop stopped before the future completed"
    );
    assert_eq!(format!("{future:?}"), "<Future pending>");
    event_loop.stop();
    assert!(
        event_loop.run_until_complete(&future).is_err(),
        "stopped before it ran: one iteration"
    );
    future.set_result(1).unwrap();
    assert_eq!(event_loop.run_until_complete(&future).unwrap(), 1);
}

#[test]
fn a_closed_loop_runs_nothing() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<i32>();
    event_loop.close().unwrap();
    event_loop.close().unwrap();
    assert!(run_error(&event_loop.run_until_complete(&future).unwrap_err()).is_closed());
    let (held, alive) = Counted::new();
    let refused = event_loop.run_until_complete(async move {
        drop(held);
        Ok(())
    });
    assert!(run_error(&refused.unwrap_err()).is_closed());
    assert_eq!(alive.get(), 0);
    assert!(event_loop.call_soon(|| {}).is_err());
    assert!(event_loop.run_forever().unwrap_err().is_closed());
    assert!(event_loop.is_closed() && !event_loop.is_running());
}

#[test]
fn nothing_left_to_do_under_a_virtual_clock_is_an_error_that_says_who_waits() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<i32>();
    let task = event_loop.create_task({
        let future = future.clone();
        async move { future.await }
    });
    let task = task.unwrap();
    task.set_name("the waiter");
    let deadlock = event_loop.run_until_complete(&task).unwrap_err();
    assert!(run_error(&deadlock).is_deadlock());
    assert!(
        deadlock
            .to_string()
            .contains("<Task pending name='the waiter'"),
        "{deadlock}"
    );
    // And it can go on.
    future.set_result(2).unwrap();
    assert_eq!(event_loop.run_until_complete(&task).unwrap(), 2);
    assert!(run_virtual(std::future::pending::<rondel_task::Result<()>>()).is_err());
}

#[test]
fn a_thousand_timers_due_at_once_run_in_the_order_of_setting() {
    let event_loop = virtual_loop();
    let order: Rc<RefCell<Vec<usize>>> = Rc::default();
    let mut handles = Vec::new();
    for place in 0..1000 {
        let order = order.clone();
        handles.push(
            event_loop
                .call_at(secs(1), move || order.borrow_mut().push(place))
                .unwrap(),
        );
    }
    handles
        .iter()
        .skip(1)
        .step_by(2)
        .for_each(|handle| handle.cancel());
    let woken = order.clone();
    event_loop
        .run_until_complete(async move {
            let sleepers = (1000..2000).map(|place| {
                let woken = woken.clone();
                async move {
                    sleep(secs(1)).await?;
                    woken.borrow_mut().push(place);
                    Ok(())
                }
            });
            gather(sleepers).await.map(drop)
        })
        .unwrap();
    assert!(
        order
            .take()
            .into_iter()
            .eq((0..1000).step_by(2).chain(1000..2000))
    );
}

// --- which loop -----------------------------------------------------------------------------------

#[test]
fn the_loop_of_a_thread_is_set_and_unset() {
    assert!(get_event_loop().is_err());
    let event_loop = virtual_loop();
    set_event_loop(Some(&event_loop));
    assert!(get_event_loop().unwrap().ptr_eq(&event_loop));
    std::thread::spawn(|| assert!(get_event_loop().is_err()))
        .join()
        .unwrap();
    let other = virtual_loop();
    let running = other.clone();
    other
        .run_until_complete(async move {
            assert!(get_event_loop()?.ptr_eq(&running), "the running one counts");
            assert!(get_running_loop()?.ptr_eq(&running));
            Ok(())
        })
        .unwrap();
    assert!(get_event_loop().unwrap().ptr_eq(&event_loop));
    run_virtual(async { Ok(()) }).unwrap();
    assert!(
        get_event_loop().is_err(),
        "a run unsets it, as asyncio.run does"
    );
    set_event_loop(Some(&event_loop));
    set_event_loop(None);
    assert!(get_event_loop().is_err());
}

#[test]
fn tasks_can_be_made_on_a_loop_that_is_set_but_does_not_run() {
    let event_loop = virtual_loop();
    set_event_loop(Some(&event_loop));
    let outer = gather([1, 2].map(async |n| Ok(n))).future().unwrap();
    let shielded = shield(async { Ok(3) });
    set_event_loop(None);
    assert_eq!(event_loop.run_until_complete(outer).unwrap(), [1, 2]);
    assert_eq!(event_loop.run_until_complete(shielded).unwrap(), 3);
}

// --- the end ----------------------------------------------------------------------------------------

#[test]
fn futures_live_on_after_their_loop() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let [plain, with_callback, done, cancelled] =
        [(); 4].map(|()| event_loop.create_future::<i32>());
    let log = trace.clone();
    let key = with_callback
        .add_done_callback(move |_| log.log("never called"))
        .unwrap();
    done.set_result(3).unwrap();
    let task = event_loop.create_task(async { Ok(4) }).unwrap();
    event_loop.run_until_complete(&task).unwrap();
    let weak = plain.get_loop();
    drop((event_loop, weak));
    assert_eq!((done.result().unwrap(), task.result().unwrap()), (3, 4));
    plain.set_result(1).unwrap();
    assert_eq!(plain.result().unwrap(), 1);
    assert!(
        with_callback
            .set_result(2)
            .unwrap_err()
            .is::<rondel_sched::ClosedError>()
    );
    assert_eq!(with_callback.result().unwrap(), 2, "it is set all the same");
    assert!(with_callback.add_callback_again(&key).is_err());
    assert!(cancelled.cancel() && cancelled.cancelled());
    assert!(done.get_loop().is_closed());
    assert!(done.get_loop().create_task(async { Ok(()) }).is_err());
    assert_eq!(
        futures::executor::block_on(async { done.await }).unwrap(),
        3
    );
    trace.check(&[]);
}

#[test]
fn a_future_of_a_closed_loop_reports_to_its_handler() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let future = event_loop.create_future::<i32>();
    drop(event_loop);
    future.set_exception(error("late")).unwrap();
    drop(future);
    reports.check(&["Future exception was never retrieved: late"]);
}

#[test]
fn the_last_handle_closes_the_loop_wherever_it_goes() {
    let event_loop = virtual_loop();
    let (held, alive) = Counted::new();
    event_loop.call_later(LONG, move || drop(held)).unwrap();
    let clone = event_loop.clone();
    event_loop.call_soon(move || drop(clone)).unwrap();
    event_loop.run_once().unwrap();
    assert_eq!(alive.get(), 1);
    drop(event_loop);
    assert_eq!(alive.get(), 0);
}

#[test]
fn the_end_of_a_run_closes_the_loop_and_frees_what_it_holds() {
    let (held, alive) = Counted::new();
    let kept: Rc<RefCell<Option<EventLoop>>> = Rc::default();
    let out = kept.clone();
    run_virtual(async move {
        let event_loop = get_running_loop()?;
        out.replace(Some(event_loop.clone()));
        // Cycles through the loop: callbacks, timers and coroutines that own it.
        let (own, first) = (event_loop.clone(), held.clone());
        event_loop.call_later(LONG, move || drop((own, first)))?;
        let (own, second) = (event_loop.clone(), held);
        create_task(async move {
            let _held = (own, second, current_task());
            sleep(LONG).await
        })?;
        tick().await
    })
    .unwrap();
    assert_eq!(alive.get(), 0);
    assert!(kept.take().unwrap().is_closed());
}

#[test]
fn callbacks_after_the_main_coroutine_run_as_long_as_in_cpython() {
    // asyncio.run goes on for some iterations, to shut down asynchronous generators and the executor.
    let count = Rc::new(Cell::new(0));
    fn again(event_loop: &EventLoop, count: Rc<Cell<u32>>) {
        count.set(count.get() + 1);
        let own = event_loop.clone();
        let _ = event_loop.call_soon(move || again(&own, count));
    }
    let counted = count.clone();
    run_virtual(async move {
        let event_loop = get_running_loop()?;
        let own = event_loop.clone();
        event_loop.call_soon(move || again(&own, counted))?;
        Ok(())
    })
    .unwrap();
    assert_eq!(count.get(), 5);
}

#[test]
fn what_tasks_raise_while_a_run_ends_is_reported() {
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let reports = seen.clone();
    run_virtual(async move {
        get_running_loop()?.set_exception_handler(Some(
            move |_: &EventLoop, context: &ExceptionContext| {
                reports.borrow_mut().push(
                    context
                        .to_string()
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                );
            },
        ));
        create_task(async {
            let _ = sleep(LONG).await;
            Err::<(), _>(error("while cancelled"))
        })?;
        tick().await
    })
    .unwrap();
    assert_eq!(seen.take(), ["unhandled exception during run() shutdown"]);
}

// --- reports --------------------------------------------------------------------------------------------

#[test]
fn callbacks_that_panic_are_reported_and_the_next_ones_run() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let trace = Trace::new();
    event_loop.call_soon(|| panic!("one")).unwrap();
    let log = trace.clone();
    event_loop.call_soon(move || log.log("between")).unwrap();
    event_loop.call_later(secs(1), || panic!("two")).unwrap();
    event_loop.run_until_complete(sleep(secs(2))).unwrap();
    trace.check(&["between"]);
    let reports = reports.take();
    assert_eq!(reports.len(), 2);
    assert!(
        reports[0].starts_with("Exception in callback ") && reports[0].ends_with(": panicked: one")
    );
    assert!(reports[1].ends_with(": panicked: two"));
}

#[test]
fn a_handler_that_panics_stops_nothing() {
    let event_loop = virtual_loop();
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    event_loop.set_exception_handler(Some(move |_: &EventLoop, _: &ExceptionContext| {
        counted.set(counted.get() + 1);
        panic!("in the handler");
    }));
    event_loop.call_soon(|| panic!("in a callback")).unwrap();
    event_loop
        .create_future::<i32>()
        .set_exception(error("unread"))
        .unwrap();
    drop(event_loop.create_task(async { Err::<(), _>(error("unread")) }));
    assert_eq!(event_loop.run_until_complete(async { Ok(1) }).unwrap(), 1);
    assert_eq!(calls.get(), 3);
}

#[test]
fn a_handler_may_exchange_itself_and_use_the_loop() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let log = trace.clone();
    event_loop.set_exception_handler(Some(
        move |event_loop: &EventLoop, context: &ExceptionContext| {
            let second = log.clone();
            event_loop.set_exception_handler(Some(
                move |_: &EventLoop, context: &ExceptionContext| {
                    second.log(format_args!("second {}", context.exception().unwrap()));
                },
            ));
            let called = log.clone();
            event_loop.call_soon(move || called.log("called")).unwrap();
            log.log(format_args!("first {}", context.exception().unwrap()));
        },
    ));
    for text in ["a", "b"] {
        event_loop
            .create_future::<i32>()
            .set_exception(error(text))
            .unwrap();
    }
    event_loop.run_once().unwrap();
    trace.check(&["first a", "second b", "called"]);
}

#[test]
fn a_handler_is_dropped_with_its_loop() {
    let event_loop = virtual_loop();
    let (held, alive) = Counted::new();
    event_loop.set_exception_handler(Some(move |_: &EventLoop, _: &ExceptionContext| _ = &held));
    drop(event_loop);
    assert_eq!(alive.get(), 0);
}

// --- leaks ----------------------------------------------------------------------------------------------

/// Runs a program that drops what it was given at its end or leaves it in something that never ends.
#[track_caller]
fn check_frees<F>(program: impl FnOnce(Counted) -> F)
where
    F: core::future::Future<Output = rondel_task::Result<()>> + 'static,
{
    let (held, alive) = Counted::new();
    let event_loop = virtual_loop();
    event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
    let ended = event_loop.run_until_complete(program(held));
    assert!(ended.is_ok(), "{ended:?}");
    drop(event_loop);
    assert_eq!(alive.get(), 0);
}

/// A future of which a callback holds something: it is freed with the future.
fn future_that_holds(held: Counted) -> rondel_task::Result<Future<()>> {
    let future = get_running_loop()?.create_future();
    future.add_done_callback(move |_| _ = &held)?;
    Ok(future)
}

#[test]
fn futures_that_are_never_done_are_freed() {
    check_frees(async |held| {
        drop(future_that_holds(held)?);
        Ok(())
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        assert!(wait_for(future, secs(1)).await.is_err());
        Ok(())
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        assert!(wait_for(shield(future), secs(1)).await.is_err());
        tick().await
    });
    check_frees(async |held| {
        let never = get_running_loop()?.create_future::<()>();
        let outer = shield(&never).future()?;
        outer.add_done_callback(move |_| _ = &held).map(drop)?;
        Ok(())
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        wait([future]).timeout(secs(1)).await.map(drop)
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        let late = timeout(secs(1), async |_| future.await).await;
        assert!(late.unwrap_err().is_timeout());
        Ok(())
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        assert!(wait_for(gather([future]), secs(1)).await.is_err());
        Ok(())
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        tokio::select! { biased;
            _ = async { gather([future]).await } => {}
            _ = sleep(secs(1)) => {}
        }
        Ok(())
    });
}

#[test]
fn gathers_inside_others_are_freed() {
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        assert!(wait_for(gather([gather([future])]), secs(1)).await.is_err());
        Ok(())
    });
    check_frees(async |held| {
        let inner = gather([future_that_holds(held)?]);
        tokio::select! { biased;
            _ = async { gather([inner]).await } => {}
            _ = sleep(secs(1)) => {}
        }
        Ok(())
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        assert!(wait_for(shield(gather([future])), secs(1)).await.is_err());
        tick().await
    });
    check_frees(async |held| {
        drop(gather([future_that_holds(held)?]));
        Ok(())
    });
}

#[test]
fn tasks_that_are_never_done_are_freed_with_their_loop() {
    check_frees(async |held| {
        create_task(async move {
            let _held = held;
            std::future::pending::<rondel_task::Result<()>>().await
        })
        .map(drop)
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        create_task(async move { future.await })?;
        tick().await
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        create_task(async move { shield(future).await })?;
        tick().await
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        create_task(async move { wait([future]).await.map(drop) })?;
        tick().await
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        create_task(async move { gather([future]).await.map(drop) })?;
        tick().await
    });
    check_frees(async |held| {
        let future = future_that_holds(held)?;
        create_task(async move { futures::join!(std::future::IntoFuture::into_future(future)).0 })?;
        tick().await
    });
}

#[test]
fn values_exceptions_and_callbacks_are_freed() {
    check_frees(async |held| {
        let task = create_task(async move { Ok(held) })?;
        let (a, b) = (task.clone().await?, task.clone().await?);
        drop((a, b));
        gather([&task, &task]).await.map(drop)
    });
    check_frees(async |held| {
        let dropped = Rc::new(Cell::new(false));
        let seen = dropped.clone();
        let on_drop = OnDrop(move || seen.set(true));
        let handle = get_running_loop()?.call_soon(move || drop((on_drop, held)))?;
        handle.cancel();
        assert!(dropped.get(), "at once");
        Ok(())
    });
    check_frees(async |held| {
        let task = create_task(async { sleep(LONG).await })?;
        let own = task.clone();
        task.add_done_callback(move |_| _ = (&own, &held))?;
        tick().await?;
        task.cancel();
        let _ = wait([task]).await?;
        Ok(())
    });
}

#[test]
fn loops_are_freed_and_their_numbers_used_again() {
    let (held, alive) = Counted::new();
    for _ in 0..200 {
        let event_loop = virtual_loop();
        let held = held.clone();
        let task = event_loop.create_task(async move {
            let _held = held;
            tick().await
        });
        event_loop.run_until_complete(task.unwrap()).unwrap();
    }
    assert_eq!(alive.get(), 1);
}
