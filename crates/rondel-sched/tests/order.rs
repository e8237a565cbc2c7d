//! What runs when: the ready queue, timers, and what callbacks add and cancel.

mod common;

use std::{cell::Cell, rc::Rc, time::Duration};

use common::{Log, World};
use rondel_sched::{Clock, ClosedError, Scheduler, Token, VirtualClock};

const MS: Duration = Duration::from_millis(1);

#[test]
fn callbacks_run_in_the_order_of_scheduling() -> Result<(), ClosedError> {
    let world = World::new();
    for text in ["a", "b", "c"] {
        world.call_soon(text)?;
    }
    world.turn();
    world.saw("a b c");
    Ok(())
}

#[test]
fn what_a_callback_adds_waits_for_the_next_turn() -> Result<(), ClosedError> {
    let world = World::new();
    let inner = world.clone();
    world.scheduler.call_soon(move || {
        inner.log.add("outer");
        inner.call_soon("inner").unwrap();
        inner
            .scheduler
            .call_at(Duration::ZERO, inner.log.adding("timer"))
            .unwrap();
    })?;
    world.call_soon("beside")?;

    assert_eq!(world.turn(), 2);
    world.saw("outer beside");
    assert_eq!(world.turn(), 2);
    world.saw("outer beside inner timer");
    assert_eq!(world.turn(), 0);
    Ok(())
}

#[test]
fn timers_run_by_time_and_equal_ones_by_setting() -> Result<(), ClosedError> {
    let world = World::new();
    for (text, when) in [("d", 3), ("b", 2), ("c", 2), ("a", 1)] {
        world.scheduler.call_at(when * MS, world.log.adding(text))?;
    }
    world.clock.advance(5 * MS);
    world
        .scheduler
        .call_later(Duration::ZERO, world.log.adding("e"))?;
    world.turn();
    world.saw("a b c d e");
    Ok(())
}

#[test]
fn a_thousand_timers_due_at_once_keep_their_order() -> Result<(), ClosedError> {
    let world = World::new();
    let next = Rc::new(Cell::new(0));
    for number in 0..1000 {
        let next = next.clone();
        world
            .scheduler
            .call_at(MS, move || assert_eq!(next.replace(number + 1), number))?;
    }
    world.clock.advance(MS);
    assert_eq!(world.turn(), 1000);
    assert_eq!(next.get(), 1000);
    Ok(())
}

#[test]
fn a_timer_is_due_to_the_nanosecond() -> Result<(), ClosedError> {
    let world = World::new();
    let timer = world.scheduler.call_later(MS, world.log.adding("due"))?;
    assert_eq!(timer.when(), MS);
    assert_eq!(world.scheduler.next_timer(), Some(MS));

    world.clock.advance(MS - Duration::from_nanos(1));
    assert_eq!(world.turn(), 0);
    world.clock.advance(Duration::from_nanos(1));
    assert_eq!(world.turn(), 1);
    world.saw("due");
    Ok(())
}

#[test]
fn a_timer_for_the_end_of_time_is_never_due() -> Result<(), ClosedError> {
    let world = World::new();
    let timer = world
        .scheduler
        .call_later(Duration::MAX, world.log.adding("never"))?;
    assert_eq!(timer.when(), Duration::MAX);
    world
        .clock
        .advance(Duration::from_secs(500 * 365 * 24 * 60 * 60));
    assert_eq!(world.turn(), 0);
    Ok(())
}

#[test]
fn a_callback_cancels_those_behind_it() -> Result<(), ClosedError> {
    let world = World::new();
    let slot = Rc::new(Cell::new(None));
    let inner = slot.clone();
    world.scheduler.call_soon(move || {
        let handles: Option<(rondel_sched::Handle, rondel_sched::TimerHandle)> = inner.take();
        if let Some((soon, timer)) = handles {
            soon.cancel();
            timer.cancel();
        }
    })?;
    let soon = world.call_soon("never")?;
    let timer = world
        .scheduler
        .call_at(Duration::ZERO, world.log.adding("never"))?;
    world.call_soon("last")?;
    slot.set(Some((soon.clone(), timer.clone())));

    world.turn();
    world.saw("last");
    assert!(soon.cancelled() && timer.cancelled());
    Ok(())
}

#[test]
fn a_callback_may_run_the_rest_itself() -> Result<(), ClosedError> {
    let scheduler = Rc::new(Scheduler::new(Rc::new(VirtualClock::new())));
    let ran = Rc::new(Cell::new(0));
    let count = |by: usize| {
        let ran = ran.clone();
        move || ran.set(ran.get() + by)
    };
    let (rest, added) = (scheduler.clone(), count(100));
    scheduler.call_soon(move || {
        let added = rest.call_soon(added);
        assert!(added.is_ok() && rest.run_ready(&()) == 3);
    })?;
    scheduler.call_soon(count(1))?;
    scheduler.call_soon(count(10))?;
    assert_eq!(scheduler.run_ready(&()), 1);
    assert_eq!((ran.get(), scheduler.ready_len()), (111, 0));
    Ok(())
}

#[test]
fn a_callback_that_cancels_itself_finishes() -> Result<(), ClosedError> {
    let world = World::new();
    let (slot, log) = (
        Rc::new(Cell::new(None::<rondel_sched::Handle>)),
        world.log.clone(),
    );
    let inner = slot.clone();
    slot.set(Some(world.scheduler.call_soon(move || {
        let handle = inner.take().unwrap();
        handle.cancel();
        log.add(if handle.cancelled() {
            "cancelled"
        } else {
            "not cancelled"
        });
    })?));
    world.turn();
    world.saw("cancelled");
    Ok(())
}

#[test]
fn tokens_take_their_turn_between_callbacks() -> Result<(), ClosedError> {
    let world = World::new();
    world.call_soon("a")?;
    world.scheduler.wake(Token::from_bits(7));
    world.call_soon("b")?;
    world.turn();
    world.saw("a Token(0x7) b");
    Ok(())
}

#[test]
fn a_timer_that_is_cancelled_leaves_at_once() -> Result<(), ClosedError> {
    let world = World::new();
    let live: Vec<_> = (0..100)
        .map(|_| world.scheduler.call_later(MS, || ()))
        .collect();
    for _ in 0..10_000 {
        world.scheduler.call_later(MS, || ())?.cancel();
        assert_eq!(world.scheduler.timer_len(), live.len());
    }
    world.clock.advance(MS);
    assert_eq!(world.scheduler.fire_timers(), live.len());
    Ok(())
}

#[test]
fn the_next_timer_is_one_that_is_not_cancelled() -> Result<(), ClosedError> {
    let world = World::new();
    let first = world.scheduler.call_at(MS, || ())?;
    world.scheduler.call_at(2 * MS, || ())?;
    first.cancel();
    assert_eq!(world.scheduler.next_timer(), Some(2 * MS));
    assert_eq!(world.scheduler.timer_len(), 1);
    Ok(())
}

#[test]
fn the_clock_is_not_read_when_no_timer_is_set() {
    struct Unreadable;
    impl Clock for Unreadable {
        fn time(&self) -> Duration {
            unreachable!("nobody has set a timer")
        }
    }

    let scheduler = Scheduler::new(Rc::new(Unreadable));
    let log = Log::default();
    scheduler.call_soon(log.adding("ran")).unwrap();
    assert_eq!(scheduler.fire_timers(), 0);
    assert_eq!(scheduler.run_ready(&()), 1);
}
