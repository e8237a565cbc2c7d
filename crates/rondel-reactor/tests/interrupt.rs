//! Ctrl-C while loops run: the only test of its process, because a signal concerns all of it.

mod common;

use std::{sync::mpsc, thread};

use common::{Log, TestResult, running, stop};
use rondel_reactor::{EventLoop, RunError};
use signal_hook::{consts::SIGINT, low_level::raise};

/// A callback that raises SIGINT in this process.
fn interrupt() {
    raise(SIGINT).expect("the signal exists");
}

fn was_interrupted(run: Result<(), RunError>) -> bool {
    run.is_err_and(|error| error.is_interrupted())
}

#[test]
fn sigint_ends_the_run_of_every_running_loop() -> TestResult {
    for &backend in common::BACKENDS {
        let event_loop = EventLoop::builder().backend(backend).build()?;
        busy_loop(&event_loop)?;
        idle_loop(&event_loop)?;
        stopped_loop(&event_loop)?;
        idle_loop(&event_loop)?;
    }
    all_running_loops()?;
    an_embedders_loop()
}

/// The iteration ends, the run ends with an error, and the loop can be run again.
fn busy_loop(event_loop: &EventLoop) -> TestResult {
    let log = Log::default();
    event_loop.call_soon(interrupt)?;
    event_loop.call_soon(log.adding("same iteration"))?;
    let later = log.adding("next run");
    event_loop.call_soon(move || drop(running().call_soon(later)))?;
    let error = event_loop.run_forever().expect_err("it is interrupted");
    assert!(error.is_interrupted());
    assert_eq!(error.to_string(), "interrupted by ctrl-c");
    log.saw("same iteration");

    event_loop.call_soon(stop)?;
    event_loop.run_forever()?;
    log.saw("same iteration next run");
    Ok(())
}

/// The signal ends a wait that nothing else would end.
fn idle_loop(event_loop: &EventLoop) -> TestResult {
    let (started, waiting) = mpsc::channel();
    let raising = thread::spawn(move || {
        waiting.recv().expect("the loop is running");
        interrupt();
    });
    event_loop.call_soon(move || started.send(()).expect("the thread waits"))?;
    assert!(was_interrupted(event_loop.run_forever()));
    raising.join().expect("it does not panic");
    Ok(())
}

/// A signal in the last iteration is not lost.
fn stopped_loop(event_loop: &EventLoop) -> TestResult {
    event_loop.call_soon(interrupt)?;
    event_loop.stop();
    assert!(was_interrupted(event_loop.run_forever()));
    event_loop.stop();
    event_loop.run_forever()?;
    Ok(())
}

/// Two loops run, and a third has stopped before the signal comes.
fn all_running_loops() -> TestResult {
    let stopped = EventLoop::new()?;
    stopped.stop();
    stopped.run_forever()?;

    let (started, waiting) = mpsc::channel();
    let loops: Vec<_> = (0..2)
        .map(|_| {
            let started = started.clone();
            thread::spawn(move || {
                let event_loop = EventLoop::new().expect("there are descriptors left");
                let tell = move || started.send(()).expect("the test waits");
                event_loop.call_soon(tell).expect("the loop is open");
                event_loop.run_forever()
            })
        })
        .collect();
    waiting.recv()?;
    waiting.recv()?;
    interrupt();
    for running in loops {
        assert!(was_interrupted(running.join().expect("it does not panic")));
    }

    stopped.stop();
    stopped.run_forever()?;
    Ok(())
}

/// A loop that is not interruptible leaves SIGINT to whoever built it.
fn an_embedders_loop() -> TestResult {
    let arrived = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    // Another loop has to run meanwhile, or the default would end the process.
    let (started, waiting) = mpsc::channel();
    let other = thread::spawn(move || {
        let event_loop = EventLoop::new().expect("there are descriptors left");
        let tell = move || started.send(()).expect("the test waits");
        event_loop.call_soon(tell).expect("the loop is open");
        event_loop.run_forever()
    });
    waiting.recv()?;
    signal_hook::flag::register(SIGINT, arrived.clone())?;

    let event_loop = EventLoop::builder().interruptible(false).build()?;
    event_loop.call_soon(interrupt)?;
    event_loop.call_soon(stop)?;
    event_loop.run_forever()?;
    assert!(arrived.load(std::sync::atomic::Ordering::SeqCst));
    assert!(was_interrupted(other.join().expect("it does not panic")));
    Ok(())
}
