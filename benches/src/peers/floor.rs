//! A floor: the least that runs tasks, a `VecDeque` of `Rc`s.
//!
//! It has no wakers, timers, descriptors, cancellation or other threads, and does not catch panics.
//! A task that waits is known by what it waits for, and the running one by a thread-local.
//! It is here to show what the rest of a runtime costs.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::peer::{Oneshot, Peer, Queue};

/// The queue of tasks that are ready.
#[derive(Clone, Copy, Debug)]
pub struct Floor;

thread_local! {
    static READY: RefCell<VecDeque<Rc<Task>>> = const { RefCell::new(VecDeque::new()) };
    static CURRENT: RefCell<Option<Rc<Task>>> = const { RefCell::new(None) };
}

struct Task(RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>);

/// A place for one value, and for the task that waits for it.
pub struct Slot<T> {
    value: Cell<Option<T>>,
    waiter: Cell<Option<Rc<Task>>>,
}

/// Values on their way, and the task that waits for one.
#[derive(Default)]
pub struct Values {
    values: RefCell<VecDeque<usize>>,
    waiter: Cell<Option<Rc<Task>>>,
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").finish_non_exhaustive()
    }
}

fn schedule(task: Rc<Task>) {
    READY.with_borrow_mut(|ready| ready.push_back(task));
}

fn current() -> Option<Rc<Task>> {
    CURRENT.with_borrow(Clone::clone)
}

fn start<T: 'static>(coroutine: impl Future<Output = T> + 'static) -> Rc<Slot<T>> {
    let slot = Slot::new();
    let result = slot.clone();
    let coroutine = Box::pin(async move { result.fill(coroutine.await) });
    schedule(Rc::new(Task(RefCell::new(Some(coroutine)))));
    slot
}

/// Runs what is ready until nothing is.
fn run_ready() {
    let mut context = Context::from_waker(Waker::noop());
    while let Some(task) = READY.with_borrow_mut(VecDeque::pop_front) {
        CURRENT.set(Some(task.clone()));
        let mut coroutine = task.0.borrow_mut();
        if let Some(running) = coroutine.as_mut()
            && running.as_mut().poll(&mut context).is_ready()
        {
            *coroutine = None;
        }
        CURRENT.set(None);
    }
}

impl<T> Slot<T> {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            value: Cell::new(None),
            waiter: Cell::new(None),
        })
    }

    fn fill(&self, value: T) {
        self.value.set(Some(value));
        if let Some(task) = self.waiter.take() {
            schedule(task);
        }
    }

    async fn wait(self: Rc<Self>) -> T {
        poll_fn(|_| match self.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                self.waiter.set(current());
                Poll::Pending
            }
        })
        .await
    }
}

impl Peer for Floor {
    const NAME: &'static str = "VecDeque of Rc tasks";

    type Output<T: 'static> = T;
    type Handle<T: 'static> = Rc<Slot<T>>;

    fn run<T, F>(main: impl FnOnce(Self) -> F) -> Result<T, String>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let outcome = start(main(Floor));
        run_ready();
        let outcome = outcome.value.take();
        outcome.ok_or_else(|| "nothing is ready and the workload is not done".to_owned())
    }

    fn output<T: 'static>(value: T) -> T {
        value
    }

    fn spawn<T: 'static>(&self, coroutine: impl Future<Output = T> + 'static) -> Self::Handle<T> {
        start(coroutine)
    }

    fn join<T: 'static>(handle: Self::Handle<T>) -> impl Future<Output = T> + 'static {
        handle.wait()
    }

    async fn yield_now() {
        let mut yielded = false;
        poll_fn(|_| match std::mem::replace(&mut yielded, true) {
            true => Poll::Ready(()),
            false => {
                current().into_iter().for_each(schedule);
                Poll::Pending
            }
        })
        .await;
    }
}

impl Oneshot for Floor {
    type Sender = Rc<Slot<usize>>;
    type Receiver = Rc<Slot<usize>>;

    fn oneshot(&self) -> (Self::Sender, Self::Receiver) {
        let slot = Slot::new();
        (slot.clone(), slot)
    }

    fn send(sender: Self::Sender, value: usize) {
        sender.fill(value);
    }

    fn receive(receiver: Self::Receiver) -> impl Future<Output = usize> + 'static {
        receiver.wait()
    }
}

impl Queue for Floor {
    type Putter = Rc<Values>;
    type Getter = Rc<Values>;

    fn queue() -> (Self::Putter, Self::Getter) {
        let values = Rc::new(Values::default());
        (values.clone(), values)
    }

    fn put(putter: &Self::Putter, value: usize) {
        putter.values.borrow_mut().push_back(value);
        if let Some(task) = putter.waiter.take() {
            schedule(task);
        }
    }

    async fn get(getter: &mut Self::Getter) -> usize {
        poll_fn(|_| {
            let value = getter.values.borrow_mut().pop_front();
            match value {
                Some(value) => Poll::Ready(value),
                None => {
                    getter.waiter.set(current());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
