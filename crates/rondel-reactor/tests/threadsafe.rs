//! Callbacks from other threads that can be cancelled, or are queued at most once.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use common::{TestResult, on_every_backend, stop, virtual_loop};
use rondel_context::ContextVar;
use rondel_reactor::{IdempotentCallback, ThreadsafeHandle};

static WHO: ContextVar<&str> = ContextVar::with_default("who", "nobody");

fn is_thread_safe<T: Send + Sync>() {}

/// A count, and what adds to it.
fn counter() -> (Arc<AtomicUsize>, impl Fn() + Send + Sync + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let counts = count.clone();
    (count, move || {
        counts.fetch_add(1, Ordering::Relaxed);
    })
}

// --- cancelled --------------------------------------------------------------------------------------

#[test]
fn any_thread_cancels_a_callback_and_it_is_dropped_there() -> TestResult {
    is_thread_safe::<ThreadsafeHandle>();
    let (event_loop, _clock) = virtual_loop();
    let held = Arc::new(());
    let holds = held.clone();
    let handle = event_loop
        .handle()
        .call_soon_cancellable(move || unreachable!("{holds:?} is cancelled"))?;
    assert!(!handle.cancelled());
    let cancels = handle.clone();
    thread::spawn(move || cancels.cancel())
        .join()
        .expect("no panic");
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(handle.cancelled());
    assert_eq!(format!("{handle:?}"), "<ThreadsafeHandle cancelled>");
    event_loop.run_once()?;
    Ok(())
}

#[test]
fn a_callback_that_has_begun_cannot_be_cancelled() -> TestResult {
    let (event_loop, _clock) = virtual_loop();
    let (count, counts) = counter();
    let (sender, receiver) = mpsc::channel::<ThreadsafeHandle>();
    let handle = event_loop.handle().call_soon_cancellable(move || {
        counts();
        let itself = receiver.recv().expect("it was sent");
        itself.cancel();
        assert!(!itself.cancelled());
    })?;
    sender.send(handle.clone())?;
    event_loop.run_once()?;
    handle.cancel();
    assert!(!handle.cancelled());
    assert_eq!(count.load(Ordering::Relaxed), 1);
    Ok(())
}

#[test]
fn a_closed_loop_takes_neither() -> TestResult {
    let (event_loop, _clock) = virtual_loop();
    let handle = event_loop.handle();
    let once = handle.idempotent(|| ());
    event_loop.close()?;
    assert!(handle.call_soon_cancellable(|| ()).is_err());
    assert!(once.call_soon_threadsafe().is_err());
    Ok(())
}

// --- once -------------------------------------------------------------------------------------------

#[test]
fn a_callback_is_queued_once_until_it_begins() -> TestResult {
    is_thread_safe::<IdempotentCallback>();
    let (event_loop, _clock) = virtual_loop();
    let (count, counts) = counter();
    let once = event_loop.handle().idempotent(counts);
    for expected in [1, 2] {
        for _ in 0..3 {
            once.call_soon_threadsafe()?;
            once.clone().call_soon_threadsafe()?;
        }
        event_loop.run_once()?;
        event_loop.run_once()?;
        assert_eq!(count.load(Ordering::Relaxed), expected);
    }
    Ok(())
}

#[test]
fn a_callback_may_queue_itself_again() -> TestResult {
    let (event_loop, _clock) = virtual_loop();
    let (sender, receiver) = mpsc::channel::<IdempotentCallback>();
    let receiver = std::sync::Mutex::new(receiver);
    let (count, counts) = counter();
    let once = event_loop.handle().idempotent(move || {
        counts();
        if let Ok(itself) = receiver.lock().expect("no panic").try_recv() {
            itself.call_soon_threadsafe().expect("it is open");
        }
    });
    sender.send(once.clone())?;
    once.call_soon_threadsafe()?;
    event_loop.run_once()?;
    assert_eq!(count.load(Ordering::Relaxed), 1);
    event_loop.run_once()?;
    assert_eq!(count.load(Ordering::Relaxed), 2);
    Ok(())
}

#[test]
fn it_runs_in_the_context_of_whoever_has_queued_it() -> TestResult {
    let (event_loop, _clock) = virtual_loop();
    let (sender, receiver) = mpsc::channel();
    let once = event_loop.handle().idempotent(move || {
        sender.send(WHO.get()).expect("the test waits");
    });
    WHO.set("first");
    once.call_soon_threadsafe()?;
    WHO.set("second");
    once.call_soon_threadsafe()?;
    event_loop.run_once()?;
    assert_eq!(receiver.recv()?, Ok("first"));
    Ok(())
}

#[test]
fn a_closed_loop_that_had_it_queued_refuses_it() -> TestResult {
    let (event_loop, _clock) = virtual_loop();
    let once = event_loop.handle().idempotent(|| ());
    once.call_soon_threadsafe()?;
    assert!(format!("{once:?}").contains("queued: true"));
    event_loop.close()?;
    assert!(once.call_soon_threadsafe().is_err());
    Ok(())
}

#[test]
fn no_report_of_many_threads_is_lost() -> TestResult {
    const THREADS: usize = 4;
    const EACH: usize = 1_000;
    on_every_backend(|event_loop| {
        let (reports, report) = counter();
        let (reports, report) = (reports, Arc::new(report));
        let looked = reports.clone();
        // Ends when it sees the last report, which the call behind that one brings.
        let once = event_loop.handle().idempotent(move || {
            if looked.load(Ordering::Relaxed) == THREADS * EACH {
                stop();
            }
        });
        thread::scope(|scope| {
            for _ in 0..THREADS {
                let (once, report) = (once.clone(), report.clone());
                scope.spawn(move || {
                    for _ in 0..EACH {
                        report();
                        once.call_soon_threadsafe().expect("it is open");
                    }
                });
            }
            event_loop.run_forever()
        })?;
        assert_eq!(reports.load(Ordering::Relaxed), THREADS * EACH);
        Ok(())
    })
}
