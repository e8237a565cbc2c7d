//! Callbacks from other threads.

mod common;

use std::{
    io::pipe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use common::{Log, TestResult, on_every_backend, running, stop, virtual_loop};
use rondel_context::ContextVar;

#[test]
fn every_callback_of_many_threads_runs_and_those_of_one_in_order() -> TestResult {
    const THREADS: usize = 8;
    const EACH: usize = 1_000;
    on_every_backend(|event_loop| {
        let seen: Arc<[AtomicUsize; THREADS]> = Arc::default();
        let left = Arc::new(AtomicUsize::new(THREADS * EACH));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (handle, seen, left) = (event_loop.handle(), seen.clone(), left.clone());
                scope.spawn(move || {
                    for number in 0..EACH {
                        let (seen, left) = (seen.clone(), left.clone());
                        let sent = handle.call_soon_threadsafe(move || {
                            assert_eq!(seen[thread].swap(number + 1, Ordering::Relaxed), number);
                            if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                                stop();
                            }
                        });
                        sent.expect("the loop is open");
                    }
                });
            }
            event_loop.run_forever()
        })?;
        assert_eq!(left.load(Ordering::Relaxed), 0);
        Ok(())
    })
}

#[test]
fn a_sleeping_loop_is_woken() -> TestResult {
    on_every_backend(|event_loop| {
        // A descriptor on which nothing ever comes.
        let (reader, _writer) = pipe()?;
        event_loop.add_reader(reader, || unreachable!("nothing is written"))?;
        for _ in 0..100 {
            let handle = event_loop.handle();
            let waking = thread::spawn(move || handle.call_soon_threadsafe(stop));
            event_loop.run_forever()?;
            waking.join().expect("it does not panic")?;
        }
        Ok(())
    })
}

#[test]
fn on_the_loops_own_thread_it_keeps_the_order_of_call_soon() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let counter = Arc::new(AtomicUsize::new(1));
    let expect = move |number| {
        let counter = counter.clone();
        move || assert_eq!(counter.fetch_add(1, Ordering::Relaxed), number)
    };
    let handle = event_loop.handle();
    let inside = expect.clone();
    event_loop.call_soon(move || {
        let event_loop = running();
        // Sent by another thread before this one goes on, so it comes first.
        let (elsewhere, first) = (handle.clone(), inside(1));
        let sent = thread::spawn(move || elsewhere.call_soon_threadsafe(first)).join();
        sent.expect("it does not panic").expect("the loop is open");
        handle
            .call_soon_threadsafe(inside(2))
            .expect("the loop is open");
        event_loop.call_soon(inside(3)).expect("the loop is open");
        event_loop
            .call_soon_threadsafe(inside(4))
            .expect("the loop is open");
        event_loop.call_soon(inside(5)).expect("the loop is open");
    })?;
    event_loop.run_once()?;
    event_loop.run_once()?;
    expect(6)();
    Ok(())
}

#[test]
fn the_callback_runs_in_a_copy_of_the_senders_context() -> TestResult {
    static WHO: ContextVar<&str> = ContextVar::with_default("who", "nobody");
    let (event_loop, _) = virtual_loop();
    let handle = event_loop.handle();
    thread::spawn(move || {
        WHO.set("thread");
        let sent = handle.call_soon_threadsafe(|| {
            assert_eq!(WHO.get_or("?"), "thread");
            stop();
        });
        WHO.set("later");
        sent
    })
    .join()
    .expect("it does not panic")?;
    event_loop.run_forever()?;
    assert_eq!(WHO.get_or("?"), "?");
    Ok(())
}

#[test]
fn a_panic_of_a_sent_callback_is_reported_with_the_line_that_sent_it() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let log = Log::default();
    event_loop.set_exception_handler(log.reporting());
    let oops = || std::panic::resume_unwind(Box::new("oops"));
    event_loop.handle().call_soon_threadsafe(oops)?;
    let line = line!() - 1;
    event_loop.run_once()?;
    let name = format!("boxed callback at {}:{line}", file!());
    log.saw(&format!(
        "Exception in callback {name}\nhandle: <Handle {name}>\npanicked: oops"
    ));
    Ok(())
}
