//! Cancellation: from a task down to what it waits for.
//!
//! It keeps a stack of its own: a chain of a hundred thousand tasks that wait for each other is cancelled without recursion.
//! What a task does with the error is up to its coroutine and `step`.
//!
//! # Invariants
//! - I1: A task that is not done always accepts. If what it waits for refuses, or there is nothing, its next step throws the
//!   error, and there is a next step.
//! - I2: A ring of tasks that wait for each other is noticed, and counts as a refusal where it closes.
//!
//! # asyncio
//! `Future.cancel`, `Task.cancel` and `_GatheringFuture.cancel`, which call each other there. A ring is a `RecursionError`
//! there.

use std::iter::Chain;
use std::sync::Arc;
use std::{option, vec};

use crate::cell::{AnyFuture, Kind};
use crate::task_state::TaskState;

/// What a task waits for: mostly one future.
pub(crate) type Waiters = Chain<option::IntoIter<AnyFuture>, vec::IntoIter<AnyFuture>>;

/// A task or a gather of which the children are being asked.
struct Frame {
    future: AnyFuture,
    children: Waiters,
    accepted: bool,
    closes_ring: bool,
}

enum Asked {
    Answer(bool),
    /// It depends on these.
    Children(Waiters),
}

/// Cancels a future of whatever kind; true if it accepts.
pub(crate) fn cancel(future: &AnyFuture, message: Option<Arc<str>>) -> bool {
    let mut frames: Vec<Frame> = Vec::new();
    // Brent's way to notice a ring: each future is compared with one ancestor, which moves on at every power of two (I2).
    let mut milestone = 0;
    let mut next = future.clone();
    loop {
        let ring = frames
            .get(milestone)
            .is_some_and(|frame| frame.future.ptr_eq(&next));
        if ring && let Some(frame) = frames.last_mut() {
            frame.closes_ring = true;
        }
        let asked = if ring {
            Asked::Answer(false)
        } else {
            ask(&next, &message)
        };
        let mut answer = match asked {
            Asked::Answer(answer) => answer,
            Asked::Children(children) => {
                frames.push(Frame {
                    future: next,
                    children,
                    accepted: false,
                    closes_ring: false,
                });
                if frames.len().is_power_of_two() {
                    milestone = frames.len() - 1;
                }
                false
            }
        };
        next = loop {
            let Some(frame) = frames.last_mut() else {
                return answer;
            };
            frame.accepted |= answer;
            if let Some(child) = frame.children.next() {
                break child;
            }
            let closes_ring = frame.closes_ring;
            let Some(frame) = frames.pop() else {
                return answer;
            };
            answer = settle(frame, &message);
            milestone = milestone.min(frames.len());
            // A gather that refuses for a ring has nobody to step: that is up to the task that waits for it.
            if let (false, true, Some(parent)) = (answer, closes_ring, frames.last_mut()) {
                parent.closes_ring = true;
            }
        };
    }
}

fn ask(future: &AnyFuture, message: &Option<Arc<str>>) -> Asked {
    match future.kind() {
        Kind::Plain => Asked::Answer(future.cancel_plain(message.clone())),
        Kind::Task(state) => {
            future.retrieve();
            if future.done() {
                return Asked::Answer(false);
            }
            state.count_cancel();
            if state.is_waiting() {
                Asked::Children(state.pending_waiters())
            } else {
                throw_at_next_step(state, message);
                future.core().schedule_unless_running(state);
                Asked::Answer(true)
            }
        }
        Kind::Gather(_) if future.done() => Asked::Answer(false),
        Kind::Gather(state) => Asked::Children(None.into_iter().chain(state.children())),
    }
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
                frame.future.core().schedule_unless_running(state);
            }
            true
        }
        Kind::Gather(state) => {
            if frame.accepted {
                state.request_cancel();
            }
            frame.accepted
        }
    }
}

fn throw_at_next_step(state: &TaskState, message: &Option<Arc<str>>) {
    state.must_cancel.set(true);
    state.set_cancel_message(message.clone());
}
