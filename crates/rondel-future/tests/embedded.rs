//! The machine embedded in a stranger's types: a shared future with a loop of its own, and a header beside its value.

use rondel_future::{
    AddCallback, Callbacks, Cancel, CancelledError, Completion, FutureState, InvalidStateError,
    Outcome, Refused, Unavailable,
};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// A loop as small as can be: callbacks and the promises they are called with.
#[derive(Default)]
struct Loop(RefCell<VecDeque<(Callback, Promise)>>);

type Callback = Rc<dyn Fn(&Promise)>;

/// A future in the style of JavaScript, shared by handles.
#[derive(Clone)]
struct Promise {
    state: Rc<RefCell<FutureState<String, Callback, String>>>,
    event_loop: Rc<Loop>,
}

impl Loop {
    /// Runs callbacks until none is left; none runs inside the call that triggers it.
    fn run(&self) {
        while let Some((callback, promise)) = self.next() {
            callback(&promise);
        }
    }

    fn next(&self) -> Option<(Callback, Promise)> {
        self.0.borrow_mut().pop_front()
    }
}

impl Promise {
    fn new(event_loop: &Rc<Loop>) -> Self {
        Promise {
            state: Rc::default(),
            event_loop: Rc::clone(event_loop),
        }
    }

    fn resolve(&self, value: &str) -> Result<(), InvalidStateError> {
        let callbacks = self.state.borrow_mut().set_result(value.to_owned())?;
        self.schedule(callbacks);
        Ok(())
    }

    fn reject(&self, reason: &str) -> Result<(), InvalidStateError> {
        let callbacks = self.state.borrow_mut().set_exception(reason.to_owned())?;
        self.schedule(callbacks);
        Ok(())
    }

    fn cancel(&self) -> bool {
        let answer = self.state.borrow_mut().cancel(None);
        match answer {
            Cancel::Cancelled(callbacks) => {
                self.schedule(callbacks);
                true
            }
            Cancel::AlreadyDone => false,
        }
    }

    fn then(&self, callback: impl Fn(&Promise) + 'static) -> Callback {
        let callback: Callback = Rc::new(callback);
        let answer = self.state.borrow_mut().add_callback(Rc::clone(&callback));
        match answer {
            AddCallback::Added => {}
            AddCallback::ScheduleNow(callback) => self.push(callback),
        }
        callback
    }

    fn forget(&self, callback: &Callback) -> usize {
        let removed = self
            .state
            .borrow_mut()
            .remove_callbacks(|other| Rc::ptr_eq(other, callback));
        removed.len()
    }

    fn describe(&self) -> String {
        match self.state.borrow_mut().result() {
            Ok(value) => format!("resolved: {value}"),
            Err(Unavailable::Exception(reason)) => format!("rejected: {reason}"),
            Err(Unavailable::Cancelled(error)) => error.to_string(),
            Err(Unavailable::InvalidState(error)) => error.to_string(),
        }
    }

    fn schedule(&self, callbacks: Callbacks<Callback>) {
        callbacks
            .into_iter()
            .for_each(|callback| self.push(callback));
    }

    fn push(&self, callback: Callback) {
        self.event_loop
            .0
            .borrow_mut()
            .push_back((callback, self.clone()));
    }
}

/// Runs a program on a promise, and compares the lines that it has logged.
#[track_caller]
fn check(program: impl FnOnce(&Promise, &Log), expected: &[&str]) {
    let event_loop = Rc::new(Loop::default());
    let log = Log::default();
    program(&Promise::new(&event_loop), &log);
    event_loop.run();
    assert_eq!(*log.0.borrow(), expected);
}

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn line(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    /// Makes a callback that logs its name and what the promise has become.
    fn callback(&self, name: &'static str) -> impl Fn(&Promise) + use<> {
        let log = self.clone();
        move |promise| log.line(format!("{name} {}", promise.describe()))
    }
}

#[test]
fn callbacks_run_in_order_and_after_the_call_that_triggers_them() {
    check(
        |promise, log| {
            promise.then(log.callback("first"));
            promise.then(log.callback("second"));
            promise.resolve("value").expect("it is pending");
            log.line("resolve has returned");
        },
        &[
            "resolve has returned",
            "first resolved: value",
            "second resolved: value",
        ],
    );
}

#[test]
fn a_callback_may_add_another_which_runs_later() {
    check(
        |promise, log| {
            let inner = log.clone();
            promise.then(move |promise| {
                promise.then(inner.callback("late"));
                inner.line("added");
            });
            promise.then(log.callback("early"));
            promise.reject("reason").expect("it is pending");
        },
        &["added", "early rejected: reason", "late rejected: reason"],
    );
}

#[test]
fn a_callback_added_twice_runs_twice_and_is_removed_twice() {
    check(
        |promise, log| {
            let callback = promise.then(log.callback("twice"));
            promise.then(log.callback("once"));
            assert!(matches!(
                promise.state.borrow_mut().add_callback(callback),
                AddCallback::Added
            ));
            promise.resolve("value").expect("it is pending");
        },
        &[
            "twice resolved: value",
            "once resolved: value",
            "twice resolved: value",
        ],
    );
    check(
        |promise, log| {
            let callback = promise.then(log.callback("twice"));
            promise.then(log.callback("once"));
            assert!(matches!(
                promise
                    .state
                    .borrow_mut()
                    .add_callback(Rc::clone(&callback)),
                AddCallback::Added
            ));
            assert_eq!(promise.forget(&callback), 2);
            assert_eq!(promise.forget(&callback), 0);
            promise.resolve("value").expect("it is pending");
        },
        &["once resolved: value"],
    );
}

#[test]
fn what_came_first_stays() {
    check(
        |promise, log| {
            promise.then(log.callback("told"));
            assert!(promise.cancel());
            assert!(!promise.cancel());
            let error = promise.resolve("value").expect_err("it is cancelled");
            log.line(error.to_string());
            let error = promise.reject("reason").expect_err("it is cancelled");
            log.line(error.to_string());
        },
        &[
            "invalid state: the future is already cancelled",
            "invalid state: the future is already cancelled",
            "told cancelled",
        ],
    );
}

/// What a runtime keeps for every task: one type, whatever the value's.
struct Header {
    completion: RefCell<Completion<HeaderCallback, CancelledError>>,
    value: Cell<Option<Box<dyn Any>>>,
}

type HeaderCallback = Box<dyn FnOnce(&Header)>;

impl Header {
    fn finish(&self, value: impl Any) -> Result<(), InvalidStateError> {
        let callbacks = self.completion.borrow_mut().finish()?;
        self.value.set(Some(Box::new(value)));
        for callback in callbacks {
            callback(self);
        }
        Ok(())
    }

    fn take<T: Any>(&self) -> Option<T> {
        self.value.take()?.downcast().ok().map(|value| *value)
    }
}

#[test]
fn a_header_serves_values_of_any_type() {
    let log = Log::default();
    let header = || Header {
        completion: RefCell::default(),
        value: Cell::default(),
    };
    let number = header();
    let text = header();
    for (name, header) in [("number", &number), ("text", &text)] {
        let log = log.clone();
        let callback = move |header: &Header| {
            log.line(format!(
                "{name}: {:?}",
                header.completion.borrow().outcome()
            ));
        };
        assert!(matches!(
            header
                .completion
                .borrow_mut()
                .add_callback(Box::new(callback)),
            AddCallback::Added
        ));
    }

    number.finish(42).expect("it is pending");
    text.finish("the result").expect("it is pending");

    assert_eq!(number.take(), Some(42));
    assert_eq!(text.take(), Some("the result"));
    assert_eq!(*log.0.borrow(), ["number: Value", "text: Value"]);
}

#[test]
fn finished_with_a_cancelled_error_is_not_cancelled() {
    let mut gathered = Completion::<(), CancelledError>::new();
    let _ = gathered
        .set_exception(CancelledError::new())
        .expect("it is pending");
    assert!(gathered.done());
    assert!(!gathered.cancelled());
    assert!(
        matches!(gathered.outcome(), Outcome::Exception(error) if *error == CancelledError::new())
    );
}

#[test]
fn a_machine_is_as_sendable_as_what_it_holds() {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<FutureState<u32, fn(), CancelledError>>();
    send_and_sync::<Refused<u32>>();
    send_and_sync::<InvalidStateError>();
    send_and_sync::<Unavailable<'_, CancelledError>>();
}

#[test]
fn a_machine_may_be_a_constant() {
    const NEW: FutureState<Vec<u8>, (), ()> = FutureState::new();
    assert!(!NEW.done());
}
