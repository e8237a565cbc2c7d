//! Who drops values, exceptions and callbacks: each exactly once, and never inside a method.

use rondel_future::{AddCallback, Cancel, FutureState, InvalidStateError};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

type Future = FutureState<Tracked, Tracked, Tracked>;

/// Counts how often each tracked object was dropped, and whether a method is running.
#[derive(Default)]
struct Ledger {
    drops: RefCell<BTreeMap<usize, usize>>,
    in_method: Cell<bool>,
}

struct Tracked {
    number: usize,
    ledger: Rc<Ledger>,
}

impl Ledger {
    fn track(self: &Rc<Self>) -> Tracked {
        let mut drops = self.drops.borrow_mut();
        let number = drops.len();
        drops.insert(number, 0);
        Tracked {
            number,
            ledger: Rc::clone(self),
        }
    }

    /// Runs a method of the future; nothing may be dropped meanwhile.
    fn method<R>(&self, method: impl FnOnce() -> R) -> R {
        self.in_method.set(true);
        let answer = method();
        self.in_method.set(false);
        answer
    }

    fn alive(&self) -> usize {
        self.drops
            .borrow()
            .values()
            .filter(|&&drops| drops == 0)
            .count()
    }

    #[track_caller]
    fn assert_each_dropped_once(&self) {
        assert!(
            self.drops.borrow().values().all(|&drops| drops == 1),
            "{:?}",
            self.drops.borrow()
        );
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        assert!(
            !self.ledger.in_method.get(),
            "object {} was dropped inside a method",
            self.number
        );
        *self
            .ledger
            .drops
            .borrow_mut()
            .entry(self.number)
            .or_default() += 1;
    }
}

type Step = (&'static str, fn(&mut Future, &Rc<Ledger>));

/// Ways to bring a new future into each of its states.
const BEGINNINGS: &[Step] = &[
    ("pending", |_, _| {}),
    ("pending with a callback", |future, ledger| {
        add_callbacks(future, ledger, 1)
    }),
    ("pending with callbacks", |future, ledger| {
        add_callbacks(future, ledger, 5)
    }),
    ("with a result", |future, ledger| {
        drop(future.set_result(ledger.track()))
    }),
    ("with an exception", |future, ledger| {
        drop(future.set_exception(ledger.track()))
    }),
    ("cancelled", |future, _| {
        drop(future.cancel(Some("stop".into())))
    }),
    ("with its result taken", |future, ledger| {
        drop(future.set_result(ledger.track()));
        drop(future.take_result());
    }),
];

/// Every method that is given or hands out something.
const METHODS: &[Step] = &[
    ("set_result", |future, ledger| {
        let value = ledger.track();
        drop(ledger.method(|| future.set_result(value)));
    }),
    ("set_exception", |future, ledger| {
        let exception = ledger.track();
        drop(ledger.method(|| future.set_exception(exception)));
    }),
    ("finish", |future, ledger| {
        drop(ledger.method(|| future.completion_mut().finish()))
    }),
    ("cancel", |future, ledger| {
        drop(ledger.method(|| future.cancel(None)))
    }),
    ("add_callback", |future, ledger| {
        let callback = ledger.track();
        drop(ledger.method(|| future.add_callback(callback)));
    }),
    ("remove_callbacks", |future, ledger| {
        drop(ledger.method(|| future.remove_callbacks(|callback| callback.number % 2 == 0)));
    }),
    ("remove_callback", |future, ledger| {
        drop(ledger.method(|| future.completion_mut().remove_callback(|_| true)));
    }),
    ("result", |future, ledger| {
        ledger.method(|| drop(future.result()))
    }),
    ("take_result", |future, ledger| {
        drop(ledger.method(|| future.take_result()))
    }),
    ("exception", |future, ledger| {
        ledger.method(|| drop(future.exception()))
    }),
    ("retrieve", |future, ledger| {
        ledger.method(|| future.completion_mut().retrieve())
    }),
];

fn add_callbacks(future: &mut Future, ledger: &Rc<Ledger>, count: usize) {
    for _ in 0..count {
        assert!(matches!(
            future.add_callback(ledger.track()),
            AddCallback::Added
        ));
    }
}

#[test]
fn every_pair_of_methods_in_every_state_drops_each_object_once() {
    for (beginning, begin) in BEGINNINGS {
        for (first, call_first) in METHODS {
            for (second, call_second) in METHODS {
                println!("a future {beginning}: {first}, then {second}");
                let ledger = Rc::new(Ledger::default());
                let mut future = Future::new();
                begin(&mut future, &ledger);
                call_first(&mut future, &ledger);
                call_second(&mut future, &ledger);
                drop(future);
                ledger.assert_each_dropped_once();
            }
        }
    }
}

#[test]
fn a_refused_value_comes_back_alive() {
    let ledger = Rc::new(Ledger::default());
    let mut future = Future::new();
    drop(future.cancel(None));

    let (value, error) = future.set_result(ledger.track()).unwrap_err().into_parts();
    assert_eq!(error, InvalidStateError::already_done(future.state()));
    assert_eq!(ledger.alive(), 1);
    drop(value);
    ledger.assert_each_dropped_once();
}

#[test]
fn callbacks_handed_out_outlive_the_future_and_may_be_taken_in_part() {
    let ledger = Rc::new(Ledger::default());
    let mut future = Future::new();
    add_callbacks(&mut future, &ledger, 3);

    let Cancel::Cancelled(callbacks) = future.cancel(None) else {
        panic!("it was pending")
    };
    drop(future);
    assert_eq!(ledger.alive(), 3);

    let mut callbacks = callbacks.into_iter();
    assert_eq!(callbacks.next().map(|callback| callback.number), Some(0));
    assert_eq!(ledger.alive(), 2);
    drop(callbacks);
    ledger.assert_each_dropped_once();
}

#[test]
fn a_panic_in_a_predicate_loses_only_what_was_taken_out() {
    let ledger = Rc::new(Ledger::default());
    let mut future = Future::new();
    add_callbacks(&mut future, &ledger, 4);

    let removal = catch_unwind(AssertUnwindSafe(|| {
        future.remove_callbacks(|callback| match callback.number {
            0 | 1 => true,
            _ => panic!("the predicate fails"),
        })
    }));
    assert!(removal.is_err());

    let callbacks = future
        .set_result(ledger.track())
        .expect("it is pending still");
    assert_eq!(
        callbacks
            .iter()
            .map(|callback| callback.number)
            .collect::<Vec<_>>(),
        [2, 3]
    );
    drop((callbacks, future));
    ledger.assert_each_dropped_once();
}
