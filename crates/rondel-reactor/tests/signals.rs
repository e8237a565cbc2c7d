//! Signal handlers: the only test of its process, because a signal concerns all of it.

mod common;

use std::{io::ErrorKind, rc::Rc, sync::mpsc, thread};

use common::{Log, TestResult, running, stop, virtual_loop};
use rondel_context::ContextVar;
use rondel_reactor::{
    EventLoop, RunError,
    signal::{SIGFPE, SIGHUP, SIGINT, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2},
};
use signal_hook::low_level::raise;

/// A callback that raises signals in this process.
fn raising<const N: usize>(signals: [i32; N]) -> impl Fn() + 'static {
    move || {
        signals
            .map(|signal| raise(signal).expect("the signal exists"))
            .into_iter()
            .collect()
    }
}

fn was_interrupted(run: Result<(), RunError>) -> bool {
    run.is_err_and(|error| error.is_interrupted())
}

/// Runs until what is under way has come to its end.
fn run_for(event_loop: &EventLoop, iterations: usize) -> TestResult {
    for _ in 0..iterations {
        event_loop.run_once()?;
    }
    Ok(())
}

#[test]
fn handlers_run_as_callbacks_of_their_loops() -> TestResult {
    for &backend in common::BACKENDS {
        let event_loop = EventLoop::builder().backend(backend).build()?;
        in_the_second_iteration(&event_loop)?;
        in_their_context(&event_loop)?;
        end_an_idle_wait(&event_loop)?;
        while_the_loop_is_busy(&event_loop)?;
        replaced(&event_loop)?;
        removed(&event_loop)?;
        watched(&event_loop)?;
        panicking(&event_loop)?;
        waiting_for_the_run(&event_loop)?;
        of_ctrl_c(&event_loop)?;
    }
    of_every_loop()?;
    under_a_virtual_clock()?;
    refused()?;
    gone_with_their_loop()
}

/// In the order of the numbers, and in the iteration in which they run in CPython; merged where one came twice.
fn in_the_second_iteration(event_loop: &EventLoop) -> TestResult {
    let log = Log::default();
    event_loop.add_signal_handler(SIGUSR2, log.adding("usr2"))?;
    event_loop.add_signal_handler(SIGUSR1, log.adding("usr1"))?;
    event_loop.call_soon(raising([SIGUSR1, SIGUSR2, SIGUSR1]))?;
    let (first, second, third) = (log.adding("1"), log.adding("2"), log.adding("3"));
    event_loop.call_soon(move || {
        first();
        let next = move || {
            second();
            drop(running().call_soon(third));
        };
        drop(running().call_soon(next));
    })?;
    run_for(event_loop, 4)?;
    log.saw("1 2 3 usr1 usr2");
    assert!(event_loop.remove_signal_handler(SIGUSR1));
    assert!(event_loop.remove_signal_handler(SIGUSR2));
    Ok(())
}

/// What a handler sets in its context is there the next time.
fn in_their_context(event_loop: &EventLoop) -> TestResult {
    static COUNT: ContextVar<u32> = ContextVar::with_default("count", 0);
    let seen = Rc::new(std::cell::Cell::new(0));
    let counted = seen.clone();
    event_loop.add_signal_handler(SIGUSR1, move || {
        let count = COUNT.get().expect("it has a default") + 1;
        COUNT.set(count);
        counted.set(count);
        stop();
    })?;
    for _ in 0..2 {
        event_loop.call_soon(raising([SIGUSR1]))?;
        event_loop.run_forever()?;
    }
    assert_eq!((seen.get(), COUNT.get()?), (2, 0));
    event_loop.remove_signal_handler(SIGUSR1);
    Ok(())
}

/// A signal of another thread ends a wait that nothing else would end.
fn end_an_idle_wait(event_loop: &EventLoop) -> TestResult {
    let (started, waiting) = mpsc::channel();
    let thread = thread::spawn(move || {
        waiting.recv().expect("the loop is running");
        raising([SIGTERM])();
    });
    event_loop.add_signal_handler(SIGTERM, stop)?;
    event_loop.call_soon(move || started.send(()).expect("the thread waits"))?;
    event_loop.run_forever()?;
    thread.join().expect("it does not panic");
    event_loop.remove_signal_handler(SIGTERM);
    Ok(())
}

/// A chain of callbacks that never ends does not starve a handler.
fn while_the_loop_is_busy(event_loop: &EventLoop) -> TestResult {
    fn again() {
        drop(running().call_soon(again));
    }
    let busy = EventLoop::new()?;
    busy.add_signal_handler(SIGHUP, stop)?;
    event_loop.add_signal_handler(SIGHUP, || {})?;
    busy.call_soon(again)?;
    busy.call_soon(raising([SIGHUP]))?;
    busy.run_forever()?;
    event_loop.remove_signal_handler(SIGHUP);
    Ok(())
}

/// A loop has one handler for each signal, and the later one is it.
fn replaced(event_loop: &EventLoop) -> TestResult {
    let log = Log::default();
    let held = Rc::new(());
    let first = held.clone();
    event_loop.add_signal_handler(SIGUSR1, move || drop(first.clone()))?;
    let second = log.adding("second");
    event_loop.add_signal_handler(SIGUSR1, second)?;
    assert_eq!(Rc::strong_count(&held), 1);
    event_loop.call_soon(raising([SIGUSR1]))?;
    run_for(event_loop, 3)?;
    log.saw("second");
    assert!(event_loop.remove_signal_handler(SIGUSR1));
    assert!(!event_loop.remove_signal_handler(SIGUSR1));
    Ok(())
}

/// A handler that removes another stops it even if it is due; it may remove itself too.
fn removed(event_loop: &EventLoop) -> TestResult {
    let log = Log::default();
    let first = log.adding("first");
    event_loop.add_signal_handler(SIGUSR1, move || {
        assert!(running().remove_signal_handler(SIGUSR2));
        assert!(running().remove_signal_handler(SIGUSR1));
        first();
    })?;
    event_loop.add_signal_handler(SIGUSR2, log.adding("second"))?;
    event_loop.call_soon(raising([SIGUSR2, SIGUSR1]))?;
    run_for(event_loop, 4)?;
    log.saw("first");
    assert!(!event_loop.remove_signal_handler(SIGUSR2));
    Ok(())
}

/// Beside each other and the handler, in the order of adding, until the watch is dropped.
fn watched(event_loop: &EventLoop) -> TestResult {
    let log = Log::default();
    let first = event_loop.watch_signal(SIGUSR1, log.adding("first"))?;
    event_loop.add_signal_handler(SIGUSR1, log.adding("handler"))?;
    let second = event_loop.watch_signal(SIGUSR1, log.adding("second"))?;
    assert_eq!(first.signal(), SIGUSR1);
    event_loop.call_soon(raising([SIGUSR1]))?;
    run_for(event_loop, 3)?;
    log.saw("first handler second");
    drop(first);
    assert!(event_loop.remove_signal_handler(SIGUSR1));
    assert!(!event_loop.remove_signal_handler(SIGUSR1));
    event_loop.call_soon(raising([SIGUSR1]))?;
    run_for(event_loop, 3)?;
    log.saw("first handler second second");
    // It may be dropped when nobody can be watched any more.
    let other = EventLoop::new()?;
    let outlives = other.watch_signal(SIGUSR1, || {})?;
    other.close()?;
    drop((outlives, second));
    Ok(())
}

/// It is reported, and called again the next time.
fn panicking(event_loop: &EventLoop) -> TestResult {
    let log = Log::default();
    event_loop.set_exception_handler(Some(Rc::new({
        let log = log.clone();
        move |_, context| log.add(&context.message()[..21])
    })));
    event_loop.add_signal_handler(SIGUSR1, || panic!("on purpose"))?;
    for _ in 0..2 {
        event_loop.call_soon(raising([SIGUSR1]))?;
        run_for(event_loop, 3)?;
    }
    log.saw("Exception in callback Exception in callback");
    event_loop.set_exception_handler(None);
    event_loop.remove_signal_handler(SIGUSR1);
    Ok(())
}

/// What arrives while the loop does not run is not lost, and does nothing else.
fn waiting_for_the_run(event_loop: &EventLoop) -> TestResult {
    let log = Log::default();
    let handled = log.adding("handled");
    event_loop.add_signal_handler(SIGTERM, move || {
        handled();
        stop();
    })?;
    raise(SIGTERM)?;
    log.saw("");
    event_loop.run_forever()?;
    log.saw("handled");
    event_loop.remove_signal_handler(SIGTERM);
    Ok(())
}

/// A handler of SIGINT takes the place of the interrupt, for as long as it is there, and for any number of them.
fn of_ctrl_c(event_loop: &EventLoop) -> TestResult {
    let log = Log::default();
    let handled = log.adding("handled");
    let handler = move || {
        handled();
        stop();
    };
    event_loop.add_signal_handler(SIGINT, handler.clone())?;
    event_loop.call_soon(raising([SIGINT, SIGINT]))?;
    event_loop.run_forever()?;
    log.saw("handled");
    // It comes first, then the handler: it is the handler's all the same.
    event_loop.remove_signal_handler(SIGINT);
    event_loop.call_soon(move || {
        raising([SIGINT])();
        running()
            .add_signal_handler(SIGINT, handler)
            .expect("it can be caught");
    })?;
    event_loop.run_forever()?;
    log.saw("handled handled");
    // It comes before the handler goes: nobody is interrupted.
    event_loop.call_soon(|| {
        raising([SIGINT])();
        assert!(running().remove_signal_handler(SIGINT));
        stop();
    })?;
    event_loop.run_forever()?;
    log.saw("handled handled");
    // And without one, it is an interrupt again.
    event_loop.call_soon(raising([SIGINT]))?;
    assert!(was_interrupted(event_loop.run_forever()));
    Ok(())
}

/// Each loop that has a handler is told; one that has none is interrupted.
fn of_every_loop() -> TestResult {
    let (started, waiting) = mpsc::channel();
    let loops = [true, true, false].map(|handles| {
        let started = started.clone();
        thread::spawn(move || {
            let event_loop = EventLoop::new().expect("there are descriptors left");
            if handles {
                event_loop
                    .add_signal_handler(SIGINT, stop)
                    .expect("it can be caught");
            }
            let tell = move || started.send(()).expect("the test waits");
            event_loop.call_soon(tell).expect("the loop is open");
            event_loop
                .run_forever()
                .map_err(|error| error.is_interrupted())
        })
    });
    for _ in &loops {
        waiting.recv()?;
    }
    raise(SIGINT)?;
    let ends = loops.map(|thread| thread.join().expect("it does not panic"));
    assert_eq!(ends, [Ok(()), Ok(()), Err(true)]);
    Ok(())
}

/// The clock jumps past a handler, and with nothing else left the loop waits for the signal.
fn under_a_virtual_clock() -> TestResult {
    let (event_loop, _) = virtual_loop();
    event_loop.add_signal_handler(SIGTERM, stop)?;
    let hour = std::time::Duration::from_secs(3600);
    let (timer_fired, waiting) = mpsc::channel();
    event_loop.call_later(hour, move || {
        timer_fired.send(()).expect("the thread waits")
    })?;
    let thread = thread::spawn(move || {
        waiting.recv().expect("the timer fires");
        raising([SIGTERM])();
    });
    event_loop.run_forever()?;
    thread.join().expect("it does not panic");
    event_loop.remove_signal_handler(SIGTERM);
    assert!(
        event_loop
            .run_forever()
            .is_err_and(|error| error.is_deadlock())
    );
    Ok(())
}

fn refused() -> TestResult {
    let event_loop = EventLoop::new()?;
    for signal in [SIGKILL, SIGSTOP, SIGFPE, 0, -1, 1000] {
        let error = event_loop
            .add_signal_handler(signal, stop)
            .expect_err("it cannot be caught");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            format!("signal {signal} cannot be caught")
        );
        assert!(!event_loop.remove_signal_handler(signal));
    }
    event_loop.close()?;
    let error = event_loop
        .add_signal_handler(SIGTERM, stop)
        .expect_err("it is closed");
    assert_eq!(error.to_string(), "the event loop is closed");
    Ok(())
}

/// Closing drops them, though they own the loop; one whose destructor adds another finds it closed.
fn gone_with_their_loop() -> TestResult {
    struct AddsAnother(EventLoop, Log);

    impl Drop for AddsAnother {
        fn drop(&mut self) {
            let refused = self.0.add_signal_handler(SIGUSR1, || {}).is_err();
            self.1.add(if refused { "refused" } else { "added" });
        }
    }

    let log = Log::default();
    let event_loop = EventLoop::new()?;
    let held = AddsAnother(event_loop.clone(), log.clone());
    event_loop.add_signal_handler(SIGUSR1, move || held.1.add("never"))?;
    event_loop.close()?;
    log.saw("refused");
    assert!(!event_loop.remove_signal_handler(SIGUSR1));
    Ok(())
}
