//! Callbacks of an idle loop.

mod common;

use std::{
    io::{Write, pipe},
    rc::Rc,
    thread,
    time::Duration,
};

use common::{Log, TestResult, on_every_backend, running, stop, virtual_loop};
use rondel_reactor::EventLoop;
use rondel_sched::VirtualClock;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn they_run_when_nothing_else_is_left_to_do() -> TestResult {
    let (event_loop, _clock) = virtual_loop();
    let log = Log::default();
    let idle = log.adding("idle");
    event_loop.call_when_idle(Duration::ZERO, move || {
        idle();
        stop();
    })?;
    let (first, second) = (log.adding("first"), log.adding("second"));
    event_loop.call_soon(move || {
        first();
        running().call_soon(second).expect("it is open");
    })?;
    let later = log.adding("later");
    event_loop.call_later(secs(1), later)?;
    event_loop.run_forever()?;
    log.saw("first second idle");
    assert_eq!(event_loop.time(), Duration::ZERO);
    Ok(())
}

#[test]
fn a_timer_within_the_cushion_comes_first_and_the_cushion_begins_anew() -> TestResult {
    let (event_loop, _clock) = virtual_loop();
    let log = Log::default();
    event_loop.call_later(secs(2), log.adding("timer"))?;
    let says = log.clone();
    event_loop.call_when_idle(secs(2), move || {
        says.add(format!("{:?}", running().time()));
        stop();
    })?;
    event_loop.run_forever()?;
    log.saw("timer 4s");
    Ok(())
}

#[test]
fn one_that_is_cancelled_is_dropped_and_waited_for_by_nobody() -> TestResult {
    let (event_loop, _clock) = virtual_loop();
    let held = Rc::new(());
    let holds = held.clone();
    let handle = event_loop.call_when_idle(secs(1), move || drop(holds))?;
    handle.cancel();
    assert_eq!(Rc::strong_count(&held), 1);
    assert!(event_loop.run_forever().is_err_and(|e| e.is_deadlock()));
    assert_eq!(event_loop.time(), Duration::ZERO);
    Ok(())
}

#[test]
fn those_that_wait_are_dropped_with_the_loop() -> TestResult {
    let (event_loop, _clock) = virtual_loop();
    let held = Rc::new(());
    let (holds, owner) = (held.clone(), event_loop.clone());
    event_loop.call_when_idle(secs(1), move || drop((holds, owner)))?;
    event_loop.close()?;
    assert_eq!(Rc::strong_count(&held), 1);
    assert!(event_loop.call_when_idle(secs(1), || ()).is_err());
    Ok(())
}

#[test]
fn what_comes_from_a_descriptor_comes_first() -> TestResult {
    on_every_backend(|event_loop| {
        let log = Log::default();
        let (reader, mut writer) = pipe()?;
        writer.write_all(b"x")?;
        let (reader, read) = (Rc::new(reader), log.adding("read"));
        let watched = reader.clone();
        event_loop.add_reader(reader, move || {
            read();
            running().remove_reader(&watched);
        })?;
        let idle = log.adding("idle");
        event_loop.call_when_idle(Duration::ZERO, move || {
            idle();
            stop();
        })?;
        event_loop.run_forever()?;
        log.saw("read idle");
        Ok(())
    })
}

#[test]
fn a_real_loop_is_idle_for_the_whole_cushion() -> TestResult {
    const CUSHION: Duration = Duration::from_millis(2);
    on_every_backend(|event_loop| {
        let before = event_loop.time();
        event_loop.call_when_idle(CUSHION, stop)?;
        event_loop.run_forever()?;
        assert!(event_loop.time() - before >= CUSHION);
        Ok(())
    })
}

#[test]
fn a_message_of_a_thread_is_activity() -> TestResult {
    on_every_backend(|event_loop| {
        let log = Log::default();
        let handle = event_loop.handle();
        let told = log.adding("told");
        let waits = move || {
            let worker = thread::spawn(move || handle.call_soon_threadsafe(|| ()));
            worker.join().expect("no panic").expect("it is open");
            told();
        };
        event_loop.call_soon(waits)?;
        event_loop.call_when_idle(Duration::ZERO, {
            let idle = log.adding("idle");
            move || {
                idle();
                stop();
            }
        })?;
        event_loop.run_forever()?;
        log.saw("told idle");
        Ok(())
    })
}

#[test]
fn under_a_clock_that_only_its_owner_moves_the_cushion_is_real() -> TestResult {
    let clock = VirtualClock::new();
    clock.set_autojump(false);
    let event_loop = EventLoop::builder().clock(clock).build()?;
    event_loop.call_later(secs(1), || unreachable!("nobody moves the clock"))?;
    event_loop.call_when_idle(Duration::from_micros(1), stop)?;
    event_loop.run_forever()?;
    assert_eq!(event_loop.time(), Duration::ZERO);
    Ok(())
}
