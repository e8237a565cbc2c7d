//! Instruments: what a loop does is told as it does it, and whoever listens cannot harm it.

mod common;

use std::{cell::Cell, fmt::Display, panic::resume_unwind, rc::Rc, time::Duration};

use common::{Log, TestResult, running, stop, virtual_loop};
use rondel_reactor::{EventLoop, Instrument};

/// Adds a word for everything that it is told.
struct Words(Log);

impl Instrument for Words {
    fn before_run(&self) {
        self.0.add("run(");
    }
    fn after_run(&self) {
        self.0.add(")run");
    }
    fn before_io_wait(&self, timeout: Option<Duration>) {
        self.0.add(format!("wait({timeout:?}"));
    }
    fn after_io_wait(&self, _: Option<Duration>) {
        self.0.add(")wait");
    }
    fn before_callback(&self, callback: &dyn Display) {
        assert!(callback.to_string().contains("instruments.rs:"));
        self.0.add("callback(");
    }
    fn after_callback(&self, _: &dyn Display) {
        self.0.add(")callback");
    }
}

/// Panics at the first callback.
struct Fragile {
    calls: Cell<u32>,
}

impl Instrument for Fragile {
    fn before_callback(&self, _: &dyn Display) {
        self.calls.set(self.calls.get() + 1);
        resume_unwind(Box::new("oops"));
    }
}

#[test]
fn it_is_told_of_a_small_program_in_order() -> TestResult {
    let event_loop = EventLoop::new()?;
    let log = Log::default();
    event_loop.add_instrument(Rc::new(Words(log.clone())));
    event_loop.call_soon(log.adding("first"))?;
    event_loop.call_soon(stop)?;
    event_loop.run_forever()?;
    log.saw("run( callback( first )callback callback( )callback )run");
    Ok(event_loop.close()?)
}

#[test]
fn it_is_told_of_waiting_and_of_looking_without_waiting() -> TestResult {
    let event_loop = EventLoop::new()?;
    let log = Log::default();
    let words = Rc::new(Words(log.clone()));
    event_loop.add_instrument(words.clone());
    event_loop.run_once()?;
    log.saw("run( wait(Some(0ns) )wait )run");

    let handle = event_loop.handle();
    let sender = std::thread::spawn(move || handle.call_soon_threadsafe(stop));
    event_loop.run_forever()?;
    sender.join().expect("it does not panic")?;
    log.contains("callback(");
    Ok(event_loop.close()?)
}

/// Does something with the loop when it is about to wait, once.
struct Meddles<F>(Cell<Option<F>>);

impl<F: FnOnce()> Instrument for Meddles<F> {
    fn before_io_wait(&self, _: Option<Duration>) {
        if let Some(meddle) = self.0.take() {
            meddle();
        }
    }
}

/// Runs a loop that has nothing to do but what `meddle` adds when it begins to wait, and that ends by it.
#[track_caller]
fn check_meddling(event_loop: &EventLoop, meddle: impl FnOnce(&EventLoop) + 'static) {
    let same = event_loop.clone();
    let instrument = Rc::new(Meddles(Cell::new(Some(move || meddle(&same)))));
    event_loop.add_instrument(instrument.clone());
    // A virtual clock waits for a handle rather than to report a deadlock.
    let handle = event_loop.handle();
    event_loop.run_forever().expect("it is stopped");
    drop(handle);
    event_loop.remove_instrument(&instrument);
}

#[test]
fn what_one_adds_before_a_wait_is_not_waited_for() -> TestResult {
    for event_loop in [EventLoop::new()?, virtual_loop().0] {
        check_meddling(&event_loop, |event_loop| {
            event_loop.call_soon(stop).expect("it is open");
        });
        check_meddling(&event_loop, |event_loop| {
            let soon = Duration::from_millis(1);
            event_loop.call_later(soon, stop).expect("it is open");
        });
        check_meddling(&event_loop, EventLoop::stop);
        event_loop.close()?;
    }
    Ok(())
}

#[test]
fn a_callback_that_panics_has_an_end_too() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let log = Log::default();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    event_loop.add_instrument(Rc::new(Words(log.clone())));
    event_loop.call_soon(|| resume_unwind(Box::new("oops")))?;
    event_loop.run_once()?;
    log.saw("run( wait(Some(0ns) )wait callback( )callback )run");
    Ok(event_loop.close()?)
}

#[test]
fn one_that_panics_is_reported_and_removed_and_the_others_go_on() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let (log, reports) = (Log::default(), Log::default());
    event_loop.set_exception_handler(reports.reporting());
    let fragile = Rc::new(Fragile {
        calls: Cell::new(0),
    });
    event_loop.add_instrument(fragile.clone());
    event_loop.add_instrument(Rc::new(Words(log.clone())));
    event_loop.call_soon(log.adding("first"))?;
    event_loop.call_soon(log.adding("second"))?;
    event_loop.run_once()?;
    log.saw("run( wait(Some(0ns) )wait callback( first )callback callback( second )callback )run");
    assert_eq!(fragile.calls.get(), 1);
    assert!(!event_loop.has_instrument(&fragile));
    reports.saw("Exception in an instrument, which is removed\npanicked: oops");
    Ok(event_loop.close()?)
}

#[test]
fn one_is_added_once_and_removed_by_itself() -> TestResult {
    /// Takes itself out at the first callback.
    struct Once(Cell<u32>, Cell<Option<Rc<Self>>>);

    impl Instrument for Once {
        fn after_callback(&self, _: &dyn Display) {
            self.0.set(self.0.get() + 1);
            let this = self.1.take().expect("it is called once");
            assert!(running().remove_instrument(&this));
        }
    }

    let (event_loop, _) = virtual_loop();
    let once = Rc::new(Once(Cell::new(0), Cell::new(None)));
    once.1.set(Some(once.clone()));
    event_loop.add_instrument(once.clone());
    event_loop.add_instrument(once.clone());
    assert!(event_loop.is_watched());
    event_loop.call_soon(|| ())?;
    event_loop.call_soon(|| ())?;
    event_loop.run_once()?;
    assert_eq!(once.0.get(), 1);
    assert!(!event_loop.is_watched());
    assert!(!event_loop.remove_instrument(&once));
    Ok(event_loop.close()?)
}

#[test]
fn one_that_comes_during_an_iteration_hears_of_the_next() -> TestResult {
    let (event_loop, _) = virtual_loop();
    let log = Log::default();
    let words = log.clone();
    event_loop.call_soon(move || running().add_instrument(Rc::new(Words(words))))?;
    event_loop.call_soon(|| running().call_soon(stop).map(drop).expect("it is open"))?;
    event_loop.run_forever()?;
    log.saw("callback( )callback )run");
    Ok(event_loop.close()?)
}
