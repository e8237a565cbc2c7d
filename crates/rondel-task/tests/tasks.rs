//! Tasks: names, listing, panics, texts, awaiting oneself or another loop, the end of a loop, and coroutines of every shape.

mod common;

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use common::{Counted, LONG, OnDrop, Trace, check, error, reports, tick, ticks, virtual_loop};
use rondel_context::{Context as Vars, ContextVar};
use rondel_reactor::ExceptionContext;
use rondel_reactor::PanicError;
use rondel_task::{
    EventLoop, Exception, Future, Result, RuntimeError, Task, all_tasks, create_task, current_task,
    ensure_future, gather, get_running_loop, run, run_virtual, sleep,
};

static WHO: ContextVar<&str> = ContextVar::with_default("who", "nobody");

/// Replaces the numbers of lines and tasks, which depend on where a test stands and what ran before.
fn anonymous(text: &str) -> String {
    let mut anonymous = String::new();
    for c in text.replace(file!(), "FILE").chars() {
        let c = if c.is_ascii_digit() { '#' } else { c };
        if c != '#' || !anonymous.ends_with('#') {
            anonymous.push(c);
        }
    }
    anonymous
}

// --- names, listing, creating ---------------------------------------------------------------------

#[test]
fn tasks_are_numbered_and_can_be_named() {
    let event_loop = virtual_loop();
    let tasks = [0, 1].map(|n| event_loop.create_task(async move { Ok(n) }).unwrap());
    let [first, second] = tasks.each_ref().map(|task| {
        let name = task.get_name();
        name.strip_prefix("Task-").unwrap().parse::<u64>().unwrap()
    });
    assert_eq!(second, first + 1);
    tasks[0].set_name("first");
    assert_eq!(tasks[0].get_name(), "first");
    assert_eq!(tasks[0].erase().get_name(), "first");
    event_loop.run_once().unwrap();
    assert_eq!(tasks[0].get_name(), "first");
}

#[test]
fn the_current_task_is_the_one_that_is_stepped() {
    assert!(current_task().is_none());
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let says = |trace: &Trace, place: &str| {
        let name = current_task().map(|task| task.get_name());
        trace.log(format_args!("{place} {name:?}"));
    };
    let log = trace.clone();
    let task = event_loop.create_task(async move {
        says(&log, "coroutine");
        let called = log.clone();
        get_running_loop()?.call_soon(move || says(&called, "callback"))?;
        tick().await?;
        says(&log, "coroutine");
        let _held = OnDrop(move || says(&log, "destructor"));
        Ok(())
    });
    let task = task.unwrap();
    task.set_name("it");
    let done = trace.clone();
    task.add_done_callback(move |_| says(&done, "done"))
        .unwrap();
    event_loop.run_until_complete(&task).unwrap();
    assert!(current_task().is_none());
    trace.check(&[
        "coroutine Some(\"it\")",
        "callback None",
        "coroutine Some(\"it\")",
        "destructor Some(\"it\")",
        "done None",
    ]);
}

#[test]
fn all_tasks_are_those_that_are_not_done_in_the_order_of_creation() {
    assert!(all_tasks(None).is_err());
    let event_loop = virtual_loop();
    assert!(all_tasks(Some(&event_loop)).unwrap().is_empty());
    for name in ["a", "b", "c"] {
        let task = event_loop.create_task(async move {
            if name == "b" {
                Ok(())
            } else {
                sleep(LONG).await
            }
        });
        task.unwrap().set_name(name);
    }
    let names = |tasks: Vec<Task<rondel_task::Opaque>>| -> Vec<String> {
        tasks.iter().map(|task| task.get_name()).collect()
    };
    assert_eq!(
        names(all_tasks(Some(&event_loop)).unwrap()),
        ["a", "b", "c"]
    );
    event_loop.run_once().unwrap();
    // The slot of "b" is used again, the order is kept.
    event_loop
        .create_task(async { Ok(()) })
        .unwrap()
        .set_name("d");
    assert_eq!(
        names(all_tasks(Some(&event_loop)).unwrap()),
        ["a", "c", "d"]
    );
    event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
    event_loop.close().unwrap();
    assert!(all_tasks(Some(&event_loop)).unwrap().is_empty());
}

#[test]
fn without_a_loop_no_task_is_made_and_the_coroutine_is_dropped() {
    let (held, alive) = Counted::new();
    let refused = create_task(async move {
        drop(held);
        Ok(())
    });
    assert!(
        refused
            .unwrap_err()
            .is::<rondel_reactor::NoRunningLoopError>()
    );
    assert_eq!(alive.get(), 0);
    assert!(
        ensure_future(async { Ok(()) })
            .unwrap_err()
            .is::<RuntimeError>()
    );
    let event_loop = virtual_loop();
    event_loop.close().unwrap();
    assert!(event_loop.create_task(async { Ok(()) }).is_err());
    assert!(get_running_loop().is_err());
}

#[test]
fn the_loop_owns_its_tasks() {
    check(
        async |log: Trace| {
            let inner = log.clone();
            drop(create_task(async move {
                ticks(3).await?;
                inner.log("ran to its end");
                Ok(())
            })?);
            ticks(5).await
        },
        &["ran to its end", "Ok(())"],
    );
}

#[test]
fn the_result_is_read_again_and_again() {
    let event_loop = virtual_loop();
    let task = event_loop
        .create_task(async { Ok("value".to_owned()) })
        .unwrap();
    for _ in 0..3 {
        assert_eq!(event_loop.run_until_complete(&task).unwrap(), "value");
        assert_eq!(task.result().unwrap(), "value");
    }
    let clone = task.clone();
    let twice =
        event_loop.run_until_complete(async move { Ok((clone.clone().await?, clone.await?)) });
    assert_eq!(twice.unwrap(), ("value".to_owned(), "value".to_owned()));
    assert_eq!(task.take_result().unwrap(), "value");
    assert!(task.result().is_err());
}

#[test]
fn only_the_coroutine_sets_the_result() {
    let event_loop = virtual_loop();
    let task = event_loop.create_task(async { Ok(1) }).unwrap();
    assert!(task.set_result(2).unwrap_err().is::<RuntimeError>());
    assert!(
        task.set_exception(error("no"))
            .unwrap_err()
            .is::<RuntimeError>()
    );
    let erased: Future<rondel_task::Opaque> = task.erase().into();
    assert!(
        erased
            .set_result(rondel_task::Opaque)
            .unwrap_err()
            .is::<RuntimeError>()
    );
    assert_eq!(event_loop.run_until_complete(&task).unwrap(), 1);
    assert_eq!(erased.result().unwrap(), rondel_task::Opaque);
}

#[test]
fn a_task_runs_in_a_copy_of_the_context_or_in_the_given_one() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let program = || {
        let trace = trace.clone();
        async move {
            trace.log(WHO.get()?);
            WHO.set("the task");
            tick().await?;
            trace.log(WHO.get()?);
            Ok(())
        }
    };
    let copied = Vars::new().run(|| {
        WHO.set("the creator");
        let task = event_loop.create_task(program()).unwrap();
        WHO.set("changed later");
        task
    });
    let shared = Vars::new();
    let sharing = event_loop.create_task_in(&shared, program()).unwrap();
    assert!(sharing.get_context().ptr_eq(&shared));
    event_loop
        .run_until_complete(gather([&copied, &sharing]))
        .unwrap();
    trace.check(&["the creator", "nobody", "the task", "the task"]);
    assert_eq!(shared.get(&WHO), Some("the task"));
    assert_eq!(copied.get_context().get(&WHO), Some("the task"));
    assert_eq!(WHO.get().unwrap(), "nobody");
}

// --- panics and exceptions ---------------------------------------------------------------------------

#[test]
fn a_panic_becomes_the_exception_of_the_task() {
    let event_loop = virtual_loop();
    let task = event_loop.create_task(async {
        if tick().await.is_ok() {
            panic!("no {}", 7)
        } else {
            Ok(())
        }
    });
    let error = event_loop.run_until_complete(task.unwrap()).unwrap_err();
    assert!(error.is_panic());
    assert_eq!(
        error.downcast_ref::<PanicError>().unwrap().message(),
        Some("no 7")
    );
    // The loop runs on.
    assert_eq!(event_loop.run_until_complete(async { Ok(1) }).unwrap(), 1);
}

#[test]
fn a_panic_in_a_destructor_of_a_coroutine_goes_no_further() {
    fn bad() -> OnDrop<impl FnMut()> {
        OnDrop(|| panic!("in a destructor"))
    }
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let at_end = event_loop.create_task(async {
        let _bad = bad();
        Ok(())
    });
    let held = bad();
    let at_cancel = event_loop.create_task(async move {
        let _held = held;
        Ok(())
    });
    let at_close = event_loop.create_task(async {
        let _bad = bad();
        sleep(LONG).await
    });
    let (at_end, at_cancel, at_close) = (at_end.unwrap(), at_cancel.unwrap(), at_close.unwrap());
    at_cancel.cancel();
    event_loop.run_once().unwrap();
    assert!(at_end.exception().unwrap().unwrap().is_panic());
    assert!(at_cancel.cancelled());
    event_loop.close().unwrap();
    assert!(!at_close.done());
    reports.check(&[
        "Exception in a destructor of a coroutine: panicked: in a destructor",
        "Task was destroyed but it is pending!",
        "Exception in a destructor of a coroutine: panicked: in a destructor",
    ]);
}

#[test]
fn a_destructor_of_a_value_that_panics_is_reported_and_goes_no_further() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let reports = trace.clone();
    event_loop.set_exception_handler(Some(move |_: &_, context: &ExceptionContext| {
        reports.log(context.message());
    }));
    drop(event_loop.create_task(async { Ok(OnDrop(|| panic!("in a destructor"))) }));
    let called = trace.clone();
    event_loop
        .call_soon(move || called.log("the next callback"))
        .unwrap();
    event_loop.run_once().unwrap();
    trace.check(&[
        "Exception in a destructor of a task's value",
        "the next callback",
    ]);
    assert!(all_tasks(Some(&event_loop)).unwrap().is_empty());
}

#[test]
fn a_destructor_of_a_done_callback_that_panics_is_reported_and_goes_no_further() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let reports = trace.clone();
    event_loop.set_exception_handler(Some(move |_: &_, context: &ExceptionContext| {
        reports.log(context.message());
    }));
    let future = event_loop.create_future::<()>();
    let held = OnDrop(|| panic!("in a destructor"));
    drop(future.add_done_callback(move |_| {
        let _ = &held;
    }));
    future.set_result(()).unwrap();
    let called = trace.clone();
    event_loop
        .call_soon(move || called.log("the next callback"))
        .unwrap();
    event_loop.run_once().unwrap();
    trace.check(&[
        "Exception in callback destructor of a callback",
        "the next callback",
    ]);
}

#[test]
fn a_value_that_panics_while_it_is_dropped_for_a_cancellation_does_not_keep_the_task_pending() {
    let event_loop = virtual_loop();
    event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
    let task = event_loop.create_task(async {
        current_task().expect("it runs in a task").cancel();
        Ok(OnDrop(|| panic!("in a destructor")))
    });
    let task = task.unwrap();
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| event_loop.run_once()));
    assert!(task.cancelled());
}

#[test]
fn an_error_that_panics_while_it_is_shown_leaves_the_loop_running() {
    struct Unshowable;
    impl std::fmt::Debug for Unshowable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("in Debug")
        }
    }
    impl std::fmt::Display for Unshowable {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("unshowable")
        }
    }
    impl std::error::Error for Unshowable {}
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    drop(event_loop.create_task(async { Err::<(), _>(Unshowable.into()) }));
    // CPython's finalizers pass no exception on, so that one task that nobody awaits cannot end the run of all others.
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        event_loop.run_once().is_ok()
    }));
    assert!(ran.is_ok());
    reports.check(&["Task exception was never retrieved: unshowable"]);
}

#[test]
fn an_exception_that_nobody_reads_is_reported() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let held = event_loop
        .create_task(async { Err::<(), _>(error("held")) })
        .unwrap();
    drop(event_loop.create_task(async { Err::<(), _>(error("dropped")) }));
    let read = event_loop
        .create_task(async { Err::<(), _>(error("read")) })
        .unwrap();
    event_loop.run_once().unwrap();
    reports.check(&["Task exception was never retrieved: dropped"]);
    assert!(read.exception().unwrap().is_some());
    drop((held, read));
    reports.check(&["Task exception was never retrieved: held"]);
}

#[test]
fn awaiting_in_another_task_reads_the_exception() {
    check(
        async |log: Trace| {
            let failing = create_task(async { Err::<(), _>(error("bad")) })?;
            let waiting = create_task(async move { failing.await })?;
            log.log(format_args!("{}", waiting.await.unwrap_err()));
            Ok(())
        },
        &["bad", "Ok(())"],
    );
}

// --- awaiting what cannot be awaited -------------------------------------------------------------------

/// Runs `program` beside a task that counts the iterations; the program logs after its await.
fn counted_from(
    program: impl core::future::Future<Output = Result<()>> + 'static,
    event_loop: &EventLoop,
) -> Trace {
    let trace = Trace::new();
    let log = trace.clone();
    let task = event_loop.create_task(async move {
        let ended = program.await;
        log.log(format_args!("{}", ended.expect_err("it cannot be awaited")));
        Ok(())
    });
    drop(task.expect("the loop is open"));
    for iteration in 1..4 {
        event_loop.run_once().expect("the loop is open");
        trace.log(iteration);
    }
    trace
}

#[test]
fn awaiting_oneself_is_an_error_one_iteration_later() {
    let event_loop = virtual_loop();
    let trace = counted_from(
        async {
            let me = current_task().expect("it runs in a task");
            me.await.map(drop)
        },
        &event_loop,
    );
    let events = trace.take();
    assert_eq!(events.len(), 4);
    assert_eq!(events[0], "1");
    assert!(
        events[1].starts_with("task cannot await on itself: <Task pending name='Task-"),
        "{}",
        events[1]
    );
    assert_eq!(events[2], "2");
}

#[test]
fn awaiting_a_future_of_another_loop_is_an_error_one_iteration_later() {
    let other = virtual_loop();
    let event_loop = virtual_loop();
    let future = other.create_future::<()>();
    let awaited = future.clone();
    let events = counted_from(async move { awaited.await }, &event_loop).take();
    assert_eq!(events.len(), 4);
    assert_eq!(events[0], "1");
    assert!(
        events[1].starts_with("task <Task pending name='Task-"),
        "{}",
        events[1]
    );
    assert!(
        events[1].ends_with(" got future <Future pending> attached to a different loop"),
        "{}",
        events[1]
    );
    assert_eq!(events[2], "2");
    assert_eq!(format!("{future:?}"), "<Future pending>");
}

#[test]
fn a_done_future_of_another_loop_can_be_read() {
    // As in CPython, where only a future that is still pending is yielded to the task.
    let other = virtual_loop();
    let future = other.create_future();
    future.set_result(4).unwrap();
    assert_eq!(
        virtual_loop()
            .run_until_complete(async move { future.await })
            .unwrap(),
        4
    );
}

#[test]
fn a_refused_future_can_be_awaited_on_its_own_loop_afterwards() {
    let other = virtual_loop();
    let future = other.create_future::<i32>();
    let awaited = future.clone();
    virtual_loop()
        .run_until_complete(async move {
            assert!(awaited.await.is_err());
            Ok(())
        })
        .unwrap();
    let done = future.clone();
    other
        .call_soon(move || done.set_result(5).unwrap())
        .unwrap();
    assert_eq!(other.run_until_complete(&future).unwrap(), 5);
}

// --- texts ----------------------------------------------------------------------------------------------

async fn func_task(future: Future<i32>) -> Result<String> {
    Ok(future.await?.to_string())
}

#[test]
fn a_task_shows_its_state_name_and_coroutine() {
    let event_loop = virtual_loop();
    let check = |task: &Task<String>, text: &str| assert_eq!(anonymous(&format!("{task:?}")), text);
    let future = event_loop.create_future();
    let task = event_loop.create_task(func_task(future.clone())).unwrap();
    check(
        &task,
        "<Task pending name='Task-#' coro=func_task() at FILE:#>",
    );
    event_loop.run_once().unwrap();
    check(
        &task,
        "<Task pending name='Task-#' coro=func_task() at FILE:# wait_for=<Future pending cb=[Task.wakeup()]>>",
    );
    task.set_name("worker");
    future.set_result(5).unwrap();
    check(
        &task,
        "<Task pending name='worker' coro=func_task() at FILE:#>",
    );
    event_loop.run_once().unwrap();
    check(
        &task,
        "<Task finished name='worker' coro=func_task() at FILE:# result=\"#\">",
    );
    assert_eq!(
        anonymous(&format!("{:?}", task.erase())),
        "<Task finished name='worker' coro=func_task() at FILE:# result=Opaque>"
    );
}

#[test]
fn a_task_shows_cancelling_cancelled_and_its_exception() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future();
    let task = event_loop.create_task(func_task(future.clone())).unwrap();
    event_loop.run_once().unwrap();
    task.cancel();
    assert_eq!(
        anonymous(&format!("{task:?}")),
        "<Task cancelling name='Task-#' coro=func_task() at FILE:#>"
    );
    event_loop.run_once().unwrap();
    assert_eq!(
        anonymous(&format!("{task:?}")),
        "<Task cancelled name='Task-#' coro=func_task() at FILE:#>"
    );
    let failing = event_loop
        .create_task(async { Err::<i32, _>(error("bad")) })
        .unwrap();
    event_loop.run_once().unwrap();
    let text = anonymous(&format!("{failing:?}"));
    assert!(text.ends_with(" at FILE:# exception=\"bad\">"), "{text}");
    assert!(failing.exception().unwrap().is_some());
}

#[test]
fn a_task_shows_who_waits_for_it() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future();
    let inner = event_loop.create_task(func_task(future)).unwrap();
    let awaited = inner.clone();
    let outer = event_loop
        .create_task(async move { awaited.await })
        .unwrap();
    outer.add_done_callback(|_| {}).unwrap();
    event_loop.run_once().unwrap();
    assert_eq!(
        anonymous(&format!("{inner:?}")),
        "<Task pending name='Task-#' coro=func_task() at FILE:# wait_for=<Future pending cb=[Task.wakeup()]> cb=[Task.wakeup()]>"
    );
    let text = anonymous(&format!("{outer:?}"));
    assert!(
        text.contains("wait_for=<Task pending name='Task-#' coro=func_task()"),
        "{text}"
    );
    assert!(
        text.ends_with(" cb=[a_task_shows_who_waits_for_it() at FILE:#]>"),
        "{text}"
    );
    event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
}

// --- the end of a loop ----------------------------------------------------------------------------------

#[test]
fn tasks_that_are_pending_when_the_loop_closes_are_reported_and_dropped() {
    for close in [
        |event_loop: EventLoop| event_loop.close().unwrap(),
        |event_loop| drop(event_loop),
    ] {
        let event_loop = virtual_loop();
        let reports = reports(&event_loop);
        let (held, alive) = Counted::new();
        let held2 = held.clone();
        let suspended = event_loop.create_task(async move {
            let _held = held;
            sleep(LONG).await
        });
        event_loop.run_once().unwrap();
        let unstarted = event_loop.create_task(async move {
            let _held = held2;
            sleep(LONG).await
        });
        let tasks = [suspended.unwrap(), unstarted.unwrap()];
        assert_eq!(alive.get(), 2);
        close(event_loop);
        assert_eq!(alive.get(), 0);
        assert!(tasks.iter().all(|task| !task.done()));
        reports.check(&["Task was destroyed but it is pending!"; 2]);
    }
}

#[test]
fn the_report_of_a_pending_task_shows_it_and_the_line_of_its_await() {
    let event_loop = virtual_loop();
    let text = Rc::new(RefCell::new(String::new()));
    let seen = text.clone();
    event_loop.set_exception_handler(Some(
        move |_: &EventLoop, context: &rondel_reactor::ExceptionContext| {
            seen.replace(anonymous(context.subject("task").unwrap()));
        },
    ));
    drop(event_loop.create_task(func_task(event_loop.create_future())));
    event_loop.run_once().unwrap();
    event_loop.close().unwrap();
    assert_eq!(
        text.take(),
        "<Task pending name='Task-#' coro=func_task() at FILE:# wait_for=<Future pending cb=[Task.wakeup()]>> awaits at FILE:#"
    );
}

#[test]
fn a_destructor_that_spawns_and_calls_at_close_finds_the_loop_closed() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let waiting = event_loop.create_task({
        let future = future.clone();
        async move { future.await }
    });
    let waiting = waiting.unwrap();
    let (log, own, result, other) = (
        trace.clone(),
        event_loop.clone(),
        future.clone(),
        waiting.clone(),
    );
    let held = OnDrop(move || {
        log.log(format_args!(
            "spawn {}",
            own.create_task(async { Ok(()) }).is_ok()
        ));
        let called = log.clone();
        let _ = own.call_soon(move || called.log("never called"));
        let called = log.clone();
        let _ = own.call_later(LONG, move || called.log("never called"));
        log.log(format_args!("cancel {}", other.cancel()));
        log.log(format_args!("set {}", result.set_result(1).is_ok()));
        log.log(format_args!(
            "run {}",
            own.run_until_complete(async { Ok(()) }).is_ok()
        ));
    });
    drop(event_loop.create_task(async move {
        let _held = held;
        sleep(LONG).await
    }));
    event_loop.run_once().unwrap();
    event_loop.close().unwrap();
    let events = trace.take();
    assert_eq!(events[0], "spawn false");
    assert!(!events.contains(&"never called".to_owned()), "{events:?}");
    assert!(!waiting.done());
    reports.check(&["Task was destroyed but it is pending!"; 2]);
}

#[test]
fn a_run_that_fails_leaves_no_report_of_the_main_task() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let ended = event_loop
        .run_until_complete(async { sleep(LONG).await.and(Err::<(), _>(error("later"))) });
    assert_eq!(ended.unwrap_err().to_string(), "later");
    let stopped = event_loop.run_until_complete(async {
        get_running_loop()?.stop();
        sleep(LONG).await
    });
    assert_eq!(
        stopped.unwrap_err().to_string(),
        "event loop stopped before the future completed"
    );
    event_loop.close().unwrap();
    reports.check(&[]);
}

// --- coroutines of every shape ---------------------------------------------------------------------------

/// Polls are aligned and in one place; as wide as a page of the strictest kind.
#[repr(align(64))]
struct Aligned {
    polls: u32,
    place: Option<usize>,
    _alive: Counted,
}

impl core::future::Future for Aligned {
    type Output = Result<u32>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<u32>> {
        let place = (&raw const *self).addr();
        assert_eq!(place % 64, 0);
        assert_eq!(*self.place.get_or_insert(place), place);
        self.polls += 1;
        if self.polls == 3 {
            return Poll::Ready(Ok(self.polls));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn an_over_aligned_coroutine_stays_where_it_is() {
    let event_loop = virtual_loop();
    let (held, alive) = Counted::new();
    let tasks: Vec<Task<u32>> = (0..10)
        .map(|_| {
            event_loop
                .create_task(Aligned {
                    polls: 0,
                    place: None,
                    _alive: held.clone(),
                })
                .unwrap()
        })
        .collect();
    let dropped = event_loop
        .create_task(Aligned {
            polls: 0,
            place: None,
            _alive: held,
        })
        .unwrap();
    event_loop.run_once().unwrap();
    dropped.cancel();
    assert_eq!(
        event_loop.run_until_complete(gather(&tasks)).unwrap(),
        [3; 10]
    );
    assert_eq!(alive.get(), 0);
    assert!(dropped.cancelled());
}

#[repr(align(256))]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Wide(u8);

#[test]
fn an_over_aligned_value_is_kept_aligned() {
    let event_loop = virtual_loop();
    let task = event_loop.create_task(async { Ok(Wide(7)) }).unwrap();
    event_loop.run_once().unwrap();
    assert_eq!(task.result().unwrap(), Wide(7));
    let future = event_loop.create_future();
    future.set_result(Wide(8)).unwrap();
    assert_eq!(event_loop.run_until_complete(future).unwrap(), Wide(8));
}

#[test]
fn a_big_coroutine_runs() {
    let event_loop = virtual_loop();
    let sum = event_loop.run_until_complete(async {
        let mut big = [1_u8; 50_000];
        tick().await?;
        big[1] = 2;
        tick().await?;
        Ok(big.iter().map(|&n| u64::from(n)).sum::<u64>())
    });
    assert_eq!(sum.unwrap(), 50_001);
}

#[test]
fn a_coroutine_that_wakes_itself_and_is_woken_often_is_stepped_once_an_iteration() {
    let event_loop = virtual_loop();
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    let task = event_loop.create_task(std::future::poll_fn(move |cx: &mut Context<'_>| {
        counted.set(counted.get() + 1);
        for _ in 0..1000 {
            cx.waker().wake_by_ref();
            let clone = cx.waker().clone();
            clone.wake();
        }
        if counted.get() < 5 {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }));
    for iteration in 1..=5 {
        event_loop.run_once().unwrap();
        assert_eq!(polls.get(), iteration);
    }
    assert!(task.unwrap().done());
}

#[test]
fn a_coroutine_that_meddles_while_it_ends_is_harmless() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let own: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    let (log, me) = (trace.clone(), own.clone());
    let task = event_loop.create_task(async move {
        let _held = OnDrop(move || {
            let task = me.take().expect("it is dropped once");
            log.log(format_args!(
                "done {} cancel {}",
                task.done(),
                task.cancel()
            ));
            let called = log.clone();
            task.add_done_callback(move |task| {
                called.log(format_args!("{task:?}").to_string().contains("cancelled"))
            })
            .unwrap();
            let spawned = log.clone();
            let spawned = create_task(async move {
                spawned.log("spawned");
                Ok(())
            });
            assert!(spawned.is_ok());
        });
        tick().await
    });
    let task = task.unwrap();
    own.replace(Some(task.clone()));
    // The request comes while the coroutine returns its value: that is a request to which it did not answer.
    assert!(
        event_loop
            .run_until_complete(&task)
            .unwrap_err()
            .is_cancelled()
    );
    trace.check(&["done false cancel true", "spawned", "true"]);
}

#[test]
fn coroutines_are_dropped_before_their_waiters_hear_of_the_end() {
    check(
        async |log: Trace| {
            let dropped = log.clone();
            let task = create_task(async move {
                let _held = OnDrop(move || dropped.log("dropped"));
                Ok(())
            })?;
            let called = log.clone();
            task.add_done_callback(move |_| called.log("callback"))?;
            task.await
        },
        &["dropped", "callback", "Ok(())"],
    );
}

#[test]
fn a_task_that_holds_its_own_handle_is_freed_at_its_end_and_at_the_end_of_its_loop() {
    let (held, alive) = Counted::new();
    let (ends, stays) = (held.clone(), held);
    let event_loop = virtual_loop();
    event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
    drop(event_loop.create_task(async move {
        let (_me, _held) = (current_task(), ends);
        tick().await
    }));
    drop(event_loop.create_task(async move {
        let (_me, _held) = (current_task(), stays);
        sleep(LONG).await
    }));
    for _ in 0..3 {
        event_loop.run_once().unwrap();
    }
    assert_eq!(alive.get(), 1);
    drop(event_loop);
    assert_eq!(alive.get(), 0);
}

#[test]
fn run_gives_the_value_of_a_coroutine_that_is_neither_send_nor_clone() {
    struct NotClone(Rc<i32>);
    let value = run(async { Ok(NotClone(Rc::new(3))) }).unwrap();
    assert_eq!(*value.0, 3);
    let error: Exception = run_virtual(async { Ok("x".parse::<i32>()?) }).unwrap_err();
    assert!(error.is::<std::num::ParseIntError>());
}
