//! `AnyFuture`: a future, a task or a gather of whatever value type, as one shared object with a common header.
//!
//! It holds the state and hands callbacks to the loop. What a task has beyond that is in `task_state`, what the value is only
//! `body` knows, and `Future<T>` and `Task<T>` are its typed faces.
//!
//! # Invariants
//! - I1: A state changes in `rondel-future`'s `Completion` alone, and what a change gives to be called goes to the loop at once.
//! - I2: No borrow of `completion` is held while code of the user runs: clones, drops, wakers and callbacks come after it.
//!
//! # asyncio
//! The fields of `asyncio.Future`. The report "exception was never retrieved" comes from the drop, as there from `__del__`.

use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use rondel_future::{
    AddCallback, Callbacks, Cancel, CancelledError, Completion, InvalidStateError, Outcome, State,
};
use rondel_reactor::ExceptionContext;
use rondel_sched::{ClosedError, Token};
use rondel_shared::{Shared, Weak, Word};

use crate::body::{Body, Kind};
use crate::callback::{Awaiting, Callback};
use crate::completion_cell::CompletionCell;
use crate::core::Core;
use crate::exception::{Exception, Result};
use crate::repr::Snapshot;
use crate::task_state::TaskState;

/// What all futures have; the body lies behind it, in the same block.
pub(crate) struct Head {
    completion: CompletionCell,
    core: Rc<Core>,
}

impl Head {
    #[inline(always)]
    fn new(core: Rc<Core>) -> Self {
        Self {
            completion: CompletionCell::new(),
            core,
        }
    }

    #[inline]
    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    #[inline]
    pub(crate) fn done(&self) -> bool {
        self.completion.done()
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        self.completion.with(|completion| completion.state())
    }

    pub(crate) fn cancelled(&self) -> bool {
        self.completion.with(|completion| completion.cancelled())
    }

    /// Waits for the value, or says why there is none; marks an exception as retrieved.
    ///
    /// `None` while pending, `Some(Ok(()))` when there is a value.
    #[inline]
    pub(crate) fn outcome(&self) -> Option<Result<()>> {
        let is_value = self
            .completion
            .with(|completion| match completion.outcome() {
                Outcome::Pending => None,
                Outcome::Value => Some(true),
                Outcome::Exception(_) | Outcome::Cancelled => Some(false),
            })?;
        Some(if is_value {
            Ok(())
        } else {
            Err(self.failure())
        })
    }

    /// True when there is a value, or was before it was taken.
    #[inline]
    pub(crate) fn has_value(&self) -> bool {
        self.completion.has_value()
    }

    /// The exception it has finished with, if it has; marks it as retrieved. `None` also when cancelled.
    pub(crate) fn exception(&self) -> Option<Exception> {
        self.completion.with(|completion| {
            completion.retrieve();
            match completion.outcome() {
                Outcome::Exception(exception) => Some(exception.clone()),
                Outcome::Pending | Outcome::Cancelled | Outcome::Value => None,
            }
        })
    }

    /// What a future that is done has instead of a value.
    #[cold]
    fn failure(&self) -> Exception {
        let raised = match self.cancelled() {
            true => None,
            false => self.exception(),
        };
        raised.unwrap_or_else(|| Exception::new(self.completion.with(Completion::cancelled_error)))
    }

    /// Has the task with this token stepped when the future is done.
    #[inline(always)]
    pub(crate) fn keep_step(&self, token: Token) {
        if let Err(step) = self.completion.add_first_callback(Callback::step(token))
            && let AddCallback::ScheduleNow(_) = self.keep_callback(step)
        {
            self.core.schedule(token);
        }
    }

    /// Keeps a callback, or gives it back if the future is done.
    #[inline(never)]
    fn keep_callback(&self, callback: Callback) -> AddCallback<Callback> {
        self.completion
            .with(|completion| completion.add_callback(callback))
    }
}

/// A shared, untyped handle. Clones are the same future.
#[derive(Clone)]
pub(crate) struct AnyFuture(Shared<Head, dyn Body>);

impl Deref for AnyFuture {
    type Target = Head;

    #[inline]
    fn deref(&self) -> &Head {
        self.0.head()
    }
}

impl Drop for AnyFuture {
    #[inline]
    fn drop(&mut self) {
        if self.is_last_handle()
            && self
                .completion
                .with(|completion| completion.unretrieved().is_some())
        {
            self.report_unretrieved();
        }
    }
}

/// A future in a word that may be a number instead; it goes back through `from_shared`.
pub(crate) type AnyWord = Word<Head, dyn Body>;

/// A handle that does not keep the future alive.
#[derive(Clone)]
pub(crate) struct WeakFuture(Weak<Head, dyn Body>);

impl WeakFuture {
    pub(crate) fn upgrade(&self) -> Option<AnyFuture> {
        self.0.upgrade().map(AnyFuture)
    }

    /// True if the future is no more.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.count() == 0
    }

    /// Where it is or was; no other future is there as long as this handle is.
    pub(crate) fn address(&self) -> usize {
        self.0.address()
    }
}

impl AnyFuture {
    /// Makes a pending future; its body goes to its place at once.
    #[inline(always)]
    pub(crate) fn new<B: Body>(core: Rc<Core>, body: impl FnOnce() -> B) -> Self {
        Self(Shared::new_with(|| (Head::new(core), body())))
    }

    /// As `new`, for a task.
    #[inline(always)]
    pub(crate) fn task<B: Body>(core: Rc<Core>, made: impl FnOnce() -> (TaskState, B)) -> Self {
        Self(Shared::with_part(|| {
            let (state, body) = made();
            (Head::new(core), state, body)
        }))
    }

    /// Takes over a pointer that was one of its handles.
    #[inline]
    pub(crate) fn from_shared(shared: Shared<Head, dyn Body>) -> Self {
        Self(shared)
    }

    /// Makes another handle, for a word.
    #[inline]
    pub(crate) fn to_word(&self) -> AnyWord {
        Word::pointer(self.0.clone())
    }

    /// True if the word is a handle of this future.
    #[inline]
    pub(crate) fn is_pointed_to(&self, word: &AnyWord) -> bool {
        word.as_pointer()
            .is_some_and(|shared| shared.ptr_eq(&self.0))
    }

    /// Notes where it was made, in debug mode.
    #[inline]
    pub(crate) fn made_at(self, at: &'static Location<'static>) -> Self {
        if self.core.reactor().get_debug() {
            self.core.inspection().sites.add(&self, at);
        }
        self
    }

    pub(crate) fn downgrade(&self) -> WeakFuture {
        WeakFuture(self.0.downgrade())
    }

    #[inline]
    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }

    /// Where it is: what tells one future from another.
    pub(crate) fn address(&self) -> usize {
        self.0.address()
    }

    /// How many handles there are, this one included.
    #[inline]
    pub(crate) fn handles(&self) -> usize {
        self.0.count()
    }

    /// True if no other handle could read the value later.
    #[inline]
    pub(crate) fn is_last_handle(&self) -> bool {
        self.handles() == 1
    }

    #[inline]
    pub(crate) fn body(&self) -> &dyn Body {
        self.0.body()
    }

    /// What this future is beyond a plain one.
    pub(crate) fn kind(&self) -> Kind<'_> {
        match self.task_state() {
            Some(state) => Kind::Task(state),
            None => self.body().gather().map_or(Kind::Plain, Kind::Gather),
        }
    }

    /// What this future has as a task; `None` for a future that is none.
    #[inline]
    pub(crate) fn task_state(&self) -> Option<&TaskState> {
        self.0.part()
    }

    /// True for the task with this very state.
    #[inline]
    pub(crate) fn has_state(&self, state: &TaskState) -> bool {
        self.task_state()
            .is_some_and(|own| std::ptr::eq(own, state))
    }

    /// Polls a task's coroutine, see [`Body::poll`].
    #[inline]
    pub(crate) fn poll(&self, waker: &Waker, error: &mut Option<Exception>) -> Poll<()> {
        self.0.call((waker, error))
    }

    /// Tells the loop's exception handler of an exception that nobody has read and nobody will.
    #[cold]
    #[inline(never)]
    fn report_unretrieved(&self) {
        let Some(exception) = self.exception() else {
            return;
        };
        let class = self.task_state().map_or("Future", |_| "Task");
        // The exception shows itself by code of the user, and a destructor must not fail.
        let text = catch_unwind(AssertUnwindSafe(|| format!("{self:?}")))
            .unwrap_or_else(|_| format!("<{class} finished>"));
        let context = ExceptionContext::new(format!("{class} exception was never retrieved"))
            .with_exception(exception.into_shared())
            .with_subject("future", text);
        self.core.reactor().call_exception_handler(&context);
    }

    // --- looking ---------------------------------------------------------------------------

    /// Nothing is to be reported of this future any more.
    pub(crate) fn retrieve(&self) {
        self.completion.with(Completion::retrieve);
    }

    /// The error that stands for this future's cancellation (CPython's `_make_cancelled_error`).
    pub(crate) fn cancelled_error(&self) -> CancelledError {
        match self.task_state() {
            Some(state) if !self.cancelled() => {
                CancelledError::from_message(state.cancel_message())
            }
            _ => self.completion.with(Completion::cancelled_error),
        }
    }

    /// The message of the `cancel(msg)` that cancelled this future; none for a coroutine that ended by the error.
    pub(crate) fn cancel_message(&self) -> Option<Arc<str>> {
        self.completion
            .with(|completion| completion.cancel_message().map(Arc::from))
    }

    // --- changing ----------------------------------------------------------------------------

    /// Pending -> Finished with the value that the body holds.
    #[inline]
    pub(crate) fn finish(&self) -> Result<()> {
        let finished = self.completion.finish();
        match finished.map(|callbacks| self.schedule(callbacks)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(closed)) => refused(closed),
            Err(invalid_state) => refused(invalid_state),
        }
    }

    /// As `finish`, for a future without a value; false if it was done before.
    #[inline]
    pub(crate) fn finish_pending(&self) -> bool {
        let finished = self.completion.finish();
        match finished {
            Ok(callbacks) => {
                // The only error is that the loop is closed, and then nobody is left to hear.
                let _ = self.schedule(callbacks);
                true
            }
            Err(_) => false,
        }
    }

    /// Pending -> Finished with an exception.
    pub(crate) fn set_exception(&self, exception: Exception) -> Result<()> {
        let changed = self
            .completion
            .with(|completion| completion.set_exception(exception));
        Ok(self.schedule(changed.map_err(InvalidStateError::from)?)?)
    }

    /// Pending -> Cancelled; false if it is done already.
    pub(crate) fn cancel_plain(&self, message: Option<Arc<str>>) -> bool {
        let changed = self.completion.with(|completion| {
            completion.retrieve();
            completion.cancel(message)
        });
        self.schedule_cancelled(changed)
    }

    /// Pending -> Cancelled by the error that ended the coroutine.
    pub(crate) fn cancel_with(&self, error: CancelledError) -> bool {
        let changed = self.completion.cancel_with(error);
        self.schedule_cancelled(changed)
    }

    fn schedule_cancelled(&self, changed: Cancel<Callback>) -> bool {
        match changed {
            Cancel::Cancelled(callbacks) => {
                // A closed loop calls nobody; the future is cancelled all the same.
                let _ = self.schedule(callbacks);
                true
            }
            Cancel::AlreadyDone => false,
        }
    }

    /// Gives the callbacks to the loop, in the order in which they were added (I1).
    #[inline]
    fn schedule(&self, callbacks: Callbacks<Callback>) -> Result<(), ClosedError> {
        let mut closed = Ok(());
        callbacks.into_iter().for_each(|callback| {
            closed = closed.and(callback.schedule(self));
        });
        closed
    }

    #[inline]
    pub(crate) fn add_callback(&self, callback: Callback) -> Result<(), ClosedError> {
        match self.keep_callback(callback) {
            AddCallback::Added => Ok(()),
            AddCallback::ScheduleNow(callback) => self.schedule_now(callback),
        }
    }

    /// Out of line, as it is mostly a pending future that gets a callback.
    #[inline(never)]
    fn schedule_now(&self, callback: Callback) -> Result<(), ClosedError> {
        callback.schedule(self)
    }

    /// Takes out every callback that matches; the count.
    pub(crate) fn remove_callbacks(&self, matches: impl FnMut(&Callback) -> bool) -> usize {
        let removed = self
            .completion
            .with(|completion| completion.remove_callbacks(matches));
        removed.len()
    }

    /// Takes out the first callback that matches.
    pub(crate) fn remove_callback(&self, matches: impl FnMut(&Callback) -> bool) {
        let removed = self
            .completion
            .with(|completion| completion.remove_callback(matches));
        drop(removed);
    }

    /// On whose behalf the callbacks are there.
    pub(crate) fn awaiting(&self) -> Vec<Awaiting> {
        let callbacks: Vec<_> = self
            .completion
            .with(|completion| completion.callbacks().cloned().collect());
        callbacks.iter().flat_map(Callback::awaiting).collect()
    }

    pub(crate) fn has_callback(&self, matches: impl FnMut(&Callback) -> bool) -> bool {
        self.completion
            .with(|completion| completion.callbacks().any(matches))
    }

    /// Writes the text that asyncio's `repr` gives, with `value` for the result where its type can be shown.
    pub(crate) fn fmt(
        &self,
        f: &mut fmt::Formatter<'_>,
        value: Option<&dyn fmt::Debug>,
    ) -> fmt::Result {
        self.fmt_nested(f, value, 0)
    }

    /// As `fmt`, inside the text of a task that waits for this.
    pub(crate) fn fmt_nested(
        &self,
        f: &mut fmt::Formatter<'_>,
        value: Option<&dyn fmt::Debug>,
        depth: usize,
    ) -> fmt::Result {
        let created_at = self.core.inspection().sites.get(self.address());
        let snapshot = self
            .completion
            .with(|completion| Snapshot::of(completion, created_at));
        snapshot.fmt(f, self, value, depth)
    }
}

/// Makes an exception of an error; out of line, as it allocates.
#[cold]
fn refused(error: impl Into<Exception>) -> Result<()> {
    Err(error.into())
}

impl fmt::Debug for AnyFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_nested(f, None, 0)
    }
}
