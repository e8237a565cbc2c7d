//! tokio: its current-thread runtime with a `LocalSet`, and its `LocalRuntime`.
//!
//! The same calls spawn, send and sleep on both, so that only how they are started is told twice.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet, LocalSet};

use crate::peer::{Cancel, Gather, Oneshot, Peer, Queue, Timers};

/// A `LocalSet` on a current-thread runtime.
#[derive(Clone, Copy, Debug)]
pub struct TokioLocalSet;

/// A `LocalRuntime`.
#[derive(Clone, Copy, Debug)]
pub struct TokioLocalRuntime;

const FINE: &str = "no workload cancels a task that another waits for";

/// Starts the current-thread runtime and drives the future on a set of it.
fn run_local_set<F: Future>(main: F) -> Result<F::Output, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    Ok(LocalSet::new().block_on(&runtime, main))
}

fn run_local_runtime<F: Future>(main: F) -> Result<F::Output, String> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    Ok(runtime.map_err(|error| error.to_string())?.block_on(main))
}

macro_rules! tokio_peer {
    ($peer:ident, $name:literal, $run:path) => {
        impl Peer for $peer {
            const NAME: &'static str = $name;

            type Output<T: 'static> = T;
            type Handle<T: 'static> = JoinHandle<T>;

            fn run<T, F>(main: impl FnOnce(Self) -> F) -> Result<T, String>
            where
                T: 'static,
                F: Future<Output = T> + 'static,
            {
                $run(main($peer))
            }

            fn output<T: 'static>(value: T) -> T {
                value
            }

            fn spawn<T: 'static>(
                &self,
                coroutine: impl Future<Output = T> + 'static,
            ) -> Self::Handle<T> {
                tokio::task::spawn_local(coroutine)
            }

            async fn join<T: 'static>(handle: Self::Handle<T>) -> T {
                handle.await.expect(FINE)
            }

            async fn yield_now() {
                tokio::task::yield_now().await;
            }
        }

        impl Gather for $peer {
            async fn gather<T, F>(&self, coroutines: impl Iterator<Item = F> + 'static) -> Vec<T>
            where
                T: Clone + 'static,
                F: Future<Output = T> + 'static,
            {
                gather(coroutines).await
            }
        }

        impl Cancel for $peer {
            async fn cancel(handles: Vec<Self::Handle<()>>) {
                handles.iter().for_each(JoinHandle::abort);
                for handle in handles {
                    let outcome = handle.await;
                    debug_assert!(outcome.is_err(), "it was aborted");
                }
            }
        }

        impl Oneshot for $peer {
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

        impl Queue for $peer {
            type Putter = mpsc::UnboundedSender<usize>;
            type Getter = mpsc::UnboundedReceiver<usize>;

            fn queue() -> (Self::Putter, Self::Getter) {
                mpsc::unbounded_channel()
            }

            fn put(putter: &Self::Putter, value: usize) {
                // At the end of a game nobody gets it.
                let _ = putter.send(value);
            }

            async fn get(getter: &mut Self::Getter) -> usize {
                getter.recv().await.expect(FINE)
            }
        }

        impl Timers for $peer {
            fn sleep(delay: Duration) -> impl Future<Output = ()> + 'static {
                tokio::time::sleep(delay)
            }
        }
    };
}

tokio_peer!(TokioLocalSet, "tokio LocalSet", run_local_set);
tokio_peer!(TokioLocalRuntime, "tokio LocalRuntime", run_local_runtime);

/// A `JoinSet`, which tokio has for this; it gives the values in the order of completion, so they are put back.
async fn gather<T, F>(coroutines: impl Iterator<Item = F>) -> Vec<T>
where
    T: Clone + 'static,
    F: Future<Output = T> + 'static,
{
    let mut set = JoinSet::new();
    for (place, coroutine) in coroutines.enumerate() {
        set.spawn_local(async move { (place, coroutine.await) });
    }
    let mut values: Vec<Option<T>> = (0..set.len()).map(|_| None).collect();
    while let Some(joined) = set.join_next().await {
        let (place, value) = joined.expect(FINE);
        values[place] = Some(value);
    }
    values.into_iter().flatten().collect()
}
