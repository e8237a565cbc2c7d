//! A loop whose clock stands still: jumps, waits that are real all the same, and deadlocks.

mod common;

use std::{
    io::{Read, Write, pipe},
    rc::Rc,
    sync::mpsc,
    thread,
    time::Duration,
};

use common::{Log, TestResult, running, stop, virtual_loop};
use rondel_reactor::{EventLoop, Extension};
use rondel_sched::{Token, VirtualClock};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[test]
fn an_idle_loop_jumps_from_timer_to_timer() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let log = Log::default();
    for (text, hours) in [("c", 3), ("a", 1), ("b", 2)] {
        let log = log.clone();
        event_loop.call_later(hours * HOUR, move || {
            log.add(format!("{text}@{:?}", running().time()));
        })?;
    }
    event_loop.call_later(3 * HOUR, stop)?;
    event_loop.run_forever()?;
    log.saw("a@3600s b@7200s c@10800s");
    Ok(())
}

#[test]
fn what_is_ready_and_what_was_sent_comes_before_a_jump() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let log = Log::default();
    event_loop.call_later(HOUR, stop)?;
    event_loop.handle().call_soon_threadsafe(|| {
        assert_eq!(running().time(), Duration::ZERO);
    })?;
    let seen = log.clone();
    event_loop.call_soon(move || seen.add(format!("{:?}", running().time())))?;
    event_loop.run_forever()?;
    log.saw("0ns");
    Ok(())
}

#[test]
fn while_a_descriptor_is_watched_the_clock_stands() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let (reader, mut writer) = pipe()?;
    let reader = Rc::new(reader);
    let (log, inside) = (Log::default(), reader.clone());
    let seen = log.clone();
    event_loop.add_reader(reader, move || {
        (&*inside).read_exact(&mut [0]).expect("it is readable");
        seen.add(format!("read@{:?}", running().time()));
        running().remove_reader(&inside);
    })?;
    let seen = log.clone();
    event_loop.call_later(HOUR, move || {
        seen.add(format!("timer@{:?}", running().time()));
        stop();
    })?;
    // However late the byte comes, it comes before the timer.
    let sending = thread::spawn(move || writer.write_all(b"x"));
    event_loop.run_forever()?;
    sending.join().expect("it does not panic")?;
    log.saw("read@0ns timer@3600s");
    Ok(())
}

#[test]
fn a_loop_that_may_jump_past_io_looks_first() -> TestResult {
    let clock = VirtualClock::new();
    let event_loop = EventLoop::builder()
        .clock(clock)
        .jump_past_io(true)
        .build()?;
    let (reader, mut writer) = pipe()?;
    let reader = Rc::new(reader);
    writer.write_all(b"x")?;
    let (log, inside) = (Log::default(), reader.clone());
    let seen = log.clone();
    event_loop.add_reader(reader, move || {
        (&*inside).read_exact(&mut [0]).expect("it is readable");
        seen.add(format!("read@{:?}", running().time()));
    })?;
    let seen = log.clone();
    event_loop.call_later(HOUR, move || {
        seen.add(format!("timer@{:?}", running().time()));
        stop();
    })?;
    event_loop.run_forever()?;
    log.saw("read@0ns timer@3600s");
    Ok(())
}

#[test]
fn nothing_left_is_a_deadlock() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let error = event_loop.run_forever().unwrap_err();
    assert!(error.is_deadlock());
    assert_eq!(
        error.to_string(),
        "deadlock: nothing is ready, and no timer, descriptor or thread can wake the event loop",
    );
    // The loop is none the worse.
    event_loop.call_later(HOUR, stop)?;
    event_loop.run_forever()?;
    Ok(())
}

#[test]
fn a_timer_that_only_others_can_reach_is_a_deadlock_too() -> TestResult {
    let (event_loop, clock) = virtual_loop();
    clock.set_autojump(false);
    event_loop.call_later(HOUR, stop)?;
    assert!(event_loop.run_forever().unwrap_err().is_deadlock());
    clock.advance(HOUR);
    event_loop.run_forever()?;
    Ok(())
}

#[test]
fn the_layer_above_says_who_waits() -> TestResult {
    struct Waiting;
    impl Extension for Waiting {
        fn wake(&self, _: Token) {}
        fn started(&self) {}
        fn stopped(&self) {}
        fn closing(&self) {}
        fn deadlock(&self) -> Option<String> {
            Some("Task-1".into())
        }
    }

    let (event_loop, _) = virtual_loop();
    let extension: Rc<dyn Extension> = Rc::new(Waiting);
    event_loop.set_extension(Rc::downgrade(&extension));
    let error = event_loop.run_forever().unwrap_err().to_string();
    assert!(
        error.ends_with("can wake the event loop: Task-1"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_handle_that_could_still_send_is_waited_for() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let handle = event_loop.handle();
    let sending = thread::spawn(move || handle.clone().call_soon_threadsafe(stop));
    event_loop.run_forever()?;
    sending.join().expect("it does not panic")?;
    Ok(())
}

#[test]
fn a_handle_that_goes_without_a_word_wakes_the_loop() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let handle = event_loop.handle();
    let letting_go = thread::spawn(move || drop(handle));
    assert!(event_loop.run_forever().unwrap_err().is_deadlock());
    letting_go.join().expect("it does not panic");
    Ok(())
}

#[test]
fn the_clock_stands_still_while_work_is_in_flight() -> TestResult {
    let (event_loop, _) = virtual_loop();
    event_loop.call_later(Duration::from_secs(1), stop)?;
    let (handle, in_flight) = (event_loop.handle(), event_loop.in_flight());
    let (answer, asked) = mpsc::channel();
    event_loop.call_soon(move || answer.send(()).expect("the worker waits for it"))?;
    let working = thread::spawn(move || {
        asked.recv().expect("the loop has begun");
        let sent = handle.call_soon_threadsafe(stop);
        drop(in_flight);
        sent
    });
    event_loop.run_forever()?;
    assert_eq!(event_loop.time(), Duration::ZERO, "the worker came first");
    working.join().expect("it does not panic")?;
    event_loop.run_forever()?;
    assert_eq!(event_loop.time(), Duration::from_secs(1));
    Ok(())
}

#[test]
fn work_in_flight_that_ends_without_a_word_wakes_the_loop() -> TestResult {
    let (event_loop, _) = virtual_loop();
    event_loop.call_later(Duration::from_secs(1), stop)?;
    let in_flight = event_loop.in_flight();
    let letting_go = thread::spawn(move || drop(in_flight));
    event_loop.run_forever()?;
    assert_eq!(event_loop.time(), Duration::from_secs(1));
    letting_go.join().expect("it does not panic");
    Ok(())
}

#[test]
fn what_comes_from_outside_within_the_threshold_comes_before_a_jump() -> TestResult {
    let (event_loop, clock) = virtual_loop();
    assert_eq!(clock.autojump_threshold(), Duration::ZERO);
    // However late the message comes, it comes before the timer.
    clock.set_autojump_threshold(HOUR);
    let log = Log::default();
    let timer = log.adding("timer");
    event_loop.call_later(HOUR, move || {
        timer();
        stop();
    })?;
    let handle = event_loop.handle();
    let sending = thread::spawn(move || {
        handle.call_soon_threadsafe(|| {
            let event_loop = running();
            assert_eq!(event_loop.time(), Duration::ZERO);
            let clock = event_loop.scheduler().clock().as_virtual();
            clock
                .expect("it was built with one")
                .set_autojump_threshold(Duration::ZERO);
        })
    });
    event_loop.run_forever()?;
    sending.join().expect("it does not panic")?;
    log.saw("timer");
    assert_eq!(event_loop.time(), HOUR);
    Ok(())
}
