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

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use rondel_future::CancelledError;
use rondel_reactor::PanicError;

use crate::cancel::{Waiters, cancel};
use crate::cell::AnyFuture;
use crate::core::Core;
use crate::exception::Exception;
use crate::task_state::TaskState;
use crate::waker;

/// How a task ends.
enum End {
    Value,
    Exception(Exception),
    /// The coroutine ended by this error.
    CancelledError(CancelledError),
    /// `cancel` had been called and the coroutine gave a value all the same.
    Cancelled,
}

/// Runs one step of `task`.
pub(crate) fn step(core: &Core, task: &AnyFuture) {
    let Some(state) = task.task_state() else {
        return;
    };
    state.forget_done_waiter();
    let throw = state.must_cancel.take();
    if throw && !state.started.get() {
        drop_coroutine(core, task);
        let error = CancelledError::from_message(state.cancel_message());
        return end(core, task, state, End::CancelledError(error));
    }
    state.started.set(true);

    let waker = ManuallyDrop::new(waker::waker(state.token));
    let mut cx = Context::from_waker(&waker);
    let mut context = state.context.take();
    if context.is_some() {
        // For whoever asks for it meanwhile.
        state.context.set(context.clone());
    }
    let outside = core.enter(state.token, throw);
    state.running.set(true);
    let polled = rondel_context::run_in(&mut context, || {
        catch_unwind(AssertUnwindSafe(|| task.body().poll(&mut cx)))
    });
    state.running.set(false);
    let undelivered = core.leave(outside);
    if context.is_some() {
        state.context.set(context);
    }

    match polled {
        Ok(Poll::Pending) => suspended(core, task, state, undelivered),
        Ok(Poll::Ready(Ok(()))) if undelivered || state.must_cancel.take() => {
            end(core, task, state, End::Cancelled);
        }
        Ok(Poll::Ready(Ok(()))) => end(core, task, state, End::Value),
        Ok(Poll::Ready(Err(exception))) => {
            let how = match exception.downcast_ref::<CancelledError>() {
                Some(error) => End::CancelledError(error.clone()),
                None => End::Exception(exception),
            };
            end(core, task, state, how);
        }
        Err(payload) => {
            drop_coroutine(core, task);
            let error = PanicError::new(payload);
            end(core, task, state, End::Exception(Exception::new(error)));
        }
    }
}

/// The coroutine waits: what was asked of it during the step, or could not be thrown, goes to what it waits for.
#[inline]
fn suspended(core: &Core, task: &AnyFuture, state: &TaskState, undelivered: bool) {
    if undelivered {
        state.must_cancel.set(true);
    }
    if !state.must_cancel.get() {
        return;
    }
    let message = state.cancel_message();
    if state.is_waiting() {
        if cancel_all(state.pending_waiters(), &message) {
            state.must_cancel.set(false);
        }
    } else if undelivered {
        // It waits for a foreign future alone, which cannot return our error.
        state.must_cancel.set(false);
        drop_coroutine(core, task);
        end(
            core,
            task,
            state,
            End::CancelledError(CancelledError::from_message(message)),
        );
    } else {
        core.schedule(state.token);
    }
}

/// Cancels every one; true if any accepted.
fn cancel_all(futures: Waiters, message: &Option<Arc<str>>) -> bool {
    let mut accepted = false;
    for future in futures {
        accepted |= cancel(&future, message.clone());
    }
    accepted
}

#[inline]
fn end(core: &Core, task: &AnyFuture, state: &TaskState, how: End) {
    tracing::trace!(task = state.number(), "task ended");
    state.clear_waiters();
    let owned = core.forget_task(state.token);
    // A task that is stepped is not done, so none of these can be refused; on a loop that was closed meanwhile nobody hears.
    let _ = match how {
        End::Value => task.finish(),
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
