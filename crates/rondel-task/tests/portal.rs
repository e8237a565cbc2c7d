//! Blocking portals: code without a loop uses one on another thread.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use common::{LONG, error, tick};
use rondel_context::ContextVar;
use rondel_task::{
    BlockingPortal, Remaining, Result, RuntimeError, create_task, current_task, get_running_loop,
    sleep, start_blocking_portal, to_thread,
};

static WHO: ContextVar<&str> = ContextVar::with_default("who", "nobody");

#[test]
fn values_errors_and_panics_come_back_to_the_caller() {
    let portal = start_blocking_portal().unwrap();
    WHO.set("me");
    assert_eq!(portal.call(|| Ok(WHO.get()?)).unwrap(), "me");
    let there = portal.call(|| Ok(thread::current().id())).unwrap();
    assert_ne!(there, thread::current().id());
    assert!(portal.call(|| Ok(current_task().is_some())).unwrap());
    let answer = portal.call_async(|| async {
        tick().await?;
        Ok(42)
    });
    assert_eq!(answer.unwrap(), 42);
    let raised = portal.call(|| Err::<(), _>(error("no"))).unwrap_err();
    assert_eq!(raised.to_string(), "no");
    let panicked = portal.call(|| -> Result<()> { panic!("oh no") });
    assert!(panicked.unwrap_err().is_panic());
    portal.stop(Remaining::Await).unwrap();
}

#[test]
fn a_task_may_be_started_and_waited_for_later_or_cancelled() {
    let portal = start_blocking_portal().unwrap();
    let answer = portal.start_task_soon(|| async { Ok(7) }).unwrap();
    assert_eq!(answer.result(None).unwrap(), 7);
    let (tells, told) = mpsc::channel();
    let never = portal.start_task_soon(move || async move {
        let ended = sleep(LONG).await;
        tells.send(ended.as_ref().is_err_and(|error| error.is_cancelled()))?;
        ended
    });
    let never = never.unwrap();
    // It begins before what is asked for later.
    portal.call(|| Ok(())).unwrap();
    assert!(never.cancel());
    assert!(told.recv().unwrap());
}

#[test]
fn many_threads_share_a_portal() {
    let portal = start_blocking_portal().unwrap();
    thread::scope(|scope| {
        let threads = [1, 2, 3].map(|n| {
            let portal = &portal;
            scope.spawn(move || portal.call_async(move || async move { Ok(2 * n) }))
        });
        let answers = threads.map(|thread| thread.join().unwrap().unwrap());
        assert_eq!(answers, [2, 4, 6]);
    });
}

#[test]
fn a_portal_that_is_stopped_awaits_its_tasks_or_cancels_them() {
    for (remaining, expected) in [
        (Remaining::Await, "ended"),
        (Remaining::Cancel, "cancelled"),
    ] {
        let portal = start_blocking_portal().unwrap();
        let (tells, told) = mpsc::channel();
        let (begins, begun) = mpsc::channel();
        let (release, released) = mpsc::channel();
        portal
            .call(move || {
                create_task(async move {
                    let waits = to_thread(move || {
                        begins.send(())?;
                        Ok(released.recv()?)
                    });
                    let waited = waits.await;
                    tells.send(if waited.is_ok() { "ended" } else { "cancelled" })?;
                    Ok(())
                })?;
                Ok(())
            })
            .unwrap();
        // A call that has not begun when it is cancelled is never made.
        begun.recv().unwrap();
        thread::scope(|scope| {
            let stopping = scope.spawn(|| portal.stop(remaining));
            if remaining == Remaining::Cancel {
                assert_eq!(told.recv().unwrap(), "cancelled");
            }
            release.send(()).unwrap();
            stopping.join().unwrap().unwrap();
        });
        if remaining == Remaining::Await {
            assert_eq!(told.recv().unwrap(), expected);
        }
        let refused = portal.call(|| Ok(())).unwrap_err();
        assert_eq!(refused.to_string(), "this portal is not running");
        // Stopping again does nothing.
        portal.stop(Remaining::Await).unwrap();
    }
}

#[test]
fn a_portal_cannot_be_used_from_its_own_thread() {
    let portal = Arc::new(start_blocking_portal().unwrap());
    let inner = Arc::downgrade(&portal);
    let refused = portal.call(move || {
        let portal = inner.upgrade().expect("it is waited for");
        let call = portal.call(|| Ok(())).unwrap_err();
        let stop = portal.stop(Remaining::Cancel).unwrap_err();
        Ok((call, stop))
    });
    let (call, stop) = refused.unwrap();
    assert!(call.is::<RuntimeError>() && stop.is::<RuntimeError>());
    assert_eq!(
        call.to_string(),
        "a portal cannot be used from the thread of its own event loop"
    );
    portal.call(|| Ok(())).unwrap();
}

#[test]
fn dropping_a_portal_cancels_its_tasks_and_waits_for_their_clean_up() {
    let cleaned = Arc::new(AtomicBool::new(false));
    let cleans = cleaned.clone();
    let portal = start_blocking_portal().unwrap();
    let task = portal.start_task_soon(move || async move {
        let cancelled = sleep(LONG).await;
        tick().await?;
        cleans.store(true, Ordering::Relaxed);
        cancelled
    });
    let task = task.unwrap();
    portal.call(|| Ok(())).unwrap();
    drop(portal);
    assert!(cleaned.load(Ordering::Relaxed));
    assert!(task.result(None).unwrap_err().is_cancelled());
}

#[test]
fn a_portal_that_is_dropped_on_its_own_thread_stops_and_waits_for_nobody() {
    let portal = start_blocking_portal().unwrap();
    let handle = portal.handle().clone();
    let (tells, told) = mpsc::channel();
    handle
        .call_soon_threadsafe(move || {
            drop::<BlockingPortal>(portal);
            let event_loop = get_running_loop().expect("it runs this callback");
            tells.send(event_loop.is_running()).expect("the test waits");
        })
        .unwrap();
    assert!(told.recv().unwrap());
    // The loop ends, and with it its entrance.
    while handle.call_soon_threadsafe(|| ()).is_ok() {
        thread::yield_now();
    }
}
