//! Alarms: timers that ring a token, among the others and in their order.

mod common;

use std::time::Duration;

use common::World;
use rondel_sched::{ClosedError, Token};

const SECOND: Duration = Duration::from_secs(1);

fn token(number: u64) -> Token {
    Token::from_bits(number)
}

#[test]
fn an_alarm_rings_in_its_place_among_the_timers() -> Result<(), ClosedError> {
    let world = World::new();
    world.scheduler.set_alarm(2 * SECOND, token(4))?;
    world.scheduler.call_at(SECOND, world.log.adding("first"))?;
    let second = world.scheduler.set_alarm(SECOND, token(2))?;
    world.scheduler.call_at(SECOND, world.log.adding("third"))?;
    assert_eq!(world.scheduler.timer_len(), 4);

    world.clock.advance(SECOND);
    assert!(world.scheduler.alarm_time(second).is_some());
    world.turn();
    world.saw("first alarm 2 third");
    assert!(world.scheduler.alarm_time(second).is_none());

    world.clock.advance(SECOND);
    world.turn();
    world.saw("first alarm 2 third alarm 4");
    assert_eq!(world.scheduler.timer_len(), 0);
    Ok(())
}

#[test]
fn an_alarm_that_is_cancelled_leaves_nothing_behind() -> Result<(), ClosedError> {
    let world = World::new();
    // One in the wheel, and one whose time is near.
    for when in [SECOND, Duration::from_nanos(1)] {
        let alarm = world.scheduler.set_alarm(when, token(1))?;
        assert_eq!(world.scheduler.next_timer(), Some(when));
        assert!(world.scheduler.cancel_alarm(alarm));
        assert!(world.scheduler.alarm_time(alarm).is_none());
        assert!(!world.scheduler.cancel_alarm(alarm), "it is cancelled");
        assert_eq!(world.scheduler.timer_len(), 0);
        assert_eq!(world.scheduler.next_timer(), None);
        assert_eq!(world.scheduler.wake_up_time(), None);
    }
    world.clock.advance(2 * SECOND);
    assert_eq!(world.turn(), 0);
    Ok(())
}

#[test]
fn an_alarm_can_be_cancelled_until_its_turn_comes() -> Result<(), ClosedError> {
    let world = World::new();
    let scheduler = world.scheduler.clone();
    let alarm = world.scheduler.set_alarm(SECOND, token(1))?;
    world.scheduler.call_soon(move || {
        // It stands in the ready queue, behind this.
        assert!(scheduler.alarm_time(alarm).is_some());
        assert!(scheduler.cancel_alarm(alarm));
        // What comes now does not get the place that the ready queue will look at.
        scheduler.set_alarm(SECOND, token(2)).unwrap();
    })?;
    world.clock.advance(SECOND);
    assert_eq!(world.turn(), 2, "a cancelled one is counted");
    world.saw("");
    world.turn();
    world.saw("alarm 2");
    Ok(())
}

#[test]
fn the_name_of_an_alarm_is_not_that_of_the_next_in_its_place() -> Result<(), ClosedError> {
    let world = World::new();
    let first = world.scheduler.set_alarm(SECOND, token(1))?;
    assert!(world.scheduler.cancel_alarm(first));
    let second = world.scheduler.set_alarm(SECOND, token(2))?;
    assert!(world.scheduler.alarm_time(first).is_none());
    assert!(!world.scheduler.cancel_alarm(first));
    assert!(world.scheduler.alarm_time(second).is_some());

    // A scheduler with no such place at all.
    assert!(World::new().scheduler.alarm_time(second).is_none());
    Ok(())
}

#[test]
fn near_timers_that_are_set_and_cancelled_take_no_memory_for_long() -> Result<(), ClosedError> {
    let world = World::new();
    let kept = world
        .scheduler
        .set_alarm(Duration::from_nanos(5), token(7))?;
    for _ in 0..10_000 {
        let alarm = world
            .scheduler
            .set_alarm(Duration::from_nanos(3), token(1))?;
        assert!(world.scheduler.cancel_alarm(alarm));
        assert_eq!(world.scheduler.timer_len(), 1);
    }
    assert_eq!(world.scheduler.next_timer(), Some(Duration::from_nanos(5)));
    world.clock.advance(SECOND);
    world.turn();
    world.saw("alarm 7");
    assert!(world.scheduler.alarm_time(kept).is_none());
    Ok(())
}

#[test]
fn a_closed_scheduler_has_no_alarms() -> Result<(), ClosedError> {
    let world = World::new();
    let set = world.scheduler.set_alarm(SECOND, token(1))?;
    let due = world.scheduler.set_alarm(Duration::ZERO, token(2))?;
    world.scheduler.fire_timers();
    world.scheduler.close();
    assert!(world.scheduler.alarm_time(set).is_none() && world.scheduler.alarm_time(due).is_none());
    assert_eq!(
        world.scheduler.set_alarm(SECOND, token(3)),
        Err(ClosedError)
    );
    Ok(())
}

#[test]
fn what_a_rush_of_timers_took_is_given_back_and_nothing_is_mistaken_after_that()
-> Result<(), ClosedError> {
    let world = World::new();
    world.clock.advance(100 * SECOND);
    let alarms = (0..10_000).map(|number| world.scheduler.set_alarm(101 * SECOND, token(number)));
    let alarms = alarms.collect::<Result<Vec<_>, _>>()?;
    world.scheduler.trim();
    assert_eq!(world.scheduler.timer_len(), 10_000, "they are set");
    for alarm in &alarms {
        assert!(world.scheduler.cancel_alarm(*alarm));
    }
    world.scheduler.trim();
    let later = world.scheduler.set_alarm(101 * SECOND, token(7))?;
    for alarm in &alarms {
        assert_eq!(world.scheduler.alarm_time(*alarm), None);
        assert!(!world.scheduler.cancel_alarm(*alarm));
    }
    assert_eq!(world.scheduler.alarm_time(later), Some(101 * SECOND));
    world.clock.advance(SECOND);
    world.turn();
    world.saw("alarm 7");
    Ok(())
}

#[test]
fn an_alarm_may_ring_another_token_than_it_was_set_for() -> Result<(), ClosedError> {
    let world = World::new();
    let alarm = world.scheduler.set_alarm(SECOND, token(1))?;
    world.scheduler.redirect_alarm(alarm, token(2));
    assert_eq!(world.scheduler.alarm_time(alarm), Some(SECOND));
    world.clock.advance(SECOND);
    world.turn();
    world.saw("alarm 2");
    world.scheduler.redirect_alarm(alarm, token(3));
    assert_eq!(world.scheduler.alarm_time(alarm), None);
    Ok(())
}
