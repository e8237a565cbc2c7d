//! Guest mode: a foreign loop waits for the loop's descriptor and steps it.

mod common;

use std::{
    cell::Cell,
    io::{self, Read, Write},
    os::fd::AsFd,
    rc::Rc,
    thread,
    time::Duration,
};

use common::{Log, TestResult, on_every_backend, running, stop, virtual_loop};
use rondel_reactor::{EventLoop, get_running_loop, signal::SIGUSR1};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether a descriptor is readable now.
fn is_readable(fd: impl AsFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    Ok(poll(&mut fds, Some(&Timespec::default()))? > 0)
}

/// Waits until a descriptor is readable.
fn wait_for(fd: impl AsFd) -> io::Result<()> {
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], None)?;
    Ok(())
}

#[test]
fn the_descriptor_is_readable_when_a_thread_has_sent_something() -> TestResult {
    on_every_backend(|event_loop| {
        let fd = event_loop.poll_fd()?;
        let log = Log::default();
        event_loop.run_once()?;
        assert!(!is_readable(&fd)?);
        for word in ["a", "b"] {
            let handle = event_loop.handle();
            let sending = thread::spawn(move || handle.call_soon_threadsafe(stop));
            wait_for(&fd)?;
            sending.join().expect("it does not panic")?;
            assert_eq!(event_loop.next_timeout(), Some(Duration::ZERO));
            event_loop.call_soon(log.adding(word))?;
            event_loop.run_once()?;
            assert!(event_loop.was_stopped());
            assert!(!is_readable(&fd)?);
        }
        log.saw("a b");
        Ok(())
    })
}

#[test]
fn the_descriptor_is_readable_while_one_of_the_loops_is() -> TestResult {
    on_every_backend(|event_loop| {
        let fd = event_loop.poll_fd()?;
        let (reader, mut writer) = io::pipe()?;
        let reader = Rc::new(reader);
        let (pipe, read) = (reader.clone(), Rc::new(Cell::new(0)));
        let count = read.clone();
        event_loop.add_reader(reader, move || {
            let mut byte = [0];
            count.set(count.get() + (&*pipe).read(&mut byte).expect("it is readable"));
        })?;
        event_loop.run_once()?;
        assert!(!is_readable(&fd)?);
        writer.write_all(b"ab")?;
        while is_readable(&fd)? {
            event_loop.run_once()?;
        }
        assert_eq!(read.get(), 2);
        Ok(())
    })
}

#[test]
fn a_signal_makes_it_readable_and_its_handler_runs_in_a_step() -> TestResult {
    on_every_backend(|event_loop| {
        let fd = event_loop.poll_fd()?;
        let handled = Rc::new(Cell::new(false));
        let seen = handled.clone();
        event_loop.add_signal_handler(SIGUSR1, move || seen.set(true))?;
        event_loop.run_once()?;
        assert!(!is_readable(&fd)?);
        signal_hook::low_level::raise(SIGUSR1)?;
        wait_for(&fd)?;
        while !handled.get() {
            assert!(is_readable(&fd)? || event_loop.next_timeout() == Some(Duration::ZERO));
            event_loop.run_once()?;
        }
        assert!(!is_readable(&fd)? && event_loop.next_timeout().is_none());
        Ok(())
    })
}

#[test]
fn the_timeout_counts_down_to_the_next_timer() -> TestResult {
    let (event_loop, clock) = virtual_loop();
    let seconds = Duration::from_secs;
    assert_eq!(event_loop.next_timeout(), None);
    let log = Log::default();
    event_loop.call_later(seconds(5), log.adding("five"))?;
    let first = event_loop.call_later(seconds(3), log.adding("three"))?;
    assert_eq!(event_loop.next_timeout(), Some(seconds(3)));
    clock.advance(seconds(1));
    assert_eq!(event_loop.next_timeout(), Some(seconds(2)));
    first.cancel();
    assert_eq!(event_loop.next_timeout(), Some(seconds(4)));
    clock.advance(seconds(9));
    assert_eq!(event_loop.next_timeout(), Some(Duration::ZERO));
    event_loop.run_once()?;
    log.saw("five");
    assert_eq!(event_loop.next_timeout(), None);
    Ok(())
}

#[test]
fn what_is_ready_leaves_no_time_to_sleep() -> TestResult {
    let (event_loop, _) = virtual_loop();
    event_loop.call_soon(|| {
        running().call_soon(|| ()).expect("it is open");
    })?;
    for _ in 0..2 {
        assert_eq!(event_loop.next_timeout(), Some(Duration::ZERO));
        event_loop.run_once()?;
    }
    assert_eq!(event_loop.next_timeout(), None);
    event_loop.stop();
    assert_eq!(event_loop.next_timeout(), Some(Duration::ZERO));
    Ok(())
}

#[test]
fn a_step_is_a_run_for_what_runs_in_it() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let outside = event_loop.clone();
    event_loop.call_soon(move || {
        assert_eq!(get_running_loop().as_ref(), Ok(&outside));
        assert!(outside.is_running() && !outside.was_stopped());
    })?;
    event_loop.run_once()?;
    assert!(get_running_loop().is_err());
    assert!(!event_loop.was_stopped());

    event_loop.call_soon(stop)?;
    event_loop.run_once()?;
    assert!(event_loop.was_stopped());
    event_loop.run_once()?;
    assert!(!event_loop.was_stopped(), "the request was fulfilled");
    Ok(())
}

#[test]
fn a_closed_loop_has_no_descriptor_and_one_that_was_given_stays_open() -> TestResult {
    let event_loop = EventLoop::new()?;
    let fd = event_loop.poll_fd()?;
    event_loop.close()?;
    assert!(event_loop.poll_fd().is_err());
    is_readable(fd)?;
    assert_eq!(event_loop.next_timeout(), None);
    Ok(())
}
