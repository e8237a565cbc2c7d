//! The slack of timers: how late they may be, so that one wait serves several.

mod common;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use common::{TestResult, running, stop};
use rondel_reactor::{EventLoop, Instrument};
use rondel_sched::{Clock, VirtualClock};

const MS: Duration = Duration::from_millis(1);

/// A clock of the real world, as far as the loop can tell, that the test moves.
#[derive(Clone, Default)]
struct TestClock(Rc<Cell<Duration>>);

impl Clock for TestClock {
    fn time(&self) -> Duration {
        self.0.get()
    }
}

/// Notes how long each wait is to last, and lets that time pass at once.
struct Waits {
    clock: TestClock,
    waits: RefCell<Vec<Option<Duration>>>,
}

impl Instrument for Waits {
    fn before_io_wait(&self, timeout: Option<Duration>) {
        self.waits.borrow_mut().push(timeout);
        let now = self.clock.time();
        self.clock.0.set(now + timeout.unwrap_or_default());
        running().call_soon(|| ()).expect("the loop is open");
    }
}

#[test]
fn one_wait_serves_the_timers_of_one_slack() -> TestResult {
    let clock = TestClock::default();
    let builder = EventLoop::builder().clock(clock.clone());
    let event_loop = builder.timer_slack(10 * MS).build()?;
    let waits = Rc::new(Waits {
        clock: clock.clone(),
        waits: RefCell::default(),
    });
    event_loop.add_instrument(waits.clone());
    let fired = Rc::new(RefCell::new(Vec::new()));
    for when in [5 * MS, 8 * MS, 15 * MS, 16 * MS] {
        let fired = fired.clone();
        event_loop.call_at(when, move || {
            fired.borrow_mut().push((when, running().time()))
        })?;
    }
    event_loop.call_at(16 * MS, stop)?;
    event_loop.run_forever()?;
    assert_eq!(*waits.waits.borrow(), [Some(15 * MS), Some(11 * MS)]);
    let late = [(5, 15), (8, 15), (15, 15), (16, 26)];
    assert_eq!(*fired.borrow(), late.map(|(when, at)| (when * MS, at * MS)));
    Ok(event_loop.close()?)
}

#[test]
fn a_foreign_loop_is_told_to_sleep_that_long() -> TestResult {
    let builder = EventLoop::builder().clock(TestClock::default());
    let event_loop = builder.timer_slack(10 * MS).build()?;
    assert_eq!(event_loop.next_timeout(), None);
    event_loop.call_later(MS, || ())?;
    assert_eq!(event_loop.next_timeout(), Some(11 * MS));
    Ok(event_loop.close()?)
}

#[test]
fn a_virtual_clock_knows_no_slack() -> TestResult {
    let builder = EventLoop::builder().clock(VirtualClock::new());
    let event_loop = builder.timer_slack(10 * MS).build()?;
    event_loop.call_at(3 * MS, stop)?;
    event_loop.run_forever()?;
    assert_eq!(event_loop.time(), 3 * MS);
    Ok(event_loop.close()?)
}
