//! The bodies of futures and tasks: where the value is kept, and the coroutine.
//!
//! A gather brings a body of its own (`gather`).
//!
//! # Invariants
//! - I1: A `TaskBody` is made by `spawn` alone and moves into its `Rc` before anybody can poll it; nothing moves it out.

use std::any::{Any, type_name};
use std::cell::RefCell;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rondel_context::Context as ContextVars;
use rondel_sched::Token;

use crate::cell::{AnyFuture, Body, Kind};
use crate::core::Core;
use crate::coroutine::CoroutineCell;
use crate::exception::Result;
use crate::task_state::TaskState;

/// Keeps the value of a future of type `T`.
pub(crate) type Slot<T> = RefCell<Option<T>>;

/// A future that somebody completes by hand.
struct PlainBody<T>(Slot<T>);

impl<T: 'static> Body for PlainBody<T> {
    fn kind(&self) -> Kind<'_> {
        Kind::Plain
    }

    fn slot(&self) -> &dyn Any {
        &self.0
    }

    fn drop_value(&self) {
        let value = self.0.take();
        drop(value);
    }
}

/// Makes a pending future.
pub(crate) fn plain<T: 'static>(core: Rc<Core>) -> AnyFuture {
    AnyFuture::new(core, PlainBody::<T>(RefCell::new(None)))
}

struct TaskBody<T, C> {
    state: TaskState,
    slot: Slot<T>,
    coroutine: CoroutineCell<C>,
}

impl<T, C> Body for TaskBody<T, C>
where
    T: 'static,
    C: Future<Output = Result<T>> + 'static,
{
    fn kind(&self) -> Kind<'_> {
        Kind::Task(&self.state)
    }

    fn slot(&self) -> &dyn Any {
        &self.slot
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        #[allow(
            unsafe_code,
            reason = "the coroutine lies inside the task's allocation, see `coroutine`"
        )]
        // SAFETY: this body lies in an `Rc` since before its first poll and never leaves it (I1), so the cell is pinned.
        let coroutine = unsafe { Pin::new_unchecked(&self.coroutine) };
        let Some(poll) = coroutine.poll(cx) else {
            return Poll::Pending;
        };
        Poll::Ready(ready!(poll).map(|value| {
            let before = self.slot.replace(Some(value));
            debug_assert!(before.is_none(), "a coroutine ends once");
        }))
    }

    fn drop_coroutine(&self) -> bool {
        self.coroutine.clear()
    }

    fn drop_value(&self) {
        let value = self.slot.take();
        drop(value);
    }

    fn coroutine_name(&self) -> &'static str {
        type_name::<C>()
    }
}

/// Makes the task of a coroutine, known to nobody yet.
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
    let body = TaskBody {
        state: TaskState::new(token, context, created_at),
        slot: Slot::<T>::new(None),
        coroutine: CoroutineCell::new(coroutine),
    };
    AnyFuture::new(core, body)
}
