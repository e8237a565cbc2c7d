//! A chain of callbacks that never ends starves neither descriptors nor threads nor timers nor the rest.

mod common;

use std::{
    cell::Cell,
    io::{Write, pipe},
    rc::Rc,
    thread,
    time::Duration,
};

use common::{TestResult, on_every_backend, running, stop};
use rondel_reactor::EventLoop;

/// Keeps the loop busy for ever, one callback an iteration, and counts them.
fn keep_busy(event_loop: &EventLoop, count: Rc<Cell<u64>>) {
    let again = move || {
        count.set(count.get() + 1);
        keep_busy(&running(), count);
    };
    event_loop.call_soon(again).expect("the loop is open");
}

fn busy(event_loop: &EventLoop) -> Rc<Cell<u64>> {
    let count = Rc::new(Cell::new(0));
    keep_busy(event_loop, count.clone());
    count
}

#[test]
fn descriptors_are_looked_at() -> TestResult {
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        let count = busy(event_loop);
        event_loop.add_reader(reader, stop)?;
        // Written when the loop has long been busy, and not just after the descriptor was registered.
        let waiting = count.clone();
        let when = event_loop.time() + Duration::from_millis(2);
        event_loop.call_at(when, move || {
            assert!(waiting.get() > 100);
            writer.write_all(b"x").expect("somebody reads");
            // Until the loop stops, somebody has to keep the pipe open.
            let keep = running().call_later(Duration::from_secs(3600), move || drop(writer));
            keep.expect("the loop is open");
        })?;
        event_loop.run_forever()?;
        Ok(())
    })
}

#[test]
fn messages_of_threads_are_received() -> TestResult {
    on_every_backend(|event_loop| {
        busy(event_loop);
        let handle = event_loop.handle();
        let sending = thread::spawn(move || handle.call_soon_threadsafe(stop));
        event_loop.run_forever()?;
        sending.join().expect("it does not panic")?;
        Ok(())
    })
}

#[test]
fn timers_fire() -> TestResult {
    on_every_backend(|event_loop| {
        let count = busy(event_loop);
        event_loop.call_later(Duration::ZERO, stop)?;
        event_loop.run_forever()?;
        assert_eq!(
            count.get(),
            1,
            "due at once, it fires in the first iteration"
        );
        Ok(())
    })
}

#[test]
fn a_timer_that_sets_itself_for_now_does_not_starve_descriptors() -> TestResult {
    fn again() {
        running()
            .call_later(Duration::ZERO, again)
            .expect("the loop is open");
    }
    on_every_backend(|event_loop| {
        let (reader, mut writer) = pipe()?;
        event_loop.call_soon(again)?;
        event_loop.add_reader(reader, stop)?;
        event_loop.run_once()?;
        writer.write_all(b"x")?;
        event_loop.run_forever()?;
        Ok(())
    })
}

#[test]
fn a_real_timer_is_never_early() -> TestResult {
    on_every_backend(|event_loop| {
        for microseconds in [1, 150, 1_000, 1_999] {
            let timer = event_loop.call_later(Duration::from_micros(microseconds), stop)?;
            event_loop.run_forever()?;
            assert!(event_loop.time() >= timer.when());
        }
        Ok(())
    })
}
