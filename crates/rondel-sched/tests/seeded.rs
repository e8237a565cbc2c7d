//! Orders that a seed decides.

mod common;

use std::{any::Any, cell::RefCell, rc::Rc};

use common::World;
use rondel_sched::{Handle, Host, Order, Runnable, Token};

/// Writes tokens into the world's log, among its callbacks.
struct Tokens<'a>(&'a World);

impl Host for Tokens<'_> {
    fn wake(&self, token: Token) {
        self.0.log.add(format!("t{}", token.to_bits()));
    }

    fn callback_panicked(&self, _: &dyn Runnable, _: Box<dyn Any + Send>) {
        unreachable!("none does");
    }
}

/// What a turn of tokens `t0..` and callbacks `a b c` looks like.
fn turn(order: Order, tokens: u64) -> String {
    let world = World::new();
    world.scheduler.set_order(order);
    for token in 0..tokens {
        world.scheduler.wake(Token::from_bits(token));
    }
    for callback in ["a", "b", "c"] {
        world.call_soon(callback).expect("it is open");
    }
    world.scheduler.run_ready(&Tokens(&world));
    world.log.text()
}

#[test]
fn first_in_first_out_is_the_default() {
    assert_eq!(turn(Order::default(), 3), "t0 t1 t2 a b c");
    assert_eq!(turn(Order::Fifo, 3), "t0 t1 t2 a b c");
}

#[test]
fn everything_runs_once_and_callbacks_in_their_order_whatever_the_seed() {
    for seed in 0..200 {
        let turn = turn(Order::Seeded(seed), 5);
        let (callbacks, mut tokens): (Vec<&str>, Vec<&str>) =
            turn.split(' ').partition(|word| word.len() == 1);
        tokens.sort_unstable();
        assert_eq!(callbacks, ["a", "b", "c"]);
        assert_eq!(tokens, ["t0", "t1", "t2", "t3", "t4"]);
    }
}

#[test]
fn every_order_comes_and_the_same_seed_gives_the_same() {
    // Two tokens among three callbacks: five places for two that are told apart.
    let mut orders: Vec<String> = (0..500).map(|seed| turn(Order::Seeded(seed), 2)).collect();
    assert_eq!(turn(Order::Seeded(7), 2), orders[7]);
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), 20);
}

#[test]
fn what_a_turn_adds_waits_for_the_next_under_a_seed_too() {
    let world = World::new();
    world.scheduler.set_order(Order::Seeded(3));
    let (scheduler, log) = (world.scheduler.clone(), world.log.clone());
    let added = world.log.adding("added");
    let adds = move || {
        log.add("adds");
        scheduler.call_soon(added).expect("it is open");
    };
    world.scheduler.call_soon(adds).expect("it is open");
    world.call_soon("behind").expect("it is open");
    assert_eq!(world.turn(), 2);
    assert_eq!(world.log.text(), "adds behind");
    world.scheduler.set_order(Order::Fifo);
    assert_eq!(world.turn(), 1);
}

#[test]
fn a_callback_that_is_not_scheduled_yet_is_a_callback_all_the_same() {
    let world = World::new();
    let later = Handle::unscheduled(world.log.adding("later"));
    assert!(format!("{later:?}").contains("seeded.rs"));
    world.scheduler.schedule_handle(&later).expect("it is open");
    world.turn();
    assert_eq!(world.log.text(), "later");

    let held = Rc::new(RefCell::new(0));
    let holds = held.clone();
    let never = Handle::unscheduled(move || *holds.borrow_mut() += 1);
    never.cancel();
    assert_eq!(Rc::strong_count(&held), 1);
    world.scheduler.schedule_handle(&never).expect("it is open");
    world.turn();
    assert_eq!(*held.borrow(), 0);
}
