//! rondel itself.

use std::future::Future;
use std::time::Duration;

use rondel::{Builder, EventLoop};

use crate::peer::{Cancel, Gather, Oneshot, Peer, Queue, Timers};

/// An event loop of rondel, with its clock and the platform's selector.
pub type Rondel = WithSlack<0>;

/// One whose timers may be a millisecond late, as those of others are.
pub type RondelSlack = WithSlack<1>;

/// An event loop whose timers may be late by so many milliseconds.
#[derive(Clone, Debug)]
pub struct WithSlack<const SLACK: u64>(EventLoop);

/// Nothing is cancelled or refused in these workloads, except where they say so.
const FINE: &str = "no workload cancels a task that another waits for";

impl<const SLACK: u64> Peer for WithSlack<SLACK> {
    const NAME: &'static str = match SLACK {
        0 => "rondel",
        _ => "rondel, 1 ms late",
    };

    type Output<T: 'static> = rondel::Result<T>;
    type Handle<T: 'static> = rondel::Task<T>;

    fn run<T, F>(main: impl FnOnce(Self) -> F) -> Result<T, String>
    where
        T: 'static,
        F: Future<Output = Self::Output<T>> + 'static,
    {
        let builder = Builder::new().timer_slack(Duration::from_millis(SLACK));
        let event_loop = EventLoop::build(builder).map_err(|error| error.to_string())?;
        // The workloads about memory end with a million tasks that wait, each of which would be reported.
        event_loop.set_exception_handler(Some(|_: &_, _: &_| {}));
        let main = main(Self(event_loop.clone()));
        event_loop
            .run_until_complete(main)
            .map_err(|error| error.to_string())
    }

    fn output<T: 'static>(value: T) -> Self::Output<T> {
        Ok(value)
    }

    fn spawn<T: 'static>(
        &self,
        coroutine: impl Future<Output = Self::Output<T>> + 'static,
    ) -> Self::Handle<T> {
        self.0.create_task(coroutine).expect("the loop is open")
    }

    async fn join<T: 'static>(handle: Self::Handle<T>) -> T {
        handle.take().await.expect(FINE)
    }

    async fn yield_now() {
        rondel::sleep(Duration::ZERO).await.expect(FINE);
    }
}

impl<const SLACK: u64> Gather for WithSlack<SLACK> {
    async fn gather<T, F>(&self, coroutines: impl Iterator<Item = F> + 'static) -> Vec<T>
    where
        T: Clone + 'static,
        F: Future<Output = Self::Output<T>> + 'static,
    {
        rondel::gather(coroutines).await.expect(FINE)
    }
}

impl<const SLACK: u64> Cancel for WithSlack<SLACK> {
    async fn cancel(handles: Vec<Self::Handle<()>>) {
        for task in &handles {
            task.cancel();
        }
        for task in handles {
            let outcome = task.take().await;
            debug_assert!(outcome.is_err(), "it was cancelled");
        }
    }
}

impl<const SLACK: u64> Oneshot for WithSlack<SLACK> {
    type Sender = rondel::Future<usize>;
    type Receiver = rondel::Future<usize>;

    fn oneshot(&self) -> (Self::Sender, Self::Receiver) {
        let future = self.0.create_future();
        (future.clone(), future)
    }

    fn send(sender: Self::Sender, value: usize) {
        sender.set_result(value).expect("it is set once");
    }

    async fn receive(receiver: Self::Receiver) -> usize {
        receiver.await.expect(FINE)
    }
}

impl<const SLACK: u64> Queue for WithSlack<SLACK> {
    type Putter = rondel::Queue<usize>;
    type Getter = rondel::Queue<usize>;

    fn queue() -> (Self::Putter, Self::Getter) {
        let queue = rondel::Queue::new(0);
        (queue.clone(), queue)
    }

    fn put(putter: &Self::Putter, value: usize) {
        putter.put_nowait(value).expect("it has no limit");
    }

    async fn get(getter: &mut Self::Getter) -> usize {
        getter.get().await.expect(FINE)
    }
}

impl<const SLACK: u64> Timers for WithSlack<SLACK> {
    async fn sleep(delay: Duration) {
        rondel::sleep(delay).await.expect(FINE);
    }
}
