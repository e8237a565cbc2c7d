//! Futures completed by hand: states, results, exceptions, callbacks, and values that call back in.

mod common;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::num::ParseIntError;
use std::rc::Rc;

use common::{Counted, OnDrop, Trace, error, reports, virtual_loop};
use rondel_context::{Context, ContextVar, copy_context};
use rondel_future::{CancelledError, InvalidStateError};
use rondel_task::{CallbackKey, EventLoop, Exception, Future, Result, RuntimeError};

static WHO: ContextVar<&str> = ContextVar::with_default("who", "nobody");

#[track_caller]
fn check_refused<T: fmt::Debug>(result: Result<T>, text: &str) {
    let error = result.expect_err("it is refused");
    assert!(error.is::<InvalidStateError>(), "{error:?}");
    assert_eq!(error.to_string(), format!("invalid state: {text}"));
}

// --- states ------------------------------------------------------------------------------------

#[test]
fn a_pending_future_has_neither_result_nor_exception() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future::<i32>();
    assert_eq!((future.done(), future.cancelled()), (false, false));
    check_refused(future.result(), "the result is not ready");
    check_refused(future.take_result(), "the result is not ready");
    check_refused(future.exception(), "the exception is not set");
    assert!(future.get_loop().ptr_eq(&event_loop));
    assert_eq!(format!("{future:?}"), "<Future pending>");
}

#[test]
fn a_result_is_set_once_and_read_again_and_again() {
    let future = virtual_loop().create_future();
    future.set_result("text".to_owned()).unwrap();
    assert_eq!((future.done(), future.cancelled()), (true, false));
    for _ in 0..2 {
        assert_eq!(future.result().unwrap(), "text");
        assert!(future.exception().unwrap().is_none());
    }
    check_refused(
        future.set_result("again".to_owned()),
        "the future is already finished",
    );
    check_refused(
        future.set_exception(error("late")),
        "the future is already finished",
    );
    assert!(!future.cancel());
    assert_eq!(future.result().unwrap(), "text");
    assert_eq!(format!("{future:?}"), "<Future finished result=\"text\">");
}

#[test]
fn an_exception_is_set_once_and_read_again_and_again() {
    let future = virtual_loop().create_future::<i32>();
    let exception = error("broken");
    future.set_exception(exception.clone()).unwrap();
    assert_eq!((future.done(), future.cancelled()), (true, false));
    for _ in 0..2 {
        assert!(future.result().unwrap_err().ptr_eq(&exception));
        assert!(future.exception().unwrap().unwrap().ptr_eq(&exception));
        assert!(future.take_result().unwrap_err().ptr_eq(&exception));
    }
    check_refused(future.set_result(1), "the future is already finished");
    check_refused(
        future.set_exception(error("again")),
        "the future is already finished",
    );
    assert!(!future.cancel());
    assert_eq!(
        format!("{future:?}"),
        "<Future finished exception=\"broken\">"
    );
}

#[test]
fn a_cancelled_future_raises_with_the_message_every_time() {
    let future = virtual_loop().create_future::<i32>();
    assert!(future.cancel_with_message("enough"));
    assert_eq!((future.done(), future.cancelled()), (true, true));
    for _ in 0..2 {
        let raised = [
            future.result().unwrap_err(),
            future.take_result().unwrap_err(),
            future.exception().unwrap_err(),
        ];
        for error in raised {
            assert!(error.is_cancelled());
            let cancelled = error.downcast_ref::<CancelledError>().unwrap();
            assert_eq!(cancelled.message(), Some("enough"));
        }
    }
    check_refused(future.set_result(1), "the future is already cancelled");
    check_refused(
        future.set_exception(error("late")),
        "the future is already cancelled",
    );
    assert!(!future.cancel());
    assert_eq!(format!("{future:?}"), "<Future cancelled>");
}

#[test]
fn finished_with_a_cancelled_error_is_not_cancelled() {
    let future = virtual_loop().create_future::<i32>();
    future.set_exception(CancelledError::new()).unwrap();
    assert!(!future.cancelled());
    assert!(future.exception().unwrap().unwrap().is_cancelled());
}

#[test]
fn a_value_that_is_refused_is_dropped_and_the_first_one_stays() {
    let future = virtual_loop().create_future();
    let (first, firsts) = Counted::new();
    let (second, seconds) = Counted::new();
    future.set_result(first).unwrap();
    assert!(future.set_result(second).is_err());
    assert_eq!((firsts.get(), seconds.get()), (1, 0));
    drop(future);
    assert_eq!(firsts.get(), 0);
}

#[test]
fn a_value_that_is_not_clone_is_taken_once() {
    struct NotClone(i32);
    let event_loop = virtual_loop();
    let future = event_loop.create_future();
    future.set_result(NotClone(3)).unwrap();
    let taken = event_loop.run_until_complete({
        let future = future.clone();
        async move { Ok(future.take().await?.0) }
    });
    assert_eq!(taken.unwrap(), 3);
    check_refused(
        future.take_result().map(|value| value.0),
        "the result has been taken",
    );
    assert!(future.done());
    assert!(future.exception().unwrap().is_none());
}

#[test]
fn the_last_handle_moves_the_value_and_others_get_clones() {
    let event_loop = virtual_loop();
    let (value, alive) = Counted::new();
    let future = event_loop.create_future();
    future.set_result(value).unwrap();
    let kept = future.clone();
    let cloned = event_loop
        .run_until_complete(async move { future.await })
        .unwrap();
    assert_eq!(alive.get(), 2);
    let moved = event_loop
        .run_until_complete(async move { kept.await })
        .unwrap();
    assert_eq!(alive.get(), 2);
    drop((cloned, moved));
    assert_eq!(alive.get(), 0);
}

#[test]
fn an_erased_future_of_another_type_cannot_be_given_a_result() {
    let future = virtual_loop().create_future::<i32>();
    let outcome = future.erase().set_result(rondel_task::Opaque);
    // Whatever is made of the attempt: a future that has finished has its value.
    assert!(
        outcome.is_err() || future.result().is_ok(),
        "{outcome:?} {:?}",
        future.result()
    );
}

// --- callbacks -----------------------------------------------------------------------------------

fn logs<T: 'static>(trace: &Trace, text: &'static str) -> impl FnMut(&Future<T>) + 'static {
    let trace = trace.clone();
    move |_| trace.log(text)
}

#[test]
fn callbacks_run_in_order_through_the_ready_queue() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let future = event_loop.create_future();
    for text in ["one", "two", "three"] {
        future.add_done_callback(logs(&trace, text)).unwrap();
    }
    let before = trace.clone();
    event_loop.call_soon(move || before.log("before")).unwrap();
    future.set_result(1).unwrap();
    let after = trace.clone();
    event_loop.call_soon(move || after.log("after")).unwrap();
    trace.log("set");
    event_loop.run_once().unwrap();
    trace.check(&["set", "before", "one", "two", "three", "after"]);
    event_loop.run_once().unwrap();
    trace.check(&[]);
}

#[test]
fn a_callback_of_a_done_future_comes_in_the_next_iteration() {
    for complete in [
        |future: &Future<i32>| future.set_result(1).is_ok(),
        |future: &Future<i32>| {
            future.set_exception(error("e")).is_ok() && future.exception().is_ok()
        },
        |future: &Future<i32>| future.cancel(),
    ] {
        let event_loop = virtual_loop();
        let trace = Trace::new();
        let future = event_loop.create_future();
        assert!(complete(&future));
        future.add_done_callback(logs(&trace, "called")).unwrap();
        trace.log("added");
        event_loop.run_once().unwrap();
        trace.check(&["added", "called"]);
    }
}

#[test]
fn waiting_tasks_and_callbacks_share_one_list() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let spawn = |name: &'static str| {
        let (trace, future) = (trace.clone(), future.clone());
        let task = event_loop.create_task(async move {
            future.await?;
            trace.log(name);
            Ok(())
        });
        drop(task.unwrap());
    };
    future
        .add_done_callback(logs(&trace, "callback 1"))
        .unwrap();
    spawn("a");
    spawn("b");
    event_loop.run_once().unwrap();
    future
        .add_done_callback(logs(&trace, "callback 2"))
        .unwrap();
    spawn("c");
    event_loop.run_once().unwrap();
    future.set_result(1).unwrap();
    let soon = trace.clone();
    event_loop.call_soon(move || soon.log("soon")).unwrap();
    event_loop.run_once().unwrap();
    trace.check(&["callback 1", "a", "b", "callback 2", "c", "soon"]);
}

#[test]
fn a_callback_gets_the_future_itself() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future();
    let (seen, expected) = (Rc::new(Cell::new(None)), future.clone());
    let got = seen.clone();
    future
        .add_done_callback(move |future| {
            got.set(Some((future.ptr_eq(&expected), future.result().unwrap())))
        })
        .unwrap();
    future.set_result(7).unwrap();
    event_loop.run_once().unwrap();
    assert_eq!(seen.get(), Some((true, 7)));
}

#[test]
fn a_key_removes_its_callback_as_often_as_it_was_added() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let future = event_loop.create_future();
    let key = future.add_done_callback(logs(&trace, "twice")).unwrap();
    future.add_done_callback(logs(&trace, "between")).unwrap();
    future.add_callback_again(&key).unwrap();
    assert_eq!(future.remove_done_callback(&key), 2);
    assert_eq!(future.remove_done_callback(&key), 0);
    future.add_callback_again(&key).unwrap();
    future.add_callback_again(&key.clone()).unwrap();
    future.set_result(1).unwrap();
    assert_eq!(
        future.remove_done_callback(&key),
        0,
        "what is scheduled is not removed"
    );
    event_loop.run_once().unwrap();
    trace.check(&["between", "twice", "twice"]);
}

#[test]
fn a_key_may_serve_several_futures() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let (a, b) = (event_loop.create_future(), event_loop.create_future());
    let seen = trace.clone();
    let key = a
        .add_done_callback(move |future: &Future<i32>| seen.log(future.result().unwrap()))
        .unwrap();
    b.add_callback_again(&key).unwrap();
    b.set_result(2).unwrap();
    a.set_result(1).unwrap();
    event_loop.run_once().unwrap();
    trace.check(&["2", "1"]);
}

type Keys = Rc<RefCell<Vec<CallbackKey<i32>>>>;

#[test]
fn a_callback_cannot_stop_what_is_scheduled_and_removes_nothing_of_a_done_future() {
    // As in CPython: completing empties the list, so every callback of that moment is called.
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let keys: Keys = Rc::default();
    let future = event_loop.create_future();
    for name in ["a", "b"] {
        let (trace, all) = (trace.clone(), keys.clone());
        let key = future.add_done_callback(move |future| {
            let removed: usize = all
                .borrow()
                .iter()
                .map(|key| future.remove_done_callback(key))
                .sum();
            trace.log(format_args!("{name} removes {removed}"));
        });
        keys.borrow_mut().push(key.unwrap());
    }
    future.set_result(1).unwrap();
    event_loop.run_once().unwrap();
    trace.check(&["a removes 0", "b removes 0"]);
    keys.take();
}

#[test]
fn a_callback_removes_one_of_another_future_and_adds_others() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let (first, second) = (
        event_loop.create_future::<i32>(),
        event_loop.create_future::<i32>(),
    );
    let key = second.add_done_callback(logs(&trace, "removed")).unwrap();
    second.add_done_callback(logs(&trace, "kept")).unwrap();
    let (other, later) = (second.clone(), trace.clone());
    first
        .add_done_callback(move |first| {
            later.log(format_args!("removes {}", other.remove_done_callback(&key)));
            first
                .add_done_callback(logs(&later, "added to a done one"))
                .unwrap();
            other.add_done_callback(logs(&later, "added")).unwrap();
            other.set_result(2).unwrap();
        })
        .unwrap();
    first.set_result(1).unwrap();
    event_loop.run_once().unwrap();
    trace.check(&["removes 1"]);
    event_loop.run_once().unwrap();
    trace.check(&["added to a done one", "kept", "added"]);
}

#[test]
fn a_callback_that_adds_itself_again_runs_in_every_iteration() {
    let event_loop = virtual_loop();
    let future = event_loop.create_future();
    let (keys, count): (Keys, _) = (Rc::default(), Rc::new(Cell::new(0)));
    let (own, counted) = (keys.clone(), count.clone());
    let key = future.add_done_callback(move |future: &Future<i32>| {
        counted.set(counted.get() + 1);
        future.add_callback_again(&own.borrow()[0]).unwrap();
    });
    keys.borrow_mut().push(key.unwrap());
    future.set_result(1).unwrap();
    for runs in 1..4 {
        event_loop.run_once().unwrap();
        assert_eq!(count.get(), runs);
    }
    keys.take();
}

#[test]
fn a_callback_that_panics_is_reported_and_can_be_called_again() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let mut calls = 0;
    let log = trace.clone();
    let key = future.add_done_callback(move |_| {
        calls += 1;
        log.log(calls);
        assert!(calls != 1, "the first time");
    });
    future.add_done_callback(logs(&trace, "the next")).unwrap();
    future.add_callback_again(&key.unwrap()).unwrap();
    future.set_result(1).unwrap();
    event_loop.run_once().unwrap();
    trace.check(&["1", "the next", "2"]);
    let reported = reports.take();
    assert_eq!(reported.len(), 1);
    assert!(
        reported[0].starts_with("Exception in callback "),
        "{reported:?}"
    );
    assert!(
        reported[0].ends_with("panicked: the first time"),
        "{reported:?}"
    );
}

#[test]
fn callbacks_run_in_a_copy_of_the_context_or_in_the_given_one() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let says = |trace: &Trace| {
        let trace = trace.clone();
        move |_: &Future<i32>| {
            trace.log(WHO.get().unwrap());
            WHO.set("the callback");
        }
    };
    let shared = Context::new();
    shared.run(|| WHO.set("the shared one"));
    future.add_done_callback(says(&trace)).unwrap();
    copy_context().run(|| {
        WHO.set("the copy");
        future.add_done_callback(says(&trace)).unwrap();
        WHO.set("changed later");
    });
    future.add_done_callback_in(&shared, says(&trace)).unwrap();
    future.add_done_callback_in(&shared, says(&trace)).unwrap();
    future.set_result(1).unwrap();
    event_loop.run_once().unwrap();
    trace.check(&["nobody", "the copy", "the shared one", "the callback"]);
    assert_eq!(WHO.get().unwrap(), "nobody");
}

#[test]
fn a_callback_that_was_removed_is_dropped_at_once() {
    let future = virtual_loop().create_future::<i32>();
    let (held, alive) = Counted::new();
    let key = future
        .add_done_callback(move |_| drop(held.clone()))
        .unwrap();
    assert_eq!(future.remove_done_callback(&key), 1);
    assert_eq!(alive.get(), 1, "the key could add it again");
    drop(key);
    assert_eq!(alive.get(), 0);
}

#[test]
fn callbacks_show_in_debug() {
    let future = virtual_loop().create_future::<i32>();
    let line = line!() + 1;
    let key = future.add_done_callback(|_| {}).unwrap();
    let callback = format!("callbacks_show_in_debug() at {}:{line}", file!());
    assert_eq!(
        format!("{future:?}"),
        format!("<Future pending cb=[{callback}]>")
    );
    future.add_callback_again(&key).unwrap();
    assert_eq!(
        format!("{future:?}"),
        format!("<Future pending cb=[{callback}, {callback}]>")
    );
    future.add_callback_again(&key).unwrap();
    assert_eq!(
        format!("{future:?}"),
        format!("<Future pending cb=[{callback}, <1 more>, {callback}]>")
    );
}

// --- exceptions -----------------------------------------------------------------------------------

#[test]
fn an_exception_that_nobody_reads_is_reported_when_the_last_handle_goes() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let future = event_loop.create_future::<i32>();
    let other = future.clone();
    future.set_exception(error("broken")).unwrap();
    drop(future);
    reports.check(&[]);
    drop(other);
    reports.check(&["Future exception was never retrieved: broken"]);
}

#[test]
fn whoever_looks_at_an_exception_has_retrieved_it() {
    let looks: [fn(&Future<i32>); 6] = [
        |future| drop(future.result()),
        |future| drop(future.take_result()),
        |future| drop(future.exception()),
        |future| assert!(!future.cancel()),
        |future| {
            let (event_loop, future) = (future.get_loop(), future.clone());
            drop(event_loop.run_until_complete(async move { future.await }));
        },
        |future| drop(common::poll_once(&mut future.take())),
    ];
    for look in looks {
        let event_loop = virtual_loop();
        let reports = reports(&event_loop);
        let future = event_loop.create_future();
        future.set_exception(error("broken")).unwrap();
        look(&future);
        drop(future);
        reports.check(&[]);
    }
}

#[test]
fn looking_at_the_state_is_not_reading_it() {
    let event_loop = virtual_loop();
    let reports = reports(&event_loop);
    let future = event_loop.create_future::<i32>();
    future.set_exception(error("broken")).unwrap();
    assert!(future.done() && !future.cancelled());
    let _ = format!("{future:?}");
    drop(future);
    reports.check(&["Future exception was never retrieved: broken"]);
}

#[test]
fn the_report_shows_the_future() {
    let event_loop = virtual_loop();
    let subject = Rc::new(RefCell::new(None));
    let seen = subject.clone();
    event_loop.set_exception_handler(Some(
        move |_: &EventLoop, context: &rondel_reactor::ExceptionContext| {
            seen.replace(context.subject("future").map(str::to_owned));
        },
    ));
    event_loop
        .create_future::<i32>()
        .set_exception("x".parse::<i32>().unwrap_err())
        .unwrap();
    assert_eq!(
        subject.take().unwrap(),
        "<Future finished exception=ParseIntError { kind: InvalidDigit }>"
    );
}

#[test]
fn a_handler_that_drops_unread_exceptions_is_called_for_each() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let (log, inner) = (
        trace.clone(),
        Cell::new(Some(event_loop.create_future::<i32>())),
    );
    event_loop.set_exception_handler(Some(
        move |_: &EventLoop, context: &rondel_reactor::ExceptionContext| {
            log.log(context.exception().unwrap());
            if let Some(future) = inner.take() {
                future.set_exception(error("inner")).unwrap();
            }
        },
    ));
    event_loop
        .create_future::<i32>()
        .set_exception(error("outer"))
        .unwrap();
    trace.check(&["outer", "inner"]);
}

#[test]
fn exceptions_convert_downcast_and_share() {
    fn parse(text: &str) -> Result<i32> {
        if text.is_empty() {
            Err(RuntimeError::new("nothing there"))?;
        }
        Ok(text.parse::<i32>()?)
    }
    let parsed = parse("five").unwrap_err();
    assert!(parsed.is::<ParseIntError>() && !parsed.is::<RuntimeError>());
    assert!(!parsed.is_cancelled() && !parsed.is_timeout() && !parsed.is_panic());
    assert!(parsed.ptr_eq(&parsed.clone()));
    assert!(!parsed.ptr_eq(&parse("five").unwrap_err()));
    let empty = parse("").unwrap_err();
    assert_eq!(
        empty.downcast_ref::<RuntimeError>(),
        Some(&RuntimeError::new("nothing there"))
    );
    assert_eq!(
        format!("{empty} {empty:?}"),
        "nothing there RuntimeError(\"nothing there\")"
    );
    let boxed: Box<dyn std::error::Error + Send + Sync> = "boxed".into();
    assert_eq!(Exception::from_boxed(boxed).to_string(), "boxed");
}

// --- values that call back -------------------------------------------------------------------

/// A value of which `Clone`, `Debug` and `Drop` use the future that holds it, and its loop.
struct Meddling {
    future: Future<Meddling>,
    trace: Trace,
}

impl Meddling {
    fn meddle(&self, what: &str) {
        let future = &self.future;
        let refused = future.set_exception(error("again")).is_err();
        future.add_done_callback(|_| {}).expect("the loop is open");
        let called = self.trace.clone();
        let soon = format!("soon after {what}");
        future
            .get_loop()
            .call_soon(move || called.log(soon))
            .expect("the loop is open");
        self.trace.log(format_args!(
            "{what} {} {refused} {}",
            future.done(),
            future.cancel()
        ));
    }
}

impl Clone for Meddling {
    fn clone(&self) -> Self {
        self.meddle("clone");
        assert!(self.future.take_result().is_err(), "it is being cloned");
        Self {
            future: self.future.clone(),
            trace: self.trace.clone(),
        }
    }
}

impl fmt::Debug for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.meddle("debug");
        f.write_str("Meddling")
    }
}

impl Drop for Meddling {
    fn drop(&mut self) {
        self.meddle("drop");
    }
}

#[test]
fn a_value_that_meddles_with_its_future_is_harmless() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let future = event_loop.create_future();
    future
        .set_result(Meddling {
            future: future.clone(),
            trace: trace.clone(),
        })
        .unwrap();
    assert_eq!(format!("{future:?}"), "<Future finished result=Meddling>");
    trace.check(&["debug true true false"]);
    let clone = future.result().unwrap();
    trace.check(&["clone true true false"]);
    drop(clone);
    trace.check(&["drop true true false"]);
    drop(future.take_result().unwrap());
    trace.check(&["drop true true false"]);
    event_loop.run_once().unwrap();
    trace.check(&[
        "soon after debug",
        "soon after clone",
        "soon after drop",
        "soon after drop",
    ]);
}

#[test]
fn a_writer_that_completes_the_future_it_is_shown_is_harmless() {
    use fmt::Write;
    struct Completes(Future<i32>);
    impl Write for Completes {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            let _ = self.0.set_result(1);
            Ok(())
        }
    }
    let future = virtual_loop().create_future();
    write!(Completes(future.clone()), "{future:?}").unwrap();
    assert_eq!(future.result().unwrap(), 1);
}

#[test]
fn an_error_that_meddles_while_it_is_dropped_is_harmless() {
    struct Meddles(Box<dyn Fn() + Send + Sync>);
    impl fmt::Debug for Meddles {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Meddles")
        }
    }
    impl fmt::Display for Meddles {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("meddles")
        }
    }
    impl std::error::Error for Meddles {}
    impl Drop for Meddles {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    thread_local! {
        static FUTURE: RefCell<Option<Future<i32>>> = const { RefCell::new(None) };
        static DROPS: Cell<u32> = const { Cell::new(0) };
    }
    let event_loop = virtual_loop();
    let future = event_loop.create_future();
    FUTURE.set(Some(future.clone()));
    let meddles = || {
        Meddles(Box::new(|| {
            DROPS.set(DROPS.get() + 1);
            FUTURE.with_borrow(|future| {
                if let Some(future) = future {
                    assert!(
                        future.done()
                            && future.set_result(1).is_err()
                            && future.exception().is_ok()
                    );
                }
            });
        }))
    };
    future.set_exception(meddles()).unwrap();
    assert!(future.set_exception(meddles()).is_err());
    assert_eq!(DROPS.get(), 1);
    drop(FUTURE.take());
    drop(future);
    assert_eq!(DROPS.get(), 2);
}

#[test]
fn a_callback_that_meddles_while_it_is_removed_is_harmless() {
    let event_loop = virtual_loop();
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let (own, log) = (future.clone(), trace.clone());
    let held = OnDrop(move || {
        log.log(format_args!("dropped {}", own.done()));
        own.add_done_callback(logs(&log, "added by a drop"))
            .unwrap();
        let _ = own.set_result(1);
    });
    let key = future.add_done_callback(move |_| _ = &held).unwrap();
    future.add_done_callback(logs(&trace, "the other")).unwrap();
    assert_eq!(future.remove_done_callback(&key), 1);
    drop(key);
    event_loop.run_once().unwrap();
    trace.check(&["dropped false", "the other", "added by a drop"]);
}

#[test]
fn a_clone_that_panics_leaves_the_value_in_place() {
    struct Fragile(Rc<Cell<bool>>);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            assert!(!self.0.replace(false), "fragile");
            Self(self.0.clone())
        }
    }
    let future = virtual_loop().create_future();
    let panics = Rc::new(Cell::new(true));
    future.set_result(Fragile(panics)).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| future.result().is_ok()));
    assert!(caught.is_err());
    assert!(future.result().is_ok());
    assert!(future.take_result().is_ok());
}
