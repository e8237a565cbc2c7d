//! Running, stopping, stepping and closing.

mod common;

use std::{cell::Cell, rc::Rc};

use common::{Log, TestResult, running, stop, virtual_loop};
use rondel_reactor::{EventLoop, NoRunningLoopError, RunError, get_running_loop};

#[test]
fn stop_ends_the_run_after_the_iteration() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let log = Log::default();
    event_loop.call_soon(log.adding("a"))?;
    event_loop.call_soon(stop)?;
    let (b, c) = (log.adding("b"), log.adding("c"));
    event_loop.call_soon(move || {
        b();
        running().call_soon(c).expect("it is running");
    })?;
    event_loop.run_forever()?;
    log.saw("a b");

    event_loop.call_soon(stop)?;
    event_loop.run_forever()?;
    log.saw("a b c");
    Ok(())
}

#[test]
fn stop_before_the_run_allows_one_iteration() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let log = Log::default();
    event_loop.stop();
    event_loop.call_soon(log.adding("once"))?;
    event_loop.run_forever()?;
    log.saw("once");
    // The request is fulfilled: with nothing left, the next run finds a deadlock instead.
    assert!(event_loop.run_forever().unwrap_err().is_deadlock());
    Ok(())
}

#[test]
fn a_step_runs_what_is_ready_and_does_not_wait() -> TestResult {
    let (event_loop, clock) = virtual_loop();
    let log = Log::default();
    event_loop.call_later(std::time::Duration::from_secs(1), log.adding("timer"))?;
    event_loop.run_once()?;
    log.saw("");
    assert_eq!(
        event_loop.time(),
        std::time::Duration::ZERO,
        "a step does not move the clock"
    );
    clock.advance(std::time::Duration::from_secs(1));
    event_loop.run_once()?;
    log.saw("timer");
    Ok(())
}

#[test]
fn a_loop_knows_that_it_runs() -> TestResult {
    let (event_loop, _) = virtual_loop();
    assert_eq!(get_running_loop().unwrap_err(), NoRunningLoopError);
    assert_eq!(NoRunningLoopError.to_string(), "no running event loop");
    assert_eq!(
        format!("{event_loop:?}"),
        "<EventLoop running=false closed=false>"
    );
    let outside = event_loop.clone();
    event_loop.call_soon(move || {
        assert!(outside.is_running());
        assert_eq!(get_running_loop().as_ref(), Ok(&outside));
    })?;
    event_loop.run_once()?;
    assert!(!event_loop.is_running());
    assert!(get_running_loop().is_err());
    event_loop.close()?;
    assert_eq!(
        format!("{event_loop:?}"),
        "<EventLoop running=false closed=true>"
    );
    Ok(())
}

#[test]
fn a_run_inside_a_run_is_refused() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let (other, _) = virtual_loop();
    let ran = Rc::new(Cell::new(false));
    let inside = ran.clone();
    event_loop.call_soon(move || {
        for error in [running().run_forever(), running().run_once()] {
            let error = error.unwrap_err();
            assert!(error.is_running() && !error.is_nested());
            assert_eq!(error.to_string(), "this event loop is already running");
        }
        for error in [other.run_forever(), other.run_once()] {
            let error = error.unwrap_err();
            assert!(error.is_nested() && !error.is_running());
            assert_eq!(
                error.to_string(),
                "cannot run the event loop while another loop is running"
            );
        }
        let error = running().close().unwrap_err();
        assert!(error.is_running());
        assert_eq!(error.to_string(), "cannot close a running event loop");
        other.close().expect("it is not running");
        inside.set(true);
    })?;
    event_loop.run_once()?;
    assert!(ran.get());
    assert!(get_running_loop().is_err());
    Ok(())
}

#[test]
fn a_closed_loop_refuses_everything() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let held = Rc::new(());
    let (soon, timer) = (held.clone(), held.clone());
    event_loop.call_soon(move || drop(soon))?;
    event_loop.call_later(std::time::Duration::ZERO, move || drop(timer))?;
    let handle = event_loop.handle();
    event_loop.close()?;
    event_loop.close()?;
    assert!(event_loop.is_closed());
    assert_eq!(Rc::strong_count(&held), 1);
    for error in [event_loop.run_forever(), event_loop.run_once()] {
        let error = error.unwrap_err();
        assert!(error.is_closed());
        assert_eq!(error.to_string(), "the event loop is closed");
    }
    assert!(event_loop.call_soon(|| ()).is_err());
    assert!(event_loop.call_soon_threadsafe(|| ()).is_err());
    assert!(handle.call_soon_threadsafe(|| ()).is_err());
    drop(event_loop);
    assert!(handle.call_soon_threadsafe(|| ()).is_err());
    Ok(())
}

/// A panic gets out of a run only through an exception handler's own fault or the layer above; here through that layer.
#[test]
fn a_run_that_unwinds_leaves_the_loop_as_it_was() -> TestResult {
    struct Panicking;
    impl rondel_reactor::Extension for Panicking {
        fn wake(&self, _: rondel_sched::Token) {
            std::panic::resume_unwind(Box::new("oops"));
        }
        fn started(&self) {}
        fn stopped(&self) {}
        fn closing(&self) {}
    }

    let (event_loop, _) = virtual_loop();
    let extension: Rc<dyn rondel_reactor::Extension> = Rc::new(Panicking);
    event_loop.set_extension(Rc::downgrade(&extension));
    let log = Log::default();
    event_loop
        .scheduler()
        .wake(rondel_sched::Token::from_bits(1));
    event_loop.call_soon(log.adding("behind"))?;
    event_loop.stop();
    let run = std::panic::AssertUnwindSafe(|| event_loop.run_forever());
    assert!(std::panic::catch_unwind(run).is_err());
    assert!(!event_loop.is_running() && get_running_loop().is_err());

    event_loop.call_soon(stop)?;
    event_loop.run_forever()?;
    log.saw("behind");
    Ok(())
}

#[test]
fn a_callback_that_closes_the_scheduler_ends_the_run() -> TestResult {
    let event_loop = EventLoop::new()?;
    event_loop.call_soon(|| running().scheduler().close())?;
    assert!(event_loop.run_forever().unwrap_err().is_closed());
    event_loop.close()?;
    Ok(())
}

#[test]
fn errors_can_be_shared_between_threads_and_loops_cannot() {
    fn is_send_and_sync<T: Send + Sync + 'static>() {}
    is_send_and_sync::<RunError>();
    is_send_and_sync::<NoRunningLoopError>();
    is_send_and_sync::<rondel_reactor::LoopHandle>();

    // A method that both `Send` and other types had would be ambiguous.
    trait NotSend<Marker> {
        fn holds() {}
    }
    struct IsSend;
    impl<T: ?Sized> NotSend<()> for T {}
    impl<T: ?Sized + Send> NotSend<IsSend> for T {}
    <EventLoop as NotSend<_>>::holds();
}
