//! Ctrl-C where no loop takes notice of it: the process ends by the signal.

mod common;

use common::{TestResult, is_child, signal_that_ended};
use rondel_reactor::EventLoop;
use signal_hook::{consts::SIGINT, low_level::raise};

#[test]
fn sigint_ends_the_process_when_no_loop_runs() -> TestResult {
    if is_child() {
        let event_loop = EventLoop::new()?;
        event_loop.stop();
        event_loop.run_forever()?;
        raise(SIGINT)?;
        return Ok(());
    }
    let signal = signal_that_ended("sigint_ends_the_process_when_no_loop_runs")?;
    assert_eq!(signal, Some(SIGINT));
    Ok(())
}

#[test]
fn a_second_sigint_ends_the_process_when_a_callback_never_returns() -> TestResult {
    if is_child() {
        let event_loop = EventLoop::new()?;
        event_loop.call_soon(|| {
            raise(SIGINT).expect("the signal exists");
            raise(SIGINT).expect("the signal exists");
        })?;
        event_loop.run_forever()?;
        return Ok(());
    }
    let signal =
        signal_that_ended("a_second_sigint_ends_the_process_when_a_callback_never_returns")?;
    assert_eq!(signal, Some(SIGINT));
    Ok(())
}
