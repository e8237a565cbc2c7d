//! The step of a task: one poll of its coroutine, and what follows from it.
//!
//! Who is to be cancelled when a task is cancelled is `cancel`'s business; what a leaf does when it is polled, `awaiter`'s.
//!
//! ```text
//!              the token's turn                    coroutine gives a value / an error / CancelledError
//!  scheduled -------------------> running ------------------------------------------> done
//!      ^                             |  coroutine is Pending
//!      |   a waiter is done          v
//!      +------------------------ waiting
//! ```
//!
//! # Invariants
//! - I1: The coroutine is dropped before the task is done: who waits for the task finds nothing of it alive.
//! - I2: An error that is to be thrown is delivered by the first leaf that is polled; what nobody took is still to be thrown,
//!   or ends the task where there is nobody to take it.
//!
//! # asyncio
//! `Task.__step` and `__step_run_and_handle_result`. CPython throws into a suspended coroutine from outside; a Rust coroutine
//! can only be polled, so the leaf it waits at returns the error.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use rondel_future::CancelledError;
use rondel_reactor::PanicError;

use crate::awaited::Awaited;
use crate::cancel::cancel;
use crate::cell::AnyFuture;
use crate::core::Core;
use crate::exception::Exception;
use crate::flags::Flag;
use crate::task_state::TaskState;
use crate::waker;

/// How a task ends, if not with a value.
enum End {
    Exception(Exception),
    /// The coroutine ended by this error.
    CancelledError(CancelledError),
    /// `cancel` had been called and the coroutine gave a value all the same.
    Cancelled,
}

/// Runs one step of a task, of which an alarm has `rung` since the last one or not.
///
/// It is a part of the function that is called for a token, as a call between the two would be one of those that the processor may
/// not foresee. It is compiled once and calls the coroutine's poll through a pointer. With a step of its own for every type of coroutine a
/// yield takes 7 % fewer instructions, but a program of 300 such types 17 % more time to build and 12 % more code.
#[inline(always)]
pub(crate) fn step(core: &Core, task: &AnyFuture, state: &TaskState, rung: bool) {
    state.forget_done_waiter(core, rung);
    let throw = state.flags.take(Flag::MustCancel);
    if throw {
        // One error is enough.
        state.flags.clear(Flag::Interrupted);
        if !state.flags.has(Flag::Started) {
            return end_unstarted(core, task, state);
        }
    }

    let token = state.token();
    let waker = waker::for_step(token);
    let mut context = state.take_context();
    if context.is_some() {
        // For whoever asks for it meanwhile.
        state.set_context(context.clone());
    }
    let outside = core.enter(token, throw);
    state.flags.set(Flag::Started);
    state.flags.set(Flag::Running);
    let mut error = None;
    let polled = rondel_context::run_in(&mut context, || {
        catch_unwind(AssertUnwindSafe(|| task.poll(&waker, &mut error)))
    });
    state.flags.clear(Flag::Running);
    let undelivered = core.leave(outside);
    if context.is_some() {
        state.set_context(context);
    }

    match polled {
        Ok(Poll::Pending) if undelivered || state.flags.is_to_be_thrown() => {
            pass_cancel_on(core, task, state, undelivered);
        }
        Ok(Poll::Pending) => {}
        Ok(Poll::Ready(())) => match error {
            Some(exception) => end_with_exception(core, task, state, exception),
            None if undelivered | state.flags.take_errors() => {
                end(core, task, state, End::Cancelled);
            }
            None => end_with_value(core, task, state),
        },
        Err(payload) => end_with_panic(core, task, state, payload),
    }
}

/// It was cancelled before its first step.
#[cold]
fn end_unstarted(core: &Core, task: &AnyFuture, state: &TaskState) {
    drop_coroutine(core, task);
    let error = CancelledError::from_message(state.cancel_message());
    end(core, task, state, End::CancelledError(error));
}

/// The value is in the coroutine's place.
#[inline(never)]
fn end_with_value(core: &Core, task: &AnyFuture, state: &TaskState) {
    let owned = leave_loop(core, task, state);
    // It was stepped, so it is not done; on a loop that was closed meanwhile nobody hears.
    let _ = task.finish();
    drop(owned);
}

#[inline(never)]
fn end_with_exception(core: &Core, task: &AnyFuture, state: &TaskState, exception: Exception) {
    let how = match exception.downcast_ref::<CancelledError>() {
        Some(error) => End::CancelledError(error.clone()),
        None => End::Exception(exception),
    };
    end(core, task, state, how);
}

#[cold]
fn end_with_panic(core: &Core, task: &AnyFuture, state: &TaskState, payload: Box<dyn Any + Send>) {
    drop_coroutine(core, task);
    let error = Exception::new(PanicError::new(payload));
    end(core, task, state, End::Exception(error));
}

/// The coroutine waits: what was asked of it during the step, or could not be thrown, goes to what it waits for.
#[cold]
fn pass_cancel_on(core: &Core, task: &AnyFuture, state: &TaskState, undelivered: bool) {
    state.flags.set(Flag::MustCancel);
    state.flags.clear(Flag::Interrupted);
    let message = state.cancel_message();
    if state.is_waiting(core) {
        if cancel_all(core, state, &message) {
            state.flags.clear(Flag::MustCancel);
        }
    } else if undelivered {
        // It waits for a foreign future alone, which cannot return our error.
        state.flags.clear(Flag::MustCancel);
        drop_coroutine(core, task);
        end(
            core,
            task,
            state,
            End::CancelledError(CancelledError::from_message(message)),
        );
    } else {
        core.schedule(state.token());
    }
}

/// Cancels everything that the task waits for; true if anything accepted.
fn cancel_all(core: &Core, state: &TaskState, message: &Option<Arc<str>>) -> bool {
    let mut accepted = false;
    for waiter in state.pending_waiters(core) {
        accepted |= match waiter {
            Awaited::Future(future) => cancel(&future, message.clone()),
            Awaited::Rest(rest) => state.interrupt(core, rest, message.clone()),
        };
    }
    accepted
}

/// The task is over: it waits for nothing, and the loop's handle of it is given to the caller, to be dropped last.
#[inline(always)]
fn leave_loop(core: &Core, task: &AnyFuture, state: &TaskState) -> Option<AnyFuture> {
    tracing::trace!(task = state.number(), "task ended");
    state.clear_waiters(core);
    core.forget_task(task, state.token())
}

#[inline(never)]
fn end(core: &Core, task: &AnyFuture, state: &TaskState, how: End) {
    let owned = leave_loop(core, task, state);
    // A task that is stepped is not done, so none of these can be refused; on a loop that was closed meanwhile nobody hears.
    let _ = match how {
        End::Exception(exception) => task.set_exception(exception),
        End::CancelledError(error) => {
            state.set_cancel_message(None);
            task.cancel_with(error);
            Ok(())
        }
        End::Cancelled => {
            // The value, that is.
            drop_coroutine(core, task);
            task.cancel_plain(state.cancel_message());
            Ok(())
        }
    };
    drop(owned);
}

/// Drops the coroutine, or its value; a panic in a destructor is reported and goes no further.
pub(crate) fn drop_coroutine(core: &Core, task: &AnyFuture) {
    let dropped = catch_unwind(AssertUnwindSafe(|| task.body().clear()));
    if let Err(payload) = dropped {
        core.report_panic_in_drop(task, PanicError::new(payload));
    }
}
