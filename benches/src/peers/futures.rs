//! futures: its `LocalPool`, which has no timers and no reactor.

use std::future::Future;

use futures::channel::{mpsc, oneshot};
use futures::executor::{LocalPool, LocalSpawner};
use futures::future::RemoteHandle;
use futures::stream::StreamExt;
use futures::task::LocalSpawnExt;

use crate::peer::{Gather, Oneshot, Peer, Queue};

/// A `LocalPool`.
#[derive(Clone, Debug)]
pub struct Futures(LocalSpawner);

const FINE: &str = "no workload cancels a task that another waits for";

impl Peer for Futures {
    const NAME: &'static str = "futures LocalPool";

    type Output<T: 'static> = T;
    type Handle<T: 'static> = RemoteHandle<T>;

    fn run<T, F>(main: impl FnOnce(Self) -> F) -> Result<T, String>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let mut pool = LocalPool::new();
        let main = main(Self(pool.spawner()));
        Ok(pool.run_until(main))
    }

    fn output<T: 'static>(value: T) -> T {
        value
    }

    fn spawn<T: 'static>(&self, coroutine: impl Future<Output = T> + 'static) -> Self::Handle<T> {
        let spawned = self.0.spawn_local_with_handle(coroutine);
        spawned.expect("the pool is there")
    }

    fn join<T: 'static>(handle: Self::Handle<T>) -> impl Future<Output = T> + 'static {
        handle
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        // `futures` has none outside its macros; this is the usual one.
        smol::future::yield_now()
    }
}

impl Gather for Futures {
    async fn gather<T, F>(&self, coroutines: impl Iterator<Item = F> + 'static) -> Vec<T>
    where
        T: Clone + 'static,
        F: Future<Output = T> + 'static,
    {
        futures::future::join_all(coroutines.map(|coroutine| self.spawn(coroutine))).await
    }
}

impl Oneshot for Futures {
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

impl Queue for Futures {
    type Putter = mpsc::UnboundedSender<usize>;
    type Getter = mpsc::UnboundedReceiver<usize>;

    fn queue() -> (Self::Putter, Self::Getter) {
        mpsc::unbounded()
    }

    fn put(putter: &Self::Putter, value: usize) {
        // At the end of a game nobody gets it.
        let _ = putter.unbounded_send(value);
    }

    async fn get(getter: &mut Self::Getter) -> usize {
        getter.next().await.expect(FINE)
    }
}
