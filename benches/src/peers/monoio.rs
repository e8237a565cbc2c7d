//! monoio: io_uring where the machine allows it, epoll (its legacy driver) otherwise.
//!
//! It puts a task that wakes itself at the front of its queue, and has no way to cancel a task from outside.

use std::future::Future;
use std::time::Duration;

use local_sync::{mpsc, oneshot};
use monoio::task::JoinHandle;
use monoio::{FusionDriver, RuntimeBuilder};

use crate::peer::{Gather, Oneshot, Peer, Queue, Timers};

/// A runtime of monoio.
#[derive(Clone, Copy, Debug)]
pub struct Monoio;

const FINE: &str = "no workload cancels a task that another waits for";

impl Peer for Monoio {
    const NAME: &'static str = "monoio";

    type Output<T: 'static> = T;
    type Handle<T: 'static> = JoinHandle<T>;

    fn run<T, F>(main: impl FnOnce(Self) -> F) -> Result<T, String>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let runtime = RuntimeBuilder::<FusionDriver>::new().enable_timer().build();
        let mut runtime = runtime.map_err(|error| error.to_string())?;
        Ok(runtime.block_on(main(Monoio)))
    }

    fn output<T: 'static>(value: T) -> T {
        value
    }

    fn spawn<T: 'static>(&self, coroutine: impl Future<Output = T> + 'static) -> Self::Handle<T> {
        monoio::spawn(coroutine)
    }

    fn join<T: 'static>(handle: Self::Handle<T>) -> impl Future<Output = T> + 'static {
        handle
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        // monoio has none; this is the usual one.
        smol::future::yield_now()
    }
}

impl Gather for Monoio {
    async fn gather<T, F>(&self, coroutines: impl Iterator<Item = F> + 'static) -> Vec<T>
    where
        T: Clone + 'static,
        F: Future<Output = T> + 'static,
    {
        futures::future::join_all(coroutines.map(monoio::spawn)).await
    }
}

/// The channels are those of `local-sync`, which monoio's authors made for it.
impl Oneshot for Monoio {
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

impl Queue for Monoio {
    type Putter = mpsc::unbounded::Tx<usize>;
    type Getter = mpsc::unbounded::Rx<usize>;

    fn queue() -> (Self::Putter, Self::Getter) {
        mpsc::unbounded::channel()
    }

    fn put(putter: &Self::Putter, value: usize) {
        // At the end of a game nobody gets it.
        let _ = putter.send(value);
    }

    async fn get(getter: &mut Self::Getter) -> usize {
        getter.recv().await.expect(FINE)
    }
}

impl Timers for Monoio {
    fn sleep(delay: Duration) -> impl Future<Output = ()> + 'static {
        monoio::time::sleep(delay)
    }
}
