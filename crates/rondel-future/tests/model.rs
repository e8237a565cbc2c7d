//! Random sequences of operations, against a naive model written after `Lib/asyncio/futures.py`.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use rondel_future::{
    AddCallback, Callbacks, Cancel, CancelledError, FutureState, Outcome, State, Unavailable,
};
use std::cell::Cell;
use std::sync::Arc;

type Future = FutureState<u8, char, u8>;

/// What a program may do with a future; callbacks are letters, values and exceptions are numbers.
#[derive(Clone, Debug)]
enum Operation {
    /// Goes on with a new future, since a done one changes no more.
    Renew,
    SetResult(u8),
    SetException(u8),
    Cancel(Option<&'static str>),
    CancelWith(Option<&'static str>),
    AddCallback(char),
    RemoveCallbacks(char),
    RemoveCallback(char),
    Result,
    TakeResult,
    Exception,
    CancelledError,
    Retrieve,
}

/// What an operation answers, of the future and of the model alike.
#[derive(Debug, PartialEq)]
enum Answer {
    Nothing,
    Schedule(Vec<char>),
    Refused(u8, String),
    AlreadyDone,
    Added,
    ScheduleNow(char),
    Removed(Vec<char>),
    Value(u8),
    NoException,
    Exception(u8),
    CancelledError(Option<String>),
    InvalidState(String),
}

/// What can be seen of a future between two operations.
#[derive(Debug, PartialEq)]
struct View {
    state: State,
    done: bool,
    cancelled: bool,
    outcome: String,
    callbacks: Vec<char>,
    unretrieved: Option<u8>,
    cancel_message: Option<String>,
}

/// The fields of `asyncio.Future`, each with a place of its own.
struct Model {
    state: State,
    result: Option<u8>,
    exception: Option<u8>,
    callbacks: Vec<char>,
    cancel_message: Option<&'static str>,
    cancelled_exc: Option<Option<&'static str>>,
    log_traceback: bool,
}

impl Model {
    fn new() -> Self {
        Model {
            state: State::Pending,
            result: None,
            exception: None,
            callbacks: Vec::new(),
            cancel_message: None,
            cancelled_exc: None,
            log_traceback: false,
        }
    }

    fn apply(&mut self, operation: &Operation) -> Answer {
        match *operation {
            Operation::Renew => {
                *self = Model::new();
                Answer::Nothing
            }
            Operation::SetResult(value) => {
                if let Some(refused) = self.refuses(value) {
                    return refused;
                }
                self.result = Some(value);
                self.leave(State::Finished)
            }
            Operation::SetException(exception) => {
                if let Some(refused) = self.refuses(exception) {
                    return refused;
                }
                self.exception = Some(exception);
                self.log_traceback = true;
                self.leave(State::Finished)
            }
            Operation::Cancel(message) => {
                self.log_traceback = false;
                if self.state != State::Pending {
                    return Answer::AlreadyDone;
                }
                self.cancel_message = message;
                self.leave(State::Cancelled)
            }
            Operation::CancelWith(message) => {
                self.log_traceback = false;
                if self.state != State::Pending {
                    return Answer::AlreadyDone;
                }
                self.cancelled_exc = Some(message);
                self.leave(State::Cancelled)
            }
            Operation::AddCallback(callback) => {
                if self.state != State::Pending {
                    return Answer::ScheduleNow(callback);
                }
                self.callbacks.push(callback);
                Answer::Added
            }
            Operation::RemoveCallbacks(callback) => {
                let (removed, kept) = self.callbacks.iter().partition(|&&c| c == callback);
                self.callbacks = kept;
                Answer::Removed(removed)
            }
            Operation::RemoveCallback(callback) => {
                let place = self.callbacks.iter().position(|&c| c == callback);
                Answer::Removed(
                    place
                        .map(|place| self.callbacks.remove(place))
                        .into_iter()
                        .collect(),
                )
            }
            Operation::Result => self.read(self.result),
            Operation::TakeResult => {
                let result = self.result;
                let answer = self.read(result);
                self.result = None;
                answer
            }
            Operation::Exception => match self.state {
                State::Pending => {
                    Answer::InvalidState("invalid state: the exception is not set".to_owned())
                }
                State::Cancelled => self.make_cancelled_error(),
                State::Finished => {
                    self.log_traceback = false;
                    self.exception
                        .map_or(Answer::NoException, Answer::Exception)
                }
            },
            Operation::CancelledError => self.make_cancelled_error(),
            Operation::Retrieve => {
                self.log_traceback = false;
                Answer::Nothing
            }
        }
    }

    fn refuses(&self, value: u8) -> Option<Answer> {
        (self.state != State::Pending).then(|| {
            Answer::Refused(
                value,
                format!("invalid state: the future is already {}", self.state),
            )
        })
    }

    fn leave(&mut self, state: State) -> Answer {
        self.state = state;
        Answer::Schedule(std::mem::take(&mut self.callbacks))
    }

    fn read(&mut self, result: Option<u8>) -> Answer {
        match self.state {
            State::Pending => {
                Answer::InvalidState("invalid state: the result is not ready".to_owned())
            }
            State::Cancelled => self.make_cancelled_error(),
            State::Finished => {
                self.log_traceback = false;
                match (self.exception, result) {
                    (Some(exception), _) => Answer::Exception(exception),
                    (None, Some(value)) => Answer::Value(value),
                    (None, None) => {
                        Answer::InvalidState("invalid state: the result has been taken".to_owned())
                    }
                }
            }
        }
    }

    fn make_cancelled_error(&mut self) -> Answer {
        let message = self.cancelled_exc.take().unwrap_or(self.cancel_message);
        Answer::CancelledError(message.map(str::to_owned))
    }

    fn view(&self) -> View {
        View {
            state: self.state,
            done: self.state != State::Pending,
            cancelled: self.state == State::Cancelled,
            outcome: match (self.state, self.exception) {
                (State::Pending, _) => "Pending".to_owned(),
                (State::Cancelled, _) => "Cancelled".to_owned(),
                (State::Finished, None) => "Value".to_owned(),
                (State::Finished, Some(exception)) => format!("Exception({exception})"),
            },
            callbacks: self.callbacks.clone(),
            unretrieved: self.exception.filter(|_| self.log_traceback),
            cancel_message: self.cancel_message.map(str::to_owned),
        }
    }
}

fn apply(future: &mut Future, operation: &Operation) -> Answer {
    match *operation {
        Operation::Renew => {
            *future = Future::new();
            Answer::Nothing
        }
        Operation::SetResult(value) => match future.set_result(value) {
            Ok(callbacks) => schedule(callbacks),
            Err(refused) => Answer::Refused(refused.value, refused.error().to_string()),
        },
        Operation::SetException(exception) => match future.set_exception(exception) {
            Ok(callbacks) => schedule(callbacks),
            Err(refused) => Answer::Refused(refused.value, refused.error().to_string()),
        },
        Operation::Cancel(message) => match future.cancel(message.map(Arc::from)) {
            Cancel::Cancelled(callbacks) => schedule(callbacks),
            Cancel::AlreadyDone => Answer::AlreadyDone,
        },
        Operation::CancelWith(message) => {
            let error = CancelledError::from_message(message.map(Arc::from));
            match future.completion_mut().cancel_with(error) {
                Cancel::Cancelled(callbacks) => schedule(callbacks),
                Cancel::AlreadyDone => Answer::AlreadyDone,
            }
        }
        Operation::AddCallback(callback) => match future.add_callback(callback) {
            AddCallback::Added => Answer::Added,
            AddCallback::ScheduleNow(callback) => Answer::ScheduleNow(callback),
        },
        Operation::RemoveCallbacks(callback) => Answer::Removed(
            future
                .remove_callbacks(|&c| c == callback)
                .into_iter()
                .collect(),
        ),
        Operation::RemoveCallback(callback) => Answer::Removed(
            future
                .completion_mut()
                .remove_callback(|&c| c == callback)
                .into_iter()
                .collect(),
        ),
        Operation::Result => future
            .result()
            .map_or_else(unavailable, |&value| Answer::Value(value)),
        Operation::TakeResult => future.take_result().map_or_else(unavailable, Answer::Value),
        Operation::Exception => match future.exception() {
            Ok(exception) => exception
                .copied()
                .map_or(Answer::NoException, Answer::Exception),
            Err(reason) => unavailable(reason),
        },
        Operation::CancelledError => cancelled_error(&future.completion_mut().cancelled_error()),
        Operation::Retrieve => {
            future.completion_mut().retrieve();
            Answer::Nothing
        }
    }
}

fn schedule(callbacks: Callbacks<char>) -> Answer {
    let (len, seen) = (
        callbacks.len(),
        callbacks.iter().copied().collect::<Vec<_>>(),
    );
    let callbacks: Vec<char> = callbacks.into_iter().collect();
    assert_eq!((callbacks.len(), &callbacks), (len, &seen));
    Answer::Schedule(callbacks)
}

fn unavailable(reason: Unavailable<'_, u8>) -> Answer {
    match reason {
        Unavailable::InvalidState(error) => Answer::InvalidState(error.to_string()),
        Unavailable::Cancelled(error) => cancelled_error(&error),
        Unavailable::Exception(&exception) => Answer::Exception(exception),
    }
}

fn cancelled_error(error: &CancelledError) -> Answer {
    Answer::CancelledError(error.message().map(str::to_owned))
}

fn view(future: &Future) -> View {
    let completion = future.completion();
    let outcome: Outcome<'_, u8> = completion.outcome();
    View {
        state: future.state(),
        done: future.done(),
        cancelled: future.cancelled(),
        outcome: format!("{outcome:?}"),
        callbacks: completion.callbacks().copied().collect(),
        unretrieved: completion.unretrieved().copied(),
        cancel_message: completion.cancel_message().map(str::to_owned),
    }
}

/// Callbacks are far more frequent than transitions, so that lists grow, and a done future is soon replaced.
fn operation() -> impl Strategy<Value = Operation> {
    let callback = || prop::sample::select(vec!['a', 'b', 'c']);
    let message = || prop::option::of(prop::sample::select(vec!["stop", "timeout"]));
    prop_oneof![
        16 => callback().prop_map(Operation::AddCallback),
        3 => callback().prop_map(Operation::RemoveCallbacks),
        3 => callback().prop_map(Operation::RemoveCallback),
        1 => (0..4u8).prop_map(Operation::SetResult),
        1 => (0..4u8).prop_map(Operation::SetException),
        1 => message().prop_map(Operation::Cancel),
        1 => message().prop_map(Operation::CancelWith),
        2 => Just(Operation::Result),
        2 => Just(Operation::TakeResult),
        2 => Just(Operation::Exception),
        2 => Just(Operation::CancelledError),
        1 => Just(Operation::Retrieve),
        3 => Just(Operation::Renew),
    ]
}

fn sequence(longest: usize) -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 0..=longest)
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Config::default()
    })
}

/// Says why a property failed, with one operation a line.
fn explain(failure: &TestError<Vec<Operation>>) -> String {
    match failure {
        TestError::Abort(reason) => reason.to_string(),
        TestError::Fail(reason, sequence) => {
            let lines: Vec<String> = sequence
                .iter()
                .map(|operation| format!("{operation:?}"))
                .collect();
            format!("{reason}\n{}", lines.join("\n"))
        }
    }
}

#[test]
fn behaves_as_the_model() {
    let operations = Cell::new(0);
    runner(1_000)
        .run(&sequence(240), |sequence| {
            let mut future = Future::new();
            let mut model = Model::new();
            for operation in &sequence {
                let answers = (apply(&mut future, operation), model.apply(operation));
                prop_assert_eq!(answers.0, answers.1, "{:?}", operation);
                prop_assert_eq!(view(&future), model.view(), "after {:?}", operation);
            }
            operations.set(operations.get() + sequence.len());
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{}", explain(&failure)));
    assert!(
        operations.get() >= 100_000,
        "only {} operations",
        operations.get()
    );
}

#[test]
fn a_failure_shrinks_to_a_readable_sequence() {
    let failure = runner(1_000)
        .run(&sequence(100), |sequence| {
            let mut future = Future::new();
            for operation in &sequence {
                let answer = apply(&mut future, operation);
                let two = matches!(answer, Answer::Schedule(callbacks) if callbacks.len() == 2);
                prop_assert!(!two, "no future ever hands out two callbacks");
            }
            Ok(())
        })
        .expect_err("the claim is false");
    assert_eq!(
        explain(&failure).lines().skip(1).collect::<Vec<_>>(),
        ["AddCallback('a')", "AddCallback('a')", "SetResult(0)"]
    );
}
