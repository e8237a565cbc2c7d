//! Timers of every distance, against a model that is nothing but a sorted map.

mod common;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use common::World;
use proptest::prelude::*;
use rondel_sched::TimerHandle;

#[derive(Clone, Debug)]
enum Step {
    /// Sets a timer so many nanoseconds after the time of the clock.
    Set(u64),
    /// Cancels the timer with this number, counted among all that were set.
    Cancel(usize),
    /// Moves the clock and fires.
    Advance(u64),
    /// Moves the clock to the first timer, and fires.
    Jump,
}

/// Delays of every order of magnitude, and clusters that share a tick or a slot.
fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..4_u64,
        (0..52_u32, 0..64_u64).prop_map(|(bits, more)| (1 << bits) + more),
        (0..40_u64, 0..3_u64).prop_map(|(tick, more)| (tick << 20) + more),
        (0..40_u64, 0..3_u64).prop_map(|(slot, more)| (slot << 32) + more),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => delay().prop_map(Step::Set),
        2 => any::<prop::sample::Index>().prop_map(|index| Step::Cancel(index.index(1 << 20))),
        2 => delay().prop_map(Step::Advance),
        2 => Just(Step::Jump),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn they_fire_as_in_the_model(steps in prop::collection::vec(step(), 1..250)) {
        let world = World::new();
        let fired = Rc::new(RefCell::new(Vec::new()));
        let mut model: BTreeMap<(Duration, usize), ()> = BTreeMap::new();
        let mut set: Vec<TimerHandle> = Vec::new();
        for step in steps {
            match step {
                Step::Set(nanoseconds) => {
                    let when = world.scheduler.time() + Duration::from_nanos(nanoseconds);
                    let (number, fired) = (set.len(), fired.clone());
                    let handle = world.scheduler.call_at(when, move || fired.borrow_mut().push(number));
                    set.push(handle.unwrap());
                    model.insert((when, number), ());
                }
                Step::Cancel(number) if !set.is_empty() => {
                    let number = number % set.len();
                    set[number].cancel();
                    model.remove(&(set[number].when(), number));
                }
                Step::Cancel(_) => {}
                Step::Advance(nanoseconds) => world.clock.advance(Duration::from_nanos(nanoseconds)),
                Step::Jump => {
                    let first = model.keys().next().map(|(when, _)| *when);
                    let bound = world.scheduler.wake_up_time();
                    prop_assert_eq!(world.scheduler.next_timer(), first);
                    prop_assert!(bound <= first && bound.is_some() == first.is_some());
                    if let Some(when) = first {
                        let now = world.scheduler.time();
                        world.clock.advance(when.saturating_sub(now));
                    }
                }
            }
            world.turn();
            let now = world.scheduler.time();
            let mut due = model.clone();
            model = due.split_off(&(now + Duration::from_nanos(1), 0));
            let due: Vec<usize> = due.into_keys().map(|(_, number)| number).collect();
            prop_assert_eq!(fired.take(), due);
        }
    }
}

#[test]
fn a_wait_for_one_of_thousands_ends_early_rather_than_look_at_all() {
    let world = World::new();
    let far = Duration::from_secs(60);
    for number in 0..1000 {
        world
            .scheduler
            .call_at(far + Duration::from_nanos(number), || {})
            .unwrap();
    }
    assert_eq!(world.scheduler.next_timer(), Some(far));
    let mut waits = 0;
    while world.scheduler.timer_len() > 0 {
        let until = world.scheduler.wake_up_time().unwrap();
        assert!(until <= far + Duration::from_micros(1));
        world
            .clock
            .advance(until.saturating_sub(world.scheduler.time()));
        world.turn();
        waits += 1;
    }
    assert!(waits < 1010, "each wait but a few fires a timer: {waits}");
}

#[test]
fn a_single_timer_is_waited_for_exactly() {
    let world = World::new();
    let when = Duration::from_secs(100) + Duration::from_nanos(7);
    world.scheduler.call_at(when, || {}).unwrap();
    assert_eq!(world.scheduler.wake_up_time(), Some(when));
}
