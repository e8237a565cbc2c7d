//! The bodies of futures and tasks: where the value is kept, and the coroutine.
//!
//! A gather brings a body of its own (`gather`).
//!
//! # Invariants
//! - I1: A `TaskBody` is made by `spawn` alone and moves into its block before anybody can poll it; nothing moves it out, and it is
//!   dropped there before the block is given back.

use std::any::{Any, type_name};
use std::cell::RefCell;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rondel_context::Context as ContextVars;
use rondel_sched::Token;
use rondel_shared::{Face, View};

use crate::cell::AnyFuture;
use crate::core::Core;
use crate::coroutine::CoroutineCell;
use crate::exception::{Exception, Result};
use crate::gather::GatherState;
use crate::task_state::TaskState;

/// The part that depends on the type of the value and of the coroutine, and that the header reaches through a vtable.
pub(crate) trait Body: 'static {
    /// What a gather has beyond a plain future.
    fn gather(&self) -> Option<&GatherState> {
        None
    }

    /// Where the value is, a `Slot<T>`; none for a task, whose value is set by its coroutine and comes to lie in its place.
    fn slot(&self) -> Option<&dyn Any> {
        None
    }

    /// Moves a task's value out, into an `Option<T>`.
    fn take(&self, _into: &mut dyn Any) {}

    /// Shows a task's value, a `T`, if there is one; it can be shown again meanwhile, but not taken.
    fn look(&self, _: &mut dyn FnMut(&dyn Any)) {}

    /// Polls a task's coroutine, which is then dropped if it has finished; its error goes into `error`.
    fn poll(&self, _: &Waker, _error: &mut Option<Exception>) -> Poll<()> {
        Poll::Pending
    }

    /// Drops a task's coroutine, or its value; false if it is being polled right now.
    fn clear(&self) -> bool {
        true
    }

    /// The type name of a task's coroutine.
    fn coroutine_name(&self) -> &'static str {
        ""
    }
}

/// A task is a future with a part.
impl Face for dyn Body {
    type Part = TaskState;
    type Argument<'a> = (&'a Waker, &'a mut Option<Exception>);
    type Outcome = Poll<()>;
}

impl<B: Body> View<B> for dyn Body {
    fn view(body: &B) -> &(dyn Body + 'static) {
        body
    }

    #[inline]
    fn call(body: &B, (waker, error): (&Waker, &mut Option<Exception>)) -> Poll<()> {
        body.poll(waker, error)
    }
}

/// What a future is beyond a plain one.
#[derive(Clone, Copy)]
pub(crate) enum Kind<'a> {
    Plain,
    Task(&'a TaskState),
    Gather(&'a GatherState),
}

/// Keeps the value of a future that is no task.
pub(crate) struct Slot<T>(RefCell<Option<T>>);

impl<T: 'static> Slot<T> {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Puts a value in; one that was there is dropped.
    #[inline]
    pub(crate) fn put(&self, value: T) {
        let before = self.0.replace(Some(value));
        drop(before);
    }

    /// Moves the value out; one that is being read stays where it is.
    #[inline]
    pub(crate) fn take(&self) -> Option<T> {
        self.0.try_borrow_mut().ok()?.take()
    }

    /// Shows the value, if there is one; it can be shown again meanwhile, but not taken.
    #[inline]
    pub(crate) fn look<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.try_borrow().ok()?.as_ref().map(f)
    }
}

/// A future that somebody completes by hand.
struct PlainBody<T>(Slot<T>);

impl<T: 'static> Body for PlainBody<T> {
    fn slot(&self) -> Option<&dyn Any> {
        Some(&self.0)
    }
}

/// Makes a pending future.
pub(crate) fn plain<T: 'static>(core: Rc<Core>) -> AnyFuture {
    AnyFuture::new(core, || PlainBody::<T>(Slot::new()))
}

/// Makes a pending future that never has a value to read.
#[inline]
pub(crate) fn valueless(core: Rc<Core>) -> AnyFuture {
    AnyFuture::new(core, || Valueless)
}

/// A future of which nobody reads the value.
struct Valueless;

impl Body for Valueless {}

struct TaskBody<T, C>(CoroutineCell<C, T>);

impl<T, C> Body for TaskBody<T, C>
where
    T: 'static,
    C: Future<Output = Result<T>> + 'static,
{
    fn take(&self, into: &mut dyn Any) {
        if let Some(into) = into.downcast_mut::<Option<T>>() {
            *into = self.0.take();
        }
    }

    fn look(&self, f: &mut dyn FnMut(&dyn Any)) {
        let _ = self.0.look(|value| f(value));
    }

    #[inline]
    fn poll(&self, waker: &Waker, error: &mut Option<Exception>) -> Poll<()> {
        #[allow(
            unsafe_code,
            reason = "the coroutine lies inside the task's allocation, see `coroutine`"
        )]
        // SAFETY: this body lies in its block since before its first poll and never leaves it (I1), so the cell is pinned.
        let coroutine = unsafe { Pin::new_unchecked(&self.0) };
        coroutine.poll(&mut Context::from_waker(waker), error)
    }

    fn clear(&self) -> bool {
        self.0.clear()
    }

    fn coroutine_name(&self) -> &'static str {
        type_name::<C>()
    }
}

/// Makes the task of a coroutine, known to nobody yet.
#[inline(always)]
pub(crate) fn spawn<T, C>(
    core: Rc<Core>,
    coroutine: C,
    token: Token,
    context: Option<ContextVars>,
    created_at: &'static Location<'static>,
) -> AnyFuture
where
    T: 'static,
    C: Future<Output = Result<T>> + 'static,
{
    AnyFuture::task(core, || {
        let state = TaskState::new(token, context, created_at);
        (state, TaskBody(CoroutineCell::new(coroutine)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Head;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_task_is_thirteen_words_with_a_coroutine_of_one() {
        let counts_and_functions = 16;
        assert_eq!((size_of::<Head>(), size_of::<TaskState>()), (24, 48));
        assert_eq!(size_of::<TaskBody<(), usize>>(), 16);
        assert_eq!(size_of::<TaskBody<(), u8>>(), 2);
        assert_eq!(counts_and_functions + 24 + 48 + 16, 13 * 8);
    }
}
