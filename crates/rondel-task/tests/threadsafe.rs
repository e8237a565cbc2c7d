//! Futures for threads: alone, of coroutines that another thread asks for, and awaited by coroutines.
//!
//! The traces are CPython's own.

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use common::{LONG, Trace, check, error, secs, tick, ticks, virtual_loop};
use rondel_context::ContextVar;
use rondel_reactor::LoopHandle;
use rondel_sched::ClosedError;
use rondel_task::{
    Exception, Result, Task, concurrent, create_task, current_task, get_running_loop,
    run_coroutine_threadsafe, run_virtual, sleep, to_thread, wrap_future,
};

// --- the future alone --------------------------------------------------------------------------

#[test]
fn a_thread_waits_for_a_result_and_reads_it_again_and_again() {
    let future = concurrent::Future::new();
    let begun = Arc::new(Barrier::new(2));
    let (waiting, waits) = (future.clone(), begun.clone());
    let waiter = thread::spawn(move || {
        waits.wait();
        waiting.result(None)
    });
    begun.wait();
    assert!(!future.done());
    future.set_result(vec![1, 2]).unwrap();
    assert_eq!(waiter.join().unwrap().unwrap(), [1, 2]);
    assert_eq!(future.result(Some(Duration::ZERO)).unwrap(), [1, 2]);
    assert!(future.exception(None).unwrap().is_none());
    assert_eq!(future.take_result(None).unwrap(), [1, 2]);
    let taken = future.result(None).unwrap_err();
    assert!(taken.is::<rondel_future::InvalidStateError>());
}

#[test]
fn a_wait_ends_with_its_time() {
    let future = concurrent::Future::<i32>::new();
    assert!(
        future
            .result(Some(Duration::ZERO))
            .unwrap_err()
            .is_timeout()
    );
    let short = Some(Duration::from_nanos(1));
    assert!(future.take_result(short).unwrap_err().is_timeout());
    assert!(future.exception(short).unwrap_err().is_timeout());
}

#[test]
fn a_future_is_done_once() {
    let future = concurrent::Future::new();
    assert_eq!(format!("{future:?}"), "<concurrent::Future pending>");
    future.set_exception(error("first")).unwrap();
    assert_eq!(format!("{future:?}"), "<concurrent::Future finished>");
    assert!(future.set_result(1).is_err());
    assert!(future.set_exception(error("second")).is_err());
    assert!(!future.cancel());
    assert!(!future.cancelled());
    assert!(!future.set_running_or_notify_cancel());
    assert_eq!(future.result(None).unwrap_err().to_string(), "first");
    let exception = future.exception(None).unwrap().unwrap();
    assert_eq!(exception.to_string(), "first");
}

#[test]
fn a_future_can_be_cancelled_until_it_is_running() {
    let cancelled = concurrent::Future::<i32>::new();
    assert!(cancelled.cancel());
    assert!(cancelled.cancel(), "it is cancelled, if not by this call");
    assert!(cancelled.done());
    assert!(!cancelled.set_running_or_notify_cancel());
    assert!(cancelled.result(None).unwrap_err().is_cancelled());
    assert!(cancelled.exception(None).unwrap_err().is_cancelled());

    let running = concurrent::Future::new();
    assert!(running.set_running_or_notify_cancel());
    assert_eq!(format!("{running:?}"), "<concurrent::Future running>");
    assert!(!running.cancel());
    running.set_result(42).unwrap();
    assert!(!running.running());
    assert_eq!(running.result(None).unwrap(), 42);
}

#[test]
fn callbacks_are_called_in_order_by_the_completing_thread_also_after_a_panic() {
    let future = concurrent::Future::new();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let calls = calls.clone();
        move |future: &concurrent::Future<i32>| {
            let result = future.result(None).unwrap();
            calls
                .lock()
                .unwrap()
                .push((what, result, thread::current().id()));
        }
    };
    future.add_done_callback(note("first"));
    future.add_done_callback(|_| panic!("a callback that panics"));
    future.add_done_callback(note("second"));
    let completed = future.clone();
    let completing = thread::spawn(move || completed.set_result(42).unwrap());
    let there = completing.thread().id();
    completing.join().unwrap();
    future.add_done_callback(note("late"));
    let here = thread::current().id();
    let expected = [
        ("first", 42, there),
        ("second", 42, there),
        ("late", 42, here),
    ];
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[test]
fn a_value_is_cloned_under_no_lock() {
    /// Asks for itself when it is cloned, and notes whether it was refused.
    struct Curious(concurrent::Future<Curious>, Arc<AtomicUsize>);

    impl Clone for Curious {
        fn clone(&self) -> Self {
            assert!(self.0.done());
            let refused = self.0.result(None).is_err();
            self.1.fetch_add(usize::from(refused), Ordering::Relaxed);
            Self(concurrent::Future::new(), self.1.clone())
        }
    }

    let refused = Arc::default();
    let future = concurrent::Future::new();
    let curious = Curious(future.clone(), Arc::clone(&refused));
    assert!(future.set_result(curious).is_ok());
    assert!(future.result(None).is_ok());
    assert!(future.result(None).is_ok(), "it was put back");
    assert_eq!(refused.load(Ordering::Relaxed), 2);
    // The value holds the future that holds it.
    drop(future.take_result(None));
}

#[test]
fn a_value_of_which_the_clone_panics_stays() {
    struct Fragile(Arc<AtomicUsize>);

    impl Clone for Fragile {
        fn clone(&self) -> Self {
            assert!(
                self.0.fetch_add(1, Ordering::Relaxed) > 0,
                "the first clone panics"
            );
            Self(self.0.clone())
        }
    }

    let future = concurrent::Future::new();
    assert!(future.set_result(Fragile(Arc::default())).is_ok());
    let reader = future.clone();
    assert!(
        thread::spawn(move || drop(reader.result(None)))
            .join()
            .is_err()
    );
    assert!(future.result(None).is_ok());
}

// --- coroutines for other threads ------------------------------------------------------------------

fn handle() -> Result<LoopHandle> {
    Ok(get_running_loop()?.handle())
}

fn ticker(trace: &Trace, count: usize) -> Result<Task<()>> {
    let trace = trace.clone();
    create_task(async move {
        for number in 0..count {
            trace.log(format_args!("tick {number}"));
            tick().await?;
        }
        Ok(())
    })
}

thread_local! {
    /// The trace of the coroutines that are made on this thread.
    static TRACE: RefCell<Trace> = RefCell::default();
}

fn log(event: &str) {
    TRACE.with_borrow(|trace| trace.log(event));
}

async fn work(iterations: usize) -> Result<i32> {
    log("work begins");
    let ended = ticks(iterations).await;
    log(if ended.is_ok() {
        "work ends"
    } else {
        "work is cancelled"
    });
    ended.map(|()| 42)
}

async fn forever() -> Result<()> {
    log("work begins");
    let ended = sleep(LONG).await;
    log("work is cancelled");
    ended
}

#[test]
fn a_coroutine_completes_the_future() {
    check(
        |trace| async move {
            TRACE.set(trace.clone());
            let ticking = ticker(&trace, 6)?;
            let future = run_coroutine_threadsafe(|| work(1), &handle()?)?;
            future.add_done_callback(|future| log(&format!("done {:?}", future.result(None))));
            ticking.await
        },
        &[
            "tick 0",
            "tick 1",
            "work begins",
            "tick 2",
            "work ends",
            "tick 3",
            "done Ok(42)",
            "tick 4",
            "tick 5",
            "Ok(())",
        ],
    );
}

#[test]
fn cancelling_the_future_cancels_a_task_that_has_not_begun() {
    check(
        |trace| async move {
            TRACE.set(trace.clone());
            let ticking = ticker(&trace, 6)?;
            let future = run_coroutine_threadsafe(forever, &handle()?)?;
            future.add_done_callback(|_| log("done"));
            trace.log(future.cancel());
            ticking.await
        },
        &[
            "done",
            "true",
            "tick 0",
            "tick 1",
            "work begins",
            "tick 2",
            "work is cancelled",
            "tick 3",
            "tick 4",
            "tick 5",
            "Ok(())",
        ],
    );
}

#[test]
fn cancelling_the_future_cancels_a_task_that_waits() {
    check(
        |trace| async move {
            TRACE.set(trace.clone());
            let ticking = ticker(&trace, 8)?;
            let future = run_coroutine_threadsafe(forever, &handle()?)?;
            future.add_done_callback(|_| log("done"));
            ticks(3).await?;
            trace.log(future.cancel());
            ticking.await
        },
        &[
            "tick 0",
            "tick 1",
            "work begins",
            "tick 2",
            "done",
            "true",
            "tick 3",
            "tick 4",
            "work is cancelled",
            "tick 5",
            "tick 6",
            "tick 7",
            "Ok(())",
        ],
    );
}

#[test]
fn cancelling_the_task_cancels_the_future() {
    check(
        |trace| async move {
            TRACE.set(trace.clone());
            let ticking = ticker(&trace, 8)?;
            let task = Arc::new(Mutex::new(None));
            let named = task.clone();
            let make = move || async move {
                named
                    .lock()
                    .unwrap()
                    .replace(current_task().unwrap().get_name());
                forever().await
            };
            let future = run_coroutine_threadsafe(make, &handle()?)?;
            future.add_done_callback(|future| log(&format!("done {}", future.cancelled())));
            ticks(3).await?;
            let name = task.lock().unwrap().take().unwrap();
            for task in rondel_task::all_tasks(None)? {
                if task.get_name() == name {
                    task.cancel();
                }
            }
            ticking.await
        },
        &[
            "tick 0",
            "tick 1",
            "work begins",
            "tick 2",
            "tick 3",
            "work is cancelled",
            "tick 4",
            "done true",
            "tick 5",
            "tick 6",
            "tick 7",
            "Ok(())",
        ],
    );
}

/// Runs `program` in another thread while the loop of this one runs.
fn beside_a_loop<T: Send + 'static>(
    program: impl FnOnce(LoopHandle) -> Result<T> + Send + 'static,
) -> Result<T> {
    run_virtual(async move {
        let event_loop = handle()?;
        to_thread(move || program(event_loop)).await
    })
}

#[test]
fn a_thread_gets_values_exceptions_and_panics() {
    let outcomes = beside_a_loop(|event_loop| {
        let value = run_coroutine_threadsafe(
            || async {
                // A coroutine that is not `Send`.
                let value = Rc::new(42);
                tick().await?;
                Ok(*value)
            },
            &event_loop,
        )?;
        let raised =
            run_coroutine_threadsafe(|| async { Err::<(), _>(error("raised")) }, &event_loop)?;
        let panicked = run_coroutine_threadsafe(
            || -> std::future::Ready<Result<()>> { panic!("no coroutine") },
            &event_loop,
        )?;
        let outcomes = (
            value.result(None)?,
            raised.result(None),
            panicked.result(None),
        );
        Ok(outcomes)
    });
    let (value, raised, panicked) = outcomes.unwrap();
    assert_eq!(value, 42);
    assert_eq!(raised.unwrap_err().to_string(), "raised");
    let panic: Exception = panicked.unwrap_err();
    assert!(panic.is_panic());
}

#[test]
fn a_thread_stops_waiting_and_cancels() {
    let (cancelled, ended) = mpsc::channel();
    let timed_out = beside_a_loop(move |event_loop| {
        let make = move || async move {
            let slept = get_running_loop()?.create_future::<()>().await;
            cancelled.send(slept.is_err()).unwrap();
            slept
        };
        let future = run_coroutine_threadsafe(make, &event_loop)?;
        let timed_out = future.result(Some(Duration::from_nanos(1))).unwrap_err();
        // It may not have begun: then it begins, and is cancelled at its first await.
        assert!(future.cancel());
        Ok((timed_out.is_timeout(), ended.recv()?))
    });
    assert_eq!(timed_out.unwrap(), (true, true));
}

#[test]
fn the_coroutine_runs_in_a_copy_of_the_callers_context() {
    static USER: ContextVar<&str> = ContextVar::with_default("user", "nobody");

    let seen = beside_a_loop(|event_loop| {
        USER.set("ada");
        let coroutine = || async {
            let seen = USER.get()?;
            USER.set("grace");
            Ok(seen)
        };
        let seen = run_coroutine_threadsafe(coroutine, &event_loop)?.result(None)?;
        Ok((seen, USER.get()?))
    });
    assert_eq!(seen.unwrap(), ("ada", "ada"));
}

#[test]
fn a_thread_is_not_left_waiting_for_a_loop_that_is_closed() {
    let event_loop = virtual_loop();
    let handle = event_loop.handle();
    let begun = run_coroutine_threadsafe(|| sleep(LONG), &handle).unwrap();
    event_loop.set_exception_handler(Some(|_: &rondel_task::EventLoop, _: &_| {}));
    event_loop.run_once().unwrap();
    event_loop.run_once().unwrap();
    let not_begun = run_coroutine_threadsafe(|| sleep(secs(1)), &handle).unwrap();
    assert!(!begun.done());
    event_loop.close().unwrap();
    assert!(begun.result(None).unwrap_err().is::<ClosedError>());
    assert!(not_begun.result(None).unwrap_err().is::<ClosedError>());
    let refused = run_coroutine_threadsafe(|| sleep(secs(1)), &handle);
    assert!(refused.is_err());
}

// --- awaited by coroutines -------------------------------------------------------------------------

#[test]
fn a_wrapped_future_follows_and_is_done_one_iteration_later() {
    check(
        |trace| async move {
            let ticking = ticker(&trace, 6)?;
            let future = concurrent::Future::new();
            let wrapped = wrap_future(future.clone())?;
            let done = trace.clone();
            wrapped.add_done_callback(move |_| done.log("wrapped done"))?;
            tick().await?;
            future.set_result(5)?;
            trace.log(wrapped.done());
            trace.log(wrapped.await?);
            ticking.await
        },
        &[
            "tick 0",
            "false",
            "tick 1",
            "tick 2",
            "wrapped done",
            "5",
            "tick 3",
            "tick 4",
            "tick 5",
            "Ok(())",
        ],
    );
}

#[test]
fn a_future_that_is_done_can_be_wrapped() {
    check(
        |trace| async move {
            let ticking = ticker(&trace, 6)?;
            let future = concurrent::Future::new();
            future.set_result(5)?;
            let wrapped = wrap_future(future)?;
            trace.log(wrapped.done());
            trace.log(wrapped.await?);
            ticking.await
        },
        &[
            "false", "tick 0", "tick 1", "5", "tick 2", "tick 3", "tick 4", "tick 5", "Ok(())",
        ],
    );
}

#[test]
fn cancelling_the_wrapper_cancels_what_it_wraps() {
    check(
        |trace| async move {
            TRACE.set(trace.clone());
            let ticking = ticker(&trace, 6)?;
            let future = concurrent::Future::<i32>::new();
            future.add_done_callback(|_| log("concurrent done"));
            let wrapped = wrap_future(future.clone())?;
            wrapped.cancel();
            trace.log(future.cancelled());
            trace.log(wrapped.await.unwrap_err());
            trace.log(future.cancelled());
            ticking.await
        },
        &[
            "false",
            "cancelled",
            "false",
            "tick 0",
            "concurrent done",
            "tick 1",
            "tick 2",
            "tick 3",
            "tick 4",
            "tick 5",
            "Ok(())",
        ],
    );
}

#[test]
fn cancelling_what_is_wrapped_cancels_the_wrapper() {
    check(
        |trace| async move {
            let ticking = ticker(&trace, 6)?;
            let future = concurrent::Future::<i32>::new();
            let wrapped = wrap_future(future.clone())?;
            future.cancel();
            trace.log(wrapped.cancelled());
            trace.log((&wrapped).await.unwrap_err());
            trace.log(wrapped.cancelled());
            ticking.await
        },
        &[
            "false",
            "tick 0",
            "tick 1",
            "cancelled",
            "true",
            "tick 2",
            "tick 3",
            "tick 4",
            "tick 5",
            "Ok(())",
        ],
    );
}

#[test]
fn wrapping_needs_a_loop() {
    let future = concurrent::Future::<i32>::new();
    let refused = wrap_future(future).unwrap_err();
    assert!(refused.is::<rondel_task::RuntimeError>());
}
