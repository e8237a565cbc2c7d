//! Cancellation: from a task down to what it waits for.
//!
//! It keeps a stack of its own: a chain of a hundred thousand tasks that wait for each other is cancelled without recursion.
//! What a task does with the error is up to its coroutine and `step`.
//!
//! # Invariants
//! - I1: A task that is not done always accepts. If what it waits for refuses, or there is nothing, its next step throws the
//!   error, and there is a next step.
//!   Behind a shield both wait for its end.
//! - I2: A ring of tasks that wait for each other is noticed, and counts as a refusal where it closes.
//!
//! # asyncio
//! `Future.cancel`, `Task.cancel` and `_GatheringFuture.cancel`, which call each other there. A ring is a `RecursionError`
//! there.

use std::iter::Chain;
use std::sync::Arc;
use std::{option, vec};

use crate::awaited::{Awaited, Rest};
use crate::body::Kind;
use crate::cell::AnyFuture;
use crate::flags::Flag;
use crate::task_state::TaskState;

/// What a task waits for: mostly one future, or a rest.
pub(crate) type Waiters = Chain<option::IntoIter<Awaited>, vec::IntoIter<Awaited>>;

/// A task or a gather of which the children are being asked.
struct Frame {
    future: AnyFuture,
    children: Waiters,
    accepted: bool,
    /// A ring closes here: a child is an ancestor.
    closes_ring: bool,
}

enum Asked {
    Answer(bool),
    /// It depends on these.
    Children(Waiters),
    /// It is being asked already: its answer depends on itself (I2).
    Ring,
}

/// Cancels a future of whatever kind; true if it accepts.
pub(crate) fn cancel(future: &AnyFuture, message: Option<Arc<str>>) -> bool {
    cancel_from(future, 0, message)
}

/// As `cancel`, by a scope that the task has entered behind so many shields.
pub(crate) fn cancel_from(future: &AnyFuture, shields: u32, message: Option<Arc<str>>) -> bool {
    let mut shields = shields;
    let mut frames: Vec<Frame> = Vec::new();
    let mut next = future.clone();
    loop {
        // What the task waits for is asked from outside.
        let mut answer = match ask(&next, &message, std::mem::take(&mut shields)) {
            Asked::Answer(answer) => answer,
            Asked::Children(children) => {
                visit(&next, true);
                let (accepted, closes_ring) = (false, false);
                frames.push(Frame {
                    future: next,
                    children,
                    accepted,
                    closes_ring,
                });
                false
            }
            Asked::Ring => {
                if let Some(frame) = frames.last_mut() {
                    frame.closes_ring = true;
                }
                false
            }
        };
        next = loop {
            let Some(mut frame) = frames.pop() else {
                return answer;
            };
            frame.accepted |= answer;
            match frame.children.next() {
                Some(Awaited::Future(child)) => {
                    frames.push(frame);
                    break child;
                }
                Some(Awaited::Rest(rest)) => {
                    answer = interrupt(&frame.future, rest, &message);
                    frames.push(frame);
                    continue;
                }
                None => {}
            }
            visit(&frame.future, false);
            let closes_ring = frame.closes_ring;
            answer = settle(frame, &message);
            // A gather that refuses for a ring has nobody to step: that is up to the task that waits for it.
            if let (false, true, Some(parent)) = (answer, closes_ring, frames.last_mut()) {
                parent.closes_ring = true;
            }
        };
    }
}

/// Notes that the future is on the way to whatever is asked now, or no longer.
fn visit(future: &AnyFuture, visiting: bool) {
    match future.kind() {
        Kind::Plain => {}
        Kind::Task(state) if visiting => state.flags.set(Flag::Visiting),
        Kind::Task(state) => state.flags.clear(Flag::Visiting),
        Kind::Gather(state) => state.visiting.set(visiting),
    }
}

fn ask(future: &AnyFuture, message: &Option<Arc<str>>, shields: u32) -> Asked {
    match future.kind() {
        Kind::Plain => Asked::Answer(future.cancel_plain(message.clone())),
        Kind::Task(state) => {
            future.retrieve();
            if future.done() {
                return Asked::Answer(false);
            }
            if state.flags.has(Flag::Visiting) {
                return Asked::Ring;
            }
            if state.with_shields(|behind| behind.hold_back(shields, message)) {
                return Asked::Answer(true);
            }
            state.count_cancel();
            ask_waiters(future, state, message)
        }
        Kind::Gather(_) if future.done() => Asked::Answer(false),
        Kind::Gather(state) if state.visiting.get() => Asked::Ring,
        Kind::Gather(state) => Asked::Children(None.into_iter().chain(state.children())),
    }
}

/// Asks what the task waits for, without a frame where that is one rest or one plain future, as it mostly is, or nothing.
fn ask_waiters(task: &AnyFuture, state: &TaskState, message: &Option<Arc<str>>) -> Asked {
    let core = task.core();
    // None where there is nobody to ask.
    let accepted = if state.waits_for_several() {
        let waiters = state.pending_waiters(core);
        // Both parts of the chain know how many they are.
        if waiters.size_hint().0 > 0 {
            return Asked::Children(waiters);
        }
        None
    } else {
        match state.waiter(core) {
            None => None,
            Some(Awaited::Rest(rest)) => {
                let accepted = state.interrupt(core, rest, message.clone());
                if accepted {
                    // Nobody else has the error, should the coroutine not come back to the rest.
                    state.flags.set(Flag::Interrupted);
                }
                Some(accepted)
            }
            Some(Awaited::Future(future)) => {
                if !matches!(future.kind(), Kind::Plain) {
                    let only = Some(Awaited::Future(future));
                    return Asked::Children(only.into_iter().chain(Vec::new()));
                }
                Some(future.cancel_plain(message.clone()))
            }
        }
    };
    if accepted != Some(true) {
        throw_at_next_step(state, message);
    }
    if accepted.is_none() {
        schedule(task, state);
    }
    Asked::Answer(true)
}

/// Ends a rest of the task; false if it has ended already.
fn interrupt(task: &AnyFuture, rest: Rest, message: &Option<Arc<str>>) -> bool {
    task.task_state()
        .is_some_and(|state| state.interrupt(task.core(), rest, message.clone()))
}

/// All children have answered: what the parent answers, and does.
fn settle(frame: Frame, message: &Option<Arc<str>>) -> bool {
    match frame.future.kind() {
        Kind::Plain => frame.accepted,
        Kind::Task(state) => {
            if !frame.accepted {
                throw_at_next_step(state, message);
            }
            // Otherwise the step comes because what the task waits for is done, or will be at once: a gather that refuses
            // has only its last callbacks to run.
            if frame.closes_ring && !frame.accepted {
                schedule(&frame.future, state);
            }
            true
        }
        Kind::Gather(state) => state.cancel(&frame.future, frame.accepted, message.clone()),
    }
}

/// Has the task stepped; one that is running looks after itself.
fn schedule(task: &AnyFuture, state: &TaskState) {
    if !state.flags.has(Flag::Running) {
        task.core().schedule(state.token());
    }
}

/// The next leaf that is polled in a step to come returns the error.
pub(crate) fn throw_at_next_step(state: &TaskState, message: &Option<Arc<str>>) {
    state.flags.set(Flag::MustCancel);
    state.set_cancel_message(message.clone());
}
