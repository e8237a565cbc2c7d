//! Awaiting a future: the leaf at which a coroutine is suspended.
//!
//! It registers who waits and returns what came; who is woken when is the future's list, and what a cancellation does, `cancel`.
//!
//! # Invariants
//! - I1: A leaf that is registered stands in its future's list once, and in the waiters of the task that polled it once; when
//!   it is dropped or done it leaves both. The first waiter of a task is forgotten by its next step, too.
//! - I2: An error that is to be thrown is returned by the first leaf that is polled, also by one whose future is done. If that
//!   future was cancelled itself, its own error is the one returned.
//!
//! # asyncio
//! `Future.__await__`, and of `Task.__step` the part that looks at what was yielded: a future of another loop and a task that
//! awaits itself are told to the coroutine one iteration later.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rondel_future::CancelledError;
use rondel_sched::Token;

use crate::awaited::Waiting;
use crate::callback::{Callback, ForeignWaker};
use crate::cell::AnyFuture;
use crate::cold::WaiterPlace;
use crate::core::Core;
use crate::exception::{Exception, Result};
use crate::future::Future;
use crate::opaque;
use crate::running;
use crate::task::Task;
use crate::task_state::TaskState;
use crate::waker;

/// A leaf without the type of its value; four words, as every coroutine that waits has one in it.
pub(crate) struct Leaf {
    future: AnyFuture,
    /// The line that awaits it, for whoever asks what a task waits for.
    at: &'static Location<'static>,
    registered: Registered,
}

enum Registered {
    No,
    /// As a task of the same loop.
    Step(Token, WaiterPlace),
    /// With another executor's waker, or that of a combinator.
    Waker(Rc<ForeignWaker>),
    /// Not at all: this cannot be awaited here, as the next poll says.
    Refused(Box<Exception>),
}

impl Leaf {
    #[inline]
    pub(crate) fn new(future: AnyFuture, at: &'static Location<'static>) -> Self {
        Self {
            future,
            at,
            registered: Registered::No,
        }
    }

    #[inline]
    pub(crate) fn future(&self) -> &AnyFuture {
        &self.future
    }

    /// Ready when the value is in the future's slot.
    ///
    /// The one case that goes on at once is looked at inside the coroutine; the others need not be compiled into each.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let future = &*self.future;
        if future.has_value() && !future.core().is_throwing() {
            self.forget();
            return Poll::Ready(Ok(()));
        }
        self.poll_unfinished(cx)
    }

    #[inline(never)]
    fn poll_unfinished(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let future = &*self.future;
        let core = future.core();
        if core.is_throwing() || future.done() {
            return Poll::Ready(self.end());
        }
        match (waker::token(cx.waker()), &self.registered) {
            (_, Registered::Refused(error)) => {
                // The future may be of another loop than the one whose task is to get an error.
                let error = running::take_throw().unwrap_or_else(|| Exception::clone(error));
                return Poll::Ready(Err(error));
            }
            (Some(token), _) if core.is_current(token) => self.register_task(token, cx),
            _ => self.register_waker(cx),
        }
        Poll::Pending
    }

    /// The wait is over, by the error that is to be thrown or by the outcome of the future.
    #[inline(never)]
    fn end(&mut self) -> Result<()> {
        let core = self.future.core();
        if core.take_throw() {
            let error = thrown(core, &self.future);
            self.deregister();
            return Err(error);
        }
        let outcome = self.future.outcome();
        self.forget();
        outcome.unwrap_or(Ok(()))
    }

    #[inline(always)]
    fn register_task(&mut self, token: Token, cx: &Context<'_>) {
        if matches!(self.registered, Registered::Step(before, _) if before == token) {
            return;
        }
        self.deregister();
        let future = &self.future;
        match future.core().begin_to_wait(token, future, self.at) {
            Some(Some(place)) => {
                future.keep_step(token);
                // It was not registered, and there is nothing to be dropped.
                mem::forget(mem::replace(
                    &mut self.registered,
                    Registered::Step(token, place),
                ));
            }
            Some(None) => self.refuse_itself(cx),
            None => {}
        }
    }

    #[inline(never)]
    fn register_waker(&mut self, cx: &Context<'_>) {
        let core = self.future.core();
        let task = match running::core() {
            Some(running) if Rc::ptr_eq(&running, core) => core.current_task(),
            Some(running) => match running.current_task() {
                Some(task) => {
                    let text = format!(
                        "task {task:?} got future {:?} attached to a different loop",
                        self.future
                    );
                    return self.refuse(text, cx);
                }
                None => None,
            },
            None => None,
        };
        let state = task.as_ref().and_then(|task| task.task_state());
        let token = state.map(|state| state.token());
        if let Registered::Waker(waker) = &self.registered
            && waker.task().map(|(token, _)| token) == token
        {
            waker.update(cx.waker());
            if self.future.done() {
                // Cloning the waker has completed it, and the waker of the poll before was told.
                cx.waker().wake_by_ref();
            }
            return;
        }
        self.deregister();
        let waker = ForeignWaker::new(cx.waker().clone());
        // It is called at once if cloning the waker has completed the future.
        let _ = self.future.add_callback(Callback::done(waker.clone()));
        let wait = |state: &TaskState| state.add_waiter(Waiting::Future(&self.future), self.at);
        waker.set_task(state.map(|state| (state.token(), wait(state))));
        self.registered = Registered::Waker(waker);
    }

    #[cold]
    fn refuse_itself(&mut self, cx: &Context<'_>) {
        let message = format!("task cannot await on itself: {:?}", self.future);
        self.refuse(message, cx);
    }

    #[cold]
    fn refuse(&mut self, message: String, cx: &Context<'_>) {
        self.registered = Registered::Refused(Box::new(Exception::runtime(message)));
        cx.waker().wake_by_ref();
    }

    #[inline]
    fn deregister(&mut self) {
        if !matches!(self.registered, Registered::No) {
            self.leave();
        }
    }

    /// Leaves the future's list and the task's waiters.
    #[cold]
    fn leave(&mut self) {
        let waiter = match mem::replace(&mut self.registered, Registered::No) {
            Registered::No | Registered::Refused(_) => return,
            Registered::Step(token, place) => {
                self.future
                    .remove_callback(|callback| callback.steps(token));
                Some((token, place))
            }
            Registered::Waker(waker) => {
                self.future.remove_callback(|callback| callback.is(&waker));
                waker.task()
            }
        };
        let Some((token, place)) = waiter else {
            return;
        };
        let task = self.future.core().task(token);
        if let Some(state) = task.as_ref().and_then(|task| task.task_state()) {
            let removed = state.remove_waiter(place, &self.future);
            drop(removed);
        }
    }

    /// The future is done: its list is empty, and only a waiter among several has to go.
    #[inline]
    fn forget(&mut self) {
        match self.registered {
            Registered::No => {}
            Registered::Step(_, place) if place.is_first() => self.registered = Registered::No,
            _ => self.leave(),
        }
    }
}

impl Drop for Leaf {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.registered, Registered::No) {
            self.leave();
        }
    }
}

/// The error for the coroutine that waits for `future` (I2).
#[cold]
fn thrown(core: &Core, future: &AnyFuture) -> Exception {
    match future.outcome() {
        Some(Err(exception)) if exception.is_cancelled() => exception,
        _ => cancelled_error_of_current_task(core),
    }
}

/// The error that a task's `cancel(msg)` has ordered for the coroutine that is being stepped.
#[cold]
pub(crate) fn cancelled_error_of_current_task(core: &Core) -> Exception {
    let task = core.current_task();
    let state = task.as_ref().and_then(|task| task.task_state());
    Exception::new(CancelledError::from_message(
        state.and_then(|state| state.cancel_message()),
    ))
}

/// Awaits a future: what `.await` on a [`Future`] or [`Task`] makes of it.
///
/// The outcome is a clone of the value, or the value itself if this is the last handle of the future.
pub struct Awaiter<T: 'static> {
    leaf: Leaf,
    _value: PhantomData<fn() -> T>,
}

impl<T> Awaiter<T> {
    /// Awaits `future` in the line `at`.
    #[inline]
    pub(crate) fn new(future: Future<T>, at: &'static Location<'static>) -> Self {
        Self {
            leaf: Leaf::new(future.into_any(), at),
            _value: PhantomData,
        }
    }
}

impl<T: Clone> core::future::Future for Awaiter<T> {
    type Output = Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        ready!(self.leaf.poll(cx))?;
        Poll::Ready(opaque::clone_value(&self.leaf.future))
    }
}

impl<T> fmt::Debug for Awaiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Awaiter").field(&self.leaf.future).finish()
    }
}

/// Awaits a future and moves its value out: what [`Future::take`] gives.
pub struct Take<T: 'static> {
    leaf: Leaf,
    _value: PhantomData<fn() -> T>,
}

impl<T> Take<T> {
    pub(crate) fn new(future: AnyFuture, at: &'static Location<'static>) -> Self {
        Self {
            leaf: Leaf::new(future, at),
            _value: PhantomData,
        }
    }
}

impl<T> core::future::Future for Take<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        ready!(self.leaf.poll(cx))?;
        Poll::Ready(opaque::take_value(&self.leaf.future))
    }
}

impl<T> fmt::Debug for Take<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Take").field(&self.leaf.future).finish()
    }
}

impl<T: Clone + 'static> Future<T> {
    /// Awaits the future as if the `.await` stood at `at`.
    ///
    /// For a library in which the line that its user has written says more than its own: call graphs and deadlock errors show
    /// the line of an await.
    ///
    /// # Examples
    /// ```
    /// use std::panic::Location;
    /// use rondel_task::{Future, Result};
    ///
    /// #[track_caller]
    /// fn opened(gate: Future<()>) -> impl core::future::Future<Output = Result<()>> {
    ///     let at = Location::caller();
    ///     async move { gate.await_at(at).await }
    /// }
    /// # let event_loop = rondel_task::EventLoop::new()?;
    /// # let gate = event_loop.create_future();
    /// # gate.set_result(())?;
    /// # event_loop.run_until_complete(opened(gate))?;
    /// # Ok::<(), rondel_task::Exception>(())
    /// ```
    pub fn await_at(self, at: &'static Location<'static>) -> Awaiter<T> {
        Awaiter::new(self, at)
    }
}

impl<T: Clone + 'static> IntoFuture for Future<T> {
    type Output = Result<T>;
    type IntoFuture = Awaiter<T>;

    #[track_caller]
    fn into_future(self) -> Awaiter<T> {
        Awaiter::new(self, Location::caller())
    }
}

impl<T: Clone + 'static> IntoFuture for &Future<T> {
    type Output = Result<T>;
    type IntoFuture = Awaiter<T>;

    #[track_caller]
    fn into_future(self) -> Awaiter<T> {
        self.clone().into_future()
    }
}

impl<T: Clone + 'static> IntoFuture for Task<T> {
    type Output = Result<T>;
    type IntoFuture = Awaiter<T>;

    #[track_caller]
    fn into_future(self) -> Awaiter<T> {
        Future::from(self).into_future()
    }
}

impl<T: Clone + 'static> IntoFuture for &Task<T> {
    type Output = Result<T>;
    type IntoFuture = Awaiter<T>;

    #[track_caller]
    fn into_future(self) -> Awaiter<T> {
        Future::from(self.clone()).into_future()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_leaf_is_four_words() {
        assert_eq!(size_of::<Leaf>(), 32);
    }
}
