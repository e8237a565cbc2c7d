//! What waits for a future: tasks to be stepped, wakers of other executors, done callbacks of users.
//!
//! The list itself, and its order, is `rondel-future`'s.
//!
//! # Invariants
//! - I1: A callback that waits for a future does not hold that future; it gets it when the future is done. So no
//!   future -> callback -> future cycle keeps memory.
//! - I2: Callbacks run in the order in which they were scheduled, so what was bound first is run first.
//!
//! # asyncio
//! The pairs of callback and context in `Future._callbacks`. A waiting task stands in the same list there, as `__wakeup`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use rondel_context::Context;
use rondel_reactor::{ExceptionContext, PanicError};
use rondel_sched::{ClosedError, Runnable, Token};
use rondel_shared::{NoBody, Opened, Shared, Word};

use crate::cell::AnyFuture;
use crate::cold::WaiterPlace;
use crate::future::Future;
use crate::repr::{FromFn, function_name};

/// One callback in a future's list: the token of a task that waits and is to be stepped, or anything else behind a pointer.
///
/// It is a word, as most futures have exactly one. What is behind the pointer is shared by its clones.
#[derive(Clone)]
pub(crate) struct Callback(Word<Rc<dyn DoneCallback>, NoBody>);

/// What a [`Callback`] was made of.
enum Kind {
    Step(Token),
    Done(Rc<dyn DoneCallback>),
}

/// Something that hears of a future's end.
pub(crate) trait DoneCallback {
    /// The future is done: take a place in the ready queue.
    fn schedule(self: Rc<Self>, future: &AnyFuture) -> Result<(), ClosedError>;

    /// Where it comes from, for a future's `repr`.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// On whose behalf it hears of the end, for the call graph.
    fn awaiting(&self) -> Vec<Awaiting> {
        Vec::new()
    }

    /// The callback that this is once more.
    fn repeats(&self) -> Option<&dyn DoneCallback> {
        None
    }
}

/// On whose behalf a callback hears of a future's end.
pub(crate) enum Awaiting {
    /// This one's, which stands for the future, perhaps among others.
    Future(AnyFuture),
    /// That of whoever awaits this one, a future that nobody else knows of.
    Through(AnyFuture),
}

impl Callback {
    #[inline(always)]
    pub(crate) fn step(token: Token) -> Self {
        Self(Word::number(token.to_bits()))
    }

    pub(crate) fn done(callback: Rc<dyn DoneCallback>) -> Self {
        Self(Word::pointer(Shared::new(callback, NoBody)))
    }

    #[inline]
    fn open(self) -> Kind {
        match self.0.open() {
            Opened::Number(token) => Kind::Step(Token::from_bits(token)),
            Opened::Pointer(callback) => Kind::Done(callback.head().clone()),
        }
    }

    /// What it was made of, if it steps no task.
    fn as_done(&self) -> Option<&Rc<dyn DoneCallback>> {
        self.0.as_pointer().map(Shared::head)
    }

    /// True if it steps the task with this token.
    pub(crate) fn steps(&self, token: Token) -> bool {
        self.0.as_number() == Some(token.to_bits())
    }

    #[inline]
    pub(crate) fn schedule(self, future: &AnyFuture) -> Result<(), ClosedError> {
        match self.open() {
            Kind::Step(token) => {
                // The tasks of a loop that is closed are gone, and a stale token wakes nobody.
                future.core().schedule_again(token);
                Ok(())
            }
            Kind::Done(callback) => callback.schedule(future),
        }
    }

    /// Where it comes from, for a future's `repr`.
    pub(crate) fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_done() {
            None => f.write_str("Task.wakeup()"),
            Some(callback) => callback.describe(f),
        }
    }

    /// On whose behalf it is there; a task that waits says so itself.
    pub(crate) fn awaiting(&self) -> Vec<Awaiting> {
        self.as_done()
            .map_or_else(Vec::new, |callback| callback.awaiting())
    }

    /// True if this is that very callback object.
    pub(crate) fn is<D: DoneCallback + ?Sized>(&self, callback: &Rc<D>) -> bool {
        self.as_done()
            .is_some_and(|own| std::ptr::addr_eq(Rc::as_ptr(own), Rc::as_ptr(callback)))
    }
}

/// A waker that is not of our own making; it is woken on the spot, at its place among the callbacks.
pub(crate) struct ForeignWaker {
    waker: Cell<Option<Waker>>,
    /// The task that was stepped when the future was polled with it, and where the future stands among what that task waits for.
    task: Cell<Option<(Token, WaiterPlace)>>,
}

impl ForeignWaker {
    pub(crate) fn new(waker: Waker) -> Rc<Self> {
        Rc::new(Self {
            waker: Cell::new(Some(waker)),
            task: Cell::new(None),
        })
    }

    pub(crate) fn task(&self) -> Option<(Token, WaiterPlace)> {
        self.task.get()
    }

    pub(crate) fn set_task(&self, task: Option<(Token, WaiterPlace)>) {
        self.task.set(task);
    }

    /// Exchanges the waker for `waker` if they wake different tasks.
    pub(crate) fn update(&self, waker: &Waker) {
        let current = self.waker.take();
        let same = current
            .as_ref()
            .is_some_and(|current| current.will_wake(waker));
        // Back in its place before the other is cloned: cloning a waker may run anything.
        self.waker.set(current);
        if !same {
            let before = self.waker.replace(Some(waker.clone()));
            drop(before);
        }
    }
}

impl DoneCallback for ForeignWaker {
    fn schedule(self: Rc<Self>, future: &AnyFuture) -> Result<(), ClosedError> {
        let Some(waker) = self.waker.take() else {
            return Ok(());
        };
        // A panic here would keep the callbacks behind it from being scheduled.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            let context = ExceptionContext::new("Exception in a waker")
                .with_exception(Arc::new(PanicError::new(payload)))
                .with_subject("future", format!("{future:?}"));
            future.core().reactor().call_exception_handler(&context);
        }
        Ok(())
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker::wake()")
    }
}

/// A done callback of the user, with the context it runs in and the futures that are done and wait for it to run.
struct UserCallback<T, F> {
    function: Cell<Option<F>>,
    context: Cell<Option<Context>>,
    done: RefCell<VecDeque<AnyFuture>>,
    added_at: &'static Location<'static>,
    _value: PhantomData<fn(T)>,
}

impl<T: 'static, F: FnMut(&Future<T>) + 'static> DoneCallback for UserCallback<T, F> {
    fn schedule(self: Rc<Self>, future: &AnyFuture) -> Result<(), ClosedError> {
        self.done.borrow_mut().push_back(future.clone());
        let scheduled = future.core().scheduler().schedule(self.clone());
        if scheduled.is_err() {
            let unheard = self.done.borrow_mut().pop_back();
            drop(unheard);
        }
        scheduled
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Runnable::describe(self, f)
    }
}

impl<T: 'static, F: FnMut(&Future<T>) + 'static> Runnable for UserCallback<T, F> {
    fn run(&self) {
        let Some(future) = self.done.borrow_mut().pop_front() else {
            return;
        };
        let mut context = self.context.take();
        // A clone keeps the context in its place should the callback panic.
        self.context.set(context.clone());
        self.call(future, &mut context);
        self.context.set(context);
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = function_name(std::any::type_name::<F>());
        write!(
            f,
            "{name}() at {}:{}",
            self.added_at.file(),
            self.added_at.line()
        )
    }
}

/// A done callback that can be added more than once.
trait Repeatable: DoneCallback {
    /// Calls the function, for a future that is done.
    fn call(&self, future: AnyFuture, context: &mut Option<Context>);
}

impl<T: 'static, F: FnMut(&Future<T>) + 'static> Repeatable for UserCallback<T, F> {
    fn call(&self, future: AnyFuture, context: &mut Option<Context>) {
        let Some(function) = self.function.take() else {
            return;
        };
        let mut call = PutBack {
            cell: &self.function,
            function: Some(function),
        };
        rondel_context::run_in(context, || call.call(&Future::from_any(future)));
    }
}

/// A callback that was added once more, in the context of that time.
struct Repeated {
    callback: Rc<dyn Repeatable>,
    context: Cell<Option<Context>>,
    /// The future, when it is done.
    done: Cell<Option<AnyFuture>>,
}

impl DoneCallback for Repeated {
    fn schedule(self: Rc<Self>, future: &AnyFuture) -> Result<(), ClosedError> {
        self.done.set(Some(future.clone()));
        future.core().scheduler().schedule(self)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DoneCallback::describe(&*self.callback, f)
    }

    fn repeats(&self) -> Option<&dyn DoneCallback> {
        Some(&*self.callback)
    }
}

impl Runnable for Repeated {
    fn run(&self) {
        if let Some(future) = self.done.take() {
            self.callback.call(future, &mut self.context.take());
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DoneCallback::describe(self, f)
    }
}

/// Holds the function while it runs and puts it back afterwards, also after a panic, so that it can be called again.
struct PutBack<'a, F> {
    cell: &'a Cell<Option<F>>,
    function: Option<F>,
}

impl<F> PutBack<'_, F> {
    fn call<T: 'static>(&mut self, future: &Future<T>)
    where
        F: FnMut(&Future<T>),
    {
        if let Some(function) = &mut self.function {
            function(future);
        }
    }
}

impl<F> Drop for PutBack<'_, F> {
    fn drop(&mut self) {
        self.cell.set(self.function.take());
    }
}

/// Names a done callback: what [`Future::add_done_callback`] returns and [`Future::remove_done_callback`] takes.
///
/// The same callback may be added again, to the same future or to others, with [`Future::add_callback_again`].
pub struct CallbackKey<T: 'static> {
    callback: Rc<dyn Repeatable>,
    _value: PhantomData<fn(T)>,
}

impl<T: 'static> CallbackKey<T> {
    pub(crate) fn new(
        function: impl FnMut(&Future<T>) + 'static,
        context: Option<Context>,
        added_at: &'static Location<'static>,
    ) -> Self {
        Self {
            callback: Rc::new(UserCallback {
                function: Cell::new(Some(function)),
                context: Cell::new(context),
                done: RefCell::default(),
                added_at,
                _value: PhantomData,
            }),
            _value: PhantomData,
        }
    }

    pub(crate) fn callback(&self) -> Callback {
        Callback::done(self.callback.clone())
    }

    /// The callback once more, in a context of its own.
    pub(crate) fn repeated(&self, context: Option<Context>) -> Callback {
        Callback::done(Rc::new(Repeated {
            callback: self.callback.clone(),
            context: Cell::new(context),
            done: Cell::new(None),
        }))
    }

    pub(crate) fn names(&self, callback: &Callback) -> bool {
        let repeated = callback.as_done().and_then(|done| done.repeats());
        callback.is(&self.callback)
            || repeated.is_some_and(|first| std::ptr::addr_eq(first, Rc::as_ptr(&self.callback)))
    }
}

impl<T> Clone for CallbackKey<T> {
    fn clone(&self) -> Self {
        Self {
            callback: self.callback.clone(),
            _value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for CallbackKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source =
            FromFn(|f: &mut fmt::Formatter<'_>| DoneCallback::describe(&*self.callback, f));
        f.debug_tuple("CallbackKey").field(&source).finish()
    }
}
