//! glommio: an executor on io_uring; it cannot be made where the machine refuses that.
//!
//! It polls a task for the first time inside the call that spawns it.

use std::future::Future;
use std::time::Duration;

use futures::channel::oneshot;
use glommio::channels::local_channel::{LocalReceiver, LocalSender, new_unbounded};
use glommio::{LocalExecutorBuilder, Placement, Task};

use crate::peer::{Cancel, Gather, Oneshot, Peer, Queue, Timers};

/// An executor of glommio, not bound to a processor.
#[derive(Clone, Copy, Debug)]
pub struct Glommio;

const FINE: &str = "no workload cancels a task that another waits for";

impl Peer for Glommio {
    const NAME: &'static str = "glommio";

    type Output<T: 'static> = T;
    type Handle<T: 'static> = Task<T>;

    fn run<T, F>(main: impl FnOnce(Self) -> F) -> Result<T, String>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let executor = LocalExecutorBuilder::new(Placement::Unbound).make();
        let executor = executor.map_err(|error| error.to_string())?;
        Ok(executor.run(main(Glommio)))
    }

    fn output<T: 'static>(value: T) -> T {
        value
    }

    fn spawn<T: 'static>(&self, coroutine: impl Future<Output = T> + 'static) -> Self::Handle<T> {
        glommio::spawn_local(coroutine)
    }

    fn join<T: 'static>(handle: Self::Handle<T>) -> impl Future<Output = T> + 'static {
        handle
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        // glommio's own only yields when the scheduler asks for it; this is the usual one.
        smol::future::yield_now()
    }
}

impl Gather for Glommio {
    async fn gather<T, F>(&self, coroutines: impl Iterator<Item = F> + 'static) -> Vec<T>
    where
        T: Clone + 'static,
        F: Future<Output = T> + 'static,
    {
        futures::future::join_all(coroutines.map(glommio::spawn_local)).await
    }
}

impl Cancel for Glommio {
    async fn cancel(handles: Vec<Self::Handle<()>>) {
        // `Task::cancel` waits for one task before the next is cancelled; the detached handle's does not.
        let handles: Vec<_> = handles.into_iter().map(Task::detach).collect();
        for handle in &handles {
            handle.cancel();
        }
        for handle in handles {
            handle.await;
        }
    }
}

/// glommio has no channel for one value: that of `futures` is what its users take.
impl Oneshot for Glommio {
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

impl Queue for Glommio {
    type Putter = LocalSender<usize>;
    type Getter = LocalReceiver<usize>;

    fn queue() -> (Self::Putter, Self::Getter) {
        new_unbounded()
    }

    fn put(putter: &Self::Putter, value: usize) {
        // At the end of a game nobody gets it.
        let _ = putter.try_send(value);
    }

    async fn get(getter: &mut Self::Getter) -> usize {
        getter.recv().await.expect(FINE)
    }
}

impl Timers for Glommio {
    async fn sleep(delay: Duration) {
        glommio::timer::sleep(delay).await;
    }
}
