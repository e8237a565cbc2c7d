//! smol: its `LocalExecutor`, driven together with its reactor by `smol::block_on`.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use smol::channel;

use crate::peer::{Cancel, Gather, Oneshot, Peer, Queue, Timers};

/// A `LocalExecutor`.
#[derive(Clone, Debug)]
pub struct Smol(Rc<smol::LocalExecutor<'static>>);

const FINE: &str = "no workload cancels a task that another waits for";

impl Peer for Smol {
    const NAME: &'static str = "smol";

    type Output<T: 'static> = T;
    type Handle<T: 'static> = smol::Task<T>;

    fn run<T, F>(main: impl FnOnce(Self) -> F) -> Result<T, String>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let executor = Rc::new(smol::LocalExecutor::new());
        let main = main(Self(executor.clone()));
        Ok(smol::block_on(executor.run(main)))
    }

    fn output<T: 'static>(value: T) -> T {
        value
    }

    fn spawn<T: 'static>(&self, coroutine: impl Future<Output = T> + 'static) -> Self::Handle<T> {
        self.0.spawn(coroutine)
    }

    fn join<T: 'static>(handle: Self::Handle<T>) -> impl Future<Output = T> + 'static {
        handle
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        smol::future::yield_now()
    }
}

impl Gather for Smol {
    async fn gather<T, F>(&self, coroutines: impl Iterator<Item = F> + 'static) -> Vec<T>
    where
        T: Clone + 'static,
        F: Future<Output = T> + 'static,
    {
        futures::future::join_all(coroutines.map(|coroutine| self.spawn(coroutine))).await
    }
}

impl Cancel for Smol {
    async fn cancel(handles: Vec<Self::Handle<()>>) {
        // A task is cancelled at the first poll of this, so that all are before the first is waited for.
        futures::future::join_all(handles.into_iter().map(smol::Task::cancel)).await;
    }
}

/// smol has no channel for one value: that of `futures` is what its users take.
impl Oneshot for Smol {
    type Sender = oneshot::Sender<usize>;
    type Receiver = oneshot::Receiver<usize>;

    fn oneshot(&self) -> (Self::Sender, Self::Receiver) {
        oneshot::channel()
    }

    fn send(sender: Self::Sender, value: usize) {
        // At the end of a game nobody receives.
        let _ = sender.send(value);
    }

    async fn receive(receiver: Self::Receiver) -> usize {
        receiver.await.expect(FINE)
    }
}

impl Queue for Smol {
    type Putter = channel::Sender<usize>;
    type Getter = channel::Receiver<usize>;

    fn queue() -> (Self::Putter, Self::Getter) {
        channel::unbounded()
    }

    fn put(putter: &Self::Putter, value: usize) {
        // At the end of a game nobody gets it.
        let _ = putter.try_send(value);
    }

    async fn get(getter: &mut Self::Getter) -> usize {
        getter.recv().await.expect(FINE)
    }
}

impl Timers for Smol {
    async fn sleep(delay: Duration) {
        smol::Timer::after(delay).await;
    }
}
