//! What a signal does once its handlers are gone: what it does by default, to the whole process.

mod common;

use common::{TestResult, is_child, signal_that_ended};
use rondel_reactor::{
    EventLoop,
    signal::{SIGINT, SIGTERM, SIGWINCH},
};
use signal_hook::low_level::raise;

#[test]
fn a_signal_whose_handler_was_removed_ends_the_process() -> TestResult {
    if is_child() {
        let event_loop = EventLoop::new()?;
        event_loop.add_signal_handler(SIGTERM, || {})?;
        raise(SIGTERM)?;
        raise(SIGTERM)?;
        event_loop.remove_signal_handler(SIGTERM);
        raise(SIGTERM)?;
        return Ok(());
    }
    let signal = signal_that_ended("a_signal_whose_handler_was_removed_ends_the_process")?;
    assert_eq!(signal, Some(SIGTERM));
    Ok(())
}

#[test]
fn closing_the_last_loop_with_a_handler_gives_the_signal_back() -> TestResult {
    if is_child() {
        let (first, second) = (EventLoop::new()?, EventLoop::new()?);
        first.add_signal_handler(SIGTERM, || {})?;
        second.add_signal_handler(SIGTERM, || {})?;
        first.close()?;
        raise(SIGTERM)?;
        // Its default is that nothing happens.
        second.add_signal_handler(SIGWINCH, || {})?;
        drop(second);
        raise(SIGWINCH)?;
        raise(SIGTERM)?;
        return Ok(());
    }
    let signal = signal_that_ended("closing_the_last_loop_with_a_handler_gives_the_signal_back")?;
    assert_eq!(signal, Some(SIGTERM));
    Ok(())
}

#[test]
fn a_second_sigint_ends_the_process_again_once_its_handler_is_gone() -> TestResult {
    if is_child() {
        let event_loop = EventLoop::new()?;
        event_loop.add_signal_handler(SIGINT, || {})?;
        event_loop.call_soon({
            let event_loop = event_loop.clone();
            move || {
                let raise = || raise(SIGINT).expect("the signal exists");
                raise();
                raise();
                event_loop.remove_signal_handler(SIGINT);
                raise();
                raise();
            }
        })?;
        event_loop.run_forever()?;
        return Ok(());
    }
    let signal =
        signal_that_ended("a_second_sigint_ends_the_process_again_once_its_handler_is_gone")?;
    assert_eq!(signal, Some(SIGINT));
    Ok(())
}

#[test]
fn a_run_that_is_not_interruptible_leaves_sigint_alone() -> TestResult {
    if is_child() {
        let event_loop = EventLoop::new()?;
        event_loop.set_interruptible(false);
        event_loop.call_soon(|| raise(SIGINT).expect("the signal exists"))?;
        event_loop.run_forever()?;
        return Ok(());
    }
    let signal = signal_that_ended("a_run_that_is_not_interruptible_leaves_sigint_alone")?;
    assert_eq!(signal, Some(SIGINT));
    Ok(())
}
