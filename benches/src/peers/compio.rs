//! compio: its runtime on io_uring.

use std::future::Future;
use std::time::Duration;

use compio::runtime::{JoinHandle, Runtime};
use futures::channel::{mpsc, oneshot};
use futures::stream::StreamExt;

use crate::peer::{Cancel, Gather, Oneshot, Peer, Queue, Timers};

/// A runtime of compio.
#[derive(Clone, Copy, Debug)]
pub struct Compio;

const FINE: &str = "no workload cancels a task that another waits for";

impl Peer for Compio {
    const NAME: &'static str = "compio";

    type Output<T: 'static> = T;
    type Handle<T: 'static> = JoinHandle<T>;

    fn run<T, F>(main: impl FnOnce(Self) -> F) -> Result<T, String>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        Ok(runtime.block_on(main(Compio)))
    }

    fn output<T: 'static>(value: T) -> T {
        value
    }

    fn spawn<T: 'static>(&self, coroutine: impl Future<Output = T> + 'static) -> Self::Handle<T> {
        compio::runtime::spawn(coroutine)
    }

    async fn join<T: 'static>(handle: Self::Handle<T>) -> T {
        let Ok(value) = handle.await else {
            unreachable!("no workload panics");
        };
        value
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        // compio has none; this is the usual one.
        smol::future::yield_now()
    }
}

impl Gather for Compio {
    async fn gather<T, F>(&self, coroutines: impl Iterator<Item = F> + 'static) -> Vec<T>
    where
        T: Clone + 'static,
        F: Future<Output = T> + 'static,
    {
        let tasks = coroutines.map(|coroutine| Self::join(self.spawn(coroutine)));
        futures::future::join_all(tasks).await
    }
}

impl Cancel for Compio {
    async fn cancel(handles: Vec<Self::Handle<()>>) {
        futures::future::join_all(handles.into_iter().map(JoinHandle::cancel)).await;
    }
}

/// compio has no channels: those of `futures` are what its users take.
impl Oneshot for Compio {
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

impl Queue for Compio {
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

impl Timers for Compio {
    fn sleep(delay: Duration) -> impl Future<Output = ()> + 'static {
        compio::runtime::time::sleep(delay)
    }
}
