//! Ctrl-C while a runner runs: the first cancels the main task, and that is all that happens in this process.

#![allow(
    clippy::unwrap_used,
    reason = "the parts of the one test, which run one after another"
)]

mod common;

use std::time::Duration;

use common::{LONG, Trace, tick};
use rondel_reactor::signal::SIGINT;
use rondel_task::{
    EventLoop, Exception, Result, Runner, create_task, current_task, get_running_loop, sleep,
};
use signal_hook::low_level::raise;

fn interrupt() {
    raise(SIGINT).expect("the signal exists");
}

/// Has SIGINT come in the next iteration.
fn interrupt_soon() -> Result<()> {
    get_running_loop()?.call_soon(interrupt)?;
    Ok(())
}

#[test]
fn the_first_ctrl_c_cancels_the_main_task() {
    let runner = Runner::new();
    main_ends_cancelled(&runner);
    main_goes_on(&runner);
    main_raises(&runner);
    main_was_cancelled_besides(&runner);
    main_has_ended_already(&runner);
    an_idle_main(&runner);
    a_handler_takes_its_place(&runner);
    main_ends_cancelled(&runner);
    runner.close().expect("nothing is left");
    the_rest_is_awaited();
    under_a_virtual_clock();
}

/// The clean-up may await, and the error is the interrupt.
fn main_ends_cancelled(runner: &Runner) {
    let trace = Trace::new();
    let log = trace.clone();
    let interrupted = runner.run(async move {
        interrupt_soon()?;
        let cancelled = sleep(LONG).await;
        log.log("cleans up");
        tick().await?;
        log.log("cleaned up");
        cancelled
    });
    assert!(interrupted.unwrap_err().is_interrupted());
    trace.check(&["cleans up", "cleaned up"]);
}

/// What it comes to is the outcome of the run.
fn main_goes_on(runner: &Runner) {
    let ended = runner.run(async {
        interrupt_soon()?;
        assert!(sleep(LONG).await.is_err());
        tick().await?;
        Ok("went on")
    });
    assert_eq!(ended.unwrap(), "went on");
}

fn main_raises(runner: &Runner) {
    let ended = runner.run(async {
        interrupt_soon()?;
        sleep(LONG).await.or(Err::<(), _>(Exception::msg("raised")))
    });
    assert_eq!(ended.unwrap_err().to_string(), "raised");
}

/// Somebody else has asked too, so it is a cancellation and no interrupt.
fn main_was_cancelled_besides(runner: &Runner) {
    let ended = runner.run(async {
        interrupt_soon()?;
        let main = current_task().expect("it runs");
        let cancelled = sleep(LONG).await;
        main.cancel();
        cancelled
    });
    assert!(ended.unwrap_err().is_cancelled());
}

/// There is nothing to cancel.
fn main_has_ended_already(runner: &Runner) {
    let ended = runner.run(async {
        interrupt();
        Ok("lost")
    });
    assert!(ended.unwrap_err().is_interrupted());
}

/// The signal comes from elsewhere while the loop waits.
fn an_idle_main(runner: &Runner) {
    let (started, waiting) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        waiting.recv().expect("the loop is running");
        interrupt();
    });
    let ended = runner.run(async move {
        get_running_loop()?.call_soon(move || started.send(()).expect("the thread waits"))?;
        sleep(LONG).await
    });
    assert!(ended.unwrap_err().is_interrupted());
    thread.join().expect("it does not panic");
}

fn a_handler_takes_its_place(runner: &Runner) {
    let ended = runner.run(async {
        let event_loop = get_running_loop()?;
        let interrupted = event_loop.create_future();
        let future = interrupted.clone();
        event_loop.add_signal_handler(SIGINT, move || {
            future.set_result("handled").expect("it comes once");
        })?;
        interrupt();
        let handled = interrupted.await?;
        event_loop.remove_signal_handler(SIGINT);
        Ok(handled)
    });
    assert_eq!(ended.unwrap(), "handled");
}

/// Other tasks are cancelled when the run is over.
fn the_rest_is_awaited() {
    let trace = Trace::new();
    let log = trace.clone();
    let interrupted = rondel_task::run(async move {
        let main = log.clone();
        create_task(async move {
            let cancelled = sleep(LONG).await;
            tick().await?;
            log.log("the rest cleaned up");
            cancelled
        })?;
        interrupt_soon()?;
        let cancelled = sleep(LONG).await;
        main.log("main cleaned up");
        cancelled
    });
    assert!(interrupted.unwrap_err().is_interrupted());
    trace.check(&["main cleaned up", "the rest cleaned up"]);
}

/// The clock stands where it was.
fn under_a_virtual_clock() {
    let clock = rondel_sched::VirtualClock::new();
    let runner = Runner::with_loop_factory(move || EventLoop::with_clock(clock.clone()));
    let interrupted = runner.run(async {
        get_running_loop()?.call_later(Duration::from_secs(5), interrupt)?;
        sleep(LONG).await
    });
    assert!(interrupted.unwrap_err().is_interrupted());
    let event_loop = runner.get_loop().expect("it is open");
    assert_eq!(event_loop.time(), Duration::from_secs(5));
}
