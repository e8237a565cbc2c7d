//! Random operations on a scheduler and on a model of it that is too simple to be wrong: two `Vec`s, one of them kept sorted.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    mem,
    panic::resume_unwind,
    rc::Rc,
    time::Duration,
};

use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};
use rondel_sched::{Host, Message, Runnable, Scheduler, Token, VirtualClock};

/// Why scheduling cannot fail here.
const OPEN: &str = "the scheduler is open";

/// What is done to the scheduler; a failure shrinks to a short list of these.
#[derive(Clone, Debug)]
enum Operation {
    CallSoon(Body),
    CallAt {
        delay: u64,
        body: Body,
    },
    /// Cancels one of the callbacks scheduled so far, counted from the last.
    Cancel {
        back: usize,
    },
    Wake(u8),
    /// Wakes through the entrance for other threads.
    Send(u8),
    Advance(u64),
    Turn,
}

/// What a callback does when it runs.
#[derive(Clone, Copy, Debug)]
enum Body {
    Nothing,
    CallSoon,
    CallAt { delay: u64 },
    Cancel { back: usize },
    Panic,
}

/// What was seen to happen; callbacks are numbered in the order of scheduling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Ran(usize),
    Panicked,
    Woken(u64),
}

fn bodies() -> impl Strategy<Value = Body> {
    prop_oneof![
        4 => Just(Body::Nothing),
        2 => Just(Body::CallSoon),
        2 => delays().prop_map(|delay| Body::CallAt { delay }),
        2 => (0..8_usize).prop_map(|back| Body::Cancel { back }),
        1 => Just(Body::Panic),
    ]
}

/// Mostly few different ones, so that many timers are set for the same time, and some for the past; but also far ones, which wait
/// for their time in every level of the wheel.
fn delays() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..64_u64,
        2 => 0..2_000_u64,
        1 => 0..100_000_000_u64,
        1 => (0..46_u32).prop_map(|bits| 1 << bits),
    ]
}

/// The time that a delay is set for.
fn when_of(now: u64, delay: u64) -> u64 {
    (now + delay).saturating_sub(32)
}

fn operations() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => bodies().prop_map(Operation::CallSoon),
        6 => (delays(), bodies()).prop_map(|(delay, body)| Operation::CallAt { delay, body }),
        3 => (0..8_usize).prop_map(|back| Operation::Cancel { back }),
        1 => any::<u8>().prop_map(Operation::Wake),
        1 => any::<u8>().prop_map(Operation::Send),
        1 => prop_oneof![8 => 0..4_u64, 4 => 0..300_u64, 1 => delays()].prop_map(Operation::Advance),
        2 => Just(Operation::Turn),
    ]
}

/// A unit is a quarter of a tick of the wheel.
const UNIT: u64 = 1 << 18;

fn time(units: u64) -> Duration {
    Duration::from_nanos(units * UNIT)
}

fn units(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("it is short") / UNIT
}

/// The scheduler, and what its callbacks need.
struct World {
    scheduler: Scheduler,
    clock: VirtualClock,
    /// What cancels each callback that was scheduled.
    cancels: RefCell<Vec<Box<dyn Fn()>>>,
    events: RefCell<Vec<Event>>,
}

impl World {
    fn new() -> Rc<Self> {
        let clock = VirtualClock::new();
        Rc::new(Self {
            scheduler: Scheduler::new(Rc::new(clock.clone())),
            clock,
            cancels: RefCell::default(),
            events: RefCell::default(),
        })
    }

    fn call(self: &Rc<Self>, delay: Option<u64>, body: Body) {
        let id = self.cancels.borrow().len();
        let world = Rc::clone(self);
        let callback = move || {
            world.events.borrow_mut().push(Event::Ran(id));
            match body {
                Body::Nothing => {}
                Body::CallSoon => world.call(None, Body::Nothing),
                Body::CallAt { delay } => world.call(Some(delay), Body::Nothing),
                Body::Cancel { back } => world.cancel(back),
                // Past the panic hook, which would print.
                Body::Panic => resume_unwind(Box::new(id)),
            }
        };
        let cancel: Box<dyn Fn()> = match delay {
            None => {
                let handle = self.scheduler.call_soon(callback).expect(OPEN);
                Box::new(move || handle.cancel())
            }
            Some(delay) => {
                let when = when_of(units(self.scheduler.time()), delay);
                let timer = self.scheduler.call_at(time(when), callback).expect(OPEN);
                Box::new(move || timer.cancel())
            }
        };
        self.cancels.borrow_mut().push(cancel);
    }

    fn cancel(&self, back: usize) {
        let cancels = self.cancels.borrow();
        if let Some(cancel) = cancels.iter().rev().nth(back) {
            cancel();
        }
    }

    fn apply(self: &Rc<Self>, operation: &Operation) {
        match *operation {
            Operation::CallSoon(body) => self.call(None, body),
            Operation::CallAt { delay, body } => self.call(Some(delay), body),
            Operation::Cancel { back } => self.cancel(back),
            Operation::Wake(bits) => self.scheduler.wake(Token::from_bits(bits.into())),
            Operation::Send(bits) => {
                let message = Message::Wake(Token::from_bits(bits.into()));
                self.scheduler.injector().send(message).expect(OPEN);
            }
            Operation::Advance(by) => self.clock.advance(time(by)),
            Operation::Turn => {
                self.scheduler.receive();
                self.scheduler.fire_timers();
                self.scheduler.run_ready(&**self);
            }
        }
    }
}

impl Host for World {
    fn wake(&self, token: Token) {
        self.events.borrow_mut().push(Event::Woken(token.to_bits()));
    }

    fn callback_panicked(&self, _: &dyn Runnable, _: Box<dyn Any + Send>) {
        self.events.borrow_mut().push(Event::Panicked);
    }
}

/// The model.
#[derive(Default)]
struct Model {
    now: u64,
    callbacks: Vec<(Body, Cancelled)>,
    ready: Vec<Ready>,
    sent: Vec<u8>,
    /// (when, callback), sorted.
    timers: Vec<(u64, usize)>,
    events: Vec<Event>,
}

type Cancelled = bool;

#[derive(Clone, Copy)]
enum Ready {
    Run(usize),
    Wake(u8),
}

impl Model {
    fn call(&mut self, delay: Option<u64>, body: Body) {
        let id = self.callbacks.len();
        self.callbacks.push((body, false));
        match delay {
            None => self.ready.push(Ready::Run(id)),
            Some(delay) => {
                self.timers.push((when_of(self.now, delay), id));
                self.timers.sort();
            }
        }
    }

    fn cancel(&mut self, back: usize) {
        if let Some((_, cancelled)) = self.callbacks.iter_mut().rev().nth(back) {
            *cancelled = true;
        }
        let callbacks = &self.callbacks;
        self.timers.retain(|&(_, id)| !callbacks[id].1);
    }

    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::CallSoon(body) => self.call(None, body),
            Operation::CallAt { delay, body } => self.call(Some(delay), body),
            Operation::Cancel { back } => self.cancel(back),
            Operation::Wake(bits) => self.ready.push(Ready::Wake(bits)),
            Operation::Send(bits) => self.sent.push(bits),
            Operation::Advance(by) => self.now += by,
            Operation::Turn => self.turn(),
        }
    }

    fn turn(&mut self) {
        self.ready.extend(self.sent.drain(..).map(Ready::Wake));
        while self
            .timers
            .first()
            .is_some_and(|&(when, _)| when <= self.now)
        {
            self.ready.push(Ready::Run(self.timers.remove(0).1));
        }
        let ready: Vec<_> = self.ready.drain(..).collect();
        for ready in ready {
            match ready {
                Ready::Run(id) if self.callbacks[id].1 => {}
                Ready::Run(id) => self.run(id),
                Ready::Wake(bits) => self.events.push(Event::Woken(bits.into())),
            }
        }
    }

    fn run(&mut self, id: usize) {
        self.events.push(Event::Ran(id));
        match self.callbacks[id].0 {
            Body::Nothing => {}
            Body::CallSoon => self.call(None, Body::Nothing),
            Body::CallAt { delay } => self.call(Some(delay), Body::Nothing),
            Body::Cancel { back } => self.cancel(back),
            Body::Panic => self.events.push(Event::Panicked),
        }
    }
}

/// 256 cases of 500 operations on average: 128,000 in all.
#[test]
fn the_scheduler_does_what_two_vecs_do() {
    let config = ProptestConfig {
        cases: 256,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let sequences = prop::collection::vec(operations(), 0..=1000);
    let operations_done = Cell::new(0);
    TestRunner::new(config)
        .run(&sequences, |sequence| {
            operations_done.set(operations_done.get() + sequence.len());
            let world = World::new();
            let mut model = Model::default();
            for operation in &sequence {
                world.apply(operation);
                model.apply(operation);
                let (seen, expected) = (world.events.take(), mem::take(&mut model.events));
                prop_assert_eq!(seen, expected, "after {:?}", operation);
                prop_assert_eq!(world.scheduler.ready_len(), model.ready.len());
                let next = model.timers.first().map(|&(when, _)| time(when));
                prop_assert_eq!(world.scheduler.next_timer(), next);
                // A wait never lasts beyond the next timer.
                let wait = world.scheduler.wake_up_time();
                prop_assert_eq!((wait.is_some(), wait <= next), (next.is_some(), true));
            }
            world.cancels.borrow_mut().clear();
            world.scheduler.close();
            prop_assert_eq!(Rc::strong_count(&world), 1, "every callback was dropped");
            Ok(())
        })
        .unwrap();
    let done = operations_done.get();
    assert!(done >= 100_000, "{done}");
}
